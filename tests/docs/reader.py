"""Somebody who does what a page says, in a folder of his own.

A block whose first line names a file is written there, and looked at by the program that reads
such files. Commands of a console are run by a shell in this folder, with the installed scripts
first on the path. One that starts a server goes on until the next server is started, or the page
ends. Where a block shows what its commands say, they must say that; `...` stands for anything.

What he does otherwise than a person at a terminal:

- A server listens where it says, but at a free port; addresses with the page's port are that
  server's in the commands that follow.
- `celadon top`, which needs a terminal, gets `--once`; a profile is one of a second.
- What `given` has: words that are others for the reader of a page, and commands that cannot be
  run here, each with the reason.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

from tests.docs import given
from tests.docs.pages import Block
from tests.docs.source import Source
from tests.support.machine import program
from tests.support.raw import TIMEOUT, Client, get
from tests.support.servers import BIN, ROOT, Command, Started
from tests.support.site import wait_ready

_COMMANDS = {"check", "config", "ctl", "dev-cert", "migrate", "top"}
_COMMANDS |= {"--check-config", "--help", "--version"}
LEFT = 28  # curl's status once its time is over


class Reader:
    def __init__(self, page: str, folder: Path, replaced: dict[str, str]) -> None:
        self.sources: dict[str, Source] = {}
        self._page = page
        self._folder = folder
        self._replaced = given.REPLACED.get(page, {}) | replaced
        self._script: list[str] = []
        self._unchecked: set[str] = set()
        self._written: list[str] = []
        self._commands: list[str] = []
        self._servers: list[Command] = []
        self._addresses: dict[str, str] = {}
        env = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST")}
        self._env = env | {
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "CELADON": str(ROOT),
            "CELADON_BIND": "127.0.0.1:0",
            "CELADON_CONTROL_SOCKET": "control",
            # What is installed for tests of itself takes longer to import than a page's tests.
            "PYTEST_ADDOPTS": "-p no:ddtrace -p no:faker",
            "XDG_DATA_HOME": str(folder / "data"),  # ~/.local/share
            # What pages install is here, with all it needs: pip need not look for more.
            "PIP_NO_DEPS": "1",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        }
        for name, text in given.FILES.items():
            (folder / name).write_text(text)
        for command in given.RUNNING.get(page, ()):
            self._do(command, "", is_shown=False)

    # --- files ---

    def write(self, block: Block) -> None:
        path = self._folder / block.file
        path.parent.mkdir(exist_ok=True)
        text = self._fit(block.text)
        if block.language == "python":
            source = self.sources.setdefault(block.file, Source())
            source.add(text.partition("\n")[2])
            text = source.text()
        path.write_text(text)
        self._check(block.file, text)

    def _check(self, name: str, text: str) -> None:
        """By the program that reads such files; others must be used by a command."""
        if name.endswith((".conf.py", ".toml")):
            self._call(f"celadon config --config {name}")
        elif name == ".coveragerc":
            said = self._call("coverage debug config")
            for key, value in re.findall(r"^(\w+) = (.*)$", text, re.MULTILINE):
                shown = re.search(rf"{key}: (\S+(?:\n +\S+$)*)", said, re.MULTILINE)
                assert shown, said
                assert ",".join(shown[1].split()).lower() == value, said
        else:
            self._unchecked.add(name)
            self._written.append(text)

    def note(self, block: Block) -> None:
        """Python that names no file: all that a page has of it is one script."""
        self._script.append(block.text)

    def run_script(self, before: str) -> None:
        parts = [before, given.BEFORE.get(self._page, ""), *self._script]
        source = "\n".join([*parts, given.AFTER.get(self._page, "")])
        done = subprocess.run(
            [sys.executable, "-c", source],
            cwd=self._folder,
            capture_output=True,
            text=True,
            timeout=TIMEOUT * 3,
        )
        assert done.returncode == 0, done.stderr

    # --- commands ---

    def run(self, block: Block) -> None:
        is_shown = any(shown.strip() for _, shown in block.commands)
        for command, shown in block.commands:
            self._do(command, shown, is_shown)

    def _do(self, command: str, shown: str, is_shown: bool) -> None:
        self._commands.append(command)
        words = shlex.split(command, comments=True)
        if given.reason_not_to_run(words):
            return
        if is_server(words):
            assert not shown.strip(), f"a server, which says nothing: {command}"
            self._serve(command)
        elif words[0] == "export":
            self._export(command)
        elif words == ["celadon", "ctl", "shutdown"]:
            self._call(command)
            assert self._servers.pop().wait() == 0
        else:
            said = self._call(command)
            assert not is_shown or is_as_shown(said, shown), (
                f"$ {command}\n{said}\nnot\n{shown}"
            )

    def _fit(self, text: str) -> str:
        """`text` as it is right for this reader."""
        for word, instead in self._replaced.items():
            text = text.replace(word, instead)
        text = re.sub(r"celadon top(?! --once)", "celadon top --once", text)
        return text.replace("celadon ctl profile 10", "celadon ctl profile 1")

    def _serve(self, command: str) -> None:
        self.stop()
        for words in ({}, *given.AND_THE_SAME.get(self._page, ())):
            other = command
            for word, instead in words.items():
                other = other.replace(word, instead)
            self._start(self._fit(other))

    def _start(self, command: str) -> None:
        # The shell leaves its process to the server.
        assigned, rest = re.fullmatch(
            r"((?:\w+=\S+ )*)(.*)", command, re.DOTALL
        ).groups()  # type: ignore[union-attr]
        free = re.sub(r"([\d.]{7,}:|--port )\d{4}\b", r"\g<1>0", rest)
        number = len(self._servers)
        own = {"CELADON_CONTROL_SOCKET": f"control{number}"} if number else {}
        if rest.startswith("gunicorn"):
            own["GUNICORN_CMD_ARGS"] = "--bind 127.0.0.1:0 --no-control-socket"
        server = Started(
            *("bash", "-c", f"{assigned}exec {free}"),
            cwd=self._folder,
            env=self._env | own,
            preexec=os.setsid,  # as a shell does with each of its jobs
        )
        self._servers.append(server)
        words = shlex.split(rest, comments=True)
        serves = self._find(server, words, "--bind", "[Ll]istening at:?")
        self._find(server, words, "--admin-bind", "admin pages at")
        if "-m" not in words and words[0] == "celadon":
            wait_ready(server, int(server.said(r"master \d+, workers: (\d+)")[1]))
        with Client(serves) as client:
            # Django in development serves no other host.
            client.send(get("/").replace(b"Host: a", b"Host: localhost"))
            # Who speaks TLS says so; what it serves then the page's own commands ask for.
            is_secure = any("listening at https://" in line for line in server.lines)
            assert client.response().status == (400 if is_secure else 200)

    def _find(
        self, server: Command, words: list[str], option: str, what: str
    ) -> tuple[str, int]:
        """Learns where the server is that was to be at the address that the page has."""
        asked = _option(words, option, "127.0.0.1:8000" if option == "--bind" else "")
        if not asked:
            return "", 0
        host, _, port = asked.rpartition(":")
        found = int(server.said(rf"{what} .*https?://{re.escape(host)}:(\d+)")[1])
        host = host.replace("0.0.0.0", "127.0.0.1")
        names = [asked, f"{host}:{port}"]
        names += [f"localhost:{port}"] if host == "127.0.0.1" else []
        self._addresses |= dict.fromkeys(names, f"{host}:{found}")
        return host, found

    def _export(self, command: str) -> None:
        shown = self._call(f"{command}; env -0")
        pairs = (entry.partition("=") for entry in shown.split("\0") if entry)
        self._env = {name: value for name, _, value in pairs}

    def _call(self, command: str) -> str:
        if "curl" in shlex.split(command, comments=True):
            program("curl", "curl")
        command = self._fit(command)
        for address, real in self._addresses.items():
            command = command.replace(address, real)
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=self._folder,
            env=self._env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=TIMEOUT * 3,
        )
        assert done.returncode in (0, LEFT), f"$ {command}\n{done.stdout}"
        return done.stdout

    # --- the end ---

    def stop(self) -> None:
        """Servers that a command of the page has not ended yet, end well."""
        for server in self._servers:
            is_running = server.process.poll() is None
            status = server.stop()
            assert not is_running or status == 0, server.lines[-20:]
        self._servers.clear()
        self._addresses.clear()

    def finish(self) -> None:
        self.stop()
        sources = (source.text() for source in self.sources.values())
        used = " ".join([*self._commands, *self._written, *sources])
        words = set(re.findall(r"\w+", used))
        paths = [Path(name) for name in self._unchecked]
        names = {p.parent.name if p.stem == "__init__" else p.stem for p in paths}
        assert names <= words, "written, and then named by nobody"


def is_as_shown(said: str, shown: str) -> bool:
    """Whether a page that shows `shown` is right about a command that said `said`."""
    pattern = re.escape(shown.strip()).replace(r"\.\.\.", ".*")
    return re.fullmatch(pattern, said.strip(), re.DOTALL) is not None


def is_server(words: list[str]) -> bool:
    """Whether a command goes on until somebody ends it."""
    words = [word for word in words if not re.match(r"\w+=", word)]
    match words:
        case ["celadon", *rest]:
            return not _COMMANDS & set(rest)
        case [_, "-m", "celadon" | "celadon.contrib.meinheld", *_]:
            return True
        case ["flask", *rest]:
            return "celadon" in rest
        case ["python", "manage.py", verb, *_]:
            return verb == "runserver"
    return words[0] == "gunicorn"


def _option(words: list[str], name: str, default: str) -> str:
    return words[words.index(name) + 1] if name in words else default
