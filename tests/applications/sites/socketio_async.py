"""python-socketio's asynchronous server by ASGI, its rooms over Redis."""

from tests.applications import socket_io
from tests.applications.application import Application, Ending, Page, Place, json
from tests.applications.guest import Guest

_SITE = '''
import asyncio, os, time
import asyncpg, socketio
from starlette.applications import Starlette
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Route, WebSocketRoute

redis = f"redis://127.0.0.1:{os.environ['REDIS_PORT']}/0"
DSN = f"postgresql://celadon@127.0.0.1:{os.environ['POSTGRES_PORT']}/celadon"
io = socketio.AsyncServer(async_mode="asgi", client_manager=socketio.AsyncRedisManager(redis),
                          max_http_buffer_size=10_000_000)
connected = set()

@io.on("connect")
@io.on("connect", namespace="/other")
async def come(sid, environ, auth):
    if auth and auth.get("refuse"):
        raise ConnectionRefusedError("not you")
    connected.add(sid)
    namespace = "/" if auth.get("elsewhere") is None else "/other"
    try:
        await io.save_session(sid, {"mark": auth["mark"]})
    except KeyError:
        return
    await io.emit("welcome", {"mark": auth["mark"], "path": environ["PATH_INFO"]}, to=sid)

@io.on("disconnect")
@io.on("disconnect", namespace="/other")
async def gone(sid, reason):
    connected.discard(sid)

@io.on("echo")
@io.on("echo", namespace="/other")
async def echo(sid, data):
    return data

@io.on("count")
async def count(sid, number):
    for each in range(number):
        await io.emit("number", each, to=sid)

@io.on("raise")
def fail(sid, _=None):
    """A handler that is not async."""
    time.sleep(0.001)
    return "as told"

@io.on("session")
async def of_session(sid, _=None):
    return (await io.get_session(sid))["mark"]

@io.on("ask")
async def asked(sid, _=None):
    connection = await asyncpg.connect(DSN)
    try:
        return await connection.fetchval("SELECT 42")
    finally:
        await connection.close()

@io.on("join")
async def join(sid, room):
    await io.enter_room(sid, room)
    return "joined"

@io.on("say")
async def say(sid, data):
    await io.emit("said", data[1], to=data[0])
    return "said"

@io.on("leave me")
async def leave(sid, _=None):
    await io.disconnect(sid)

async def announce(request):
    said = await request.json()
    await io.emit("said", said["text"], to=said["room"])
    return JSONResponse("announced")

async def rest(request):
    return JSONResponse({"connected": len(connected)})

async def endless(request):
    async def pieces():
        while True:
            yield "data: tick\\n\\n"
            await asyncio.sleep(0.05)
    return StreamingResponse(pieces(), media_type="text/event-stream")

async def slow(request):
    async def pieces():
        yield "begun "
        await asyncio.sleep(1)
        yield "done"
    return StreamingResponse(pieces())

app = socketio.ASGIApp(io, Starlette(routes=[
    Route("/announce", announce, methods=["POST"]), Route("/rest", rest),
    Route("/endless", endless), Route("/slow", slow)]),
    static_files={"/page": {"filename": "{folder}/page.html", "content_type": "text/html"}})
'''


def _prepare(place: Place) -> None:
    place.write("rooms.py", _SITE)
    place.write("page.html", "<p>a page</p>\n" * 500)


def _hears_announcements(guest: Guest) -> None:
    with (
        socket_io.connected(guest, socket_io.POLLING) as one,
        socket_io.connected(guest, socket_io.DIRECT) as two,
    ):
        for each in (one, two):
            each.hear()
            each.call("join", guest.mark)
        guest.ask(json("/announce", '{"room": "$mark", "text": "to all of $mark"}'))
        one.hear()
        two.hear()


def _leaves_polls(guest: Guest) -> None:
    """A poll that nobody waits for, and a WebSocket that breaks off."""
    guest.leave("/socket.io/?EIO=4&transport=polling", reset=True)
    talk = guest.talk("/socket.io/?EIO=4&transport=websocket")
    talk.next()
    talk.send('40{"mark": "a"}')
    talk.next()
    talk.leave()


APPLICATION = Application(
    name="socketio_async",
    packages=("python-socketio", "redis", "asyncpg", "starlette"),
    target=("rooms:app",),
    prepare=_prepare,
    environment={"POSTGRES_PORT": "{postgres_port}", "REDIS_PORT": "{redis_port}"},
    peer="uvicorn",
    pages=(
        Page("/rest", again=False),
        Page("/page"),
        Page("/page", "HEAD"),
        Page("/nowhere"),
        json("/announce", '{"room": "none", "text": "a"}'),
        Page("/socket.io/"),
        Page("/socket.io/?EIO=3&transport=polling"),
        Page("/socket.io/?EIO=4&transport=websocket"),
        Page("/socket.io/?EIO=4&transport=polling&sid=nobody"),
        Page("/socket.io/?EIO=4&transport=polling", "OPTIONS", again=True),
    ),
    acts=(*socket_io.ACTS, _hears_announcements, _leaves_polls),
    rest=Page("/rest", shows=('"connected":0',)),
    ending=Ending("/slow", "/endless", "/socket.io/?EIO=4&transport=websocket"),
)
