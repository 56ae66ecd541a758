"""The command, with all its words."""
