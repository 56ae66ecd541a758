"""What pages quote, and what they name beside flags, is there."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest
from celadon.config.settings import SETTINGS

from tests.docs.pages import Page
from tests.support.servers import ROOT

TROUBLESHOOTING = Page(ROOT / "docs/howto/troubleshooting.md")
_C_STRING = r'"(?:[^"\\\n]|\\.)*"'
_WHAT_DIFFERS = r"\.\.\.|\d+"
_FORMAT = r"%[-+.\d]*[sdrfg]"


def texts_of_sources() -> Iterator[str]:
    """What the server has as text, between what it fills in."""
    for path in (ROOT / "src").rglob("*.cc"):
        for found in re.findall(rf"{_C_STRING}(?:\s+{_C_STRING})*", path.read_text()):
            parts = re.findall(_C_STRING, found)
            yield "".join(part[1:-1] for part in parts).replace(r"\"", '"')
    for path in (ROOT / "python/celadon").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield from re.split(_FORMAT, node.value)


@pytest.fixture(scope="module")
def texts() -> list[str]:
    return list(texts_of_sources())


def missing(line: str, texts: list[str]) -> list[str]:
    """The parts of a quoted line that the server does not say."""
    parts = [part.strip() for part in re.split(_WHAT_DIFFERS, line)]
    parts = [part for part in parts if re.search(r"[a-z]", part)]
    assert max(map(len, parts)) > 8, f"that says nothing: {line}"
    return [part for part in parts if not is_said(part, texts)]


def is_said(part: str, texts: list[str]) -> bool:
    """In one piece, or put together of two of which the second one says something."""
    if any(part in text for text in texts):
        return True
    cuts = [(part[: at.start()], part[at.end() :]) for at in re.finditer(" ", part)]
    return any(
        any(head in text for text in texts) and any(tail in text for text in texts)
        for head, tail in cuts
        if len(tail) > 8
    )


def quoted() -> list[str]:
    return [
        line
        for block in TROUBLESHOOTING.blocks
        if block.language == "text"
        for line in block.text.splitlines()
    ]


@pytest.mark.parametrize("line", quoted())
def test_the_server_says_what_is_quoted(line: str, texts: list[str]) -> None:
    assert missing(line, texts) == []


def test_a_line_that_nobody_says_is_noticed(texts: list[str]) -> None:
    assert missing("the loop is held for ... ms at ...", texts) == []
    assert missing("the loop is hold for ... ms at ...", texts) == [
        "the loop is hold for"
    ]


@pytest.mark.parametrize("name", ["from-uwsgi", "from-meinheld"])
def test_the_names_that_take_the_place_of_others_exist(name: str) -> None:
    page = (ROOT / f"docs/howto/{name}.md").read_text()
    rows = re.findall(r"^\|([^|\n]*)\|([^|\n]*)\|", page, re.MULTILINE)
    named = {word for _, ours in rows for word in re.findall(r"`([a-z_]+)`", ours)}
    assert len(named) > 5
    assert named - set(SETTINGS) == set()
