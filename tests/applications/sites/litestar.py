"""Litestar: typed handlers, its plugins for channels and stores, over Redis."""

from tests.applications import acts
from tests.applications.application import Application, Ending, Page, Place, form, json
from tests.applications.guest import Guest

_SITE = """
import asyncio, gc, os, time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Any
from litestar import Litestar, MediaType, Request, Response, WebSocket, delete, get, post, put
from litestar import websocket, websocket_listener
from litestar.background_tasks import BackgroundTask
from litestar.channels import ChannelsPlugin
from litestar.channels.backends.memory import MemoryChannelsBackend
from litestar.config.compression import CompressionConfig
from litestar.config.cors import CORSConfig
from litestar.datastructures import State, UploadFile
from litestar.di import Provide
from litestar.enums import RequestEncodingType
from litestar.exceptions import HTTPException, NotFoundException, WebSocketException
from litestar.middleware.session.server_side import ServerSideSessionConfig
from litestar.params import Body
from litestar.response import File, ServerSentEvent, Stream
from litestar.static_files import create_static_files_router
from litestar.stores.redis import RedisStore

seen = {"streams": 0, "talks": 0, "dependencies": 0}
done: dict[str, str] = {}
notes: dict[str, list["Note"]] = {}

@dataclass
class Note:
    text: str
    stars: int = 0

async def counted():
    seen["dependencies"] += 1
    try:
        await asyncio.sleep(0)
        yield "counted"
    finally:
        seen["dependencies"] -= 1

@get("/")
async def home(state: State, request: Request) -> dict[str, Any]:
    return {"lifespan": state.lifespan, "path": request.url.path, "query": str(request.query_params.dict()),
            "client": request.client.host, "scheme": request.scope["scheme"]}

@get("/notes/{owner:str}")
async def show(owner: str, counted: str) -> list[Note]:
    if owner not in notes:
        raise NotFoundException(detail=f"nothing of {owner}")
    return notes[owner]

@post("/notes/{owner:str}")
async def add(owner: str, data: Note, counted: str) -> list[Note]:
    notes.setdefault(owner, []).append(data)
    return notes[owner]

@delete("/notes/{owner:str}")
async def drop(owner: str) -> None:
    notes.pop(owner, None)

@get("/sync", sync_to_thread=True)
def sync() -> str:
    time.sleep(0.005)
    return "in a thread"

@get("/sync-here", sync_to_thread=False)
def sync_here() -> str:
    time.sleep(0.005)
    return "in the loop"

@get("/number/{number:int}", cache=False)
async def number(number: int, doubled: bool = False) -> int:
    return number * (2 if doubled else 1)

@post("/form")
async def a_form(data: Annotated[dict[str, str], Body(media_type=RequestEncodingType.URL_ENCODED)]) -> dict[str, str]:
    return data

@post("/upload")
async def upload(data: Annotated[UploadFile, Body(media_type=RequestEncodingType.MULTI_PART)]) -> dict[str, Any]:
    content = await data.read()
    return {"name": data.filename, "size": len(content), "sum": sum(content)}

@post("/stream-in")
async def stream_in(request: Request) -> dict[str, int]:
    size = 0
    async for piece in request.stream():
        size += len(piece)
    return {"size": size}

@get("/lines")
async def lines() -> Stream:
    async def made():
        for number in range(300):
            yield f"{number}\\n"
    return Stream(made(), media_type="text/plain")

@get("/sync-lines")
async def sync_lines() -> Stream:
    return Stream((f"{number}\\n" for number in range(50)), media_type="text/plain")

@get("/events")
async def events() -> ServerSentEvent:
    async def made():
        seen["streams"] += 1
        number = 0
        try:
            while True:
                yield {"data": "tick", "id": str(number), "event": "tick"}
                number += 1
                await asyncio.sleep(0.02)
        finally:
            seen["streams"] -= 1
    return ServerSentEvent(made())

@get("/slow")
async def slow() -> Stream:
    async def made():
        yield "begun "
        await asyncio.sleep(1)
        yield "done"
    return Stream(made(), media_type="text/plain")

@get("/broken")
async def broken() -> None:
    raise RuntimeError("in a handler")

@get("/broken-stream")
async def broken_stream() -> Stream:
    async def made():
        yield "a piece"
        raise RuntimeError("in the middle of an answer")
    return Stream(made())

@get("/teapot")
async def teapot() -> None:
    raise HTTPException(status_code=418, detail="a teapot", extra={"why": "so"})

@get("/file")
async def file() -> File:
    return File("{folder}/static/numbers.txt", filename="numbers.txt")

@get("/count")
async def count(request: Request) -> int:
    found = request.session.get("count", 0) + 1
    request.set_session({"count": found})
    return found

@get("/later/{mark:str}")
async def later(mark: str) -> Response[str]:
    async def work():
        await asyncio.sleep(0.02)
        done[mark] = "done"
    return Response("soon", background=BackgroundTask(work), media_type=MediaType.TEXT)

@get("/was-done/{mark:str}")
async def was_done(mark: str) -> str:
    while mark not in done:
        await asyncio.sleep(0.005)
    return done.pop(mark)

@get("/waits")
async def waits(counted: str) -> None:
    await asyncio.sleep(0.2)

@get("/rest")
async def rest() -> dict[str, int]:
    gc.collect()  # generators that nobody exhausts
    return seen

@websocket("/talk")
async def talk(socket: WebSocket) -> None:
    if "refuse" in socket.query_params:
        raise WebSocketException("not you", code=4003)
    await socket.accept(subprotocols=(socket.scope["subprotocols"] or [None])[0], headers={"X-Talk": "1"})
    seen["talks"] += 1
    try:
        await socket.send_json({"hello": socket.app.state.lifespan})
        while True:
            said = await socket.receive_data(mode="text")
            words = said.split()
            if words[0] == "close":
                await socket.close(int(words[1]), " ".join(words[2:]))
                return
            elif words[0] == "raise":
                raise RuntimeError("in a talk")
            elif words[0] == "denied":
                raise WebSocketException("denied", code=4100)
            elif words[0] == "return":
                return
            else:
                await socket.send_text(said.upper())
    finally:
        seen["talks"] -= 1

@websocket_listener("/echo")
async def echo(data: str, counted: str) -> str:
    return f"{data} {counted}"

@websocket("/room/{name:str}")
async def room(socket: WebSocket, name: str, channels: ChannelsPlugin) -> None:
    await socket.accept()
    async with channels.start_subscription([name]) as subscriber:
        async with subscriber.run_in_background(socket.send_text):
            await socket.send_text("joined")
            while True:
                channels.publish(await socket.receive_text(), [name])

@asynccontextmanager
async def lifespan(app):
    app.state.lifespan = "begun"
    yield
    print("lifespan is over", flush=True)

sessions = ServerSideSessionConfig()
app = Litestar(
    [home, show, add, drop, sync, sync_here, number, a_form, upload, stream_in, lines, sync_lines,
     events, slow, broken, broken_stream, teapot, file, count, later, was_done, waits, rest,
     talk, echo, room, create_static_files_router(path="/static", directories=["{folder}/static"])],
    dependencies={"counted": Provide(counted)},
    lifespan=[lifespan],
    plugins=[ChannelsPlugin(MemoryChannelsBackend(), arbitrary_channels_allowed=True)],
    compression_config=CompressionConfig(backend="gzip", minimum_size=500),
    cors_config=CORSConfig(allow_origins=["http://friend.test"]),
    middleware=[sessions.middleware],
    stores={"sessions": RedisStore.with_client(f"redis://127.0.0.1:{os.environ['REDIS_PORT']}")},
)
"""


def _prepare(place: Place) -> None:
    place.write("site_litestar.py", _SITE)
    place.write("static/numbers.txt", "".join(f"{number}\n" for number in range(9_000)))


def _talks(guest: Guest) -> None:
    talk = guest.talk("/talk", subprotocols=["a", "b"])
    talk.hear()
    talk.send("hello " + guest.mark, "x" * 50_000)
    talk.hear(2)
    talk.ping()
    talk.close(4321, "enough")
    talk = guest.talk("/echo")
    talk.send(guest.mark)
    talk.hear()
    talk.close()


def _is_closed(guest: Guest) -> None:
    for words in ("close 4000 a reason", "close 1000", "denied", "raise"):
        talk = guest.talk("/talk")
        talk.hear()
        talk.send(words)
        talk.hear()
    for words in ("return",):
        talk = guest.talk("/talk")
        talk.hear()
        talk.send(words)
        talk.ends()


def _is_refused(guest: Guest) -> None:
    for path in ("/talk?refuse=yes", "/no/where", "/number/1"):
        guest.talk(path)


def _has_a_room(guest: Guest) -> None:
    talks = [guest.talk("/room/$mark") for _ in range(3)]
    for talk in talks:
        talk.hear()
    for number, talk in enumerate(talks):
        talk.send(f"{number} says {guest.mark}")
        for each in talks:
            each.hear()
    talks[0].leave()
    talks[1].close()
    talks[2].send("anybody?")
    talks[2].hear()
    talks[2].close()


def _has_things_done_later(guest: Guest) -> None:
    guest.ask(Page("/later/$mark"))
    guest.ask(Page("/was-done/$mark"))


def _uploaded(size: int) -> Page:
    body = (
        '--edge\r\nContent-Disposition: form-data; name="data"; filename="a.bin"\r\n'
        f"Content-Type: application/x-some\r\n\r\n{'abc' * (size // 3)}\r\n--edge--\r\n"
    )
    kind = "Content-Type: multipart/form-data; boundary=edge"
    return Page("/upload", "POST", (kind,), body, again=True)


_NOTES = "/notes/$mark"

APPLICATION = Application(
    name="litestar",
    packages=("litestar[redis]", "python-multipart"),
    target=("site_litestar:app",),
    prepare=_prepare,
    environment={"REDIS_PORT": "{redis_port}"},
    peer="uvicorn",
    pages=(
        Page("/?a=1&b=%C3%A9", again=False),
        Page("/", "HEAD"),
        Page("/", "POST"),
        Page("/schema/openapi.json"),
        Page("/notes/nobody"),
        json("/notes/page", "no json"),
        json("/notes/page", '{"stars": "many"}'),
        json("/notes/page", '{"text": "\\u00e9"}'),
        Page("/notes/page"),
        Page("/sync"),
        Page("/sync-here"),
        Page("/number/7?doubled=true"),
        Page("/number/seven"),
        form("/form", a="1", b="%C3%A9"),
        _uploaded(300),
        _uploaded(1_500_000),
        Page("/stream-in", "POST", body="x" * 400_000, again=True),
        Page("/stream-in", "POST", ("Expect: 100-continue",), "x" * 100, again=True),
        Page("/lines"),
        Page("/lines", fields=("Accept-Encoding: gzip",)),
        Page("/sync-lines"),
        Page("/slow", again=False),
        Page("/broken"),
        Page("/teapot"),
        Page("/nowhere"),
        Page("/file"),
        Page("/file", fields=("Range: bytes=10-19",)),
        Page("/static/numbers.txt"),
        Page("/static/numbers.txt", "HEAD"),
        Page("/static/../site_litestar.py"),
        Page("/static/nothing"),
        Page("/number/1", fields=("Origin: http://friend.test",)),
        Page(
            "/number/1",
            "OPTIONS",
            ("Origin: http://friend.test", "Access-Control-Request-Method: GET"),
            again=True,
        ),
    ),
    story=(
        json(_NOTES, '{"text": "$mark-one"}').gives(201, "$mark-one"),
        json(_NOTES, '{"text": "$mark-two", "stars": 5}').gives(
            201, "$mark-one", "$mark-two"
        ),
        Page(_NOTES, status=200, shows=("$mark-one", "$mark-two")),
        Page(_NOTES, "DELETE", status=204),
        Page(_NOTES, status=404),
    ),
    acts=(
        _talks,
        _is_closed,
        _is_refused,
        _has_a_room,
        acts.leaves,
        acts.hears_of_a_broken_stream,
        acts.has_a_session,
        _has_things_done_later,
    ),
    rest=Page("/rest", shows=('"streams":0,"talks":0,"dependencies":0',)),
    ending=Ending("/slow", "/events", "/talk"),
    varies=(
        r"session=([^;]+)",
        r"etag: (.*)",
        r"\w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT",
    ),
)
