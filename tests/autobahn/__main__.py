"""Autobahn's cases for servers of WebSockets (RFC 6455, RFC 7692), against the real server.

`python -m tests.autobahn [--quick] [--cases PATTERN ...] [KIND ...]`: all 517 with an
application of ASGI and with a synchronous view, both with permessage-deflate, and those
without compression where the server agrees on none. What runs them is kosoku, Autobahn's own
cases under a client of today (Autobahn's is of Python 2), in an environment of its own under
build/autobahn.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.autobahn.cases import FAMILIES, QUICK
from tests.autobahn.trial import KINDS, Trial, run
from tests.support.environment import keep_what_is_everywhere
from tools import environments

FOLDER = Path("build/autobahn")
# Its cases are those of autobahntestsuite 25.10.1.
CLIENT = "kosoku==0.1.0\n"


def main() -> int:
    names = [kind.name for kind in KINDS]
    parser = argparse.ArgumentParser(
        prog="python -m tests.autobahn", description=__doc__
    )
    add = parser.add_argument
    add("kinds", nargs="*", metavar="KIND", help=f"{', '.join(names)}; all of them")
    add("--quick", action="store_true", help="few of those that take long")
    add("--cases", nargs="+", metavar="PATTERN", help="such as 7.7.1 or 12.1.*")
    given = parser.parse_args()
    if unknown := {*given.kinds} - {*names}:
        parser.error(f"no kind {', '.join(unknown)}: there are {', '.join(names)}")
    keep_what_is_everywhere()
    try:
        environments.make(FOLDER, CLIENT)
    except environments.NotInstalled as error:
        print(f"the fuzzing client cannot be installed: {error}")
        return 1
    patterns = QUICK if given.quick else tuple(FAMILIES)
    patterns = tuple(given.cases or patterns)
    trials = [
        run(kind, patterns, FOLDER / "bin/python")
        for kind in KINDS
        if not given.kinds or kind.name in given.kinds
    ]
    return report(trials)


def report(trials: list[Trial]) -> int:
    print()
    for trial in trials:
        print(trial.summary())
        for result in trial.wrong:
            again = f'make autobahn ARGS="{trial.kind.name} --cases {result.case}"'
            print(f"    FAILED {result.case}: {again}")
    missing = sum(trial.missing for trial in trials)
    failed = missing + sum(len(trial.wrong) for trial in trials)
    ran = sum(len(trial.results) for trial in trials)
    print(f"{ran + missing - failed} passed, {failed} failed")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
