"""The pid file: whose it is, what it is written through, and whom it stops."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from celadon.base import process
from celadon.errors import CeladonError

from tests.support.servers import Started
from tests.support.site import Site, wait_ready


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def start(site: Site) -> Started:
    return Started(
        *(sys.executable, "-m", "celadon", "--bind", "127.0.0.1:0", "--pid", "pid"),
        "site_app:app",
        cwd=site.folder,
    )


def test_s11_the_number_of_another_program_stops_nothing(site: Site) -> None:
    path = site.folder / "pid"
    path.write_text(f"{os.getpid()}\n")
    with start(site) as server:
        wait_ready(server, 1)
        assert int(path.read_text()) == server.process.pid
    assert not path.exists()


def test_s11_a_server_that_lives_stops_the_next_one(site: Site) -> None:
    path = site.folder / "pid"
    with start(site) as server:
        wait_ready(server, 1)
        with start(site) as other:
            other.said(f"process {server.process.pid} is running")
            assert other.wait() == 1
        assert int(path.read_text()) == server.process.pid
        server.kill(server.process.pid)
        server.wait()
    with start(site) as server:  # of one that was killed
        wait_ready(server, 1)
        assert int(path.read_text()) == server.process.pid


def test_s11_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("precious")
    (tmp_path / f".pid.{os.getpid()}").symlink_to(precious)
    (tmp_path / "pid").symlink_to(precious)
    file = process.PidFile(str(tmp_path / "pid"))
    file.write()
    assert precious.read_text() == "precious"
    assert (tmp_path / "pid").read_text() == f"{os.getpid()}\n"
    assert not (tmp_path / "pid").is_symlink()
    file.remove()
    assert {each.name for each in tmp_path.iterdir()} == {
        *("precious", f".pid.{os.getpid()}")
    }


def test_s11_who_cannot_write_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "pid").mkdir()
    with pytest.raises(CeladonError, match="pidfile"):
        process.PidFile(str(tmp_path / "pid")).write()
    assert [each.name for each in tmp_path.iterdir()] == ["pid"]


def test_s11_a_file_that_was_replaced_is_another_ones(tmp_path: Path) -> None:
    path = tmp_path / "pid"
    file = process.PidFile(str(path))
    file.write()
    code = "import sys; from celadon.base import process\nprocess.PidFile(sys.argv[1]).write()"
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True
    )
    assert f"process {os.getpid()} is running" in done.stderr
    path.unlink()
    path.write_text(f"{os.getpid()}\n")
    file.remove()
    assert path.exists()
