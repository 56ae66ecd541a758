"""A sampling profiler of this process, by greenlet and route.

A native thread looks, a hundred times a second, at what the loop's thread runs (``cpu``),
or at all greenlets, waiting ones too (``wall``). It costs nothing while it is off.
"""

from __future__ import annotations

import json
import os
import re
import threading
import time
from collections import Counter
from types import FrameType
from typing import Any

from celadon._core import green as _green
from celadon.green.frames import of_greenlet, of_threads
from celadon.green.helpers import HelperThread

INTERVAL = 0.01  # seconds between two looks
LONGEST = 60.0
DEEPEST = 100  # frames of a stack; what is above is left out

Frame = tuple[str, str, int]  # name, file, line
Stack = tuple[str, tuple[Frame, ...]]  # whose it is, and its frames, outermost first

_ROUTE = re.compile(r"(\S+) \S+ route=(\S+)$")


def whose(job: str | None) -> str:
    """What a job's samples are counted under: method and route, or what else it is."""
    if not job:
        return "(no request)"
    found = _ROUTE.match(job)
    if found:
        return f"{found[1]} {found[2]}"
    return f"{job.split(' ', 1)[0]} (no route)"


def write_to(descriptor: int, seconds: float, wall: bool) -> None:
    """Profiles for so long and writes the result as JSON to a pipe, which is closed."""
    thread = threading.main_thread().ident or 0

    def work() -> None:
        result = collect(thread, min(seconds, LONGEST), wall)
        try:
            os.set_blocking(descriptor, True)
            data = json.dumps(result).encode() + b"\n"
            while data:
                data = data[os.write(descriptor, data) :]
        except OSError:
            return  # nobody waits for it any more
        finally:
            os.close(descriptor)

    try:
        HelperThread(work, "celadon-profile").start()
    except RuntimeError:  # there is no room for one more
        os.close(descriptor)
        raise


def collect(thread: int, seconds: float, wall: bool) -> dict[str, Any]:
    """Samples for so long what runs in `thread`; blocks the caller.

    ``frames`` are name, file and line; ``stacks`` are whose they are, indices of frames
    (outermost first), and how often they were seen; ``looks`` counts all looks.
    """
    stacks: Counter[Stack] = Counter()
    looks = 0
    end = time.monotonic() + seconds
    pause = threading.Event()
    while time.monotonic() < end:
        looks += 1
        stacks.update(_everything() if wall else _running(thread))
        pause.wait(INTERVAL)
    return _packed(stacks, looks)


def _running(thread: int) -> list[Stack]:
    job = _green.running_job()
    frame = of_threads().get(thread)
    if job is None or frame is None:
        return []  # the loop waits, or works itself
    return [(whose(job), _frames(frame))]


def _everything() -> list[Stack]:
    found = []
    running = of_threads()
    for each in _green.greenlets():
        if each.state in ("idle", "done") or each.number == 0:
            continue
        frame = of_greenlet(each, running)
        if frame is not None:
            waits = (each.reason or each.state, "", 0)
            found.append((whose(each.job), (*_frames(frame), waits)))
    return found


def _frames(frame: FrameType | None) -> tuple[Frame, ...]:
    found: list[Frame] = []
    while frame is not None and len(found) < DEEPEST:
        code = frame.f_code
        found.append((code.co_qualname, code.co_filename, frame.f_lineno or 0))
        frame = frame.f_back
    return tuple(reversed(found))


def _packed(stacks: Counter[Stack], looks: int) -> dict[str, Any]:
    numbers: dict[Frame, int] = {}
    packed = []
    for (owner, frames), count in stacks.most_common():
        indices = [numbers.setdefault(each, len(numbers)) for each in frames]
        packed.append([owner, indices, count])
    return {"frames": list(numbers), "stacks": packed, "looks": looks}


def merge(results: list[dict[str, Any]]) -> Counter[Stack]:
    """The stacks of several processes together."""
    merged: Counter[Stack] = Counter()
    for result in results:
        frames = [tuple(frame) for frame in result["frames"]]
        for owner, indices, count in result["stacks"]:
            merged[(owner, tuple(frames[at] for at in indices))] += count
    return merged


def as_folded(stacks: Counter[Stack]) -> str:
    """A line for each stack, as flame-graph tools read them."""
    lines = []
    for (owner, frames), count in sorted(stacks.items()):
        names = [
            f"{name} ({os.path.basename(file)}:{line})" if file else f"[{name}]"
            for name, file, line in frames
        ]
        words = [word.replace(";", ":") for word in (owner, *names)]
        lines.append(f"{';'.join(words)} {count}")
    return "\n".join(lines)


def as_speedscope(stacks: Counter[Stack], name: str) -> dict[str, Any]:
    """A file for speedscope: one profile of all, and one for each route."""
    numbers: dict[Frame, int] = {}
    frames: list[dict[str, Any]] = []

    def number(frame: Frame) -> int:
        if frame not in numbers:
            numbers[frame] = len(frames)
            title, file, line = frame
            frames.append({"name": title, "file": file, "line": line})
        return numbers[frame]

    def profile(title: str, chosen: list[tuple[Stack, int]]) -> dict[str, Any]:
        samples = [
            [number((owner, "", 0)), *map(number, stack)]
            for (owner, stack), _ in chosen
        ]
        weights = [count * INTERVAL for _, count in chosen]
        return {
            "type": "sampled",
            "name": title,
            "unit": "seconds",
            "startValue": 0,
            "endValue": sum(weights),
            "samples": samples,
            "weights": weights,
        }

    ordered = sorted(stacks.items())
    owners = sorted({owner for owner, _ in stacks})
    profiles = [profile("all", ordered)]
    profiles += [
        profile(owner, [each for each in ordered if each[0][0] == owner])
        for owner in owners
    ]
    return {
        "$schema": "https://www.speedscope.app/file-format-schema.json",
        "name": name,
        "exporter": "celadon",
        "activeProfileIndex": 0,
        "shared": {"frames": frames},
        "profiles": profiles,
    }
