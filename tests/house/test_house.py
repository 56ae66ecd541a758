"""The rules of the house that a machine can keep."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

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
    assert check_rooms.violations(tmp_path / "src") == [
        "src/http/a.cc: http may not know <ctime>",
        f"src/http/a.cc: <Python.h> belongs to {check_rooms.HOMES['Python.h']}",
        "src/http/a.cc: bare reference counting outside of py",
        "src/http/a.h: http may not include net/stream.h",
    ]


def test_states_page_is_as_generated() -> None:
    made = subprocess.run(
        [sys.executable, ROOT / "tools/gen_states.py"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert made.stdout == (ROOT / "docs/explanation/states.md").read_text()
    assert "| `Active` | `Answered` | `Idle` |" in made.stdout


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


def test_every_header_compiles_alone(tmp_path: Path) -> None:
    headers = [
        path.relative_to(ROOT / "src")
        for room in ("base", "loop", "net", "http", "server")
        for path in sorted((ROOT / "src" / room).rglob("*.h"))
    ]
    failures = []
    for header in headers:
        unit = tmp_path / "unit.cc"
        unit.write_text(f'#include "{header}"\n#include "{header}"\n')
        done = subprocess.run(
            ["g++", "-std=c++23", "-fsyntax-only", f"-I{ROOT / 'src'}", str(unit)],
            capture_output=True,
            text=True,
        )
        if done.returncode:
            failures.append(f"{header}: {done.stderr[:300]}")
    assert failures == []


def test_public_names_are_pinned() -> None:
    import celadon

    assert sorted(celadon.__all__) == [
        "BodyError",
        "ClientDisconnected",
        "Event",
        "Lock",
        "LoopBlocked",
        "Queue",
        "RequestKilled",
        "RequestTimeout",
        "Semaphore",
        "Server",
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
