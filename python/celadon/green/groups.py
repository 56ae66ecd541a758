"""Several greenlets as one, with or without a limit on how many run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Any

from greenlet import GreenletExit

from celadon._core import green as _green
from celadon.green.queue import Queue
from celadon.green.spawn import Greenlet, current, spawn


class Group:
    """Greenlets that are waited for, or killed, together.

    A member leaves when it ends. As a context manager it joins at the end of the block,
    and kills where the block ends by an exception.
    """

    def __init__(self, *greenlets: Greenlet) -> None:
        self._members: set[Greenlet] = set()
        self._empty = _green.Event()
        self._empty.set()
        # Who holds it is not preempted, and native threads wait for each other: a member
        # may end, or be let go of, while another one comes.
        self._changes = _green.Lock()._brief()
        for greenlet in greenlets:
            self.add(greenlet)

    def __len__(self) -> int:
        return len(self._members)

    def __iter__(self) -> Iterator[Greenlet]:
        return iter(list(self._members))

    def __contains__(self, greenlet: object) -> bool:
        return greenlet in self._members

    def add(self, greenlet: Greenlet) -> None:
        """Takes in a greenlet that runs already."""
        if self._take_in(greenlet):
            greenlet.link(self.discard)

    def _take_in(self, greenlet: Greenlet) -> bool:
        """False: it is a member already."""
        with self._changes:
            if greenlet in self._members:
                return False
            self._members.add(greenlet)
            self._empty.clear()
            return True

    def discard(self, greenlet: Greenlet) -> None:
        """Lets go of a greenlet, which runs on."""
        self._let_go(greenlet)

    def _let_go(self, greenlet: Greenlet) -> bool:
        """False: it is no member any more."""
        with self._changes:
            if greenlet not in self._members:
                return False
            self._members.remove(greenlet)
            if not self._members:
                self._empty.set()
            return True

    def spawn(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Greenlet:
        """Starts ``fn(*args, **kwargs)`` as a member."""
        greenlet = spawn(fn, *args, **kwargs)
        self.add(greenlet)
        return greenlet

    def join(self, timeout: float | None = None, raise_error: bool = False) -> bool:
        """Waits until no member is left; `timeout` in seconds. False: it passed.

        With `raise_error` raises the exception of the first member that had one.
        """
        members = list(self._members)
        done = self._empty.wait(timeout)
        if raise_error:
            for greenlet in members:
                greenlet._raise()
        return done

    def kill(
        self,
        exception: Any = GreenletExit,
        block: bool = True,
        timeout: float | None = None,
    ) -> None:
        """Raises `exception` in each member; with `block` waits for their end.

        A member that kills its group ends with the others, and does not wait for them.
        """
        own = current()
        for greenlet in self:
            if greenlet is not own:
                greenlet.kill(exception, block=False)
        if own is not None and own in self._members:
            own.kill(exception)
        if block:
            self.join(timeout)

    def apply(self, fn: Callable[..., Any], args: Any = (), kwargs: Any = None) -> Any:
        """``fn(*args, **kwargs)`` in a member, and its result."""
        return self.spawn(fn, *args, **(kwargs or {})).get()

    def map(self, fn: Callable[..., Any], *iterables: Iterable[Any]) -> list[Any]:
        """As `map`, each call in a member: a list, in order."""
        return list(self.imap(fn, *iterables))

    def imap(self, fn: Callable[..., Any], *iterables: Iterable[Any]) -> Iterator[Any]:
        """As `map`, each call in a member; results in order, as they are asked for."""
        started = [self.spawn(fn, *args) for args in zip(*iterables, strict=False)]
        return (greenlet.get() for greenlet in started)

    def imap_unordered(
        self, fn: Callable[..., Any], *iterables: Iterable[Any]
    ) -> Iterator[Any]:
        """As `imap`, results in the order in which the calls end."""
        ended = Queue()
        count = 0
        for args in zip(*iterables, strict=False):
            self.spawn(fn, *args).link(ended.put)
            count += 1
        return (ended.get().get() for _ in range(count))

    def __enter__(self) -> Group:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self.join()
        else:
            self.kill()


class Pool(Group):
    """A `Group` of at most `size` members: `spawn` waits for a place."""

    def __init__(self, size: int) -> None:
        if size < 1:
            raise ValueError("a pool needs at least one place")
        super().__init__()
        self.size = size
        self._places = _green.Semaphore(size)

    def add(self, greenlet: Greenlet) -> None:
        """Takes in a greenlet that runs already; waits for a place."""
        if greenlet in self._members:
            return
        self._places.acquire()
        if self._take_in(greenlet):
            greenlet.link(self.discard)
        else:  # somebody else has added it meanwhile
            self._places.release()

    def discard(self, greenlet: Greenlet) -> None:
        """Lets go of a greenlet, which runs on, and of its place."""
        if self._let_go(greenlet):
            self._places.release()

    def spawn(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Greenlet:
        """Starts ``fn(*args, **kwargs)`` as a member once there is a place."""
        self._places.acquire()
        try:
            greenlet = spawn(fn, *args, **kwargs)
        except BaseException:
            self._places.release()
            raise
        super().add(greenlet)
        return greenlet

    def free_count(self) -> int:
        """How many places are free."""
        return self.size - len(self._members)

    def full(self) -> bool:
        """Whether `spawn` would wait."""
        return self.free_count() <= 0

    def wait_available(self, timeout: float | None = None) -> bool:
        """Waits for a free place, which it does not take. False: `timeout` passed."""
        if not self._places.acquire(timeout=timeout):
            return False
        self._places.release()
        return True
