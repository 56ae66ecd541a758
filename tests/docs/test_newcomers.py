"""What newcomers type beside the pages is of commands that the pages have (`make try-docs`)."""

from __future__ import annotations

import pytest

from tests.docs.pages import Page
from tests.support.servers import ROOT
from tools.try_docs import newcomers
from tools.try_docs.newcomer import Newcomer, bare

ALL = (newcomers.INSTALL, *newcomers.OTHERS, newcomers.README)


@pytest.mark.parametrize("who", ALL, ids=lambda who: who.name)
def test_what_is_added_belongs_to_a_page(who: Newcomer) -> None:
    pages = [Page(ROOT / name) for name in who.pages]
    commands = {
        bare(command)
        for page in pages
        for block in page.blocks
        if block.language == "console"
        for command, _ in block.commands
    }
    lines = {line for page in pages for line in page.text.splitlines()}
    files = {block.file for page in pages for block in page.blocks}
    assert set(who.added) <= {*who.pages, *commands, *files}
    assert set(who.left_out) <= commands
    assert who.begins_at in {"", *lines}
    for name, said in who.said.items():
        text = Page(ROOT / name).text
        assert [command for command in said if f"`{command}`" not in text] == []
