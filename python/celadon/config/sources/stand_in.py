"""A configuration file may import gunicorn and the worker of uvicorn, which need not be
installed any more."""

from __future__ import annotations

import importlib.util
import logging
import sys
import types
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any, ClassVar


class Logger:
    """What subclasses of gunicorn's Logger find: constructor and error log."""

    def __init__(self, cfg: object) -> None:
        self.cfg = cfg
        self.error_log = logging.getLogger("gunicorn.error")
        self.access_log = logging.getLogger("gunicorn.access")


class Worker:
    """What subclasses of gunicorn's workers find."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        raise RuntimeError("gunicorn, whose worker this is made of, is not installed")


class Arbiter:
    """Likewise, of its master."""

    WORKER_BOOT_ERROR = 3


class UvicornWorker(Worker):
    """Likewise, of uvicorn's."""

    CONFIG_KWARGS: ClassVar[dict[str, Any]] = {"loop": "auto", "http": "auto"}


class UvicornH11Worker(UvicornWorker):
    """Likewise."""

    CONFIG_KWARGS: ClassVar[dict[str, Any]] = {"loop": "asyncio", "http": "h11"}


for _each in (UvicornWorker, UvicornH11Worker):
    _each.__module__ = "uvicorn.workers"


def gunicorn() -> AbstractContextManager[None]:
    """While it lasts ``import gunicorn`` works; without effect where it is installed."""
    return _there(
        "gunicorn",
        {
            "gunicorn": {"__version__": "23.0.0"},
            "gunicorn.glogging": {"Logger": Logger},
            "gunicorn.config": {},
            "gunicorn.arbiter": {"Arbiter": Arbiter},
            "gunicorn.workers": {},
            "gunicorn.workers.base": {"Worker": Worker},
        },
    )


@contextmanager
def uvicorn() -> Iterator[None]:
    """Likewise ``uvicorn.workers`` and ``uvicorn_worker``."""
    workers = {
        "UvicornWorker": UvicornWorker,
        "UvicornH11Worker": UvicornH11Worker,
    }
    with (
        _there("uvicorn", {"uvicorn": {}, "uvicorn.workers": workers}),
        _there("uvicorn_worker", {"uvicorn_worker": workers}),
    ):
        yield


@contextmanager
def _there(name: str, modules: Mapping[str, Mapping[str, Any]]) -> Iterator[None]:
    if name in sys.modules or importlib.util.find_spec(name) is not None:
        yield
        return
    for each, content in modules.items():
        module = types.ModuleType(each)
        vars(module).update({"__path__": [], **content})
        parent, _, own = each.rpartition(".")
        if parent:
            setattr(sys.modules[parent], own, module)
        sys.modules[each] = module
    try:
        yield
    finally:
        for each in modules:
            sys.modules.pop(each, None)
