"""The tutorial, done as it says: each step is run, and the result is the example."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import metrics
from tests.support.machine import program
from tests.support.raw import TIMEOUT
from tests.support.servers import ROOT, Command
from tests.support.site import wait_ready

PAGE = ROOT / "docs/tutorial/studio.md"
STUDIO = ROOT / "examples/studio"
SERVE = re.compile(r"((?:\w+=\S+ )*)celadon studio:app ?(.*)")


def keys(node: ast.stmt) -> list[str]:
    """What a statement of a file is known by; an import by each of its names."""
    match node:
        case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
            return [name]
        case ast.Assign(targets=[ast.Name(id=name)]):
            return [name]
        case ast.ImportFrom(module=module, names=names):
            return [f"from {module} import {each.name}" for each in names]
        case ast.Import(names=names):
            return [f"import {each.name}" for each in names]
        case ast.Expr(value=ast.Constant()):
            return ['"""']
        case _:
            return [ast.unparse(node)]


class Source:
    """A Python file that grows, statement by statement."""

    def __init__(self, text: str = "") -> None:
        self.imports: dict[str, str] = {}
        self.rest: dict[str, str] = {}
        self.add(text)

    @property
    def statements(self) -> dict[str, str]:
        return self.imports | self.rest

    def add(self, text: str) -> None:
        """New statements go to the end, new imports behind the imports."""
        for node in ast.parse(text).body:
            is_import = isinstance(node, ast.Import | ast.ImportFrom)
            for key in keys(node):
                known = self.imports if is_import else self.rest
                known[key] = key if is_import else ast.unparse(node)

    def text(self) -> str:
        return "\n".join(self.statements.values()) + "\n"


class Reader:
    """Somebody who does what the page says, in a folder of his own."""

    def __init__(self, folder: Path) -> None:
        program("curl", "curl")
        self._sources: dict[str, Source] = {}
        self._server: Command | None = None
        (folder / "bin").mkdir()
        command = folder / "bin/celadon"
        command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m celadon "$@"\n')
        command.chmod(0o755)
        path = f"{folder}/bin:{os.environ['PATH']}"
        self._env = {**os.environ, "CELADON": str(ROOT), "PATH": path}
        self._folder = folder / "site"
        self._folder.mkdir()

    def write(self, block: str) -> None:
        first, _, code = block.partition("\n")
        name = first.removeprefix("# ")
        self._sources.setdefault(name, Source()).add(code)
        (self._folder / name).write_text(self._sources[name].text())

    def run(self, block: str) -> None:
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, wanted = part.partition("\n")
            if serve := SERVE.fullmatch(command):
                assert not wanted.strip()
                self.serve(serve[1].split(), serve[2])
            else:
                said = self.call(command)
                pattern = re.escape(wanted.strip()).replace(r"\.\.\.", ".*")
                assert re.fullmatch(pattern, said.strip(), re.DOTALL), (
                    f"$ {command}\n{said}\nnot\n{wanted}"
                )

    def serve(self, variables: list[str], options: str) -> None:
        self.stop()
        words = options.replace(":9000", ":0").split()
        env = dict(variable.split("=") for variable in variables)
        self._server = Command("studio:app", *words, cwd=self._folder, env=env)
        wait_ready(self._server, 2 if "--workers" in words else 1)

    def call(self, command: str) -> str:
        if self._server is not None:
            command = command.replace(
                "localhost:8000", f"127.0.0.1:{self._server.port}"
            )
        if "localhost:9000" in command:
            assert self._server is not None
            port = metrics.admin_port(self._server)
            command = command.replace("localhost:9000", f"127.0.0.1:{port}")
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=self._folder,
            env=self._env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=TIMEOUT,
        )
        assert done.returncode in (0, 28), done.stdout  # 28: curl was to stop
        return done.stdout

    def stop(self) -> None:
        if self._server is not None:
            self._server.__exit__(None, None, None)
            self._server = None


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    one = Reader(tmp_path)
    yield one
    one.stop()


def test_each_step_works_and_the_end_is_the_example(reader: Reader) -> None:
    found = re.findall(r"```(python|console)\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len(found) > 20
    for kind, block in found:
        if kind == "python":
            reader.write(block)
        else:
            reader.run(block)
    names = {path.name for path in STUDIO.glob("studio/*.py")}
    assert names == {name.removeprefix("studio/") for name in reader._sources} - {
        "celadon.conf.py"
    }
    for name, source in reader._sources.items():
        wanted = Source((STUDIO / name).read_text()).statements
        ours = source.statements
        if name == "studio/__init__.py":
            wanted['"""'] = ours['"""']  # the example's says how to start it
        assert ours == wanted, name
