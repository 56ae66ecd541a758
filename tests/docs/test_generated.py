"""Pages that are made from tables and docstrings are as they would be made now."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from celadon.drivers.known import LIBRARIES

from tests.support.servers import ROOT

REFERENCE = ROOT / "docs/reference"


@pytest.mark.parametrize("name", ["what-blocks", "metrics", "api"])
def test_a_generated_page_is_current(name: str, tmp_path: Path) -> None:
    tool = ROOT / f"tools/gen_{name.replace('-', '_')}.py"
    done = subprocess.run(
        [sys.executable, tool], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    page = (REFERENCE / f"{name}.md").read_text()
    assert page == done.stdout, "`make docs` makes it"


def test_each_library_is_on_its_page() -> None:
    page = (REFERENCE / "what-blocks.md").read_text()
    assert [lib for lib in LIBRARIES if f"| `{lib.module}` |" not in page] == []


def test_each_family_of_metrics_is_on_its_page() -> None:
    """Also one that comes only where something happened."""
    page = (REFERENCE / "metrics.md").read_text()
    names = set()
    for path in (ROOT / "src/module/catalogue.cc", ROOT / "src/admin/scrape.cc"):
        names |= set(
            re.findall(r'"((?:celadon|http_server)_[a-z_]+)"', path.read_text())
        )
    for path in (ROOT / "python/celadon").rglob("*.py"):
        names |= set(
            re.findall(r'"(celadon_[a-z_]+_(?:total|seconds|up))"', path.read_text())
        )
    assert len(names) > 40
    assert [name for name in sorted(names) if f"`{name}`" not in page] == []
