"""Logs of the real command: ids, styles, handlers, and readers that do not read."""

from __future__ import annotations

import gzip
import itertools
import json
import os
import re
import select
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.support import raw
from tests.support.machine import program
from tests.support.raw import Client, get
from tests.support.servers import CELADON, ROOT, Command, wait_until
from tests.support.site import gone, ready, renewed, wait_ready

LOGS = "tests.apps.logs:app"
UUID7 = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
)
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def with_fields(path: str, **fields: str) -> bytes:
    lines = "".join(f"{name.replace('_', '-')}: {v}\r\n" for name, v in fields.items())
    return f"GET {path} HTTP/1.1\r\nHost: x\r\n{lines}\r\n".encode()


def lines_of(path: Path, count: int) -> list[str]:
    """The lines of a log once there are `count`."""

    def read() -> tuple[list[str], bool]:
        lines = path.read_text().splitlines() if path.exists() else []
        return lines, len(lines) >= count

    return wait_until(read)  # type: ignore[no-any-return]


def has_open(pid: int, path: Path) -> bool:
    """Whether the process has this very file open, whatever its name was then."""
    opened = Path(f"/proc/{pid}/fd").iterdir()
    return any(each.exists() and each.samefile(path) for each in opened)


# --- names of requests ---


def test_a_request_has_an_id_in_answer_environ_and_log(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    options = ["--access-logfile", str(log), "--access-logformat"]
    with Command(LOGS, *options, "%({request_id}x)s %({trace_id}x)s") as server:
        answer = server.request(get("/"))
        identity, trace, span = json.loads(answer.body)
        assert UUID7.fullmatch(identity)
        assert answer.all("X-Request-ID") == [identity]
        assert (len(trace), len(span)) == (32, 16)
        assert lines_of(log, 1) == [f"{identity} {trace}"]


def test_names_that_a_trusted_peer_sends_are_taken() -> None:
    with Command(LOGS) as server:
        sent = with_fields("/", X_Request_ID="abc.1", traceparent=PARENT)
        answer = server.request(sent)
        identity, trace, span = json.loads(answer.body)
        assert (identity, trace) == ("abc.1", PARENT.split("-")[1])
        assert span != PARENT.split("-")[2]
        assert answer.get("X-Request-ID") == "abc.1"
        bad = server.request(with_fields("/", X_Request_ID="a b"))
        assert UUID7.fullmatch(json.loads(bad.body)[0])
    with Command(LOGS, "--forwarded-allow-ips", "10.0.0.1") as server:
        assert server.request(sent).get("X-Request-ID") != "abc.1"


def test_an_application_may_name_its_answer_itself() -> None:
    with Command(LOGS) as server:
        assert server.request(get("/own")).all("X-Request-ID") == ["mine"]


def test_the_header_of_the_id_is_a_setting() -> None:
    options = ["--request-id-header", "X-Correlation-ID"]
    with Command(LOGS, *options, "--no-trace-context") as server:
        answer = server.request(with_fields("/", X_Correlation_ID="c1"))
        assert answer.get("X-Correlation-ID") == "c1"
        assert answer.get("X-Request-ID") is None
        assert json.loads(answer.body) == ["c1", "", ""]
    with Command(LOGS, "--request-id-header", "") as server:
        answer = server.request(get("/"))
        assert answer.get("X-Request-ID") is None
        assert UUID7.fullmatch(json.loads(answer.body)[0])


def test_who_keeps_a_request_keeps_its_names() -> None:
    with Command(LOGS) as server:
        first = server.request(get("/keep"))
        others = [server.request(get("/")) for _ in range(3)]
        identity, parent = json.loads(server.request(get("/kept")).body)
        assert identity == json.loads(first.body)[0]
        assert json.loads(first.body)[1] in parent
        assert identity not in [json.loads(other.body)[0] for other in others]


def test_lines_of_the_error_log_name_their_request() -> None:
    with Command(LOGS) as server:
        answer = server.request(get("/log"))
        identity, trace, _ = json.loads(answer.body)
        names = f"[request_id={identity} trace_id={trace}]"
        server.wait_line(rf"from the application {re.escape(names)}$")
        failed = server.request(get("/raise"))
        assert failed.status == 500
        identity = failed.get("X-Request-ID") or "none"
        server.wait_line(f"error handling request GET /raise .request_id={identity} ")
        # Lines that belong to no request have none.
        assert "request_id" not in server.said("worker .* is ready").string


FAILS = """
async def app(scope, receive, send):
    raise KeyError(scope["path"])
"""


def test_so_do_those_of_an_exception_in_a_coroutine(tmp_path: Path) -> None:
    (tmp_path / "fails.py").write_text(FAILS)
    with Command("fails:app", cwd=tmp_path) as server:
        failed = server.request(get("/raise"))
        identity = failed.get("X-Request-ID") or "none"
        server.wait_line(f"error handling request GET /raise .request_id={identity} ")


def test_a_format_of_the_users_has_the_names(tmp_path: Path) -> None:
    (tmp_path / "celadon.conf.py").write_text(
        """
logconfig_dict = {
    "filters": {"request": {"()": "celadon.logging.RequestFilter"}},
    "formatters": {"own": {"format": "OWN %(request_id)s|%(trace_id)s| %(message)s"}},
    "handlers": {"err": {"class": "logging.StreamHandler", "formatter": "own",
                         "filters": ["request"]}},
    "loggers": {"celadon.error": {"handlers": ["err"], "level": "INFO"}},
}
"""
    )
    path = {"PYTHONPATH": str(ROOT)}
    with Command(LOGS, cwd=tmp_path, env=path) as server:
        identity, trace, _ = json.loads(server.request(get("/log")).body)
        server.wait_line(rf"^OWN {identity}\|{trace}\| from the application")
        server.said(r"^OWN \|\| worker \d+ is ready")


# --- styles, filters, handlers ---


def test_json_and_logfmt(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    where = ["--access-logfile", str(log), "--access-log-style"]
    with Command(LOGS, *where, "json") as server:
        answer = server.request(with_fields("/a?b=c", User_Agent='x"\\y'))
        server.request(b"BAD\x01\r\n\r\n")
        first, second = (json.loads(line) for line in lines_of(log, 2))
        assert first["request_id"] == answer.get("X-Request-ID")
        assert (first["url.path"], first["url.query"]) == ("/a", "b=c")
        assert first["user_agent.original"] == 'x"\\y'
        assert first["http.response.status_code"] == 200
        assert first["http.response.body.bytes"] == len(answer.body)
        assert second["http.response.status_code"] == 400
    log.unlink()
    with Command(LOGS, *where, "logfmt") as server:
        server.request(get("/z"))
        assert "url.path=/z " in lines_of(log, 1)[0]


def test_what_the_application_puts_into_the_environ_is_logged(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    options = ["--access-logfile", str(log), "--access-logformat"]
    with Command(LOGS, *options, "%({REMOTE_USER}e)s %({SERVER_PORT}e)s") as server:
        server.request(get("/user"))
        server.request(get("/"))
        port = server.port
        assert lines_of(log, 2) == [f"jo {port}", f"- {port}"]


LEAVES = """
import time
from pathlib import Path
from typing import Any

class Slow:
    def __del__(self):
        began = time.monotonic()
        Path("began").write_text(repr(began))
        while time.monotonic() < began + 0.2: pass

def app(environ, start_response):
    environ["slow"] = Slow()
    start_response("200 OK", [])
    return [b"ok"]
"""


def test_what_goes_with_the_environ_is_not_time_of_the_answer(tmp_path: Path) -> None:
    (tmp_path / "leaves.py").write_text(LEAVES)
    log = tmp_path / "access.log"
    options = ["--access-logfile", str(log), "--access-logformat", "%(D)s"]
    with (
        Command("leaves:app", *options, cwd=tmp_path) as server,
        server.client() as client,
    ):
        asked = time.monotonic()
        client.send(get("/"))
        assert client.response().body == b"ok"
        took = int(lines_of(log, 1)[0]) / 1e6
        began = float((tmp_path / "began").read_text())
        assert took <= began - asked


def test_filters(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    options = ["--access-logfile", str(log), "--access-logformat", "%(U)s"]
    with Command(LOGS, *options, "--access-log-skip", "/raise,/health") as server:
        for path in ("/health", "/raise", "/other"):
            server.request(get(path))
        assert lines_of(log, 2) == ["/raise", "/other"]
    log.unlink()
    with Command(LOGS, *options, "--access-log-sample", "0") as server:
        server.request(get("/"))
        server.request(get("/raise"))
        assert lines_of(log, 1) == ["/raise"]
    log.unlink()
    with Command(LOGS, *options, "--access-log-min-status", "500") as server:
        server.request(get("/"))
        server.request(get("/raise"))
        assert lines_of(log, 1) == ["/raise"]
    log.unlink()
    with Command(LOGS, *options, "--access-log-slow", "0.05") as server:
        server.request(get("/"))
        server.request(get("/slow"))
        assert lines_of(log, 1) == ["/slow"]


def test_r11_a_client_that_leaves_is_one_line(tmp_path: Path) -> None:
    """Whoever reads its body is not to blame, whatever it makes of that."""
    (tmp_path / "reads_app.py").write_text(
        """
def app(environ, start_response):
    try:
        environ["wsgi.input"].read()
    except OSError as error:
        raise ValueError("no form") from error
"""
    )
    with Command("reads_app:app", cwd=tmp_path) as server:
        wait_ready(server, 1)
        with server.client() as client:
            client.send(
                b"POST /form HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12345"
            )
        server.wait_line(
            r"\[INFO\] request POST /form: the client left before the body was complete "
            r"\(ValueError\)"
        )
        server.stop()
        assert not any("Traceback" in line for line in server.lines)


@pytest.mark.parametrize("name", ["celadon.access", "gunicorn.access"])
def test_handlers_take_the_lines(tmp_path: Path, name: str) -> None:
    own = tmp_path / "own.log"
    (tmp_path / "celadon.conf.py").write_text(
        f"""
logconfig_dict = {{
    "formatters": {{"own": {{"format": "%(name)s: %(message)s"}}}},
    "handlers": {{"own": {{"class": "logging.FileHandler", "filename": {str(own)!r},
                           "formatter": "own"}}}},
    "loggers": {{{name!r}: {{"handlers": ["own"]}}}},
}}
access_log_format = "%(m)s %(U)s %(s)s"
"""
    )
    with Command(LOGS, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}) as server:
        server.request(get("/one"))
        server.request(get("/raise"))
        assert lines_of(own, 2) == [f"{name}: GET /one 200", f"{name}: GET /raise 500"]


def test_a_handler_that_blocks_stops_no_request(tmp_path: Path) -> None:
    """The lines wait; the requests do not."""
    (tmp_path / "slow_app.py").write_text(
        """
import logging, threading
held = threading.Event()
class Slow(logging.Handler):
    def emit(self, record):
        held.wait()
logging.getLogger("celadon.access").addHandler(Slow())
def app(environ, start_response):
    if environ["PATH_INFO"] == "/go": held.set()
    start_response("200 OK", [("Content-Length", "0")])
    return []
"""
    )
    with Command("slow_app:app", cwd=tmp_path) as server:
        for _ in range(5):
            assert server.request(get("/")).status == 200
        assert server.request(get("/go")).status == 200


# --- who does not read ---


class Unread(Command):
    """A server whose standard output and error nobody reads until `read`."""

    def listen(self) -> None:
        self.is_read = False

    def read(self) -> None:
        if not self.is_read:
            self.is_read = True
            super().listen()


@pytest.fixture
def unread(tmp_path: Path) -> Iterator[tuple[Unread, str]]:
    address = str(tmp_path / "app.sock")
    server = Unread(
        LOGS,
        *("--bind", f"unix:{address}", "--access-logfile", "-"),
        bind=None,
    )
    try:
        yield server, address
    finally:
        server.process.kill()
        server.read()
        server.wait()


def listens(address: str) -> bool:
    """A socket has its file before it listens."""
    with suppress(OSError), Client(address):
        return True
    return False


@pytest.mark.parametrize("how", ["dict", "json", "above"])
def test_a_configuration_of_all_logs_is_one_of_the_servers(
    tmp_path: Path, how: str
) -> None:
    described = {
        "formatters": {"own": {"format": "own %(levelname)s %(message)s"}},
        "handlers": {"err": {"class": "logging.StreamHandler", "formatter": "own"}},
    }
    said = {"handlers": ["err"]}
    described |= {"loggers": {"celadon": said}} if how == "above" else {"root": said}
    (tmp_path / "log.json").write_text(json.dumps(described))
    config = "logconfig_json = 'log.json'"
    config = config if how == "json" else f"logconfig_dict = {described!r}"
    (tmp_path / "celadon.conf.py").write_text(config)
    env = {"PYTHONPATH": str(ROOT)}
    with Command(LOGS, cwd=tmp_path, env=env) as server:
        assert server.request(get("/raise")).status == 500
        server.wait_line("^own ERROR error handling request GET /raise")
        server.stop()
        assert [line for line in server.lines if re.match(r"\[\d", line)] == []
        assert sum("stopped" in line for line in server.lines) == 1


@pytest.mark.parametrize(
    "described",
    [
        {"incremental": True, "root": {"level": "DEBUG"}},
        {
            "formatters": {"own": {"format": "%(message)s"}},
            "loggers": {"noisy": {"level": "ERROR"}},
        },
        {
            "formatters": {"own": {"format": "%(message)s"}},
            "loggers": {"noisy": {"handlers": ["console"]}},
        },
        {
            "handlers": {"null": {"class": "logging.NullHandler"}},
            "loggers": {"noisy": {"handlers": ["null", "error_console"]}},
        },
    ],
)
def test_a_configuration_may_say_a_part_of_what_gunicorns_has(
    tmp_path: Path, described: dict[str, Any]
) -> None:
    config = f"logconfig_dict = { ({'version': 1} | described)!r}"
    (tmp_path / "celadon.conf.py").write_text(config)
    with Command(LOGS, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}) as server:
        assert server.request(get("/raise")).status == 500
        server.wait_line(r"^\[.*\[ERROR\] error handling request GET /raise")


@pytest.mark.parametrize(
    ("raised", "told"),
    [
        (r"RuntimeError('no file ' + os.fsdecode(b'/caf\xe9'))", r"no file /caf\udce9"),
        (
            "Silent()",
            "cannot import 'own_app': own_app.Silent: <exception str() failed>",
        ),
    ],
)
@pytest.mark.parametrize("log", ["-", "error.log"])
def test_an_application_that_fails_with_any_text_is_told_of(
    tmp_path: Path, raised: str, told: str, log: str
) -> None:
    (tmp_path / "own_app.py").write_text(
        "import os\n"
        "class Silent(Exception):\n"
        "    def __str__(self): raise KeyError\n"
        f"raise {raised}\n"
    )
    command = Command("own_app:app", "--error-logfile", log, cwd=tmp_path)
    assert command.wait() == 4
    lines = command.lines if log == "-" else (tmp_path / log).read_text().splitlines()
    assert any(line.endswith(told) for line in lines)
    assert "/python/celadon/" not in "\n".join([*lines, *command.lines])


def ask(address: str, path: str) -> raw.Response:
    with Client(address) as client:
        client.send(get(path))
        return client.response()


def test_a_full_pipe_stops_no_request(unread: tuple[Unread, str]) -> None:
    server, address = unread
    wait_until(lambda: (None, listens(address)))
    # More than the pipe, and what stands between, can hold.
    for _ in range(60):
        assert ask(address, "/print?50000").status == 200
        assert ask(address, "/raise").status == 500  # a traceback on standard error
    server.read()
    server.out.wait("lines were lost here")
    server.signal(signal.SIGTERM)
    assert server.process.wait(raw.TIMEOUT) == 0


@pytest.mark.parametrize("overflow", ["drop", "block"])
def test_lines_that_are_too_many_are_lost_or_waited_for(
    tmp_path: Path, overflow: str
) -> None:
    """Of a log that nobody reads yet."""
    log, asked = tmp_path / "access.fifo", 400
    os.mkfifo(log)
    reader = os.open(log, os.O_RDONLY | os.O_NONBLOCK)
    options = ("--access-logfile", str(log), "--log-ring", "65536")
    options = (*options, "--access-logformat", "%(U)s", "--log-overflow", overflow)
    path = "/" + "x" * 2000
    with Command(LOGS, *options) as server, server.client() as client:
        answered = 0

        def ask_all() -> None:
            nonlocal answered
            for _ in range(asked):
                client.send(get(path))
                assert client.response().status == 200
                answered += 1

        asking = threading.Thread(target=ask_all)
        asking.start()
        if overflow == "drop":
            asking.join(raw.TIMEOUT)
            assert answered == asked
        else:
            server.wait_line("the loop (is|was) held")
            assert answered < asked
        os.set_blocking(reader, True)
        with os.fdopen(reader) as lines:
            if overflow == "block":
                for _ in range(asked):
                    assert lines.readline() == path + "\n"
            asking.join(raw.TIMEOUT)
            assert answered == asked
            if overflow == "drop":
                server.wait_line(r"\d+ lines of the access log were lost")
            server.stop()


def test_a_stop_does_not_wait_for_a_reader(unread: tuple[Unread, str]) -> None:
    server, address = unread
    wait_until(lambda: (None, listens(address)))
    for _ in range(30):
        assert ask(address, "/print?50000").status == 200
    server.signal(signal.SIGTERM)
    assert server.process.wait(raw.TIMEOUT) == 0


def test_a_full_disk_costs_lines_and_nothing_else() -> None:
    with Command(LOGS, "--access-logfile", "/dev/full") as server:
        lost = re.compile(r"\d+ lines of the access log were lost until now")

        def is_said() -> bool:
            """By a turn of the loop once the loss is known."""
            assert server.request(get("/")).status == 200
            return any(map(lost.search, server.lines))

        wait_until(lambda: (None, is_said()))


def test_a_full_disk_fails_no_request_that_writes_to_the_error_log(
    tmp_path: Path,
) -> None:
    (tmp_path / "talking.py").write_text(
        "def app(environ, start_response):\n"
        "    errors = environ['wsgi.errors']\n"
        "    errors.write('x' * 100_000)\n    errors.writelines(['a', 'b'])\n"
        "    errors.flush()\n    print('more', file=errors, flush=True)\n"
        "    start_response('200 OK', [])\n    return [b'fine']\n"
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        bind = ["--bind", f"fd://{free.fileno()}"]
        free.listen()
        server = subprocess.Popen(
            [CELADON, *bind, "--error-logfile", "/dev/full", "talking:app"],
            cwd=tmp_path,
            pass_fds=[free.fileno()],
            stderr=subprocess.DEVNULL,
        )
        try:
            for _ in range(3):
                with Client(("127.0.0.1", port)) as client:
                    client.send(get("/"))
                    assert client.response().status == 200
        finally:
            server.terminate()
            assert server.wait(raw.TIMEOUT) == 0


def state_of(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]


def is_full(fifo: Path) -> bool:
    end = os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
    try:
        return not select.select([], [end], [], 0)[1]
    finally:
        os.close(end)


@pytest.mark.parametrize("is_moved", [False, True])
def test_what_a_killed_worker_left_is_written(tmp_path: Path, is_moved: bool) -> None:
    """Lines wait behind a pipe that is full; their worker dies; the master has them.

    Also where a reload has moved the log since the master was started.
    """
    fifo = tmp_path / "access.fifo"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    settings = tmp_path / "celadon.conf.py"
    settings.write_text(
        f"accesslog = {str(tmp_path / 'before' if is_moved else fifo)!r}\n"
    )
    form = ("--access-logformat", "%(U)s " + "x" * 1000)
    try:
        with Command(LOGS, "--config", str(settings), *form) as server:
            if is_moved:
                old = wait_ready(server, 1)
                settings.write_text(f"accesslog = {str(fifo)!r}\n")
                server.signal(signal.SIGHUP)
                renewed(server, old)
            # 64 KiB fit. The last one is there so that the one before it is logged.
            for number in range(91):
                server.request(get(f"/{number}"))
            wait_until(lambda: (None, is_full(fifo)))
            # Room for what is left, which the worker has no chance to use.
            [worker] = wait_until(lambda: (r := ready(server), len(r) == 1))
            os.kill(worker, signal.SIGSTOP)
            wait_until(lambda: (None, state_of(worker) == "T"))
            seen = os.read(reader, 1 << 16)
            os.kill(worker, signal.SIGKILL)
            server.wait_line("worker .* was killed by SIGKILL")

            def more() -> tuple[object, bool]:
                nonlocal seen
                with suppress(BlockingIOError):
                    seen += os.read(reader, 1 << 16)
                whole = seen[: seen.rfind(b"\n") + 1].splitlines()
                numbers = {int(line.split()[0][1:]) for line in whole}
                return (numbers, server.lines[-9:]), numbers >= set(range(90))

            wait_until(more)
    finally:
        os.close(reader)


@pytest.mark.parametrize("loop", ["free", "held"])
def test_output_of_a_worker_whose_master_is_gone(loop: str) -> None:
    """It goes on to the same place: more of it than a pipe holds does not stop it, also
    where the loop learns of the end of the master only after it was written."""
    with Command(LOGS) as server:
        worker = server.worker
        with server.client() as client:
            client.send(get(f"/orphaned?{loop}"))
            assert client.response().body == b"wait"
            server.process.kill()
            server.wait_line("the master is gone")
            wait_until(lambda: (None, gone(worker)))
        server.out.wait("^after the master$")


def test_errors_that_come_again_are_counted() -> None:
    with Command(LOGS) as server:
        for _ in range(25):
            assert server.request(get("/raise")).status == 500
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
    written = sum(line.startswith("ValueError") for line in server.lines)
    place = r"ValueError at .*logs\.py:\d+: (\d+) more, not written"
    found = [re.search(place, line) for line in server.lines]
    counted = [int(more[1]) for more in found if more]
    # More than one period is begun where 25 requests take longer than that.
    assert written + sum(counted) == 25
    assert 10 * len(counted) <= written <= 10 * len(counted) + 10
    assert counted


def test_the_log_level_of_all_processes_until_a_reload(tmp_path: Path) -> None:
    control = ("--control-socket", str(tmp_path / "control"))

    def ctl(*words: str) -> tuple[int, str]:
        done = subprocess.run(
            [CELADON, "ctl", *words, *control],
            capture_output=True,
            text=True,
            timeout=60,
        )
        return done.returncode, done.stdout + done.stderr

    with Command(LOGS, *control) as server:
        [worker] = wait_ready(server, 1)

        numbers = itertools.count()

        def is_said() -> bool:
            """Whether a warning is logged; what is critical always is, behind it."""
            number = next(numbers)
            server.request(get(f"/say?30-warning-{number}"))
            server.request(get(f"/say?50-critical-{number}"))
            server.wait_line(f"said critical-{number}")
            return any(f"said warning-{number}" in line for line in server.lines)

        status, said = ctl("log-level", "loud")
        assert status == 1
        assert "debug, info, warning, error or critical" in said
        assert is_said()
        assert ctl("log-level", "critical") == (0, "done\n")
        wait_until(lambda: (None, not is_said()))  # the worker hears of it, too
        server.kill(worker)
        wait_until(lambda: (None, gone(worker)))
        assert not is_said()  # by the next one
        server.signal(signal.SIGHUP)
        wait_until(lambda: (None, is_said()))


def test_the_shipped_rotation(tmp_path: Path) -> None:
    """logrotate with our configuration, its paths replaced: no line is lost."""
    folder = tmp_path / "log"
    folder.mkdir(mode=0o755)
    text = (ROOT / "deploy/logrotate/celadon").read_text()
    text = text.replace("/var/log/celadon", str(folder))
    text = text.replace("/run/celadon/celadon.pid", str(tmp_path / "pid"))
    text = re.sub(r"create 0640 \w+ \w+", "create 0640", text)
    config = tmp_path / "logrotate.conf"
    config.write_text(text)
    config.chmod(0o644)
    rotate = [
        program("logrotate", "logrotate"),
        "--force",
        "--state",
        str(tmp_path / "state"),
        str(config),
    ]
    options = ("--access-logfile", str(folder / "access.log"))
    with Command(LOGS, *options, "--pid", str(tmp_path / "pid")) as server:
        for number in range(3):
            for _ in range(20):
                server.request(get(f"/{number}"))
            done = subprocess.run(rotate, capture_output=True, text=True, timeout=60)
            assert done.returncode == 0, done.stderr
            # The next rotation packs what this one has moved, a day later elsewhere.
            wait_until(lambda: (None, has_open(server.worker, folder / "access.log")))
        server.request(get("/last"))
        lines_of(folder / "access.log", 1)

        def written() -> tuple[list[str], bool]:
            found = []
            for path in folder.iterdir():
                opened = gzip.open if path.suffix == ".gz" else open
                with opened(path, "rt") as file:
                    found += [line.split('"')[1] for line in file]
            return found, len(found) == 61

        assert wait_until(written)
