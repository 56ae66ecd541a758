"""`celadon top`: a running server in a terminal, by its control socket or its admin pages."""

from celadon.command.top.command import run

__all__ = ["run"]
