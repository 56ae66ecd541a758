"""All tests run with the stacks of parked greenlets poisoned (green.md §9 e)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.environment import keep_what_is_everywhere
from tests.support.machine import keep_paths_short
from tests.support.order import COLLECTED, arrange, make_scheduler
from tests.support.servers import Command
from tests.support.services import Services, all_services
from tests.support.site import Site

if TYPE_CHECKING:
    from tests.support.certificates import Authority

keep_what_is_everywhere()
os.environ["CELADON_POISON_STACK"] = "1"
keep_paths_short()


@pytest.hookimpl(tryfirst=True)  # xdist reads the groups after it
def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    config.stash[COLLECTED] = [*items]
    arrange(items, many_workers=hasattr(config, "workerinput"))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    return make_scheduler(config, log)


@pytest.fixture(scope="session")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """Real databases, started for the first test that asks and stopped at the end."""
    with all_services(tmp_path_factory.mktemp("services")) as running:
        yield running


@pytest.fixture(autouse=True)
def _only_what_is_said_from_now_on() -> None:
    """Lines of a server that tests share answer no wait of a later one."""
    for server in Command.running:
        server.lines.forget()


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """One that a test's clients trust."""
    from tests.support.certificates import Authority  # its library is a large one

    folder = tmp_path / "authority"
    folder.mkdir()
    return Authority(folder)
