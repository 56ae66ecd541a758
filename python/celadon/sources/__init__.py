"""Where settings come from beside the command line: files and argument variables."""

from celadon.sources.collect import collect
from celadon.sources.layer import Layer

__all__ = ["Layer", "collect"]
