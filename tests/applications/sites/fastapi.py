"""FastAPI over SQLAlchemy's asyncio and asyncpg: a shop with everything that a user tries."""

import json as notation
from random import Random

from tests.applications import acts
from tests.applications.application import Application, Ending, Page, Place, form, json
from tests.applications.guest import Guest

_SITE = '''
import asyncio, contextvars, gc, os, time
from contextlib import asynccontextmanager
from typing import Annotated
import psycopg2
from fastapi import (BackgroundTasks, Depends, FastAPI, File, Form, HTTPException, Request,
                     Response, UploadFile, WebSocket, WebSocketDisconnect)
from fastapi.concurrency import run_in_threadpool
from fastapi.middleware.cors import CORSMiddleware
from fastapi.middleware.gzip import GZipMiddleware
from fastapi.middleware.trustedhost import TrustedHostMiddleware
from fastapi.responses import FileResponse, StreamingResponse
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel
from sqlalchemy import ForeignKey, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship, selectinload
from starlette.middleware.sessions import SessionMiddleware

DSN = f"//celadon@127.0.0.1:{os.environ['POSTGRES_PORT']}/celadon"

class Base(DeclarativeBase):
    pass

class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    owner: Mapped[str] = mapped_column(index=True)
    lines: Mapped[list["Line"]] = relationship(cascade="all, delete-orphan", order_by="Line.id")

class Line(Base):
    __tablename__ = "lines"
    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"))
    name: Mapped[str]
    count: Mapped[int]

engine = create_async_engine("postgresql+asyncpg:" + DSN, pool_size=5, max_overflow=5)
Session = async_sessionmaker(engine, expire_on_commit=False)
open_sessions = 0
streams = 0
talks = 0
done: dict[str, str] = {}

@asynccontextmanager
async def lifespan(app):
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.drop_all)
        await connection.run_sync(Base.metadata.create_all)
    yield {"greeting": "hello from the lifespan"}
    await engine.dispose()
    print("lifespan is over", flush=True)

app = FastAPI(lifespan=lifespan, title="Shop")
app.add_middleware(GZipMiddleware, minimum_size=500)
app.add_middleware(SessionMiddleware, secret_key="x")
app.add_middleware(CORSMiddleware, allow_origins=["http://friend.test"],
                   allow_methods=["GET", "POST"], allow_credentials=True)
app.add_middleware(TrustedHostMiddleware, allowed_hosts=["site.test", "127.0.0.1"])
app.mount("/static", StaticFiles(directory="{folder}/static"))
whose = contextvars.ContextVar("whose", default="nobody")

@app.middleware("http")
async def timed(request, call_next):
    whose.set(request.query_params.get("whose", "nobody"))
    response = await call_next(request)
    response.headers["X-Whose"] = whose.get()
    return response

async def session():
    global open_sessions
    open_sessions += 1
    try:
        async with Session() as found:
            yield found
    finally:
        open_sessions -= 1

Db = Annotated[AsyncSession, Depends(session)]

class LineIn(BaseModel):
    name: str
    count: int = 1

class OrderIn(BaseModel):
    owner: str
    lines: list[LineIn]

class OrderOut(OrderIn):
    model_config = {"from_attributes": True}
    id: int

class LineOut(LineIn):
    model_config = {"from_attributes": True}

class OrderWhole(BaseModel):
    model_config = {"from_attributes": True}
    id: int
    owner: str
    lines: list[LineOut]

@app.post("/orders", status_code=201, response_model=OrderWhole)
async def make(order: OrderIn, db: Db):
    made = Order(owner=order.owner, lines=[Line(**each.model_dump()) for each in order.lines])
    db.add(made)
    await db.commit()
    return made

async def find(db, number):
    found = await db.get(Order, number, options=[selectinload(Order.lines)])
    if found is None:
        raise HTTPException(404, f"no order", headers={"X-Missing": "order"})
    return found

@app.get("/orders/{number}", response_model=OrderWhole)
async def show(number: int, db: Db):
    return await find(db, number)

@app.get("/orders", response_model=list[OrderWhole])
async def all_of(owner: str, db: Db):
    query = select(Order).where(Order.owner == owner).options(selectinload(Order.lines))
    return (await db.scalars(query.order_by(Order.id))).all()

@app.patch("/orders/{number}", response_model=OrderWhole)
async def change(number: int, line: LineIn, db: Db):
    found = await find(db, number)
    found.lines.append(Line(**line.model_dump()))
    await db.commit()
    return found

@app.delete("/orders/{number}", status_code=204)
async def drop(number: int, db: Db):
    await db.delete(await find(db, number))
    await db.commit()

@app.get("/slow-query")
async def slow_query(db: Db, seconds: float = 0.05):
    return {"slept": (await db.execute(text(f"SELECT 'x' || pg_sleep({seconds})"))).scalar()}

@app.get("/rolled-back")
async def rolled_back(db: Db):
    db.add(Order(owner="nobody"))
    await db.flush()
    raise ValueError("in the middle of a transaction")

@app.get("/sync-driver")
async def sync_driver():
    """What freezes other servers."""
    connection = psycopg2.connect("postgresql:" + DSN)
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 6 * 7, pg_sleep(0.02)")
            return {"answer": cursor.fetchone()[0]}
    finally:
        connection.close()

@app.get("/sync-view")
def sync_view(whose: str = "nobody"):
    time.sleep(0.01)
    return {"whose": whose}

@app.get("/threads")
async def threads(count: int = 200):
    def work(number):
        time.sleep(0.0005)
        return number
    return sum(await asyncio.gather(*(run_in_threadpool(work, i) for i in range(count))))

@app.get("/context")
async def context():
    before = whose.get()
    await asyncio.sleep(0.005)
    inside = await run_in_threadpool(whose.get)
    task = await asyncio.create_task(asyncio.sleep(0, whose.get()))
    return [before, inside, task, whose.get()]

@app.get("/state")
async def state(request: Request):
    return request.state.greeting

@app.post("/upload")
async def upload(file: Annotated[UploadFile, File()], note: Annotated[str, Form()]):
    data = await file.read()
    return {"name": file.filename, "type": file.content_type, "size": len(data),
            "sum": sum(data), "note": note}

@app.post("/stream-in")
async def stream_in(request: Request):
    size = pieces = 0
    async for piece in request.stream():
        size += len(piece)
    return {"size": size}

async def echo(scope, receive, send):
    """Answers while it is asked: Starlette's own answers leave what comes unread."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-echo", b"1")]})
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        more = message.get("more_body", False)
        if data := message.get("body"):
            await send({"type": "http.response.body", "body": data, "more_body": True})
    await send({"type": "http.response.body"})

app.mount("/echo", echo)

@app.post("/form")
async def a_form(name: Annotated[str, Form()], tags: Annotated[list[str], Form()] = []):
    return {"name": name, "tags": tags}

@app.get("/lines/{count}")
async def lines(count: int):
    async def made():
        for number in range(count):
            yield f"line {number}\\n"
            if number % 50 == 0:
                await asyncio.sleep(0)
    return StreamingResponse(made(), media_type="text/plain")

@app.get("/rows")
async def rows(db: Db, count: int = 500):
    """A session that is open as long as its answer is read."""
    result = await db.stream(text(f"SELECT generate_series(1, {count})"))
    async def made():
        global streams
        streams += 1
        try:
            async for row in result:
                yield f"{row[0]}\\n"
        finally:
            streams -= 1
    return StreamingResponse(made(), media_type="text/plain")

@app.get("/slow-lines")
async def slow_lines():
    async def made():
        yield "begun\\n"
        for number in range(10):
            await asyncio.sleep(0.1)
            yield f"{number}\\n"
    return StreamingResponse(made(), media_type="text/plain")

@app.get("/broken-stream")
async def broken_stream():
    async def made():
        yield "a piece\\n"
        await asyncio.sleep(0)
        raise RuntimeError("in the middle of an answer")
    return StreamingResponse(made(), media_type="text/plain")

@app.get("/broken")
async def broken():
    raise RuntimeError("before an answer")

@app.get("/teapot")
async def teapot():
    raise HTTPException(418, {"why": "a teapot"})

@app.get("/endless")
async def endless():
    async def made():
        global streams
        streams += 1
        number = 0
        try:
            while True:
                yield f"event: tick\\nid: {number}\\ndata: {number}\\n\\n"
                number += 1
                await asyncio.sleep(0.01)
        finally:
            streams -= 1
    return StreamingResponse(made(), media_type="text/event-stream")

@app.get("/later")
async def later(mark: str, tasks: BackgroundTasks):
    async def write():
        await asyncio.sleep(0.02)
        async with Session() as db:
            done[mark] = str((await db.execute(text("SELECT 'written'"))).scalar())
    tasks.add_task(write)
    tasks.add_task(done.__setitem__, "sync " + mark, "too")
    return "soon"

@app.get("/was-done")
async def was_done(mark: str):
    """Long polling."""
    while mark not in done or "sync " + mark not in done:
        await asyncio.sleep(0.005)
    return [done.pop(mark), done.pop("sync " + mark)]

@app.get("/count")
async def count(request: Request):
    request.session["count"] = request.session.get("count", 0) + 1
    return request.session["count"]

@app.get("/cookies")
async def cookies(response: Response):
    response.set_cookie("one", "1", httponly=True)
    response.set_cookie("two", "2", samesite="strict")
    return "two"

@app.get("/file")
async def file():
    return FileResponse("{folder}/static/numbers.txt", filename="numbers é.txt")

@app.get("/request")
async def request_(request: Request):
    scope = request.scope
    return {"url": str(request.url), "path": scope["path"], "root": scope["root_path"],
            "raw": scope["raw_path"].decode(), "query": scope["query_string"].decode(),
            "version": scope["http_version"], "scheme": scope["scheme"],
            "headers": sorted([k.decode("latin-1"), v.decode("latin-1")]
                              for k, v in scope["headers"]),
            "client": scope["client"][0], "server": scope["server"][0]}

@app.api_route("/method", methods=["GET", "HEAD", "PUT", "OPTIONS", "DELETE"])
async def method(request: Request):
    return {"method": request.method, "body": (await request.body()).decode()}

@app.get("/no-content", status_code=204)
async def no_content():
    return Response(status_code=204)

@app.get("/pool")
async def pool():
    """What clients that left have given back."""
    gc.collect()  # generators that nobody exhausts
    return {"out": engine.pool.checkedout(), "sessions": open_sessions, "streams": streams,
            "talks": talks}

@app.websocket("/talk")
async def talk(socket: WebSocket, db: Db):
    global talks
    if socket.query_params.get("refuse") == "close":
        await socket.close(4003, "not you")
        return
    if socket.query_params.get("refuse") == "answer":
        raise HTTPException(403)
    names = socket.scope["subprotocols"]
    await socket.accept(names[-1] if names else None, headers=[(b"x-talk", b"1")])
    talks += 1
    try:
        await socket.send_json({"hello": socket.state.greeting})
        while True:
            message = await socket.receive()
            if message["type"] == "websocket.disconnect":
                done["last close"] = f"{message['code']} {message.get('reason')}"
                return
            if (data := message.get("bytes")) is not None:
                await socket.send_bytes(data[::-1])
            elif (words := message["text"].split())[0] == "close":
                await socket.close(int(words[1]), " ".join(words[2:]))
                return
            elif words[0] == "raise":
                raise RuntimeError("in a talk")
            elif words[0] == "return":
                return
            elif words[0] == "count":
                for number in range(int(words[1])):
                    await socket.send_text(str(number))
            elif words[0] == "ask":
                await socket.send_text(str((await db.execute(text("SELECT 42"))).scalar()))
                await db.rollback()
            elif words[0] == "sleep":
                time.sleep(0.01)
                await socket.send_text("slept")
            else:
                await socket.send_text(message["text"].upper())
    finally:
        talks -= 1

@app.get("/last-close")
async def last_close():
    return done.get("last close")

rooms: dict[str, set[WebSocket]] = {}

@app.websocket("/room/{name}")
async def room(socket: WebSocket, name: str):
    await socket.accept()
    rooms.setdefault(name, set()).add(socket)
    try:
        await socket.send_text("joined")
        async for said in socket.iter_text():
            for each in list(rooms[name]):
                await each.send_text(said)
    except WebSocketDisconnect:
        pass
    finally:
        rooms[name].discard(socket)
        if not rooms[name]:
            del rooms[name]
'''

_NUMBERS = "".join(f"{number}\n" for number in range(20_000))


def _prepare(place: Place) -> None:
    place.write("shop.py", _SITE)
    place.write("static/numbers.txt", _NUMBERS)
    place.write("static/style.css", "body { color: red }\n")


def _parts(*parts: str) -> str:
    return "\r\n".join(f"--edge\r\n{each}" for each in parts) + "\r\n--edge--\r\n"


def _uploaded(size: int) -> Page:
    data = Random(size).randbytes(size).decode("latin-1")
    file = (
        'Content-Disposition: form-data; name="file"; filename="a b.bin"\r\n'
        f"Content-Type: application/x-some\r\n\r\n{data}"
    )
    note = 'Content-Disposition: form-data; name="note"\r\n\r\n$mark'
    kind = "Content-Type: multipart/form-data; boundary=edge"
    return Page("/upload", "POST", (kind,), _parts(file, note), again=True)


def _order(*names: str) -> str:
    lines = [{"name": name, "count": len(name)} for name in names]
    return notation.dumps({"owner": "$mark", "lines": lines})


def _talks(guest: Guest) -> None:
    talk = guest.talk("/talk", subprotocols=["old.chat", "chat"])
    talk.hear()
    talk.send("hello " + guest.mark, b"\x00\x01\xff", "ask it", "sleep")
    talk.hear(4)
    talk.ping()
    talk.send("count 50")
    talk.hear(50)
    talk.send("é" * 30_000)
    talk.hear()
    talk.send(bytes(range(256)) * 800)
    talk.hear()
    talk.close(4321, "enough")


def _talks_without_compression(guest: Guest) -> None:
    talk = guest.talk("/talk", compression=None)
    talk.hear()
    talk.send("x" * 200_000)
    talk.hear()
    talk.send("count 300")
    talk.hear(300)
    talk.close()


def _is_closed(guest: Guest) -> None:
    for words in ("close 4000 a reason", "close 1000", "close 1013 later"):
        talk = guest.talk("/talk")
        talk.hear()
        talk.send(words)
        talk.hear()
    for words in ("raise", "return"):
        talk = guest.talk("/talk")
        talk.hear()
        talk.send(words)
        talk.ends()


def _is_refused(guest: Guest) -> None:
    guest.talk("/talk?refuse=close")
    guest.talk("/talk?refuse=answer")
    guest.talk("/no/such/talk")


def _leaves_a_talk(guest: Guest) -> None:
    for _ in range(3):
        talk = guest.talk("/talk")
        talk.hear()
        talk.send("count 20000")
        talk.next()
        talk.leave()


def _has_a_room(guest: Guest) -> None:
    talks = [guest.talk("/room/$mark") for _ in range(3)]
    for talk in talks:
        talk.hear()
    for number, talk in enumerate(talks):
        talk.send(f"{number} says {guest.mark}")
        for each in talks:
            each.hear()
    talks[0].leave()
    talks[1].close(1001)
    talks[2].send("anybody?")
    talks[2].hear()


def _leaves_streams(guest: Guest) -> None:
    for reset in (False, True):
        stream = guest.stream("/endless", "Accept: text/event-stream")
        for _ in range(3):
            stream.event()
        stream.leave(reset)
        guest.leave("/rows?count=100000", reset, 3000)
        guest.leave("/slow-query?seconds=0.3", reset)


def _breaks_off_an_upload(guest: Guest) -> None:
    head = "Host: site.test\r\nContent-Type: multipart/form-data; boundary=edge\r\n"
    for path in ("/upload", "/stream-in", "/echo/"):
        with guest.client() as client:
            words = (
                f"POST {path} HTTP/1.1\r\n{head}Content-Length: 100000\r\n\r\n--edge"
            )
            client.send(words.encode())


def _is_told_of_a_broken_answer(guest: Guest) -> None:
    stream = guest.stream("/broken-stream")
    stream.rest()


def _echoes_while_it_sends(guest: Guest) -> None:
    with guest.client() as client:
        client.send(
            b"POST /echo/ HTTP/1.1\r\nHost: site.test\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        head = ""
        for number in range(5):
            piece = f"{number} {guest.mark}".encode()
            client.send(b"%x\r\n%s\r\n" % (len(piece), piece))
            if not head:
                head = client.read_until(b"\r\n\r\n").decode()
                guest.hear(head.split("\r\n")[0])
            size = int(client.read_until(b"\r\n"), 16)
            guest.hear(client.read_exactly(size + 2)[:-2].decode())
        client.send(b"0\r\n\r\n")
        guest.hear(repr(client.read_exactly(5)))


def _has_things_done_later(guest: Guest) -> None:
    guest.ask(Page("/later?mark=$mark"))
    guest.ask(Page("/was-done?mark=$mark"))


def _has_a_context(guest: Guest) -> None:
    guest.ask(Page("/context?whose=$mark"))
    guest.ask(Page("/sync-view?whose=$mark"))


def _asks_many_things_at_once(guest: Guest) -> None:
    """Pipelined."""
    with guest.client() as client:
        paths = [
            "/orders/999999",
            "/lines/10",
            "/sync-driver",
            "/state",
            "/request?a=%C3%A9",
        ]
        words = [f"GET {path} HTTP/1.1\r\nHost: site.test\r\n\r\n" for path in paths]
        client.send("".join(words).encode())
        for _ in paths:
            answer = client.response()
            guest.hear(f"{answer.status} {answer.body.decode()}")


_FORM = "Content-Type: application/x-www-form-urlencoded"

APPLICATION = Application(
    name="fastapi",
    packages=(
        "fastapi",
        "sqlalchemy[asyncio]",
        "asyncpg",
        "psycopg2-binary",
        "python-multipart",
        "itsdangerous",
    ),
    target=("shop:app",),
    prepare=_prepare,
    environment={"POSTGRES_PORT": "{postgres_port}"},
    peer="uvicorn",
    pages=(
        Page("/openapi.json"),
        Page("/docs"),
        Page("/nowhere"),
        Page("/state"),
        json("/orders", _order("a", "bb", "é")),
        Page("/orders/1"),
        Page("/orders/1", "HEAD"),
        Page("/orders/abc"),
        Page("/orders/999999"),
        json("/orders", "no json"),
        json("/orders", "{}"),
        json("/orders", _order("x" * 5000)),
        Page("/rolled-back"),
        Page("/slow-query"),
        Page("/sync-driver"),
        Page("/sync-view"),
        Page("/threads"),
        Page("/context?whose=me"),
        _uploaded(100),
        _uploaded(1_500_000),
        Page("/upload", "POST", ("Content-Type: multipart/form-data",), "x"),
        Page(
            "/upload", "POST", ("Content-Type: multipart/form-data; boundary=a",), "x"
        ),
        Page("/stream-in", "POST", body="x" * 300_000, again=True),
        Page("/echo/", "POST", body="abc" * 1000, again=True),
        form("/form", name="%C3%A9", tags="a"),
        Page("/form", "POST", (_FORM,), "name=a&tags=b&tags=c", again=True),
        Page("/form", "POST", (_FORM,), "", again=True),
        Page("/lines/1000"),
        Page("/lines/1000", "HEAD"),
        Page("/lines/1000", fields=("Accept-Encoding: gzip",)),
        Page("/rows"),
        Page("/broken"),
        Page("/teapot"),
        Page("/cookies", again=False),
        Page("/file"),
        Page("/file", fields=("Range: bytes=100-199",)),
        Page("/file", fields=("Range: bytes=-5",)),
        Page("/file", fields=("Range: bytes=0-1, 5-6",)),
        Page("/file", fields=("Range: bytes=999999-",)),
        Page("/static/numbers.txt"),
        Page("/static/numbers.txt", fields=("Range: bytes=0-9",)),
        Page("/static/style.css", "HEAD"),
        Page("/static/../shop.py"),
        Page("/static/%2e%2e/shop.py"),
        Page("/static/nothing"),
        Page("/static", fields=("Accept: text/html",)),
        Page("/request?a=1&a=%20%C3%A9", fields=("X-Some: a", "X-Some: b")),
        Page("/%72equest//"),
        Page(
            "/request", fields=("X-Forwarded-Proto: https", "X-Forwarded-For: 1.2.3.4")
        ),
        Page("/method", "OPTIONS", again=True),
        Page("/method", "PUT", body="abc", again=True),
        Page("/method", "DELETE", again=True),
        Page("/method", "PATCH"),
        Page("/no-content"),
        Page("/request/"),
        Page("/state", fields=("Origin: http://friend.test",)),
        Page("/state", fields=("Origin: http://stranger.test",)),
        Page(
            "/orders",
            "OPTIONS",
            ("Origin: http://friend.test", "Access-Control-Request-Method: POST"),
            again=True,
        ),
        Page(
            "/orders",
            "OPTIONS",
            ("Origin: http://stranger.test", "Access-Control-Request-Method: PUT"),
            again=True,
        ),
    ),
    story=(
        json("/orders", _order("one", "three")).gives(
            201, '"name":"three"', order=r'"id":(\d+)'
        ),
        Page("/orders/$order", shows=('"$mark"', '"one"'), status=200),
        Page("/orders?owner=$mark", shows=("$mark", "three"), status=200),
        json("/orders/$order", '{"name": "$mark-new", "count": 3}', "PATCH").gives(
            200, "$mark-new"
        ),
        Page("/orders?owner=$mark", shows=("$mark-new",), status=200),
        Page("/orders/$order", "DELETE", status=204),
        Page("/orders/$order", status=404, shows=("no order",)),
        Page("/orders?owner=$mark", status=200, lacks=("$mark",)),
    ),
    acts=(
        _talks,
        _talks_without_compression,
        _is_closed,
        _is_refused,
        _leaves_a_talk,
        _has_a_room,
        _leaves_streams,
        _breaks_off_an_upload,
        _is_told_of_a_broken_answer,
        _echoes_while_it_sends,
        _has_things_done_later,
        acts.has_a_session,
        _has_a_context,
        _asks_many_things_at_once,
    ),
    rest=Page("/pool", shows=('"out":0,"sessions":0,"streams":0,"talks":0',)),
    ending=Ending("/slow-lines", "/endless", "/talk"),
    varies=(
        # What GZipMiddleware adds: it leaves alone the files that the server itself reads.
        r"^(?:Accept-Encoding, )?Origin$",
        r"(?i)last-modified: (.*)",
        r"\w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT",
        r"session=([^;]+)",
        r"etag: (.*)",
        r"boundary=([0-9a-f]+)",
        r"--([0-9a-f]{26})",
    ),
)
