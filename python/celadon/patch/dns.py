"""Names: looked up by native threads of their own, with the system's resolver.

`socket.getaddrinfo` and its relatives stay CPython's; what they call in C is replaced, so
that names taken earlier by ``from socket import ...`` are cooperative too, and so is a
``connect`` to a name. Equal lookups at the same time are one.
"""

from __future__ import annotations

import _socket
import os
import sys
import time
from collections.abc import Callable
from types import ModuleType
from typing import Any

from celadon._core import green, sockets
from celadon.green.native_pool import NativePool
from celadon.patch.imports import when_imported
from celadon.patch.registry import replace

THREADS = 4
MOST_WAITING = 1000
# The system's resolver has limits of its own (resolv.conf); this one is for its hangs.
TIMEOUT = 60.0  # seconds
MOST_CACHED = 1024
LONGEST_TTL = 30.0  # seconds

_HOSTS = "/etc/hosts"
_pool = NativePool(THREADS, "celadon-dns")
_getaddrinfo = _socket.getaddrinfo


class Lookups:
    """Lookups under way, and answers kept for `ttl` seconds."""

    def __init__(self) -> None:
        self.ttl = 0.0
        self._flights: dict[Any, _Flight] = {}
        self._answers: dict[Any, tuple[float, Any]] = {}

    def find(self, key: Any, look: Callable[[], Any], keep: float) -> Any:
        answer = self._answers.get(key)
        if answer is not None:
            if answer[0] > time.monotonic():
                return answer[1]
            self._answers.pop(key, None)
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = _Flight(look)
            self._start(key, flight, keep)
        return flight.wait()

    def _start(self, key: Any, flight: _Flight, keep: float) -> None:
        if _pool.waiting >= MOST_WAITING:
            del self._flights[key]
            raise _try_again()

        def fly() -> None:
            flight.run()
            self._flights.pop(key, None)
            if flight.error is None and keep > 0:
                self._keep(key, flight.value, keep)
            flight.done.set()

        try:
            _pool.start(fly)
        except RuntimeError as error:  # no thread can be started
            self._flights.pop(key, None)
            flight.error = error  # for those that have joined meanwhile
            flight.done.set()
            raise

    def _keep(self, key: Any, value: Any, seconds: float) -> None:
        if len(self._answers) >= MOST_CACHED:
            self._answers.clear()
        self._answers[key] = (time.monotonic() + seconds, value)

    def forget(self) -> None:
        """Drops all answers."""
        self._answers.clear()

    def begin_child(self) -> None:
        """In a forked process: the threads that looked for its parent are not there."""
        self._flights.clear()


class _Flight:
    def __init__(self, look: Callable[[], Any]) -> None:
        self._look: Callable[[], Any] | None = look
        self.done = green.Event("dns")
        self.value: Any = None
        self.error: BaseException | None = None

    def run(self) -> None:
        look, self._look = self._look, None
        assert look is not None
        try:
            self.value = look()
        except BaseException as error:
            self.error = error.with_traceback(None)

    def wait(self) -> Any:
        if not self.done.wait(TIMEOUT):
            raise _try_again()
        if self.error is not None:
            # Each one who waited gets an error of its own, with its own traceback.
            raise type(self.error)(*self.error.args)
        return self.value


lookups = Lookups()


def install() -> None:
    os.register_at_fork(after_in_child=lambda: lookups.begin_child())
    when_imported("socket", _patch)


def _patch(socket: ModuleType) -> None:
    replace(_socket, "getaddrinfo", getaddrinfo)
    for name in ("gethostbyname", "gethostbyname_ex", "gethostbyaddr", "getnameinfo"):
        cooperative = _in_pool(name, getattr(_socket, name))
        replace(_socket, name, cooperative)
        replace(socket, name, cooperative)
    sockets.set_resolver(resolve)


def configure(ttl: float, threads: int = THREADS) -> None:
    """Keeps answers for `ttl` seconds, 30 at most; 0 keeps none."""
    _pool.threads = threads
    lookups.ttl = min(ttl, LONGEST_TTL)
    lookups.forget()


def _try_again() -> OSError:
    text = "Temporary failure in name resolution"
    return _socket.gaierror(_socket.EAI_AGAIN, text)


def _is_number(host: Any) -> bool:
    if host is None or host in ("", b""):
        return True
    for family in (_socket.AF_INET, _socket.AF_INET6):
        try:
            _socket.inet_pton(family, host)
        except (OSError, TypeError, ValueError):
            continue
        return True
    return False


def _hosts_file() -> tuple[int, int] | None:
    try:
        status = os.stat(_HOSTS)
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns


def getaddrinfo(
    host: Any, port: Any, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0
) -> list[Any]:
    """As `socket.getaddrinfo`; a greenlet lets others run while a name is looked up."""
    if not green.can_park() or _is_number(host):
        return _getaddrinfo(host, port, family, type, proto, flags)
    sys.audit("socket.getaddrinfo", host, port, family, type, proto)
    key: Any = ("getaddrinfo", host, port, family, type, proto, flags)
    keep = lookups.ttl
    if host in ("localhost", b"localhost"):
        key, keep = (*key, _hosts_file()), LONGEST_TTL
    look = lambda: _getaddrinfo(host, port, family, type, proto, flags)  # noqa: E731
    return list(_find(key, look, keep))


def _find(key: Any, look: Callable[[], Any], keep: float) -> Any:
    try:
        hash(key)
    except TypeError:
        return look()  # a wrong argument: CPython says so
    return lookups.find(key, look, keep)


def _in_pool(name: str, native: Any) -> Any:
    def look_up(*args: Any) -> Any:
        if not green.can_park() or not args or _needs_no_thread(name, args[0]):
            try:
                return native(*args)
            finally:
                del args  # an error's traceback knows this frame
        found = _find((name, *args), lambda: native(*args), lookups.ttl)
        if isinstance(found, tuple):  # its lists are the caller's to change
            found = tuple(list(x) if isinstance(x, list) else x for x in found)
        return found

    look_up.__name__ = look_up.__qualname__ = name
    look_up.__doc__ = native.__doc__
    return look_up


def _needs_no_thread(name: str, what: Any) -> bool:
    if name == "getnameinfo":
        return not isinstance(what, tuple)  # CPython says what is wrong
    return name == "gethostbyname" and _is_number(what)


def resolve(sock: Any, address: tuple[Any, ...]) -> tuple[Any, ...]:
    """`address` with its host as a number: what `connect` would look up in C."""
    try:
        found = getaddrinfo(address[0], None, sock.family, _socket.SOCK_DGRAM)
    except (TypeError, ValueError):
        return address  # CPython's own connect has the right words for it
    return (found[0][4][0], *address[1:])
