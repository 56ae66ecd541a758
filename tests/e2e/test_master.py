"""The master and its workers: spawned, replaced, reloaded, stopped."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import sys
import time
from pathlib import Path

import pytest

from tests.support import raw
from tests.support.load import FOREVER, Load
from tests.support.raw import Client, get
from tests.support.servers import Command, Started, wait_until
from tests.support.site import (
    Site,
    ask,
    gone,
    ready,
    reload_at_last,
    renewed,
    wait_ready,
)


def test_each_worker_serves(site: Site) -> None:
    with site.serve("--workers", "3") as server, contextlib.ExitStack() as stack:
        workers = wait_ready(server, 3)
        assert os.getpid() not in workers
        assert server.process.pid not in workers
        # Open together, so that the workers share them.
        clients = [stack.enter_context(server.client()) for _ in range(12)]
        for client in clients:
            client.send(raw.get("/"))
        bodies = [client.response().body for client in clients]
        assert {int(body.split()[1]) for body in bodies} == set(workers)
    assert all(map(gone, workers))


def test_a_killed_worker_is_replaced_at_once(site: Site) -> None:
    with site.serve("--workers", "2") as server:
        first = wait_ready(server, 2)
        server.kill(first[0])
        server.wait_line(f"worker {first[0]} was killed by SIGKILL")
        second = wait_ready(server, 2)
        assert first[0] not in second
        assert first[1] in second
        assert ask(server)[1] in second


def test_workers_that_leave_again_and_again_are_not_spawned_in_a_tight_loop(
    site: Site,
) -> None:
    with site.serve("--respawn-backoff", "0.5") as server:
        for _ in range(4):
            wait_ready(server, 1)
            with server.client() as client:
                client.send(raw.get("/exit"))
                assert client.read_to_end() == b""
            left = time.monotonic()
            server.wait_line("exited with status 9")
        wait_ready(server, 1)
        # The third time there was a pause, and now one that is twice as long.
        assert time.monotonic() - left >= 1
        assert ask(server)[0] == "1"


def test_reload_serves_new_code_and_answers_what_is_under_way(site: Site) -> None:
    with site.serve("--workers", "2") as server, server.client() as slow:
        old = wait_ready(server, 2)
        slow.send(raw.get("/sleep"))
        site.write(2)
        server.signal(signal.SIGHUP)
        assert slow.response().body.decode().split()[0] == "1"
        renewed(server, old)
        assert ask(server)[0] == "2"


def test_no_connection_is_refused_and_no_answer_lost_while_it_reloads(
    site: Site,
) -> None:
    with site.serve("--workers", "2") as server:
        wait_ready(server, 2)
        with Load(server, 1, 1, FOREVER) as load:
            for version in range(2, 8):
                old = wait_ready(server, 2)
                site.write(version)
                server.signal(signal.SIGHUP)
                renewed(server, old)
        assert ask(server)[0] == "7"
    assert load.wrong == [], server.lines[-50:]
    assert load.closed == 0
    assert load.answered > 20


@pytest.mark.parametrize("seed", [1, 2])
def test_a_storm_of_signals_loses_nothing(site: Site, seed: int) -> None:
    chance = random.Random(seed)
    kinds = ["SIGHUP", "SIGHUP", "SIGTTIN", "SIGTTOU", "SIGUSR1", "SIGUSR2", "SIGWINCH"]
    with site.serve("--workers", "2") as server:
        wait_ready(server, 2)
        with Load(server, 1, 1, FOREVER) as load:
            for _ in range(25):
                server.signal(getattr(signal, chance.choice(kinds)))
                load.wait_for_more(chance.randrange(1, 200))
            reload_at_last(server, 2)
    assert load.wrong == [], server.lines[-50:]


def test_a_reload_of_broken_code_keeps_the_old_workers(site: Site) -> None:
    with site.serve("--workers", "2") as server:
        old = wait_ready(server, 2)
        site.spoil()
        server.signal(signal.SIGHUP)
        server.wait_line("the new worker failed: the old ones stay")
        assert ready(server) == old
        assert ask(server)[0] == "1"
        site.write(3)
        server.signal(signal.SIGHUP)
        renewed(server, old)
        assert ask(server)[0] == "3"


def test_one_more_and_one_fewer(site: Site) -> None:
    with site.serve("--workers", "2") as server:
        wait_ready(server, 2)
        server.signal(signal.SIGTTIN)
        assert len(wait_ready(server, 3)) == 3
        for count in (2, 1):
            server.signal(signal.SIGTTOU)
            wait_ready(server, count)
        server.signal(signal.SIGTTOU)
        server.wait_line("SIGTTOU is ignored: one worker is the least")
        left = ready(server)
        server.signal(signal.SIGHUP)  # as many as the configuration says
        renewed(server, left, 2)


def test_workers_leave_when_the_master_is_gone(site: Site) -> None:
    """They say so, whichever of their threads sees it first: so several."""
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(site.serve("--workers", "1")) for _ in range(8)]
        workers = [pid for server in servers for pid in wait_ready(server, 1)]
        for server in servers:
            server.process.kill()
        wait_until(lambda: (None, all(map(gone, workers))))
        for server in servers:
            server.wait_line("the master is gone")


def test_s29_a_drain_goes_on_where_the_master_is_killed(site: Site) -> None:
    """As a supervisor does it: TERM, and KILL where that takes too long."""
    with site.serve("--workers", "2") as server, server.client() as client:
        wait_ready(server, 2)
        client.send(get("/") + get("/until"))
        client.response()
        server.signal(signal.SIGTERM)
        wait_until(lambda: (None, is_refused(("127.0.0.1", server.port))))
        server.process.kill()
        server.wait_line("the master is gone: finishing requests")
        site.go()
        assert client.response().status == 200
        assert not any("cancelling" in line for line in server.lines)


def test_s29_who_imports_still_ends_with_the_master(site: Site) -> None:
    text = "import os, time\nos.write(2, b'%d\\n' % os.getpid())\ntime.sleep(600)\n"
    (site.folder / "site_app.py").write_text(text)
    with site.serve("--workers", "2") as server:
        workers = [int(server.wait_line(r"^(\d+)$")[1]) for _ in range(2)]
        server.process.kill()
        wait_until(lambda: (None, all(map(gone, workers))))


def test_s29_a_start_waits_for_an_address_that_becomes_free(site: Site) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        server = Command("site_app:app", cwd=site.folder, bind=address)
        with server:
            server.wait_line("already in use; trying for 5 s")
            taken.close()
            assert ask(server)[0] == "1"


def test_a_sigterm_to_every_process_lets_requests_finish(site: Site) -> None:
    """A service manager sends it to the whole group, and the master then to workers."""
    with site.serve("--workers", "2") as server, server.client() as client:
        workers = wait_ready(server, 2)
        client.send(raw.get("/sleep"))
        for pid in (*workers, server.process.pid):
            os.kill(pid, signal.SIGTERM)
        server.wait_line("stopping: workers finish their requests")
        for pid in workers:
            with contextlib.suppress(ProcessLookupError):  # the idle one has ended
                os.kill(pid, signal.SIGTERM)
        assert client.response().status == 200
        assert server.wait() == 0


@pytest.mark.parametrize("by_path", [False, True], ids=["tcp", "unix"])
def test_a_server_that_stops_lets_nobody_wait_for_it(site: Site, by_path: bool) -> None:
    """Its address is free while its last requests go on: who comes then is refused at
    once, or served by who follows."""
    path = site.folder / "server.sock"
    bind = ("--bind", f"unix:{path}") if by_path else ()
    server = Command(
        *("site_app:app", "--workers", "2", *bind),
        cwd=site.folder,
        bind=None if by_path else "127.0.0.1:0",
    )
    with server:
        wait_ready(server, 2)
        address = str(path) if by_path else ("127.0.0.1", server.port)
        with Client(address) as client:
            client.send(get("/") + get("/long"))
            client.response()
            server.signal(signal.SIGTERM)
            wait_until(lambda: (None, is_refused(address)))
            assert not by_path or not path.exists()
            assert ready(server) != []
            server.signal(signal.SIGQUIT)


def is_refused(address: str | tuple[str, int]) -> bool:
    try:
        Client(address).close()
    except (ConnectionRefusedError, FileNotFoundError):
        return True
    return False


def test_sigint_is_quick(site: Site) -> None:
    with site.serve("--workers", "2") as server, server.client() as client:
        wait_ready(server, 2)
        client.send(raw.get("/long"))
        ask(server)
        server.signal(signal.SIGINT)
        assert server.wait() == 0


def test_a_second_signal_makes_a_slow_stop_quick(site: Site) -> None:
    with site.serve() as server, server.client() as client:
        wait_ready(server, 1)
        client.send(raw.get("/long"))
        ask(server)
        server.signal(signal.SIGTERM)
        server.wait_line("stopping: finishing requests")
        server.signal(signal.SIGINT)
        assert server.wait() == 0


def test_a_worker_that_does_not_end_is_killed(site: Site) -> None:
    with site.serve("--graceful-timeout", "0.1") as server:
        (worker,) = wait_ready(server, 1)
        os.kill(worker, signal.SIGSTOP)
        server.signal(signal.SIGTERM)
        server.signal(signal.SIGQUIT)
        server.said(f"worker {worker} is killed: it took too long")
        assert server.wait() == 0


def test_a_worker_that_does_not_start_in_time_is_killed(site: Site) -> None:
    (site.folder / "site_app.py").write_text("import time; time.sleep(60)\n")
    with site.serve("--startup-timeout", "0.2") as server:
        assert server.wait() == 3
    log = "\n".join(server.lines)
    assert "is killed: it took too long" in log
    assert "no worker boots: stopping" in log


def test_s35_each_worker_is_counted_for_itself(site: Site) -> None:
    """One import that fails ends no server whose others work."""
    program = (site.folder / "site_app.py").read_text()
    once = "import os\nif os.path.exists('once'):\n    os.unlink('once')\n    1 / 0\n"
    (site.folder / "site_app.py").write_text(once + program)
    (site.folder / "once").touch()
    with site.serve("--workers", "3") as server:
        wait_ready(server, 3)
        server.said("exited with status 4")
        assert ask(server)[0] == "1"


def test_run_with_workers() -> None:
    code = (
        "import celadon.patch; celadon.patch.all()\n"
        "import celadon; from tests.apps.probe import app\n"
        "celadon.run(app, bind='127.0.0.1:0', workers=2); print('after')"
    )

    with Started(sys.executable, "-c", code) as server:
        wait_ready(server, 2)
        answers = [server.request(raw.get("/sleep?s=0.01")).body for _ in range(4)]
        assert answers == [b"slept"] * 4
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
    assert server.out == ["after"], "workers do not go on with the script"


def test_workers_are_pinned_by_option(site: Site) -> None:
    allowed = os.sched_getaffinity(0)
    with site.serve("--workers", "2", "--worker-affinity") as server:
        workers = wait_ready(server, 2)
        cpus = [os.sched_getaffinity(pid) for pid in workers]
        assert [len(each) for each in cpus] == [1, 1]
        assert len(set.union(*cpus)) == min(2, len(allowed))
        assert os.sched_getaffinity(server.process.pid) == allowed
    with site.serve() as server:
        [pid] = wait_ready(server, 1)
        assert os.sched_getaffinity(pid) == allowed


@pytest.mark.row("T31")
def test_a_worker_that_dies_in_its_drain_is_not_replaced(site: Site) -> None:
    with site.serve("--workers", "2") as server, server.client() as client:
        client.send(raw.get("/"))
        busy = int(client.response().body.split()[1])
        client.send(raw.get("/long"))
        old = wait_ready(server, 2)
        server.signal(signal.SIGHUP)
        # It is the only old one that is left, and in its drain.
        wait_until(
            lambda: (r := ready(server), len(r) == 3 and set(r) & set(old) == {busy})
        )
        server.kill(busy)
        new = wait_ready(server, 2)
        assert not set(new) & set(old)
        # A second reload would come after a worker that is on its way.
        server.signal(signal.SIGHUP)
        renewed(server, new)
        assert sum("is ready" in line for line in server.lines) == 6


@pytest.mark.row("T31")
def test_reloads_leak_no_descriptor_and_no_thread(site: Site) -> None:
    """Neither in the master nor, by inheritance, in workers."""

    def held(pid: int) -> tuple[int, int]:
        folder = Path(f"/proc/{pid}")
        return len(list((folder / "fd").iterdir())), len(
            list((folder / "task").iterdir())
        )

    def renew(old: list[int]) -> list[int]:
        server.signal(signal.SIGHUP)
        return renewed(server, old)

    with site.serve() as server:
        workers = renew(wait_ready(server, 1))
        before = held(server.process.pid), held(workers[0])
        for _ in range(5):
            workers = renew(workers)
        # A worker that has just ended may not be reaped yet.
        wait_until(
            lambda: (
                now := (held(server.process.pid), held(workers[0])),
                all(
                    a <= b
                    for n, o in zip(now, before, strict=True)
                    for a, b in zip(n, o, strict=True)
                ),
            )
        )
