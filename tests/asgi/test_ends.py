"""The end of a worker's loop: what is left on it ends, or holds it up for so long."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.support.raw import get
from tests.support.servers import Command, wait_until

APP = """
import asyncio, os, sys, threading, time

tasks = []

def say(word):
    with open("said", "a") as file: file.write(word + " ")

async def ends_well():
    try: await asyncio.sleep(3600)
    finally:
        await asyncio.sleep(0)
        say("ended")

async def holds_out():
    while True:
        try: await asyncio.sleep(3600)
        except asyncio.CancelledError: pass

async def held():
    try: time.sleep(3600)
    finally: say("called")

async def held_plainly():
    tasks.append(asyncio.Task(held()))

async def held_for_good():
    while True:
        try: time.sleep(3600)
        except BaseException: pass

async def short_thread():
    def run():
        say("began")
        time.sleep(0.3)
        say("ran")
    await asyncio.to_thread(run)

async def long_thread():
    def run():
        say("began")
        os.read(os.pipe()[0], 1)
    await asyncio.to_thread(run)

async def failing():
    try: await asyncio.sleep(3600)
    finally: raise ValueError("at its end")

async def leaves():
    try: await asyncio.sleep(3600)
    finally: sys.exit(3)

async def generates():
    try:
        yield 1
        yield 2
    finally: say("closed")

async def half_read():
    global generator
    generator = generates()
    async for _ in generator: break

async def app(scope, receive, send):
    for name in scope["path"][1:].split("+"):
        tasks.append(asyncio.create_task(globals()[name]()))
    await asyncio.sleep(0.01)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "ends.py").write_text(APP)
    return tmp_path


def said(folder: Path) -> list[str]:
    file = folder / "said"
    return file.read_text().split() if file.exists() else []


def end_with(folder: Path, names: str, until: str = "", *options: str) -> list[str]:
    """Stops a server whose application has these tasks: what its log said then."""
    options = ("--interface", "asgi", *options)
    with Command("ends:app", *options, cwd=folder) as server:
        assert server.request(get(f"/{names}")).body == b"ok"
        wait_until(lambda: (said(folder), not until or until in said(folder)))
        before = len(server.lines)
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
        return list(server.lines)[before:]


def test_what_is_left_is_cancelled_and_ends(folder: Path) -> None:
    log = end_with(folder, "ends_well+ends_well")
    assert said(folder) == ["ended", "ended"]
    assert not any("WARN" in line for line in log)


def test_a_call_that_holds_a_task_ends(folder: Path) -> None:
    log = end_with(folder, "held+held+ends_well")
    assert sorted(said(folder)) == ["called", "called", "ended"]
    assert not any("left behind" in line for line in log)


def test_a_call_that_holds_a_task_of_asyncios_own_ends(folder: Path) -> None:
    log = end_with(folder, "held_plainly")
    assert said(folder) == ["called"]
    assert not any("left behind" in line or "ignored" in line for line in log)


def test_what_holds_out_is_named_and_left(folder: Path) -> None:
    log = end_with(folder, "holds_out+ends_well")
    assert said(folder) == ["ended"]
    assert any("holds_out" in line for line in log)


def test_a_call_that_holds_out_is_left(folder: Path) -> None:
    log = end_with(folder, "held_for_good")
    assert any("left behind" in line for line in log)


def test_a_thread_has_its_time_to_end(folder: Path) -> None:
    end_with(folder, "short_thread", "began")
    assert said(folder) == ["began", "ran"]


def test_a_thread_that_does_not_end_is_left(folder: Path) -> None:
    grace = ("--graceful-timeout", "1")
    end_with(folder, "long_thread+ends_well", "began", *grace)
    assert said(folder) == ["began", "ended"]


def test_what_fails_at_the_end_is_logged_and_holds_up_nothing(folder: Path) -> None:
    log = end_with(folder, "failing+ends_well+half_read")
    assert sorted(said(folder)) == ["closed", "ended"]
    assert any("at its end" in line for line in log)


def test_one_that_leaves_takes_nobody_with_it(folder: Path) -> None:
    names = "ends_well+leaves+ends_well+leaves+ends_well+half_read"
    log = end_with(folder, names)
    assert sorted(said(folder)) == ["closed", "ended", "ended", "ended"]
    assert any("SystemExit: 3" in line for line in log)
    assert not any("destroyed" in line for line in log)
