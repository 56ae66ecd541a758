"""`celadon top`: a running server in a terminal, by its control socket or its admin pages."""

from celadon.top.command import run

__all__ = ["run"]
