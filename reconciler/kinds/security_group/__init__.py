"""security_group."""
