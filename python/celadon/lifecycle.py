"""What server hooks are given, and how they are called.

`Arbiter` and `Worker` have the attributes that gunicorn's have and configuration files
use.
"""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Callable, Iterable
from typing import Any

from celadon import logging
from celadon._core import green
from celadon.config import Config
from celadon.hooks import HOOKS, Hook, argument_count

_SLOW = 0.1  # seconds that a hook may take in the master before it is mentioned


class Arbiter:
    """The ``server`` of a hook: the master.

    ``cfg`` (settings by name), ``log``, ``pid``, ``address`` (texts), ``num_workers``,
    ``WORKERS`` (`Worker` by pid), ``proc_name``.
    """

    def __init__(self, cfg: Config) -> None:
        self.cfg = cfg
        self.log = logging.logger
        self.pid = os.getpid()
        self.address: list[str] = []
        self.num_workers: int = cfg.workers
        self.WORKERS: dict[int, Worker] = {}

    @property
    def proc_name(self) -> str:
        return str(self.cfg.proc_name)


class Worker:
    """The ``worker`` of a hook.

    ``pid`` is None until the fork; ``age`` counts workers, ``nr`` requests; ``booted``
    once the application is loaded; ``alive`` until it is told to end.
    """

    def __init__(self, age: int, cfg: Config) -> None:
        self.age = age
        self.cfg = cfg
        self.log = logging.logger
        self.pid: int | None = None
        self.ppid = os.getpid()
        self.nr = 0
        self.alive = True
        self.booted = False
        self.app: Any = None
        self.sockets: list[Any] = []

    def __str__(self) -> str:
        return f"<Worker {self.pid}>"


def call(cfg: Config, name: str, *arguments: Any) -> None:
    """Calls the hook `name` where the configuration has one. What it raises comes out."""
    hook = cfg.hooks.get(name)
    if hook is None:
        return
    began = time.monotonic()
    try:
        hook(*arguments)
    finally:
        took = time.monotonic() - began
        if took > _SLOW:
            logging.logger.warning("the hook %s took %.1f s", name, took)


def call_logged(cfg: Config, name: str, *arguments: Any) -> None:
    """Likewise; what it raises is logged, and that is all."""
    try:
        call(cfg, name, *arguments)
    except Exception:
        logging.logger.exception("the hook %s failed", name)


class Request:
    """The ``req`` of a hook."""

    def __init__(self, environ: dict[str, Any]) -> None:
        self.method: str = environ["REQUEST_METHOD"]
        self.uri: str = environ["RAW_URI"]
        self.path: str = environ["PATH_INFO"]
        self.query: str = environ["QUERY_STRING"]
        major, minor = environ["SERVER_PROTOCOL"].removeprefix("HTTP/").split(".")
        self.version = (int(major), int(minor))
        self.headers = [
            (name[5:].replace("_", "-"), value)
            for name, value in environ.items()
            if name.startswith("HTTP_")
        ]
        self.remote_addr = (environ["REMOTE_ADDR"], environ.get("REMOTE_PORT"))
        self.scheme: str = environ["wsgi.url_scheme"]


class Response:
    """The ``resp`` of a hook: ``status``, ``headers``, ``sent`` (bytes)."""

    def __init__(self) -> None:
        self.status = ""
        self.headers: list[tuple[str, str]] = []
        self.sent = 0


def with_request_hooks(app: Any, worker: Worker, cfg: Config) -> Any:
    """`app` with ``pre_request`` and ``post_request`` around it; `app` without them."""
    pre, post = cfg.hooks.get("pre_request"), cfg.hooks.get("post_request")
    if pre is None and post is None:
        return app
    after = _caller(post) if post is not None else None

    def hooked(environ: dict[str, Any], start_response: Any) -> Any:
        worker.nr += 1
        request = Request(environ)
        if pre is not None:
            pre(worker, request)
        if after is None:
            return app(environ, start_response)
        response = Response()

        def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            response.status, response.headers = status, headers
            write = start_response(status, headers, *rest)

            def counted(data: bytes) -> None:
                response.sent += len(data)
                write(data)

            return counted

        exchange = (worker, request, environ, response)
        try:
            body = app(environ, start)
            return _followed(body, exchange, after)
        except BaseException:
            if os.getpid() == worker.pid:  # no child that the application has forked
                after(exchange)
            raise

    return hooked


After = Callable[[Any], None]


def _followed(body: Any, exchange: Any, after: After) -> Any:
    """What to answer with, so that `after` hears of its end. What the server knows the
    length of, or sends as a file, it is given as it is."""
    leftovers = green.job_leftovers()
    length = _length(body, exchange)
    if leftovers is None or length is None:
        return _Answer(body, exchange, after)
    exchange[-1].sent += length
    leftovers[id(exchange)] = functools.partial(after, exchange)
    return body


def _length(body: Any, exchange: Any) -> int | None:
    if type(body) in (list, tuple):
        return sum(map(len, body))
    _, _, environ, response = exchange
    if type(body) is not environ.get("wsgi.file_wrapper"):
        return None
    fields = {name.lower(): value for name, value in response.headers}
    given = fields.get("content-length", "")
    return int(given) if given.isdigit() else None


class _Answer:
    """The application's iterable, whose end is heard of."""

    def __init__(self, body: Iterable[bytes], exchange: Any, after: After) -> None:
        self._body = body
        self._parts = iter(body)
        self._exchange = exchange
        self._after = after

    def __iter__(self) -> _Answer:
        return self

    def __next__(self) -> bytes:
        part = next(self._parts)
        self._exchange[-1].sent += len(part)
        return part

    def close(self) -> None:
        try:
            if hasattr(self._body, "close"):
                self._body.close()
        finally:
            self._after(self._exchange)


def _caller(post: Hook) -> After:
    """Calls `post` with as many arguments as it takes, which is looked at once."""
    count = argument_count(post, HOOKS["post_request"])

    def call(exchange: Any) -> None:
        try:
            post(*exchange[:count])
        except Exception:
            logging.logger.exception("the hook post_request failed")

    return call
