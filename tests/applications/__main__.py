"""Serves applications of others: each answer as gunicorn's, of ASGI as uvicorn's, then many
clients at once.

`python -m tests.applications [--seconds N] [NAME ...]`: all, or those that begin so. Each is in
an environment of its own under build/applications, installed when it is first asked for.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
import traceback
from importlib import import_module
from pathlib import Path

from tests.applications.application import Application
from tests.applications.peers import PEERS
from tests.applications.trial import Trial
from tests.support.choosing import chosen_by
from tests.support.environment import keep_what_is_everywhere
from tests.support.services import all_services
from tools import environments

HERE = Path(__file__).parent
FOLDER = Path("build/applications")
MINUTES = 10  # that an installation may take
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")


def all_applications() -> list[Application]:
    names = sorted(file.stem for file in HERE.glob("sites/[a-z]*.py"))
    modules = [import_module(f"tests.applications.sites.{name}") for name in names]
    return [module.APPLICATION for module in modules]


def pins_of(application: Application) -> Path:
    """Every package that it needs, at a version."""
    return HERE / "pins" / f"{application.name}.txt"


def _pin(application: Application) -> None:
    """Installs it as it would be installed today, and writes down what that is."""
    folder = FOLDER / application.name
    environments.make_anew(folder)
    peer = PEERS[application.peer]
    environments.install(folder, *application.packages, *peer.packages, minutes=MINUTES)
    # What celadon asks for, whatever the application would have.
    environments.install(folder, "greenlet>=3.1", minutes=MINUTES)
    words = [*environments.pip(folder), "freeze", "--all", "--exclude", "celadon"]
    pins = subprocess.check_output(words, text=True)
    pins_of(application).write_text(pins)
    environments.finish(folder, pins)


def _passes(application: Application, given: argparse.Namespace) -> bool:
    name, began = application.name, time.monotonic()
    print(f"== {name}", flush=True)
    folder = FOLDER / name
    try:
        environments.make(folder, pins_of(application).read_text(), MINUTES)
    except environments.NotInstalled as error:
        print(f"{name} cannot be installed: {error}", flush=True)
        return False
    with (
        tempfile.TemporaryDirectory(prefix=f"{name}-") as place,
        all_services(Path(place) / "services") as services,
    ):
        programs = (folder / "bin").absolute()
        options = ["--preempt", given.preempt] if given.preempt else []
        for method in _METHODS if given.kills else ():
            options += ["--cancel-on-disconnect", method]
        folder = Path(place).resolve()
        trial = Trial(
            application,
            programs,
            folder,
            given.seconds,
            options,
            services,
            given.both,
        )
        try:
            trial.go(given.seed)
        except Exception:
            trial.faults.append(traceback.format_exc())
    for note in trial.notes:
        print(f"{name}: {note}")
    for fault in trial.faults:
        print(f"{name}: FAULT {fault}")
    print(f"{name}: {time.monotonic() - began:.0f} s", flush=True)
    return not trial.faults


def main() -> int:
    there = all_applications()
    names = ", ".join(each.name for each in there)
    parser = argparse.ArgumentParser(description=__doc__, epilog=f"There are: {names}")
    add = parser.add_argument
    add("names", nargs="*", help="applications; those that begin so")
    add("--seconds", type=float, default=10, help="that a crowd asks, twice or more")
    add("--seed", type=int, default=int(time.time()), help="what the crowd does")
    add("--preempt", metavar="MS", help="celadon's setting of that name")
    add("--both", action="store_true", help="the crowd comes to the other server, too")
    add("--kills", action="store_true", help="who goes away kills his request")
    add("--pin", action="store_true", help="only write down today's versions")
    given = parser.parse_args()
    chosen = chosen_by(parser, given.names, there)
    keep_what_is_everywhere()
    if given.pin:
        for each in chosen:
            _pin(each)
        return 0
    print(f"seed {given.seed}")
    failed = [each.name for each in chosen if not _passes(each, given)]
    for name in failed:
        print(f"FAILED {name}: make applications ARGS={name}")
    print(f"{len(chosen) - len(failed)} passed, {len(failed)} failed")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
