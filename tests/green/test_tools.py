"""Tools of the standard library that look at what runs, and logging's handlers."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from tests.green.test_sockets import SOCKETS
from tests.support.green import run_green


def test_logging_handlers(tmp_path: Path) -> None:
    run_green(
        f"""
        import logging, logging.handlers, pickle, struct
        folder = {str(tmp_path)!r}
        listener = socket.create_server(("127.0.0.1", 0))
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); udp.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        records = []
        def receive():
            conn, _ = listener.accept()
            with conn, conn.makefile("rb") as file:
                while head := file.read(4):
                    records.append(pickle.loads(file.read(struct.unpack(">L", head)[0]))["msg"])
        receiver = green.spawn(receive)
        q = queue.Queue()
        memory = []
        class Keep(logging.Handler):
            def emit(self, record): memory.append(record.getMessage()); time.sleep(0)
        handlers = [
            logging.handlers.RotatingFileHandler(folder + "/rotating", maxBytes=500, backupCount=200),
            logging.handlers.TimedRotatingFileHandler(folder + "/timed"),
            logging.handlers.WatchedFileHandler(folder + "/watched"),
            logging.handlers.SocketHandler("127.0.0.1", port),
            logging.handlers.SysLogHandler(udp.getsockname()),
            logging.handlers.QueueHandler(q),
            logging.handlers.MemoryHandler(5, target=Keep()),
        ]
        listening = logging.handlers.QueueListener(q, Keep())
        listening.start()
        log = logging.getLogger("site"); log.setLevel("INFO"); log.propagate = False
        for handler in handlers: log.addHandler(handler)
        def work(n):
            for i in range(10): log.info("line %d-%d", n, i); time.sleep(0)
        tasks = [green.spawn(work, n) for n in range(10)]
        threads = [threading.Thread(target=work, args=(n,)) for n in range(10, 12)]
        for thread in threads: thread.start()
        for task in tasks: task.get()
        for thread in threads: thread.join()
        listening.stop()
        for handler in handlers: handler.close()
        receiver.get(timeout=TIMEOUT); listener.close()
        wanted = sorted(f"line {{n}}-{{i}}" for n in range(12) for i in range(10))
        assert sorted(records) == wanted
        import glob
        for name in ("rotating", "timed", "watched"):
            lines = [line.strip() for path in glob.glob(f"{{folder}}/{{name}}*") for line in open(path)]
            assert sorted(lines) == wanted, name
        assert sorted(memory) == sorted(wanted * 2)
        """,
        prelude=SOCKETS,
        malloc="default",
    )


def test_pdb_in_a_greenlet() -> None:
    out = run_green(
        """
        import io, pdb
        def view():
            value = 41
            debugger = pdb.Pdb(stdin=io.StringIO("p value\\nn\\nn\\np value\\nc\\n"), stdout=sys.stdout)
            debugger.set_trace()
            value += 1
            time.sleep(0.01)
            return value
        task, other = green.spawn(view), green.spawn(lambda: [time.sleep(0.001) for _ in range(5)])
        other.get()
        assert task.get() == 42
        """,
        prelude=SOCKETS,
    )
    assert re.findall(r"\(Pdb\) (\d+)$", out, re.MULTILINE) == ["41", "42"]


@pytest.mark.skipif(
    sys.version_info >= (3, 12),
    reason="from 3.12 one cProfile at a time sees all that its thread runs",
)
def test_cprofile_counts_the_calls_of_its_greenlet() -> None:
    run_green(
        """
        import cProfile, pstats, io
        def wanted(): time.sleep(0.002)
        def view():
            profile = cProfile.Profile()
            profile.enable()
            for _ in range(5): wanted()
            profile.disable()
            return profile
        task = green.spawn(view)
        others = [green.spawn(lambda: [time.sleep(0.001) for _ in range(10)]) for _ in range(3)]
        profile = task.get()
        stats = pstats.Stats(profile).stats
        (calls,) = [row[0] for key, row in stats.items() if key[2] == "wanted"]
        assert calls == 5, calls
        """,
        prelude=SOCKETS,
    )
