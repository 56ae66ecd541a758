"""A connection to the server, whatever is said on it: both ways at once, as its plan says."""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

Address = str | tuple[str, int]

# How a connection came to its end.
WHOLE = "all was answered"
EOF = "end of file"
RESET = "reset"
LEFT = "the client left"
STUCK = "nothing comes any more"
MALFORMED = "not what the protocol has"


class Ways(Protocol):
    """What a plan says of its connection."""

    @property
    def end(self) -> str: ...
    @property
    def leaves_at(self) -> int: ...
    @property
    def window(self) -> int: ...
    @property
    def late(self) -> float: ...
    @property
    def reads(self) -> int: ...
    @property
    def slow(self) -> float: ...


@dataclass
class Seen:
    """What a client saw of its connection."""

    end: str = ""
    detail: str = ""
    taken: int = 0  # bytes
    send_error: str = ""
    late: float = (
        0.0  # seconds that this process was, in all, while it sent one request
    )


class Connection:
    def __init__(self, ways: Ways, seen: Seen, address: Address) -> None:
        self._ways, self._seen = ways, seen
        self._address = address
        self._news = asyncio.Event()  # something came
        self._loop = asyncio.get_running_loop()

    async def _send(self) -> None:
        """All that it says."""
        raise NotImplementedError

    def _take(self, data: bytes) -> None:
        """What came; nothing: its end."""
        raise NotImplementedError

    async def connect(self, limit: float) -> None:
        """Until its end, or until nothing has come for `limit` seconds."""
        tcp = not isinstance(self._address, str)
        self._sock = socket.socket(socket.AF_INET if tcp else socket.AF_UNIX)
        self._sock.setblocking(False)
        if self._ways.window:
            self._sock.setsockopt(
                socket.SOL_SOCKET, socket.SO_RCVBUF, self._ways.window
            )
        with self._sock:
            await self._loop.sock_connect(self._sock, self._address)
            if tcp:
                self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await self._both_ways(limit)
            if self._ways.end == "reset":
                hard = struct.pack("ii", 1, 0)
                self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, hard)

    async def _both_ways(self, limit: float) -> None:
        seen = self._seen
        reading = self._loop.create_task(self._read())
        sending = self._loop.create_task(self._send())
        leaves_behind_it = self._ways.leaves_at < 0 and self._ways.end in (
            "close",
            "reset",
        )
        awaited = {reading, sending} if leaves_behind_it else {reading}
        taken = -1
        try:
            # A window of a few kilobytes may have them come by the kernel's probes alone,
            # some in each second: that is slow, and nothing is stuck.
            while seen.taken != taken:
                taken = seen.taken
                done, _ = await asyncio.wait(
                    awaited, timeout=limit, return_when="FIRST_COMPLETED"
                )
                if done:
                    break
        finally:
            if not reading.done():
                seen.end = LEFT if sending.done() and leaves_behind_it else STUCK
            for task in (reading, sending):
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

    async def _read(self) -> None:
        ways, seen = self._ways, self._seen
        if ways.late:
            await asyncio.sleep(ways.late)
        count = 0
        while not seen.end:
            most = ways.reads
            if ways.leaves_at >= 0:
                most = min(most, ways.leaves_at - seen.taken)
            if most <= 0:
                seen.end = LEFT
                return
            try:
                data = await self._loop.sock_recv(self._sock, most)
            except OSError as error:
                seen.end, seen.detail = RESET, repr(error)
                break
            seen.taken += len(data)
            self._take(data)
            count += 1
            if ways.slow and count % 16 == 0:
                await asyncio.sleep(ways.slow)
        self._news.set()
