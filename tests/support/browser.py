"""A real Chromium without a window, from the distribution."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.support.machine import plain_folder, program
from tests.support.raw import TIMEOUT

WIDTHS = {"narrow": 360, "middle": 800, "wide": 1440}
SCHEMES = ("light", "dark")
expect.set_options(timeout=TIMEOUT * 1000)


@contextmanager
def chromium() -> Iterator[Browser]:
    # Its folder of temporary files has a socket, whose path may not be long.
    with plain_folder("celadon-chromium-") as folder:
        with patch.dict(os.environ, TMPDIR=str(folder)):
            yield from _chromium()


def _chromium() -> Iterator[Browser]:
    with sync_playwright() as play:
        # Its own sandbox refuses root, whom tests may be run by.
        browser = play.chromium.launch(
            executable_path=program("chromium", "chromium"), args=["--no-sandbox"]
        )
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Watched:
    """A page, with all that went wrong there and all that it asked for."""

    page: Page
    problems: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    received: int = 0  # bytes of its files

    def violations(self) -> list[tuple[str, str]]:
        """What axe-core minds: each rule, and the first element that breaks it."""
        found = Axe().run(self.page).response["violations"]
        return [(each["id"], each["nodes"][0]["html"]) for each in found]


@contextmanager
def watched(browser: Browser, url: str, **context: Any) -> Iterator[Watched]:
    """`url` in a context of its own; options as Playwright has them."""
    opened = browser.new_context(**context)
    opened.set_default_timeout(TIMEOUT * 1000)
    page = opened.new_page()
    seen = Watched(page)
    page.on("pageerror", lambda error: seen.problems.append(str(error)))
    page.on(
        "console",
        lambda message: (
            seen.problems.append(message.text)
            if message.type in ("error", "warning")
            else None
        ),
    )
    page.on("request", lambda request: seen.asked.append(request.url))

    def count(response: Any) -> None:
        kind = response.headers.get("content-type", "")
        if "text/event-stream" not in kind:  # which has no end
            seen.received += len(response.body())

    page.on("response", count)
    page.goto(url)
    try:
        yield seen
    finally:
        opened.close()
