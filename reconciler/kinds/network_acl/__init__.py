"""network_acl."""
