"""`[::]` serves IPv4 as well, as gunicorn's does, where nobody else does so on its port."""

from __future__ import annotations

from pathlib import Path

import pytest
from celadon.config.values.addresses import is_for_v6_only

from tests.support import raw
from tests.support.machine import free_port, ipv6
from tests.support.raw import Client
from tests.support.servers import Command

SOURCE = """
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [environ["REMOTE_ADDR"].encode()]
"""
APP = "site_of_all:app"
LOOPBACKS = ("127.0.0.1", "::1")


def ask(host: str, port: int) -> str:
    with Client((host, port)) as client:
        client.send(raw.get())
        return client.response().body.decode()


@pytest.fixture(autouse=True)
def site(tmp_path: Path) -> Path:
    ipv6()
    (tmp_path / "site_of_all.py").write_text(SOURCE)
    return tmp_path


@pytest.mark.row("S22")
@pytest.mark.parametrize("workers", ["1", "2"])
def test_every_address_of_ipv6_is_one_of_ipv4_too(site: Path, workers: str) -> None:
    options = ("-w", workers, "--admin-bind", "[::]:0")
    with Command(APP, *options, bind="[::]:0", cwd=site) as server:
        admin = int(server.said(r"admin pages at http://\[::\]:(\d+)")[1])
        for host in LOOPBACKS:
            # An IPv4 client has its own address, not one that is mapped.
            assert ask(host, server.port) == host
            with Client((host, admin)) as client:
                client.send(raw.get("/metrics"))
                assert client.response().status == 200


@pytest.mark.row("S22")
def test_both_families_on_one_port_in_either_order(site: Path) -> None:
    for order in (1, -1):
        port = free_port()
        first, second = (f"0.0.0.0:{port}", f"[::]:{port}")[::order]
        with Command(APP, "--bind", first, bind=second, cwd=site) as server:
            assert server.port == port
            for host in LOOPBACKS:
                assert ask(host, port) == host


def test_who_leaves_ipv4_to_another() -> None:
    binds = ["[::]", "0.0.0.0:81", "[::]:81", "[::1]:82", "unix:/x:83", "[::]:83"]
    binds += [":0", "[::]:0", "localhost", "fd://3"]
    alone = {each for each in binds if is_for_v6_only(each, binds)}
    assert alone & {each for each in binds if each[0] == "["} == {"[::]", "[::]:81"}
