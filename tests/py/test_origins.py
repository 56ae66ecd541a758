"""Whose a file of code is, by where it lies."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path

import celadon
import pytest
from celadon.base import origins

from tests.support import raw

PACKAGE = Path(celadon.__file__).parent


def test_by_where_it_lies() -> None:
    assert origins.is_ours(str(PACKAGE / "importer.py"))
    assert not origins.is_ours(f"{PACKAGE}-shop/app.py")
    assert not origins.is_ours(str(PACKAGE.parent / "shop.py"))
    assert origins.is_standard(os.__file__)
    assert origins.is_standard(importlib.__file__)
    assert origins.is_standard("<frozen importlib._bootstrap>")
    for other in (
        pytest.__file__,
        "<string>",
        "/srv/importlib/app.py",
        f"{Path(os.__file__).parent}-shop/app.py",
    ):
        assert not origins.is_standard(other)
        assert not origins.is_ours(other)


@pytest.mark.parametrize("name", ["celadon", "importlib", "site-packages", "a b\tü€"])
def test_a_failing_application_shows_its_frames_wherever_it_lies(
    tmp_path: Path, name: str
) -> None:
    folder = tmp_path / name
    folder.mkdir()
    (folder / "shop.py").write_text("import goods\n")
    (folder / "goods.py").write_text("1 / 0\n")
    done = subprocess.run(
        [sys.executable, "-m", "celadon", "--check-config", "shop:app"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=raw.TIMEOUT,
    )
    assert done.returncode != 0
    for file in ("shop.py", "goods.py"):
        assert f'File "{folder / file}", line 1' in done.stderr
    assert f"{PACKAGE}/" not in done.stderr
    assert "frozen" not in done.stderr
