"""A part of CPython's own tests of asyncio, on `celadon.aio.EventLoop`.

All of them, with and without the patch, are `make test-asyncio`.
"""

from __future__ import annotations

import glob
import json
import os
import subprocess
import sys
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import celadon
import greenlet
import pytest
from celadon import _core

from tests.cpython.runs import read_expected
from tests.support.machine import plain_folder
from tests.support.raw import TIMEOUT
from tests.support.servers import ROOT

Ends = Collection[dict[str, Any]]

VERSION = ".".join(map(str, sys.version_info[:2]))
# What takes seconds, of all that knows a loop.
MODULES = (
    "test_buffered_proto",
    "test_context",
    "test_futures",
    "test_locks",
    "test_queues",
    "test_runners",
    "test_sock_lowlevel",
    "test_taskgroups",
    "test_timeouts",
    "test_unix_events",
)


def find_python() -> str | None:
    """An interpreter of this version that has CPython's tests."""
    home = os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv"
    for path in (sys.executable, *glob.glob(f"{home}/versions/{VERSION}.*/bin/python")):
        look = (path, "-c", "import test.test_asyncio")
        if subprocess.run(look, capture_output=True).returncode == 0:
            return path
    return None


def make_importable(folder: Path) -> None:
    """What `import celadon` needs, for an interpreter without our environment."""
    package = folder / "celadon"
    package.mkdir()
    for path in Path(celadon.__file__).parent.iterdir():
        if path.name not in ("_core", "__pycache__"):
            (package / path.name).symlink_to(path)
    core = Path(_core.__file__)
    if not (package / core.name).exists():
        (package / core.name).symlink_to(core)
    (folder / "greenlet").symlink_to(Path(greenlet.__file__).parent)


def run_module(python: str, module: str, folder: Path, words: Sequence[str]) -> Ends:
    """How each of its tests ended."""
    report, skip, work = (folder / name for name in ("report", "skip", "work"))
    report.write_text("")
    child = (ROOT / "tests/cpython/child.py", f"test_asyncio.{module}", report, skip)
    done = subprocess.run(
        [python, *map(str, child), "--aio", *words],
        capture_output=True,
        text=True,
        cwd=work,
        timeout=TIMEOUT * 6,
        # Many of them have a socket there.
        env={**os.environ, "PYTHONPATH": str(folder / "home"), "TMPDIR": str(work)},
    )
    assert done.returncode == 0, (module, done.stdout, done.stderr)
    lines = [json.loads(line) for line in report.read_text().splitlines()]
    return {line["test"]: line for line in lines}.values()


@pytest.mark.slow("ten of CPython's modules of tests, a process for each")
@pytest.mark.parametrize("words", [(), ("--patched",)], ids=["alone", "patched"])
def test_a_part_of_cpythons_own(words: tuple[str, ...]) -> None:
    python = find_python()
    if python is None:
        pytest.skip(f"this machine has no CPython {VERSION} with its own tests")
    expected = read_expected(ROOT / f"tests/cpython/expected-aio-{VERSION}.txt")
    failed, passed = [], 0
    with plain_folder() as folder:
        for name in ("home", "work"):
            (folder / name).mkdir()
        make_importable(folder / "home")
        (folder / "skip").write_text("\n".join(expected))
        for module in MODULES:
            ends = run_module(python, module, folder, words)
            failed += [end for end in ends if end["outcome"] in ("start", "failed")]
            passed += sum(end["outcome"] == "passed" for end in ends)
    assert failed == []
    assert passed > 200
