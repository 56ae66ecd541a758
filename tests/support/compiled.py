"""Small libraries that a test compiles for itself."""

from __future__ import annotations

import shlex
import subprocess
import sysconfig
from pathlib import Path

from tests.support.machine import program


def library(folder: Path, name: str, source: str, *flags: str) -> Path:
    """A shared library of C++, or an extension module where `name` is its own."""
    compiler = program("c++", "g++")
    code = folder / f"{name}.cc"
    code.write_text(source)
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    made = folder / f"{name}{suffix}"
    include = f"-I{sysconfig.get_path('include')}"
    command = [compiler, "-shared", "-fPIC", "-O1", "-w", include, *flags]
    command += [str(code), "-o", str(made), "-pthread"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, f"{shlex.join(command)}\n{done.stderr}"
    return made
