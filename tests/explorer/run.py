"""Explores scenarios under the patch: ``python -m tests.explorer.run NAME ...``.

One line of JSON for each; the exit status says whether all are as the table has it.
"""

import celadon.patch

celadon.patch.all()

import argparse  # noqa: E402
import json  # noqa: E402
import logging  # noqa: E402
import os  # noqa: E402
import sys  # noqa: E402
import tempfile  # noqa: E402
import time  # noqa: E402
from collections.abc import Callable, Iterator  # noqa: E402
from contextlib import contextmanager  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

from celadon import config, green  # noqa: E402
from celadon.serving.core import make_core  # noqa: E402
from celadon.serving.hosting import Hosted  # noqa: E402
from celadon.serving.interface import Served as Application  # noqa: E402
from celadon.testing import Found, explore, replay  # noqa: E402

from tests.explorer.catalogue import PLACES, Row, row, rows  # noqa: E402
from tests.support.services import all_services  # noqa: E402


@contextmanager
def _services(tried: list[Row]) -> Iterator[None]:
    """Starts those that are needed, if nobody said where they are."""
    needed = {name for each in tried for name in each.needs}
    if not needed or PLACES in os.environ:
        yield
        return
    with tempfile.TemporaryDirectory() as folder, all_services(Path(folder)) as running:
        os.environ[PLACES] = json.dumps({n: getattr(running, n) for n in needed})
        yield


def _in_a_server(explores: Callable[[], Any]) -> Any:
    """On a greenlet of a worker's loop, which serves at the same time."""
    from tests.explorer.scenarios.requests import Served

    core = make_core(Hosted(Application(Served.app)), config.load({}))
    Served.port = core.bind("127.0.0.1:0")[1]
    Served.stats = core.stats

    def conduct() -> Any:
        try:
            return explores()
        finally:
            core.stop(True)

    task = green.spawn(conduct)
    task._waited = True  # its error is raised here
    core.run(False)
    return task.get()


def _where_it_belongs(row: Row, explores: Callable[[], Any]) -> Any:
    row.prepare()
    return _in_a_server(explores) if row.in_a_server else explores()


def _try(row: Row, parsed: argparse.Namespace, wander: float) -> dict[str, object]:
    began = time.monotonic()
    bounds = {"trials": parsed.trials, "seconds": parsed.seconds}
    options = {**bounds, **row.options}

    def explores() -> Any:
        return explore(row.scenario, wander=wander, seed=parsed.seed, **options)

    try:
        found = _where_it_belongs(row, explores)
    except Found as fault:
        return {"name": row.name, "schedule": fault.schedule, "fault": str(fault)}
    took = round(time.monotonic() - began, 1)
    return {"name": row.name, "trials": found.trials, "steps": found.steps,
            "complete": found.complete, "diverged": found.diverged,
            "longest": found.longest, "seconds": took}  # fmt: skip


def _replay(row: Row, schedule: str) -> None:
    options = {k: v for k, v in row.options.items() if k in ("deliver", "outside")}
    steps = _where_it_belongs(row, lambda: replay(row.scenario, schedule, **options))
    print("\n".join(steps))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "names", nargs="*", help="of scenarios; all where none is given"
    )
    parser.add_argument("--seconds", type=float, default=5.0, help="for each, at most")
    parser.add_argument("--trials", type=int, default=100_000, help="likewise")
    parser.add_argument(
        "--wander", type=float, default=0.0, help="seconds by chance, for all together"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--replay", metavar="SCHEDULE", help="of one scenario")
    parsed = parser.parse_args()
    tried = [row(name) for name in parsed.names] or rows()
    with _services(tried):
        if parsed.replay is not None:
            _replay(tried[0], parsed.replay)
            return 0
        logging.disable()  # of what goes wrong on purpose
        wrong = 0
        wanderers = [each for each in tried if each.random]
        for each in tried:
            wander = parsed.wander / len(wanderers) if each in wanderers else 0.0
            told = _try(each, parsed, wander)
            wrong += ("fault" in told) != bool(each.fault)
            print(json.dumps(told), flush=True)
    return min(wrong, 1)


if __name__ == "__main__":
    sys.exit(main())
