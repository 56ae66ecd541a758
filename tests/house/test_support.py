"""What tests stand on: what others say and have set does not mislead them."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterable, Iterator

import pytest

from tests.support import daemons, environment, machine
from tests.support.lines import Lines
from tests.support.servers import ROOT, Started
from tests.support.site import wait_ready
from tools.suite.job import EVENTS


def test_what_somebody_has_set_for_others_reaches_no_test() -> None:
    odd = {
        "CELADON_BIND": "unix:/nowhere",
        "PGHOST": "nowhere.invalid",
        "http_proxy": "http://nowhere.invalid",
        "PYTHONPATH": "/nowhere",
        "NOTIFY_SOCKET": "@nowhere",
        "COLUMNS": "20",
    }
    code = "import os, tests.conftest; print(*os.environ)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, **odd},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.split()) >= {"PATH", "CELADON_POISON_STACK"}
    assert set(done.stdout.split()) & set(odd) == set()


@pytest.mark.skipif(os.getuid() != 0, reason="a network of its own needs root")
def test_a_machine_without_ipv6_leaves_out_what_needs_it_by_name() -> None:
    off = "echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6"
    test = "tests/py/test_environ.py::test_en09_ipv6"
    python = shlex.quote(sys.executable)
    script = f"ip link set lo up && {off} && {python} -m pytest -rs {test}"
    done = subprocess.run(
        ["unshare", "--net", "sh", "-c", script],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 skipped" in done.stdout
    assert "this machine lacks IPv6" in done.stdout


def test_lines_of_any_bytes_are_read_to_the_end() -> None:
    with Started("bash", "-c", r"printf 'a\377b\n' >&2; echo end >&2") as server:
        assert server.wait_line(r"a\\xffb")
        assert server.wait_line("end")
        assert server.wait() == 0


def test_a_reader_that_fails_is_waited_for_by_nobody() -> None:
    def broken() -> Iterator[str]:
        yield "one\n"
        raise ValueError("on purpose")

    lines = Lines()
    stream: Iterable[str] = broken()
    with pytest.raises(ValueError, match="on purpose"):
        lines.read(stream)
    assert lines.wait("one")
    with pytest.raises(AssertionError, match="no 'two'"):
        lines.wait("two")


def test_a_service_that_ends_before_it_is_ready_is_not_up() -> None:
    # Its output ends first, it itself when it is told to.
    command = ["bash", "-c", "echo soon; exec >&- 2>&-; exec sleep 1000"]
    with pytest.raises(AssertionError, match="soon"):
        with daemons.daemon(command, None, "ready"):
            pass


@pytest.mark.parametrize(
    ("given", "some"),
    [
        ((32768, 60999), range(20768, 32768)),  # as Linux has it
        ((1024, 65535), range(1024, 65536)),  # all of them
        ((1500, 65535), range(1024, 65536)),  # nearly all
        ((1024, 50000), range(50001, 65536)),
    ],
)
def test_ports_are_those_that_the_system_gives_to_nobody(
    given: tuple[int, int], some: range
) -> None:
    assert machine._ports(*given) == some
    assert machine.free_port() >= 1024


def test_no_variable_of_the_tests_is_taken_for_a_setting_by_servers() -> None:
    # Of those that are kept, and of what a run tells its parts.
    kept = {*re.findall(r"[A-Z_]{5,}", environment._KEPT.pattern), EVENTS}
    assert "FUZZ_SEEDS" in kept
    assert [name for name in kept if name.startswith("CELADON_")] == []


def test_who_waits_for_workers_of_a_server_that_ended_is_told() -> None:
    with Started("sh", "-c", "echo it does not start >&2") as server:
        with pytest.raises(AssertionError, match="it ended\nit does not start"):
            wait_ready(server, 1)
