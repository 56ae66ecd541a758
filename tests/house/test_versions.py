"""Which CPythons celadon is for is said in one way everywhere, and workflows run all of them."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.servers import ROOT

WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))


def in_shell(script: str, *words: str) -> list[str]:
    read = ". tools/pythons.sh; "
    done = subprocess.run(
        ["bash", "-euc", read + script, "-", *words],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.split("\n")[:-1]


VERSIONS = in_shell('printf "%s\\n" "${ALL_PYTHONS[@]}"')


def test_the_package_names_them() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    prefix = "Programming Language :: Python :: 3."
    named = [each for each in project["classifiers"] if each.startswith(prefix)]
    assert named == [f"{prefix[:-2]}{version}" for version in VERSIONS]
    assert project["requires-python"] == f">={VERSIONS[0]}"


def test_greenlet_is_as_old_as_the_extension_allows() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    found = re.search(
        r'PY_VERSION_HEX >= 0x030E0000 \? "([\d.]+)" : "([\d.]+)"',
        (ROOT / "src/green/switch.cc").read_text(),
    )
    assert found
    assert project["dependencies"] == [
        f"greenlet>={found[2]}; python_version < '3.14'",
        f"greenlet>={found[1]}; python_version >= '3.14'",
    ]


def test_pages_name_them() -> None:
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "Makefile"]
    ends = {
        page.name: set(re.findall(r"\b3\.11\s+to\s+(3\.\d+)", page.read_text()))
        for page in pages
        if page.name != "CHANGELOG.md"
    }
    assert {name: found for name, found in ends.items() if found} == {
        name: {VERSIONS[-1]}
        for name in ("README.md", "index.md", "install.md", "Makefile")
    }


def test_a_verb_takes_all_or_those_that_are_named() -> None:
    script = 'read_versions "$@"; printf "%s\\n" "${VERSIONS[*]}" "${WORDS[*]}"'
    assert in_shell(script) == [" ".join(VERSIONS), ""]
    assert in_shell(script, "3.12", "3.15", "--", "-k", "x") == ["3.12 3.15", "-k x"]
    with pytest.raises(subprocess.CalledProcessError) as refused:
        in_shell(script, "2.7")
    assert "no CPython 2.7 here: one of 3.11" in refused.value.stderr


def jobs() -> dict[str, Any]:
    return {
        name: job
        for path in WORKFLOWS
        for name, job in yaml.safe_load(path.read_text())["jobs"].items()
    }


def test_workflows_run_on_all_of_them() -> None:
    found = {name: job["strategy"]["matrix"]["python"] for name, job in jobs().items()}
    assert found == dict.fromkeys(("test", "wheel", "smoke"), VERSIONS)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflows_are_those_of_the_schema(path: Path) -> None:
    check = [sys.executable, "-m", "check_jsonschema"]
    done = subprocess.run(
        [*check, "--builtin-schema", "vendor.github-workflows", path],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflows_run_what_is_here_and_take_actions_by_their_hash(path: Path) -> None:
    text = path.read_text()
    for script in re.findall(r"\btools/[\w./-]+", text):
        assert (ROOT / script).exists(), script
    actions = re.findall(r"uses: (\S+)", text)
    assert actions
    assert [each for each in actions if not re.search(r"@[0-9a-f]{40}$", each)] == []
