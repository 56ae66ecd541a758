"""Handles of greenlets."""

from __future__ import annotations

import os
from _thread import get_native_id
from collections.abc import Callable
from typing import Any

from greenlet import GreenletExit

from celadon._core import green as _green
from celadon.errors import brief
from celadon.green.shared_errors import as_first_raised, depth_of

_forks = 0  # that lie between the first process and this one


def _count_fork() -> None:
    global _forks
    _forks += 1


os.register_at_fork(after_in_child=_count_fork)


class Greenlet(_green.Task):
    """A job on a greenlet of its own: what `spawn` returns and `current` gives.

    Its result or exception is kept until the handle goes. An exception nobody waits for
    goes to the error log once.
    """

    def __init__(
        self, fn: Callable[..., Any] | None, *args: Any, **kwargs: Any
    ) -> None:
        self._call: Any = (fn, args, kwargs)
        self._done = _green.Event()
        self._links: list[Callable[[Greenlet], Any]] = []
        self._waited = False
        self._thread = get_native_id()
        self._starter: Greenlet | None = None  # who starts it later
        self.value: Any = None
        self.exception: BaseException | None = None
        self._depth = 0  # of its traceback, when it came
        self.name = getattr(fn, "__name__", None) or "request"

    def _run(self) -> None:
        fn, args, kwargs = self._call
        self._call = None
        process = _forks
        try:
            self.value = fn(*args, **kwargs)
        except GreenletExit as exit_:
            self.value = exit_
        except BaseException as error:
            if process != _forks:
                _green.end_child(error)
            self.exception, self._depth = error, depth_of(error)
        if process != _forks:
            _green.end_child(None)
        try:
            if self.exception is not None:
                self._tell(self.exception)
        except GreenletExit:
            pass  # killed while a handler of the log waited
        finally:
            self._finish()

    def _tell(self, error: BaseException) -> None:
        if not self._waited and not _ends_the_script(error):
            from celadon.logging import logger

            logger.error("error in greenlet %s", self.name, exc_info=error)

    def _finish(self) -> None:
        self._done.set()
        links, self._links = self._links, []
        if links and self._thread != get_native_id():
            # Killed before it began, by a thread that may end before it runs a greenlet.
            for callback in links:
                _call_at_once(callback, self)
            return
        for callback in links:
            spawn(callback, self)

    def join(self, timeout: float | None = None) -> None:
        """Waits for the end; `timeout` in seconds."""
        self._done.wait(timeout)
        _green.checkpoint()  # what ends the script, if it ended by that, came first

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        """The result; raises what the function raised, or `TimeoutError`."""
        self._waited = True
        if block:
            self._done.wait(timeout)
        if not self._done.is_set():
            raise TimeoutError(f"greenlet {self.name} has not finished")
        self._raise()
        return self.value

    def _raise(self) -> None:
        if self.exception is not None:
            raise as_first_raised(self.exception, self._depth)

    def kill(
        self,
        exception: Any = GreenletExit,
        block: bool = True,
        timeout: float | None = None,
    ) -> None:
        """Raises `exception` in it at its next wait point, or keeps it from starting.

        Until then another kill by the same one adds nothing. With `block` waits for its
        end. Killing oneself raises at once.
        """
        if not _is_exception(exception):
            raise TypeError("exceptions must derive from BaseException")
        if self._done.is_set():
            return
        if current() is self:
            raise exception
        starter, self._starter = self._starter, None
        sent = None if starter is not None else self._interrupt(exception)
        if starter is not None:
            starter.kill(block=False)
        if sent is None:
            self.value = GreenletExit()
            self._call = None
            self._finish()
        elif sent and block:
            self.join(timeout)

    def ready(self) -> bool:
        """Whether it has ended."""
        return self._done.is_set()

    def successful(self) -> bool:
        """Whether it has ended without an exception."""
        return self._done.is_set() and self.exception is None

    @property
    def dead(self) -> bool:
        return self._done.is_set()

    def link(self, callback: Callable[[Greenlet], Any]) -> None:
        """Calls `callback(handle)` in a greenlet of its own once it has ended.

        One that another thread kills before it began calls it in that thread, at once.
        """
        self._links.append(callback)
        # It may have ended before that, or since, and has called it then.
        if self._done.is_set() and callback in self._links:
            self._links.remove(callback)
            spawn(callback, self)

    def unlink(self, callback: Callable[[Greenlet], Any]) -> None:
        """Takes a link back."""
        if callback in self._links:
            self._links.remove(callback)

    def __repr__(self) -> str:
        state = "ended" if self.dead else "running" if self._running else "waiting"
        return f"<Greenlet {self.name} {state}>"


def _is_exception(exception: Any) -> bool:
    kind = exception if isinstance(exception, type) else type(exception)
    return issubclass(kind, BaseException)


def _call_at_once(callback: Callable[[Greenlet], Any], task: Greenlet) -> None:
    try:
        callback(task)
    except Exception as error:
        from celadon.logging import logger

        logger.error("error in a link of greenlet %s", task.name, exc_info=error)


def _ends_the_script(error: BaseException) -> bool:
    """Whether it is for the main script, as a Ctrl-C is; a server has none."""
    is_end = isinstance(error, KeyboardInterrupt | SystemExit)
    return is_end and _green.interrupt_main(error)


def spawn(fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Greenlet:
    """Starts ``fn(*args, **kwargs)`` on a greenlet, in a copy of the caller's context.

    It is one of this thread's: of a native thread's none goes on when that has ended.
    """
    if not callable(fn):
        raise TypeError(f"spawn() needs a callable, not {brief(fn)}")
    task = Greenlet(fn, *args, **kwargs)
    task._start()
    return task


def spawn_later(
    seconds: float, fn: Callable[..., Any], *args: Any, **kwargs: Any
) -> Greenlet:
    """As `spawn`, in `seconds`. Killed before, it never starts."""
    if not callable(fn):
        raise TypeError(f"spawn_later() needs a callable, not {brief(fn)}")
    task = Greenlet(fn, *args, **kwargs)

    def start() -> None:
        _green.sleep(seconds)
        if task._starter is not None:
            task._starter = None
            task._start()

    task._starter = Greenlet(start)
    task._starter._start()
    return task


def current() -> Greenlet | None:
    """The handle of the greenlet that runs here; None in the main script and in threads."""
    task = _green.current_task()
    if task is None and _green.current_slot():
        task = Greenlet(None)
        task._adopt()
    return task  # type: ignore[no-any-return]
