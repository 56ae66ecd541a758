"""A reload (SIGHUP) with another configuration: addresses, limits, admin settings."""

from __future__ import annotations

import signal
import socket
from pathlib import Path

import pytest

from tests.support import raw
from tests.support.raw import Client, get
from tests.support.servers import Command, wait_until
from tests.support.site import Site, gone, ready, renewed, wait_ready


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def configure(site: Site, text: str) -> None:
    (site.folder / "celadon.toml").write_text(text)


def reload(server: Command) -> None:
    """Returns when the old workers are gone."""
    before = wait_ready(server, 1)
    server.signal(signal.SIGHUP)
    for pid in before:
        wait_until(lambda pid=pid: (None, gone(pid)))  # type: ignore[misc]


def unix(path: Path) -> Client:
    return Client(str(path))


def answers(path: Path) -> bool:
    try:
        with unix(path) as client:
            client.send(get("/"))
            return client.response().status == 200
    except (FileNotFoundError, ConnectionRefusedError, ConnectionResetError):
        return False


def test_addresses_come_and_go(site: Site) -> None:
    one, two = site.folder / "one.sock", site.folder / "two.sock"
    configure(site, f'bind = ["127.0.0.1:0", "unix:{one}"]')
    with Command("site_app:app", bind=None, cwd=site.folder) as server:
        wait_ready(server, 1)
        port = server.port
        assert answers(one)
        with server.client() as kept, unix(one) as idle:
            for client in (kept, idle):
                client.send(get("/"))
                assert client.response().status == 200
            configure(site, f'bind = ["127.0.0.1:0", "unix:{two}"]')
            reload(server)
            server.wait_line(f"listening at .*{two}")
            assert answers(two)
            # Its connections live on; the address does not.
            for client in (kept, idle):
                client.send(get("/"))
                assert client.response().status == 200
            wait_until(lambda: (None, not answers(one)))
            wait_until(lambda: (None, not one.exists()))
        assert server.port == port
        assert server.request(get("/")).status == 200


def test_a_reload_to_an_address_that_is_taken_changes_nothing(site: Site) -> None:
    one = site.folder / "one.sock"
    configure(site, f'bind = ["unix:{one}"]')
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        Command("site_app:app", bind=None, cwd=site.folder) as server,
    ):
        [pid] = wait_ready(server, 1)
        other = site.folder / "other.sock"
        configure(
            site,
            f'bind = ["unix:{other}", "127.0.0.1:{taken.getsockname()[1]}"]',
        )
        server.signal(signal.SIGHUP)
        server.lines.wait_all("the configuration is bad: everything stays", "in use")
        assert answers(one)
        assert not answers(other)
        assert not gone(pid)


def test_s03_as_many_workers_as_a_reload_asks_for(site: Site) -> None:
    with Command("site_app:app", cwd=site.folder) as server:
        [old] = wait_ready(server, 1)
        configure(site, "workers = 20")
        server.signal(signal.SIGHUP)
        assert old not in renewed(server, [old], 20)
        # What there is no room for is refused, and named.
        configure(site, "workers = 300")
        server.signal(signal.SIGHUP)
        server.lines.wait_all("workers: there is room for 6. until", "stays as it is")
        old = ready(server)
        configure(site, "workers = 1")
        server.signal(signal.SIGHUP)
        renewed(server, old, 1)


@pytest.mark.parametrize("surge", [62, 64, 10_000])
def test_s03_no_more_are_added_than_there_is_room_for(site: Site, surge: int) -> None:
    """Nor started at a time by a reload, which is no reason to refuse one."""
    configure(site, f"workers = 1\nreload_surge = {surge}")
    with Command("site_app:app", cwd=site.folder) as server:
        old = wait_ready(server, 1)
        server.signal(signal.SIGHUP)
        old = renewed(server, old)
        for count in range(2, 10):
            server.signal(signal.SIGTTIN)
            wait_ready(server, count)
        server.signal(signal.SIGTTIN)
        server.wait_line("SIGTTIN is ignored: there is room for no more")


def test_s03_as_many_as_there_is_room_for(site: Site) -> None:
    """One more would have no place beside the one that is replaced."""
    with Command("site_app:app", cwd=site.folder) as server:
        [old] = wait_ready(server, 1)
        for count in (64, 1_000):
            configure(site, f"workers = {count}\nreload_surge = 10")
            server.signal(signal.SIGHUP)
            server.wait_line(f"there is room for 63 until a restart, not for {count}")
        assert ready(server) == [old]


def test_time_outs_of_the_master_follow(site: Site) -> None:
    with Command("site_app:app", cwd=site.folder) as server:
        wait_ready(server, 1)
        configure(site, "graceful_timeout = 1\nlimit_request_line = 100\n")
        reload(server)
        assert server.request(get("/" + "x" * 200)).status == 414
        with server.client() as client:
            client.send(get("/long"))
            assert server.request(get("/")).status == 200  # by then it is on its way
            server.signal(signal.SIGTERM)
            # Not after 30 s, which was the setting at first.
            assert server.process.wait(raw.TIMEOUT / 2) == 0


def test_the_admin_pages_move_and_their_settings_follow(site: Site) -> None:
    one, two = site.folder / "one.sock", site.folder / "two.sock"
    configure(site, f'admin_bind = ["unix:{one}"]\nadmin_open = ["live", "stats"]\n')
    with Command("site_app:app", cwd=site.folder) as server:
        wait_ready(server, 1)

        def status(path: Path, page: str) -> int:
            try:
                with unix(path) as client:
                    client.send(get(page))
                    return client.response().status
            except OSError:
                return 0

        wait_until(lambda: (None, status(one, "/-/stats") == 200))
        configure(site, f'admin_bind = ["unix:{one}"]\nadmin_open = ["live"]\n')
        reload(server)
        wait_until(lambda: (s := status(one, "/-/stats"), s == 421))
        assert status(one, "/-/live") == 200
        configure(site, f'admin_bind = ["unix:{two}"]\nadmin_open = ["live"]\n')
        reload(server)
        wait_until(lambda: (None, status(two, "/-/live") == 200))
        assert status(one, "/-/live") == 0
        assert not any("the admin process was killed" in line for line in server.lines)


def test_what_only_a_restart_changes_is_said(site: Site) -> None:
    with Command("site_app:app", cwd=site.folder) as server:
        old = wait_ready(server, 1)
        configure(site, "log_ring = 65536\nworkers = 2\nmetrics_buckets = [1, 2]\n")
        server.signal(signal.SIGHUP)
        lines = "{} changes with a restart, not with a reload"
        server.lines.wait_all(lines.format("log_ring"), lines.format("metrics_buckets"))
        renewed(server, old, 2)
