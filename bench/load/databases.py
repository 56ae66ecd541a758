"""Requests that wait for PostgreSQL or Redis: celadon beside its peers.

As run.py measures: the server on one core, the load generator and the databases on the
other, CPU of the server only.

    python bench/load/databases.py [--rounds N] [--seconds S] [--only NAME,...]
                                   [--work PART;...]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys

import run
from run import SERVERS, Result, Server, Work, measure, report

sys.path.insert(0, str(run.ROOT))
from tests.support.services import postgres, redis

ROW = "one PostgreSQL row, 256 clients, 16 connections, by "
THREADS = ("gunicorn gthread", "granian")
OTHERS = ("celadon", "gunicorn gevent", *THREADS)
WORKS = {
    Work(ROW + "psycopg2", "/psycopg2", 256, app="db_apps:app"): (
        *OTHERS,
        "uvicorn asyncio",
    ),
    Work(ROW + "psycopg", "/psycopg", 256, app="db_apps:app"): OTHERS,
    Work(
        ROW + "SQLAlchemy in Flask", "/sqlalchemy", 256, app="db_apps:flask_app"
    ): OTHERS,
    Work(
        ROW + "Django's ORM behind five middlewares",
        "/django",
        256,
        app="django_db_app:app",
    ): OTHERS,
    Work("Redis GET, 256 clients", "/redis", 256, app="db_apps:app"): OTHERS,
}


def prepare(port: int) -> None:
    sql = (
        "CREATE TABLE people AS SELECT n AS id, 'person ' || n AS name"
        " FROM generate_series(1, 1000) n; CREATE UNIQUE INDEX ON people (id); ANALYZE"
    )
    command = ["psql", "-q", "-h", "127.0.0.1", "-p", str(port), "-U", "celadon"]
    subprocess.run([*command, "-c", sql, "celadon"], check=True)


def measure_all(
    works: dict[Work, tuple[str, ...]],
    args: argparse.Namespace,
    servers: dict[str, Server],
) -> None:
    for work, names in works.items():
        if args.work and not any(part in work.name for part in args.work.split(";")):
            continue
        results = {name: Result() for name in names if name in servers}
        for number in range(args.rounds):
            for name, result in results.items():
                print(f"  round {number + 1}: {work.name}: {name}", file=sys.stderr)
                try:
                    measure(servers[name], work, args.seconds, result)
                except (RuntimeError, subprocess.CalledProcessError) as error:
                    print(f"  {error}", file=sys.stderr)
        report(work, results)


def read_words(
    doc: str | None, every: list[Server]
) -> tuple[argparse.Namespace, dict[str, Server]]:
    """The command line, and those of `every` that it asks for."""
    parser = argparse.ArgumentParser(description=doc)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--only", default="")
    parser.add_argument("--work", default="")
    args = parser.parse_args()
    wanted = [name for name in args.only.split(",") if name]
    return args, {s.name: s for s in every if not wanted or s.name in wanted}


def main() -> None:
    args, servers = read_words(__doc__, SERVERS)
    # Blocking servers get as many threads as there can be connections, and some more.
    run.THREADS = 64
    os.sched_setaffinity(0, {int(run.CLIENT_CORE)})  # the databases inherit it
    with (
        postgres() as (port, _),
        redis() as redis_port,
    ):
        prepare(port)
        os.environ["BENCH_POSTGRES"] = (
            f"host=127.0.0.1 port={port} user=celadon dbname=celadon sslmode=disable"
        )
        os.environ["BENCH_REDIS"] = f"redis://127.0.0.1:{redis_port}"
        subprocess.run(
            ["redis-cli", "-p", str(redis_port), "set", "name", "person 7"],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        measure_all(WORKS, args, servers)


if __name__ == "__main__":
    main()
