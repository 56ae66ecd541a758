"""Tries the documentation word by word, on machines that have nothing but Debian.

`python -m tools.try_docs [NAME ...]`: all of `newcomers`, or some. `--no-suite` leaves out `make
test`, which takes longer than all the rest; `--on trixie` takes another release than Debian 12.
Each newcomer begins on a machine of his own, a copy under build/roots. What is tried is the last
commit.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from time import monotonic

from tests.support.servers import ROOT
from tools.try_docs import newcomers
from tools.try_docs.machine import ROOTS, Machine
from tools.try_docs.newcomer import Newcomer, Session, Stopped

_FOLDER = Path("build/try-docs")
_BARE, _SOURCES = _FOLDER / "celadon.git", _FOLDER / "celadon"
# What decides what is installed.
_PARTS = ("src", "python", "CMakeLists.txt", "pyproject.toml", "docs/install.md")
NAMES = [who.name for who in (newcomers.INSTALL, *newcomers.OTHERS, newcomers.README)]


def _git(*words: str | Path) -> str:
    done = subprocess.run(["git", *words], check=True, capture_output=True, text=True)
    return done.stdout


def _take_sources() -> None:
    shutil.rmtree(_FOLDER, ignore_errors=True)
    _FOLDER.mkdir(parents=True)
    _git("clone", "-q", "--bare", "--no-hardlinks", ".", _BARE)
    _git("clone", "-q", _BARE, _SOURCES)
    if _git("status", "--porcelain"):
        print("what is not committed yet is not tried", flush=True)


class Machines:
    """Of one release of Debian: what a newcomer has, and what is copied from it."""

    def __init__(self, suite: str) -> None:
        self._suite = suite
        self._fresh = f"try-docs-{suite}"
        self._installed = f"{self._fresh}-installed"  # the page of installing was read

    def make(self) -> None:
        if (ROOTS / self._fresh).exists():
            return
        packages = " ".join(newcomers.PACKAGES)
        install = "apt-get -qq update && apt-get -qq install -y --no-install-recommends"
        # The sources are another user's there.
        trust = "git config --system safe.directory '*'"
        script = f"{install} {packages} >/dev/null && {trust}"
        making = f"{self._fresh}-making"
        _remove(making)
        root = ["tools/roots.sh", self._suite, "--copy", making]
        subprocess.run([*root, "--", "bash", "-c", script], check=True)
        (ROOTS / making).rename(ROOTS / self._fresh)

    def install(self) -> str:
        """Why that stopped, or nothing."""
        mark = ROOTS / self._installed / "celadon-is-of"
        wanted = "".join(_git("rev-parse", f"HEAD:{part}") for part in _PARTS)
        if mark.exists() and mark.read_text() == wanted:
            return ""
        _remove(self._installed)
        if why := self._try(newcomers.INSTALL, self._fresh, self._installed):
            _remove(self._installed)
            return why
        mark.write_text(wanted)
        return ""

    def try_fresh(self, who: Newcomer) -> str:
        return self._try(who, self._fresh)

    def try_installed(self, who: Newcomer) -> str:
        return self._try(who, self._installed)

    def _try(self, who: Newcomer, start: str, kept_as: str = "") -> str:
        began = monotonic()
        name = kept_as or f"{self._fresh}-{who.name}"
        _remove(name)
        binds = (f"{_BARE.absolute()}:{newcomers.SOURCES}",)
        try:
            with (
                Machine(name, start, who.user, binds) as machine,
                Session(who, machine) as session,
            ):
                session.read_all(_SOURCES)
        except Stopped as stopped:
            return str(stopped)
        finally:
            if not kept_as:
                _remove(name)
        print(f"== {who.name}: {session.typed} commands, {monotonic() - began:.0f} s")
        return ""


def _remove(name: str) -> None:
    """Nothing is mounted in it, in this process's view."""
    shutil.rmtree(ROOTS / name, ignore_errors=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="make try-docs ARGS=")
    parser.add_argument("name", nargs="*", help=f"of {', '.join(NAMES)}", default=NAMES)
    parser.add_argument("--on", default="bookworm", help="a release of Debian")
    parser.add_argument("--no-suite", action="store_true", help="leave out `make test`")
    options = parser.parse_args()
    wanted = options.name
    if unknown := set(wanted) - set(NAMES):
        parser.error(f"nobody is called {', '.join(unknown)}")
    if os.getuid() != 0:
        sys.exit("a machine is made by root: sudo make try-docs")
    os.chdir(ROOT)
    machines = Machines(options.on)
    machines.make()
    _take_sources()
    stopped = {}
    needs_install = [who for who in newcomers.OTHERS if who.name in wanted]
    if needs_install or "install" in wanted:
        stopped["install"] = machines.install()
    if not stopped.get("install"):
        stopped |= {who.name: machines.try_installed(who) for who in needs_install}
    if "readme" in wanted:
        left_out = {"make test": "--no-suite"} if options.no_suite else {}
        who = replace(newcomers.README, left_out=left_out)
        stopped["readme"] = machines.try_fresh(who)
    for name, why in stopped.items():
        print(f"{name:10} {'stopped' if why else 'went through'}")
    for why in filter(None, stopped.values()):
        print(f"\nstopped at {why}")
    sys.exit(any(stopped.values()))


if __name__ == "__main__":
    main()
