"""Every setting is named by a test, by its name or by an option of the command line."""

from __future__ import annotations

import re

import pytest
from celadon.config.settings import SETTINGS, Setting

from tests.support.servers import ROOT


@pytest.fixture(scope="module")
def words() -> set[str]:
    """What tests spell, outside of this room, which only compares tables."""
    found: set[str] = set()
    for path in (ROOT / "tests").rglob("*.py"):
        if "house" not in path.relative_to(ROOT).parts:
            found |= set(re.findall(r"[\w-]+", path.read_text()))
    return found


@pytest.mark.parametrize("setting", SETTINGS.values(), ids=SETTINGS)
def test_each_is(setting: Setting, words: set[str]) -> None:
    opposite = "--no-" + setting.name.replace("_", "-")
    assert {setting.name, opposite, *setting.all_flags} & words
