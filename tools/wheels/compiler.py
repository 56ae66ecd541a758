"""Clang, as a folder of commands and headers that CMake takes for a toolchain."""

from __future__ import annotations

import filecmp
import os
import platform
import shutil
import sysconfig
from importlib.metadata import version
from pathlib import Path

import ziglang

GLIBC = "2.28"
_ZIG = Path(ziglang.__file__).parent / "zig"
_TOOLCHAIN = """\
# ziglang {version}
set(CMAKE_C_COMPILER "{commands}/cc")
set(CMAKE_CXX_COMPILER "{commands}/c++")
foreach(language C CXX)
  set(CMAKE_${{language}}_COMPILER_AR "{commands}/ar")
  set(CMAKE_${{language}}_COMPILER_RANLIB "{commands}/ranlib")
endforeach()
set(CMAKE_AR "{commands}/ar")
set(CMAKE_RANLIB "{commands}/ranlib")
# As of a release from the first trial of the compiler on: else its library is made twice.
set(CMAKE_CXX_FLAGS_INIT "-O2 -isystem {include} -ffile-prefix-map={sources}=.")
set(CMAKE_MODULE_LINKER_FLAGS_INIT "-s")
# That of each machine is another one, or none.
set(CMAKE_DISABLE_FIND_PACKAGE_OpenSSL ON)
# zlib is where the machine has it.
set(CMAKE_SKIP_RPATH ON)
set(ZLIB_INCLUDE_DIR "{include}")
set(ZLIB_LIBRARY "{zlib}")
"""
# What a compiler of the machine's user is told, and what CMake would be.
_OF_THE_USER = ("CC", "CXX", "CFLAGS", "CXXFLAGS", "CPPFLAGS", "LDFLAGS")
_OF_OTHERS = ("CMAKE_", "SKBUILD_", "CCACHE_BASEDIR")


def target() -> str:
    """The machine that runs this, with the glibc that wheels are made for."""
    return f"{platform.machine()}-linux-gnu.{GLIBC}"


def make_toolchain(place: Path, include: Path, sources: Path) -> Path:
    """What is to be CMake's toolchain file. What was built in `place` by another one goes."""
    text = _TOOLCHAIN.format(
        version=version("ziglang"),
        commands=place / "toolchain",
        include=include,
        sources=sources,
        zlib=_first("/usr/lib", "libz.so"),
    )
    file = place / "toolchain.cmake"
    if not file.exists() or file.read_text() != text:
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        file.write_text(text)
    _make_commands(place / "toolchain")
    _take_headers(include)
    return file


def _make_commands(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    for verb in ("c++", "cc", "ar", "ranlib"):
        words = f" -target {target()}" if verb in ("c++", "cc") else ""
        command = folder / verb
        command.write_text(f'#!/bin/sh\nexec "{_ZIG}" {verb}{words} "$@"\n')
        command.chmod(0o755)


def _take_headers(folder: Path) -> None:
    """zlib's, and the one that Debian's Pythons have in a folder of the system: beside them
    lie those of the system's glibc, which is a newer one."""
    wanted = {name: _first("/usr/include", name) for name in ("zlib.h", "zconf.h")}
    multiarch = sysconfig.get_config_var("MULTIARCH") or ""
    python = f"python{sysconfig.get_python_version()}"
    config = Path(multiarch, python, "pyconfig.h")
    if multiarch and Path("/usr/include", config).exists():
        wanted[str(config)] = Path("/usr/include", config)
    for name, header in wanted.items():
        copy = folder / name
        # Another build may be reading it.
        if not copy.exists() or not filecmp.cmp(header, copy, shallow=False):
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(header, copy)


def _first(folder: str, name: str) -> Path:
    machine = platform.machine()
    places = [Path(folder), Path(folder, f"{machine}-linux-gnu"), Path(f"{folder}64")]
    found = next((place / name for place in places if (place / name).exists()), None)
    if not found:
        raise SystemExit(f"no {name} on this machine: install zlib1g-dev or zlib-devel")
    return found


def environment(libraries: Path, cache: Path, *, anew: bool) -> dict[str, str]:
    """What others are told is not for this compiler. It keeps LLVM's libraries for the
    target in `libraries`, and what is its own in `cache`; `anew`, nothing is taken from
    ccache."""
    kept = {
        name: word
        for name, word in os.environ.items()
        if name not in _OF_THE_USER and not name.startswith(_OF_OTHERS)
    }
    of_ccache = {
        # The command is a script of ours, which says nothing of the compiler.
        "CCACHE_COMPILERCHECK": f"string:ziglang {version('ziglang')} {target()}",
        "CCACHE_COMPILERTYPE": "clang",
        "CCACHE_DEPEND": "1",
    }
    return {
        **kept,
        "ZIG_GLOBAL_CACHE_DIR": str(libraries),
        "ZIG_LOCAL_CACHE_DIR": str(cache),
        **({"CCACHE_DISABLE": "1"} if anew else of_ccache),
    }
