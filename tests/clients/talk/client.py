"""One client with a WebSocket: does what its plan says, and writes down what came of it."""

from __future__ import annotations

import asyncio
import random
import socket
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import cycle

from tests.clients import connection
from tests.clients.answers import Answer, Malformed, Reader
from tests.clients.connection import Address, Connection, Seen
from tests.clients.talk.model import FAULTS, Message, Said, between, payload
from tests.clients.talk.plan import Talk
from tests.support import frames
from tests.support.frames import CLOSE, CONTINUATION, PING, PONG, TEXT, BadFrame, Frame
from tests.support.raw import get
from tests.support.websockets import HANDSHAKE

OFFER = "permessage-deflate; client_max_window_bits"
TAIL = b"\x00\x00\xff\xff"  # of a message that was deflated (RFC 7692, 7.2.1)
MOST_PIECES = 60  # what is left then goes at once


@dataclass
class Heard(Seen):
    """What a client heard."""

    page: Answer | None = None  # where it was not let in
    fields: dict[str, str] | None = None  # of the 101
    messages: list[Message] = field(default_factory=list)
    pongs: list[bytes] = field(default_factory=list)
    closed: bytes | None = None  # what the server's close frame holds
    between: bool = True  # at the end no part of anything else was there

    @property
    def complete(self) -> int:
        """Messages that are."""
        return len(self.messages)


def closing(talk: Talk) -> bytes:
    code, reason = talk.close
    return frames.close_payload(code, reason) if code else b""


class Conversation(Connection):
    def __init__(self, talk: Talk, address: Address) -> None:
        self.talk = talk
        self.heard = Heard()
        super().__init__(talk, self.heard, address)
        self._keys = random.Random(talk.seed)
        self._head = bytearray()
        self._frames: frames.FrameReader | None = None  # behind the 101
        self._under_way: list[Frame] = []  # fragments of a message
        self._controls: deque[bytes] = deque()  # frames that go between two others
        self._out = bytearray()
        self._pieces = enumerate(cycle(talk.pieces))
        self._said_close = False

    async def run(self, limit: float) -> Heard:
        await self.connect(limit)
        heard = self.heard
        heard.between = not self._under_way and not (
            self._frames and not self._frames.between
        )
        return heard

    @property
    def compresses(self) -> bool:
        """Whether both have agreed on that."""
        return "sec-websocket-extensions" in (self.heard.fields or {})

    # --- what comes ---

    def _take(self, data: bytes) -> None:
        heard = self.heard
        if not data:
            heard.end = connection.EOF
            return
        try:
            if self._frames is None:
                self._take_head(data)
            else:
                self._take_frames(data)
        except (BadFrame, Malformed, UnicodeDecodeError, zlib.error) as error:
            heard.end, heard.detail = connection.MALFORMED, str(error)
        self._news.set()

    def _take_head(self, data: bytes) -> None:
        self._head += data
        head, end, rest = bytes(self._head).partition(b"\r\n\r\n")
        if not end:
            return
        if not head.startswith(b"HTTP/1.1 101 "):
            self._take_page()
            return
        lines = head.decode("latin-1").split("\r\n")[1:]
        pairs = (line.partition(": ") for line in lines)
        self.heard.fields = {name.lower(): value for name, _, value in pairs}
        self._frames = frames.FrameReader()
        self._take_frames(rest)

    def _take_page(self) -> None:
        reader = Reader([False])
        reader.feed(bytes(self._head))
        if reader.complete:
            self.heard.page = reader.answers[0]
            self.heard.end = (
                connection.LEFT if self.talk.leaves_at >= 0 else connection.WHOLE
            )

    def _take_frames(self, data: bytes) -> None:
        assert self._frames
        for frame in self._frames.feed(data):
            if self.heard.closed is not None and frame.opcode != PONG:
                raise BadFrame("something behind its close frame that is no pong")
            if frame.opcode == CLOSE:
                self.heard.closed = frame.payload
            elif frame.opcode == PONG:
                self.heard.pongs.append(frame.payload)
            elif frame.opcode == PING:
                self._controls.append(self._frame(PONG, frame.payload))
            else:
                self._take_fragment(frame)
        if self.talk.leaves_at >= 0 and self._has_all():
            self.heard.end = connection.LEFT

    def _take_fragment(self, frame: Frame) -> None:
        if (frame.opcode == CONTINUATION) != bool(self._under_way):
            raise BadFrame("a fragment that is none, or a message within another")
        if frame.compressed and (self._under_way or not self.compresses):
            raise BadFrame("RSV1 where it has no meaning")
        self._under_way.append(frame)
        if not frame.last:
            return
        first = self._under_way[0]
        data = b"".join(each.payload for each in self._under_way)
        self._under_way.clear()
        if first.compressed:
            inflater = zlib.decompressobj(-15)
            data = inflater.decompress(data + TAIL)
        if first.opcode == TEXT:
            data.decode()
        self.heard.messages.append((first.opcode, data))

    # --- what leaves ---

    def _frame(self, opcode: int, data: bytes, first: int = 0x80) -> bytes:
        return frames.masked(opcode, data, self._keys.randbytes(4), first=first)

    async def _send(self) -> None:
        try:
            await self._say_all()
        except OSError as error:
            self.heard.send_error = repr(error)

    async def _say_all(self) -> None:
        offers = [f"Sec-WebSocket-Extensions: {OFFER}"] if self.talk.deflate else []
        await self._add(get(self.talk.path, *HANDSHAKE, *offers))
        if not self.talk.eager:
            await self._until(lambda: self.heard.fields is not None)
        await self._say_messages()
        if not self._is_over():
            await self._begin_end()
        if not self.talk.leaves_at_once:
            await self._attend()

    def _is_over(self) -> bool:
        """Nothing of its own is to be said any more."""
        return self.heard.closed is not None or bool(self.heard.end)

    async def _say_messages(self) -> None:
        for number, said in enumerate(self.talk.said):
            if self._is_over():
                return
            # Each is said to its end, also where nobody wants it any more.
            for frame in self._frames_of(said, f"{self.talk.ident}.{number}"):
                await self._add(frame)
            await self._add_controls()
            if self.talk.style == "turns":
                await self._until(lambda upto=number + 1: self._has_all(upto))  # type: ignore[misc]

    def _has_all(self, upto: int | None = None) -> bool:
        """Whatever must come of what was said so far has come."""
        replies, pongs = self.talk.comes_of(upto)
        heard = self.heard
        return len(heard.messages) >= replies and len(heard.pongs) >= pongs

    async def _begin_end(self) -> None:
        talk = self.talk
        if talk.end == "polite":
            if talk.is_ended:
                return
            await self._until(self._has_all)
            if self._is_over():
                return
        if talk.end in ("polite", "hasty"):
            await self._add(self._frame(CLOSE, closing(talk)))
        elif talk.end == "fault":
            await self._add(FAULTS[talk.fault][0])
        await self._flush()
        # Nobody would hear more.
        self._said_close = talk.end in ("polite", "hasty", "fault", "half")
        if talk.end == "half":
            self._sock.shutdown(socket.SHUT_WR)

    async def _until(self, probe: Callable[[], bool]) -> None:
        """Until it is so, or it is over; meanwhile it answers."""
        while not self._is_over() and not probe():
            self._news.clear()
            await self._add_controls()
            await self._flush()
            if not self._is_over() and not probe():
                await self._news.wait()

    async def _attend(self) -> None:
        """Answers, until the connection ends."""
        while not self.heard.end:
            self._news.clear()
            await self._add_controls()
            if self.heard.closed is not None and not self._said_close:
                self._said_close = True
                await self._add(self._frame(CLOSE, self.heard.closed))
            await self._flush()
            if not self.heard.end:
                await self._news.wait()

    def _frames_of(self, said: Said, ident: str) -> Iterator[bytes]:
        data = payload(said, ident)
        if not said.is_message:
            yield self._frame(PING if said.kind == "ping" else PONG, data)
            return
        first = TEXT if said.kind == "text" else frames.BINARY
        reserved = 0
        if said.compressed and self.compresses:
            deflater = zlib.compressobj(6, zlib.DEFLATED, -15)
            data = deflater.compress(data) + deflater.flush(zlib.Z_SYNC_FLUSH)
            data, reserved = data.removesuffix(TAIL), 0x40
        for at, cut in enumerate(said.cuts):
            yield self._frame(0 if at else first, data[:cut], 0 if at else reserved)
            data = data[cut:]
            if said.pings:
                yield self._frame(PING, between(ident, at))
        if said.cuts:
            yield self._frame(CONTINUATION, data)
        else:
            yield self._frame(first, data, 0x80 | reserved)

    # --- bytes ---

    async def _add(self, data: bytes) -> None:
        """In pieces, wherever a frame ends."""
        self._out += data
        if self.talk.style == "pieces":
            await self._send_pieces()

    async def _send_pieces(self) -> None:
        while self._out:
            count, size = next(self._pieces)
            if count >= MOST_PIECES:
                return  # what is left goes at once
            if len(self._out) < size:
                return
            piece = bytes(self._out[:size])
            del self._out[:size]
            await self._loop.sock_sendall(self._sock, piece)
            if self.talk.pause and count % 3 == 0:
                await asyncio.sleep(self.talk.pause)

    async def _flush(self) -> None:
        data = bytes(self._out)
        self._out.clear()
        if data:
            await self._loop.sock_sendall(self._sock, data)

    async def _add_controls(self) -> None:
        while self._controls and not self._said_close:
            await self._add(self._controls.popleft())
