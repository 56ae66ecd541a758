"""What make is told by its user: nothing of his is lost, and what is wrong is said."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.servers import ROOT

Done = subprocess.CompletedProcess[str]


def run(*command: str | Path, cwd: Path = ROOT, **environment: str) -> Done:
    ours = {k: v for k, v in os.environ.items() if k not in ("BUILD", "JOBS", "VENV")}
    return subprocess.run(
        command, cwd=cwd, env={**ours, **environment}, capture_output=True, text=True
    )


def make(*words: str, **environment: str) -> Done:
    return run("make", "--no-print-directory", *words, **environment)


# --- the environment ---


def venv(folder: str, cwd: Path, python: str = sys.executable) -> Done:
    return run(ROOT / "tools/venv.sh", cwd=cwd, VENV=folder, PYTHON=python)


def test_a_folder_of_something_else_is_no_environment(tmp_path: Path) -> None:
    mine = tmp_path / "mine/deep/file"
    mine.parent.mkdir(parents=True)
    mine.write_text("precious")
    for name in (".", "mine", str(tmp_path / "mine")):
        done = venv(name, tmp_path)
        assert done.returncode == 1
        assert f"{name} holds something" in done.stderr
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [mine]


@pytest.mark.slow("environments of Python are made, with pip")
def test_an_environment_is_made_once_and_to_its_end(tmp_path: Path) -> None:
    folder = tmp_path / "an environment"
    sign, pip = folder / "sign", [folder / "bin/python", "-m", "pip", "--version"]

    def refresh() -> bool:
        """Whether it was made anew."""
        sign.touch()
        done = venv(folder.name, tmp_path)
        assert done.returncode == 0, done.stderr
        assert run(*pip).returncode == 0
        return not sign.exists()

    assert venv(folder.name, tmp_path).returncode == 0
    assert not refresh()
    # It was interrupted: there is a Python, and no pip.
    mark = folder / ".made"
    mark.write_text("")
    for found in folder.rglob("site-packages/pip"):
        shutil.rmtree(found)
    assert refresh()
    assert not refresh()
    # It is somebody else's: it is used, whatever made it.
    mark.unlink()
    assert not refresh()
    assert not mark.exists()


def test_an_environment_that_another_python_made_is_made_anew(tmp_path: Path) -> None:
    mine, folder = tmp_path / "python", tmp_path / "env"
    # pip would take most of the time.
    mine.write_text(
        f"""#!/bin/sh
[ "$2" = venv ] && set -- "$@" --without-pip
exec {shlex.quote(sys.executable)} "$@"
"""
    )
    mine.chmod(0o755)
    folder.mkdir()
    for made_by, is_anew in (("another one\n", True), (None, False)):
        if made_by is not None:
            (folder / ".made").write_text(made_by)
        (folder / "sign").touch()
        done = venv(folder.name, tmp_path, python=str(mine))
        assert done.returncode == 0, done.stderr
        assert run(folder / "bin/python", "-c", "pass").returncode == 0
        assert (folder / "sign").exists() is not is_anew


def test_a_python_that_does_not_run_is_named(tmp_path: Path) -> None:
    done = venv("env", tmp_path, python="python2.99")
    assert done.returncode == 1
    assert "python2.99 does not run" in done.stderr
    assert [*tmp_path.iterdir()] == []


# --- a folder elsewhere ---


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A small one, with the script that copies it."""
    folder = tmp_path / "checkout"
    (folder / "tools").mkdir(parents=True)
    for name in ("tools/copy_sources.py", "tools/sources.sh"):
        shutil.copy(ROOT / name, folder / name)
    (folder / "README.md").write_text("ours")
    return folder


def copy(checkout: Path, target: str | Path) -> Done:
    script = checkout / "tools/copy_sources.py"
    return run(sys.executable, "-B", script, target, cwd=checkout)


def test_sources_are_copied_to_no_folder_of_something_else(checkout: Path) -> None:
    mine = checkout.parent / "mine"
    mine.mkdir()
    (mine / "README.md").write_text("precious")
    for target, problem in (
        (mine, "holds something else"),
        (checkout.parent, "not outside of"),
        (".", "not outside of"),
        ("below/it", "not outside of"),
    ):
        done = copy(checkout, target)
        assert done.returncode == 1
        assert problem in done.stderr
    assert (mine / "README.md").read_text() == "precious"
    assert sorted(path.name for path in checkout.iterdir()) == ["README.md", "tools"]


def test_a_copy_that_was_interrupted_goes_on(checkout: Path) -> None:
    target = checkout.parent / "a copy"
    assert copy(checkout, target).returncode == 0
    (target / "README.md").unlink()
    (checkout / "new").touch()
    (checkout / "README.md").rename(checkout / "old")
    assert copy(checkout, target).returncode == 0
    names = {path.name for path in target.iterdir()}
    assert names == {".sources", "tools", "new", "old"}
    # What is known before the first file is there.
    shutil.rmtree(target)
    target.mkdir()
    (target / ".sources").write_text("old\n")
    assert copy(checkout, target).returncode == 0
    assert (target / "old").read_text() == "ours"


def test_files_of_which_there_are_none_are_an_error(checkout: Path) -> None:
    """Who looks at all of none would find them good."""
    done = run("bash", checkout / "tools/sources.sh", "*.md", cwd=checkout)
    assert (done.returncode, done.stdout) == (0, "README.md\n")
    done = run("bash", checkout / "tools/sources.sh", "src/*.cc", cwd=checkout)
    assert (done.returncode, done.stdout) == (1, "")
    assert "no file is like src/*.cc" in done.stderr


# --- words of make ---


@pytest.mark.parametrize("jobs", ["0", "-1", "many"])
def test_no_compilers_or_any_number_of_them_is_a_mistake(jobs: str) -> None:
    for done in (make("-n", "asan", f"JOBS={jobs}"), make("-n", "asan", JOBS=jobs)):
        assert done.returncode == 2
        assert f"JOBS={jobs}: how many" in done.stderr


def test_words_that_say_nothing_are_the_defaults() -> None:
    said = make("-n", "cc", "JOBS=", "VENV=", "BUILD=").stdout
    assert said == make("-n", "cc").stdout
    assert '--venv ".venv" --jobs ' in said


def test_a_home_that_the_shell_left_alone(tmp_path: Path) -> None:
    said = make("-n", "cc", "VENV=~/of mine", HOME=str(tmp_path)).stdout
    assert f'--venv "{tmp_path}/of mine"' in said
    said = make("-n", "cc", "BUILD=~/there", HOME=str(tmp_path)).stdout
    assert f'copy_sources.py "{tmp_path}/there"' in said


def test_variables_for_other_pythons_change_nothing() -> None:
    odd = {"PYTHONSAFEPATH": "1", "PYTHONPATH": "/nowhere", "PYTHONHOME": "/nowhere"}
    done = make("lint", "ARGS=--help", **odd)
    assert done.returncode == 0, done.stderr
    assert "--workers" in done.stdout


@pytest.mark.parametrize("name", ["test-pythons", "test-cpython"])
def test_a_python_that_is_none_of_ours_is_named(name: str) -> None:
    for words in (("2.7",), ("3.11", "3.16")):
        done = run(ROOT / f"tools/{name}.sh", *words)
        assert (done.returncode, done.stdout) == (2, "")
        assert f"no CPython {words[-1]} here" in done.stderr
