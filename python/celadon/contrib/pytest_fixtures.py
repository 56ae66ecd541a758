"""Fixtures and collectors of tests that overlap: each test has its own, or takes its turn."""

from __future__ import annotations

import contextvars
import copy
import dataclasses
import functools
from collections import Counter
from typing import Any

import pytest
from _pytest.fixtures import get_scope_node
from _pytest.runner import SetupState

from celadon import green

# Who sets up or tears down what several tests share.
_turn = green.RLock()
# Of a node: its copies of fixtures, by what they are copies of.
_OF_NODE: pytest.StashKey[dict[Any, Any]] = pytest.StashKey()
current: contextvars.ContextVar[pytest.Item] = contextvars.ContextVar("item")


def own_fixtures(item: Any) -> None:
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


class OverlappingSetup(SetupState):
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
        item = current.get()
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
