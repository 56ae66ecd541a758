"""`pytest -p celadon.pytest_plugin`: a project's own tests, under celadon's patch.

With ``--celadon-concurrency N`` up to N tests run at a time, each on a greenlet, as
requests would. Fixtures are set up and torn down one at a time; what the tests do in
between overlaps where they wait. Tests that change what all share (`monkeypatch`, `capsys`
and the like) run alone, and so do those marked ``celadon_alone``.
"""

from __future__ import annotations

import contextvars
import copy
import dataclasses
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from _pytest.runner import SetupState

from celadon import green, patch

patch.all()

# Fixtures that change or look at what belongs to the process.
_ALONE = {
    "capfd",
    "capfdbinary",
    "caplog",
    "capsys",
    "capsysbinary",
    "capteesys",
    "doctest_namespace",
    "monkeypatch",
    "recwarn",
}
_current: contextvars.ContextVar[pytest.Item] = contextvars.ContextVar("item")


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("celadon")
    group.addoption(
        "--celadon-concurrency",
        type=int,
        default=1,
        metavar="N",
        help="run up to N tests at a time, each on a greenlet (implies --capture=no)",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    if early_config.known_args_namespace.celadon_concurrency > 1:
        # Both put aside, for a test, what belongs to the process.
        early_config.known_args_namespace.capture = "no"
        early_config.pluginmanager.set_blocked("warnings")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "celadon_alone: no other test runs at the same time"
    )
    if config.getoption("celadon_concurrency") > 1:
        config.option.capture = "no"


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool | None:
    lanes = session.config.getoption("celadon_concurrency")
    if lanes < 2 or session.config.option.collectonly or session.testsfailed:
        return None
    session._setupstate = _SetupState(session.items)
    alone = [item for item in session.items if _must_run_alone(item)]
    together = [item for item in session.items if item not in alone]
    for item in together:
        _own_fixtures(item)
    queue = iter(together)
    _run_lanes(session, lanes, lambda: next(queue, None))
    queue = iter(alone)
    _run_lanes(session, 1, lambda: next(queue, None))
    return True


def _run_lanes(
    session: pytest.Session, count: int, take: Callable[[], pytest.Item | None]
) -> None:
    def lane() -> None:
        while not session.shouldstop and not session.shouldfail:
            item = take()
            if item is None:
                return
            _current.set(item)
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=item)

    with green.Group() as group:
        tasks = [group.spawn(lane) for _ in range(count)]
    for task in tasks:
        task.get()
    if session.shouldfail:
        raise session.Failed(session.shouldfail)
    if session.shouldstop:
        raise session.Interrupted(session.shouldstop)


def _must_run_alone(item: pytest.Item) -> bool:
    names = set(getattr(item, "fixturenames", ()))
    return bool(names & _ALONE) or item.get_closest_marker("celadon_alone") is not None


def _own_fixtures(item: Any) -> None:
    """A function-scoped fixture keeps its value in one place for all tests: here each
    test has a copy of its own."""
    info = getattr(item, "_fixtureinfo", None)
    if info is None:
        return
    own = {
        name: tuple(_own_fixture(definition) for definition in definitions)
        for name, definitions in info.name2fixturedefs.items()
    }
    item._fixtureinfo = dataclasses.replace(info, name2fixturedefs=own)
    item._initrequest()


def _own_fixture(definition: Any) -> Any:
    if definition.scope != "function":
        return definition
    own = copy.copy(definition)
    own._finalizers = []
    own.cached_result = None
    return own


class _SetupState(SetupState):
    """What is set up: collectors as long as a test is to come that needs them."""

    def __init__(self, items: list[pytest.Item]) -> None:
        super().__init__()
        self._needed = Counter(node for item in items for node in item.listchain())
        self._turn = green.RLock()

    def setup(self, item: pytest.Item) -> None:
        """Sets up what `item` needs and is not there yet, and `item` itself."""
        with self._turn:
            for node in item.listchain():
                known = self.stack.get(node)
                if known is not None:
                    if known[1] is not None:
                        raise known[1][0]
                    continue
                self.stack[node] = ([node.teardown], None)
                try:
                    node.setup()
                except (Exception, pytest.skip.Exception) as error:
                    self.stack[node] = (
                        self.stack[node][0],
                        (error, error.__traceback__),
                    )
                    raise

    def teardown_exact(self, nextitem: pytest.Item | None) -> None:
        """Tears down the running test and what no other one needs; at the end the rest."""
        if nextitem is None:
            self._tear_down(list(reversed(self.stack)))
            return
        item = _current.get()
        chain = item.listchain()
        self._needed.subtract(chain)
        self._tear_down([node for node in reversed(chain) if not self._needed[node]])

    def _tear_down(self, nodes: list[Any]) -> None:
        errors: list[BaseException] = []
        with self._turn:
            for node in nodes:
                finalizers, _ = self.stack.pop(node, ([], None))
                while finalizers:
                    try:
                        finalizers.pop()()
                    except (Exception, pytest.fail.Exception) as error:
                        errors.append(error)
        if errors:
            raise errors[0]
