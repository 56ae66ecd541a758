"""The dashboard in a real browser."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.support import raw
from tests.support.browser import SCHEMES, WIDTHS, Watched, chromium, watched
from tests.support.load import FOREVER, Load
from tests.support.servers import Command
from tests.support.site import admin_processes, wait_ready
from tests.support.websockets import opened

ADMIN = ("--admin-bind", "127.0.0.1:0")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


def serve(*options: str, **env: str) -> Command:
    return Command("tests.apps.measured:app", "-w", "2", *ADMIN, *options, env=env)


def url_of(server: Command) -> str:
    wait_ready(server, 2)
    return server.said(r"admin pages at (http://.*:\d+)")[1] + "/-/"


def check(seen: Watched, url: str) -> None:
    """Nothing wrong, nothing from elsewhere, nothing that axe-core minds."""
    assert seen.problems == []
    assert {each for each in seen.asked if not each.startswith(url)} == set()
    assert seen.violations() == []


@pytest.mark.slow("axe-core looks at the whole page twice, in a browser without a GPU")
@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("size", WIDTHS)
def test_it_is_readable_everywhere(browser: Browser, scheme: str, size: str) -> None:
    """In both colour schemes and three widths: empty, and when everything is on fire."""
    view = {"width": WIDTHS[size], "height": 900}
    # A busy machine holds loops as well.
    options = ("--slow-request", "10ms", "--watchdog-threshold", "1")
    with serve(*options) as server:
        url = url_of(server)
        with watched(browser, url, color_scheme=scheme, viewport=view) as seen:
            page = seen.page
            expect(page.get_by_role("status")).to_have_text("serving")
            expect(page.locator("#blockers")).to_contain_text("Nothing held a loop")
            check(seen, url)
            server.request(raw.get("/pool"))
            for row in ("main idle connections", "main max", "a server open"):
                expect(page.locator("#pool-table")).to_contain_text(
                    re.compile(row.replace(" ", r"\s*"))
                )
            with Load(server, 1, FOREVER) as load:
                for path in ("/block", "/die"):
                    with server.client() as client:
                        client.send(raw.get(path))
                        client.read_to_end() if path == "/die" else client.response()
                load.wait_for_more(100)
                expect(page.locator("#blockers")).to_contain_text("in work")
            # Few are kept, and each one of the load may be slow.
            server.request(raw.get("/sleep"))
            expect(page.locator("#slow")).to_contain_text("GET /sleep")
            expect(page.locator("#events")).to_contain_text("exited with status 3")
            check(seen, url)
            # No scrolling sideways, but within a table.
            assert page.evaluate(
                "document.documentElement.scrollWidth <= window.innerWidth"
            )


def test_charts_move_and_it_is_small(browser: Browser) -> None:
    with serve() as server:
        url = url_of(server)
        with watched(browser, url) as seen, Load(server, FOREVER):
            chart = seen.page.get_by_role("img", name="Requests per second")
            expect(chart).to_have_attribute(
                "aria-label", re.compile(r"requests \d*[1-9]")
            )
            path = chart.locator("path.c1")
            before = path.get_attribute("d")
            expect(path).not_to_have_attribute("d", before or "")
            check(seen, url)
            assert 0 < seen.received < 100_000
            files = {each.removeprefix(url) for each in seen.asked}
            assert files == {"", "dashboard.css", "dashboard.js", "icon.svg", "events",
                             "may"}  # fmt: skip


def test_what_blocks_is_shown_while_it_does(browser: Browser, tmp_path: Path) -> None:
    """With file and line, the stack behind it, and open to a keyboard."""
    enough = tmp_path / "enough"
    with serve(ENOUGH=str(enough)) as server, server.client() as client:
        with watched(browser, url_of(server)) as seen:
            page = seen.page
            expect(page.get_by_role("status")).to_have_text("serving")
            client.send(raw.get("/hold"))
            place = page.locator("#blockers summary")
            expect(place).to_contain_text("measured.py:")
            expect(page.locator("#worker-table")).to_contain_text("held for")
            place.focus()
            page.keyboard.press("Enter")
            stack = page.locator("#blockers pre")
            expect(stack).to_be_visible()
            expect(stack).to_contain_text("in app")
            enough.touch()
            assert client.response().status == 200
            # What was opened stays open when new figures come.
            before = page.locator("#since").inner_text()
            expect(page.locator("#since")).not_to_have_text(before)
            expect(stack).to_be_visible()
            expect(place).to_be_focused()
            row = page.locator("#blockers tbody tr").first
            expect(row).to_contain_text(re.compile(r"\d s"))


def test_it_says_when_nobody_answers_and_comes_back(browser: Browser) -> None:
    with serve() as server, watched(browser, url_of(server)) as seen:
        status = seen.page.get_by_role("status")
        expect(status).to_have_text("serving")
        [admin] = admin_processes(server)
        os.kill(admin, 9)
        expect(status).to_have_text("no connection to the admin process")
        expect(status).to_have_text("serving")


def test_it_only_looks_unless_control_is_enabled(browser: Browser) -> None:
    with serve() as server, watched(browser, url_of(server)) as seen:
        expect(seen.page.get_by_role("status")).to_have_text("serving")
        expect(seen.page.get_by_role("button")).to_have_count(0)
    with serve("--admin-control") as server:
        url = url_of(server)
        with watched(browser, url) as seen:
            page = seen.page
            page.get_by_role("button", name="Add a worker").click()
            expect(page.locator("#outcome")).to_have_text("Add a worker: done")
            expect(page.locator("#worker-table tbody tr")).to_have_count(3)
            check(seen, url)


def test_a_password_where_it_is_exposed(browser: Browser) -> None:
    options = ("--admin-token", "open sesame", "--admin-allow-ips", "192.0.2.1")
    with serve(*options) as server:
        url = url_of(server)
        login = {"username": "anyone", "password": "open sesame"}
        with watched(browser, url, http_credentials=login) as seen:
            expect(seen.page.get_by_role("status")).to_have_text("serving")
            check(seen, url)
        wrong = {"username": "anyone", "password": "close sesame"}
        with watched(browser, url, http_credentials=wrong) as seen:
            expect(seen.page.locator("body")).to_contain_text("a token is needed")


def test_without_scripts_the_basics_are_a_link_away(browser: Browser) -> None:
    with serve() as server:
        url = url_of(server)
        with watched(browser, url, java_script_enabled=False) as seen:
            seen.page.get_by_role("link", name="state as text").click()
            expect(seen.page.locator("body")).to_contain_text("live yes, ready yes")


TASKS = """
import asyncio
async def app(scope, receive, send):
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
        await receive()
        await receive()
"""


def test_tasks_are_counted(browser: Browser, tmp_path: Path) -> None:
    (tmp_path / "tasks.py").write_text(TASKS)
    with Command("tasks:app", "--lifespan", "off", *ADMIN, cwd=tmp_path) as server:
        url = server.said(r"admin pages at (http://.*:\d+)")[1] + "/-/"
        with watched(browser, url) as seen:
            cards = seen.page.locator("#cards")
            expect(cards).to_contain_text("Connections")
            assert "Tasks" not in cards.inner_text()
            with opened(server, "/"):
                expect(cards).to_contain_text(re.compile(r"Tasks\s*1"))
            expect(cards).to_contain_text(re.compile(r"Tasks\s*0\s*Behind answers\s*0"))


def test_open_websockets_are_counted(browser: Browser) -> None:
    with Command("tests.apps.websockets:app", *ADMIN) as server:
        url = server.said(r"admin pages at (http://.*:\d+)")[1] + "/-/"
        with watched(browser, url) as seen:
            cards = seen.page.locator("#cards")
            expect(cards).to_contain_text("Connections")
            assert "WebSockets" not in cards.inner_text()
            with opened(server, "/echo"):
                expect(cards).to_contain_text(re.compile(r"WebSockets\s*1"))
            expect(cards).to_contain_text(re.compile(r"WebSockets\s*0"))
