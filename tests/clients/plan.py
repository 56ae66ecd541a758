"""What one client does, all of it from a seed."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace

from tests.clients.model import BEGINNERS, READERS, Request

# How a client sends: all at once, in pieces, or a request when the last is answered.
STYLES = ("once", "once", "pieces", "pieces", "turns", "turns")
# How it ends: once all is answered; with a half-close behind its last request; by a close
# or a reset before it has read everything.
ENDS = (*["wait"] * 10, *["half"] * 7, "close", "reset")
SMALL = (0, 1, 60, 1500, 4096, 4097)
MIDDLE = (9000, 70_000)
LARGE = (300_000, 1_500_000)
BODIES = (0, 1, 5, 3000, 20_000)
LARGE_BODIES = (60_000, 100_000, 400_000)
PIECES = (1, 7, 100, 3000, 100_000)
MOST_PIECES = 60  # what is left then goes at once
VIEWS = (
    *("whole", "whole", "wait", "spin", "read", "read", "read_slowly", "read_some"),
    *("read_late", "echo", "stream", "stream_slowly", "stream_length", "write", "file"),
    *("file", "file_open", "hints", "empty", "unchanged", "fail", "fail_started"),
    *("long", "break_off", "break_off_length", "short", "close"),
)
METHODS = ("POST", "POST", "PUT", "GET", "DELETE")


@dataclass(frozen=True)
class Plan:
    seed: int
    requests: tuple[Request, ...]
    style: str = "once"
    pieces: tuple[int, ...] = (100,)  # sizes, again and again
    pause: float = 0.0  # between pieces, now and then
    end: str = "wait"
    cut: int = 0  # bytes of the last request that are never sent; a half-close follows
    stalls: bool = False  # what is cut is not sent, and nothing follows
    leaves_at: int = -1  # by close or reset: so many bytes were read; -1: all was sent
    window: int = 0  # bytes of its buffer for what it has not read
    late: float = 0.0  # before it reads
    reads: int = 262_144  # bytes at a time
    slow: float = 0.0  # between reads, now and then

    @property
    def in_turns(self) -> bool:
        """Whether no request follows before the last is answered."""
        return self.style == "turns" or len(self.requests) == 1

    def wire(self) -> Iterator[tuple[bytes, bytes]]:
        """Heads and bodies as they are sent."""
        last = len(self.requests) - 1
        for number, request in enumerate(self.requests):
            head, body = request.head(), request.framed_body()
            if number == last and self.cut:
                kept = (head + body)[: -self.cut]
                head, body = kept[: len(head)], kept[len(head) :]
            yield head, body

    def heads(self) -> list[bool]:
        """For each request, whether it asks for a head alone, and has said so."""
        said = [each.method == "HEAD" for each in self.requests]
        last = self.requests[-1]
        if len(last.head()) + len(last.framed_body()) - self.cut < len("HEAD "):
            said[-1] = False
        return said

    def text(self) -> str:
        return json.dumps(asdict(self))

    @staticmethod
    def of(text: str) -> Plan:
        read = json.loads(text)
        requests = tuple(Request(**each) for each in read.pop("requests"))
        return Plan(requests=requests, **read | {"pieces": tuple(read["pieces"])})


@dataclass(frozen=True)
class Habits:
    """What clients of a run do, and what they leave."""

    half: bool = True  # half-closes; some proxies take them for the end
    cuts: bool = True
    bad: bool = True
    stalls: bool = (
        False  # they stop in mid-request or between two, until the server ends it
    )
    large_body: int = 400_000
    proxied: bool = False  # they do nothing that proxies make a mess of
    pipelines: bool = True  # a request may follow before the last is answered
    talks: float = 0.0  # how many of them have a WebSocket


def make(seed: int, habits: Habits) -> Plan:
    r = random.Random(seed)
    count = r.choice((1, 1, 2, 3, 4, 5, 7))
    requests = [_request(r, f"{seed}.{i}", habits) for i in range(count)]
    if habits.proxied:
        last = len(requests) - 1
        requests = [_tame(each, i == last) for i, each in enumerate(requests)]
    end = r.choice(ENDS)
    if end == "half" and not habits.half:
        end = "wait"
    style = r.choice(STYLES)
    plan = Plan(
        seed,
        tuple(requests),
        style=style if habits.pipelines or count == 1 else "turns",
        pieces=tuple(r.choice(PIECES) for _ in range(r.randint(1, 4))),
        pause=r.choice((0, 0, 0.0005, 0.002)),
        end=end,
        window=r.choice((0, 0, 0, 4096, 20_000)),
        late=r.choice((0, 0, 0, 0.01, 0.04)),
        reads=r.choice((262_144, 262_144, 262_144, 5000, 200)),
        slow=r.choice((0, 0, 0, 0.001, 0.003)),
    )
    if end in ("close", "reset"):
        return replace(plan, leaves_at=r.choice((-1, 0, 1, 100, 5000, 100_000)))
    if habits.stalls and r.random() < 0.05:
        # It says nothing behind what it has sent; or part of a request.
        cut = r.choice((0, _cut(r, requests[-1])))
        return replace(plan, end="wait", cut=cut, stalls=True)
    if habits.cuts and end == "half" and r.random() < 0.15:
        return replace(plan, cut=_cut(r, requests[-1]))
    if habits.bad and r.random() < 0.03:
        bad = Request(f"{seed}.bad", "bad", bad=True)
        return replace(plan, requests=(*plan.requests, bad))
    return plan


def _tame(request: Request, is_last: bool) -> Request:
    """nginx 1.22 takes a 103 for an answer, and sends nothing more of a body once one has
    begun. HAProxy has no bodies with some methods, waits for a body that nobody wants, and
    resets connections that end while more comes, so that answers are lost."""
    if request.body is not None and request.method not in ("POST", "PUT"):
        request = replace(request, method="POST")
    if request.view == "hints":
        request = replace(request, view="wait")
    if request.view in BEGINNERS and (request.body or 0) > 5000:
        request = replace(request, view="read")
    if request.expects and not request.reads:
        request = replace(request, expects=False)
    if is_last and not request.breaks:
        return request
    if is_last:
        return replace(request, method="GET", body=None, chunk=0, expects=False)
    if request.asks_to_close or request.minor == 0:
        request = replace(request, minor=1, connection="")
    return replace(request, view="whole") if request.breaks else request


def _cut(r: random.Random, request: Request) -> int:
    whole = len(request.head()) + len(request.framed_body())
    return r.choice((1, 2, r.randrange(1, whole), whole - 1))


def _request(r: random.Random, ident: str, habits: Habits) -> Request:
    view = r.choice(VIEWS[:-4] if r.random() < 0.8 else VIEWS)
    size = r.choice(
        SMALL if r.random() < 0.6 else MIDDLE if r.random() < 0.9 else LARGE
    )
    if view.startswith(("break", "short")):
        size = r.choice((9000, 70_000, 300_000))  # more than is given before the break
    minor = 0 if r.random() < 0.1 else 1
    connection = ""
    if minor == 0:
        connection = r.choice(("", "keep-alive", "keep-alive"))
    elif r.random() < 0.05:
        connection = "close"
    if view not in READERS and r.random() < 0.7:
        method = "HEAD" if r.random() < 0.08 else "GET"
        return Request(ident, view, size, method, minor, connection)
    bodies = BODIES if r.random() < 0.8 else LARGE_BODIES
    body = min(r.choice(bodies), habits.large_body)
    method = r.choice(METHODS)
    chunked = minor == 1 and r.random() < 0.5
    chunk = r.choice((1, 100, 5000, 70_000)) if chunked else 0
    if chunk == 1:
        body = min(body, 300)
    expects = minor == 1 and body > 0 and r.random() < 0.15
    return Request(
        *(ident, view, size, method, minor, connection, body, chunk, expects)
    )
