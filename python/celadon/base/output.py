"""Standard output and error that nobody has to wait for.

Where one of them is a pipe or a socket, a thread of the core stands between: a reader
that stops reading costs lines, never a loop that stands still.
"""

from __future__ import annotations

from celadon._core import relay_output, stop_relay

_originals = (1, 2)
_NAMES = {
    f"{folder}/{number}": number
    for folder in ("/dev/fd", "/proc/self/fd")
    for number in (1, 2)
} | {"/dev/stdout": 1, "/dev/stderr": 2}


def named(path: str) -> int:
    """The descriptor of the standard stream that is called so; 0: it is another file.

    It is open: to open it by its name fails for a socket, and for other users' pipes.
    """
    return _NAMES.get(path, 0)


def relay() -> None:
    """From now on, until `stop`; once is enough for a master and its workers."""
    global _originals
    _originals = relay_output()


def stop() -> None:
    """Puts the descriptors back, with what was written. Nothing in a fork."""
    stop_relay()


def original(number: int) -> int:
    """The descriptor of what 1 or 2 was, for who can wait by themselves."""
    return _originals[number - 1]
