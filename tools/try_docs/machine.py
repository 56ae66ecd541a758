"""A machine that has nothing but Debian, and what is typed there.

It is a root of `tools/roots.sh`, with processes, mounts and a loopback interface of its own, so
that a page's port is free and nobody else's server answers. Commands that fetch something see
this machine's network.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

ROOTS = Path("build/roots")
_PATH = "/usr/local/bin:/usr/bin:/bin:/usr/local/games:/usr/games"
# A terminal goes on in the folder, and with the variables, that the command before has left.
_TERMINAL = """
state=/dev/shm/terminal-$1
[ ! -e $state ] || { . $state; cd "$(cat $state.folder)"; }
trap 'export -p > $state; pwd > $state.folder' EXIT
eval "$2"
"""
_SERVER = """
state=/dev/shm/terminal-$1
[ ! -e $state ] || { . $state; cd "$(cat $state.folder)"; }
eval "$2"
"""


class Machine:
    """`suite` is the root that it is a copy of, `user` who has an account there."""

    def __init__(
        self, name: str, suite: str, user: str, binds: tuple[str, ...] = ()
    ) -> None:
        self.name = name
        self._root = [suite, "--copy", name, "--user", user, "--offline"]
        self._root += [word for bind in binds for word in ("--bind", bind)]

    def __enter__(self) -> Self:
        hold = ["bash", "-c", "echo up; read -r _"]
        self._holder = subprocess.Popen(
            ["tools/roots.sh", *self._root, "--", *hold],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._holder.stdout
        said = []
        for line in self._holder.stdout:
            if line == "up\n":
                break
            said.append(line)
        else:
            self.__exit__(None, None, None)
            raise RuntimeError(f"{self.name} does not start: {''.join(said)}")
        pid = self._holder.pid
        self._first = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._holder:
            self._holder.kill()  # and with it all that runs there

    def run(
        self, user: str, command: str, online: bool = False, answer: str = ""
    ) -> tuple[int, str]:
        """The status of `command`, and what it said; `answer` is what it reads."""
        done = subprocess.run(
            self._words(user, _TERMINAL, command, online),
            input=answer,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        return done.returncode, done.stdout

    def serve(self, user: str, command: str, online: bool = False) -> Serving:
        return Serving(self._words(user, _SERVER, command, online))

    def _words(self, user: str, script: str, command: str, online: bool) -> list[str]:
        there = ["nsenter", "-t", self._first, "-m", "-p", "-r", *["-n"][online:]]
        home = "/root" if user == "root" else f"/home/{user}"
        clean = ["env", "-i", "-C", home, f"PATH={_PATH}", f"HOME={home}"]
        clean += [f"USER={user}", f"LOGNAME={user}", "LANG=C.UTF-8", "TERM=dumb"]
        shell = ["bash", "-c", script, "bash", user, command]
        as_user = ["setpriv", "--reuid", user, "--regid", user, "--init-groups"]
        return [*there, *as_user, *clean, *shell]


class Serving:
    """What goes on in a terminal of its own, until Ctrl-C."""

    def __init__(self, words: list[str]) -> None:
        self._process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._said: list[str] = []
        self._changed = threading.Condition()
        self._has_ended = False
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()

    @property
    def said(self) -> str:
        return "".join(self._said)

    def _read(self) -> None:
        with self._process:  # to its end
            assert self._process.stdout
            for line in self._process.stdout:
                with self._changed:
                    self._said.append(line)
                    self._changed.notify_all()
        with self._changed:
            self._has_ended = True
            self._changed.notify_all()

    def wait_for(self, *patterns: str) -> bool:
        """Whether it said something like each of `patterns` before it ended."""

        def is_said() -> bool:
            return all(re.search(pattern, self.said) for pattern in patterns)

        with self._changed:
            self._changed.wait_for(lambda: self._has_ended or is_said())
            return is_said()

    def interrupt(self, seconds: float = 60) -> bool:
        """Whether Ctrl-C ends it, and all that it started, in that time."""
        if not self._has_ended:
            os.killpg(self._process.pid, signal.SIGINT)
        with self._changed:
            return self._changed.wait_for(lambda: self._has_ended, seconds)
