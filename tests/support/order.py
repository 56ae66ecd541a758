"""In which order tests run, and which of them on one worker of xdist.

Tests that share something which takes a while to start, a fixture of a module or of the
session, make a group: one worker runs it, so that the thing is started once. What all of a
session share is started twice, for tests of drivers and for all others: one worker alone
would be the last to end.

What takes long comes first, or it would be what all others are waited for at the end. It
mostly waits, so that only each third worker begins with it: the others have something for
the processors meanwhile.
"""

from __future__ import annotations

from typing import Any

import pytest
from _pytest.nodeid import coerce_node_id
from xdist.scheduler import LoadGroupScheduling
from xdist.workermanage import WorkerController

# All tests that a run has found, before any of them are left out.
COLLECTED = pytest.StashKey[list[pytest.Item]]()
# Markers that only give a reason: why a test takes over 10 s, and what it measures.
WITH_REASON = ("slow", "alone")
_HALF = "tests/drivers/"  # of the tests that share what a session has
_OF_DRIVERS, _OF_ALL = " of drivers", " of all"
_SLOW = "slow: "  # what the name of a group begins with that has a slow test


def arrange(items: list[pytest.Item], many_workers: bool) -> None:
    for item in items:
        _check_reasons(item)
        if slow := item.get_closest_marker("slow"):
            item.user_properties.append(("slow", slow.args[0]))
    if not many_workers:
        return
    groups = _groups(items)
    items.sort(key=lambda item: _rank(groups[item]))
    for item, group in groups.items():
        if group:
            _put_into(item, group)


def _groups(items: list[pytest.Item]) -> dict[pytest.Item, str]:
    """The group of each; a slow test that shares nothing has one of its own."""
    groups = {item: _group(item) for item in items}
    slow = {item: groups[item] for item in items if item.get_closest_marker("slow")}
    long = {group for group in slow.values() if group and not _is_of_session(group)}
    for number, (item, group) in enumerate(groups.items()):
        if group in long:
            groups[item] = f"{_SLOW}{group}"
        elif item in slow and not group:
            groups[item] = f"{_SLOW}{number}"
    return groups


def _put_into(item: pytest.Item, group: str) -> None:
    """By its id, which is all that is known where tests are given to workers.

    xdist does so for its marker, but in a way that has no effect with pytest 9.2.
    """
    item._id = coerce_node_id(f"{item.nodeid}@{group}")
    assert item.nodeid.endswith(f"@{group}"), "pytest keeps ids in another place now"


def _check_reasons(item: pytest.Item) -> None:
    for name in WITH_REASON:
        for marker in item.iter_markers(name):
            if len(marker.args) != 1 or not str(marker.args[0]).strip():
                raise pytest.UsageError(f"{item.nodeid}: {name} without a reason")


def _group(item: pytest.Item) -> str:
    """The widest thing that it shares with others, or nothing."""
    if not isinstance(item, pytest.Function):
        return ""
    callspec = getattr(item, "callspec", None)
    group = ""
    for name, definitions in item._fixtureinfo.name2fixturedefs.items():
        definition = definitions[-1]
        if not definition.baseid.startswith("tests"):
            continue  # pytest's own
        if definition.scope == "session":
            is_half = item.nodeid.startswith(_HALF)
            return name + (_OF_DRIVERS if is_half else _OF_ALL)
        if definition.scope == "module":
            which = callspec.params.get(name, "") if callspec else ""
            group = f"{definition.baseid}:{name}:{which}"
    return group


def _is_of_session(group: str) -> bool:
    return group.endswith((_OF_DRIVERS, _OF_ALL))


def _rank(group: str) -> int:
    if group.startswith(_SLOW):
        return 0
    if _is_of_session(group):
        return 1
    return 2 if group else 3


class Groups(LoadGroupScheduling):  # type: ignore[misc]
    """A test that its worker dies of has failed, and is not tried again; what was to come
    after it runs elsewhere. xdist's own tries it again and again, or waits for ever."""

    def remove_node(self, node: WorkerController) -> str | None:
        work = self.assigned_work.pop(node)
        pending = [
            (unit, name) for unit in work.values() for name in unit if not unit[name]
        ]
        if not pending:
            return None
        unit, died_of = pending[0]
        unit[died_of] = True
        self.workqueue.update({k: v for k, v in work.items() if not all(v.values())})
        for other in self.assigned_work:
            self._reschedule(other)
        return died_of

    def _assign_work_unit(self, node: WorkerController) -> None:
        if self.nodes.index(node) % 3:
            quick = (name for name in self.workqueue if not name.startswith(_SLOW))
            if name := next(quick, ""):
                self.workqueue.move_to_end(name, last=False)
        super()._assign_work_unit(node)

    def _reschedule(self, node: WorkerController) -> None:
        super()._reschedule(node)
        # A worker begins its last test when it is told that it is the last.
        if self._pending_of(self.assigned_work[node]) == 1:
            super()._reschedule(node)


def make_scheduler(config: pytest.Config, log: Any) -> Groups | None:
    return Groups(config, log) if config.getoption("dist") == "loadgroup" else None
