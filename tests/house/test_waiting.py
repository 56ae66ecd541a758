"""Waits of tests for what a server says: what was there before answers none of them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tests.support.lines import Lines
from tests.support.site import ready, wait_ready


def said(*lines: str) -> Lines:
    """A stream that has ended, so that what is not there is never waited for."""
    found = Lines()
    found.read(f"{line}\n" for line in lines)
    return found


def test_a_line_answers_one_wait() -> None:
    lines = said("one is ready", "two is ready")
    assert lines.wait(r"(\w+) is ready")[1] == "one"
    assert lines.wait(r"(\w+) is ready")[1] == "two"
    with pytest.raises(AssertionError, match="behind line 2"):
        lines.wait("is ready")


def test_lines_in_no_order_are_waited_for_together() -> None:
    lines = said("a", "b", "c", "a")
    lines.wait_all("c", "a")
    assert lines.wait("a")
    with pytest.raises(AssertionError):
        said("b", "a").wait_all("a", "c")


@pytest.mark.parametrize("what", ["forget", "act"])
def test_what_was_said_before_is_no_answer(what: str) -> None:
    lines = said("is ready")
    getattr(lines, what)()
    with pytest.raises(AssertionError, match="behind line 1"):
        lines.wait("is ready")
    assert lines.said("is ready")
    lines.read(["is ready\n"])
    assert lines.wait("is ready")


def test_workers_that_were_ready_before_are_not_waited_for() -> None:
    lines = said("[1] [INFO] worker 7 is ready", "[1] [INFO] worker 8 is ready")
    server: Any = SimpleNamespace(lines=lines)
    assert wait_ready(server, 2) == [7, 8]
    lines.act()
    with pytest.raises(AssertionError):
        wait_ready(server, 2, limit=0)
    lines.read(["[1] [ERROR] worker 7 was killed by SIGKILL\n"])
    with pytest.raises(AssertionError):
        wait_ready(server, 2, limit=0)
    lines.read(["[1] [INFO] worker 9 is ready\n"])
    assert wait_ready(server, 2) == ready(server) == [8, 9]
