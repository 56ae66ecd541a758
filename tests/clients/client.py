"""One client: does what its plan says, and writes down what came of it."""

from __future__ import annotations

import asyncio
import math
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain, cycle

from tests.clients.answers import Answer, Malformed, Reader
from tests.clients.connection import (
    EOF,
    LEFT,
    MALFORMED,
    RESET,
    WHOLE,
    Address,
    Connection,
    Seen,
)
from tests.clients.plan import MOST_PIECES, Plan


@dataclass
class Trace(Seen):
    """What a client saw."""

    answers: list[Answer] = field(default_factory=list)
    interims: list[int] = field(default_factory=list)  # of an answer that never came
    between: bool = True  # at the end no part of a further answer was there
    gap: float = (
        0.0  # the longest between two requests that were sent in turns, seconds
    )

    @property
    def complete(self) -> int:
        """Answers that are."""
        return sum(each.complete for each in self.answers)


class Lag:
    """How late the clients' own loop is: where it is, deadlines of the server may pass."""

    TICK = 0.01

    def __init__(self) -> None:
        self.total = 0.0  # seconds
        self._late: list[list[float]] = []

    async def watch(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            await asyncio.sleep(self.TICK)
            late = loop.time() - began - self.TICK
            self.total += late
            for each in self._late:
                each[0] = max(each[0], late)

    def begin(self) -> list[float]:
        self._late.append([0.0])
        return self._late[-1]

    def end(self, late: list[float]) -> float:
        self._late[:] = [each for each in self._late if each is not late]
        return late[0]


class Visit(Connection):
    def __init__(self, plan: Plan, address: Address, lag: Lag) -> None:
        self.plan = plan
        self.trace = Trace()
        super().__init__(plan, self.trace, address)
        self._lag = lag
        self._reader = Reader(plan.heads())

    async def run(self, limit: float) -> Trace:
        await self.connect(limit)
        trace = self.trace
        if trace.end in (EOF, RESET):
            self._reader.end()
        trace.between = self._reader.between
        trace.answers = self._reader.answers
        trace.interims = self._reader.interims
        return trace

    # --- what comes ---

    def _take(self, data: bytes) -> None:
        trace, reader = self.trace, self._reader
        if not data:
            trace.end = EOF
            return
        try:
            reader.feed(data)
        except Malformed as error:
            trace.end, trace.detail = MALFORMED, str(error)
        self._news.set()
        if reader.complete < len(self.plan.requests) or reader.answers[-1].says_close:
            return
        if self.plan.leaves_at >= 0:
            trace.end = LEFT
        elif self.plan.end == "wait" and not self.plan.stalls:
            trace.end = WHOLE

    async def _until_answered(self, count: int, or_interim: bool = False) -> None:
        """Until so many answers are complete, or the end."""
        while not self.trace.end and self._reader.complete < count:
            if or_interim and (
                100 in self._reader.interims or len(self._reader.answers) == count
            ):
                return
            self._news.clear()
            await self._news.wait()

    # --- what leaves ---

    async def _send(self) -> None:
        try:
            if self.plan.style == "turns":
                await self._send_in_turns()
            else:
                with self._sending():
                    await self._send_pieces()
            if (self.plan.end == "half" or self.plan.cut) and not self.plan.stalls:
                self._sock.shutdown(socket.SHUT_WR)
        except OSError as error:
            self.trace.send_error = repr(error)

    async def _send_in_turns(self) -> None:
        sent_at = math.inf
        for number, (head, body) in enumerate(self.plan.wire()):
            await self._until_answered(number)
            self.trace.gap = max(self.trace.gap, self._loop.time() - sent_at)
            if self.trace.end or (number and self._is_last(number - 1)):
                return
            with self._sending():
                await self._loop.sock_sendall(self._sock, head)
                request = self.plan.requests[number]
                if request.expects and body:
                    await self._until_answered(number + 1, or_interim=True)
                    if self._is_last(number) and not request.reads:
                        return  # a final answer is one to the head alone
                sent_at = self._loop.time()
                await self._loop.sock_sendall(self._sock, body)

    @contextmanager
    def _sending(self) -> Iterator[None]:
        """Pieces that are each a little late make a request that is very late."""
        began = self._lag.total
        try:
            yield
        finally:
            self.trace.late = max(self.trace.late, self._lag.total - began)

    def _is_last(self, number: int) -> bool:
        answers = self._reader.answers
        return len(answers) > number and answers[number].says_close

    async def _send_pieces(self) -> None:
        view, at = memoryview(b"".join(chain(*self.plan.wire()))), 0
        for count, size in enumerate(cycle(self.plan.pieces)):
            if at >= len(view):
                return
            if self.plan.style == "once" or count >= MOST_PIECES:
                size = len(view)
            await self._loop.sock_sendall(self._sock, view[at : at + size])
            at += size
            if self.plan.pause and count % 3 == 0:
                await asyncio.sleep(self.plan.pause)
