"""Damaged and made-up inputs to everything that reads what others wrote."""
