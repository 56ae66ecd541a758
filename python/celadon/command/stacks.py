"""`celadon ctl stacks`: where the greenlets of all workers are, and who did not say so."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Any

from celadon.command.asking import ask
from celadon.config.values.plain import parse_duration
from celadon.errors import UsageError

_PAUSE = 0.2  # seconds between two questions
_LOST = "did not answer: its loop is held, and the error log says where"


def of_all(address: str, words: Sequence[str]) -> Any:
    """What all workers answer; ``[SECONDS]``: for so long those that do not are asked again.

    Who has not answered by then is named on standard error, with those that start and
    cannot be asked yet. Raises `UsageError` for other words, `CeladonError` where no server
    answers.
    """
    end = time.monotonic() + _patience(words)
    answer = ask(address, "stacks")
    while _held(answer) and time.monotonic() < end:
        time.sleep(_PAUSE)
        answer = _together(answer, ask(address, "stacks"))
    lost = [f"{_name(each)} {_LOST}" for each in _held(answer)]
    for line in [*lost, *_early(address)]:
        print(line, file=sys.stderr)
    return answer


def _patience(words: Sequence[str]) -> float:
    try:
        (text,) = words or ("0",)
        return parse_duration(text)
    except ValueError:
        raise UsageError("celadon ctl stacks [SECONDS]") from None


def _held(answer: Any) -> list[dict[str, Any]]:
    workers = answer.get("workers", ())
    return [each for each in workers if not is_answer(each)]


def is_answer(worker: dict[str, Any]) -> bool:
    """Whether that worker has said where its greenlets are."""
    return bool(worker["answered"]) and worker["greenlets"] is not None


def _together(before: Any, now: Any) -> Any:
    """Those that are there now, with what they said before."""
    said = {each["pid"]: each for each in before["workers"] if is_answer(each)}
    workers = [said.get(each["pid"], each) for each in now.get("workers", ())]
    return {**now, "workers": workers}


def _early(address: str) -> list[str]:
    workers = ask(address, "workers").get("workers", ())
    early = [each for each in workers if each["state"] == "booting"]
    return [f"{_name(each)} imports its application still" for each in early]


def _name(worker: dict[str, Any]) -> str:
    pid = f" (pid {worker['pid']})" if worker["pid"] else ""  # none while it starts
    return f"worker {worker['worker']}{pid}"


def as_text(worker: dict[str, Any]) -> str:
    """Of one worker."""
    if not is_answer(worker):
        return f"{_name(worker)}: its loop is held; the error log says where"
    from celadon.green.report_text import text_of

    return f"{_name(worker)}:\n{text_of(worker['greenlets'])}"
