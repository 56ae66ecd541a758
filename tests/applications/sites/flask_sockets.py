"""Flask-SocketIO and Flask-Sock: WebSockets of synchronous views, by WSGI."""

from tests.applications import acts, socket_io
from tests.applications.application import Application, Page, Place
from tests.applications.guest import Guest

_SITE = """
import os, threading, time
import psycopg2
from flask import Flask, Response, request, session
from flask_sock import Sock
from flask_socketio import ConnectionRefusedError, SocketIO, disconnect, emit, join_room

app = Flask(__name__)
app.secret_key = "x"
app.config["SOCK_SERVER_OPTIONS"] = {"max_message_size": 300_000}
sock = Sock(app)
io = SocketIO(app, async_mode="threading", logger=False, max_http_buffer_size=10_000_000)
DSN = f"postgresql://celadon@127.0.0.1:{os.environ['POSTGRES_PORT']}/celadon"
open_talks = set()

def ask(words):
    connection = psycopg2.connect(DSN)
    try:
        with connection.cursor() as cursor:
            cursor.execute(words)
            return cursor.fetchone()[0]
    finally:
        connection.close()

@app.get("/")
def home():
    return "home"

@app.get("/rest")
def rest():
    return {"talks": len(open_talks)}

@sock.route("/talk")
def talk(ws):
    open_talks.add(ws)
    try:
        ws.send(f"hello {request.args.get('name')}")
        while True:
            said = ws.receive()
            if isinstance(said, bytes):
                ws.send(said[::-1])
                continue
            words = said.split()
            if words[0] == "close":
                ws.close(int(words[1]), " ".join(words[2:]))
            elif words[0] == "return":
                return
            elif words[0] == "raise":
                raise RuntimeError("in a talk")
            elif words[0] == "count":
                for number in range(int(words[1])):
                    ws.send(str(number))
            elif words[0] == "ask":
                ws.send(str(ask("SELECT 42")))
            elif words[0] == "wait":
                ws.send(str(ws.receive(timeout=0.05)))
            else:
                ws.send(said.upper())
    except OSError:
        pass  # whoever talked has left
    finally:
        open_talks.discard(ws)

@io.on("connect")
@io.on("connect", namespace="/other")
def come(auth):
    if auth and auth.get("refuse"):
        raise ConnectionRefusedError("not you")
    session["mark"] = auth["mark"]
    if request.namespace == "/":
        emit("welcome", {"mark": auth["mark"]})

@io.on("echo")
@io.on("echo", namespace="/other")
def echo(data):
    return data

@io.on("count")
def count(number):
    for each in range(number):
        emit("number", each)

@io.on("raise")
def fail(_=None):
    return "as told"

@io.on("session")
def of_session(_=None):
    return session["mark"]

@io.on("ask")
def asked(_=None):
    return ask("SELECT 42, pg_sleep(0.01)")

@io.on("join")
def join(room):
    join_room(room)
    return "joined"

@io.on("say")
def say(data):
    emit("said", data[1], to=data[0])
    return "said"

@io.on("leave me")
def leave(_=None):
    disconnect()
"""


def _prepare(place: Place) -> None:
    place.write("sockets.py", _SITE)


def _talks(guest: Guest) -> None:
    talk = guest.talk("/talk?name=$mark")
    talk.hear()
    talk.send("hello", b"\x00\x01", "ask", "count 20", "é" * 1000)
    talk.hear(2 + 1 + 20 + 1)
    talk.send("wait")
    talk.hear()
    talk.ping()
    talk.send(bytes(100_000))
    talk.hear()
    # Of real threads one may end the connection before the other has answered (4 of 320).
    talk.close(4321, "enough", answered=False)


def _leaves(guest: Guest) -> None:
    for _ in range(3):
        talk = guest.talk("/talk")
        talk.hear()
        talk.send("count 1000")
        talk.next()
        talk.leave()


def _comes_without_a_handshake(guest: Guest) -> None:
    guest.ask(Page("/talk"))
    guest.ask(Page("/socket.io/?EIO=4&transport=websocket"))
    guest.ask(Page("/socket.io/?EIO=3&transport=polling"))
    guest.ask(Page("/socket.io/?EIO=4&transport=polling&sid=nobody"))


APPLICATION = Application(
    name="flask_sockets",
    packages=("flask", "flask-socketio", "flask-sock", "psycopg2-binary"),
    target=("sockets:app",),
    prepare=_prepare,
    peer="gunicorn with 100 threads",
    environment={"POSTGRES_PORT": "{postgres_port}"},
    pages=(Page("/"), Page("/rest", again=False)),
    acts=(*socket_io.ACTS, _talks, acts.is_closed, _leaves, _comes_without_a_handshake),
    rest=Page("/rest", shows=('"talks":0',)),
)
