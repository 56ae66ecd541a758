"""Workers that are lost, or too old, too big, too long in service."""

from __future__ import annotations

import os
import re
import signal
import threading
from pathlib import Path

import pytest

from tests.support import raw
from tests.support.servers import Command, wait_until
from tests.support.site import Site, ask, gone, ready, wait_ready

# One worker holds its loop: in C without the interpreter's lock, in C with it, in Python.
STUCK = """
import hashlib
kept = []
def hold_outside(): hashlib.pbkdf2_hmac("sha256", b"password", b"salt", 10**9)
def hold_inside(): sum(range(10**12))
def hold_in_python():
    while True: pass
def answer_instead():
    import celadon
    try: hold_in_python()
    except celadon.LoopBlocked: kept.append(b"caught")
def shielded():
    import celadon, time
    end = time.monotonic() + 2.5
    with celadon.shield(5):
        while time.monotonic() < end: pass
def deaf():
    import signal, time
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    end = time.monotonic() + 1
    while time.monotonic() < end: pass
    signal.pthread_sigmask(signal.SIG_UNBLOCK, signal.valid_signals())
    end = time.monotonic() + 1
    while time.monotonic() < end: pass
def hold_and_listen():
    # What the watchdog asks for comes between two bytecodes, by this signal.
    import signal
    asked, known = [], signal.getsignal(signal.SIGRTMAX)
    def on_signal(number, frame):
        asked.append(number)
        return known(number, frame)
    signal.signal(signal.SIGRTMAX, on_signal)
    while not asked: pass
    signal.signal(signal.SIGRTMAX, known)
def grow(): kept.append(b"x" * (64 << 20))
def app(environ, start_response):
    name = environ["PATH_INFO"][1:]
    if name: globals()[name]()
    start_response("200 OK", [("Content-Length", "2")])
    return [b"ok"]
"""


@pytest.fixture
def stuck(tmp_path: Path) -> Path:
    (tmp_path / "stuck.py").write_text(STUCK)
    return tmp_path


@pytest.mark.parametrize("how", ["hold_outside", "hold_inside", "hold_in_python"])
def test_a_stuck_loop_is_reported_and_its_worker_replaced(
    stuck: Path, how: str
) -> None:
    options = ("--workers", "2", "--timeout", "2", "--watchdog-threshold", "50ms")
    with (
        Command("stuck:app", *options, cwd=stuck) as server,
        server.client() as client,
    ):
        wait_ready(server, 2)
        client.send(raw.get(f"/{how}"))
        place = rf"the loop is held for \d+ ms at .*stuck.py:\d+ in {how}"
        worker = int(server.wait_line(rf"\[(\d+)\] \[WARNING\] {place}")[1])
        # The other worker takes all there is meanwhile.
        for _ in range(10):
            assert server.request(raw.get("/")).body == b"ok"
        server.wait_line("ms; the stacks of all threads")
        server.wait_line(
            f"worker {worker} does not answer for \\d+ s and is aborted: state"
        )
        server.wait_line(
            f"worker {worker} (was killed by|exited).*, with 1 request: GET /{how}$"
        )
        assert client.read_to_end() == b""
        assert worker not in wait_ready(server, 2)
    report = "\n".join(server.lines)
    if how == "hold_in_python":
        assert f"worker {worker} exited with status 1" in report
        assert "in hold_in_python" in report.split("is aborted")[1]  # all greenlets
    else:
        assert f"worker {worker} was killed by SIGKILL" in report


def test_a_thread_that_does_not_show_its_stack_at_once_is_asked_again(
    stuck: Path,
) -> None:
    """As one that gets no processor for some time, on a busy machine."""
    options = ("--watchdog-threshold", "50ms")
    with Command("stuck:app", *options, cwd=stuck) as server:
        assert server.request(raw.get("/deaf")).body == b"ok"
        server.wait_line(r"the loop is held for \d+ ms at .*\.py:\d+ in ")
        server.wait_line("in deaf")
    assert not any("a place that is not known" in line for line in server.lines)


def test_g04_a_thread_writes_its_stack_between_two_bytecodes(stuck: Path) -> None:
    """Not where a frame is made or ends, with its memory there only in part."""
    options = ("--workers", "1", "--watchdog-threshold", "20ms")
    with Command("stuck:app", *options, cwd=stuck) as server:
        assert server.request(raw.get("/hold_and_listen")).body == b"ok"
        server.wait_line(r"the loop is held for \d+ ms at .*stuck.py:\d+ in ")


def test_code_that_holds_the_loop_is_interrupted_by_option(stuck: Path) -> None:
    """watchdog_raise: one request fails, and no worker."""
    options = ("--workers", "1", "--timeout", "4", "--watchdog-raise")
    with Command("stuck:app", *options, cwd=stuck) as server:
        worker = server.worker
        assert server.request(raw.get("/hold_in_python")).status == 500
        server.lines.wait_all(
            "the loop is held for .* ms; the stacks of all threads",
            "LoopBlocked: this code has held the loop for half of timeout",
        )
        for path in ("/answer_instead", "/shielded", "/"):
            assert server.request(raw.get(path)).body == b"ok"
        assert ready(server) == [worker]


# Long in what a loop does for others: it wakes a task whose body has come.
LOOPS_OWN = """
import asyncio
HOLD = '''
import time
def hold(callback, *args, context=None):
    del vars(loop)["call_soon"]
    end = time.monotonic() + 3.5
    while time.monotonic() < end: pass
    return loop.call_soon(callback, *args, context=context)
'''
async def app(scope, receive, send):
    loop = asyncio.get_running_loop()
    names = {"__name__": "asyncio.held", "loop": loop}
    exec(HOLD, names)
    asked = asyncio.ensure_future(receive())
    for _ in range(5): await asyncio.sleep(0)
    loop.call_soon = names["hold"]
    open("waits", "w").close()
    body = (await asked)["body"]
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})
"""


def test_what_a_loop_has_in_hand_is_not_lost_by_that(tmp_path: Path) -> None:
    (tmp_path / "held.py").write_text(LOOPS_OWN)
    options = ("--lifespan", "off", "--timeout", "6", "--watchdog-raise")
    with Command("held:app", *options, cwd=tmp_path) as server:
        worker = server.worker
        with server.client() as client:
            client.send(raw.get("/", "Content-Length: 4", method="POST"))
            wait_until(lambda: (None, (tmp_path / "waits").exists()))
            client.send(b"body")
            assert client.response().body == b"body"
        assert ready(server) == [worker]


def test_a_stopped_worker_is_noticed(site: Site) -> None:
    with site.serve("--workers", "2", "--timeout", "2") as server:
        first, second = wait_ready(server, 2)
        server.kill(first, signal.SIGSTOP)
        server.wait_line(
            rf"worker {first} does not answer for \d+ s and is aborted: state T"
        )
        server.wait_line(f"worker {first} was killed by SIGKILL")
        assert second in wait_ready(server, 2)


def test_one_that_goes_on_in_time_is_left_alone(site: Site) -> None:
    with site.serve("--timeout", "5") as server:
        (worker,) = wait_ready(server, 1)
        for _ in range(3):
            os.kill(worker, signal.SIGSTOP)
            wait_until(lambda: (s := state(worker), s == "T"))
            os.kill(worker, signal.SIGCONT)
            assert ask(server)[1] == worker
        assert ready(server) == [worker]


def test_a_slow_request_is_no_silent_worker(site: Site) -> None:
    """`timeout` is about the loop: a request that waits may take longer."""
    (site.folder / "site_app.py").write_text(
        "import time\n"
        "def app(environ, start_response):\n"
        "    time.sleep(2.5)\n"
        "    start_response('200 OK', [('Content-Length', '0')])\n"
        "    return []\n"
    )
    with site.serve("--timeout", "2") as server:
        (worker,) = wait_ready(server, 1)
        assert server.request(raw.get("/")).status == 200
        assert ready(server) == [worker]


def state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1][0]


def test_max_requests(site: Site) -> None:
    """Replaced again and again under load; no request and no connection is lost."""
    with site.serve("--workers", "2", "--max-requests", "50") as server:
        first = wait_ready(server, 2)
        failures: list[object] = []

        def load() -> None:
            try:
                with server.client() as client:
                    while sum("has served" in line for line in server.lines) < 6:
                        client.send(raw.get("/"))
                        response = client.response()
                        assert response.status == 200
                        assert response.get("Connection") is None
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=load) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        wait_until(lambda: (None, all(map(gone, first))))
        assert not [line for line in server.lines if "ERROR" in line]


def test_max_requests_jitter_is_drawn_for_each_worker(site: Site) -> None:
    options = ("--max-requests", "1", "--max-requests-jitter", "1000000")
    with site.serve(*options) as server:
        (worker,) = wait_ready(server, 1)
        for _ in range(20):
            assert ask(server)[1] == worker


ENDED_BY_HOOKS = """
import os
workers = 1
def post_worker_init(worker): worker.alive = worker.age > 1
def pre_request(worker, req):
    if req.path != "/fork": return
    child = os.fork()
    if not child:
        worker.alive = False
        os._exit(0)
    os.waitpid(child, 0)
def post_request(worker, req):
    if req.path == "/last": worker.alive = False
"""


def test_a_worker_that_a_hook_ends_is_replaced_first(site: Site) -> None:
    (site.folder / "gunicorn.conf.py").write_text(ENDED_BY_HOOKS)
    with site.serve() as server:
        told = r"worker (\d+) is told by a hook to end: another one takes its place"

        def replaced() -> int:
            worker = int(server.wait_line(told)[1])
            server.wait_line(r"worker \d+ is ready")
            wait_until(lambda: (None, gone(worker)))
            return worker

        replaced()  # in post_worker_init
        for path in ("/last", "/last", "/fork", "/last", "/last"):
            worker = ask(server, path)[1]
            if path == "/last":
                assert replaced() == worker
        ended = [line for line in server.lines if re.search(told, line)]
        assert len(ended) == 5
        assert not [line for line in server.lines if "ERROR" in line]


def test_a_worker_past_its_lifetime_is_replaced(site: Site) -> None:
    options = ("--worker-max-lifetime", "2", "--worker-max-lifetime-jitter", "0.1")
    with site.serve(*options) as server, server.client() as client:
        (worker,) = wait_ready(server, 1)
        client.send(raw.get("/"))
        assert client.response().body.split()[1] == str(worker).encode()
        wait_until(lambda: (None, gone(worker)))
        client.send(raw.get("/"))
        assert client.response().body.split()[1] != str(worker).encode()


def test_a_worker_that_takes_too_much_memory_ends(stuck: Path) -> None:
    options = ("--worker-kill-rss", "100M")
    with Command("stuck:app", *options, cwd=stuck) as server:
        (worker,) = wait_ready(server, 1)
        for _ in range(2):
            assert server.request(raw.get("/grow")).body == b"ok"
        server.wait_line(rf"worker {worker} is at \d+ MiB of memory and ends now")
        server.wait_line(rf"worker {worker} (exited|was killed)")
        assert worker not in wait_ready(server, 1)
