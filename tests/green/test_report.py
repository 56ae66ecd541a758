"""dump_greenlets and LoopExit (green.md 7.1, 7.3, 8)."""

from __future__ import annotations

from pathlib import Path

from tests.support.compiled import library
from tests.support.green import PRELUDE, run_green

HELPERS = """
import io, json, re, signal, socket
def report():
    out = io.StringIO()
    green.dump_greenlets(out)
    return out.getvalue()
def data():
    out = io.StringIO()
    green.dump_greenlets(out, format="json")
    return json.loads(out.getvalue())
def loop_exit(call):
    try: call()
    except green.LoopExit as error: return str(error)
    raise AssertionError("no LoopExit")
"""


def run(source: str) -> None:
    run_green(source, prelude=PRELUDE + HELPERS)


def test_what_each_greenlet_waits_for() -> None:
    run(
        """
        a, b = socket.socketpair()
        server = socket.create_server(("127.0.0.1", 0))
        tcp = socket.create_connection(server.getsockname())
        read_end, write_end = os.pipe()
        event, jobs, lock = threading.Event(), queue.SimpleQueue(), threading.Lock()
        lock.acquire()
        def tcp_read(): tcp.recv(1)
        def unix_read(): a.recv(1)
        def pipe_read(): os.read(read_end, 1)
        def sleeper(): time.sleep(60)
        def waiter(): event.wait(50)
        def getter(): jobs.get()
        def locker():
            with lock: pass
        calls = (tcp_read, unix_read, pipe_read, sleeper, waiter, getter, locker)
        tasks = {call.__name__: green.spawn(call) for call in calls}
        time.sleep(0.01)  # all have begun
        time.sleep(0.01)
        found = {each["name"].split("(")[-1].rstrip(")"): each for each in data()["greenlets"]}
        waits = {name: found[name]["waits_on"] for name in tasks}
        assert waits["tcp_read"] == (f"descriptor {tcp.fileno()} to be readable "
            f"(127.0.0.1:{server.getsockname()[1]})"), waits
        assert waits["unix_read"].startswith(f"descriptor {a.fileno()} to be readable"), waits
        assert waits["pipe_read"].startswith(f"descriptor {read_end} to be readable (pipe:"), waits
        for name, what in {"sleeper": "sleep", "waiter": "an event"}.items():
            assert re.fullmatch(what + r", \\d+\\.\\d s at most", waits[name]), waits
        assert waits["getter"] == "a queue", waits
        assert waits["locker"] == "a lock held by main script", waits
        for name in tasks:
            assert name in [at["function"] for at in found[name]["stack"]]
            assert found[name]["state"] == "parked" and found[name]["age"] >= 0.005
        assert found["main script"]["state"] == "running"
        for task in tasks.values(): task.kill()
        assert len(data()["greenlets"]) == 1 and data()["idle"] <= 1
        try: green.dump_greenlets(format="xml")
        except ValueError: pass
        else: raise AssertionError
        """
    )


def test_who_waits_for_each_other_is_named() -> None:
    run(
        """
        one, two = threading.Lock(), threading.RLock()
        def left():
            with one:
                time.sleep(0.001)
                with two: pass
        def right():
            with two:
                time.sleep(0.001)
                with one: pass
        tasks = [green.spawn(left), green.spawn(right)]
        time.sleep(0.01)
        text = report()
        last = text.strip().splitlines()[-1]
        assert last.startswith("waiting for each other: greenlet "), text
        assert "(left)" in last and "(right)" in last, text
        # The main script waits for them: for ever, and says why.
        text = loop_exit(tasks[0].join)
        assert "main script: waits for an event" in text and last in text, text
        """
    )


def test_a_request_is_named_by_its_line() -> None:
    run(
        """
        import http.client
        def app(environ, start_response):
            time.sleep(0.02)
            start_response("200 OK", [])
            return [report().encode()]
        with celadon.Server(app, bind="127.0.0.1:0") as server:
            conn = http.client.HTTPConnection("127.0.0.1", server.port)
            conn.request("GET", "/some/where?x=1")
            text = conn.getresponse().read().decode()
            conn.close()
        assert "(GET /some/where?x=1)" in text and "deadline in 1" in text, text
        assert "main script: waits for the server's end" in text, text
        """
    )


def test_a_wait_for_nobody_ends_with_a_report() -> None:
    run(
        """
        lock = threading.Lock()
        lock.acquire()
        for call in (threading.Event().wait, queue.Queue().get, queue.SimpleQueue().get,
                     lock.acquire, threading.Semaphore(0).acquire, green.AsyncResult().get):
            text = loop_exit(call)
            assert "wait for ever" in text and "main script: waits for" in text, text
        # What can still be woken is not disturbed.
        def soon(event, call=None):
            if call: call()
            event.set()
        event = threading.Event()
        green.spawn_later(0.01, event.set); event.wait()
        event = threading.Event()
        thread = threading.Thread(target=soon, args=(event, green.blocking_region().__enter__))
        thread.start(); event.wait(); thread.join()
        a, b = socket.socketpair()
        event = threading.Event()
        green.spawn(soon, event, lambda: a.recv(1))
        threading.Thread(target=b.send, args=(b"x",)).start()
        event.wait()
        event = threading.Event()
        green.spawn(soon, event, lambda: socket.getaddrinfo("localhost", 80)); event.wait()
        event = threading.Event()
        green.spawn(soon, event, lambda: green.offload(sum, [1])); event.wait()
        # A handler may set it.
        event = threading.Event()
        signal.signal(signal.SIGALRM, lambda *_: event.set())
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        event.wait()
        """
    )


def test_a_time_limit_is_no_loop_exit() -> None:
    run(
        """
        assert not threading.Event().wait(0.01)
        with green.Timeout(0.01, False): threading.Event().wait()
        """
    )


# A thread that Python does not know before it calls back.
CALLS_BACK = r"""
#include <pthread.h>
#include <unistd.h>
typedef void (*Call)();
static int pipe_end;
static Call call;
static void* run(void*) {
  char byte;
  if (read(pipe_end, &byte, 1) == 1) {
    usleep(50000);  // by then all greenlets wait
    call();
  }
  return nullptr;
}
extern "C" void call_back(int fd, Call what) {
  pipe_end = fd;
  call = what;
  pthread_t thread;
  pthread_create(&thread, nullptr, run, nullptr);
  pthread_detach(thread);
}
"""


def test_g15_who_waits_for_a_thread_of_c_is_left_alone(tmp_path: Path) -> None:
    made = library(tmp_path, "calls_back", CALLS_BACK)
    run(
        f"""
        import ctypes
        called = green.Event()
        call = ctypes.CFUNCTYPE(None)(called.set)
        r, w = os.pipe()
        ctypes.CDLL({str(made)!r}).call_back(r, call)
        green.spawn(os.write, w, b"x")
        called.wait()
        # That thread ends, and then there is nobody.
        assert "waits" in loop_exit(green.Event().wait)
        """
    )


def test_g15_the_census_of_thousands() -> None:
    """Each says what it waits for; and the collector knows none of them."""
    run(
        """
        pairs = [socket.socketpair() for _ in range(100)]
        tasks = [green.spawn(pairs[n % 100][0].recv, 1) for n in range(4000)]
        def waits(each): return each.reason == "descriptor"
        found = []
        while len(waiting := [*filter(waits, found)]) < len(tasks):
            green.sleep(0)
            found = celadon._core.green.greenlets()
        fds = [pair[0].fileno() for pair in pairs]
        assert [each.fd for each in waiting] == fds * 40
        assert {each.events for each in waiting} == {1}
        assert not any(map(gc.is_tracked, found))
        for pair in pairs: pair[1].send(b"x" * 40)
        for task in tasks: task.get()
        """
    )


def test_s15_a_report_for_another_process_is_valid_however_much_is_left_out() -> None:
    run(
        """
        from celadon.green import report as reports
        event, begun = threading.Event(), []
        def wait():
            begun.append(1)
            event.wait()
        for _ in range(50): green.spawn(wait)
        while len(begun) < 50: time.sleep(0)
        whole = json.loads(reports.as_json(1 << 20))
        count = len(whole["greenlets"])
        assert (count > 50, whole["left_out"]["greenlets"]) == (True, 0)
        part = json.loads(reports.as_json(4000))
        assert 0 < len(part["greenlets"]) < count
        left_out = part["left_out"]["greenlets"]
        assert len(part["greenlets"]) + left_out == count
        assert f"{left_out} greenlets more" in reports.text_of(part)
        event.set()
        """
    )


def test_a_wait_whose_time_is_over_says_so() -> None:
    """While something holds the loop."""
    run(
        """
        started = []
        def sleeper():
            started.append(1)
            green.sleep(0.01)
        green.spawn(sleeper)
        while not started: green.sleep(0)
        began = time.monotonic()
        while time.monotonic() < began + 0.02: pass
        assert "waits for sleep, for which time is over" in report(), report()
        """
    )
