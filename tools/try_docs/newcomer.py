"""Somebody who types what a page says, in its order, and little that it does not say.

Files whose first line is their name are written as they stand. A command that starts a server has
a terminal of its own, and goes on until the next server, or `make`, is started. Where a block
shows what its commands say they must say that; every other command must end well.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.docs.pages import Block, Page
from tests.docs.reader import LEFT, is_as_shown, is_server
from tests.docs.source import Source
from tools.try_docs.machine import Machine, Serving

# What fetches something sees the network.
_ONLINE = {"apt-get", "git", "make", "pip"}
_ADDRESS = re.compile(r"(?:[Ll]istening at|admin pages at)\b.*?(http://\S+)")


class Stopped(Exception):
    """Where somebody cannot go on."""


def bare(command: str) -> str:
    """A command without its comment."""
    return re.sub(r"\s+#.*", "", command, flags=re.DOTALL)


@dataclass(frozen=True)
class Newcomer:
    """`added` is all that is typed and no page says: commands, in front of the page, the
    command or the file that it names. `files` are his own."""

    name: str
    pages: tuple[str, ...]
    added: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    # Commands that a page has within its text; they are typed at its end.
    said: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    # Commands of the pages that are not typed, each with the reason.
    left_out: Mapping[str, str] = field(default_factory=dict)
    begins_at: str = ""  # a line of the first page
    user: str = "ada"


class Session:
    """One of them at a machine."""

    def __init__(self, who: Newcomer, machine: Machine) -> None:
        self.typed = 0
        self._who = who
        self._machine = machine
        self._page = ""
        self._files: dict[str, Source] = {}
        self._server: Serving | None = None
        self._is_online = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error and self._server:
            print(f"the server said:\n{self._server.said}", flush=True)

    def read_all(self, sources: Path) -> None:
        for name in self._who.pages:
            self.read(name, Page(sources / name))

    def read(self, name: str, page: Page) -> None:
        self._page = name
        print(f"== {self._who.name}: {name}", flush=True)
        begins = 0
        if self._who.begins_at:
            begins = page.text.splitlines().index(self._who.begins_at)
        self._add(name)
        if name == self._who.pages[0]:
            for file, text in self._who.files.items():
                self._write(file, text)
        for block in page.blocks:
            if block.line > begins:
                self._read_block(block)
        for command in self._who.said.get(name, ()):
            self._type(command)
        self._stop()

    def _read_block(self, block: Block) -> None:
        self._add(block.file)
        if block.language == "console":
            is_shown = any(shown.strip() for _, shown in block.commands)
            for command, shown in block.commands:
                self._add(bare(command))
                self._type(command, shown if is_shown else None)
        elif block.file:
            text = block.text
            if block.language == "python":
                source = self._files.setdefault(block.file, Source())
                source.add(text.partition("\n")[2])
                text = source.text()
            self._write(block.file, text)

    # --- what he does ---

    def _add(self, what: str) -> None:
        for command in self._who.added.get(what, ()):
            print(f"+ {command}", flush=True)
            self._do(command)

    def _type(self, command: str, shown: str | None = None) -> None:
        """`shown` is what the page has below it, where the block has any."""
        if why := self._who.left_out.get(bare(command)):
            print(f"  not typed: {command} ({why})", flush=True)
            return
        if command.startswith("apt-get ") and self._who.user != "root":
            command = f"sudo {command}"
        print(f"$ {command}", flush=True)
        self.typed += 1
        said = self._do(command)
        if shown is not None and not is_as_shown(said, shown):
            self._fail(command, f"{said}\nand not\n{shown}")

    def _do(self, command: str) -> str:
        """What it said, if it did not go on."""
        words = shlex.split(command.removeprefix("sudo "), comments=True)
        is_online = words[0] in _ONLINE
        if is_server(words) or words[:2] == ["make", "serve"]:
            self._serve(command, words, is_online)
            return ""
        if words[0] == "make":
            self._stop()
        is_online |= self._server is not None and self._is_online
        answer = "y\n" if words[0] == "apt-get" else ""
        status, said = self._machine.run(self._who.user, command, is_online, answer)
        print("".join(f"    {line}\n" for line in said.splitlines()[-12:]), end="")
        if status not in (0, LEFT):
            self._fail(command, f"ended with status {status}:\n{said}")
        return said

    def _write(self, name: str, text: str) -> None:
        print(f"  writes {name}", flush=True)
        path = shlex.quote(name)
        command = f"mkdir -p $(dirname {path}) && cat > {path}"
        status, said = self._machine.run(self._who.user, command, answer=text)
        if status:
            self._fail(name, said)

    # --- servers ---

    def _serve(self, command: str, words: list[str], is_online: bool) -> None:
        self._stop()
        self._server = self._machine.serve(self._who.user, command, is_online)
        self._is_online = is_online
        has_admin = "--admin-bind" in words or words[0] == "make"
        wanted = [r"[Ll]istening at", r"admin pages at"][: 1 + has_admin]
        if not self._server.wait_for(*wanted):
            self._fail(command, f"it ended, and served nothing:\n{self._server.said}")
        for address in _ADDRESS.findall(self._server.said):
            look = f"curl -fsSL -o /dev/null {address}"
            status, said = self._machine.run(self._who.user, look, is_online)
            if status:
                self._fail(look, said)

    def _stop(self) -> None:
        server, self._server = self._server, None
        if server and not server.interrupt():
            self._fail("Ctrl-C", f"it does not end by that:\n{server.said}")
        if server and "Traceback" in server.said:
            self._fail("the server", f"has something to tell:\n{server.said}")

    def _fail(self, command: str, why: str) -> None:
        raise Stopped(f"{self._page}: {command}\n{why}")
