"""Parsers of setting values."""
