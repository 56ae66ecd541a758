"""The documentation says what is so: its code runs, its flags and commands are there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from celadon import control, flags
from celadon.settings import SETTINGS

from tests.support.servers import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs/howto").glob("*.md"))]
# What the reader of a page has in mind.
GIVEN = """
from contextlib import contextmanager
from types import SimpleNamespace
@contextmanager
def _connection():
    yield SimpleNamespace(execute=print)
pool = SimpleNamespace(connection=_connection)
"""
# What is done with what the code of a page makes.
THEN = {
    "logs.md": "import logging.config, celadon.logging\n"
    "logging.config.dictConfig({'version': 1, **logconfig_dict})\n"
    "logging.warning('a line')\n",
    "observing.md": "database()\ncheckout(SimpleNamespace(currency='EUR'))\n"
    "assert health.status() == {'database': 'has not run yet'}\n",
}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_code_of_the_documentation_runs(page: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)
    source = "\n".join([GIVEN, *blocks, THEN.get(page.name, "")])
    done = subprocess.run(
        [sys.executable, "-c", source], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_flags_and_commands_of_the_documentation_exist(page: Path) -> None:
    text = page.read_text()
    known = {option for row in SETTINGS.values() for option in row.all_flags}
    known |= {f"--no-{name[2:]}" for name in known}
    parser = flags.make_parser()
    known |= {option for action in parser._actions for option in action.option_strings}
    known |= {"--url", "--once", "--interval"}  # of `celadon top`
    lines = [line for line in text.splitlines() if "celadon" in line]
    named = {
        flag for line in lines for flag in re.findall(r"(?<![\w-])--[a-z][a-z-]+", line)
    }
    # Of pytest's plugin, and of flask's own command.
    theirs = {"--celadon-concurrency", "--app", "--debug"}
    assert named - known - theirs == set()
    words = set(re.findall(r"celadon ctl ([a-z-]+)", text))
    assert words <= set(control.COMMANDS)
