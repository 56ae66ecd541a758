"""What a wheel may need of the machine that it is installed on (tools/wheels/gate.py)."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from tests.support.compiled import library
from tools.wheels import gate

# What the interpreter has, what zlib has, and what glibc has by its version.
GOOD = """
    extern "C" int Py_AtExit(void (*)(void));
    extern "C" int inflateEnd(void*);
    extern "C" int puts(const char*);
    extern "C" int PyInit__core() { return Py_AtExit(0) + inflateEnd(0) + puts(""); }
"""
BILL = "celadon-1.dist-info/sboms/celadon.cdx.json"
C_ALONE = ("-fno-exceptions", "-nodefaultlibs", "-Wl,--no-as-needed", "-lc")


def wheel(folder: Path, source: str, *flags: str, bill: str = BILL) -> Path:
    extension = library(folder, "_core", source, *flags)
    made = folder / "celadon-1-py3-none-any.whl"
    with zipfile.ZipFile(made, "w") as file:
        file.write(extension, f"celadon/{extension.name}")
        file.writestr(bill, "{}")
    return made


def test_one_that_needs_glibc_zlib_and_an_interpreter_is_good(tmp_path: Path) -> None:
    assert gate.faults(wheel(tmp_path, GOOD, *C_ALONE)) == []


def test_a_function_that_the_oldest_glibc_has_not_is_named(tmp_path: Path) -> None:
    """It is linked without a version, which no other tool looks at."""
    source = GOOD.replace("puts", "sem_clockwait_of_tomorrow")
    found = gate.faults(wheel(tmp_path, source, *C_ALONE))
    assert found == ["sem_clockwait_of_tomorrow is nobody's"]


def test_another_library_and_a_folder_of_libraries_are_named(tmp_path: Path) -> None:
    flags = (*C_ALONE, "-lstdc++", "-Wl,-rpath,/opt/lib")
    found = gate.faults(wheel(tmp_path, GOOD, *flags))
    assert found == ["libstdc++.so.6 is needed", "libraries are looked for in /opt/lib"]


def test_one_without_a_bill_or_of_another_python_or_too_large_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = wheel(tmp_path, GOOD, *C_ALONE, bill="celadon-1.dist-info/RECORD")
    assert gate.faults(made) == ["there is no bill of materials"]
    monkeypatch.setattr(gate.sysconfig, "get_config_var", lambda _: ".cpython-27.so")
    monkeypatch.setattr(gate, "LARGEST", 100)
    assert gate.faults(made) == [
        f"{made.stat().st_size} bytes are more than 100",
        "there is no celadon/_core.cpython-27.so",
    ]
