"""CPython's own tests of what is patched: without the patch, then with it.

A test counts if it passes without. What then fails with the patch must stand in
`expected-X.Y.txt` with a reason, and what stands there must fail: the list only shrinks.
With --aio it is test_asyncio on `celadon.aio.EventLoop`, first alone, then with the patch;
`expected-aio-X.Y.txt` is its list.

Usage: python -m tests.cpython.suite PYTHON [--aio] [--only MODULE ...] [--page FILE]
    [--limit SECONDS]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

from tests.cpython.runs import (
    Run,
    Tally,
    compare,
    read_expected,
    run_whole,
    tell,
    tell_passing,
)

HERE = Path(__file__).parent
CHILD = HERE / "child.py"

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


def run_module(python: str, module: str, words: list[str], limit: float) -> Run:
    def command(report: Path, skip: Path) -> list[str]:
        child = (CHILD.resolve(), module, report, skip)
        return [os.path.abspath(python), *map(str, child), *words]

    extra = str(HERE.resolve() / "extra")
    return run_whole(
        command, limit, {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": extra}
    )


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
        surprises += tell_passing(plain, tallies.values(), expected)
    if options.page:
        head = AIO_HEAD if options.aio else PATCH_HEAD
        options.page.write_text(page(head.format(version), tallies, expected))
    counted = sum(t.counted for t in tallies.values())
    passed = sum(t.passed for t in tallies.values())
    print(f"CPython {version}: {passed} of {counted} pass, {len(surprises)} surprises")
    return 1 if surprises else 0


if __name__ == "__main__":
    sys.exit(main())
