"""What random clients are let loose on: each a way to the server, and what happens to it
meanwhile."""

from __future__ import annotations

import random
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace

from tests.clients.judge import Rules
from tests.clients.plan import Habits
from tests.support import metrics
from tests.support.servers import Command, wait_until
from tests.support.site import ready, renewed, wait_ready

# Tells when it is over.
Disturb = Callable[[Command, threading.Event], None]
# No deadline passes because this machine has other things to do.
PATIENT = (
    *("--header-timeout", "120", "--body-timeout", "120", "--write-timeout", "120"),
    *("--keep-alive", "120", "--linger-timeout", "60", "--graceful-timeout", "120"),
    *("--timeout", "120"),
)
BUSY = 100  # requests that a server has had which is busy
# nginx takes a half-close for the end.
BEHIND = Habits(half=False, cuts=False, bad=False, proxied=True)
# HAProxy 2.6 now and then answers 400 to a whole and good head that waited in its full buffer
# (`show errors` has it, the error at its first byte; 15 of 18,000 with a server of fifty lines
# of asyncio behind it), and it never pipelines to a server.
BEHIND_HAPROXY = replace(BEHIND, pipelines=False)
# WebSockets of views and of ASGI among requests; the server asks who is silent for a moment.
TALKATIVE = (
    *("--mount", "/asgi=tests.clients.talk.views:asgi"),
    *("--websocket-ping-interval", "0.05", "--websocket-ping-timeout", "120"),
)
TALKS = Habits(talks=0.8)


@dataclass(frozen=True)
class Mode:
    name: str
    options: tuple[str, ...] = ()
    workers: int = 1
    unix: bool = False
    proxy: str = ""
    rules: Rules = field(default_factory=Rules)
    habits: Habits = field(default_factory=Habits)
    disturb: Disturb | None = None
    at_once: int = 24
    ends: bool = False  # the server is told to, again and again

    def command(self) -> tuple[str, ...]:
        return (*PATIENT, "--workers", str(self.workers), *self.options)


def reloads(server: Command, over: threading.Event) -> None:
    while not over.is_set():
        old = ready(server)
        server.signal(signal.SIGHUP)
        renewed(server, old)


def scales(server: Command, over: threading.Event) -> None:
    """Between one worker and four."""
    chance, count = random.Random(4), len(ready(server))
    while not over.is_set():
        up = count == 1 or (count < 4 and chance.random() < 0.5)
        count += 1 if up else -1
        server.signal(signal.SIGTTIN if up else signal.SIGTTOU)
        wait_ready(server, count)


def ends(server: Command, over: threading.Event) -> None:
    """Once, when it is busy."""
    wait_until(lambda: (n := served(server), n >= BUSY or over.is_set()))
    server.signal(signal.SIGTERM)


def served(server: Command) -> float:
    return metrics.value(server, "celadon_requests_total")


def of(*names: str) -> list[Mode]:
    known = {mode.name: mode for mode in MODES}
    with suppress(KeyError):
        return [known[name] for name in names] or list(MODES)
    raise SystemExit(f"there are: {' '.join(known)}")


MODES = (
    Mode("tcp"),
    Mode("unix", unix=True, rules=Rules(unix=True)),
    Mode("buffering", ("--request-buffering",), rules=Rules(buffering=True)),
    Mode("buffers", ("--response-buffer", "4096", "--body-buffer", "4096")),
    Mode("queue", ("--max-concurrent-requests", "2")),
    Mode("sync", ("--no-green",), workers=2),
    Mode("preempt", ("--preempt", "1"), workers=3),
    Mode(
        "haproxy",
        workers=2,
        proxy="haproxy",
        rules=Rules(via="haproxy"),
        habits=BEHIND_HAPROXY,
    ),
    Mode("nginx", workers=2, proxy="nginx", rules=Rules(via="nginx"), habits=BEHIND),
    Mode("reload", workers=3, disturb=reloads),
    Mode("reload-unix", workers=2, unix=True, rules=Rules(unix=True), disturb=reloads),
    Mode(
        "reload-nginx",
        workers=2,
        proxy="nginx",
        rules=Rules(via="nginx"),
        habits=BEHIND,
        disturb=reloads,
    ),
    Mode(
        "reload-haproxy",
        workers=2,
        proxy="haproxy",
        rules=Rules(via="haproxy"),
        habits=BEHIND_HAPROXY,
        disturb=reloads,
    ),
    Mode("scale", workers=2, disturb=scales),
    # A view that holds its loop has others take what waits there.
    Mode("held", ("--hand-over-after", "0.001"), workers=3),
    Mode("recycle", ("--max-requests", "150"), workers=3),
    Mode(
        "crowded",
        ("--worker-connections", "12"),
        rules=Rules(evicts=True),
        at_once=40,
    ),
    Mode("drain", workers=2, rules=Rules(stops=True), disturb=ends, ends=True),
    Mode("websockets", TALKATIVE, habits=TALKS),
    Mode(
        "websockets-small",
        (
            *(*TALKATIVE, "--websocket-compression", "--websocket-max-queue", "2"),
            *("--response-buffer", "4096", "--body-buffer", "4096"),
        ),
        rules=Rules(deflates=True),
        habits=TALKS,
    ),
    Mode(
        "websockets-preempt",
        (*TALKATIVE, "--websocket-compression", "--preempt", "1"),
        workers=2,
        rules=Rules(deflates=True),
        habits=TALKS,
    ),
    Mode(
        "websockets-reload",
        TALKATIVE,
        workers=2,
        rules=Rules(restarts=True),
        habits=TALKS,
        disturb=reloads,
    ),
    Mode(
        "websockets-drain",
        TALKATIVE,
        workers=2,
        rules=Rules(stops=True),
        habits=TALKS,
        disturb=ends,
        ends=True,
    ),
    Mode(
        "limits",
        (
            *("--header-timeout", "2", "--body-timeout", "2", "--write-timeout", "2"),
            *("--keep-alive", "2", "--limit-request-body", "50000"),
        ),
        rules=Rules(small_limits=2, body_limit=50_000),
        habits=Habits(stalls=True),
        at_once=60,
    ),
)
