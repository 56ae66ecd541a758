"""Requests with hooks around them, and what these are given."""

from __future__ import annotations

import functools
import io
import os
import stat
from collections.abc import Iterable
from typing import Any

from celadon import logging
from celadon._core import green
from celadon._core.wsgi import RequestInfo
from celadon.config import Config
from celadon.config.hooks import HOOKS, Hook, argument_count
from celadon.serving.exchange import PHRASES, After, Exchange, Response
from celadon.serving.hooked_asgi import hooked as hooked_asgi
from celadon.serving.interface import WSGI, Served
from celadon.serving.lifecycle import Worker


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
        self.headers += [
            (name.replace("_", "-"), environ[name])
            for name in ("CONTENT_TYPE", "CONTENT_LENGTH")
            if environ.get(name)
        ]
        self.remote_addr = (environ["REMOTE_ADDR"], environ.get("REMOTE_PORT"))
        self.peer_addr = self.remote_addr
        self.scheme: str = environ["wsgi.url_scheme"]
        self.body = environ["wsgi.input"]
        self.trailers: list[tuple[str, str]] = []
        self.fragment = ""
        self.proxy_protocol_info: dict[str, Any] | None = None


def with_request_hooks(
    served: Served, worker: Worker, cfg: Config, told: After | None = None
) -> Served:
    """`served` with ``pre_request`` and ``post_request`` around it and what is mounted, and
    with `told`, which hears of the end of each request; as it is without them."""
    pre, post = cfg.hooks.get("pre_request"), cfg.hooks.get("post_request")
    if pre is None and post is None and told is None:
        return served
    after = _after([told, _caller(post) if post is not None else None])
    made: dict[int, Any] = {}  # of what is there more than once, one

    def around(each: Served) -> Served:
        if id(each.app) not in made:
            make = _hooked if each.interface == WSGI else hooked_asgi
            made[id(each.app)] = make(each.app, worker, pre, after)
        return each._replace(app=made[id(each.app)])

    mounted = {prefix: around(each) for prefix, each in served.mounted.items()}
    return around(served)._replace(mounted=mounted)


def _hooked(app: Any, worker: Worker, pre: Hook | None, after: After | None) -> Any:
    def hooked(environ: dict[str, Any], start_response: Any) -> Any:
        worker.nr += 1
        request = Request(environ)
        if pre is not None:
            pre(worker, request)
        if after is None:
            return app(environ, start_response)
        response = Response(request)

        def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            write = start_response(status, headers, *rest)
            response.status, response.headers = status, headers

            def counted(data: bytes) -> None:
                response.sent += len(data)
                write(data)

            return counted

        exchange = (worker, request, environ, response)
        end = functools.partial(_end, environ["celadon.request"], exchange, after)
        try:
            return _counted(app(environ, start), exchange)
        finally:
            leftovers = green.job_leftovers()
            if leftovers is not None:
                leftovers[id(exchange)] = end

    return hooked


def _end(info: RequestInfo, exchange: Exchange, after: After) -> None:
    """The answer is out. What the application said of it holds no more where it has
    failed since, or its time was over."""
    response = exchange[3]
    if info.status not in (0, response.status_code):
        response.status = f"{info.status} {PHRASES.get(info.status, '')}"
    after(exchange)


def _after(each: list[After | None]) -> After | None:
    calls = [call for call in each if call is not None]
    if len(calls) <= 1:
        return calls[0] if calls else None

    def call_all(exchange: Exchange) -> None:
        for call in calls:
            call(exchange)

    return call_all


def _counted(body: Any, exchange: Exchange) -> Any:
    """What to answer with. What the server knows the length of, or sends as a file, it
    is given as it is."""
    response = exchange[3]
    length = _length(body, exchange)
    if length is None:
        return _Answer(body, response)
    response.sent += length
    return body


def _length(body: Any, exchange: Exchange) -> int | None:
    if type(body) in (list, tuple):
        return sum(map(len, body))
    _, _, environ, response = exchange
    if type(body) is not environ.get("wsgi.file_wrapper"):
        return None
    fields = {name.lower(): value for name, value in response.headers}
    given = fields.get("content-length", "")
    return int(given) if given.isdigit() else _rest(body.filelike)


def _rest(file: Any) -> int | None:
    """Bytes from here to the end of what the server sends as a file, whoever says how
    long that is; None of what it reads."""
    if type(file).__name__ == "_TemporaryFileWrapper":
        file = file.file
    buffered = type(file) in (io.BufferedReader, io.BufferedRandom)
    if type(file.raw if buffered else file) is not io.FileIO:
        return None
    try:
        info, position = os.fstat(file.fileno()), file.tell()
    except (OSError, ValueError):
        return None
    is_whole = stat.S_ISREG(info.st_mode) and info.st_size > 0
    return max(0, info.st_size - position) if is_whole else None


class _Answer:
    """The application's iterable, whose bytes are counted."""

    def __init__(self, body: Iterable[bytes], response: Response) -> None:
        self._body = body
        self._parts = iter(body)
        self._response = response

    def __iter__(self) -> _Answer:
        return self

    def __next__(self) -> bytes:
        part = next(self._parts)
        self._response.sent += len(part)
        return part

    def close(self) -> None:
        if hasattr(self._body, "close"):
            self._body.close()


def _caller(post: Hook) -> After:
    """Calls `post` with as many arguments as it takes, which is looked at once."""
    count = argument_count(post, HOOKS["post_request"])

    def call(exchange: Exchange) -> None:
        try:
            post(*exchange[:count])
        except Exception:
            logging.logger.exception("the hook post_request failed")

    return call
