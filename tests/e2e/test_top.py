"""`celadon top`, in a pseudo-terminal and for scripts."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from celadon.command.top.screen import with_place

from tests.support import raw
from tests.support.load import FOREVER, Load
from tests.support.servers import CELADON, TIMEOUT, Command
from tests.support.site import wait_ready
from tests.support.terminal import Terminal

PROGRAM = [CELADON, "top"]


@pytest.fixture
def socket(tmp_path: Path) -> str:
    return str(tmp_path / "control")


@pytest.fixture
def server(socket: str, tmp_path: Path) -> Iterator[Command]:
    options = ("--control-socket", socket, "--admin-bind", "127.0.0.1:0")
    env = {"ENOUGH": str(tmp_path / "enough")}
    with Command("tests.apps.measured:app", "-w", "2", *options, env=env) as running:
        wait_ready(running, 2)
        yield running


def test_a_narrow_screen_shows_the_end_of_a_place() -> None:
    """Which file and function it is, not in which folder all of them are."""
    place = "/home/somebody/projects/shop/orders.py:12 in total"
    assert with_place("  1 x ", place, None) == f"  1 x {place}"
    assert with_place("  1 x ", place, 200) == f"  1 x {place}"
    shown = with_place("  1 x ", place, 40)
    assert shown == "  1 x " + "…" + place[-33:]
    assert len(shown) == 40


def test_it_shows_load_workers_and_what_blocks(
    server: Command, socket: str, tmp_path: Path
) -> None:
    with Terminal(*PROGRAM, "--control-socket", socket, "--interval", "0.2") as top:
        top.wait(r"celadon: serving, up .*, 2 workers")
        with Load(server, FOREVER):
            top.wait(r"requests [1-9][\d.]*/s")
            top.wait(r"p99 <?\d")
        with server.client() as client:
            client.send(raw.get("/hold"))
            top.wait(r"HELD +")
            top.wait(r"HELD THE LOOP[\s\S]*measured\.py:\d+ in work")
            (tmp_path / "enough").touch()
            assert client.response().status == 200
        assert server.request(raw.get("/block")).status == 200
        top.wait(r"SLOW REQUESTS[\s\S]*GET /block 200 took \d{4,}")
        top.wait(r"HISTORY[\s\S]*worker \d+ is ready")
        top.press(b"q")
        assert top.process.wait(TIMEOUT) == 0


def test_keys_sort_pick_and_show_stacks(server: Command, socket: str) -> None:
    with Terminal(*PROGRAM, "--control-socket", socket, "--interval", "0.2") as top:
        first, second = re.findall(
            r"(?m)^ +[01] +(\d+) +ready", top.wait(r"(?s).* +1 +\d+ +ready.*")[0]
        )
        top.wait(r"WORKER\*")
        top.press(b"s")
        top.wait(r"PID\*")
        top.press(b"r")
        highest = max(int(first), int(second))
        top.wait(rf"PID\*[^\n]*\n +\d +{highest}")
        top.press(b"\x1b[B")  # down
        top.press(b"\n")
        top.wait(rf"worker \d \(pid {min(int(first), int(second))}\)")
        top.wait("main script")
        top.press(b"\x1b")
        top.wait(r"PID\*")
        top.resize(10, 40)
        top.wait(r"\Aceladon: serving[^\n]*\nrequests ")  # cut, not folded
        top.press(b"q")
        assert top.process.wait(TIMEOUT) == 0


def test_it_waits_for_a_server_that_is_gone(server: Command, socket: str) -> None:
    with Terminal(*PROGRAM, "--control-socket", socket, "--interval", "0.2") as top:
        top.wait("celadon: serving")
        server.stop()
        top.wait("no server answers at")
        top.press(b"q")
        assert top.process.wait(TIMEOUT) == 0


def test_a_terminal_that_is_plain_and_one_that_is_unknown(
    server: Command, socket: str
) -> None:
    with Terminal(*PROGRAM, "--control-socket", socket, kind="vt100") as top:
        top.wait(r"celadon: serving, up .*, 2 workers")
        top.press(b"q")
        assert top.process.wait(TIMEOUT) == 0
    with Terminal(*PROGRAM, "--control-socket", socket, kind="of-tomorrow") as top:
        assert top.process.wait(TIMEOUT) == 2
        top.wait(r"the terminal 'of-tomorrow' is not known here: try TERM=xterm, or --")


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PROGRAM, *words], capture_output=True, text=True, timeout=60
    )


def test_once_for_scripts(server: Command, socket: str) -> None:
    url = server.said(r"admin pages at (http://.*:\d+)")[1]
    with Load(server, FOREVER) as load:
        load.wait_for_more(10)
        for source in (("--control-socket", socket), ("--url", url)):
            done = run("--once", "--json", "--interval", "0.3", *source)
            assert done.returncode == 0, done.stderr
            figures = json.loads(done.stdout)
            assert figures["state"] == "serving"
            assert figures["requests"] > 0
            assert len(figures["workers"]) == 2
            assert sum(each["requests"] for each in figures["workers"]) > 0
    done = run("--once", "--url", url)
    assert "celadon: serving" in done.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--json"], "--json goes with --once"),
        (["--interval", "0", "--once"], "--interval: more than 0"),
        (["--interval", "nan", "--once"], "--interval: expected a duration such as 30"),
        (["--interval", "inf", "--once"], "--interval: expected a duration such as 30"),
        (["nonsense"], "celadon top takes no 'nonsense'"),
        (["--no-control-socket"], "no control socket"),
        (["--control-socket", "/nonexistent"], "this is no terminal"),
    ],
)
def test_wrong_words(words: list[str], said: str) -> None:
    done = run(*words)
    assert done.returncode == 2
    assert said in done.stderr


def test_a_url_where_nobody_answers() -> None:
    done = run("--once", "--url", "http://127.0.0.1:1")
    assert done.returncode == 1
    assert "http://127.0.0.1:1" in done.stderr
