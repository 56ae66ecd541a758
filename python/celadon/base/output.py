"""Standard output and error that nobody has to wait for.

Where one of them is a pipe or a socket, a thread of the core stands between: a reader
that stops reading costs lines, never a loop that stands still.
"""

from __future__ import annotations

from celadon._core import relay_output, stop_relay

_originals = (1, 2)


def relay() -> None:
    """From now on, until `stop`; once is enough for a master and its workers."""
    global _originals
    _originals = relay_output()


def stop() -> None:
    """Puts the descriptors back, with what was written. Nothing in a fork."""
    stop_relay()


def original_stdout() -> int:
    """The descriptor of what standard output was, for who can wait by themselves."""
    return _originals[0]
