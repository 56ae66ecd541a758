"""The program behind `make test` tells the truth, and leaves nothing running."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.support.raw import TIMEOUT
from tests.support.servers import ROOT, wait_until
from tests.support.site import gone
from tools.suite.readers import Ctest, Headers
from tools.suite.tally import Outcome, Tally

PARTS = """
import sys
from tools.suite import __main__, parts
from tools.suite.parts import Part, Step
from tools.suite.readers import Check, Ctest, Pytest, Reader
def sh(text, reader=Check):
    return lambda _: [Step(("bash", "-c", text), text, reader, text)]
def run(*table):
    parts.PARTS = table
    parts.VERBS["test"] = tuple(part.name for part in table)
    sys.argv[1:] = ["test"]
    sys.exit(__main__.main())
"""


def started(source: str, folder: Path, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PARTS + textwrap.dedent(source)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        stdout=subprocess.PIPE,
        text=True,
    )


def test_the_end_counts_all_and_says_how_to_repeat_what_failed(tmp_path: Path) -> None:
    source = """
        run(Part("first", "", sh("true"), prepares=True),
            Part("bad", "", sh("echo so it is; exit 3"), after=("first",), prepares=True),
            Part("below", "", sh("true"), after=("bad",)),
            Part("good", "", sh("true"), after=("first",)))
    """
    process = started(source, tmp_path)
    said, _ = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 1
    assert said.splitlines()[-1] == "2 passed, 1 failed"
    assert "so it is\nended with status 3\n  again: echo so it is; exit 3" in said
    assert re.search(r"(?m)^below +not run: bad failed$", said)


def test_nothing_runs_beside_what_is_quiet(tmp_path: Path) -> None:
    alone = "[ ! -e here ] && sleep 0.1 && [ ! -e here ]"
    source = f"""
        busy = "touch here; sleep 0.1; rm here"
        run(Part("a", "", sh(busy)), Part("quiet", "", sh({alone!r}), quiet=True),
            Part("b", "", sh("true"), after=("quiet",)), Part("c", "", sh("true")))
    """
    process = started(source, tmp_path)
    said, _ = process.communicate(timeout=TIMEOUT)
    assert said.splitlines()[-1] == "4 passed, 0 failed", said


def test_what_is_stuck_has_failed(tmp_path: Path) -> None:
    source = """
        from tools.suite import job
        job.SILENCE = 0.5
        run(Part("stuck", "", sh("echo so far; sleep 1000")))
    """
    process = started(source, tmp_path)
    said, _ = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 1
    assert "so far\nnothing was heard for 0 minutes" in said
    assert said.splitlines()[-1] == "0 passed, 1 failed"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_all_that_was_started(
    tmp_path: Path, number: signal.Signals
) -> None:
    # One that is told, one that is not of the session, and one that does not listen.
    source = """
        from tools.suite import processes
        processes.GRACE = 0.1
        run(Part("long", "", sh("trap '' INT TERM; setsid sleep 1000 & echo $! > apart;"
                                "echo $$ > deaf; sleep 1000")))
    """
    process = started(source, tmp_path)
    files = [tmp_path / "apart", tmp_path / "deaf"]
    wait_until(lambda: (None, all(f.exists() and f.read_text() for f in files)))
    process.send_signal(number)
    said, _ = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 128 + number
    assert f"stopped by {number.name}" in said
    assert all(gone(int(file.read_text())) for file in files)


def test_nothing_goes_on_where_the_run_was_killed(tmp_path: Path) -> None:
    source = 'run(Part("long", "", sh("echo $$ > pid; exec sleep 1000")))'
    process = started(source, tmp_path)
    pid = pid_in(tmp_path / "pid")
    process.kill()
    process.communicate(timeout=TIMEOUT)
    wait_until(lambda: (None, gone(pid)))


DEAF = """
        deaf = "trap '' INT; echo $$ > deaf; while :; do sleep 0.1; done"
"""


def pid_in(file: Path) -> int:
    """Once it is there."""
    return wait_until(  # type: ignore[no-any-return]
        lambda: (
            (int(file.read_text()), True)
            if file.exists() and file.read_text()
            else (0, False)
        )
    )


def test_where_nobody_reads_any_more_all_ends(tmp_path: Path) -> None:
    source = """
        from tools.suite import display
        display.EVERY = 0.1
        run(Part("long", "", sh("echo $$ > pid; exec sleep 1000")))
    """
    process = started(source, tmp_path)
    pid = pid_in(tmp_path / "pid")
    assert process.stdout is not None
    process.stdout.close()
    assert process.wait(TIMEOUT) == 128 + signal.SIGPIPE
    assert gone(pid)


def test_a_second_signal_waits_for_nobody(tmp_path: Path) -> None:
    source = (
        DEAF
        + """
        from tools.suite import processes
        processes.GRACE = 1000
        run(Part("deaf", "", sh(deaf)))
    """
    )
    process = started(source, tmp_path)
    pid = pid_in(tmp_path / "deaf")
    process.send_signal(signal.SIGINT)
    assert process.stdout is not None
    assert any("stopping what runs" in line for line in process.stdout)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=TIMEOUT)
    assert process.returncode == 128 + signal.SIGINT
    assert gone(pid)


def test_what_changes_the_machine_is_not_killed_halfway(tmp_path: Path) -> None:
    source = (
        DEAF
        + """
        from tools.suite import processes
        processes.GRACE = 0.1
        install = "trap '' INT; (touch begun; until [ -e go ]; do sleep 0.1; done)"
        run(Part("install", "", sh(install + "; touch done"), whole=True),
            Part("deaf", "", sh(deaf)))
    """
    )
    process = started(source, tmp_path)
    pid = pid_in(tmp_path / "deaf")
    wait_until(lambda: (None, (tmp_path / "begun").exists()))
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGINT)
    wait_until(lambda: (None, gone(pid)))
    (tmp_path / "go").touch()
    said, _ = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 128 + signal.SIGINT
    assert "install: is not stopped halfway: waiting for it" in said
    assert (tmp_path / "done").exists()


def test_who_is_left_running_and_writes_holds_nobody_up(tmp_path: Path) -> None:
    # What runs in the background is bash, until it is `yes`.
    left = "yes & until [ $(cat /proc/$!/comm) = yes ]; do :; done"
    process = started(f'run(Part("left", "", sh({left!r})))', tmp_path)
    said, _ = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 0
    assert said.splitlines()[-1] == "1 passed, 0 failed"


@pytest.mark.parametrize("reader", ["Pytest", "Ctest"])
def test_nothing_was_tested_is_a_failure(tmp_path: Path, reader: str) -> None:
    source = f"""
        run(Part("empty", "", sh("true", {reader})), Part("good", "", sh("true")))
    """
    process = started(source, tmp_path)
    said, _ = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 1
    assert said.splitlines()[-1] == "1 passed, 1 failed"
    assert "no test was " in said


def test_who_dies_in_the_middle_of_an_event_has_failed(tmp_path: Path) -> None:
    source = """
        half = "printf '{\\"what\\": \\"st' >&$SUITE_EVENTS"
        run(Part("half", "", sh(half, Pytest)), Part("good", "", sh("true")))
    """
    process = started(source, tmp_path)
    said, _ = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 1
    assert said.splitlines()[-1].startswith("1 passed, ")
    assert 'half of an event was told: {"what": "st' in said


NOISE = r"""
head -c 20000000 /dev/zero | tr '\0' x
printf '\n\377\342\202\254\n'
exit 1
"""


def test_any_output_can_be_shown_and_only_its_end_is(tmp_path: Path) -> None:
    (tmp_path / "noise.sh").write_text(NOISE)
    source = 'run(Part("noisy", "", sh("bash noise.sh")))'
    process = started(source, tmp_path, PYTHONIOENCODING="ascii")
    said, _ = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 1
    assert said.splitlines()[-1] == "0 passed, 1 failed"
    assert "\\ufffd\\u20ac\nended with status 1" in said
    assert len(said) < 100_000
    kept = (tmp_path / "build/suite/noisy.log").stat().st_size
    assert kept > 20_000_000, "a log has all"


def test_variables_that_choose_tests_reach_none(tmp_path: Path) -> None:
    chosen = {"PYTEST_ADDOPTS": "-k x", "GTEST_FILTER": "X*", "PYTHONOPTIMIZE": "1"}
    source = f"""
        run(Part("all", "", sh("! env | grep -E '^({"|".join(chosen)})='")))
    """
    process = started(source, tmp_path, **chosen)
    said, _ = process.communicate(timeout=TIMEOUT)
    assert said.splitlines()[-1] == "1 passed, 0 failed", said


@pytest.mark.parametrize("option", ["--jobs", "--workers"])
@pytest.mark.parametrize("number", ["0", "-1", "many"])
def test_numbers_of_things_are_at_least_one(option: str, number: str) -> None:
    # With something else that is wrong: if this one passed, all tests would run.
    done = subprocess.run(
        [sys.executable, "-m", "tools.suite", f"{option}={number}", "nosuchverb"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert f"argument {option}: " in done.stderr


def run_pytest(
    folder: Path, *options: str, keep: tuple[int, ...] = (), **environment: str
) -> subprocess.CompletedProcess[str]:
    """Of a folder with tests of its own; without the plugins that ours need."""
    ours = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST")}
    more = {"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    plugins = ("-p", "no:cacheprovider", "-p", "xdist.plugin")
    return subprocess.run(
        [sys.executable, "-m", "pytest", *plugins, *options, "."],
        cwd=folder,
        env={**ours, **more, **environment},
        pass_fds=keep,
        capture_output=True,
        text=True,
    )


TESTS = """
import os, pytest
@pytest.fixture
def broken(): raise ValueError("in the setup")
@pytest.fixture
def late():
    yield
    raise ValueError("in the end")
def test_good(): pass
def test_bad(): print("said", "x" * 10**6, "in the end"); assert 1 == 2
def test_setup(broken): pass
def test_end(late): pass
def test_skipped(): pytest.skip("for this")
@pytest.mark.xfail
def test_expected(): assert 0
@pytest.mark.parametrize("what", ["a@b"])
def test_named(what): pass
def test_dies(): os._exit(1) if "PYTEST_XDIST_WORKER" in os.environ else pytest.fail("x")
"""


WORKERS = ("-n", "2", "--dist", "loadgroup")
WARM = ("-p", "tools.suite.warm_workers")


@pytest.mark.parametrize("workers", [(), WORKERS, (*WORKERS, *WARM)])
def test_pytest_tells_what_becomes_of_each_test(
    tmp_path: Path, workers: tuple[str, ...]
) -> None:
    (tmp_path / "test_it.py").write_text(TESTS)
    (tmp_path / "conftest.py").write_text(
        "from tests.support.order import make_scheduler\n"
        "def pytest_xdist_make_scheduler(config, log): return make_scheduler(config, log)\n"
    )
    reading, writing = os.pipe()
    with open(reading) as pipe:
        events_to = {"SUITE_EVENTS": str(writing)}
        plugin = ("-p", "tools.suite.pytest_events")
        done = run_pytest(tmp_path, *plugin, *workers, keep=(writing,), **events_to)
        os.close(writing)
        events = [json.loads(line) for line in pipe]
    assert done.returncode == 1, done.stdout
    assert {"what": "total", "count": 8} in events
    ends = {each["name"]: each for each in events if each["what"] == "end"}
    outcomes = {name.partition("::")[2]: e["outcome"] for name, e in ends.items()}
    assert outcomes == {
        **dict.fromkeys(["test_good", "test_expected", "test_named[a@b]"], "passed"),
        **dict.fromkeys(["test_bad", "test_setup", "test_end", "test_dies"], "failed"),
        "test_skipped": "skipped",
    }
    bad = ends["test_it.py::test_bad"]["detail"]
    assert "assert 1 == 2" in bad
    assert bad.endswith("in the end")
    assert len(bad) < 100_000
    assert ends["test_it.py::test_skipped"]["detail"] == "for this"


SHARING = """
import os, pathlib, pytest
@pytest.fixture(scope="session")
def slow_to_start(): pathlib.Path(f"started-{os.getpid()}").touch()
@pytest.fixture(scope="module", params=["one", "two"])
def server(request): pathlib.Path(f"{request.param}-{os.getpid()}").touch()
@pytest.mark.parametrize("n", range(8))
def test_alike(n, slow_to_start): pass
@pytest.mark.parametrize("n", range(8))
def test_served(n, server): pass
@pytest.mark.parametrize("n", range(8))
def test_other(n): pass
"""


def test_what_is_shared_is_started_once(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").touch()
    (tmp_path / "tests/drivers").mkdir(parents=True)
    (tmp_path / "tests/test_it.py").write_text(SHARING)
    alike = SHARING.replace('"one", "two"', '"three"')
    (tmp_path / "tests/drivers/test_that.py").write_text(alike)
    workers = ("-n", "3", "--dist", "loadgroup", "--import-mode=importlib")
    # Ours, as a plugin: how tests are put in order is the same.
    done = run_pytest(tmp_path, *workers, "-p", "tests.conftest")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "56 passed" in done.stdout
    # Where many wait for it, drivers have one of their own.
    times = {"started": 2, "one": 1, "two": 1, "three": 1}
    for name, count in times.items():
        assert len([*tmp_path.glob(f"{name}-*")]) == count, name


IMPORTED = """
import os, pytest
def note(what): print(os.getpid(), os.getppid(), file=open(what, "a"))
note("imported")
@pytest.mark.parametrize("n", range(20))
def test_it(n): note("ran")
"""


def test_tests_are_imported_once_for_all_workers(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(IMPORTED)
    done = run_pytest(tmp_path, "-n", "2", *WARM)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "20 passed" in done.stdout
    imported, ran = (
        (tmp_path / what).read_text().split() for what in ("imported", "ran")
    )
    assert len(ran) == 40
    assert len(imported) == 2
    assert {*ran[1::2]} == {imported[0]}
    assert len({*ran[::2]}) == 2


WAITING = """
import pathlib, pytest, time
END = time.monotonic() + 60
@pytest.mark.slow("it waits for the others")
@pytest.mark.parametrize("n", range(3))
def test_slow(n):
    while not pathlib.Path("quick-2").exists():
        time.sleep(0.01)
        assert time.monotonic() < END
@pytest.mark.parametrize("n", range(3))
def test_quick(n): pathlib.Path(f"quick-{n}").touch()
"""


def test_what_takes_long_is_not_begun_by_all_workers(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").touch()
    (tmp_path / "test_it.py").write_text(WAITING)
    workers = (*WORKERS, "--no-loadscope-reorder")
    done = run_pytest(tmp_path, *workers, "-p", "tests.conftest")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "6 passed" in done.stdout


@pytest.mark.parametrize("marker", ["slow", "alone"])
def test_these_markers_need_a_reason(tmp_path: Path, marker: str) -> None:
    (tmp_path / "conftest.py").write_text(
        "from tests.support.order import arrange\n"
        "def pytest_collection_modifyitems(items): arrange(items, False)\n"
    )
    for reason, status in (("", 4), ("('it waits')", 0)):
        (tmp_path / "test_it.py").write_text(
            f"import pytest\n@pytest.mark.{marker}{reason}\ndef test_it(): pass\n"
        )
        done = run_pytest(tmp_path)
        assert done.returncode == status, done.stdout + done.stderr


CTEST = """\
      Start  1: ArenaTest.GivesMemory
 1/3 Test  #1: ArenaTest.GivesMemory ............   Passed    0.01 sec
      Start  2: Cut/CasesTest.SameAnswer/get
 2/3 Test  #2: Cut/CasesTest.SameAnswer/get .....***Failed    0.02 sec
[ RUN      ] Cut/CasesTest.SameAnswer/get
expected 200
      Start  3: ClockTest.Ticks
 3/3 Test  #3: ClockTest.Ticks ..................***Exception: SegFault  0.00 sec

33% tests passed, 2 tests failed out of 3
"""


def test_ctest_is_understood() -> None:
    tally = Tally()
    reader = Ctest(tally, "tests/cc/base", "make cc")
    for line in CTEST.splitlines():
        reader.line(line)
    reader.end(8)
    assert tally.counts() == {Outcome.PASSED: 1, Outcome.FAILED: 2}
    bad, crashed = tally.failures()
    assert bad.name == "Cut/CasesTest.SameAnswer/get"
    assert "expected 200" in bad.detail
    assert "-R '^Cut/CasesTest\\.SameAnswer/get$'" in bad.again
    assert "SegFault" in crashed.detail


def test_headers_that_do_not_compile_are_named() -> None:
    tally = Tally()
    reader = Headers(tally, "headers", "make headers")
    for line in (
        "-- 3 headers",
        "[1/3] Building CXX object x/alone/base/list.h.cc.o",
        "FAILED: tests/headers/CMakeFiles/headers_net.dir/alone/net/stream.h.cc.o ",
        "/usr/bin/c++ -o alone/net/stream.h.cc.o",
        "stream.h:7:3: error: 'string' does not name a type",
        "[3/3] Building CXX object x/alone/base/clock.h.cc.o",
        "ninja: build stopped: cannot make progress due to previous errors.",
    ):
        reader.line(line)
    reader.end(1)
    assert tally.counts() == {Outcome.PASSED: 2, Outcome.FAILED: 1}
    [failure] = tally.failures()
    assert failure.name == "src/net/stream.h does not compile alone"
    assert failure.detail == "stream.h:7:3: error: 'string' does not name a type"
