"""The page of the example that lives, in a real browser."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Browser, Locator, expect

from tests.support import raw
from tests.support.browser import SCHEMES, Watched, chromium, watched
from tests.support.machine import free_port
from tests.support.servers import Command
from tests.support.studio import FOLDER as STUDIO

COURSE = "/courses/2"  # which has six places
LIVE = "Live: bookings appear here as they are made."
PART = "Free places are live. Reload the page to see who comes."
LOST = "Not connected: this page may be out of date. Trying again."


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    return {"STUDIO_SQLITE": str(tmp_path / "studio.sqlite3")}


def serve(env: dict[str, str], *options: str, bind: str = "127.0.0.1:0") -> Command:
    return Command("studio:app", *options, cwd=STUDIO, env=env, bind=bind)


def url_of(server: Command) -> str:
    return f"http://127.0.0.1:{server.port}{COURSE}"


def book(server: Command, *names: str) -> None:
    kind = "Content-Type: application/x-www-form-urlencoded"
    for name in names:
        sent = raw.post(COURSE, urlencode({"name": name}).encode(), kind)
        assert server.request(sent).status == 303


def line(seen: Watched) -> Locator:
    """What the page says of its connection."""
    return seen.page.locator("#line")


def who(seen: Watched) -> Locator:
    return seen.page.locator("#who li")


def check(*pages: Watched) -> None:
    """Nothing went wrong, and nothing is in anybody's way."""
    for seen in pages:
        assert seen.problems == []
        assert seen.violations() == []


@pytest.mark.parametrize("scheme", SCHEMES)
def test_who_books_appears_in_every_open_browser(
    browser: Browser, env: dict[str, str], scheme: str
) -> None:
    with (
        serve(env) as server,
        watched(browser, url_of(server), color_scheme=scheme) as one,
        watched(browser, url_of(server), color_scheme=scheme) as other,
    ):
        for seen in (one, other):
            expect(line(seen)).to_have_text(LIVE)
            expect(seen.page.get_by_text("Nobody yet.")).to_be_visible()
        check(one, other)
        book(server, "Ada <3")
        for seen in (one, other):
            expect(who(seen)).to_have_text(["Ada <3"])
            expect(seen.page.locator("#free")).to_have_text("5")
            expect(seen.page.get_by_text("Nobody yet.")).to_be_hidden()
        book(server, *"BCDEF")
        for seen in (one, other):
            expect(who(seen)).to_have_text(["Ada <3", *"BCDEF"])
            expect(seen.page.get_by_text("This course is full.")).to_be_visible()
            expect(seen.page.get_by_role("button")).to_be_disabled()
        check(one, other)


def test_it_lives_through_a_reload_of_the_server(
    browser: Browser, env: dict[str, str]
) -> None:
    with serve(env) as server, watched(browser, url_of(server)) as seen:
        expect(line(seen)).to_have_text(LIVE)
        with seen.page.expect_websocket():  # the next one
            server.signal(signal.SIGHUP)
        book(server, "Ada")
        expect(who(seen)).to_have_text(["Ada"])
        expect(line(seen)).to_have_text(LIVE)
        check(seen)


def test_it_says_when_it_is_not_connected_and_comes_back(
    browser: Browser, env: dict[str, str]
) -> None:
    bind = f"127.0.0.1:{free_port()}"
    with serve(env, bind=bind) as server, watched(browser, url_of(server)) as seen:
        expect(line(seen)).to_have_text(LIVE)
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
        expect(line(seen)).to_have_text(LOST)
        assert seen.violations() == []
        with serve(env, bind=bind) as successor:
            book(successor, "Ada")
            # It would come by itself, but later.
            seen.page.evaluate("dispatchEvent(new Event('online'))")
            expect(who(seen)).to_have_text(["Ada"])
            expect(line(seen)).to_have_text(LIVE)


def test_without_websockets_the_places_live(
    browser: Browser, env: dict[str, str]
) -> None:
    refusing = ("--websocket-origins", "https://elsewhere.example")
    with (
        serve(env, *refusing) as server,
        watched(browser, url_of(server)) as seen,
    ):
        expect(line(seen)).to_have_text(PART)
        book(server, "Ada")
        expect(seen.page.locator("#free")).to_have_text("5")
        assert seen.problems
        assert [each for each in seen.problems if "WebSocket" not in each] == []
        assert seen.violations() == []


def test_without_scripts_it_is_a_page(browser: Browser, env: dict[str, str]) -> None:
    with serve(env) as server:
        book(server, "Ada")
        with watched(browser, url_of(server), java_script_enabled=False) as seen:
            expect(who(seen)).to_have_text(["Ada"])
            expect(seen.page.get_by_role("button", name="Book a place")).to_be_enabled()
            expect(line(seen)).to_have_text("Reload the page to see new bookings.")
