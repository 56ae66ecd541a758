"""``worker_class`` of the user's own, made of uvicorn's: gunicorn's configurations with it."""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
from celadon.command import migrate
from celadon.config import Config, load
from celadon.config.sources.collect import collect as collected
from celadon.errors import UsageError

IMPORTED = "from uvicorn.workers import UvicornWorker\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(folder: Path, text: str, name: str = "project/workers.py") -> None:
    file = folder / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(textwrap.dedent(text))


def of(kind: Any, **settings: Any) -> Config:
    return load({"worker_class": kind, **settings}, {})


def notes(config: Config) -> list[str]:
    return [each for each in config.notes if each.startswith("worker_class")]


def test_one_without_uvicorn_in_its_name_is_seen(folder: Path) -> None:
    write(folder, IMPORTED + "class Base(UvicornWorker): pass\nclass Async(Base): pass")
    config = of("project.workers.Async")
    assert config.worker_class == "asgi"
    assert (config.interface, config.sources["interface"]) == ("asgi", "worker_class")
    assert notes(config) == []


def test_it_is_imported_elsewhere(folder: Path) -> None:
    """Not before the standard library is patched, nor twice."""
    write(folder, IMPORTED + "print('noise')\nclass Async(UvicornWorker): pass")
    of("project.workers.Async")
    assert "project" not in sys.modules
    assert "project.workers" not in sys.modules


def test_its_keywords_are_settings(folder: Path) -> None:
    write(
        folder,
        IMPORTED
        + """
class Async(UvicornWorker):
    CONFIG_KWARGS = {
        **UvicornWorker.CONFIG_KWARGS,
        "lifespan": "off",
        "root_path": "/api",
        "timeout_keep_alive": 7,
        "limit_concurrency": 9,
        "ws_max_size": 70,
        "ws_ping_interval": None,
        "ws_ping_timeout": None,
        "timeout_graceful_shutdown": 0,
        "headers": [("X-A", "b")],
        "proxy_headers": False,
        "server_header": False,
        "access_log": False,
        "log_level": "warning",
    }
""",
    )
    config = of("project.workers.Async", keepalive=3, accesslog="-")
    assert config.lifespan == "off"
    assert config.sources["lifespan"] == "CONFIG_KWARGS of project.workers.Async"
    assert (config.root_path, config.keepalive) == ("/api", 7.0)
    assert config.max_concurrent_requests == 9
    assert config.websocket_max_message_size == 70
    assert (config.websocket_ping_interval, config.websocket_ping_timeout) == (0, 0)
    assert config.graceful_timeout == 0.001
    assert config.response_headers == ["X-A: b"]
    assert (config.proxy_headers, config.server_header) == (False, False)
    assert (config.accesslog, config.loglevel) == ("", "warning")
    assert notes(config) == []


def test_what_has_no_effect_is_named_in_one_line(folder: Path) -> None:
    write(
        folder,
        IMPORTED
        + """
class Async(UvicornWorker):
    CONFIG_KWARGS = {"loop": "uvloop", "http": "h11", "ws": "auto", "lifespan": "on",
                     "callback_notify": print}
""",
    )
    config = of("project.workers.Async")
    assert config.lifespan == "on"
    assert notes(config) == [
        "worker_class: CONFIG_KWARGS of project.workers.Async that have no effect: "
        "loop, http, callback_notify"
    ]


def test_what_is_wrong_or_refused_is_said(folder: Path) -> None:
    write(
        folder,
        IMPORTED
        + """
class Async(UvicornWorker):
    CONFIG_KWARGS = {"lifespan": "maybe", "ssl_keyfile": "x"}
""",
    )
    with pytest.raises(UsageError) as caught:
        of("project.workers.Async")
    first, second = caught.value.problems
    assert first.startswith("lifespan: expected one of auto, on, off")
    assert first.endswith("(CONFIG_KWARGS of project.workers.Async)")
    assert second == "keyfile: there is no TLS without certfile"


def test_the_environment_of_celadon_comes_before_them(folder: Path) -> None:
    write(
        folder,
        IMPORTED + "class Async(UvicornWorker): CONFIG_KWARGS = {'lifespan': 'off'}",
    )
    kind = {"worker_class": "project.workers.Async"}
    assert load(kind, {"CELADON_LIFESPAN": "on"}).lifespan == "on"


@pytest.mark.parametrize("setting", ["chdir", "pythonpath"])
def test_it_is_found_where_the_application_is(folder: Path, setting: str) -> None:
    write(folder, IMPORTED + "class Async(UvicornWorker): pass", "src/kinds.py")
    assert of("kinds.Async", **{setting: str(folder / "src")}).interface == "asgi"


def test_a_class_of_the_file_itself(folder: Path) -> None:
    (folder / "gunicorn.conf.py").write_text(
        "from uvicorn_worker import UvicornWorker\nclass Mine(UvicornWorker):\n"
        "    CONFIG_KWARGS = {'lifespan': 'off', 'http': 'h11'}\n"
        "worker_class = Mine\n"
    )
    layers = collected(None, {}, lambda words: {}, folder)
    config = load({}, {}, layers)
    assert (config.interface, config.lifespan) == ("asgi", "off")
    assert notes(config) == [
        "worker_class: CONFIG_KWARGS of __config__.Mine that have no effect: http"
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "class Async: pass",
            "project.workers.Async is not made of uvicorn's worker; a class with a loop",
        ),
        ("Async = 3", "project.workers.Async cannot be imported: it is no class"),
        ("", "cannot be imported: AttributeError: module 'project.workers' has no"),
        (
            "import nowhere",
            "cannot be imported: ModuleNotFoundError: No module named 'nowhere'; write "
            "worker_class = asgi, and what its CONFIG_KWARGS say as settings",
        ),
        ("raise SystemExit", "the process that was to import it: "),
    ],
)
def test_one_that_is_none_says_why(folder: Path, text: str, said: str) -> None:
    write(folder, text)
    with pytest.raises(UsageError) as caught:
        of("project.workers.Async")
    assert said in str(caught.value)


def test_one_of_that_name_which_cannot_be_imported_is_believed(folder: Path) -> None:
    config = of("project.workers.OurUvicornWorker")
    assert config.interface == "asgi"
    assert notes(config) == [
        "worker_class: project.workers.OurUvicornWorker is taken for one of uvicorn's by "
        "its name; its CONFIG_KWARGS are not read: ModuleNotFoundError: No module named "
        "'project'"
    ]


HIDES = """
from importlib.machinery import PathFinder

_HIDDEN = ("uvicorn", "uvicorn_worker", "gunicorn")
_find = PathFinder.find_spec


def find(name, path=None, target=None):
    return None if name.partition(".")[0] in _HIDDEN else _find(name, path, target)


PathFinder.find_spec = staticmethod(find)
"""


@pytest.mark.parametrize(
    "imported", [IMPORTED, "from uvicorn_worker import UvicornWorker\n"]
)
def test_uvicorn_and_gunicorn_may_be_gone(
    folder: Path, imported: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those who come from them take them away."""
    write(folder, HIDES, "sitecustomize.py")
    write(
        folder,
        imported + "class Async(UvicornWorker): CONFIG_KWARGS = {'lifespan': 'off'}",
    )
    monkeypatch.syspath_prepend(str(folder))
    config = of("project.workers.Async")
    assert (config.interface, config.lifespan) == ("asgi", "off")


def test_what_else_it_wants_of_uvicorn_is_missed_by_name(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(folder, HIDES, "sitecustomize.py")
    write(folder, "from uvicorn.config import Config\nclass Async: pass")
    monkeypatch.syspath_prepend(str(folder))
    with pytest.raises(
        UsageError, match=r"No module named .uvicorn\.config.; write work"
    ):
        of("project.workers.Async")


def test_a_file_with_one_is_migrated(folder: Path) -> None:
    write(folder, IMPORTED + "class Async(UvicornWorker): CONFIG_KWARGS = {'ws': 'x'}")
    file = folder / "gunicorn.conf.py"
    file.write_text("worker_class = 'project.workers.Async'\n")
    text = migrate.examine(file.name, folder).text
    assert "  worker_class = 'project.workers.Async'\n" in text
    assert "CONFIG_KWARGS of project.workers.Async that have no effect: ws" in text
    assert "Is refused" not in text
