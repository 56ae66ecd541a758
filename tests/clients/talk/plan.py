"""What one client does with a WebSocket, all of it from a seed."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace

from tests.clients.talk import model
from tests.clients.talk.model import FAULTS, PUSHED, VIEWS, Message, Said, View

# How it ends: when all has come back; by a close behind its last word, which it does not
# wait for; by breaking a rule, a half-close, or a close or a reset of the connection.
ENDS = (*["polite"] * 8, *["hasty"] * 4, *["fault"] * 5, "half", "close", "reset")
STYLES = ("once", "pieces", "pieces", "turns", "turns")
SIZES = (0, 1, 5, 125, 126, 1000, 4097)
LARGE = (65_535, 65_536, 300_000)
REPLIES = (0, 100, 5000, 70_000, 300_000)  # bytes that a view sends
PIECES = (1, 2, 7, 100, 3000, 100_000)
CLOSES = ((1000, ""), (1000, "bye"), (1001, ""), (3000, "ü" * 60), (4999, "x"), (0, ""))


@dataclass(frozen=True)
class Talk:
    seed: int
    view: str
    asgi: bool = False
    said: tuple[Said, ...] = ()
    size: int = 0  # of what a view sends of itself
    deflate: bool = False  # it offers that
    style: str = "once"
    eager: bool = False  # it does not wait for the 101
    pieces: tuple[int, ...] = (100_000,)  # sizes, again and again
    pause: float = 0.0  # between pieces, now and then
    end: str = "polite"
    close: tuple[int, str] = (1000, "")  # 0: without a code
    fault: str = ""
    leaves_at: int = -1  # by close or reset: so many bytes were read; -1: all was sent
    window: int = 0  # bytes of its buffer for what it has not read
    late: float = 0.0  # before it reads
    reads: int = 262_144  # bytes at a time
    slow: float = 0.0  # between reads, now and then

    @property
    def ident(self) -> str:
        return f"{self.seed}.talk"

    @property
    def path(self) -> str:
        prefix = "/asgi" if self.asgi else ""
        return f"{prefix}/{self.ident}/{self.view}/{self.size}"

    @property
    def does(self) -> View:
        return VIEWS[self.view]

    @property
    def is_refused(self) -> bool:
        return self.does.ends_after == 0

    def messages(self) -> list[Message]:
        return model.messages(self.said, self.ident)

    def pings(self) -> list[bytes]:
        return model.pings(self.said, self.ident)

    def replies(self) -> list[Message]:
        return model.replies(self.does, self.messages(), self.ident, self.size)

    @property
    def is_ended(self) -> bool:
        """By its view, once that has what it waits for."""
        after = self.does.ends_after
        return after is not None and len(self.messages()) >= after

    @property
    def ends_before_it_is_let_in(self) -> bool:
        """Maybe: an ASGI application that is not done with its handshake by then is told
        that its client has left."""
        return self.asgi and self.eager and self.end == "half"

    @property
    def leaves_at_once(self) -> bool:
        """When it has said all."""
        return self.leaves_at < 0 and self.end in ("close", "reset")

    def comes_of(self, upto: int | None = None) -> tuple[int, int]:
        """How many replies, and how many pongs, must come of so much of what it says."""
        said = self.said[:upto]
        heard = sum(each.is_message for each in said)
        after = self.does.ends_after
        replies = heard if after is None else min(heard, after)
        pongs = sum(
            len(each.cuts) * each.pings if each.is_message else each.kind == "ping"
            for each in said
        )
        return replies + PUSHED * self.does.pushes, pongs

    def text(self) -> str:
        return json.dumps(asdict(self))

    @staticmethod
    def of(text: str) -> Talk:
        read = json.loads(text)
        said = tuple(
            Said(**each | {"cuts": tuple(each["cuts"])}) for each in read.pop("said")
        )
        for name in ("pieces", "close"):
            read[name] = tuple(read[name])
        return Talk(said=said, **read)


def make(seed: int) -> Talk:
    r = random.Random(seed)
    count = r.choice((0, 1, 2, 3, 5, 10, 60))
    view = r.choice((*VIEWS, "talk-echo", "talk-slow"))
    talk = Talk(
        seed,
        view,
        asgi=r.random() < 0.5,
        said=tuple(_say(r, many=count > 10) for _ in range(count)),
        size=r.choice(REPLIES if count <= 10 else REPLIES[:3]),
        deflate=r.random() < 0.5,
        style=r.choice(STYLES),
        eager=r.random() < 0.3,
        pieces=tuple(r.choice(PIECES) for _ in range(r.randint(1, 4))),
        pause=r.choice((0, 0, 0.0005, 0.002)),
        end=r.choice(ENDS),
        close=r.choice(CLOSES),
        window=r.choice((0, 0, 0, 4096, 20_000)),
        late=r.choice((0, 0, 0, 0.01, 0.04)),
        reads=r.choice((262_144, 262_144, 262_144, 5000, 200)),
        slow=r.choice((0, 0, 0, 0.001, 0.003)),
    )
    if talk.is_refused:
        return replace(talk, said=(), eager=False, end="polite")
    if talk.end in ("close", "reset"):
        return replace(talk, leaves_at=r.choice((-1, 0, 1, 200, 5000, 100_000)))
    if talk.end == "fault":
        return replace(talk, fault=r.choice(tuple(FAULTS)))
    return talk


def _say(r: random.Random, many: bool) -> Said:
    kind = r.choice(("text", "text", "binary", "binary", "ping", "pong"))
    if kind in ("ping", "pong"):
        return Said(kind, r.choice((0, 1, 60, 125)))
    size = r.choice(SIZES if many or r.random() < 0.8 else LARGE)
    cuts: tuple[int, ...] = ()
    if r.random() < 0.4:
        cuts = tuple(r.choice((0, 1, 3, 125, 5000)) for _ in range(r.randint(1, 5)))
    return Said(kind, size, cuts, r.random() < 0.5, r.random() < 0.5)


def smaller(talk: Talk) -> Iterator[Talk]:
    """With less of it, for one that fails."""
    for at in range(len(talk.said)):
        yield replace(talk, said=talk.said[:at] + talk.said[at + 1 :])
    plain = Talk(talk.seed, talk.view)
    names = ("asgi", "size", "deflate", "style", "eager", "pieces", "pause", "close")
    for name in (*names, "window", "late", "reads", "slow"):
        usual = getattr(plain, name)
        if getattr(talk, name) != usual:
            yield replace(talk, **{name: usual})
    for at, said in enumerate(talk.said):
        for made in (Said(said.kind), Said(said.kind, said.size), _plain(said)):
            if made != said:
                yield replace(talk, said=(*talk.said[:at], made, *talk.said[at + 1 :]))


def _plain(said: Said) -> Said:
    return replace(said, pings=False, compressed=False)
