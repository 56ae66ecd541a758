"""Modules are patched when the application imports them (celadon.patch.imports)."""

from __future__ import annotations

from pathlib import Path

from tests.support.green import run_green

DRIVER = """
import sys
sys.path.insert(0, {folder!r})
from importlib.util import find_spec
from celadon.patch.imports import when_imported
seen = []
when_imported("some_driver", seen.append)
"""


def test_a_look_for_the_module_is_not_its_import(tmp_path: Path) -> None:
    (tmp_path / "some_driver.py").write_text("value = 1\n")
    run_green(
        """
        assert find_spec("some_driver") and find_spec("some_driver") and not seen
        import some_driver
        assert seen == [some_driver]
        assert "exec_module" not in vars(some_driver.__spec__.loader)
        when_imported("some_driver", seen.append)
        assert seen == [some_driver, some_driver]
        """,
        prelude=DRIVER.format(folder=str(tmp_path)),
    )


def test_a_failed_import_can_be_repeated(tmp_path: Path) -> None:
    (tmp_path / "some_driver.py").write_text("import sys\nsys.ready\n")
    run_green(
        """
        try: import some_driver
        except AttributeError: pass
        else: raise AssertionError
        assert not seen
        sys.ready = True
        import some_driver
        assert seen == [some_driver]
        """,
        prelude=DRIVER.format(folder=str(tmp_path)),
    )


def test_an_old_finder_of_the_application_is_passed_over(tmp_path: Path) -> None:
    """CPython itself passes over those without `find_spec`, which bottle's had for years."""
    (tmp_path / "some_driver.py").write_text("value = 1\n")
    run_green(
        """
        class Old:
            def find_module(self, name, path=None): pass
        sys.meta_path.insert(0, Old())
        assert find_spec("some_driver") and not seen
        import some_driver
        assert seen == [some_driver]
        """,
        prelude=DRIVER.format(folder=str(tmp_path)),
    )


def test_a_folder_of_the_name_of_a_driver_is_only_that(tmp_path: Path) -> None:
    (tmp_path / "some_driver").mkdir()
    run_green(
        """
        import some_driver
        assert not seen and list(some_driver.__path__)
        """,
        prelude=DRIVER.format(folder=str(tmp_path)),
    )
