"""How many connections one worker may have to one database server (design §9).

Greenlets are cheap and connections are not: a thousand requests at once would ask a
database for a thousand. Adapters take a place before they connect; who finds none waits
for one, first come, first served, and gets the driver's own error after a time.

What lies idle in a pool is nobody's: who finds no place has one closed that does, and
is woken when one comes back. A pool that alone may have more than the budget allows has
its size for a budget; it is said where it is made, since one of the two was not meant.
"""

from __future__ import annotations

import os
import time
import weakref
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from celadon._core import green as _green
from celadon._core.metrics import Series
from celadon.logging import logger

LIMIT = 32
WAIT = 30.0  # seconds

# Closes a connection to that server that nobody needs now; False if there is none.
Reclaimer = Callable[[str], bool]

_servers: dict[str, _Server] = {}
_reclaimers: list[Reclaimer] = []
_compared: set[tuple[str, int]] = set()
_limit = LIMIT
_wait = WAIT

# What is open when a process forks is the parent's.
os.register_at_fork(after_in_child=_servers.clear)


def configure(limit: int, wait: float = WAIT) -> None:
    """At most `limit` connections to each server; 0: as many as are asked for. Who wants
    one more waits for `wait` seconds at the most."""
    global _limit, _wait
    _limit, _wait = limit, wait


def patience() -> float:
    """Seconds that somebody waits for a place at the most."""
    return _wait


def add_reclaimer(reclaimer: Reclaimer) -> None:
    """Has `reclaimer` called when somebody finds no place."""
    if reclaimer not in _reclaimers:
        _reclaimers.append(reclaimer)


def is_wanted(server: str) -> bool:
    """Whether somebody waits for a place at `server`."""
    known = _servers.get(server)
    return known is not None and bool(known.waiters)


def has_room(server: str | None) -> bool:
    """Whether one more connection to `server` takes nobody's place."""
    known = _servers.get(server) if server is not None else None
    return known is None or not (known.waiters or known.is_full)


def came_back(server: str | None) -> None:
    """A connection to `server` lies idle now. Takes no lock."""
    known = _servers.get(server) if server is not None else None
    if known is not None and known.waiters:
        known.wake_first()


def claim(server: str | None, size: int) -> None:
    """There is a pool for `server` that may have `size` connections."""
    known = _servers.get(server) if server is not None else None
    if known is not None and size > known.claimed:
        known.claimed = size
        known.wake_first()


def compare(size: int, pool: str, setting: str) -> None:
    """Says so, once, where the `size` of a pool that is made is above the budget;
    `setting` is what the pool calls it."""
    if 0 < _limit < size and (pool, size) not in _compared:
        _compared.add((pool, size))
        logger.warning(
            "%s may have %d connections, and db_connections allows %d to one server in "
            "each worker: set db_connections=%d, or %s to %d; until then the pool's size "
            "holds for its server",
            *(pool, size, _limit, size, setting, _limit),
        )


def stats() -> dict[str, dict[str, int]]:
    """Open connections and who waits for one, by server."""
    return {
        name: {"open": len(server.places), "waiting": len(server.waiters)}
        for name, server in list(_servers.items())
    }


def _gauge(what: str, help_text: str, server: str) -> Series:
    family = f"celadon_db_connections_{what}"
    return Series(family, "gauge", help_text, "", "livesum", 1, ("server",), (server,))


class Place:
    """One connection's place, until `free`."""

    def __init__(self, server: _Server) -> None:
        self._server = server
        self._conn: weakref.ref[Any] | None = None
        self._is_closed: Callable[[Any], Any] | None = None

    @property
    def server(self) -> str:
        """The server's name."""
        return self._server.name

    @property
    def is_held(self) -> bool:
        """False once it is free, and in a child that was forked since."""
        server = self._server
        return self in server.places and _servers.get(server.name) is server

    def attach(self, conn: Any, is_closed: Callable[[Any], Any] | None = None) -> None:
        """Free when `conn` goes, or is found to be closed."""
        self._conn = weakref.ref(conn, lambda _: self.free())
        self._is_closed = is_closed

    def free(self) -> None:
        """Gives the place to the next one. Takes no lock, so finalizers may call it."""
        self._server.places.discard(self)
        self._server.wake_first()

    def free_if_closed(self) -> None:
        conn = self._conn() if self._conn is not None else None
        if conn is not None and self._is_closed is not None and self._is_closed(conn):
            self.free()


class Turn(Protocol):
    """Somebody's place in the queue."""

    def set(self) -> None: ...


class _Server:
    def __init__(self, name: str) -> None:
        self.name = name
        self.places: set[Place] = set()
        self.waiters: deque[Turn] = deque()
        self.claimed = 0  # by the largest pool
        self._lock = _green.Lock()
        self._open = _gauge("open", "Connections to a server of databases.", name)
        self._waiting = _gauge("waiting", "Who waits for a place there.", name)

    def note(self) -> None:
        """How it stands, for ``/metrics``. Takes no lock."""
        self._open.set(0, len(self.places))
        self._waiting.set(0, len(self.waiters))

    def wake_first(self) -> None:
        self.note()
        try:
            self.waiters[0].set()
        except IndexError:
            return

    @property
    def is_full(self) -> bool:
        return _limit > 0 and max(_limit, self.claimed) <= len(self.places)

    def take(self, turn: Turn | None) -> Place | None:
        """A place, if there is one and it is the caller's turn."""
        with self._lock:
            first = self.waiters[0] if self.waiters else None
            if first is not turn or self.is_full:
                return None
            place = Place(self)
            self.places.add(place)
            self.note()
            return place

    def make_room(self) -> None:
        for place in list(self.places):
            place.free_if_closed()
        if self.is_full:
            any(reclaim(self.name) for reclaim in _reclaimers)


def take(server: str, error: type[Exception]) -> Place:
    """A place for a connection to `server`; waits for one as long as is configured.

    Raises `error`, the driver's own, which says what to change.
    """
    known = known_server(server)
    place = known.take(None)
    if place is None:
        place = _take_in_turn(known, time.monotonic() + _wait)
    if place is None:
        raise error(refusal(server))
    return place


def known_server(name: str) -> _Server:
    return _servers.get(name) or _servers.setdefault(name, _Server(name))


def refusal(server: str) -> str:
    return (
        f"celadon: all connections to {server} were in use for {_wait:g} s, and {_limit} "
        "are the most that db_connections allows in this worker: use a pool, close "
        "connections sooner, or raise db_connections (or db_connection_wait)"
    )


def _take_in_turn(server: _Server, end: float) -> Place | None:
    turn = _green.Event()
    server.waiters.append(turn)
    server.note()
    try:
        while True:
            turn.clear()
            server.make_room()
            place = server.take(turn)
            left = end - time.monotonic()
            if place is not None or left <= 0:
                return place
            turn.wait(left)
    finally:
        server.waiters.remove(turn)
        server.wake_first()


def connect(
    server: str,
    error: type[Exception],
    make: Callable[[], Any],
    is_closed: Callable[[Any], Any] | None = None,
) -> Any:
    """``make()``, in a place of the budget; the place goes with what it makes."""
    place = take(server, error)
    try:
        conn = make()
    except BaseException:
        place.free()
        raise
    place.attach(conn, is_closed)
    conn._celadon_place = place
    return conn


def leave(conn: Any) -> None:
    """`conn` was closed."""
    place = conn.__dict__.pop("_celadon_place", None)
    if place is not None:
        place.free()


def server_of(conn: Any) -> str | None:
    """The server that `conn` has a place at, in this process."""
    place = getattr(conn, "_celadon_place", None)
    return place.server if place is not None and place.is_held else None


def name_of(kind: str, host: Any, port: Any) -> str:
    """One name for one server."""
    text = str(host or "localhost").split(",")[0]
    return f"{kind}:{text}" if text[0] in "/@" else f"{kind}://{text}:{port}"
