"""Starlette with events that are sent for ever, to whoever stays and to whoever leaves."""

import re

from tests.applications.application import Application, Ending, Page, Place, json
from tests.applications.guest import Guest

_SITE = '''
import asyncio, gc, time
from contextlib import asynccontextmanager
from sse_starlette import EventSourceResponse, JSONServerSentEvent, ServerSentEvent
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.concurrency import iterate_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, PlainTextResponse, StreamingResponse
from starlette.routing import Mount, Route, WebSocketRoute

rooms: dict[str, list[asyncio.Queue]] = {}
seen = {"open": 0, "closed": 0, "cancelled": 0, "tasks": 0}

class Subscription:
    def __init__(self, room):
        self.room, self.queue = room, asyncio.Queue()

    def __enter__(self):
        rooms.setdefault(self.room, []).append(self.queue)
        seen["open"] += 1
        return self.queue

    def __exit__(self, kind, *_):
        rooms[self.room].remove(self.queue)
        if not rooms[self.room]:
            del rooms[self.room]
        seen["open"] -= 1

async def listen(request):
    last = int(request.headers.get("last-event-id", "-1"))
    async def events():
        with Subscription(request.path_params["room"]) as queue:
            yield {"event": "welcome", "id": str(last + 1), "retry": 100, "data": "two\\nlines"}
            while True:
                said = await queue.get()
                yield JSONServerSentEvent(said, event="said", id=str(said["number"]))
                if said["text"] == "bye":
                    return
    return EventSourceResponse(events(), ping=3600, headers={"X-Room": "1"})

async def say(request):
    said = await request.json()
    queues = rooms.get(request.path_params["room"], [])
    for queue in queues:
        queue.put_nowait(said)
    return JSONResponse({"heard by": len(queues)})

async def pinged(request):
    async def events():
        yield ServerSentEvent(data="one")
        await asyncio.Event().wait()
    return EventSourceResponse(events(), ping=1, ping_message_factory=lambda: ServerSentEvent(comment="ping"))

async def fast(request):
    async def events():
        seen["open"] += 1
        try:
            number = 0
            while True:
                yield f"data: {number} {'x' * 1000}\\n\\n"
                number += 1
                await asyncio.sleep(0)  # without it uvicorn goes on for ever
        finally:
            seen["open"] -= 1
    return StreamingResponse(events(), media_type="text/event-stream")

async def endless(request):
    async def events():
        while True:
            yield "data: tick\\n\\n"
            await asyncio.sleep(0.05)
    return StreamingResponse(events(), media_type="text/event-stream")

async def polled(request):
    """The way of before: it asks again and again whether its client is there."""
    async def events():
        seen["open"] += 1
        try:
            while not await request.is_disconnected():
                yield "data: tick\\n\\n"
                await asyncio.sleep(0.01)
        finally:
            seen["open"] -= 1
    return StreamingResponse(events(), media_type="text/event-stream")

def in_a_thread(request):
    def events():
        seen["open"] += 1
        try:
            for number in range(20):
                time.sleep(0.002)
                yield f"data: {number}\\n\\n"
        finally:
            seen["open"] -= 1
    return StreamingResponse(events(), media_type="text/event-stream")

async def broken(request):
    async def events():
        yield {"data": "one"}
        raise ValueError("in the middle of events")
    return EventSourceResponse(events(), ping=3600)

async def slow(request):
    async def pieces():
        yield "begun "
        await asyncio.sleep(1)
        yield "done"
    async def after():
        await asyncio.sleep(0.2)
        print("the task of a slow answer is done", flush=True)
    return StreamingResponse(pieces(), background=BackgroundTask(after))

async def count(request):
    size = 0
    try:
        async for piece in request.stream():
            size += len(piece)
    except ClientDisconnect:
        seen["closed"] += 1
        raise
    return JSONResponse({"size": size})

async def patient(request):
    """Waits for its client to leave, by receive alone."""
    seen["open"] += 1
    try:
        while (await request.receive())["type"] != "http.disconnect":
            pass
    finally:
        seen["open"] -= 1
    return PlainTextResponse("nobody reads this")

async def tasks(request):
    async def work():
        seen["tasks"] += 1
        try:
            await asyncio.sleep(0.01)
        finally:
            seen["tasks"] -= 1
    async with asyncio.TaskGroup() as group:
        for _ in range(50):
            group.create_task(work())
    return PlainTextResponse("fifty")

async def late(request):
    try:
        async with asyncio.timeout(0.02):
            await asyncio.Event().wait()
    except TimeoutError:
        return PlainTextResponse("too late", 504)

async def state(request):
    gc.collect()  # generators that nobody exhausts
    return JSONResponse({"open": seen["open"], "tasks": seen["tasks"], "rooms": len(rooms)})

async def talk(socket):
    await socket.accept(socket.headers.get("x-protocol"))
    seen["open"] += 1
    try:
        await socket.send_text("hello")
        async for text in socket.iter_text():
            await socket.send_text(text)
    finally:
        seen["open"] -= 1

class Stamp(BaseHTTPMiddleware):
    async def dispatch(self, request, call_next):
        response = await call_next(request)
        response.headers["x-stamp"] = request.url.path
        return response

@asynccontextmanager
async def lifespan(app):
    print("begun", flush=True)
    yield {"number": 7}
    print("over", flush=True)

routes = [
    Route("/rooms/{room}", listen), Route("/rooms/{room}", say, methods=["POST"]),
    Route("/pinged", pinged), Route("/fast", fast), Route("/polled", polled),
    Route("/in-a-thread", in_a_thread), Route("/broken", broken), Route("/slow", slow),
    Route("/count", count, methods=["POST"]), Route("/patient", patient),
    Route("/tasks", tasks), Route("/late", late), Route("/state", state),
    Route("/endless", endless), WebSocketRoute("/talk", talk),
]
app = Starlette(lifespan=lifespan, routes=[
    Mount("/plain", routes=routes),
    Mount("/wrapped", routes=routes, middleware=[Middleware(Stamp), Middleware(GZipMiddleware)]),
    *routes,
])
'''


def _prepare(place: Place) -> None:
    place.write("events.py", _SITE)


def _in_a_room(guest: Guest, prefix: str) -> None:
    room = f"{prefix}/rooms/{guest.mark}"
    listeners = [guest.stream(room) for _ in range(3)]
    listeners.append(guest.stream(room, "Last-Event-ID: 41"))
    for each in listeners:
        each.event()
    for number, text in enumerate(("hello", guest.mark, r"\u00e9" * 3000)):
        guest.ask(json(room, f'{{"number": {number}, "text": "{text}"}}'))
        for each in listeners:
            each.event()
    listeners.pop().leave(reset=True)
    listeners.pop().leave()
    # Whether the two are gone already is chance.
    guest.visitor.ask(json(room, '{"number": 9, "text": "bye"}'))
    for each in listeners:
        each.event()
        each.rest()


def _is_in_a_room(guest: Guest) -> None:
    _in_a_room(guest, "/plain")


def _is_in_a_wrapped_room(guest: Guest) -> None:
    _in_a_room(guest, "/wrapped")


def _leaves_events(guest: Guest) -> None:
    for prefix in ("/plain", "/wrapped"):
        for path in ("/fast", "/polled", "/pinged", "/in-a-thread"):
            for reset in (False, True):
                stream = guest.stream(prefix + path)
                stream.event()
                stream.leave(reset)


def _leaves_before_the_answer(guest: Guest) -> None:
    for path in ("/plain/patient", "/wrapped/patient", "/slow", "/tasks"):
        with guest.client() as client:
            client.send(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    with guest.client() as client:
        client.send(
            b"POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nabc"
        )


def _is_pinged(guest: Guest) -> None:
    stream = guest.stream("/pinged")
    for _ in range(2):
        stream.event()


def _hears_of_a_broken_stream(guest: Guest) -> None:
    stream = guest.stream("/broken")
    stream.event()
    stream.rest()


def _reads_slowly(guest: Guest) -> None:
    """What is never read makes the other side wait."""
    stream = guest.stream("/fast")
    for _ in range(5):
        stream.event()
    guest.ask(Page("/tasks"))
    for _ in range(300):
        stream.piece()


def _knows_no_chunks(guest: Guest) -> None:
    """By HTTP/1.0, in which uvicorn sends them all the same."""
    with guest.client() as client:
        client.send(b"GET /in-a-thread HTTP/1.0\r\nHost: a\r\n\r\n")
        text = client.read_to_end().decode()
        events = re.findall(r"data: \d+\n\n", text)
        guest.hear(f"{len(events)} events of {len(set(events))}")


APPLICATION = Application(
    name="starlette_sse",
    packages=("starlette", "sse-starlette"),
    target=("events:app",),
    prepare=_prepare,
    peer="uvicorn",
    pages=(
        Page("/state", again=False),
        Page("/tasks"),
        Page("/wrapped/tasks"),
        Page("/late"),
        Page("/in-a-thread"),
        Page("/in-a-thread", "HEAD"),
        Page("/wrapped/in-a-thread"),
        Page("/wrapped/in-a-thread", fields=("Accept-Encoding: gzip",)),
        Page("/slow", again=False),
        Page("/count", "POST", body="x" * 500_000, again=True),
        Page("/count", "POST", ("Expect: 100-continue",), "x" * 100, again=True),
        Page("/plain/nowhere"),
        Page("/tasks", "POST"),
        json("/rooms/empty", '{"text": "anybody?"}'),
        json("/rooms/empty", "no json"),
    ),
    acts=(
        _is_in_a_room,
        _is_in_a_wrapped_room,
        _leaves_events,
        _leaves_before_the_answer,
        _is_pinged,
        _hears_of_a_broken_stream,
        _reads_slowly,
        _knows_no_chunks,
    ),
    rest=Page("/state", shows=('{"open":0,"tasks":0,"rooms":0}',)),
    ending=Ending("/slow", "/endless", "/talk"),
)
