"""Writes the pictures of the dashboard and of `celadon top`, docs/pictures: what the
example does in a minute.

The example is visited by a few people at a time. One view beside it computes, which holds
the loop, and one worker is killed.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from tests.support import raw
from tests.support.browser import SCHEMES, WIDTHS, chromium, watched
from tests.support.load import Crowd
from tests.support.servers import CELADON, ROOT, Command
from tests.support.services import postgres
from tests.support.site import wait_ready
from tests.support.studio import FOLDER, town
from tests.support.terminal import Terminal

COLOURS = "64"
PATHS = ("/", "/", "/courses/1", "/courses/2", "/kiln")
TERMINAL = """
body { background: #16191d; margin: 0; width: max-content }
pre { color: #d6dae0; font: 15px/1.3 "DejaVu Sans Mono", monospace; margin: 0; padding: 20px }
.bold { color: #fff; font-weight: bold }
.under { text-decoration: underline }
.reverse { background: #d6dae0; color: #16191d }
"""
# A view that computes, as somebody would write it.
REPORTS = """
from studio import app


@app.get("/report")
def report():
    return {"sum": sum(n * n % 7 for n in range(6_000_000))}
"""


class Visitors(Crowd):
    """People who look at each page for a while."""

    def __init__(self, server: Command, count: int) -> None:
        self.server = server
        super().__init__(*[self._visit] * count)

    def _visit(self) -> None:
        while not self.stopped.is_set():
            for path in PATHS:
                if self.stopped.wait(0.02):
                    return
                with suppress(OSError, EOFError):  # of the worker that is killed
                    self.server.request(raw.get(path))


@contextmanager
def visited(folder: Path, **env: str) -> Iterator[Command]:
    """The example, with its visitors."""
    shutil.copytree(
        FOLDER, folder, ignore=shutil.ignore_patterns("instance", "__pycache__")
    )
    (folder / "reports.py").write_text(REPORTS)
    options = (
        "-w",
        "3",
        "--admin-bind",
        "127.0.0.1:0",
        "--slow-request",
        "200ms",
        "--watchdog-threshold",
        "250ms",
    )
    with Command("reports:app", *options, cwd=folder, env=env) as server:
        wait_ready(server, 3)
        with Visitors(server, 6):
            yield server


def let_it_burn(server: Command, page: Page) -> None:
    """The minute of which there are pictures."""
    for second in range(60):
        page.wait_for_timeout(1000)
        if second in (20, 35, 50):
            server.request(raw.get("/report"))
        if second == 40:
            os.kill(server.worker, signal.SIGKILL)
    for part, text in {"#blockers": "report", "#events": "SIGKILL"}.items():
        expect(page.locator(part)).to_contain_text(text)


def take(page: Page, path: Path) -> None:
    page.screenshot(path=str(path), full_page=True)
    # It is kept with the source, so it is to be small.
    small = ["pngquant", "--nofs", "--strip", "--force", "--ext", ".png", COLOURS]
    subprocess.run([*small, str(path)], check=True)
    print(f"{path.relative_to(ROOT)}: {path.stat().st_size} bytes", file=sys.stderr)


def take_terminal(
    browser: Browser, terminal: Terminal, folder: Path, path: Path
) -> None:
    terminal.wait(r"HELD THE LOOP[\s\S]*report[\s\S]*HISTORY[\s\S]*SIGKILL")
    page = browser.new_page(viewport={"width": 400, "height": 300})
    # Where it lay for this picture is of no interest.
    shown = terminal.html().replace(str(folder), "/srv")
    shown = re.sub(r"[…/]\S*?(/[^/\s]+/site-packages/)", "…\\1", shown)
    page.set_content(f"<style>{TERMINAL}</style>{shown}")
    take(page, path)


def take_all(browser: Browser, server: Command, parent: Path, target: Path) -> None:
    url = server.said(r"admin pages at (http://.*:\d+)")[1] + "/-/"
    with ExitStack() as stack:
        pages = {}
        for scheme in SCHEMES:
            for name, width in WIDTHS.items():
                view = {"width": width, "height": 900}
                seen = watched(browser, url, color_scheme=scheme, viewport=view)
                pages[f"{scheme}-{name}"] = stack.enter_context(seen).page
        words = (CELADON, "top", "--url", url.removesuffix("/-/"))
        top = stack.enter_context(Terminal(*words, lines=32, columns=130))
        let_it_burn(server, pages["light-wide"])
        take_terminal(browser, top, parent, target / "top.png")
        for name, page in pages.items():
            take(page, target / f"dashboard-{name}.png")


def main() -> None:
    target = ROOT / "docs/pictures"
    target.mkdir(exist_ok=True)
    with ExitStack() as stack:
        parent = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        outside = stack.enter_context(town(0.03))
        database, _ = stack.enter_context(postgres())
        env = {
            "STUDIO_TOWN": f"http://127.0.0.1:{outside.port}",
            "STUDIO_POSTGRES": f"postgresql://celadon@127.0.0.1:{database}/celadon",
        }
        server = stack.enter_context(visited(parent / "studio", **env))
        take_all(stack.enter_context(chromium()), server, parent, target)


if __name__ == "__main__":
    main()
