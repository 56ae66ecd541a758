"""The driver finds what is not as it is elsewhere; nothing is installed for that."""

from __future__ import annotations

import os
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from engineio.packet import MESSAGE, Packet
from engineio.payload import Payload

from tests.applications import socket_io
from tests.applications.__main__ import all_applications, pins_of
from tests.applications.answers import Reading
from tests.applications.application import Application, Ending, Page, Place
from tests.applications.guest import Guest
from tests.applications.peers import PEERS, Celadon, Gunicorn
from tests.applications.trial import PATIENCE, Trial
from tests.support.raw import TIMEOUT, Response
from tests.support.servers import BIN
from tools import environments

SITE = """
import threading
kept, seen = [], []
def app(environ, start_response):
    path, server = environ["PATH_INFO"], environ["SERVER_SOFTWARE"]
    celadon = server.startswith("celadon")
    seen.append(path)
    body = b"hello" * 1000
    {fault}
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
"""


def tried(folder: Path, fault: str) -> Trial:
    def prepare(place: Place) -> None:
        place.write("site_app.py", SITE.format(fault=fault))

    pages = (Page("/"), Page("/other"))
    story = (Page("/my/$mark"), Page("/my", shows=("hello",), lacks=("$mark",)))
    target = ("site_app:app",)
    application = Application("site", (), target, pages, prepare, story=story)
    return gone(application, folder, is_faulty=fault != "pass")


def gone(application: Application, folder: Path, is_faulty: bool) -> Trial:
    # What does not become as it must be does not for however long it is waited for.
    patience = 1.0 if is_faulty else PATIENCE
    trial = Trial(application, BIN, folder, seconds=0.3, patience=patience)
    trial.go(seed=1)
    return trial


def test_an_application_that_is_the_same_everywhere_has_no_fault(
    tmp_path: Path,
) -> None:
    trial = tried(tmp_path, "pass")
    assert trial.faults == []
    assert re.match("2 pages", trial.notes[0])
    assert re.search(r"[1-9]\d* stories told", trial.notes[1])


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("if celadon: body = b'hello?'", "GET /other: at 5 of the body"),
        (
            "if celadon and path != '/my' and len(seen) > 20: body = b'late'",
            "under load: at 0 of the body",
        ),
        (
            "if celadon and path == '/my' and len(seen) > 20: body = b'none'",
            "story under load: step 2, GET /my: lacks 'hello'",
        ),
        (
            "if celadon and path == '/my' and len(seen) > 20: body += str(seen).encode()",
            "story under load: step 2, GET /my: shows 'm1x",
        ),
        (
            "if celadon and len(seen) % 8 == 0: kept.append(open('/dev/null'))",
            "grows under load",
        ),
        ("if celadon: kept.append(b'x' * 200_000)", "grows under load"),
        ("if celadon: threading.Thread(target=lambda: 1 / 0).start()", "tracebacks"),
    ],
    ids=[
        "an answer",
        "under load",
        "of a story",
        "a mark",
        "descriptors",
        "memory",
        "the log",
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, fault: str, said: str) -> None:
    faults = tried(tmp_path, fault).faults
    assert any(said in each for each in faults), faults


ASGI = """
import asyncio, sys
ours = sys.argv[0].endswith("celadon")
kept = []
async def answer(send, pieces):
    await send({{"type": "http.response.start", "status": 200, "headers": []}})
    async for piece in pieces:
        await send({{"type": "http.response.body", "body": piece, "more_body": True}})
    await send({{"type": "http.response.body"}})
async def pieces(path):
    if path in ("/slow", "/cut"):
        yield b"begun"
        await asyncio.sleep(0.5)
    if path == "/cut":
        raise ValueError
    while path == "/endless":
        yield b"piece"
        await asyncio.sleep(0.05)
    yield b"kept " + str(len(kept)).encode() if path == "/rest" else b"done"
async def app(scope, receive, send):
    if scope["type"] == "http":
        path = scope["path"]
        {fault}
        return await answer(send, pieces(path))
    assert scope["type"] == "websocket"
    await receive()
    await send({{"type": "websocket.accept"}})
    text, code = "hello", 4000
    {talk}
    await send({{"type": "websocket.send", "text": text}})
    if (await receive())["type"] == "websocket.receive":
        await send({{"type": "websocket.close", "code": code}})
"""


def _says_something(guest: Guest) -> None:
    talk = guest.talk("/talk")
    talk.hear()
    talk.send(guest.mark)
    talk.hear()


def tried_by_asgi(folder: Path, fault: str = "pass", talk: str = "pass") -> Trial:
    def prepare(place: Place) -> None:
        place.write("site_app.py", ASGI.format(fault=fault, talk=talk))

    application = Application(
        "site",
        (),
        ("site_app:app",),
        (Page("/"),),
        prepare,
        peer="uvicorn",
        acts=(_says_something,),
        rest=Page("/rest", shows=("kept 0",)),
        ending=Ending("/slow", "/endless", "/talk"),
    )
    return gone(application, folder, is_faulty=(fault, talk) != ("pass", "pass"))


@pytest.mark.slow("six servers, one after another")
def test_an_application_of_asgi_that_is_the_same_everywhere_has_no_fault(
    tmp_path: Path,
) -> None:
    trial = tried_by_asgi(tmp_path)
    assert trial.faults == []
    said = "\n".join(trial.notes)
    assert re.search(r"[1-9]\d* acts", said)
    assert re.search("celadon at SIGTERM: slow whole.*closed 1001.*status 0", said)
    assert re.search("celadon at SIGHUP: slow whole.*closed 1012.*answered 200", said)


@pytest.mark.slow("six servers, one after another")
@pytest.mark.parametrize(
    ("fault", "talk", "said"),
    [
        ("pass", "if ours: text = 'goodbye'", "says_something: behind"),
        ("pass", "if ours: code = 4001", "closed 4001"),
        (
            "if ours and path != '/rest': kept.append(1)",
            "pass",
            "/rest after the crowd",
        ),
        (
            "if ours and path == '/slow': path = '/cut'",
            "pass",
            "SIGTERM",
        ),
    ],
    ids=["a message", "a close code", "what is kept", "an ending"],
)
def test_what_is_wrong_by_asgi_is_named(
    tmp_path: Path, fault: str, talk: str, said: str
) -> None:
    faults = tried_by_asgi(tmp_path, fault, talk).faults
    assert any(said in each for each in faults), faults


@pytest.mark.parametrize("kind", [Gunicorn, Celadon])
def test_a_server_is_asked_once_it_has_imported_the_application(
    tmp_path: Path, kind: type[Gunicorn | Celadon]
) -> None:
    os.mkfifo(tmp_path / "go")
    imports = f"open({str(tmp_path / 'go')!r}).close()\n"
    (tmp_path / "site_app.py").write_text(imports + SITE.format(fault="pass"))
    peer = PEERS["gunicorn"]
    options = peer.options if kind is Gunicorn else ("--workers", "1")
    program = str(BIN / kind.__name__.lower())
    command = (program, *peer.address, *options, "site_app:app")
    with (
        kind(*command, cwd=tmp_path) as server,
        ThreadPoolExecutor() as pool,
    ):
        server.lines.said(kind.says)
        heard = pool.submit(lambda: (server.port, [*server.lines]))
        pool.submit((tmp_path / "go").write_text, "").result(TIMEOUT)
        _, lines = heard.result(TIMEOUT)
    assert any(re.search(kind.is_ready, line) for line in lines), lines


def test_what_may_differ_is_taken_out() -> None:
    reading = Reading(
        (r'token="(\w+)"', r"\d{4}-\d\d-\d\d"),
    )
    pages = [
        Response(200, "OK", "HTTP/1.1", [("X-Day", day), ("Date", day)], body)
        for day, body in [
            ("2024-01-01", b'token="abc" at http://a:1234/'),
            ("2025-02-02", b'token="defg" at http://a:99/'),
        ]
    ]
    first, second = reading.read(pages[0], 1234), reading.read(pages[1], 99)
    assert first == second
    assert first.body == 'token="..." at http://a:PORT/'


def test_a_client_of_socket_io_hears_in_order_and_however_much_at_once() -> None:
    packets = [Packet(MESSAGE, str(number)) for number in range(30)]
    answer = Payload(encoded_payload=Payload(packets=packets).encode())
    sent, all_heard = threading.Event(), threading.Event()
    heard: list[str] = []

    def hear(message: str) -> None:
        if message == "0":
            sent.wait(TIMEOUT)
        heard.append(message)
        if len(heard) == len(packets):
            all_heard.set()

    client = socket_io.Client().eio
    client.on("message", hear)
    for packet in answer.packets:
        client._receive_packet(packet)
    sent.set()
    assert all_heard.wait(TIMEOUT)
    assert heard == [str(number) for number in range(30)]


def test_what_cannot_be_installed_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(environments.NotInstalled, match=r"nothing\.whl"):
        environments.make(tmp_path / "env", "/nowhere/nothing.whl")
    with pytest.raises(environments.NotInstalled, match="took longer than 0 minutes"):
        environments.install(tmp_path / "env", "/nowhere/nothing.whl", minutes=0)


def test_each_application_is_pinned_whole() -> None:
    there = all_applications()
    assert len({each.name for each in there}) == len(there) >= 5
    for application in there:
        pins = pins_of(application).read_text().splitlines()
        assert all(re.fullmatch(r"[\w.-]+==[\w.+!]+", line) for line in pins), pins
        named = {_name(line) for line in pins}
        packages = (*application.packages, *PEERS[application.peer].packages)
        assert {_name(each) for each in packages} | {"greenlet"} <= named


def _name(requirement: str) -> str:
    return re.split(r"[<=\[]", requirement)[0].lower().replace("_", "-")
