"""The example application by threads, by asyncio and by greenlets: the same pages.

As databases.py measures: the server on one core; the load generator, PostgreSQL, Redis and
the slow town on the other; CPU of the server only, memory of all its processes.

    python bench/load/studio.py [--rounds N] [--seconds S] [--only NAME,...] [--work PART;...]
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import databases
import run
from run import SERVERS, Server, Work

sys.path.insert(0, str(run.ROOT))
from tests.support.services import postgres, redis

APP = "studio_apps:app"
OURS = Server(
    "celadon",
    "{bin}/celadon {app} -b 127.0.0.1:{port} --log-level error -c "
    f"{run.ROOT}/examples/studio/celadon.conf.py",
    "celadon",
)
SYNC = Server(
    "gunicorn sync x8",
    "{bin}/gunicorn -w 8 -b 127.0.0.1:{port} --keep-alive 75 --log-level error {app}",
    "gunicorn",
)
NAMES = (
    "celadon",
    "gunicorn gevent",
    SYNC.name,
    "gunicorn gthread",
    "uvicorn asyncio",
)
WORKS = {
    Work("the front page: Redis twice", "/", 64, app=APP): NAMES,
    Work("a course: two queries, Redis once", "/courses/1", 64, app=APP): NAMES,
    Work("the kilns: three calls of 50 ms at once", "/kiln", 256, app=APP): NAMES,
}


@contextmanager
def town() -> Iterator[str]:
    port = run.free_port()
    command = [f"{run.BIN}/celadon", "town_service:app", "-b", f"127.0.0.1:{port}"]
    folder = run.ROOT / "examples/studio"
    env = {**os.environ, "TOWN_SECONDS": "0.05"}
    with subprocess.Popen(
        [*command, "--log-level", "error"], cwd=folder, env=env
    ) as one:
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            one.terminate()


def main() -> None:
    own = [OURS, SYNC]
    others = [s for s in SERVERS if s.name not in {each.name for each in own}]
    args, servers = databases.read_words(__doc__, [*others, *own])
    os.sched_setaffinity(0, {int(run.CLIENT_CORE)})  # what is shared inherits it
    with (
        postgres() as (port, _),
        redis() as redis_port,
        town() as url,
    ):
        os.environ |= {
            "STUDIO_POSTGRES": f"postgresql://celadon@127.0.0.1:{port}/celadon",
            "STUDIO_REDIS": f"redis://127.0.0.1:{redis_port}",
            "STUDIO_TOWN": url,
        }
        databases.measure_all(WORKS, args, servers)


if __name__ == "__main__":
    main()
