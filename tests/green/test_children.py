"""Children, pipes and native threads: a greenlet waits for them alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.green.test_sockets import SOCKETS
from tests.support.green import PRELUDE, run_green
from tests.support.machine import NO_ROOM_FOR_THREADS
from tests.support.raw import TIMEOUT

CHILDREN = (
    SOCKETS + "import subprocess\nSLOW = ['sh', '-c', 'read x; echo out; exit 3']\n"
)

WAITS = {
    "wait": "p.wait()",
    "wait_timeout": "p.wait(TIMEOUT)",
    "communicate": "p.communicate()[0]",
    "stdout_read": "p.stdout.read()",
    "stdout_line": "p.stdout.readline()",
    "waitpid": "os.waitpid(p.pid, 0)",
    "waitpid_stopped": "os.waitpid(p.pid, os.WUNTRACED)",
    "wait_any": "os.wait()",
    "wait3": "os.wait3(0)",
    "wait4": "os.wait4(p.pid, 0)",
    "waitid": "os.waitid(os.P_PID, p.pid, os.WEXITED)",
    "waitid_all": "os.waitid(os.P_ALL, 0, os.WEXITED)",
}


@pytest.mark.parametrize("way", WAITS)
def test_others_run_while_one_waits_for_a_child(way: str) -> None:
    run_green(
        f"""
        r, w = os.pipe()
        p = subprocess.Popen(SLOW, stdin=r, stdout=subprocess.PIPE)
        soon(os.write, w, b"go\\n")
        got, count = ticks(lambda: {WAITS[way]})
        assert count >= 3, count
        p.returncode = 3 if p.poll() is None or p.returncode == 0 else p.returncode
        p.stdout.close()
        """,
        prelude=CHILDREN,
    )


def test_a_childs_status_and_output_are_right() -> None:
    run_green(
        """
        done = subprocess.run(["cat"], input=b"x" * 500_000, capture_output=True)
        assert done.stdout == b"x" * 500_000 and done.returncode == 0
        assert subprocess.check_output(["echo", "hi"], text=True) == "hi\\n"
        sleeper = subprocess.Popen(["sleep", "60"])
        assert raises(subprocess.TimeoutExpired, sleeper.wait, 0.02).timeout == 0.02
        sleeper.kill()
        assert sleeper.wait() == -9
        assert os.system("exit 7") == 7 << 8
        with os.popen("echo popen") as out: assert out.read() == "popen\\n"
        raises(ChildProcessError, os.waitpid, os.getpid(), 0)
        raises(ChildProcessError, os.wait)
        # Side by side.
        tasks = [green.spawn(subprocess.call, ["sh", "-c", f"exit {n}"]) for n in range(20)]
        assert [task.get() for task in tasks] == list(range(20))
        """,
        prelude=CHILDREN,
    )


def test_pipes() -> None:
    run_green(
        """
        r, w = os.pipe()
        soon(os.write, w, b"hello")
        got, count = ticks(os.read, r, 100)
        assert got == b"hello" and count >= 3
        data = os.urandom(1_000_000)
        def drain():
            got = b""
            while len(got) < len(data): got += os.read(r, 70_000)
            return got
        reader = green.spawn(drain)
        assert os.write(w, data) == len(data) and reader.get() == data
        os.set_blocking(r, False)
        raises(BlockingIOError, os.read, r, 1)
        task = green.spawn(lambda: (os.set_blocking(r, True), os.read(r, 1)))
        green.sleep(0); os.close(r)
        task.join(TIMEOUT)
        assert task.exception.errno == errno.EBADF
        raises(BrokenPipeError, os.write, w, b"x")
        """,
        prelude=CHILDREN,
    )


def test_offload() -> None:
    run_green(
        """
        import contextvars
        from celadon.patch import original
        sleep = original("time", "sleep")
        var = contextvars.ContextVar("var", default=0); var.set(5)
        main = threading.get_native_id()
        def work(x, *, y, seconds=0.02):
            sleep(seconds)
            return threading.get_native_id() != main, x, y, var.get()
        got, count = ticks(lambda: green.offload(work, 1, y=2, seconds=0.2))
        assert got == (True, 1, 2, 5) and count >= 3, (got, count)
        raises(ZeroDivisionError, green.offload, lambda: 1 / 0)
        tasks = [green.spawn(green.offload, work, n, y=n) for n in range(30)]
        assert [task.get()[1] for task in tasks] == list(range(30))
        # A kill gives up the wait; the call goes on.
        ended = []
        r, w = os.pipe()
        read = original("os", "read")
        task = green.spawn(green.offload, lambda: ended.append(read(r, 1)))
        green.sleep(0); task.kill()
        assert task.ready() and not ended
        os.write(w, b"x")
        while not ended: green.sleep(0.001)
        thread = green.native_thread(work, 1, y=2, name="mine")
        assert thread.name == "mine"
        thread.join()
        """,
        prelude=CHILDREN,
    )


def test_names_are_looked_up_by_native_threads_once() -> None:
    run_green(
        """
        from celadon.patch import dns
        native, looked = dns._getaddrinfo, []
        main = threading.get_native_id()
        def slow(*args):
            if threading.get_native_id() == main: return native(*args)
            looked.append(args); ended.wait(TIMEOUT)
            return native("127.0.0.1", *args[1:])
        ended = threading.Event()
        dns._getaddrinfo = slow
        tasks = [green.spawn(socket.getaddrinfo, "name.invalid", 80) for _ in range(20)]
        soon(ended.set)
        _, count = ticks(tasks[0].join)
        assert count >= 3
        answers = [task.get() for task in tasks]
        assert answers[0][0][4] == ("127.0.0.1", 80) and all(x == answers[0] for x in answers)
        assert len(looked) == 1, looked
        # Not kept, unless told to; a number needs nobody.
        socket.getaddrinfo("name.invalid", 80); assert len(looked) == 2
        socket.getaddrinfo("::1", 80); socket.gethostbyname("127.0.0.1"); assert len(looked) == 2
        dns.configure(10)
        for _ in range(3): socket.getaddrinfo("name.invalid", 80)
        assert len(looked) == 3
        # connect resolves the same way.
        server = socket.create_server(("127.0.0.1", 0))
        socket.socket().connect(("other.invalid", server.getsockname()[1]))
        assert len(looked) == 4
        def failing(*args): raise socket.gaierror(socket.EAI_NONAME, "no")
        dns._getaddrinfo = failing
        errors = [green.spawn(socket.getaddrinfo, "bad.invalid", 80) for _ in range(3)]
        for task in errors: task.join()
        assert {task.exception.errno for task in errors} == {socket.EAI_NONAME}
        raises(socket.gaierror, socket.socket().connect, ("bad.invalid", 80))
        """,
        prelude=CHILDREN,
    )


def test_a_name_that_is_looked_up_at_a_fork_is_looked_up_in_the_child() -> None:
    run_green(
        """
        from celadon.patch import dns
        native = dns._getaddrinfo
        flies, lands = threading.Event(), threading.Event()
        def slow(*args):
            flies.set(); lands.wait(TIMEOUT)
            return native("127.0.0.1", *args[1:])
        dns._getaddrinfo = slow
        parents = green.spawn(socket.getaddrinfo, "name.invalid", 80)
        flies.wait(TIMEOUT)
        pid = os.fork()
        if pid == 0:
            celadon.patch.start()
            lands.set()
            found = green.spawn(socket.getaddrinfo, "name.invalid", 80).get(timeout=TIMEOUT)
            os._exit(found[0][4][0] != "127.0.0.1")
        assert os.waitpid(pid, 0)[1] == 0
        lands.set()
        assert parents.get(timeout=TIMEOUT)[0][4] == ("127.0.0.1", 80)
        """,
        prelude=CHILDREN,
    )


@pytest.mark.parametrize(
    "part", ["socket", "ssl", "select", "dns", "os", "subprocess", "asyncio", "drivers"]
)
def test_each_part_can_be_left_out(part: str) -> None:
    run_green(
        f"""
        import celadon.patch
        celadon.patch.all({part}=False)
        import asyncio, os, psycopg2, select, socket, ssl, subprocess, time, _socket
        from celadon.patch import patched
        where = {{"socket": ("socket.socket", "recv"), "ssl": ("ssl.SSLSocket", "read"),
                 "select": ("select", "select"), "dns": ("_socket", "getaddrinfo"),
                 "os": ("os", "read"), "subprocess": ("subprocess.Popen", "_wait"),
                 "asyncio": ("asyncio.events", "_set_running_loop"),
                 "drivers": ("psycopg2", "connect")}}
        assert [name for name, at in where.items() if not patched(*at)] == [{part!r}]
        assert patched("time", "sleep")
        try: celadon.patch.all(nothing=False)
        except TypeError as error: assert "nothing" in str(error)
        else: raise AssertionError
        """,
        prelude="",
    )


def test_a_manager_in_a_spawned_child(tmp_path: Path) -> None:
    """Its registry is pickled: `threading.Lock` and its like are found in the child."""
    script = tmp_path / "managed.py"
    script.write_text(
        "import celadon.patch; celadon.patch.all()\n"
        "import multiprocessing\n"
        "if __name__ == '__main__':\n"
        "    with multiprocessing.get_context('spawn').Manager() as manager:\n"
        "        lock, event, q = manager.Lock(), manager.Event(), manager.Queue()\n"
        "        with lock: event.set(); q.put(7)\n"
        "        assert event.is_set() and q.get() == 7\n"
        "        print(manager.list([1, 2])[1])\n"
    )
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout) == (0, "2\n"), done.stderr


def test_a_fork_waits_until_its_hooks_need_not() -> None:
    """The locks that hooks take are free at one moment, not one after another."""
    run_green(
        """
        import concurrent.futures.thread, logging, warnings
        warnings.simplefilter("ignore")
        lock = concurrent.futures.thread._global_shutdown_lock
        done = []
        def hold(name, lock):
            with lock: green.sleep(0.005)
            done.append(name)
        def fork():
            pid = os.fork()
            if pid == 0: os._exit(7)
            done.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        tasks = [green.spawn(hold, "first", lock), green.spawn(fork), green.spawn(hold, "second", lock),
                 green.spawn(hold, "log", logging._lock), green.spawn(hold, "third", lock)]
        for task in tasks: task.get(timeout=TIMEOUT)
        assert sorted(map(str, done)) == ["7", "first", "log", "second", "third"], done
        with logging._lock:  # one's own is no obstacle
            pid = os.fork()
            if pid == 0: os._exit(8)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 8
        """,
        prelude=CHILDREN,
    )


def test_forks_of_many_at_once_come_to_an_end() -> None:
    run_green(
        """
        import concurrent.futures, warnings
        warnings.simplefilter("ignore")
        executor = concurrent.futures.ThreadPoolExecutor(2)
        statuses = []
        def fork():
            for _ in range(4):
                assert executor.submit(lambda: 5).result(10) == 5
                pid = os.fork()
                if pid == 0:
                    inner = os.fork()
                    if inner == 0: os._exit(6)
                    os._exit(1 + os.waitstatus_to_exitcode(os.waitpid(inner, 0)[1]))
                statuses.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        tasks = [green.spawn(fork) for _ in range(16)]
        for task in tasks: task.get(timeout=TIMEOUT)
        assert statuses == [7] * 64
        executor.shutdown()
        """,
        prelude=CHILDREN,
        malloc="default",
    )


def test_a_fork_is_not_kept_by_a_thread_that_takes_the_locks_again_and_again() -> None:
    run_green(
        """
        import concurrent.futures.thread, warnings
        warnings.simplefilter("ignore")
        lock = concurrent.futures.thread._global_shutdown_lock
        go_on, looped = True, 0
        def loop():
            global looped
            while go_on:
                with lock: sum(range(3000))
                looped += 1
        thread = threading.Thread(target=loop)
        thread.start()
        for _ in range(20):
            pid = os.fork()
            if pid == 0: os._exit(5)
            assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 5
        go_on = False
        thread.join()
        assert looped
        """,
        prelude=CHILDREN,
        malloc="default",
    )


def test_g08_a_child_has_native_threads_of_its_own() -> None:
    run_green(
        """
        import warnings
        warnings.simplefilter("ignore")
        from celadon.patch import original
        begun, go = queue.SimpleQueue(), threading.Event()
        held = [green.spawn(green.offload, lambda: (begun.put(1), go.wait())) for _ in range(7)]
        for _ in held: begun.get()
        assert green.offload(sum, [1]) == 1
        interval = sys.getswitchinterval()
        pid = os.fork()
        if pid == 0:
            try:
                assert sys.getswitchinterval() > interval
                assert green.spawn(green.offload, sum, [1, 2]).get(timeout=TIMEOUT) == 3
                os._exit(0)
            except BaseException as error:
                print(repr(error), flush=True); os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        go.set()
        for each in held: each.get()
        """,
        prelude=CHILDREN,
    )


@pytest.mark.row("C17")
def test_offload_where_no_thread_can_be_started() -> None:
    run_green(
        """
        raises(RuntimeError, green.offload, sum, [1])
        raises(RuntimeError, green.offload, sum, [1])
        room_for_threads()
        assert green.offload(sum, [1, 2]) == 3  # nothing of those is left
        no_room_for_threads()
        tasks = [green.spawn(green.offload, sum, [n]) for n in range(30)]
        assert [task.get() for task in tasks] == list(range(30))
        """,
        prelude=CHILDREN + NO_ROOM_FOR_THREADS,
    )


ENDING = """
import celadon._core
began, free, ended = green.Event(), green.Event(), []
class Value:
    def __del__(self):
        began.set()
        free.wait()
        ended.append(1)
local = threading.local()
def work(): local.value = Value()
thread = threading.Thread(target=work)
"""


def test_g07_a_thread_is_joined_to_its_very_end() -> None:
    """A value of its `threading.local` waits in its finalizer, for a greenlet."""
    run_green(
        ENDING
        + """
thread.start()
def look():
    began.wait()
    assert thread.is_alive()
    thread.join(0.001)
    assert thread.is_alive() and not ended
    free.set()
task = green.spawn(look)
thread.join()
assert ended and not thread.is_alive()
task.get()
"""
    )


def test_g07_a_join_of_an_ending_thread_can_be_killed() -> None:
    run_green(
        ENDING
        + """
thread.start()
began.wait()
joiner = green.spawn(thread.join)
for _ in range(5): green.sleep(0.001)
joiner.kill()
assert thread.is_alive() and not ended
free.set()
thread.join()
assert ended
"""
    )


def test_g07_a_thread_of_the_parents_has_ended_in_a_forked_child() -> None:
    run_green(
        """
hold = green.Event()
thread = threading.Thread(target=hold.wait)
thread.start()
pid = os.fork()
if pid == 0:
    green.spawn(thread.join).get()
    os._exit(7)
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
hold.set()
thread.join()
"""
    )


@pytest.mark.row("C17")
def test_lookup_where_no_thread_can_be_started() -> None:
    """The next one does not wait for it."""
    run_green(
        """
        from celadon.patch import dns
        raises(RuntimeError, dns.lookups.find, "name", int, 0)
        room_for_threads()
        with green.Timeout(TIMEOUT / 2):
            assert dns.lookups.find("name", lambda: 5, 0) == 5
        """,
        prelude=CHILDREN + NO_ROOM_FOR_THREADS,
    )


def test_a_child_that_is_started_is_known_to_who_is_killed_meanwhile() -> None:
    run_green(
        """
        import subprocess
        r, w = os.pipe()
        children = []
        def start():
            # The child runs its program only once it was told to.
            child = subprocess.Popen(["sleep", "600"], preexec_fn=lambda: native_read(r, 1))
            children.append(child)
            try: child.wait()
            finally: child.kill(); child.wait()
        native_read = celadon.patch.original("os", "read")
        task = green.spawn(start)
        green.sleep(0)
        task.kill(block=False)
        green.sleep(0)
        os.write(w, b"x")
        task.join(TIMEOUT)
        assert task.ready() and len(children) == 1 and children[0].returncode is not None
        try: os.waitpid(-1, os.WNOHANG)
        except ChildProcessError: pass
        else: raise AssertionError("an orphan")
        """
    )


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_a_process_that_is_started_is_known_to_who_is_killed_meanwhile(
    method: str, tmp_path: Path
) -> None:
    script = tmp_path / "starts.py"
    script.write_text(
        PRELUDE
        + f"""
import multiprocessing
def main():
    context = multiprocessing.get_context({method!r})
    process = context.Process(target=os.getpid)
    task = green.spawn(process.start)
    green.sleep(0)
    while not task.ready():  # at each of its waits
        task.kill(block=False)
        green.sleep(0)
    process.join()
    assert process.exitcode == 0
if __name__ == "__main__":
    main()
"""
    )
    subprocess.run([sys.executable, script], check=True, timeout=TIMEOUT * 3)


def test_killed_waits_for_any_child_hold_one_thread() -> None:
    run_green(
        """
        import subprocess
        child = subprocess.Popen(["sleep", "600"])
        for _ in range(70):
            waiter = green.spawn(os.waitpid, -1, 0)
            green.sleep(0)
            waiter.kill()
        assert green.spawn(os.system, "exit 3").get(timeout=TIMEOUT) == 3 << 8
        waiters = [green.spawn(os.waitpid, -1, 0), green.spawn(os.wait3, 0)]
        green.sleep(0)
        assert len(os.listdir("/proc/self/task")) < 10
        other = subprocess.Popen(["true"])
        child.kill()
        pids = {waiter.get(timeout=TIMEOUT)[0] for waiter in waiters}
        assert pids == {child.pid, other.pid}
        """
    )


def test_a_forked_child_waits_for_its_own_children() -> None:
    run_green(
        """
        import subprocess
        child = subprocess.Popen(["sleep", "600"])
        waiter = green.spawn(os.waitpid, -1, 0)
        green.sleep(0)
        came, go = os.pipe()
        if pid := os.fork():
            child.kill()
            # Who waits for any child must not get this one, which is waited for by name.
            assert waiter.get(timeout=TIMEOUT)[0] == child.pid
            os.write(go, b"!")
            assert os.waitpid(pid, 0)[1] == 0
        else:
            mine = subprocess.Popen(["true"])
            assert green.spawn(os.waitpid, -1, 0).get(timeout=TIMEOUT)[0] == mine.pid
            os.close(go)
            os.read(came, 1)
            os._exit(0)
        """
    )


def test_the_switch_interval_is_the_applications() -> None:
    run_green(
        """
        import subprocess
        usual = sys.getswitchinterval()
        child = subprocess.Popen(["sleep", "600"])
        waiter = green.spawn(os.waitpid, -1, 0)
        native = green.Event()
        green.sleep(0.001)
        assert sys.getswitchinterval() == usual  # a wait for a child is in no haste
        began, go_on = threading.Event(), threading.Event()
        def call(): began.set(); go_on.wait()
        task = green.spawn(green.offload, call)
        began.wait()
        assert sys.getswitchinterval() < usual
        sys.setswitchinterval(0.02)
        go_on.set(); task.join()
        while green.offload(int): pass
        assert sys.getswitchinterval() == 0.02 or sys.getswitchinterval() < usual
        end = time.monotonic() + TIMEOUT
        while sys.getswitchinterval() != 0.02 and time.monotonic() < end: green.sleep(0.001)
        assert sys.getswitchinterval() == 0.02
        child.kill(); waiter.join()
        """
    )


def test_a_greenlet_that_joins_the_main_thread_holds_up_nobody() -> None:
    run_green(
        """
        joining = green.spawn(threading.main_thread().join)
        green.sleep(0)
        limited = green.spawn(threading.main_thread().join, 0.001)
        limited.get(timeout=TIMEOUT)
        assert not joining.ready()
        joining.kill()
        """
    )


def test_a_greenlet_that_joins_a_thread_of_before_the_patch_holds_up_nobody() -> None:
    run_green(
        """
        joining = green.spawn(thread.join)
        green.sleep(0)
        leave.set()
        joining.get(timeout=TIMEOUT)
        assert not thread.is_alive()
        """,
        prelude="""
import threading
leave = threading.Event()
thread = threading.Thread(target=leave.wait)
thread.start()
"""
        + PRELUDE,
    )


def test_nothing_is_lost_where_a_buffer_of_readv_takes_nothing() -> None:
    run_green(
        """
        r, w = os.pipe()
        os.write(w, b"kept")
        def read():
            for bad in (b"ro", memoryview(bytearray(8))[::2]):
                try: os.readv(r, [bytearray(1), bad])
                except (TypeError, BufferError): pass
                else: raise AssertionError(bad)
            return os.read(r, 9)
        assert green.spawn(read).get(timeout=TIMEOUT) == b"kept"
        """
    )


def test_what_is_found_by_one_lookup_is_each_callers_own() -> None:
    run_green(
        """
        import socket
        def look(): return socket.gethostbyname_ex("localhost")
        first, second = [task.get(timeout=TIMEOUT) for task in (green.spawn(look), green.spawn(look))]
        assert first == second
        first[2].clear(); first[1].append("x")
        assert second[2] and "x" not in second[1]
        """
    )


@pytest.mark.parametrize("kind", ["queue.Queue", "queue.SimpleQueue", "green.Queue"])
def test_what_was_promised_to_a_greenlet_of_the_parents_is_the_childs(
    kind: str,
) -> None:
    run_green(
        f"""
        items, other = {kind}(), {kind}()
        tasks = [green.spawn(items.get), green.spawn(other.get)]
        green.sleep(0)
        items.put("promised")  # to a greenlet that has not run since
        child = os.fork()
        if child == 0:
            assert items.get(timeout=TIMEOUT) == "promised"
            # Who waits in the parent takes nothing here.
            other.put("new")
            assert other.qsize() == 1 and other.get(timeout=TIMEOUT) == "new"
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        other.put("last")
        assert [task.get() for task in tasks] == ["promised", "last"]
        """
    )


@pytest.mark.parametrize(
    "kind", ["green.Semaphore", "threading.Semaphore", "threading.BoundedSemaphore"]
)
def test_who_waits_in_the_parent_takes_nothing_in_the_child(kind: str) -> None:
    run_green(
        f"""
        places = {kind}(1)
        places.acquire()
        # Also of native threads, whose stacks are others' there.
        waiting = threading.Thread(target=places.acquire); waiting.start()
        task = green.spawn(places.acquire); green.sleep(0)
        child = os.fork()
        if child == 0:
            places.release()
            assert places.acquire(timeout=TIMEOUT)
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        places.release(); waiting.join(); places.release(); task.join()
        """
    )


# An exception behind a call of C's, its effect done, as a signal's handler raises it.
BEHIND_EACH_CALL = """
class Late(Exception): pass
def behind_call(number, where, call):
    seen = 0
    def profile(frame, event, arg):
        nonlocal seen
        code = frame.f_code
        if code.co_name == "_begin_child": return  # there signals are blocked
        if event == "c_return" and code.co_filename.endswith(where):
            seen += 1
            if seen == number: raise Late
    sys.setprofile(profile)
    try: return call()
    except Late: return Late
    finally: sys.setprofile(None)
def can_be_interrupted():
    try:
        with green.Timeout(0.001): green.sleep(TIMEOUT)
    except green.Timeout: return True
"""


def test_a_handler_that_raises_in_a_fork_leaves_no_region_behind() -> None:
    run_green(
        """
        import signal
        from celadon.patch import fork
        parent, number = os.getpid(), 0
        while True:
            number += 1
            came = behind_call(number, "patch/fork.py", os.fork)
            if os.getpid() != parent: os._exit(0)
            assert celadon._core.green.can_park(), number
            assert not signal.pthread_sigmask(signal.SIG_BLOCK, ()), number
            assert not fork._turn.locked(), number
            try: os.waitpid(-1, 0)
            except ChildProcessError: pass
            if came is not Late: break
        assert number > 5 and green.spawn(os.getpid).get() == parent
        """,
        prelude=CHILDREN + BEHIND_EACH_CALL,
        malloc="default",
    )


def test_a_handler_that_raises_in_the_start_of_a_thread_leaves_no_shield() -> None:
    run_green(
        """
        number, came = 0, Late
        while came is Late:
            number += 1
            thread = threading.Thread(target=len, args=("",))
            came = behind_call(number, "patch/threading.py", thread.start)
            assert can_be_interrupted(), number
        assert number > 2
        """,
        prelude=CHILDREN + BEHIND_EACH_CALL,
    )


def test_a_native_thread_that_spawned_leaves_no_descriptor() -> None:
    run_green(
        """
        import _thread
        def count(): return len(os.listdir("/proc/self/fd"))
        lock, never = green.Lock(), green.Event()
        def work(): assert green.spawn(lambda: 7).get() == 7
        def leave(): green.spawn(never.wait); green.spawn(lock.acquire); green.sleep(0)
        lock.acquire()
        before = count()
        for target in [work] * 5 + [leave] * 2:
            thread = threading.Thread(target=target); thread.start(); thread.join()
        ended = green.Event()
        def low():
            work(); ended.set()
        _thread.start_new_thread(low, ())
        ended.wait()
        end = time.monotonic() + TIMEOUT
        while count() != before:
            assert time.monotonic() < end, (before, count())
            green.sleep(0.001)
        # Who was left there is woken in vain, and nobody else's descriptor hears of it.
        r, w = os.pipe()
        os.set_blocking(r, False)
        never.set()
        raises(BlockingIOError, os.read, r, 8)
        green.spawn(work).get()
        """,
        prelude=CHILDREN,
    )


def test_greenlets_that_end_with_their_thread_are_told_of() -> None:
    run_green(
        """
        import logging
        lines = []
        handler = logging.Handler(); handler.emit = lambda record: lines.append(record.getMessage())
        logging.getLogger("celadon").addHandler(handler)
        def leave(): green.spawn(print); green.spawn(print)
        def wait(): green.spawn(int).join()
        for target in (leave, wait):
            thread = threading.Thread(target=target, name=target.__name__); thread.start(); thread.join()
        assert len(lines) == 1 and "leave" in lines[0] and "2 greenlets" in lines[0], lines
        """,
        prelude=CHILDREN,
    )


def test_a_thread_that_waits_for_a_greenlet_ends_before_the_process() -> None:
    assert (
        run_green(
            """
        from concurrent.futures import ThreadPoolExecutor
        pool = ThreadPoolExecutor(1)  # its threads end by what is called at exit
        pool.submit(int)
        event, asked = threading.Event(), threading.Event()
        def native(): asked.set(); event.wait(); print("done")
        threading.Thread(target=native).start()
        green.spawn(lambda: (green.sleep(0.05), event.set()))
        asked.wait()
        """,
            timeout=TIMEOUT,
        )
        == "done\n"
    )


def test_a_join_of_a_threads_own_is_not_called_at_the_end_of_the_process() -> None:
    assert (
        run_green(
            """
        class Stoppable(threading.Thread):
            stopped = False
            def run(self):
                for _ in range(5): time.sleep(0.01); assert not self.stopped
                print("all done")
            def join(self, timeout=None):
                self.stopped = True
                raise RuntimeError("not at the end")
        Stoppable().start()
        """,
            timeout=TIMEOUT,
        )
        == "all done\n"
    )


def test_a_thread_whose_end_is_complained_of_has_ended() -> None:
    run_green(
        """
        import logging
        from celadon.logging import logger
        names = []
        class Refuses(logging.Filter):
            def filter(self, record):
                names.append(record.threadName)
                raise RuntimeError("no log")
        logger.addFilter(Refuses())
        def leaves(): green.spawn(time.sleep, 600); green.sleep(0)
        thread = threading.Thread(target=leaves, name="the one")
        thread.start()
        with green.Timeout(TIMEOUT): green.spawn(thread.join).join()
        assert not thread.is_alive() and names == ["the one"], names
        assert not any(each.name.startswith("Dummy") for each in threading.enumerate())
        """
    )


def test_what_a_thread_keeps_spawns_nothing_as_it_dies() -> None:
    run_green(
        """
        kept, said = threading.local(), []
        class Late:
            def __del__(self):
                try: green.spawn(int)
                except RuntimeError as error: said.append(str(error))
        def run():
            green.spawn(int).join()
            kept.value = Late()
        def once():
            thread = threading.Thread(target=run)
            thread.start(); thread.join()
            return len(os.listdir("/proc/self/fd"))
        first = once()
        for _ in range(5): last = once()
        assert last == first and len(said) in (0, 6), (first, last, said)
        """
    )


def test_what_a_thread_that_has_ended_waited_for_goes_to_others() -> None:
    run_green(
        """
        items, lock = queue.SimpleQueue(), threading.Lock()
        lock.acquire()
        def leaves():
            green.spawn(items.get); green.spawn(lock.acquire)
            green.sleep(0)
        thread = threading.Thread(target=leaves)
        thread.start(); thread.join()
        items.put(1)
        assert items.get(timeout=TIMEOUT) == 1
        lock.release()
        assert lock.acquire(True, TIMEOUT)
        """
    )
