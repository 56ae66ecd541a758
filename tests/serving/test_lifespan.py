"""The lifespan of an ASGI application, on the loop of a worker."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import asynccontextmanager
from typing import Any

import fastapi
import pytest
from celadon import aio
from celadon.errors import AppError, AppFailed
from celadon.serving import asgi_loop
from celadon.serving.hosting import Hosted
from celadon.serving.interface import Served
from celadon.serving.lifespan import Lifespan, Phase
from django.conf import settings
from django.core.handlers.asgi import ASGIHandler
from starlette.applications import Starlette

if not settings.configured:
    settings.configure()

STARTED = {"type": "lifespan.startup.complete"}
ENDED = {"type": "lifespan.shutdown.complete"}
NEVER = 3600.0


@pytest.fixture(autouse=True)
def loop() -> Iterator[Any]:
    yield asgi_loop.start()
    asgi_loop.stop()


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Any:
    """The lines of the log."""
    logger = logging.getLogger("celadon")
    logger.addHandler(caplog.handler)
    yield lambda: [record.getMessage() for record in caplog.records]
    logger.removeHandler(caplog.handler)


def of(app: Any, mode: str = "auto") -> Lifespan:
    return Lifespan(app, mode, {})


def test_an_application_is_told_of_both_ends() -> None:
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert asyncio.get_running_loop() is asgi_loop.worker_loop()
        seen.append({**scope})
        scope["state"]["pool"] = 1
        seen.append(await receive())
        await send(STARTED)
        seen.append(await receive())
        await send(ENDED)

    state: dict[str, Any] = {}
    lifespan = Lifespan(app, "auto", state)
    lifespan.start()
    assert lifespan.phase is Phase.UP
    assert state == {"pool": 1}
    lifespan.end(NEVER)
    assert lifespan.phase is Phase.OVER
    assert seen == [
        {
            "type": "lifespan",
            "asgi": {"version": "3.0", "spec_version": "2.0"},
            "state": state,
        },
        {"type": "lifespan.startup"},
        {"type": "lifespan.shutdown"},
    ]


@asynccontextmanager
async def whole(app: Any) -> Any:
    events.append("up")
    yield {"pool": "p"}
    await asyncio.sleep(0)
    events.append("down")


@asynccontextmanager
async def broken(app: Any) -> Any:
    raise ValueError("no database")
    yield


events: list[str] = []


@pytest.mark.parametrize("make", [Starlette, fastapi.FastAPI])
def test_frameworks(make: Any) -> None:
    events.clear()
    lifespan = of(make(lifespan=whole), "on")
    lifespan.start()
    assert lifespan._state == {"pool": "p"}
    assert events == ["up"]
    lifespan.end(NEVER)
    assert events == ["up", "down"]
    with pytest.raises(AppFailed) as raised:
        of(make(lifespan=broken)).start()
    assert raised.value.brief == "lifespan.startup failed: ValueError: no database"
    assert str(raised.value).endswith("\n" + raised.value.brief)


def failing(message: dict[str, str]) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed", **message})

    return app


@pytest.mark.parametrize(
    ("message", "brief"),
    [
        ({"message": "no database"}, "lifespan.startup failed: no database"),
        ({}, "lifespan.startup failed: no message"),
        ({"message": "a\nb\n\n"}, "lifespan.startup failed: b"),
        ({"message": "\udcff"}, r"lifespan.startup failed: \udcff"),
    ],
)
def test_a_start_that_failed_has_its_message(
    message: dict[str, str], brief: str
) -> None:
    with pytest.raises(AppFailed) as raised:
        of(failing(message)).start()
    assert raised.value.brief == brief
    assert not asyncio.all_tasks(asgi_loop.worker_loop())


async def none(scope: Any, receive: Any, send: Any) -> None:
    raise ValueError("http only")


async def returning(scope: Any, receive: Any, send: Any) -> None: ...


async def raising(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    raise ValueError("in the midst")


@pytest.mark.parametrize(
    ("app", "brief", "warned"),
    [
        (none, "the application has no lifespan, and lifespan = on: ValueError", False),
        (returning, "lifespan = on: it returned before lifespan.startup.com", False),
        (raising, "lifespan.startup failed: ValueError: in the midst", True),
        (ASGIHandler(), "has no lifespan, and lifespan = on: ValueError: Dja", False),
    ],
)
def test_one_that_has_none(app: Any, brief: str, warned: bool, said: Any) -> None:
    """It is served where that is not asked for; what it raised in its start is told."""
    lifespan = of(app)
    lifespan.start()
    assert lifespan.phase is Phase.ABSENT
    lifespan.end(NEVER)
    assert any("served without lifespan" in line for line in said()) is warned
    with pytest.raises(AppError, match=brief):
        of(app, "on").start()


@pytest.mark.parametrize("mode", ["auto", "on"])
def test_what_ends_a_program_fails_its_start(mode: str) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise SystemExit("no")

    with pytest.raises(AppFailed, match=r"lifespan.startup failed: SystemExit: no"):
        of(app, mode).start()


def test_off_is_off() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError

    lifespan = of(app, "off")
    lifespan.start()
    lifespan.end(NEVER)
    assert lifespan.phase is Phase.NEW


def test_what_is_said_out_of_turn_is_refused() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        for wrong in (ENDED, {"type": "http.response.start"}):
            with pytest.raises(RuntimeError, match="is not expected now: the lifespan"):
                await send(wrong)
        for wrong in (None, 3, {}, {"type": 1}):
            with pytest.raises(TypeError, match="a message is a dict with a 'type'"):
                await send(wrong)
        await send(STARTED)
        with pytest.raises(
            RuntimeError, match=r"complete' is not expected now.* is up"
        ):
            await send(STARTED)
        await receive()
        await receive()
        await send(ENDED)
        with pytest.raises(RuntimeError, match="is over"):
            await send(ENDED)
        right.append(1)

    right: list[int] = []
    lifespan = of(app, "on")
    lifespan.start()
    lifespan.end(NEVER)
    assert right == [1]


def test_an_end_that_failed_is_told(said: Any) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send(STARTED)
        await receive()
        await send({"type": "lifespan.shutdown.failed", "message": "still open"})

    lifespan = of(app)
    lifespan.start()
    lifespan.end(NEVER)
    assert "lifespan.shutdown failed: still open" in said()


@pytest.mark.parametrize("stubborn", [False, True])
def test_an_end_has_a_limit(said: Any, stubborn: bool) -> None:
    seen = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(STARTED)
        try:
            await asyncio.sleep(NEVER)
        except asyncio.CancelledError:
            seen.append("cancelled")
            if stubborn:
                await asyncio.sleep(NEVER)
            raise

    lifespan = of(app)
    lifespan.start()
    lifespan.end(0.01)
    assert seen == ["cancelled"]
    assert "the application did not answer lifespan.shutdown within 0.01 s" in said()


def test_who_raises_while_it_is_up_is_told_nothing_more(said: Any) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(STARTED)
        raise ValueError

    lifespan = of(app)
    lifespan.start()
    lifespan.end(NEVER)
    assert lifespan.phase is Phase.OVER
    assert "the lifespan of the application failed while it was up" in said()


def test_who_raises_at_the_end_is_told(said: Any) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send(STARTED)
        await receive()
        raise ValueError

    lifespan = of(app)
    lifespan.start()
    lifespan.end(NEVER)
    assert "the lifespan of the application failed at lifespan.shutdown" in said()


def test_one_that_cancels_all_others_at_its_end(said: Any) -> None:
    """As is often written; nobody is there."""
    seen = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send(STARTED)
        await receive()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for other in others:
            other.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        seen.append("down")
        await send(ENDED)

    lifespan = of(app)
    lifespan.start()
    lifespan.end(NEVER)
    assert (lifespan.phase, seen, said()) == (Phase.OVER, ["down"], [])


def test_it_is_over_before_the_loop_is(loop: Any) -> None:
    """Whatever ends the server."""
    asgi_loop.stop()
    seen: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send(STARTED)
        scope["state"]["a"] = 1
        other = asyncio.create_task(asyncio.sleep(NEVER))
        await receive()
        seen.append("told" if not other.done() else "late")
        await send(ENDED)

    with pytest.raises(KeyError):
        with Hosted(Served(app, "asgi"), "auto", lambda: NEVER) as hosted:
            assert hosted.root.options == {"interface": "asgi", "asgi_state": {}}
            hosted.start()
            assert hosted.root.state == {"a": 1}
            running = asgi_loop.worker_loop()
            raise KeyError
    assert seen == ["told"]
    assert running.is_closed()


def test_who_is_to_hurry_once_the_loop_ends_has_nothing_to(loop: Any) -> None:
    """A signal may come at any time."""
    asgi_loop.stop()
    hosted = Hosted(Served(failing({}), "asgi"), "auto", lambda: NEVER)
    hurried = []

    async def hurries() -> None:
        try:
            await asyncio.sleep(NEVER)
        finally:
            hosted.hurry(1.0)
            hurried.append(1)

    with pytest.raises(AppFailed, match="no message"):
        with hosted:
            asgi_loop.worker_loop().create_task(hurries())
            hosted.start()
    assert hurried == [1]


def test_wait_of_synchronous_code_is_on_the_same_loop(loop: Any) -> None:
    async def which() -> Any:
        return asyncio.get_running_loop()

    seen = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(aio.wait(which()))
        await send(STARTED)
        await receive()
        await receive()
        seen.append(await aio.green(aio.wait, which()))
        await send(ENDED)

    lifespan = of(app)
    lifespan.start()
    assert aio.wait(which()) is loop
    lifespan.end(NEVER)
    assert seen == [loop, loop]
    asgi_loop.stop()
    assert aio.wait(which()) is not loop


def test_what_wsgi_serves_has_no_loop() -> None:
    asgi_loop.stop()
    with Hosted(Served(len)) as hosted:
        hosted.start()
        assert hosted.root.options == {"interface": "wsgi", "asgi_state": {}}
        with pytest.raises(RuntimeError):
            asgi_loop.worker_loop()
