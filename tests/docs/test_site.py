"""The site: each page is found, and each link leads somewhere. Its generator, which looks at
the same in `make docs-site`, is not needed."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from markdown_it import MarkdownIt

from tests.docs.pages import PAGES, Page
from tests.support.servers import ROOT

DOCS = ROOT / "docs"
ids = {"ids": lambda page: page.name}


def navigation(entry: Any) -> Iterator[str]:
    if isinstance(entry, str):
        yield entry
    for part in entry.values() if isinstance(entry, dict) else ():
        yield from navigation(part)
    for part in entry if isinstance(entry, list) else ():
        yield from navigation(part)


def test_the_navigation_has_each_page_once() -> None:
    site = yaml.safe_load((ROOT / "mkdocs.yml").read_text())
    pages = sorted(str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md"))
    assert sorted(navigation(site["nav"])) == pages


def test_the_first_page_leads_to_what_each_reader_wants() -> None:
    found = {target.partition("#")[0] for target in links(Page(DOCS / "index.md"))}
    assert {"tutorial/studio.md", "howto/troubleshooting.md", "install.md"} <= found
    assert {path.name for path in DOCS.glob("howto/from-*.md")} <= {
        Path(f).name for f in found
    }


def links(page: Page) -> Iterator[str]:
    for token in MarkdownIt().parse(page.text):
        for part in token.children or ():
            target = part.attrs.get("href") or part.attrs.get("src")
            if isinstance(target, str) and "://" not in target:
                yield target


def anchors(page: Page) -> set[str]:
    tokens = MarkdownIt().parse(page.text)
    titles = [
        tokens[at + 1]
        for at, token in enumerate(tokens)
        if token.type == "heading_open"
    ]
    texts = ["".join(part.content for part in title.children or ()) for title in titles]
    return {
        re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", text).strip().lower())
        for text in texts
    }


@pytest.mark.parametrize("page", PAGES, **ids)
def test_links_lead_somewhere(page: Page) -> None:
    for target in links(page):
        name, _, anchor = target.partition("#")
        path = (page.path.parent / name).resolve() if name else page.path
        assert path.is_file(), target
        if page.path.is_relative_to(DOCS):
            assert path.is_relative_to(DOCS), f"{target}: the site does not have it"
        assert not anchor or anchor in anchors(Page(path)), target


@pytest.mark.parametrize("page", PAGES, **ids)
def test_lists_stand_apart(page: Page) -> None:
    """The site's Markdown takes a list within a paragraph for its text."""
    text = re.sub(r"^```.*?^```", "", page.text, flags=re.MULTILINE | re.DOTALL)
    lines = text.split("\n")
    bad = [
        line
        for before, line in itertools.pairwise(lines)
        if re.match(r"(- |1\. )", line)
        and before
        and not re.match(r"- |\d+\. | |<!--", before)
    ]
    assert bad == []


def test_the_figures_of_the_readme_are_those_of_their_page() -> None:
    readme, page = (ROOT / "README.md").read_text(), DOCS / "explanation/three-ways.md"
    table = re.search(r"\| celadon \| gunicorn gevent .*?\n\n", readme, re.DOTALL)
    assert table
    figures = re.findall(r"\| ([\d,]+)(?= \|)", table[0])
    assert len(figures) == 15
    assert [f for f in figures if f"| {f} µs |" not in page.read_text()] == []


def test_the_generator_is_pinned() -> None:
    needed = (DOCS / "requirements.txt").read_text().split()
    assert needed
    assert all("==" in each for each in needed)
