"""A part of CPython's own tests of asyncio, on `celadon.aio.EventLoop`.

All of them, with and without the patch, are `make test-asyncio`.
"""

from __future__ import annotations

import glob
import json
import os
import subprocess
import sys
from pathlib import Path

import celadon
import greenlet
import pytest
from celadon import _core

from tests.cpython.suite import read_expected
from tests.support.raw import TIMEOUT
from tests.support.servers import ROOT

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


@pytest.mark.parametrize("words", [(), ("--patched",)], ids=["alone", "patched"])
def test_a_part_of_cpythons_own(tmp_path: Path, words: tuple[str, ...]) -> None:
    python = find_python()
    if python is None:
        pytest.skip(f"this machine has no CPython {VERSION} with its own tests")
    home = tmp_path / "home"
    home.mkdir()
    make_importable(home)
    expected = read_expected(ROOT / f"tests/cpython/expected-aio-{VERSION}.txt")
    report, skip, work = (tmp_path / name for name in ("report", "skip", "work"))
    work.mkdir()
    skip.write_text("\n".join(expected))
    failed, passed = [], 0
    for module in MODULES:
        report.write_text("")
        child = (
            ROOT / "tests/cpython/child.py",
            f"test_asyncio.{module}",
            report,
            skip,
        )
        done = subprocess.run(
            [python, *map(str, child), "--aio", *words],
            capture_output=True,
            text=True,
            cwd=work,
            timeout=TIMEOUT * 6,
            env={**os.environ, "PYTHONPATH": str(home)},
        )
        lines = [json.loads(line) for line in report.read_text().splitlines()]
        ends = {line["test"]: line for line in lines}.values()
        failed += [line for line in ends if line["outcome"] in ("start", "failed")]
        passed += sum(line["outcome"] == "passed" for line in ends)
        assert done.returncode == 0, (module, done.stdout, done.stderr)
    assert failed == []
    assert passed > 200
