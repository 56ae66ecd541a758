"""A plugin of pytest that tells the run above what happens, by JSON lines on a pipe."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from typing import Any

import pytest


def pytest_configure(config: pytest.Config) -> None:
    # Taken out of the environment: it is not for what the tests start.
    if descriptor := os.environ.pop("SUITE_EVENTS", ""):
        config.pluginmanager.register(Events(int(descriptor)))


def plain(nodeid: str) -> str:
    """Without the group that xdist writes behind the name."""
    at = nodeid.rfind("@")
    return nodeid[:at] if at > nodeid.rfind("]") and at != -1 else nodeid


class Events:
    LONGEST = (
        50_000  # characters that are told of one test: what it begins and ends with
    )

    def __init__(self, descriptor: int) -> None:
        os.set_inheritable(descriptor, False)
        self._pipe = os.fdopen(descriptor, "w", buffering=1)
        self._phases: dict[str, list[pytest.TestReport]] = {}
        self._not_collected: set[str] = set()

    def _tell(self, what: str, **fields: Any) -> None:
        self._pipe.write(json.dumps({"what": what, **fields}) + "\n")

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        if session.items:
            self._tell("total", count=len(session.items))

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: Sequence[str]) -> None:
        self._tell("total", count=len(ids))

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        # Each of xdist's workers collects, and reports the same.
        if report.passed or report.nodeid in self._not_collected:
            return
        self._not_collected.add(report.nodeid)
        self._tell_end(report.nodeid, report.outcome, 0.0, _why(report))

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self._tell("start", name=plain(nodeid))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        phases = self._phases.setdefault(report.nodeid, [])
        phases.append(report)
        # "???" is what xdist says of a test that its worker died of.
        if report.when in ("teardown", "???"):
            del self._phases[report.nodeid]
            self._tell_all(plain(report.nodeid), phases)

    def _tell_all(self, name: str, phases: list[pytest.TestReport]) -> None:
        outcome, detail = "passed", ""
        for phase in phases:
            if phase.failed:
                outcome = "failed"
                detail = "\n".join([detail, phase.longreprtext, *_sections(phase)])
            elif phase.skipped and not hasattr(phase, "wasxfail"):
                outcome, detail = "skipped", _why(phase)
        seconds = sum(phase.duration for phase in phases)
        properties = dict(phases[-1].user_properties)
        self._tell_end(name, outcome, seconds, detail, str(properties.get("slow", "")))

    def _tell_end(
        self, name: str, outcome: str, seconds: float, detail: str, slow: str = ""
    ) -> None:
        self._tell(
            "end",
            name=name,
            outcome=outcome,
            seconds=seconds,
            detail=self._clip(detail.strip()),
            slow=slow,
        )

    def _clip(self, text: str) -> str:
        if len(text) <= self.LONGEST:
            return text
        half = self.LONGEST // 2
        left_out = len(text) - 2 * half
        return f"{text[:half]}\n... {left_out} characters ...\n{text[-half:]}"


def _sections(report: pytest.TestReport) -> list[str]:
    return [f"-- {title}\n{text}" for title, text in report.sections if text.strip()]


def _why(report: pytest.TestReport | pytest.CollectReport) -> str:
    if isinstance(report.longrepr, tuple):
        return report.longrepr[2].removeprefix("Skipped: ")
    return report.longreprtext
