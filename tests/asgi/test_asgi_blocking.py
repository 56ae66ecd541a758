"""`asgi_blocking`: calls that wait in a coroutine are named, or refused."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.raw import get
from tests.support.servers import Command
from tests.support.services import Services

APP = """
import asyncio, concurrent.futures, logging, os, queue, select, socket, subprocess, threading
import sys, time
import celadon
from celadon import aio, green

LONG = float(os.environ.get("LONG", 0.05))  # seconds that are not over before a wait begins
a, b = socket.socketpair()
lock, held, enough = threading.Lock(), green.Event(), green.Event()

def hold():
    with lock: held.set(); enough.wait()

async def sleeps():
    time.sleep(LONG)

async def receives():
    try: b.recv(1)
    except celadon.TaskBlocked: a.send(b"x"); return b.recv(1).decode()
    raise AssertionError

async def locks():
    holder = green.spawn(hold)
    await aio.green(held.wait)
    try:
        with lock: raise AssertionError
    except celadon.TaskBlocked: pass
    enough.set()
    await aio.green(holder.join)
    with lock: return "locked"

async def at_once():
    with lock: a.send(b"y"); return b.recv(1).decode()

async def looks():
    assert select.select([b], [], [], 0) == ([], [], [])
    poll = select.poll()
    poll.register(b, select.POLLIN)
    assert poll.poll(0) == []
    assert not green.Event().wait(0)
    try: queue.Queue().get(timeout=0)
    except queue.Empty: return "nothing"

async def shields():
    with celadon.shield(): time.sleep(0.001)

async def stands_aside():
    time.sleep(0)

async def behind_a_shield():
    with celadon.shield(): time.sleep(0.001)
    time.sleep(LONG)

async def behind_a_thread():
    threading.Thread(target=int).start()  # waits until that runs
    time.sleep(LONG)

async def again():
    for _ in range(2): time.sleep(0.001)
    time.sleep(0.001)

async def beside():
    await aio.green(time.sleep, 0.001)

async def thread():
    await asyncio.to_thread(time.sleep, 0.001)

async def process():
    process = await asyncio.create_subprocess_exec("true")
    return str(await process.wait())

async def waits_for_process():
    process = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
    asyncio.get_running_loop().call_soon(process.stdin.close)  # not before this waits
    process.wait()

async def logs():
    handler, logger = logging.StreamHandler(), logging.getLogger("fresh")
    logger.addHandler(handler)
    taken, let_go = green.Event(), green.Event()
    def hold():
        handler.acquire(); taken.set(); let_go.wait(); handler.release()
    green.spawn(hold)
    await aio.green(taken.wait)
    asyncio.get_running_loop().call_later(0.001, let_go.set)
    logger.warning("said")

async def meets_a_thread():
    # It has just what a task looks at to hear of its end.
    future, taken, let_go = concurrent.futures.Future(), green.Event(), green.Event()
    def hold():
        with future._condition: taken.set(); let_go.wait()
    holder = green.native_thread(hold)
    await aio.green(taken.wait)
    asyncio.get_running_loop().call_later(0.001, let_go.set)
    heard = asyncio.wrap_future(future)
    await aio.green(holder.join)
    future.set_result("heard")
    return await heard

async def looks_at_its_level():
    logger, taken, let_go = logging.getLogger("fresher"), green.Event(), green.Event()
    def hold():
        with logging._lock: taken.set(); let_go.wait()
    green.spawn(hold)
    await aio.green(taken.wait)
    asyncio.get_running_loop().call_later(0.001, let_go.set)
    logger.debug("said")

async def leaves_threads():
    await asyncio.to_thread(int)
    await asyncio.get_running_loop().shutdown_default_executor()

async def imports():
    import colorsys

async def imports_what_another_does():
    with open("slow_module.py", "w") as file: file.write("import time; time.sleep(0.05)")
    other = asyncio.create_task(aio.green(__import__, "slow_module"))
    while "slow_module" not in sys.modules: await asyncio.sleep(0)
    import slow_module
    await other

async def child():
    async with asyncio.TaskGroup() as group: group.create_task(sleeps())

async def calls():
    loop, done = asyncio.get_running_loop(), asyncio.Event()
    def call():
        try: time.sleep(LONG)
        except celadon.TaskBlocked: loop.said = "refused"
        else: loop.said = "called"
        done.set()
    loop.call_soon(call)
    await done.wait()
    return loop.said

async def lifespan(receive, send):
    for _ in range(2):
        kind = (await receive())["type"]
        time.sleep(0.001)
        print(kind, flush=True)
        await send({"type": kind + ".complete"})

async def app(scope, receive, send):
    if scope["type"] == "lifespan": return await lifespan(receive, send)
    try: said = await globals()[scope["path"][1:]]() or "ok"
    except BaseException as error: said = name_of(error)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": said.encode()})

def name_of(error):
    while isinstance(error, BaseExceptionGroup): error = error.exceptions[0]
    return type(error).__name__
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "blocks.py").write_text(APP)
    return tmp_path


def serve(folder: Path, how: str, target: str = "blocks:app") -> Command:
    words = ("--interface", "asgi", "--lifespan", "on", "--asgi-blocking", how)
    return Command(
        target, *words, cwd=folder, env={"LONG": "600"} if how == "error" else {}
    )


def ask(server: Command, *names: str) -> dict[str, str]:
    answers = {name: server.request(get("/" + name)) for name in names}
    return {name: answer.body.decode() for name, answer in answers.items()}


def places(server: Command) -> list[str]:
    """Those that the log has named, of a server that has ended."""
    found = [re.search(r"a call at (\S+) in (\w+) waits", s) for s in server.lines]
    return [each[2] for each in found if each]


# Behind a call that has waited in the same step, as it may.
LATER = ("behind_a_shield", "behind_a_thread")


def test_a_call_that_would_wait_is_refused(folder: Path) -> None:
    with serve(folder, "error") as server:
        names = ("sleeps", "waits_for_process", "child", *LATER)
        assert ask(server, *names) == dict.fromkeys(names, "TaskBlocked")
        # What was refused has not begun: it can be tried again.
        asked = ask(server, "receives", "locks", "calls")
        assert asked == {"receives": "x", "locks": "locked", "calls": "refused"}
        assert server.stop() == 0
    assert places(server) == []


def test_what_waits_for_nobody_or_was_made_for_coroutines_is_not(folder: Path) -> None:
    names = ("shields", "stands_aside", "beside", "thread", "logs", "imports")
    names += ("imports_what_another_does",)
    with serve(folder, "error") as server:
        assert ask(server, *names) == dict.fromkeys(names, "ok")
        asked = ask(server, "looks", "at_once", "process", "meets_a_thread")
        assert [*asked.values()] == ["nothing", "y", "0", "heard"]
        names = ("looks_at_its_level", "leaves_threads")  # there are no more threads
        assert ask(server, *names) == dict.fromkeys(names, "ok")


def test_the_start_and_the_end_of_the_application_may_wait(folder: Path) -> None:
    with serve(folder, "error") as server:
        assert ask(server, "beside") == {"beside": "ok"}
        assert server.stop() == 0
    said = [line.strip() for line in server.out]
    assert said == ["lifespan.startup", "lifespan.shutdown"]


def test_the_log_names_each_place_once(folder: Path) -> None:
    with serve(folder, "warn") as server:
        for _ in range(3):
            asked = ask(server, "sleeps", "child", "waits_for_process", "calls")
            assert [*asked.values()] == ["ok", "ok", "ok", "called"]
        ask(server, "shields", "beside", "thread", "process", "logs", "looks")
        ask(server, "meets_a_thread", "looks_at_its_level", "again", *LATER)
        server.stop()
    expected = ["again", "again", *sorted(LATER), "call", "sleeps", "waits_for_process"]
    assert sorted(places(server)) == expected
    line = 1 + APP.splitlines().index("    time.sleep(LONG)")
    (said,) = [each for each in server.lines if " in sleeps " in each]
    assert f"blocks.py:{line} in sleeps waits without await" in said
    assert "[WARNING]" in said


def test_by_default_nothing_is_said(folder: Path) -> None:
    with Command("blocks:app", "--interface", "asgi", cwd=folder) as server:
        assert ask(server, "sleeps") == {"sleeps": "ok"}
        server.stop()
    assert places(server) == []


HOOKS = """
import time
def pre_request(worker, req): time.sleep(0.001)
def post_request(worker, req):
    time.sleep(0.001)
    print(req.path, flush=True)
"""


@pytest.mark.parametrize("how", ["warn", "error"])
def test_hooks_may_wait(folder: Path, how: str) -> None:
    (folder / "celadon.conf.py").write_text(HOOKS)
    with serve(folder, how) as server:
        assert ask(server, "beside") == {"beside": "ok"}
        server.out.said("/beside")
        server.stop()
    assert places(server) == []


DATABASE = """
import os
import celadon, psycopg2
from celadon import aio
from blocks import app, name_of
import blocks

def query(conn):
    with conn.cursor() as cursor:
        cursor.execute("SELECT 42 FROM pg_sleep(0.001)")
        return str(cursor.fetchone()[0])

def connect():
    return psycopg2.connect(os.environ["DSN"])

async def connects():
    connect()

async def queries():
    conn = await aio.green(connect)
    try: query(conn)
    except celadon.TaskBlocked: pass
    else: return "not refused"
    if not conn.closed: return await aio.green(query, conn)
    return await aio.green(lambda: query(connect()))

blocks.connects, blocks.queries = connects, queries
"""


def test_a_driver_of_a_database_is_refused(folder: Path, services: Services) -> None:
    (folder / "database.py").write_text(DATABASE)
    where = f"host=127.0.0.1 port={services.postgres_port} user=celadon dbname=celadon"
    words = ("--interface", "asgi", "--asgi-blocking", "error")
    env = {"DSN": where}
    with Command("database:app", *words, cwd=folder, env=env) as server:
        for _ in range(3):
            assert ask(server, "connects", "queries") == {
                "connects": "TaskBlocked",
                "queries": "42",
            }
