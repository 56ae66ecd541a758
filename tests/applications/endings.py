"""What becomes of what is open when a server ends, or when its workers are replaced."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from signal import SIGHUP, SIGTERM

from tests.applications.answers import Reading
from tests.applications.application import Ending, Page
from tests.applications.guest import Guest
from tests.applications.visitor import Unanswered, Visitor
from tests.support.servers import Started


def ends(server: Started, ending: Ending) -> tuple[str, list[str]]:
    """How all that is open ends at SIGTERM, and what of that is wrong."""
    with _opened(server, ending) as ended:
        server.signal(SIGTERM)
        said = ended()
        status = server.wait()
    faults = _faults("SIGTERM", said, "1001")
    if status != 0:
        faults.append(f"SIGTERM: status {status}")
    return f"{'; '.join(said)}; status {status}", faults


def reloads(server: Started, ending: Ending) -> tuple[str, list[str]]:
    """How all that is open ends at SIGHUP, when new ones serve already."""
    with _opened(server, ending) as ended:
        server.signal(SIGHUP)
        server.wait_line(r"worker \d+ is ready")
        fresh = _status(server, ending.slow)
        said = ended()
    faults = _faults("SIGHUP", said, "1012")
    if fresh != 200:
        faults.append(f"SIGHUP: a new one is answered {fresh}")
    return f"{'; '.join(said)}; a new one is answered {fresh}", faults


def _status(server: Started, path: str) -> int | None:
    with Visitor(server.port, keeps=False) as visitor, suppress(Unanswered):
        return visitor.ask(Page(path)).status
    return None


@contextmanager
def _opened(server: Started, ending: Ending) -> Iterator[Callable[[], list[str]]]:
    """All three, and what says how they ended."""
    with Guest(server.port, "mark", Reading(())) as guest:
        slow, endless = guest.stream(ending.slow), guest.stream(ending.endless)
        talk = guest.talk(ending.socket)
        slow.piece()
        endless.piece()
        talk.hear()
        guest.heard.clear()

        def ended() -> list[str]:
            slow.rest()
            while talk.hear() is not None:
                guest.heard.pop()
            endless.rest()
            names = ("slow", "socket", "endless")
            pairs = zip(names, guest.heard, strict=True)
            return [f"{name} {re.sub('with .* more', '', end)}" for name, end in pairs]

        yield ended


def _faults(signal: str, said: list[str], code: str) -> list[str]:
    found = [] if "whole" in said[0] else [f"{signal}: {said[0]}"]
    return found if f"closed {code}" in said[1] else [*found, f"{signal}: {said[1]}"]
