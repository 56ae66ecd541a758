"""What is known of one application: how it is installed, set up, started and asked."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.applications.guest import Guest

_PATIENCE = 1200  # seconds: to make hundreds of tables takes minutes on a busy machine


@dataclass(frozen=True)
class Page:
    """One request. `$name` in its path, fields and body is what an earlier answer held, for
    `keep` a pattern with one group each. Of a story also what is answered: `status`, else
    any below 400, with each of `shows` in it and none of `lacks`."""

    path: str
    method: str = "GET"
    fields: tuple[str, ...] = ()
    body: str = ""
    keep: Mapping[str, str] = field(default_factory=dict)
    again: bool | None = None  # whether the crowd asks for it; else what only reads
    status: int | None = None
    shows: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()

    @property
    def is_asked_again(self) -> bool:
        if self.again is not None:
            return self.again
        return self.method in ("GET", "HEAD") and not self.keep

    def filled(self, kept: Mapping[str, str]) -> Page:
        def fill(text: str) -> str:
            return Template(text).safe_substitute(kept)

        return replace(
            self,
            path=fill(self.path),
            fields=tuple(map(fill, self.fields)),
            body=fill(self.body),
            keep={name: fill(pattern) for name, pattern in self.keep.items()},
            shows=tuple(map(fill, self.shows)),
            lacks=tuple(map(fill, self.lacks)),
        )

    def gives(
        self,
        status: int,
        *shows: str,
        lacks: tuple[str, ...] = (),
        again: bool | None = None,
        **keep: str,
    ) -> Page:
        """The same request, and what a story's answer to it is."""
        return replace(
            self, status=status, shows=shows, lacks=lacks, again=again, keep=keep
        )

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def form(path: str, **values: str) -> Page:
    """A form that is sent, once; values may hold `$name`."""
    body = "&".join(f"{key}={value}" for key, value in values.items())
    kind = "Content-Type: application/x-www-form-urlencoded"
    referer = f"Referer: http://site.test{path}"
    return Page(path, "POST", (kind, referer), body)


def json(path: str, body: str, method: str = "POST", *fields: str) -> Page:
    return Page(path, method, ("Content-Type: application/json", *fields), body)


class Place:
    """Where it is set up: a folder, and the programs that were installed."""

    def __init__(self, folder: Path, programs: Path) -> None:
        self.folder = folder
        self.programs = programs

    def write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace("{folder}", str(self.folder)))

    def run(self, program: str, *words: str, **environment: str) -> None:
        """One of its programs, which has to end well."""
        done = subprocess.run(
            [str(self.programs / program), *words],
            cwd=self.folder,
            env={**os.environ, **environment},
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_PATIENCE,
        )
        assert done.returncode == 0, f"{program} {' '.join(words)}:\n{done.stdout}"


@dataclass(frozen=True)
class Ending:
    """What is open when a server is told to end: an answer of which a piece comes at once
    and the rest soon, one that never ends, and a WebSocket that says something at once."""

    slow: str
    endless: str
    socket: str


@dataclass(frozen=True)
class Application:
    """`target` are the words for both servers; `{folder}` in `environment` is where it was
    set up, `{postgres_port}` and `{redis_port}` are where those listen; `varies` what may differ between two answers: patterns, of whose groups, or
    else whole, nothing is compared. `story` is what each of a crowd does in this order, again
    and again, with nothing known before but `$mark`, new each time and nobody else's, `$client`,
    the number of who does it, and `$basic`, by which HTTP knows the user `user$client` with the
    password `secret`."""

    name: str
    packages: tuple[str, ...]
    target: tuple[str, ...]
    pages: tuple[Page, ...]
    prepare: Callable[[Place], None] = lambda _: None
    environment: Mapping[str, str] = field(default_factory=dict)
    varies: tuple[str, ...] = ()
    story: tuple[Page, ...] = ()
    peer: str = "gunicorn"
    set_up: Callable[[Place, dict[str, str]], None] = lambda *_: None
    acts: tuple[Callable[[Guest], None], ...] = ()
    rest: Page | None = None
    grows: bool = False  # the application itself, with each client
    ending: Ending | None = None
