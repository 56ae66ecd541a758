"""CPython's own tests of what is patched: without the patch, then with it.

A test counts if it passes without. What then fails with the patch must stand in
`expected-X.Y.txt` with a reason, and what stands there must fail: the list only shrinks.
With --aio it is test_asyncio on `celadon.aio.EventLoop`, first alone, then with the patch;
`expected-aio-X.Y.txt` is its list.

Usage: suite.py PYTHON [--aio] [--only MODULE ...] [--page FILE] [--limit SECONDS]
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent
CHILD = HERE / "child.py"
QUIET = 90.0  # seconds without news from a test: it hangs

MODULES = [
    "test_socket",
    "test_ssl",
    "test_select",
    "test_selectors",
    "test_poll",
    "test_epoll",
    "test_threading",
    "test_thread",
    "test_threading_local",
    "test_threadsignals",
    "test_queue",
    "test_time",
    "test_timeout",
    "test_subprocess",
    "test_signal",
    "test_os",
    "test_posix",
    "test_fork1",
    "test_wait3",
    "test_wait4",
    "test_popen",
    "test_concurrent_futures",
    "test_asyncio",
    "test_urllib",
    "test_urllib2",
    "test_urllib2_localnet",
    "test_httplib",
    "test_httpservers",
    "test_ftplib",
    "test_smtplib",
    "test_poplib",
    "test_imaplib",
    "test_xmlrpc",
    "test_docxmlrpc",
    "test_socketserver",
    "test_wsgiref",
    "test_logging",
    "test_context",
    "test_contextlib",
    "test_sched",
    "test_weakref",
    "test_gc",
    "test_faulthandler",
    "test_sqlite3",
    "test_eintr",
    "test_io",
    "test_pty",
    "test_sys",
    "test_multiprocessing_fork",
    "test_multiprocessing_spawn",
    "test_multiprocessing_forkserver",
]


# What test_asyncio's loop is, with the words for the child that make it so.
AIO_WAYS = {"": ["--aio"], ", patched": ["--aio", "--patched"]}


@dataclass
class Run:
    """How the tests of one module ended."""

    outcomes: dict[str, str] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    ticks: int = 0
    absent: bool = False

    def note(self, line: str) -> None:
        entry = json.loads(line)
        test, outcome = entry["test"], entry["outcome"]
        if outcome in ("ticks", "done"):
            self.ticks += int(entry["text"])
        elif self.outcomes.get(test) != "failed":
            self.outcomes[test] = outcome
            self.texts[test] = entry["text"]

    def interrupted(self) -> list[str]:
        """Tests that began and never ended."""
        return [test for test, outcome in self.outcomes.items() if outcome == "start"]


def run_module(python: str, module: str, words: list[str], limit: float) -> Run:
    """Runs it, and again without the test that hung or crashed, until it gets through."""
    run = Run()
    with tempfile.TemporaryDirectory() as folder:
        report, skip = Path(folder, "report"), Path(folder, "skip")
        work = Path(folder, "work")
        work.mkdir()
        end = time.monotonic() + limit
        while True:
            report.write_text("")
            skip.write_text("\n".join(run.outcomes))
            how = watch(python, module, words, report, skip, work, end)
            for line in report.read_text().splitlines():
                run.note(line)
            broken = run.interrupted()
            for test in broken:
                run.outcomes[test] = "failed"
                run.texts[test] = how
            if not broken or time.monotonic() > end:
                break
    run.absent = not run.outcomes
    return run


def watch(
    python: str,
    module: str,
    words: list[str],
    report: Path,
    skip: Path,
    work: Path,
    end: float,
) -> str:
    command = [
        os.path.abspath(python),
        str(CHILD.resolve()),
        module,
        str(report),
        str(skip),
        *words,
    ]
    with open(work.parent / "output", "w+") as output:
        child = subprocess.Popen(
            command,
            cwd=work,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={
                **os.environ,
                "PYTHONDONTWRITEBYTECODE": "1",
                "PYTHONPATH": str(HERE.resolve() / "extra"),
            },
        )
        hung = False
        while True:
            try:
                child.wait(1)
                break
            except subprocess.TimeoutExpired:
                silence = time.time() - report.stat().st_mtime
                if silence > QUIET or time.monotonic() > end:
                    hung = True
                    # Its stack goes to the output: faulthandler is told by SIGABRT.
                    child.send_signal(signal.SIGABRT)
                    break
        try:
            child.wait(20)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        try:
            os.killpg(child.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        output.seek(0)
        tail = output.read()[-3000:]
    return f"{'hung' if hung else 'ended'} with {child.returncode}\n{tail}"


def read_expected(path: Path) -> dict[str, str]:
    expected = {}
    if path.exists():
        for line in path.read_text().splitlines():
            if line and not line.startswith("#"):
                test, _, reason = line.partition(": ")
                expected[test] = reason
    return expected


@dataclass
class Tally:
    """A module's row of the page."""

    counted: int = 0
    passed: int = 0
    ticks: int = 0
    state: str = ""
    exceptions: list[str] = field(default_factory=list)


def compare(plain: Run, green: Run) -> Tally:
    tally = Tally(ticks=green.ticks)
    if plain.absent:
        tally.state = "absent"
        return tally
    for test, outcome in plain.outcomes.items():
        if outcome != "passed":
            continue
        tally.counted += 1
        if green.outcomes.get(test) == "passed":
            tally.passed += 1
        else:
            tally.exceptions.append(test)
    return tally


PATCH_HEAD = """\
# CPython {}'s own tests under the patch

Made by `make test-cpython`. A test counts if it passes without the patch."""
AIO_HEAD = """\
# CPython {}'s own tests of asyncio on celadon's loop

Made by `make test-asyncio`. A test counts if it passes on asyncio's own loop."""


def page(head: str, tallies: dict[str, Tally], expected: dict[str, str]) -> str:
    counted = sum(t.counted for t in tallies.values())
    passed = sum(t.passed for t in tallies.values())
    lines = [
        head,
        "",
        f"{passed} of {counted} pass ({100 * passed / max(counted, 1):.2f} %).",
        "",
        "| module | counted | pass |",
        "|---|---|---|",
    ]
    for module, tally in tallies.items():
        lines.append(
            f"| {module} | {tally.state or tally.counted} | {tally.passed or ''} |"
        )
    lines += ["", "## Exceptions", ""]
    for tally in tallies.values():
        for test in tally.exceptions:
            lines.append(f"- `{test}`: {expected.get(test, 'not explained')}")
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("python")
    parser.add_argument("--aio", action="store_true")
    parser.add_argument("--only", nargs="*")
    parser.add_argument("--page", type=Path)
    parser.add_argument("--limit", type=float, default=1800.0)
    parser.add_argument("--texts", action="store_true", help="show why tests failed")
    options = parser.parse_args()
    version = subprocess.check_output(
        [
            os.path.abspath(options.python),
            "-c",
            "import sys; print('%d.%d' % sys.version_info[:2])",
        ],
        text=True,
    ).strip()
    prefix = "expected-aio" if options.aio else "expected"
    expected = read_expected(HERE / f"{prefix}-{version}.txt")
    modules = options.only or (["test_asyncio"] if options.aio else MODULES)
    ways = AIO_WAYS if options.aio else {"": ["--patched"]}
    tallies: dict[str, Tally] = {}
    surprises: list[str] = []
    for module in modules:
        plain = run_module(options.python, module, [], options.limit)
        for way, words in ways.items():
            row = module + way
            changed = run_module(options.python, module, words, options.limit)
            tallies[row] = compare(plain, changed)
            texts = changed.texts if options.texts else {}
            surprises += tell(row, tallies[row], expected, texts)
        failed = {test for row in tallies.values() for test in row.exceptions}
        for test in sorted(expected):
            if plain.outcomes.get(test) and test not in failed:
                print(f"  passes now: {test}", flush=True)
                surprises.append(test)
    if options.page:
        head = AIO_HEAD if options.aio else PATCH_HEAD
        options.page.write_text(page(head.format(version), tallies, expected))
    counted = sum(t.counted for t in tallies.values())
    passed = sum(t.passed for t in tallies.values())
    print(f"CPython {version}: {passed} of {counted} pass, {len(surprises)} surprises")
    return 1 if surprises else 0


def tell(
    row: str, tally: Tally, expected: dict[str, str], texts: dict[str, str]
) -> list[str]:
    """Prints how it went; tests that fail and are not expected to."""
    print(f"{row}: {tally.state or f'{tally.passed}/{tally.counted}'}", flush=True)
    surprises = []
    for test in tally.exceptions:
        known = test in expected
        print(f"  {'known' if known else 'FAILED'}: {test}", flush=True)
        if not known:
            surprises.append(test)
            text = texts.get(test, "").strip().replace("\n", "\n    ")
            if text:
                print("    " + text, flush=True)
    return surprises


if __name__ == "__main__":
    sys.exit(main())
