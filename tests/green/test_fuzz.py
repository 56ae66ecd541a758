"""The property fuzzers of green.md §9, seeded: what one finds can be run again.

(a) is in test_locks.py, (d) has its fixed case in test_sockets.py, (e) is on in all tests,
(g) is in tests/pools. FUZZ_SEEDS says how many seeds each gets.
"""

from __future__ import annotations

import os

import pytest

from tests.green.test_sockets import SOCKETS
from tests.green.test_tls import tls as tls
from tests.support.green import PRELUDE, run_green

SEEDS = pytest.mark.parametrize("seed", range(int(os.environ.get("FUZZ_SEEDS", "3"))))


@SEEDS
def test_b_collections_at_any_time_with_finalizers_that_want_to_wait(seed: int) -> None:
    run_green(
        f"""
        import socket, logging
        from celadon.pools import ConnectionPool, PoolTimeout
        rng = random.Random({seed})
        gc.set_threshold(7, 3, 3)
        logging.basicConfig(handlers=[logging.NullHandler()])
        lock, rlock, q, event = threading.Lock(), threading.RLock(), queue.Queue(), threading.Event()
        class Conn:
            def rollback(self): time.sleep(0)
            def close(self): pass
        pool = ConnectionPool(Conn, max_size=3, timeout=TIMEOUT)
        a, b = socket.socketpair(); b.setblocking(False)
        finalized = 0
        class Hostile:
            def __init__(self, what):
                self.me, self.what = self, what
                self.conn = None
                if what == "release":
                    # All may be out, in garbage that nobody has collected yet.
                    try: self.conn = pool.acquire(0.01)
                    except PoolTimeout: gc.collect()
            def __del__(self):
                global finalized
                finalized += 1
                what = self.what
                if what == "lock":
                    if lock.acquire(blocking=False): lock.release()
                elif what == "rlock":
                    if rlock.acquire(timeout=0.0001): rlock.release()
                elif what == "sleep": time.sleep(0.0001)
                elif what == "put": q.put(1)
                elif what == "log": logging.getLogger("x").warning("gone")
                elif what == "close": socket.socketpair()[0].close()
                elif what == "send": a.send(b"x")
                elif what == "spawn": green.spawn(time.sleep, 0)
                elif what == "set": event.set()
                elif self.conn is not None: pool.release(self.conn)
        kinds = ["lock", "rlock", "sleep", "put", "log", "close", "send", "spawn", "set", "release"]
        held = 0
        def work():
            global held
            for _ in range(40):
                Hostile(rng.choice(kinds))
                with lock:
                    held += 1; assert held == 1
                    [[] for _ in range(rng.randrange(30))]
                    if rng.random() < 0.1: time.sleep(0)
                    held -= 1
                with rlock: [{{}} for _ in range(rng.randrange(30))]
                try: b.recv(1000)
                except BlockingIOError: pass
        tasks = [green.spawn(work) for _ in range(8)]
        for task in tasks: task.get(timeout=TIMEOUT)
        gc.set_threshold(700, 10, 10); gc.collect()
        assert finalized == 8 * 40
        end = time.monotonic() + TIMEOUT
        while pool.stats().in_use:
            assert time.monotonic() < end; green.sleep(0.001)
        """,
        prelude=PRELUDE,
    )


@SEEDS
def test_c_forks_under_load(seed: int) -> None:
    run_green(
        f"""
        import logging, subprocess, warnings
        warnings.simplefilter("ignore")  # of forks beside threads, from 3.12
        rng = random.Random({seed})
        logging.basicConfig(handlers=[logging.NullHandler()])
        log = logging.getLogger("x")
        stop = False
        lock, q = threading.Lock(), queue.Queue()
        a, b = socket.socketpair()
        def busy(n):
            while not stop:
                with lock: time.sleep(rng.random() * 0.001)
                log.warning("busy")
                q.put(n); q.get()
                b.send(b"x"); assert a.recv(1) == b"x"
        def child():
            # Waits, locks and logs work in the child; the parent's greenlets never run.
            log.warning("child")
            with threading.Lock(): time.sleep(0.001)
            done = []
            thread = threading.Thread(target=done.append, args=(1,)); thread.start(); thread.join()
            c, d = socket.socketpair(); c.send(b"y"); assert d.recv(1) == b"y"
            return 7 if done else 1
        def forks():
            for _ in range(6):
                pid = os.fork()
                if pid == 0:
                    try: os._exit(child())
                    except BaseException: os._exit(2)
                assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
                done = subprocess.run(["cat"], input=b"z" * 100_000, capture_output=True)
                assert done.stdout == b"z" * 100_000
        workers = [green.spawn(busy, n) for n in range(4)]
        threads = [threading.Thread(target=forks)] if {seed} % 2 else []
        for thread in threads: thread.start()
        tasks = [green.spawn(forks) for _ in range(3)]
        for task in tasks: task.get(timeout=TIMEOUT)
        for thread in threads: thread.join()
        stop = True
        for worker in workers: worker.get(timeout=TIMEOUT)
        """,
        prelude=SOCKETS,
        malloc="default",
    )


@SEEDS
def test_d_readers_writers_and_closers_with_numbers_used_again(seed: int) -> None:
    run_green(
        f"""
        rng = random.Random({seed})
        legal = (OSError, ValueError)  # EBADF, a peer that went
        counts = {{"read": 0, "closed": 0}}
        def reader(sock, key):
            try:
                while data := sock.recv(100):
                    # Bytes of another socket that got the same number would show here.
                    assert set(data) == {{key}}, (data, key)
                    counts["read"] += len(data)
            except legal: return
        def writer(sock, key):
            try:
                while True:
                    sock.sendall(bytes([key]) * rng.randrange(1, 200_000 if rng.random() < .1 else 50))
                    if rng.random() < 0.3: green.sleep(rng.random() * 0.0005)
            except legal: return
        def closer(socks):
            green.sleep(rng.random() * 0.003)
            sock = rng.choice(socks)
            how = rng.randrange(4)
            try:
                if how == 0: sock.close()
                elif how == 1: sock.shutdown(socket.SHUT_RDWR)
                elif how == 2: os.close(sock.detach())
                else:
                    for one in socks: one.close()
            except legal: pass
            counts["closed"] += 1
        def round_(key):
            pair = socket.socketpair()
            for sock in pair: sock.settimeout(rng.choice([None, 5]))
            tasks = [green.spawn(reader, pair[0], key), green.spawn(writer, pair[1], key),
                     green.spawn(closer, pair)]
            if rng.random() < 0.3: tasks[rng.randrange(2)].kill(block=False)
            tasks[2].get(timeout=TIMEOUT)
            for sock in pair: sock.close()
            for task in tasks: task.get(timeout=TIMEOUT)
        for turn in range(12):
            rounds = [green.spawn(round_, 1 + rng.randrange(255)) for _ in range(10)]
            for task in rounds: task.get(timeout=TIMEOUT)
        assert counts["closed"] == 120 and counts["read"] > 0
        """,
        prelude=SOCKETS,
    )


@SEEDS
def test_f_tls_in_pieces_with_resets(seed: int, tls: str) -> None:
    run_green(
        f"""
        import struct
        rng = random.Random({seed})
        PAYLOAD = bytes(range(256)) * 400
        def pump(source, target):
            # Hands on random pieces; at times it ends the connection by force.
            left = rng.choice([10**9, 10**9, rng.randrange(200_000)])
            try:
                while data := source.recv(rng.choice([1, 7, 100, 5000])):
                    target.sendall(data)
                    left -= len(data)
                    if left < 0:
                        for sock in (source, target):
                            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                            sock.close()
                        return
                target.shutdown(socket.SHUT_WR)
            except OSError: return
        def echo(raw):
            try:
                with server_side.wrap_socket(raw, server_side=True) as sock:
                    while data := sock.recv(rng.choice([10, 1000, 65536])): sock.sendall(data)
            except OSError: return
        def proxy(listener, port):
            while True:
                try: outer, _ = listener.accept()
                except OSError: return
                inner = socket.create_connection(("127.0.0.1", port))
                green.spawn(pump, outer, inner); green.spawn(pump, inner, outer)
        def serve(listener):
            while True:
                try: raw, _ = listener.accept()
                except OSError: return
                green.spawn(echo, raw)
        server, front = (socket.create_server(("127.0.0.1", 0)) for _ in range(2))
        acceptors = [green.spawn(serve, server), green.spawn(proxy, front, server.getsockname()[1])]
        whole = 0
        def client():
            global whole
            data = PAYLOAD[:rng.randrange(1, len(PAYLOAD))]
            try:
                raw = socket.create_connection(front.getsockname(), timeout=rng.choice([None, 10]))
                with client_side.wrap_socket(raw, server_hostname="localhost") as sock:
                    sending = green.spawn(sock.sendall, data)
                    got = b""
                    while len(got) < len(data):
                        piece = sock.recv(rng.choice([1, 100, 65536]))
                        if not piece: break
                        got += piece
                    assert data.startswith(got)
                    sending.join()
                    if len(got) == len(data): whole += 1
            except OSError: return
        import logging; logging.disable()
        tasks = [green.spawn(client) for _ in range(10)]
        for task in tasks: task.get(timeout=TIMEOUT)
        server.close(); front.close()
        for task in acceptors: task.get(timeout=TIMEOUT)
        assert whole > 0
        """,
        prelude=tls,
        malloc="default",
    )


@SEEDS
def test_h_signal_storms(seed: int) -> None:
    run_green(
        f"""
        import signal, subprocess
        rng = random.Random({seed})
        came = 0
        def handler(number, frame):
            global came
            came += 1
        for number in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM): signal.signal(number, handler)
        signal.setitimer(signal.ITIMER_REAL, 0.0003, 0.0003)
        stop = False
        def storm():
            while not stop:
                os.kill(os.getpid(), rng.choice([signal.SIGUSR1, signal.SIGUSR2]))
                time.sleep(0.0002)
        thread = threading.Thread(target=storm); thread.start()
        green.preempt(0.002)
        a, b = socket.socketpair()
        def pingpong():
            for _ in range(100): b.sendall(b"x" * 500); assert len(a.recv(500, socket.MSG_WAITALL)) == 500
        def sleeps():
            for _ in range(30):
                began = time.monotonic(); time.sleep(0.001); assert time.monotonic() - began >= 0.001
        def locks():
            for _ in range(100):
                with lock: time.sleep(0)
        def computes():
            return sum(n * n for n in range(200_000))
        def children():
            for _ in range(3): assert subprocess.run(["true"]).returncode == 0
        lock = threading.Lock()
        tasks = [green.spawn(work) for work in (pingpong, sleeps, locks, locks, computes, children)]
        for task in tasks: task.get(timeout=TIMEOUT)
        stop = True; thread.join()
        signal.setitimer(signal.ITIMER_REAL, 0)
        assert tasks[4].value == sum(n * n for n in range(200_000)) and came > 20
        """,
        prelude=SOCKETS,
        malloc="default",
    )
