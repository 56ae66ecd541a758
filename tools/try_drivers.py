"""Drivers at the versions that people have pinned: each in an environment of its own.

`python -m tools.try_drivers [--slice] [NAME ...]`: all of `VERSIONS`, or with `--slice` the
oldest of each driver. An environment lies under build/drivers and sees the tests' own behind what
was installed in it, so that one package alone is another.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tools import environments

FOLDER = Path("build/drivers")
# Django's use of them asks for newer ones.
PSYCOPG = ("tests/drivers", "tests/pools", "-k", "psycopg and not psycopg2 and not 500")
PSYCOPG2 = ("tests/drivers", "tests/pools", "-k", "psycopg2")
REDIS = ("tests/drivers/test_drivers.py", "-k", "redis")
SQLALCHEMY = ("tests/drivers", "tests/pools", "-k", "sqlalchemy")
DJANGO = ("tests/drivers", "-k", "django")
# It has no pool of its own before 5.1.
OLD_DJANGO = ("tests/drivers", "-k", "django and not pool")
PYMYSQL = ("tests/drivers", "-k", "pymysql")
MYSQLCLIENT = ("tests/drivers", "-k", "mysqlclient")


@dataclass(frozen=True)
class Version:
    name: str
    packages: tuple[str, ...]
    tests: tuple[str, ...]
    oldest: bool = False


def _psycopg(version: str, pool: str, oldest: bool = False) -> Version:
    packages = (f"psycopg[binary]=={version}", f"psycopg-pool=={pool}")
    return Version(f"psycopg-{version}", packages, PSYCOPG, oldest)


def _one(
    package: str, version: str, tests: tuple[str, ...], oldest: bool = False
) -> Version:
    return Version(f"{package}-{version}", (f"{package}=={version}",), tests, oldest)


VERSIONS = (
    _psycopg("3.1.8", "3.1.6", oldest=True),
    _psycopg("3.1.20", "3.2.1"),
    _psycopg("3.2.1", "3.2.2"),
    _psycopg("3.2.10", "3.2.6"),
    _psycopg("3.3.0", "3.3.0"),
    _psycopg("3.3.5", "3.3.1"),
    # The first one with a wheel for CPython 3.11.
    _one("psycopg2-binary", "2.9.5", PSYCOPG2, oldest=True),
    _one("psycopg2-binary", "2.9.9", PSYCOPG2),
    _one("redis", "4.5.1", REDIS, oldest=True),
    _one("redis", "5.0.8", REDIS),
    _one("redis", "6.4.0", REDIS),
    _one("SQLAlchemy", "1.4.46", SQLALCHEMY, oldest=True),
    _one("SQLAlchemy", "1.4.54", SQLALCHEMY),
    _one("SQLAlchemy", "2.0.20", SQLALCHEMY),
    _one("SQLAlchemy", "2.0.43", SQLALCHEMY),
    _one("Django", "4.2.7", OLD_DJANGO, oldest=True),
    _one("Django", "5.1.7", DJANGO),
    _one("PyMySQL", "1.0.2", PYMYSQL, oldest=True),
    _one("PyMySQL", "1.1.1", PYMYSQL),
    _one("mysqlclient", "2.1.1", MYSQLCLIENT, oldest=True),
    _one("mysqlclient", "2.2.4", MYSQLCLIENT),
)


def _python(version: Version) -> Path:
    return FOLDER / version.name / "bin" / "python"


def _install(version: Version) -> None:
    folder = FOLDER / version.name
    mark = folder / ".installed"
    if mark.exists() and mark.read_text() == " ".join(version.packages):
        return
    environments.make_anew(folder)
    environments.install(folder, *version.packages, minutes=10)
    # What is listed there (celadon) is looked at, too.
    site = environments.site_of(folder)
    (site / "tests.pth").write_text(
        f"import site; site.addsitedir({str(environments.OURS)!r})\n"
    )
    environments.add_program(folder)
    mark.write_text(" ".join(version.packages))


def _passes(version: Version, workers: str) -> bool:
    print(f"== {version.name}", flush=True)
    try:
        _install(version)
    except environments.NotInstalled as error:
        print(f"{version.name}: {error}", flush=True)
        return False
    options = ("-q", "-n", workers, "--dist", "loadgroup")
    command = (str(_python(version)), "-m", "pytest", *options, *version.tests)
    return subprocess.run(command).returncode == 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="versions; those that begin so")
    parser.add_argument("--slice", action="store_true", help="the oldest of each")
    parser.add_argument("--workers", default="4", help="tests side by side")
    given = parser.parse_args()
    chosen = [
        version
        for version in VERSIONS
        if (version.oldest or not given.slice)
        and (not given.names or version.name.startswith(tuple(given.names)))
    ]
    if not chosen:
        parser.error(f"there are {', '.join(version.name for version in VERSIONS)}")
    failed = [one.name for one in chosen if not _passes(one, given.workers)]
    for name in failed:
        print(f"FAILED {name}: make drivers ARGS={name}")
    print(f"{len(chosen) - len(failed)} versions passed, {len(failed)} failed")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
