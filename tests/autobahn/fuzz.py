"""Autobahn's fuzzing client, run by a Python that has it: `fuzz.py URL AT_ONCE PATTERN ...`.

It runs so many of them at once; a line of JSON for each says what came of it.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Any

from kosoku import FailureError, run_fuzzingclient  # type: ignore[import-not-found]
from kosoku.cases import CASES  # type: ignore[import-not-found]

COMPRESSED = ("12.", "13.")
LAST = 16  # events of a case that went wrong


def line(case: Any) -> str:
    said = {
        "case": case.case_id,
        "behavior": case.behavior.value,
        "close": case.behavior_close.value,
        "why": f"{case.result} {case.result_close}",
        "took": case.duration / 1000,
    }
    if not case.passed:
        said["expected"] = case.expectation
        said["wire"] = [repr(each)[:200] for each in case.wirelog[-LAST:]]
    return json.dumps(said)


def mend() -> None:
    """Cases with compression take bytes, and those of a message that came uncompressed, as a
    short one may, kosoku 0.1.0 hands over as a str."""
    for name, case in CASES.items():
        if name.startswith(COMPRESSED):
            case.onMessage = _of_bytes(case.onMessage)


def _of_bytes(take: Callable[[Any, bytes, bool], None]) -> Callable[..., None]:
    def on_message(self: Any, message: bytes | str, binary: bool) -> None:
        data = message.encode("latin-1") if isinstance(message, str) else message
        take(self, data, binary)

    return on_message


async def main(url: str, at_once: str, *patterns: str) -> None:
    names = [
        name for name in CASES if any(fnmatchcase(name, each) for each in patterns)
    ]
    count = int(at_once)
    for at in range(0, len(names), count):
        some = names[at : at + count]
        try:
            cases = await run_fuzzingclient(url, some, concurrency=count)
        except FailureError as failure:
            cases = failure.results
        for case in cases:
            print(line(case), flush=True)


if __name__ == "__main__":
    mend()
    asyncio.run(main(*sys.argv[1:]))
    sys.stdout.flush()
    # Threads of kosoku's ask the interpreter for itself while it ends, which aborts some runs.
    os._exit(0)
