"""db_instance."""
