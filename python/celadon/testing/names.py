"""By which names a schedule and a report call whoever takes part in a trial."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from celadon._core import green as _green
from celadon.green import Greenlet, report

_HERE = str(Path(__file__).parent)


class Names:
    """The same in each trial that goes the same way: by who is seen first."""

    def __init__(self) -> None:
        self.greenlets: list[Greenlet] = []
        self._of: dict[Any, str] = {}

    def of(self, key: Any) -> str:
        """Of a greenlet, or of a runner by its number, as `explore_ready` has them."""
        name = self._of.get(key)
        if name is None:
            is_greenlet = isinstance(key, Greenlet)
            name = self._of[key] = self._new(key.name if is_greenlet else "runner")
            if is_greenlet:
                self.greenlets.append(key)
        return name

    def _new(self, wanted: str) -> str:
        taken = set(self._of.values())
        name, number = wanted, 1
        while name in taken:
            number += 1
            name = f"{wanted} {number}"
        return name

    def report(self) -> str:
        """Where each greenlet is that has not ended, and what it waits for."""
        raw = _green.greenlets()
        names = {
            each.ident: self._of.get(each.task) or report._name(each) for each in raw
        }
        lines = []
        for each in raw:
            if each.task in self._of and each.state not in ("idle", "done"):
                lines += _told(self._of[each.task], report._entry(each, names, {}))
        return "\n".join(lines)


def _told(name: str, entry: report.Entry) -> list[str]:
    waits_on, state = entry["waits_on"], entry["state"]
    state = f"waits for {waits_on}" if waits_on else f"is {state}"
    stack = [at for at in entry["stack"] if _is_users(at["file"])]
    return [
        f"  {name}: {state}",
        *(f"    {at['file']}:{at['line']} {at['function']}" for at in stack[-3:]),
    ]


def _is_users(file: str) -> bool:
    """Not of what runs a scenario's greenlets."""
    return not file.startswith(_HERE) and not file.endswith("celadon/green/spawn.py")
