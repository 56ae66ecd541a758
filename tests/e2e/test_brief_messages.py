"""What an application gave by mistake is quoted by its beginning, however long it is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.raw import get
from tests.support.servers import ROOT, Command

APP = """
LONG = "x" * 3_000_000
class Long:
    def __repr__(self): return LONG
class Broken:
    def __repr__(self): raise RuntimeError("its own fault")
def app(environ, start_response):
    path = environ["PATH_INFO"][1:]
    status, headers = "200 OK", []
    if path == "status": status = LONG
    if path == "status-kind": status = Long()
    if path == "headers": headers = LONG
    if path == "header": headers = [LONG]
    if path == "name": headers = [(LONG + " ", "v")]
    if path == "value": headers = [("name", Long())]
    if path == "length": headers = [("Content-Length", LONG)]
    if path == "exc-info": return start_response(status, headers, LONG)
    write = start_response(status, headers)
    if path == "write": write(LONG)
    if path == "text": return [LONG]
    if path == "object": return [Long()]
    if path == "broken": return [Broken()]
    if path == "file": return environ["wsgi.file_wrapper"](open("long.txt"))
    return [b"fine"]
"""
WRONG = {
    "status": "three digits, a space and a reason: str 'xxx",
    "status-kind": "status must be a str, not Long xxx",
    "headers": "headers must be a list, not str 'xxx",
    "header": "a header must be a .name, value. tuple, not str 'xxx",
    "name": "invalid header name: str 'xxx",
    "value": "header name and value must be str: tuple ..name., xxx",
    "length": "malformed or repeated Content-Length: tuple ..Content-Length.",
    "exc-info": "exc_info must be a 3-tuple, not str 'xxx",
    "write": r"write\(\) takes bytes, not str 'xxx",
    "text": "must yield bytes, not str 'xxx",
    "object": "must yield bytes, not Long xxx",
    "broken": "must yield bytes, not Broken$",
    "file": "must yield bytes, not str 'xxx",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Command]:
    folder = tmp_path_factory.mktemp("long")
    (folder / "long_app.py").write_text(APP)
    (folder / "long.txt").write_text("x" * 3_000_000)
    with Command("long_app:app", cwd=folder) as running:
        yield running


@pytest.mark.parametrize("path", WRONG)
def test_what_is_wrong_is_quoted_by_its_beginning(server: Command, path: str) -> None:
    assert server.request(get(f"/{path}")).status == 500
    assert server.wait_line(WRONG[path])
    assert max(map(len, server.lines)) < 500
    assert server.request(get("/")).body == b"fine"


def test_no_message_of_the_core_has_a_whole_repr() -> None:
    """`py::raise_about` bounds what it quotes, `%R` does not."""
    units = [*(ROOT / "src").rglob("*.cc"), *(ROOT / "src").rglob("*.h")]
    whole = re.compile(r'"[^"\n]*(?<!:)%[RSA][^"\n]*"')  # ":%S" is of a time
    assert [found for unit in units for found in whole.findall(unit.read_text())] == []


def test_a_bad_value_of_a_setting_is_quoted_by_its_beginning(tmp_path: Path) -> None:
    (tmp_path / "gunicorn.conf.py").write_text("workers = 'many' * 1_000_000\n")
    with Command("long_app:app", cwd=tmp_path) as server:
        assert server.wait() == 2
        assert server.wait_line("workers: .* not 'manymany.*[.]{3} .gunicorn.conf.py.")
        assert max(map(len, server.lines)) < 500
