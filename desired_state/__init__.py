"""What may be written down, and nothing about how it is done."""
