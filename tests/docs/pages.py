"""Pages of the documentation, and the blocks of code in them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt

from tests.support.servers import ROOT

# The first line of a block names the file that the block is.
_FILE = re.compile(r"# (\.?[\w./-]+\.(?:py|toml|ini)|\.coveragerc)\n")
_COMMAND = re.compile(r"((?:.*\\\n)*.*(?:\n +#.*)*)\n?((?:.*\n?)*)")


@dataclass(frozen=True)
class Block:
    """Code of a page. Without a language it was not fenced, or says none."""

    language: str
    text: str
    line: int

    @property
    def file(self) -> str:
        """The file that it is to be written to, if it names one."""
        found = _FILE.match(self.text)
        return found[1] if found else ""

    @property
    def commands(self) -> list[tuple[str, str]]:
        """Of a console: each command, and what is shown below it."""
        found = []
        for part in re.split(r"^\$ ", self.text, flags=re.MULTILINE)[1:]:
            # A command goes on behind a backslash, its comment on the next line.
            command, shown = _COMMAND.fullmatch(part).groups()  # type: ignore[union-attr]
            found.append((command, shown))
        return found


@dataclass(frozen=True)
class Page:
    path: Path

    @property
    def name(self) -> str:
        return str(self.path.relative_to(ROOT))

    @property
    def text(self) -> str:
        return self.path.read_text()

    @property
    def blocks(self) -> list[Block]:
        return [
            Block(token.info.strip(), token.content, (token.map or [0])[0] + 1)
            for token in MarkdownIt().parse(self.text)
            if token.type in ("fence", "code_block")
        ]


PAGES = [
    Page(path)
    for path in (
        *(ROOT / name for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md")),
        *sorted((ROOT / "docs").rglob("*.md")),
    )
]
