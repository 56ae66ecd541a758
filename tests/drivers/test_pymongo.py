"""pymongo, against a database that speaks MongoDB's protocol."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.green.test_sockets import SOCKETS
from tests.support.green import run_green
from tests.support.services import Services

# The server waits for the lock of its file, and the client for the server.
HELD = """
import contextlib, pymongo, sqlite3
from pymongo.monitoring import CommandListener
class Inserts(CommandListener):
    # Sees each that goes to the server.
    def __init__(self): self.sent = threading.Semaphore(0)
    def started(self, event):
        if event.command_name == "insert": self.sent.release()
    def succeeded(self, event): pass
    def failed(self, event): pass
inserts = Inserts()
def client(**options):
    return pymongo.MongoClient("127.0.0.1", mongo_port, event_listeners=[inserts], **options)
def lock():
    # Until it is closed.
    holder = sqlite3.connect(mongo_file, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    return holder
"""


def prelude(services: Services) -> str:
    return SOCKETS + services.names(HELD) + HELD


@pytest.mark.library("pymongo")
def test_others_run_while_one_waits(services: Services) -> None:
    run_green(
        """
        with client() as db:
            seats = db.ticking.seats
            assert seats.insert_one({"_id": 1, "free": 3}).acknowledged
            soon(lock().close)
            done, count = ticks(seats.insert_one, {"_id": 2, "free": 5})
            assert done.inserted_id == 2 and count >= 3, count
            news = seats.watch()
            soon(seats.insert_one, {"_id": 3})
            change, count = ticks(news.next)
            assert change["operationType"] == "insert" and count >= 3, (change, count)
            news.close()
            assert [each["_id"] for each in seats.find().sort("_id")] == [1, 2, 3]
        """,
        prelude=prelude(services),
        malloc="default",
    )


def test_side_by_side_with_fewer_connections_than_greenlets(services: Services) -> None:
    run_green(
        """
        with client(maxPoolSize=3) as db:
            notes = db.many.notes
            def work(n):
                notes.insert_one({"_id": n}); return notes.find_one({"_id": n})["_id"]
            tasks = [green.spawn(work, n) for n in range(30)]
            assert [task.get() for task in tasks] == list(range(30))
            found = []
            threads = [green.native_thread(lambda: found.append(notes.count_documents({})))
                       for _ in range(5)]
            for thread in threads: thread.join()
            assert found == [30] * 5
        """,
        prelude=prelude(services),
        malloc="default",
    )


def test_a_killed_wait_leaves_a_client_that_works(services: Services) -> None:
    run_green(
        """
        with client(maxPoolSize=1) as db:
            notes = db.killed.notes
            notes.insert_one({"_id": "before"})
            with contextlib.closing(lock()):
                with green.Timeout(0.02, False):
                    notes.insert_one({"_id": "given up"})
                    raise AssertionError("it did not wait")
                inserts.sent = threading.Semaphore(0)
                task = green.spawn(notes.insert_one, {"_id": "killed"})
                assert inserts.sent.acquire(timeout=TIMEOUT)
                task.kill()
            assert notes.find_one({"_id": "before"}), "the only place of the pool is free"
        """,
        prelude=prelude(services),
        malloc="default",
    )


@pytest.mark.slow(
    "the server looks at its locked file for some seconds before it says so"
)
def test_a_server_that_is_killed_mid_query_and_comes_back(tmp_path: Path) -> None:
    run_green(
        """
        import pathlib, signal
        from tests.support.services import mongo
        folder = pathlib.Path(folder)
        with mongo(folder) as (mongo_port, mongo_file, pid):
            db = client(serverSelectionTimeoutMS=3000)
            notes = db.fragile.notes
            notes.insert_one({"_id": 0})
            inserts.sent = threading.Semaphore(0)
            with contextlib.closing(lock()):
                tasks = [green.spawn(notes.insert_one, {"_id": 1 + n}) for n in range(5)]
                # Slow ones may be refused for the lock before the last is sent.
                assert inserts.sent.acquire(timeout=TIMEOUT)
                os.kill(pid, signal.SIGKILL)
                for task in tasks: task.join(TIMEOUT)
            assert all(isinstance(task.exception, pymongo.errors.PyMongoError)
                       for task in tasks), tasks
        (folder / "pid").unlink()
        with mongo(folder, mongo_port):
            tasks = [green.spawn(notes.find_one, {"_id": 0}) for _ in range(5)]
            assert [task.get(timeout=TIMEOUT) for task in tasks] == [{"_id": 0}] * 5
            db.close()
        """,
        prelude=SOCKETS + HELD + f"folder = {str(tmp_path)!r}\n",
        malloc="default",
    )


def test_pymongo_waits_for_a_server_that_does_not_answer() -> None:
    run_green(
        """
        import pymongo
        silent = socket.create_server(("127.0.0.1", 0))
        client = pymongo.MongoClient("127.0.0.1", silent.getsockname()[1],
                                     serverSelectionTimeoutMS=60)
        error, count = ticks(lambda: raises(pymongo.errors.ServerSelectionTimeoutError,
                                            client.admin.command, "ping"))
        assert count >= 3, count
        client.close()
        """,
        prelude=SOCKETS,
        malloc="default",
    )
