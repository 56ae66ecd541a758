"""Plain WSGI views that wait, fail, leak and misbehave on request."""

from __future__ import annotations

import contextvars
import os
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs

TEXT = [("Content-Type", "text/plain")]
lock = threading.Lock()
local = threading.local()
var: contextvars.ContextVar[str] = contextvars.ContextVar("var", default="fresh")
imported: contextvars.ContextVar[str] = contextvars.ContextVar("imported", default="")
imported.set("at import")
log: list[str] = []
gates: defaultdict[str, threading.Event] = defaultdict(threading.Event)
at_gates: list[str] = []
barriers = {n: threading.Barrier(n) for n in (20, 50, 300)}


def app(environ: dict[str, Any], start_response: Any) -> Any:
    view = VIEWS.get(environ["PATH_INFO"])
    if view is None:
        start_response("404 Not Found", TEXT)
        return [b"no such view"]
    args = {k: v[0] for k, v in parse_qs(environ["QUERY_STRING"]).items()}
    result = view(environ, start_response, **args)
    if isinstance(result, str):
        start_response("200 OK", TEXT)
        return [result.encode()]
    return result


def make(greeting: str = "made") -> Any:
    def made(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", TEXT)
        return [greeting.encode()]

    return made


def hello(environ: Any, start: Any) -> str:
    return "hello"


def sleep(environ: Any, start: Any, s: str = "0.01") -> str:
    time.sleep(float(s))
    return "slept"


def locked(environ: Any, start: Any, gate: str = "") -> str:
    """Holds the lock until the gate is open, if one is named."""
    with lock:
        return wait_gate(environ, start, gate) if gate else "locked"


def wait_gate(environ: Any, start: Any, gate: str = "gate") -> str:
    at_gates.append(gate)
    gates[gate].wait()
    return "through"


def open_gate(environ: Any, start: Any, gate: str = "gate") -> str:
    gates[gate].set()
    return "open"


def waiting(environ: Any, start: Any) -> str:
    return " ".join(at_gates)


def stream(environ: Any, start: Any, n: str = "5", size: str = "10") -> Iterator[bytes]:
    start("200 OK", TEXT)
    for i in range(int(n)):
        time.sleep(0)
        yield (b"%d" % i) * int(size)


def fail(environ: Any, start: Any) -> str:
    raise ValueError("failed on purpose")


def together(environ: Any, start: Any, n: str = "20") -> str:
    """Waits until so many requests are here."""
    return "together" if barriers[int(n)].wait(60) >= 0 else ""


def leave(environ: Any, start: Any) -> str:
    sys.exit(5)


def stubborn(environ: Any, start: Any) -> str:
    """Swallows its deadline, as a handler of `Exception` does, and says what came."""
    try:
        try:
            time.sleep(60)
        except Exception as error:
            log.append(type(error).__name__)
        time.sleep(60)
    except BaseException as error:
        log.append(type(error).__name__)
        raise
    return "never"


def deadline(environ: Any, start: Any) -> str:
    local.tenant = environ["QUERY_STRING"]
    try:
        time.sleep(60)
    finally:
        log.append("deadline cleanup")
    return "never"


def tenant(environ: Any, start: Any) -> str:
    return str(getattr(local, "tenant", None))


def context(environ: Any, start: Any) -> str:
    before = var.get()
    var.set("dirty")
    time.sleep(0.001)
    return before


def base_context(environ: Any, start: Any) -> str:
    return imported.get()


def fork(environ: Any, start: Any) -> str:
    pid = os.fork()
    if pid == 0:
        os._exit(9)
    return str(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))


def fork_and_return(environ: Any, start: Any) -> str:
    """The child answers too: the server must not let it."""
    pid = os.fork()
    if pid:
        os.waitpid(pid, 0)
    return "parent" if pid else "child"


def thread(environ: Any, start: Any) -> str:
    """Leaves a thread behind."""
    result: list[str] = []
    worker = threading.Thread(
        target=lambda: result.append("from a thread"), daemon=True
    )
    worker.start()
    worker.join()
    return result[0]


def upload(environ: Any, start: Any) -> str:
    total = 0
    while piece := environ["wsgi.input"].read(65536):
        total += len(piece)
    return str(total)


def show_log(environ: Any, start: Any) -> str:
    return ",".join(log)


def big(environ: Any, start: Any, mb: str = "64") -> Iterator[bytes]:
    start("200 OK", TEXT)
    try:
        for _ in range(int(mb)):
            yield b"x" * (1 << 20)
    finally:
        log.append("big closed")


def slots(environ: Any, start: Any) -> str:
    from celadon import green

    stats = green.stats()
    assert stats is not None
    return f"{stats['runners']} {stats['idle']}"


def errors(environ: Any, start: Any) -> str:
    environ["wsgi.errors"].write("said by the application\n")
    environ["wsgi.errors"].flush()
    return "said"


def hold(environ: Any, start: Any, s: str = "0.5") -> str:
    """Computes without a wait point: the loop is held."""
    end = time.monotonic() + float(s)
    while time.monotonic() < end:
        pass
    return "held"


def spawned(environ: Any, start: Any) -> str:
    import celadon

    tasks = [celadon.spawn(time.sleep, 0.01) for _ in range(10)]
    for task in tasks:
        task.join()
    return "spawned"


ORPHANS: list[str] = []


def orphan(environ: Any, start: Any) -> str:
    """A greenlet that waits for the body while its request ends."""
    import celadon

    def read() -> None:
        try:
            environ["wsgi.input"].read()
        except Exception as error:
            ORPHANS.append(repr(error))

    celadon.spawn(read)
    celadon.sleep(0)
    return "left it"


def orphans(environ: Any, start: Any) -> str:
    return " ".join(ORPHANS)


VIEWS: dict[str, Any] = {
    "/": hello,
    "/sleep": sleep,
    "/locked": locked,
    "/gate": wait_gate,
    "/open": open_gate,
    "/waiting": waiting,
    "/stream": stream,
    "/together": together,
    "/fail": fail,
    "/exit": leave,
    "/stubborn": stubborn,
    "/deadline": deadline,
    "/tenant": tenant,
    "/context": context,
    "/base_context": base_context,
    "/fork": fork,
    "/fork_and_return": fork_and_return,
    "/thread": thread,
    "/upload": upload,
    "/log": show_log,
    "/big": big,
    "/slots": slots,
    "/errors": errors,
    "/hold": hold,
    "/spawned": spawned,
    "/orphan": orphan,
    "/orphans": orphans,
}
