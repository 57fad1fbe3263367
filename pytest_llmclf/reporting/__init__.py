"""A report as text and files; nothing here computes a result."""
