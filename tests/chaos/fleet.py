"""Many WebSockets in one process, each of which comes again when it has ended."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

from tests.support.frames import CLOSE, PING, PONG, TEXT, FrameReader, masked
from tests.support.frames import close_payload as closing
from tests.support.raw import TIMEOUT, get
from tests.support.websockets import HANDSHAKE

PATHS = ("/who", "/asgi/who")  # a synchronous view, and ASGI
ECHOES = 5  # each fifth one says something now and then
OPENING = 64  # at once, so that those who are closed are answered meanwhile
SOURCES = 8  # addresses, each with its ports
RESTART = closing(1012)
# Seconds that this process is late from which on it may not have answered a close within 5 s,
# so that it was given up by a reset.
LATE = 2.0
RESET = "a reset"


class Guest(asyncio.Protocol):
    """One WebSocket from its handshake to its end, as its client sees it."""

    transport: asyncio.Transport

    def __init__(self, fleet: Fleet, number: int) -> None:
        self.number = number
        self.worker = 0  # who has it, once it is open
        self.close: bytes | None = None  # what the server's close frame has said
        self.wrong = ""
        self._fleet = fleet
        self._head = bytearray()
        self._frames: FrameReader | None = None  # behind the 101
        self._sent = ""  # and not yet echoed

    @property
    def path(self) -> str:
        return PATHS[self.number % len(PATHS)]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(get(self.path, *HANDSHAKE))

    def data_received(self, data: bytes) -> None:
        if self._frames is None:
            self._head += data
            head, end, data = bytes(self._head).partition(b"\r\n\r\n")
            if not end:
                return
            if not head.startswith(b"HTTP/1.1 101 "):
                self._fail(f"it is answered {head[:16]!r}")
                return
            self._frames = FrameReader()
        for each in self._frames.feed(data):
            self._hear(each.opcode, each.payload)

    def _hear(self, opcode: int, payload: bytes) -> None:
        if self.close is not None:
            self._fail("something comes behind its close frame")
        elif opcode == CLOSE:
            self.close = payload
            self.transport.write(masked(CLOSE, payload))
        elif opcode == PING:
            self.transport.write(masked(PONG, payload))
        elif opcode == TEXT and not self.worker:
            self.worker = int(payload)
            self._fleet.on_open(self)
            self._say_soon()
        elif opcode == TEXT and payload.decode() == self._sent:
            self._fleet.echoes += 1
            self._say_soon()
        else:
            self._fail(f"it hears {opcode}: {payload!r}")

    def _say_soon(self) -> None:
        if self.number % ECHOES == 0:
            asyncio.get_running_loop().call_later(self._fleet.pause, self._say)

    def _say(self) -> None:
        if self.close is None and not self.transport.is_closing():
            self._sent = f"{self.number} in {self.worker} {self._fleet.echoes}"
            self.transport.write(masked(TEXT, self._sent.encode()))

    def leave(self) -> None:
        self.transport.write(masked(CLOSE, closing(1000, "bye")))

    def _fail(self, why: str) -> None:
        self.wrong = self.wrong or why
        self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        if exc:
            self._fail(f"{RESET}: {exc!r}")
        elif self.close is None:
            self._fail("an end without a close frame")
        elif not self._frames or not self._frames.between:
            self._fail("an end within a frame")
        self._fleet.on_end(self)


class Fleet:
    """`faults`: what was not as it must be, and how often. `closes`: what the close frames
    said. Since `begin`: `told`, how often each heard one; `reset`, those who were instead;
    `late`, seconds that the fleet itself was."""

    def __init__(self, port: int, count: int) -> None:
        self.guests: dict[int, Guest] = {}  # those that are open
        self.faults: Counter[str] = Counter()
        self.closes: Counter[bytes] = Counter()
        self.begin()
        self.echoes = 0
        self.pause = max(
            0.02, count / 20_000
        )  # seconds between an echo and what follows
        self._port, self._count = port, count
        self._room = asyncio.Semaphore(OPENING)
        self._coming: set[asyncio.Task[None]] = set()
        self._news = asyncio.Event()
        self._leaving = False

    def begin(self) -> None:
        self.told: Counter[int] = Counter()
        self.reset: set[int] = set()
        self.late = 0.0

    async def watch(self) -> None:
        """How late this loop is."""
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            await asyncio.sleep(0)
            self.late = max(self.late, loop.time() - began)
            await asyncio.sleep(0.05)

    def come(self) -> None:
        """All of them, from now on."""
        self._leaving = False
        for number in range(self._count):
            self._come(number)

    def leave(self) -> None:
        self._leaving = True
        for guest in list(self.guests.values()):
            guest.leave()

    async def until(self, probe: Callable[[], bool]) -> None:
        """Something that `on_open` or `on_end` brings about."""
        while not probe():
            self._news.clear()
            try:
                await asyncio.wait_for(self._news.wait(), TIMEOUT)
            except TimeoutError:
                raise AssertionError(self.state()) from None

    def state(self) -> str:
        workers = Counter(guest.worker for guest in self.guests.values())
        return f"{len(self.guests)} open, {workers}, {self.faults}, {self.closes}"

    def all_with(self, may: Callable[[int], bool]) -> bool:
        """All are open, each in a worker that may be."""
        return len(self.guests) == self._count and all(
            may(guest.worker) for guest in self.guests.values()
        )

    def on_open(self, guest: Guest) -> None:
        self.guests[guest.number] = guest
        self._news.set()

    def on_end(self, guest: Guest) -> None:
        self.guests.pop(guest.number, None)
        if guest.wrong.startswith(RESET):
            self.reset.add(guest.number)
        elif guest.wrong:
            self.faults[guest.wrong] += 1
        if guest.close is not None:
            self.closes[guest.close] += 1
            self.told[guest.number] += 1
        self._news.set()
        if not self._leaving:
            self._come(guest.number)

    def _come(self, number: int) -> None:
        task = asyncio.create_task(self._open(number))
        self._coming.add(task)
        task.add_done_callback(self._coming.discard)

    async def _open(self, number: int) -> None:
        source = (f"127.0.0.{1 + number % SOURCES}", 0)
        loop = asyncio.get_running_loop()
        async with self._room:
            guest = Guest(self, number)
            try:
                await loop.create_connection(
                    lambda: guest, "127.0.0.1", self._port, local_addr=source
                )
            except OSError as error:
                self.faults[f"it cannot connect: {error.strerror}"] += 1
                self._news.set()

    async def stop(self) -> None:
        """For one that has failed: whoever is still there is left."""
        self._leaving = True
        for task in list(self._coming):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        for guest in list(self.guests.values()):
            guest.transport.abort()
