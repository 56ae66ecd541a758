"""Quart: Flask's way with async views, streams, WebSockets and tasks in the background."""

from tests.applications import acts
from tests.applications.application import Application, Ending, Page, Place, form, json
from tests.applications.guest import Guest

_SITE = """
import asyncio, gc, time
from contextlib import suppress
from quart import (Quart, Response, abort, copy_current_websocket_context, g, jsonify,
                   make_response, redirect, request, send_file, session,
                   stream_with_context, url_for, websocket)
from quart.utils import run_sync

app = Quart(__name__, static_folder="{folder}/static")
app.secret_key = "x"
app.config["MAX_CONTENT_LENGTH"] = 2_000_000
app.config["RESPONSE_TIMEOUT"] = 30
seen = {"streams": 0, "talks": 0, "serving": False, "tasks": 0}
notes: dict[str, dict[str, str]] = {}
done: dict[str, str] = {}

@app.before_serving
async def begin():
    seen["serving"] = True

@app.after_serving
async def end():
    print("served", flush=True)

@app.while_serving
async def around():
    app.extensions["around"] = "open"
    yield
    app.extensions["around"] = "closed"

@app.before_request
async def before():
    g.mark = request.args.get("mark", "")

@app.after_request
async def after(response):
    response.headers["X-Mark"] = g.mark
    return response

@app.errorhandler(413)
async def too_large(error):
    return jsonify(error="too large"), 413

@app.get("/")
async def home():
    return f"serving {seen['serving']} {app.extensions['around']} {request.root_path!r}"

@app.get("/url")
async def url():
    return jsonify(url=request.url, base=request.base_url, path=request.full_path,
                   home=url_for("home", _external=True), args=request.args.to_dict(flat=False),
                   http=request.http_version, host=request.host, scheme=request.scheme)

@app.get("/g")
async def of_g():
    before = g.mark
    await asyncio.sleep(0.005)
    return jsonify(before=before, after=g.mark, sync=await run_sync(lambda: g.mark)())

@app.get("/sync")
def sync():
    time.sleep(0.005)
    return jsonify(mark=g.mark)

@app.get("/blocking")
async def blocking():
    time.sleep(0.01)
    return jsonify(mark=g.mark)

@app.route("/notes/<owner>", methods=["GET", "PUT", "DELETE"])
async def of_notes(owner):
    if request.method == "PUT":
        given = await request.get_json()
        notes.setdefault(owner, {}).update(given)
        return jsonify(notes[owner]), 201
    if owner not in notes:
        abort(404)
    if request.method == "DELETE":
        del notes[owner]
        return "", 204
    return jsonify(notes[owner])

@app.post("/form")
async def a_form():
    values = await request.form
    files = await request.files
    return jsonify(values=values.to_dict(flat=False),
                   files={name: [file.filename, len(file.read())] for name, file in files.items()})

@app.post("/body")
async def body():
    size = 0
    async for piece in request.body:
        size += len(piece)
    return jsonify(size=size)

@app.get("/count")
async def count():
    session["count"] = session.get("count", 0) + 1
    return jsonify(session["count"])

@app.get("/lines")
async def lines():
    @stream_with_context
    async def made():
        for number in range(200):
            yield f"{number} {request.args.get('mark')}\\n".encode()
    return made(), 200, {"X-Lines": "200"}

@app.get("/events")
async def events():
    async def made():
        seen["streams"] += 1
        number = 0
        try:
            while True:
                yield f"id: {number}\\ndata: tick\\n\\n".encode()
                number += 1
                await asyncio.sleep(0.02)
        finally:
            seen["streams"] -= 1
    response = await make_response(made(), {"Content-Type": "text/event-stream"})
    response.timeout = None
    return response

@app.get("/slow")
async def slow():
    async def made():
        yield b"begun "
        await asyncio.sleep(1)
        yield b"done"
    return made()

@app.get("/broken")
async def broken():
    raise RuntimeError("in a view")

@app.get("/broken-stream")
async def broken_stream():
    async def made():
        yield b"a piece"
        raise RuntimeError("in the middle of an answer")
    return made()

@app.get("/waits")
async def waits():
    seen["streams"] += 1
    try:
        await asyncio.sleep(600)
    finally:
        seen["streams"] -= 1

@app.get("/late")
async def late():
    response = await make_response("late")
    await asyncio.wait_for(asyncio.sleep(0.001), 1)
    return response

@app.get("/file")
async def file():
    return await send_file("{folder}/static/numbers.txt", conditional=True)

@app.get("/to")
async def to():
    return redirect(url_for("home"))

@app.get("/later")
async def later():
    mark = g.mark
    async def work():
        await asyncio.sleep(0.02)
        done[mark] = "async"
    app.add_background_task(work)
    return "soon"

@app.get("/was-done")
async def was_done():
    while g.mark not in done:
        await asyncio.sleep(0.005)
    return done.pop(g.mark)

@app.get("/rest")
async def rest():
    gc.collect()  # generators that nobody exhausts
    return jsonify(streams=seen["streams"], talks=seen["talks"])

@app.websocket("/talk")
async def talk():
    seen["talks"] += 1
    try:
        await websocket.send(f"hello {websocket.args.get('name')} {websocket.requested_subprotocols}")
        while True:
            said = await websocket.receive()
            if isinstance(said, bytes):
                await websocket.send(said[::-1])
                continue
            words = said.split()
            if words[0] == "close":
                await websocket.close(int(words[1]), " ".join(words[2:]))
            elif words[0] == "raise":
                raise RuntimeError("in a talk")
            elif words[0] == "return":
                return
            elif words[0] == "both":
                async def sending():
                    for number in range(10):
                        await websocket.send(str(number))
                        await asyncio.sleep(0)
                await asyncio.gather(sending(), sending())
            else:
                await websocket.send(said.upper())
    finally:
        seen["talks"] -= 1

@app.websocket("/accepts")
async def accepts():
    await websocket.accept(headers={"X-Talk": "1"}, subprotocol="chat")
    await websocket.send_json({"a": await websocket.receive_json()})

@app.websocket("/refuses")
async def refuses():
    abort(403)

@app.websocket("/answers")
async def answers():
    return "no talk", 418, {"X-Why": "a teapot"}
"""


def _prepare(place: Place) -> None:
    place.write("site_quart.py", _SITE)
    place.write("static/numbers.txt", "".join(f"{number}\n" for number in range(9_000)))


def _talks(guest: Guest) -> None:
    talk = guest.talk("/talk?name=$mark", subprotocols=["a", "b"])
    talk.hear()
    talk.send("hello", b"\x00\x01", bytes(100_000), "both")
    talk.hear(3)
    guest.hear(f"{sorted(str(talk.next()) for _ in range(20))}")
    talk.ping()
    talk.close(4321, "enough")
    talk = guest.talk("/accepts", subprotocols=["chat"])
    talk.send(f'{{"text": "{guest.mark}"}}')
    talk.hear(2)


def _is_refused(guest: Guest) -> None:
    for path in ("/refuses", "/answers", "/no/where"):
        guest.talk(path)


def _has_things_done_later(guest: Guest) -> None:
    for path in ("/later", "/was-done", "/g", "/sync", "/blocking", "/lines"):
        guest.ask(Page(f"{path}?mark=$mark"))


def _uploaded(size: int) -> Page:
    body = (
        '--edge\r\nContent-Disposition: form-data; name="file"; filename="a.bin"\r\n\r\n'
        f"{'abc' * (size // 3)}\r\n"
        '--edge\r\nContent-Disposition: form-data; name="note"\r\n\r\na note\r\n--edge--\r\n'
    )
    kind = "Content-Type: multipart/form-data; boundary=edge"
    return Page("/form", "POST", (kind,), body, again=True)


_NOTES = "/notes/$mark"

APPLICATION = Application(
    name="quart",
    packages=("quart",),
    target=("site_quart:app",),
    prepare=_prepare,
    peer="uvicorn",
    pages=(
        Page("/"),
        Page("/", "HEAD"),
        Page("/", "OPTIONS", again=True),
        Page("/", "POST"),
        Page("/url?a=1&a=%C3%A9&b="),
        Page("/url", fields=("X-Forwarded-Proto: https",)),
        Page("/%75rl"),
        Page("/g?mark=a"),
        Page("/sync"),
        Page("/blocking"),
        Page("/notes/nobody"),
        json("/notes/page", "no json", "PUT"),
        json("/notes/page", '{"\\u00e9": "\\u00fc"}', "PUT"),
        Page("/notes/page"),
        form("/form", a="1", b="%C3%A9"),
        _uploaded(3000),
        _uploaded(1_000_000),
        Page("/body", "POST", body="x" * 400_000, again=True),
        Page("/body", "POST", body="x" * 2_500_000),
        Page("/body", "POST", ("Expect: 100-continue",), "x" * 100, again=True),
        Page("/lines?mark=a"),
        Page("/lines", "HEAD"),
        Page("/slow", again=False),
        Page("/broken"),
        Page("/late"),
        Page("/to"),
        Page("/nowhere"),
        Page("/file"),
        Page("/file", "HEAD"),
        Page("/file", fields=("Range: bytes=10-19",)),
        Page("/file", fields=("Range: bytes=99999999-",)),
        Page("/static/numbers.txt"),
        Page("/static/numbers.txt", fields=("Range: bytes=-9",)),
        Page("/static/../site_quart.py"),
    ),
    story=(
        json(_NOTES, '{"one": "$mark-one"}', "PUT").gives(201, "$mark-one"),
        json(_NOTES, '{"two": "$mark-two"}', "PUT").gives(
            201, "$mark-one", "$mark-two"
        ),
        Page(_NOTES, status=200, shows=("$mark-one", "$mark-two")),
        Page(_NOTES, "DELETE", status=204),
        Page(_NOTES, status=404),
    ),
    acts=(
        _talks,
        acts.is_closed,
        _is_refused,
        acts.leaves,
        acts.hears_of_a_broken_stream,
        acts.has_a_session,
        _has_things_done_later,
    ),
    rest=Page("/rest", shows=('"streams":0,"talks":0',)),
    ending=Ending("/slow", "/events", "/talk"),
    varies=(
        r"session=([^;]+)",
        r"etag: (.*)",
        r"\w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT",
    ),
)
