"""`pytest -p celadon.pytest_plugin`: a project's own tests, under celadon's patch.

With ``--celadon-concurrency N`` up to N tests run at a time, each on a greenlet, as
requests would. Fixtures that tests share are set up and torn down one at a time; all else
overlaps where it waits. Tests that change what all share (`monkeypatch`, `capsys`
and the like) run alone, and so do those marked ``celadon_alone``.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from _pytest import runner

from celadon import green, patch
from celadon.contrib import pytest_django
from celadon.contrib.pytest_fixtures import OverlappingSetup, current, own_fixtures

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
    session._setupstate = OverlappingSetup(session.items)
    alone = [item for item in session.items if _must_run_alone(item)]
    together = [item for item in session.items if item not in alone]
    for item in together:
        own_fixtures(item)
    pytest_django.install(lambda: current.get(None))
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
                current.set(item)
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
