from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.services import Services, all_services


@pytest.fixture(scope="session")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    with all_services(tmp_path_factory.mktemp("services")) as running:
        yield running
