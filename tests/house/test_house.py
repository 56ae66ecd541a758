"""The rules of the house that a machine can keep."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.servers import ROOT
from tools import check_rooms


def test_rooms_include_only_what_they_may(tmp_path: Path) -> None:
    assert check_rooms.violations() == []
    http, py = tmp_path / "src/http", tmp_path / "src/py"
    http.mkdir(parents=True)
    py.mkdir()
    (http / "a.h").write_text('#include "net/stream.h"\n#include "base/list.h"\n')
    (http / "a.cc").write_text("#include <ctime>\n#include <Python.h>\nPy_INCREF(x);\n")
    (py / "a.h").write_text('#include "loop/block_hook.h"\n#include <Python.h>\n')
    (py / "b.h").write_text("std::thread thread_;\nstd::this_thread::yield();\n")
    (py / "c.h").write_text("std::this_thread::yield();\n")
    assert check_rooms.violations(tmp_path / "src") == [
        "src/http/a.cc: http may not know <ctime>",
        f"src/http/a.cc: <Python.h> belongs to {check_rooms.HOMES['Python.h']}",
        "src/http/a.cc: bare reference counting outside of py",
        "src/http/a.h: http may not include net/stream.h",
        "src/py/b.h: a thread that is no loop::Thread",
    ]


def test_states_page_is_as_generated() -> None:
    made = subprocess.run(
        [sys.executable, ROOT / "tools/gen_states.py"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert made.stdout == (ROOT / "docs/explanation/states.md").read_text()
    assert "| `Active` | `Answered` | likewise" in made.stdout


@pytest.mark.slow("mypy looks at all of it without what it knew before")
def test_stubs_say_what_the_extension_has(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "mypy.stubtest", "--ignore-disjoint-bases"),
            *("--mypy-config-file", str(ROOT / "pyproject.toml"), "celadon._core"),
        ],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "MYPY_CACHE_DIR": str(tmp_path)},
    )
    assert done.returncode == 0, done.stdout


def test_headers_are_their_own_units_first_include_and_are_read_once() -> None:
    """So the build proves that they compile alone; tests/headers those without a unit."""
    wrong = []
    for header in (ROOT / "src").rglob("*.h"):
        name = f'"{header.relative_to(ROOT / "src")}"'
        if "\n#pragma once\n" not in f"\n{header.read_text()}":
            wrong.append(f"{name} may be read twice")
        unit = header.with_suffix(".cc")
        if unit.exists():
            first = re.search(r"^#include (.*)", unit.read_text(), re.MULTILINE)
            if not first or first[1] != name:
                wrong.append(f"{unit.name} does not include {name} first")
    assert wrong == []


def test_public_names_are_pinned() -> None:
    import celadon

    assert sorted(celadon.__all__) == [
        "BodyError",
        "ClientDisconnected",
        "Event",
        "Lock",
        "LoopBlocked",
        "Mount",
        "Queue",
        "RequestKilled",
        "RequestTimeout",
        "Semaphore",
        "Server",
        "TaskBlocked",
        "Timeout",
        "deadline",
        "run",
        "shield",
        "sleep",
        "spawn",
    ]
    from celadon import _core

    assert len([name for name in dir(_core) if not name.startswith("__")]) <= 20


def test_settings_page_is_current() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools/gen_settings.py")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert (ROOT / "docs/reference/settings.md").read_text() == done.stdout


def test_the_environment_starts_in_any_locale(tmp_path: Path) -> None:
    """Python 3.11 reads .pth files in the locale's encoding, whatever our folder is; names
    in code, as that of an editable installation, are encoded so."""
    site = tmp_path / "lib/python3/site-packages"
    folder = tmp_path / "Grüße"
    site.mkdir(parents=True)
    folder.mkdir()
    (folder / "greeting.py").write_text("word = 'hello'\n")
    (site / "a.pth").write_text(f"import sys\n{folder}\n", "utf-8")
    places = {"greeting": f"{folder}/greeting.py", "ä": [f"{folder}/x"]}
    (site / "_editable_x.py").write_text(f"PLACES = {places!r}  # Grüße\n", "utf-8")
    subprocess.run(
        [sys.executable, ROOT / "tools/plain_pth.py", tmp_path], check=True, cwd="/"
    )
    code = (
        f"import site; site.addsitedir({str(site)!r}); import greeting, celadon, _editable_x"
        "; open(_editable_x.PLACES['greeting']).close()"
    )
    words = [sys.executable, "-c", f"{code}; print(greeting.word)"]
    env = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0"}
    done = subprocess.run(words, env=env, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "hello\n"), done.stderr


def test_what_is_broken_on_purpose_fits_its_source() -> None:
    command = [sys.executable, "tests/sim/mutate.py", "--list"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert listed.returncode == 0, listed.stderr
