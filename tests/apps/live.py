"""Flask with the usual packages for WebSocket, and views that take the socket by hand."""

import hashlib
import os
import socket
import ssl

import flask
import simple_websocket
from flask_sock import Sock
from flask_socketio import SocketIO, emit, join_room

site = flask.Flask(__name__)
site.config["SOCK_SERVER_OPTIONS"] = {"ping_interval": 25, "subprotocols": ["chat"]}
sock = Sock(site)
# Of eventlet and gevent, which it would take where they are installed, nothing is here.
queue = os.environ.get("QUEUE")
events = SocketIO(site, async_mode="threading", message_queue=queue)
ended: list[str] = []
rooms: dict[str, set[simple_websocket.Server]] = {}
kept: list[socket.socket] = []


@sock.route("/echo")
def echo(ws):
    """Until the client closes."""
    try:
        while True:
            ws.send(ws.receive())
    finally:
        ended.append(flask.request.full_path)


@sock.route("/room/<name>")
def room(ws, name):
    """What one says all of a room hear, with the process that they are in."""
    people = rooms.setdefault(name, set())
    people.add(ws)
    try:
        ws.send(f"{len(people)} in {name}")
        while True:
            said = ws.receive()
            for each in list(people):
                each.send(f"{os.getpid()} {said}")
    finally:
        people.remove(ws)


@sock.route("/three")
def three(ws):
    """Closes by itself."""
    for number in range(3):
        ws.send(str(number))


@sock.route("/raises")
def raises(ws):
    ws.send("before")
    raise ValueError("of the view")


@site.route("/wait", websocket=True)
def wait():
    """By simple-websocket alone."""
    ws = simple_websocket.Server.accept(flask.request.environ)
    text = ws.receive()
    ws.close(4001, f"got {text}")
    return ""


@site.route("/raw")
def raw():
    """Another protocol: lines that come back, until there is an empty one."""
    taken = flask.request.environ["gunicorn.socket"]
    taken.sendall(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")
    with taken.makefile("rwb") as lines:
        try:
            while line := lines.readline().strip():
                lines.write(line.upper() + b"\n")
                lines.flush()
        except ConnectionResetError:
            ended.append("reset")
            raise
    return "nobody sees this"


@site.route("/early")
def early():
    """Answers with what it received, by all methods there are: of 20 bytes."""
    with flask.request.environ["werkzeug.socket"] as taken:
        taken.sendall(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")
        pieces = [taken.recv(1), taken.recvfrom(1)[0], taken.recvmsg(1)[0]]
        for name in ("recv_into", "recvfrom_into"):
            getattr(taken, name)(piece := bytearray(1))
            pieces.append(piece)
        taken.recvmsg_into([piece := bytearray(1)])
        pieces.append(piece)
        with taken.dup() as second:
            pieces.append(second.recv(1))
        pieces.append(taken.recv(13, socket.MSG_WAITALL))
        taken.sendall(b" ".join(pieces))
    return ""


@site.route("/tls")
def tls():
    """Goes on by TLS, with the certificate in the folder that the query names."""
    folder = flask.request.query_string.decode()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{folder}/cert", f"{folder}/key")
    taken = flask.request.environ["werkzeug.socket"]
    taken.sendall(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")
    try:
        safe = context.wrap_socket(taken, server_side=True)
    except RuntimeError as error:
        taken.sendall(str(error).encode())
    else:
        safe.sendall(safe.recv(100).upper())
        safe.unwrap()
    return ""


@site.route("/late")
def late():
    """The socket of a request that has ended."""
    kept.append(flask.request.environ["werkzeug.socket"])
    return "kept"


@site.route("/ask-late")
def ask_late():
    try:
        kept.pop().send(b"x")
    except RuntimeError as error:
        return str(error)
    return "sent"


@site.route("/looks")
def looks():
    """Looks at the socket in every way there is, and answers as ever."""
    taken = flask.request.environ["werkzeug.socket"]
    names = ("recv", "sendall", "fileno", "makefile", "getpeername", "nothing", "_sock")
    found = [name for name in names if hasattr(taken, name)]
    told = [isinstance(taken, kind) for kind in (socket.socket, ssl.SSLSocket)]
    told += ["recv" in dir(taken), repr(taken)]
    return flask.jsonify(found, told, taken.recv.__name__, bool(taken))


@site.route("/begun")
def begun():
    """Once the answer has begun it is too late."""
    environ = flask.request.environ

    def pieces():
        yield b"one "
        try:
            environ["werkzeug.socket"].recv(1)
        except RuntimeError as error:
            yield str(error).encode()

    return flask.Response(pieces())


@site.route("/ended")
def tell_ended():
    return ",".join(ended)


@events.on("join")
def on_join(room):
    join_room(room)
    return hashlib.sha256(room.encode()).hexdigest()


@events.on("where")
def on_where():
    return os.getpid()


@events.on("say")
def on_say(message):
    emit("said", message["text"], to=message["room"])


@events.on("disconnect")
def on_disconnect(reason):
    ended.append("socket.io")


def app(environ, start_response):
    """The site, and what Flask would not route: which keys a request has."""
    if environ["PATH_INFO"] != "/keys":
        return site(environ, start_response)
    body = ",".join(sorted(key for key in environ if key.endswith(".socket")))
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [body.encode()]
