"""route_table."""
