"""Signals that a process of the server takes, and whose they were before.

What stood there is given back to a child that the application forks, and is called beside
the server where the application has set it.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from celadon import logging

Handler = Callable[[int, Any], Any]

ENDS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)
# What the core takes while it serves.
SERVERS = (*ENDS, signal.SIGUSR1)

# What only a master hears, and nobody without one may be ended or stopped by.
MASTERS = (
    *(signal.SIGHUP, signal.SIGUSR2),
    *(signal.SIGTTIN, signal.SIGTTOU, signal.SIGWINCH),
)
# They are for the server, which is not there yet: by default HUP would end this process.
_EARLY = (*MASTERS[:-1], signal.SIGUSR1)

PYTHONS = (signal.SIG_DFL, signal.SIG_IGN, signal.default_int_handler)

# By number: ours, and what was there.
_taken: dict[int, tuple[Any, Any]] = {}


def take(numbers: Iterable[int], handler: Handler | signal.Handlers) -> None:
    """Calls `handler` for these from now on, also where the parent has blocked them.

    Only in the main thread.
    """
    from celadon.patch import fork  # nobody needs it who does not serve

    fork.install_hooks(give_back)
    for number in numbers:
        before = handler_of(number)
        signal.signal(number, handler)
        signal.siginterrupt(number, False)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [number])
        _taken[number] = (handler, before)


def take_free(numbers: Iterable[int], handler: Handler) -> None:
    """Likewise, of those that the application has no handler for."""
    caught = _caught()
    take([number for number in numbers if _is_free(number, caught)], handler)


def give_back(*numbers: int) -> None:
    """These, or all, are as before, but where somebody has set another handler since."""
    for number in numbers or [*_taken]:
        ours, before = _taken.pop(number, (None, None))
        if ours is not None and signal.getsignal(number) is ours:
            signal.signal(number, before)


@contextlib.contextmanager
def held_back(numbers: Iterable[int]) -> Iterator[None]:
    """They wait until the core lets them in, or this is left: what has begun is ended as
    it should be."""
    held = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {*numbers} - held)


def ignore(_signal: int, _frame: object) -> None:
    """Unlike ``SIG_IGN`` it is not handed on to programs that this process starts."""


class Kept:
    """One that comes before the core can hear it: `meanwhile` is called at once, and
    `repeat` sends it again."""

    def __init__(self, number: int, meanwhile: Callable[[], None]) -> None:
        self._number = number
        self._meanwhile = meanwhile
        self._came = False
        take_free([number], self._keep)

    def _keep(self, _signal: int, _frame: object) -> None:
        self._came = True
        self._meanwhile()

    def repeat(self) -> None:
        """Once the core serves."""
        if self._came:
            os.kill(os.getpid(), self._number)


class Postponed:
    """While an application starts, those that end its process: they are heard once it
    serves, so that who has started is told of the end, as uvicorn has it.

    Where nothing serves in the end, what came does then what it would have done.
    """

    def __init__(self) -> None:
        self._tell: Callable[[int], None] | None = None
        self._came: dict[int, None] = {}  # a set in order
        self._before: dict[int, tuple[Any, Any]] = {}

    def __enter__(self) -> Postponed:
        for number in ENDS:
            self._before[number] = (signal.getsignal(number), _taken.get(number))
        take(ENDS, self._keep)
        return self

    def __exit__(self, *_exc: object) -> None:
        self.repeat()

    def listen(self, tell: Callable[[int], None]) -> None:
        """`tell` hears of each at once, by its number."""
        self._tell = tell
        for number in [*self._came]:
            tell(number)

    def repeat(self) -> None:
        """What came comes again: the server hears it, if it is about to serve and they are
        held back."""
        before, self._before = self._before, {}
        for number, (handler, taken) in before.items():
            if signal.getsignal(number) != self._keep:
                continue  # somebody has set another one
            signal.signal(number, handler)
            if taken is None:
                del _taken[number]
            else:
                _taken[number] = taken
        came, self._came = self._came, {}
        for number in came:
            os.kill(os.getpid(), number)

    def _keep(self, number: int, _frame: object) -> None:
        self._came[number] = None
        if self._tell is not None:
            self._tell(number)


class _Watch:
    """Told to end before the server is there to hear it, whoever takes the signal.

    A process 1 has no default that would end it, and an import may set handlers.
    """

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        for end in (self._read, self._write):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)

    def close(self) -> bytes:
        """The signals that came."""
        came = b""
        with contextlib.suppress(BlockingIOError):
            came = os.read(self._read, 1 << 16)
        if signal.set_wakeup_fd(-1) != self._write:
            came = b""  # the application's, which tells another one
        os.close(self._read)
        os.close(self._write)
        return came


_watch: _Watch | None = None


def begin() -> None:
    """From now on one that ends this process does so at once. Only in the main thread."""
    global _watch, _is_over
    _is_over = False
    if _watch is None:
        _watch = _Watch()
        take(ENDS, _leave)
        take_free(_EARLY, ignore)


def settle() -> None:
    """The server hears signals from now on; none that came before is lost.

    Handlers that an import has set meanwhile come to the workers.
    """
    global _watch
    take(ENDS, _leave)
    watch, _watch = _watch, None
    came = {*watch.close()} if watch is not None else set()
    if came.intersection(ENDS):
        _leave(signal.SIGTERM, None)
    for number in came.intersection(_EARLY):
        # It waits until the core lets it in.
        signal.pthread_sigmask(signal.SIG_BLOCK, [number])
        os.kill(os.getpid(), number)


def over() -> None:
    """This process has served, and ends: to be told so once more changes nothing."""
    global _is_over
    _is_over = True


def end() -> None:
    """This process serves no more: all is as it was before `begin`."""
    global _watch
    watch, _watch = _watch, None
    if watch is not None:
        watch.close()
    give_back()


_is_over = False


def _leave(_signal: int, _frame: object) -> None:
    if _is_over:
        return
    # An import could catch an exception.
    logging.logger.info("told to end before it serves")
    os._exit(0)


def handler_of(number: int) -> Any:
    """That of others: what is there now, or was before it was taken."""
    now = signal.getsignal(number)
    ours, before = _taken.get(number, (None, None))
    if ours is not None and now is ours:
        return before
    return signal.SIG_DFL if now is None else now  # None: C code's, which none can name


def _is_free(number: int, caught: int) -> bool:
    handler = signal.getsignal(number)
    ours, before = _taken.get(number, (None, None))
    if ours is not None and handler is ours:
        return before in PYTHONS
    if handler is signal.default_int_handler:
        return True
    return handler in PYTHONS and not caught >> (number - 1) & 1


def _caught() -> int:
    """Signals that any code of this process has a handler for, as bits."""
    for line in Path("/proc/self/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == "SigCgt":
            return int(value, 16)
    return 0
