"""Starlette and FastAPI, as applications have them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Annotated, Any

import httpx
import pytest
from fastapi import BackgroundTasks, Depends, FastAPI, File, HTTPException, UploadFile
from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import (
    FileResponse,
    JSONResponse,
    PlainTextResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from tests.asgi.serving import Signal, serve
from tests.support.servers import Running, wait_until


@contextlib.contextmanager
def client_of(app: Any, **settings: Any) -> Iterator[tuple[httpx.Client, Running]]:
    with (
        serve(app, **settings) as server,
        httpx.Client(base_url=f"http://127.0.0.1:{server.port}") as client,
    ):
        yield client, server


async def upload(request: Request) -> Response:
    size = 0
    async for piece in request.stream():
        size += len(piece)
    return JSONResponse({"size": size})


async def stream(request: Request) -> Response:
    async def lines() -> AsyncIterator[str]:
        for i in range(100):
            yield f"data: {i}\n\n"
            await asyncio.sleep(0)

    return StreamingResponse(lines(), media_type="text/event-stream")


async def fail(request: Request) -> Response:
    raise RuntimeError("broken")


async def hello(request: Request) -> Response:
    return PlainTextResponse(f"hello {request.url} {request.client is not None}")


def sync_view(request: Request) -> Response:
    return PlainTextResponse("in a thread")


class Stamp(BaseHTTPMiddleware):
    async def dispatch(self, request: Request, call_next: Any) -> Response:
        response: Response = await call_next(request)
        response.headers["x-stamp"] = "1"
        return response


ROUTES = [
    Route("/", hello),
    Route("/sync", sync_view),
    Route("/upload", upload, methods=["POST"]),
    Route("/stream", stream),
    Route("/fail", fail),
]


@pytest.mark.parametrize(
    "middleware",
    [[], [Middleware(Stamp)], [Middleware(Stamp), Middleware(GZipMiddleware)]],
)
def test_starlette(middleware: list[Middleware]) -> None:
    app = Starlette(routes=ROUTES, middleware=middleware)
    with client_of(app) as (client, server):
        assert client.get("/?q=1").text.startswith(
            f"hello http://127.0.0.1:{server.port}/?q=1"
        )
        assert client.get("/sync").text == "in a thread"
        assert client.post("/upload", content=b"x" * 2_000_000).json() == {
            "size": 2_000_000
        }
        text = client.get("/stream").text
        assert text == "".join(f"data: {i}\n\n" for i in range(100))
        assert client.get("/fail").status_code == 500
        assert client.get("/none").status_code == 404
        stamped = client.get("/").headers.get("x-stamp")
        assert stamped == ("1" if middleware else None)


def test_files_of_starlette_go_by_their_path(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(data := bytes(range(256)) * 5000)

    async def one(request: Request) -> Response:
        return FileResponse(tmp_path / "a.bin")

    app = Starlette(
        routes=[Route("/one", one), Mount("/all", StaticFiles(directory=tmp_path))]
    )
    returned = []

    async def site(scope: Any, receive: Any, send: Any) -> None:
        await app(scope, receive, send)
        returned.append(scope["path"])

    with client_of(site) as (client, _):
        assert client.get("/one").content == data
        answer = client.get("/all/a.bin")
        assert answer.content == data
        etag = {"If-None-Match": answer.headers["etag"]}
        assert client.get("/all/a.bin", headers=etag).status_code == 304
        part = client.get("/one", headers={"Range": "bytes=10-19"})
        assert (part.status_code, part.content) == (206, data[10:20])
        # It closes the file behind the answer, unless it is cancelled there.
        wait_until(lambda: (None, len(returned) == 4))


def test_files_go_by_their_path_through_a_middleware_that_compresses(
    tmp_path: Path,
) -> None:
    """As they are, with their length; answers of code it compresses."""
    text = "all work and no play\n" * 10_000
    (tmp_path / "text.txt").write_text(text)

    async def file(request: Request) -> Response:
        return FileResponse(tmp_path / "text.txt")

    async def made(request: Request) -> Response:
        return PlainTextResponse(text)

    routes = [
        Route("/file", file, methods=["GET", "HEAD"]),
        Route("/made", made),
        Mount("/static", StaticFiles(directory=tmp_path)),
    ]
    app = Starlette(routes=routes, middleware=[Middleware(GZipMiddleware)])
    with client_of(app) as (client, _):
        for path in ("/file", "/static/text.txt"):
            whole = client.get(path)
            assert whole.text == text
            assert "content-encoding" not in whole.headers
            assert whole.headers["content-length"] == str(len(text))
            assert client.head(path).headers["content-length"] == str(len(text))
            part = client.get(path, headers={"Range": "bytes=0-19"})
            assert (part.status_code, part.text) == (206, text[:20])
            assert "content-encoding" not in part.headers
            kept = client.get(path, headers={"If-None-Match": whole.headers["etag"]})
            assert kept.status_code == (200 if path == "/file" else 304)
        zipped = client.get("/made")
        assert zipped.text == text
        assert zipped.headers["content-encoding"] == "gzip"


def test_a_client_that_leaves_in_mid_stream_ends_it() -> None:
    ended = Signal()

    async def endless(request: Request) -> Response:
        async def pieces() -> AsyncIterator[bytes]:
            while True:
                yield b"x" * 1000
                await asyncio.sleep(0)

        return StreamingResponse(pieces())

    site = Starlette(routes=[Route("/", endless)])

    async def app(scope: Any, receive: Any, send: Any) -> None:
        try:
            await site(scope, receive, send)
        finally:
            if scope["type"] == "http":
                ended.give()

    with serve(app) as server:
        with server.client() as client:
            client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            client.read_exactly(5000)
        ended.wait()
        server.wait_for(lambda s: s["in_flight"] == 0)


def test_is_disconnected() -> None:
    begun, seen = Signal(), Signal()

    async def view(request: Request) -> Response:
        begun.give()
        while not await request.is_disconnected():
            await asyncio.sleep(0.001)
        seen.give()
        return Response()

    with serve(Starlette(routes=[Route("/", view)])) as server:
        with server.client() as client:
            client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            begun.wait()
        seen.wait()


def test_an_upload_that_is_cut_short_is_no_whole_one() -> None:
    found = Signal()

    async def view(request: Request) -> Response:
        with pytest.raises(ClientDisconnect):
            await request.body()
        found.give()
        return Response()

    with serve(Starlette(routes=[Route("/", view, methods=["POST"])])) as server:
        with server.client() as client:
            client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nab")
        found.wait()


class Item(BaseModel):
    name: str
    price: float = 1


after: list[str] = []


async def session() -> AsyncIterator[str]:
    try:
        yield "session"
    finally:
        after.append("closed")


def make_fastapi() -> FastAPI:
    app = FastAPI()

    @app.post("/items", response_model=Item)
    async def make(item: Item, found: Annotated[str, Depends(session)]) -> Item:
        assert found == "session"
        return item

    @app.get("/sync/{number}")
    def view(number: int) -> dict[str, int]:
        return {"number": number}

    @app.post("/files")
    async def files(file: Annotated[UploadFile, File()]) -> dict[str, int]:
        return {"size": len(await file.read())}

    @app.get("/later")
    async def later(tasks: BackgroundTasks) -> str:
        tasks.add_task(after.append, "task")
        return "now"

    @app.get("/refused")
    async def refused() -> None:
        raise HTTPException(418, "no coffee")

    return app


def test_fastapi() -> None:
    after.clear()
    with client_of(make_fastapi()) as (client, server):
        made = client.post("/items", json={"name": "a", "price": 2})
        assert made.json() == {"name": "a", "price": 2.0}
        assert client.post("/items", json={}).status_code == 422
        assert client.get("/sync/7").json() == {"number": 7}
        size = client.post("/files", files={"file": b"x" * 300_000}).json()
        assert size == {"size": 300_000}
        assert client.get("/later").json() == "now"
        assert client.get("/refused").status_code == 418
        assert client.get("/openapi.json").status_code == 200
        assert server.stats()["failed"] == 0
    assert sorted(after) == ["closed", "closed", "task"]
