"""Tries the documentation word by word, on machines that have nothing but Debian 12.

`python -m tools.try_docs [--no-suite] [NAME ...]`: all of `newcomers`, or some; `--no-suite` leaves
out `make test`, which takes longer than all the rest. Each begins on a machine of his own, a copy
under build/roots. What is tried is the last commit.
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

SUITE = "bookworm"
FRESH = "try-docs"  # what a newcomer has
INSTALLED = "try-docs-installed"  # where the page of installing was read
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


def _make_fresh() -> None:
    if (ROOTS / FRESH).exists():
        return
    packages = " ".join(newcomers.PACKAGES)
    install = "apt-get -qq update && apt-get -qq install -y --no-install-recommends"
    # The sources are another user's there.
    trust = "git config --system safe.directory '*'"
    script = f"{install} {packages} >/dev/null && {trust}"
    making = f"{FRESH}-making"
    _remove(making)
    command = ["tools/roots.sh", SUITE, "--copy", making, "--", "bash", "-c", script]
    subprocess.run(command, check=True)
    (ROOTS / making).rename(ROOTS / FRESH)


def _remove(name: str) -> None:
    """Nothing is mounted in it, in this process's view."""
    shutil.rmtree(ROOTS / name, ignore_errors=True)


def _try(who: Newcomer, start: str, keep: bool = False) -> str:
    """Why it stopped, or nothing."""
    name, began = f"try-docs-{who.name}", monotonic()
    _remove(name)
    binds = (f"{_BARE.absolute()}:{newcomers.SOURCES}",)
    try:
        with (
            Machine(name, start, who.user, binds) as machine,
            Session(who, machine) as session,
        ):
            session.read_all(_SOURCES)
        print(f"== {who.name}: {session.typed} commands, {monotonic() - began:.0f} s")
    except Stopped as stopped:
        return str(stopped)
    finally:
        if not keep:
            _remove(name)
    return ""


def _install() -> str:
    mark = ROOTS / INSTALLED / "celadon-is-of"
    wanted = "".join(_git("rev-parse", f"HEAD:{part}") for part in _PARTS)
    if mark.exists() and mark.read_text() == wanted:
        return ""
    _remove(INSTALLED)
    if why := _try(newcomers.INSTALL, FRESH, keep=True):
        return why
    (ROOTS / "try-docs-install").rename(ROOTS / INSTALLED)
    mark.write_text(wanted)
    return ""


def main() -> None:
    parser = argparse.ArgumentParser(prog="make try-docs ARGS=")
    parser.add_argument("name", nargs="*", help=f"of {', '.join(NAMES)}", default=NAMES)
    parser.add_argument("--no-suite", action="store_true", help="leave out `make test`")
    options = parser.parse_args()
    wanted = options.name
    if unknown := set(wanted) - set(NAMES):
        parser.error(f"nobody is called {', '.join(unknown)}")
    if os.getuid() != 0:
        sys.exit("a machine is made by root: sudo make try-docs")
    os.chdir(ROOT)
    _make_fresh()
    _take_sources()
    stopped = {}
    needs_install = [who for who in newcomers.OTHERS if who.name in wanted]
    if needs_install or "install" in wanted:
        stopped["install"] = _install()
    if not stopped.get("install"):
        stopped |= {who.name: _try(who, INSTALLED) for who in needs_install}
    if "readme" in wanted:
        left_out = {"make test": "--no-suite"} if options.no_suite else {}
        stopped["readme"] = _try(replace(newcomers.README, left_out=left_out), FRESH)
    for name, why in stopped.items():
        print(f"{name:10} {'stopped' if why else 'went through'}")
    for why in filter(None, stopped.values()):
        print(f"\nstopped at {why}")
    sys.exit(any(stopped.values()))


if __name__ == "__main__":
    main()
