"""One application on trial: its peer's answers, celadon's, and what many clients leave."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.applications.answers import Answer, Reading
from tests.applications.application import Application, Ending, Page, Place
from tests.applications.crowd import Crowd
from tests.applications.endings import ends, reloads
from tests.applications.guest import Guest, differ
from tests.applications.peers import PEERS, START, Celadon
from tests.applications.state import State, is_flat
from tests.applications.story import Teller
from tests.applications.visitor import Unanswered, Visitor
from tests.support.servers import Started, wait_until
from tests.support.services import Services

ROUNDS = 5  # at the most, until one has left nothing
PATIENCE = 15.0  # seconds until pools and idle connections are gone
_RAISED = "raised"
_PORTS = ("postgres_port", "redis_port")
_HINT = re.compile(r"the loop (is|was) held|hint:")


class Trial:
    """`faults` are what celadon does wrong; `notes` what a person may want to know."""

    def __init__(
        self,
        application: Application,
        programs: Path,
        folder: Path,
        seconds: float,
        options: Sequence[str] = (),
        services: Services | None = None,
        both: bool = False,
        patience: float = PATIENCE,
    ) -> None:
        self.faults: list[str] = []
        self.notes: list[str] = []
        self._application = application
        self._programs = programs
        self._seconds = seconds
        limit = ("--startup-timeout", f"{START:.0f}")
        self._options = ("--workers", "1", *limit, *options)
        self._services = services
        self._both = both
        self._patience = patience
        self._peer = PEERS[application.peer]
        # Both serve it from one folder, since what it answers may name that.
        self._place = Place(folder / "site", programs)
        self._new = folder / "new"
        self._reading = Reading(application.varies)

    def go(self, seed: int) -> None:
        self._place.folder.mkdir()
        self._application.prepare(self._place)
        self._place.folder.rename(self._new)
        peer = self._peer
        with self._served(peer.kind, peer.program, *peer.options) as theirs:
            answers, known = self._ask_all(theirs)
            heard = self._act_all(theirs.port, "their")
            self._know_acts(heard)
            if self._both:
                self._under_load(theirs, known, heard, seed)
                self.notes += [f"{peer.name}: {each}" for each in self.faults]
                self.faults.clear()
        with self._served(Celadon, "celadon", *self._options) as ours:
            visitor = self._compare(answers, ours)
            self._compare_acts(heard, self._act_all(ours.port, "our"))
            self._look_at_log(theirs, ours)
            if not self.faults:
                self._under_load(ours, visitor, heard, seed)
                self._look_at_log(theirs, ours)
        if ending := self._application.ending:
            self._end(ending)
        self._check()

    @contextmanager
    def _served(self, kind: type[Started], *command: str) -> Iterator[Started]:
        shutil.rmtree(self._place.folder, ignore_errors=True)
        shutil.copytree(self._new, self._place.folder, symlinks=True)
        program, *options = command
        environment = self._environment()
        self._application.set_up(self._place, environment)
        with kind(
            *(str(self._programs / program), *self._peer.address, *options),
            *self._application.target,
            cwd=self._place.folder,
            env=environment,
        ) as server:
            yield server

    def _environment(self) -> dict[str, str]:
        folder = str(self._place.folder)
        given = self._application.environment.items()
        words = {name: text.replace("{folder}", folder) for name, text in given}
        for name, text in words.items():
            for port in _PORTS:
                if f"{{{port}}}" in text:
                    number = str(getattr(self._services, port))
                    words[name] = text = text.replace(f"{{{port}}}", number)
        return {"PYTHONHASHSEED": "0"} | words  # sets in one order

    def _ask_all(self, server: Started) -> tuple[list[Answer], Visitor]:
        answers = []
        with Visitor(server.port, keeps=False) as visitor:
            for page in self._application.pages:
                try:
                    response = visitor.ask(page)
                except Unanswered as error:
                    said = "\n".join(server.lines[-30:])
                    raise Unanswered(f"{error}\n{said}") from error
                answers.append(self._reading.read(response, server.port))
        teller = Teller(server.port, self._application.story, "alone", 0)
        if found := teller.tell():
            said = "\n".join(server.lines[-30:])
            told = "\n".join(found)
            raise Unanswered(f"story: {told}\n{said}")
        return answers, visitor

    def _compare(self, theirs: list[Answer], server: Started) -> Visitor:
        ours, visitor = self._ask_all(server)
        for page, their, our in zip(self._application.pages, theirs, ours, strict=True):
            self.faults += [f"{page}: {each}" for each in their.differences(our)]
        failed = [page for page, each in zip(self._application.pages, ours, strict=True)
                  if each.status >= 500]  # fmt: skip
        self.notes.append(
            f"{len(ours)} pages, {len(failed)} of them fail as {self._peer.program}'s"
        )
        return visitor

    def _act_all(self, port: int, mark: str) -> list[list[str]]:
        return [self._act(act, port, f"{mark}{number}x")
                for number, act in enumerate(self._application.acts)]  # fmt: skip

    def _act(self, act: Callable[[Guest], None], port: int, mark: str) -> list[str]:
        with Guest(port, mark, self._reading) as guest:
            try:
                act(guest)
            except Exception as error:
                guest.hear(f"{_RAISED} {error!r}")
            return guest.heard

    def _know_acts(self, heard: list[list[str]]) -> None:
        """An act that fails where all is right knows nothing."""
        for act, said in zip(self._application.acts, heard, strict=True):
            if said and said[-1].startswith(_RAISED):
                self.faults.append(f"{act.__name__} of {self._peer.name}: {said[-1]}")

    def _compare_acts(self, theirs: list[list[str]], ours: list[list[str]]) -> None:
        for act, their, our in zip(self._application.acts, theirs, ours, strict=True):
            self.faults += [f"{act.__name__}: {each}" for each in differ(their, our)]

    def _end(self, ending: Ending) -> None:
        peer = self._peer
        with self._served(peer.kind, peer.program, *peer.options) as server:
            self.notes.append(f"{peer.name} at SIGTERM: {ends(server, ending)[0]}")
        with self._served(Celadon, "celadon", *self._options) as server:
            said, faults = ends(server, ending)
        self.notes.append(f"celadon at SIGTERM: {said}")
        with self._served(Celadon, "celadon", *self._options) as server:
            said, more = reloads(server, ending)
        self.notes.append(f"celadon at SIGHUP: {said}")
        self.faults += faults + more

    def _under_load(
        self, server: Started, visitor: Visitor, heard: list[list[str]], seed: int
    ) -> None:
        pages = [page for page in self._application.pages if page.is_asked_again]
        read = self._reading.read
        with Visitor(server.port, keeps=False) as alone:
            alone.knows(visitor)
            expected: list[tuple[Page, Answer]] = []
            for page in pages:
                expected.append((page, read(alone.ask(page), server.port)))
        acts = list(zip(self._application.acts, heard, strict=True))
        story = self._application.story
        crowd = Crowd(visitor, expected, read, story, acts, self._act)
        pid = server.worker
        before = State.of(pid)
        for number in range(ROUNDS):
            crowd.come(self._seconds, seed + number)
            self._rest(server)
            now = self._quiet(pid, before if number else None)
            if (
                crowd.wrong
                or self.faults
                or (number and is_flat(before, now, self._application.grows))
            ):
                break
            before, earlier = now, before
        else:
            self.faults.append(f"grows under load: {earlier}; a round later {now}")
        self.faults += crowd.wrong
        self.notes.append(
            f"{type(server).__name__}: {crowd.answered} answers to a crowd, {crowd.told} stories told, "
            f"{crowd.acted} acts, {crowd.left} broken off; {now}"
        )

    def _rest(self, server: Started) -> None:
        """Whether what the application has for its clients has come back to it."""
        if (page := self._application.rest) is None:
            return

        def look() -> tuple[str, bool]:
            with Visitor(server.port, keeps=False) as visitor:
                text = visitor.ask(page).body.decode("latin-1")
            return text, all(each in text for each in page.shows)

        try:
            wait_until(look, self._patience)
        except AssertionError as error:
            self.faults.append(f"{page} after the crowd: {error}")

    def _quiet(self, pid: int, before: State | None) -> State:
        """Once nobody is connected any more: with no more than before, if it comes to that."""

        def look() -> tuple[State, bool]:
            now = State.of(pid)
            return now, before is None or (
                now.descriptors <= before.descriptors and now.threads <= before.threads
            )

        with suppress(AssertionError):
            return wait_until(look, self._patience)  # type: ignore[no-any-return]
        return State.of(pid)

    def _look_at_log(self, theirs: Started, ours: Started) -> None:
        known = Counter(_exceptions([*theirs.lines, *theirs.out]))
        new = Counter(_exceptions([*ours.lines, *ours.out])) - known
        told = [f"{count} tracebacks that {self._peer.name} has not: {text}"
                for text, count in new.items() if text not in known]  # fmt: skip
        self.faults += [each for each in told if each not in self.faults]
        hints = [line for line in ours.lines if _HINT.search(line)]
        self.notes += [each for each in hints if each not in self.notes]

    def _check(self) -> None:
        """What `celadon check` says of it."""
        done = subprocess.run(
            [str(self._programs / "celadon"), "check", *self._application.target],
            cwd=self._place.folder,
            env={**os.environ, **self._environment()},
            text=True,
            capture_output=True,
            timeout=START,
        )
        said = done.stdout + done.stderr
        if done.returncode != 0 or "Traceback" in said:
            self.faults.append(f"celadon check: status {done.returncode}\n{said}")
        else:
            self.notes.append("check: " + " | ".join(said.split("\n")))


def _exceptions(lines: Sequence[str]) -> Iterator[str]:
    """The last line of each traceback, but for what applications say of clients that left:
    whether they are told is chance."""
    inside = is_the_servers = False
    before = ""
    for line in lines:
        if line.startswith("Traceback (most recent call last)"):
            inside, is_the_servers = True, "error handling" in before
        elif inside and line and not line[0].isspace():
            inside = False
            if is_the_servers or not line.startswith("celadon.ClientDisconnected"):
                yield re.sub(r"\b0x[0-9a-f]+", "0x...", line)
        before = line
