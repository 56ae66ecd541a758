"""Where settings come from beside the command line: files and argument variables."""

from celadon.config.sources.collect import collect
from celadon.config.sources.layer import Layer

__all__ = ["Layer", "collect"]
