"""What stands in the place of a function of C is one, too: it is nobody's method."""

from __future__ import annotations

import pytest

from tests.green.test_sockets import SOCKETS
from tests.support.green import run_green

FUNCTIONS = (
    SOCKETS
    + """
import copy, fcntl, inspect, io, pickle, signal, sqlite3, subprocess, types
import asyncio, multiprocessing.synchronize, selectors
from celadon.patch import installing, registry
def functions():
    # Each that was one of C, with what stands there now.
    for (module, name), before in registry.replaced().items():
        if isinstance(before, types.BuiltinFunctionType):
            package, _, cls = module.rpartition(".")
            owner = sys.modules.get(module) or getattr(sys.modules[package], cls)
            now = getattr(owner, name)
            if not isinstance(now, type): yield f"{module}.{name}", before, now
found = list(functions())
"""
)


def test_all_of_them_are_found() -> None:
    run_green(
        """
        names = {name for name, _, _ in found}
        wanted = {f"os.{name}" for name in (
            "close", "closerange", "dup2", "read", "readv", "write", "writev", "open", "eventfd_read", "lockf", "fork",
            "forkpty", "wait", "waitpid", "waitid", "wait3", "wait4", "system")}
        wanted |= {"builtins.open", "io.open", "time.sleep", "_thread.get_ident", "threading.get_ident",
            "select.select", "fcntl.flock", "fcntl.lockf", "fcntl.fcntl", "signal.pthread_kill",
            "signal.setitimer", "signal.alarm", "sys._current_frames", "sqlite3.connect",
            "socket.gethostbyname", "_imp.create_dynamic", "asyncio.events._set_running_loop"}
        assert wanted <= names, wanted - names
        """,
        prelude=FUNCTIONS,
    )


def test_an_attribute_of_a_class_is_no_method() -> None:
    run_green(
        """
        for name, before, now in found:
            holder = type("Holder", (), {"call": now})
            assert holder().call is now, name
        class Files: shut, out, into, ask = os.close, os.write, os.read, select.select
        class Waits: sleep, ident = time.sleep, threading.get_ident
        reading, writing = os.pipe()
        files = Files()
        assert files.out(writing, b"hello") == 5 and files.into(reading, 5) == b"hello"
        assert files.ask([reading], [], [], 0) == ([], [], [])
        files.shut(reading); files.shut(fd=writing)
        raises(OSError, os.fstat, writing)
        Waits().sleep(0)
        assert Waits().ident() == threading.get_ident()
        """,
        prelude=FUNCTIONS,
    )


def test_each_says_of_itself_what_the_one_before_said() -> None:
    run_green(
        """
        def signature(function):
            try: return inspect.signature(function)
            except ValueError: return None
        for name, before, now in found:
            assert type(now) is type(before) and inspect.isbuiltin(now), name
            for what in ("__name__", "__qualname__", "__module__", "__doc__", "__text_signature__"):
                assert getattr(now, what) == getattr(before, what), (name, what)
            assert now.__self__ is before.__self__, name
            assert signature(now) == signature(before), name
            assert repr(now) == repr(before) or now.__self__ is None, name
        """,
        prelude=FUNCTIONS,
    )


def test_each_is_copied_and_pickled_by_its_name() -> None:
    run_green(
        """
        for name, before, now in found:
            assert copy.copy(now) is now and copy.deepcopy(now) is now, name
            for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
                assert pickle.loads(pickle.dumps(now, protocol)) is now, name
        # As a child without the patch finds it.
        given = pickle.dumps([os.close, time.sleep, open, select.select])
        code = "import pickle, sys, os, time, select; " \\
            "got = pickle.loads(sys.stdin.buffer.read()); " \\
            "assert got == [os.close, time.sleep, open, select.select], got"
        subprocess.run([sys.executable, "-c", code], input=given, check=True)
        """,
        prelude=FUNCTIONS,
    )


def test_each_says_what_is_wrong_with_its_arguments() -> None:
    run_green(
        """
        for call in (os.close, os.read, os.write, os.eventfd_read):
            native = registry.original("os", call.__name__)
            for args, names in (((), {}), (("x",), {}), ((1.5,), {}), ((1, 2, 3), {}), ((2**70,), {}),
                                ((-1, 1), {}), ((), {"no": 1}), ((1, "text"), {}), ((-1,), {})):
                def outcome(function):
                    try: return function(*args, **names)
                    except Exception as error: return type(error), str(error)
                assert outcome(call) == outcome(native), (call, args, names)
        class Number:
            def __index__(self): return b.fileno()
        assert os.write(Number(), memoryview(b"abc")) == 3 and a.recv(3) == b"abc"
        """,
        prelude=FUNCTIONS,
    )


@pytest.mark.parametrize("own", ["def", "builtin"])
def test_what_is_there_comes_back_with_the_patch_withdrawn(own: str) -> None:
    """Twice over, and somebody's own function stays."""
    run_green(
        f"""
        import posix
        close, read = registry.original("os", "close"), os.read
        mine = (lambda fd: read) if {own!r} == "def" else len
        os.read = mine
        installing.withdraw()
        assert os.close is posix.close is close and os.read is mine
        installing.install()
        assert os.close is posix.close is not close and type(os.close) is type(close)
        assert os.read is mine
        installing.withdraw()
        assert os.close is posix.close is close
        """,
        prelude=FUNCTIONS,
    )


def test_what_is_said_of_a_function_is_said_of_the_one_in_its_place() -> None:
    """`os.supports_dir_fd` has the functions themselves; `shutil.rmtree`, without, follows
    links that somebody puts in its way."""
    run_green(
        """
        import importlib, shutil
        assert os.open in os.supports_dir_fd
        assert importlib.reload(shutil).rmtree.avoids_symlink_attacks
        ours = os.open
        installing.withdraw()
        assert os.open in os.supports_dir_fd and ours not in os.supports_dir_fd
        """,
        prelude=FUNCTIONS,
    )
