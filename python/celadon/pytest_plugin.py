"""`pytest -p celadon.pytest_plugin`: a project's own tests, under celadon's patch.

With ``--celadon-concurrency N`` up to N tests run at a time, each on a greenlet, as
requests would. Fixtures that tests share are set up and torn down one at a time; all else
overlaps where it waits. Tests that change what all share (`monkeypatch`, `capsys`
and the like) run alone, and so do those marked ``celadon_alone``.
"""

from __future__ import annotations

import contextlib
import contextvars
import copy
import dataclasses
import functools
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from _pytest import runner
from _pytest.fixtures import get_scope_node
from _pytest.runner import SetupState

from celadon import green, patch
from celadon.contrib import pytest_django

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
# pytest-django gives this one to every test, for what one of its marks asks.
_HARMLESS = {"_template_string_if_invalid_marker"}
_ALONE_OF_DJANGO = {"live_server", "mailoutbox", "settings", "transactional_db"}
_MARKS_OF_DJANGO = ("django_isolate_apps", "ignore_template_errors", "urls")
# Who sets up or tears down what several tests share.
_turn = green.RLock()
# Of a node: its copies of fixtures, by what they are copies of.
_OF_NODE: pytest.StashKey[dict[Any, Any]] = pytest.StashKey()
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
    pytest_django.install(lambda: _current.get(None))
    _let_tests_overlap()
    _run_lanes(session, lanes, iter(_in_units(together)))
    _run_lanes(session, 1, iter([alone]))
    return True


def _let_tests_overlap() -> None:
    """The variable with the name of the running test: the first of two removes it."""
    native = runner._update_current_test_var

    def update(item: pytest.Item, when: Any) -> None:
        with contextlib.suppress(KeyError):
            native(item, when)

    runner._update_current_test_var = update


def _in_units(items: list[pytest.Item]) -> list[list[pytest.Item]]:
    """Each test by itself; those of a `django.test.TestCase` together, since they run in
    a transaction that their class began, on a connection of its greenlet."""
    units: list[list[pytest.Item]] = []
    for item in items:
        if units and _is_case(item, "TestCase") and _case(item) is _case(units[-1][0]):
            units[-1].append(item)
        else:
            units.append([item])
    return units


def _case(item: pytest.Item) -> Any:
    return getattr(item, "cls", None)


def _is_case(item: pytest.Item, name: str) -> bool:
    """Whether its class is one of `django.test`'s class `name`, if that is imported."""
    testing = sys.modules.get("django.test")
    case = _case(item)
    return (
        testing is not None
        and isinstance(case, type)
        and issubclass(case, getattr(testing, name))
    )


def _run_lanes(
    session: pytest.Session, count: int, units: Iterator[list[pytest.Item]]
) -> None:
    def lane() -> None:
        for unit in units:
            for item in unit:
                if session.shouldstop or session.shouldfail:
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
    if item.get_closest_marker("celadon_alone") is not None:
        return True
    info = getattr(item, "_fixtureinfo", None)
    names = _fixtures(info) if info is not None else set()
    return bool(names & _ALONE) or _shares_more_of_django(item, names)


def _shares_more_of_django(item: pytest.Item, names: set[str]) -> bool:
    """Whether it changes settings, or a database without a transaction around it."""
    if names & _ALONE_OF_DJANGO or any(map(item.get_closest_marker, _MARKS_OF_DJANGO)):
        return True
    mark = item.get_closest_marker("django_db")
    if mark is not None and (mark.args or mark.kwargs.get("transaction")):
        return True
    return _is_case(item, "TransactionTestCase") and not _is_case(item, "TestCase")


def _fixtures(info: Any) -> set[str]:
    """The names of all fixtures of a test, but for what is harmless side by side."""
    found: set[str] = set()
    names = [name for name in info.initialnames if name not in _HARMLESS]
    while names:
        name = names.pop()
        if name in found:
            continue
        found.add(name)
        for definition in info.name2fixturedefs.get(name, ()):
            names += definition.argnames
    return found


def _own_fixtures(item: Any) -> None:
    """A fixture keeps its value in one place for all tests: here each test has a copy of
    its own, or one that it shares with those of its class or module."""
    info = getattr(item, "_fixtureinfo", None)
    if info is None:
        return
    own = _OwnFixtures(item)
    for name, definitions in info.name2fixturedefs.items():
        own[name] = definitions
    item._fixtureinfo = dataclasses.replace(info, name2fixturedefs=own)
    item._initrequest()


class _OwnFixtures(dict[str, Any]):
    """The fixtures of one test by name, also those that it asks for while it runs."""

    def __init__(self, item: Any) -> None:
        self._item = item

    def __setitem__(self, name: str, definitions: Any) -> None:
        own = (_own_fixture(self._item, definition) for definition in definitions)
        super().__setitem__(name, tuple(own))

    def get(self, name: str, default: Any = None) -> Any:
        if name not in self:
            manager = self._item.session._fixturemanager
            found = manager.getfixturedefs(name, self._item)
            if found is not None:
                self[name] = found
        return super().get(name, default)


def _own_fixture(item: pytest.Item, definition: Any) -> Any:
    """One for each function, class, module or package that it is set up for: those run
    side by side here, and each is torn down with its own."""
    if definition.scope == "session":
        return _once_at_a_time(definition)
    node = get_scope_node(item, definition._scope) or item
    known = node.stash.setdefault(_OF_NODE, {})
    if definition not in known:
        own = copy.copy(definition)
        own._finalizers = []
        own.cached_result = None
        known[definition] = own if node is item else _once_at_a_time(own)
    return known[definition]


def _once_at_a_time(definition: Any) -> Any:
    native = definition.execute
    if getattr(native, "__wrapped__", None) is not None:
        return definition

    @functools.wraps(native)
    def execute(request: Any) -> Any:
        with _turn:
            return native(request)

    definition.execute = execute
    return definition


class _SetupState(SetupState):
    """What is set up: collectors as long as a test is to come that needs them."""

    def __init__(self, items: list[pytest.Item]) -> None:
        super().__init__()
        self._needed = Counter(node for item in items for node in item.listchain())

    def setup(self, item: pytest.Item) -> None:
        """Sets up what `item` needs and is not there yet, and `item` itself."""
        *shared, own = item.listchain()
        with _turn:
            for node in shared:
                self._set_up(node)
        # Without the turn: it may wait for another test, for what that has locked in a
        # database until it is torn down.
        self._set_up(own)

    def _set_up(self, node: Any) -> None:
        known = self.stack.get(node)
        if known is not None:
            if known[1] is not None:
                raise known[1][0]
            return
        self.stack[node] = ([node.teardown], None)
        try:
            node.setup()
        except (Exception, pytest.skip.Exception) as error:
            self.stack[node] = (self.stack[node][0], (error, error.__traceback__))
            raise

    def teardown_exact(self, nextitem: pytest.Item | None) -> None:
        """Tears down the running test and what no other one needs; at the end the rest."""
        if nextitem is None:
            self._tear_down(list(reversed(self.stack)))
            return
        item = _current.get()
        chain = item.listchain()
        self._needed.subtract(chain)
        try:
            self._tear_down([item])
        finally:
            with _turn:
                over = [node for node in reversed(chain) if not self._needed[node]]
                self._tear_down(over)

    def _tear_down(self, nodes: list[Any]) -> None:
        errors: list[BaseException] = []
        for node in nodes:
            finalizers, _ = self.stack.pop(node, ([], None))
            while finalizers:
                try:
                    finalizers.pop()()
                except (Exception, pytest.fail.Exception) as error:
                    errors.append(error)
        if errors:
            raise errors[0]
