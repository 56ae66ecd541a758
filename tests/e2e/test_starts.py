"""`celadon.run()` again and again in one process: each start makes its state anew."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.raw import Client, get
from tests.support.servers import Command, Started
from tests.support.site import wait_ready

PROGRAM = """
import atexit, gc, multiprocessing, os, signal, socket, subprocess, sys, tempfile, threading, time
import celadon
from celadon.metrics import Counter
COUNT = Counter("of_the_program", "Counts.")
def app(environ, start_response):
    body = b"%d" % os.getpid()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
def descriptors():
    gc.collect()
    return sorted(os.readlink(f"/proc/self/fd/{n}").split("[")[0] for n in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{n}"))
def child():
    time.sleep(600)
process = multiprocessing.get_context("fork").Process(target=child, daemon=True)
process.start()
command = subprocess.Popen(["sh", "-c", "read line; exit 8"], stdin=subprocess.PIPE)
folder = tempfile.TemporaryDirectory()
atexit.register(lambda: print("atexit", os.getpid(), flush=True))
free = socket.create_server(("127.0.0.1", 0))
one = "127.0.0.1:%d" % free.getsockname()[1]
free.close()
before = descriptors()
try:
    celadon.run(app, bind=[one, "unix:/no/such/folder/sock"], workers=2)
except OSError as error:
    print("refused:", error, flush=True)
assert descriptors() == before, (before, descriptors())
socket.create_server(("127.0.0.1", int(one.split(":")[1]))).close()
COUNT.inc()
try:
    celadon.run(app, bind="127.0.0.1:0", workers=2)
finally:
    print("finally", os.getpid(), flush=True)
COUNT.inc()
assert descriptors() == before, (before, descriptors())
assert os.path.isdir(folder.name)
command.communicate(b"now\\n")
assert command.returncode == 8
assert process.is_alive()
process.terminate(); process.join()
print("over", process.exitcode, os.getpid(), flush=True)
"""
SCRIPT = """
import os, signal, sys
import celadon
from celadon.errors import UsageError
HANDLERS = {{n: signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}}
def app(environ, start_response):
    sys.stdout.write(("x" * 1023 + "\\n") * 2000)
    sys.stdout.flush()
    start_response("200 OK", [("Content-Length", "0")])
    return []
for bind in {binds}:
    try:
        celadon.run(app, bind=bind, workers={workers})
    except (UsageError, OSError) as error:
        print("refused", error, file=sys.stderr, flush=True)
    for number, handler in HANDLERS.items():
        assert signal.getsignal(number) is handler, number
    print("over", file=sys.stderr, flush=True)
"""
GOOD, BAD = "127.0.0.1:0", "unix:/no/such/folder/sock"


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize(
    "binds", [[BAD, GOOD], [GOOD, GOOD], [GOOD, BAD, GOOD]], ids=["bg", "gg", "gbg"]
)
def test_s26_a_start_after_another(
    tmp_path: Path, binds: list[str], workers: int
) -> None:
    (tmp_path / "script.py").write_text(SCRIPT.format(binds=binds, workers=workers))
    with Started(sys.executable, "script.py", cwd=tmp_path) as server:
        for bind in binds:
            if bind == BAD:
                server.wait_line("refused ")
            else:
                port = int(server.wait_line(r"listening at http://.*:(\d+)")[1])
                with Client(("127.0.0.1", port)) as client:
                    client.send(get("/"))
                    assert client.response().status == 200
                server.signal(signal.SIGTERM)
                server.wait_line("stopped")
            server.wait_line("^over$")
        assert server.wait() == 0


def test_s27_a_program_keeps_what_is_its_own(tmp_path: Path) -> None:
    """Its children, its end, its files and its descriptors; an address of a start that
    failed is free."""
    (tmp_path / "script.py").write_text(PROGRAM)
    with Started(sys.executable, "script.py", cwd=tmp_path) as server:
        for worker in wait_ready(server, 2):
            server.kill(worker, signal.SIGTERM)  # one that ends alone, too
            server.wait_line(f"worker {worker} exited with status 0")
            wait_ready(server, 2)
        assert server.request(get("/")).status == 200
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
    program = server.process.pid
    assert [line for line in server.out if line.startswith("over")] == [
        f"over {-signal.SIGTERM} {program}"
    ]
    # Each once, and in no worker.
    for what in ("finally", "atexit"):
        said = [line for line in server.out if line.startswith(what)]
        assert said == [f"{what} {program}"], list(server.out)
    assert not any("Traceback" in line for line in server.lines)


def modules_of(text: str) -> set[str]:
    return {*text.split()}


def bare(*words: str) -> set[str]:
    """What a Python has imported that does nothing else: an environment may add to it."""
    code = f"{'; '.join(words)}; import sys; print(*sys.modules)"
    return modules_of(subprocess.check_output([sys.executable, "-c", code], text=True))


def test_a_server_imports_nothing_that_it_does_not_use(tmp_path: Path) -> None:
    (tmp_path / "small.py").write_text(
        "import sys\n"
        "def app(environ, start_response):\n"
        "    start_response('200 OK', [])\n"
        "    return [' '.join([*sys.modules]).encode()]\n"
    )
    unused = {"concurrent.futures", "configparser", "csv", "datetime", "email"}
    unused |= {"importlib.abc", "importlib.metadata", "importlib.resources", "platform"}
    unused |= {"secrets", "zipfile"}
    with Command("small:app", cwd=tmp_path) as server:
        found = modules_of(server.request(get("/")).body.decode())
    assert "celadon.master" in found
    assert found & unused - bare("pass") == set()
    unused |= {"ast", "dataclasses", "inspect", "logging", "traceback"}
    assert bare("import celadon") & unused - bare("pass") == set()
