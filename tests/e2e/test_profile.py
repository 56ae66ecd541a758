"""`celadon ctl profile`: where time goes, by greenlet and route."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support import raw
from tests.support.load import FOREVER, Load
from tests.support.servers import CELADON, Command
from tests.support.site import wait_ready
from tests.support.timing import once_right

APP = """
import threading, time
from flask import Flask
app = Flask(__name__)

def compute(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end: pass

@app.get("/burn/<name>")
def burn(name):
    compute(0.03)
    return "1 1"

parked = threading.Event()

@app.get("/park")
def park():
    parked.wait(60)
    return "parked"

@app.get("/go")
def go():
    parked.set()
    return "go"

@app.get("/wait")
def wait():
    time.sleep(2)
    return "waited"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "profiled.py").write_text(APP)
    return tmp_path


def profile(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [CELADON, "ctl", "--control-socket", str(folder / "c"), "profile", *words],
        capture_output=True,
        text=True,
        timeout=60,
    )


def weights(found: dict[str, Any]) -> dict[str, float]:
    return {each["name"]: each["endValue"] for each in found["profiles"]}


@pytest.mark.alone("which lines had the processor")
def test_time_is_attributed_to_route_and_line(folder: Path) -> None:
    options = ("--control-socket", str(folder / "c"))
    with (
        Command("profiled:app", *options, cwd=folder) as server,
        server.client() as waiting,
        Load(server, FOREVER, path="/burn/1?secret"),
    ):
        wait_ready(server, 1)
        waiting.send(raw.get("/park"))
        found: dict[str, Any] = {}

        def measure() -> None:
            done = profile(folder, "1")
            assert done.returncode == 0, done.stderr
            found.update(json.loads(done.stdout))
            burnt = weights(found)["GET /burn/<name>"]
            assert burnt > 0.5
            assert burnt > 0.8 * weights(found)["all"]

        once_right(measure)
        assert found["$schema"].endswith("file-format-schema.json")
        # Who waits is not running.
        assert "GET /park" not in weights(found)
        frames = found["shared"]["frames"]
        assert any(
            each["name"] == "compute" and each["file"].endswith("profiled.py")
            for each in frames
        )
        for each in found["profiles"]:
            assert len(each["samples"]) == len(each["weights"])
            assert max(at for sample in each["samples"] for at in sample) < len(frames)
        assert server.request(raw.get("/go")).status == 200
        assert waiting.response().status == 200


def test_all_greenlets_and_folded(folder: Path) -> None:
    options = ("--control-socket", str(folder / "c"))
    with (
        Command("profiled:app", *options, cwd=folder) as server,
        server.client() as waiting,
    ):
        wait_ready(server, 1)
        waiting.send(raw.get("/wait"))
        done = profile(folder, "0.5", "wall", "folded")
        line = next(
            each for each in done.stdout.splitlines() if each.startswith("GET /wait;")
        )
        stack, count = line.rsplit(" ", 1)
        assert int(count) > 10
        assert "wait (profiled.py:" in stack
        assert stack.endswith(";[sleep]")
        assert waiting.response().status == 200


@pytest.mark.parametrize("words", [["soon"], ["0"], ["1000"], ["1", "2"]])
def test_wrong_words(folder: Path, words: list[str]) -> None:
    options = ("--control-socket", str(folder / "c"))
    with Command("profiled:app", *options, cwd=folder) as server:
        wait_ready(server, 1)
        done = profile(folder, *words)
        assert done.returncode in (1, 2)
        assert "profile" in done.stderr
