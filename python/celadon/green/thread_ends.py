"""What is to be done at the end of a native thread, there, while its greenlets still run."""

from collections.abc import Callable

_calls: list[Callable[[], None]] = []


def at_thread_end(call: Callable[[], None]) -> None:
    """Has ``call()`` called at the end of every thread that begins under the patch."""
    _calls.append(call)


def run_thread_ends() -> None:
    """The thread that runs here has done its work."""
    for call in _calls:
        call()
