"""Random clients on the real server: a moment of each mode here, as long as one likes in
`make clients`."""

from __future__ import annotations

import pytest

from tests.clients.modes import MODES, Mode
from tests.clients.run import run

SECONDS = 1.5


@pytest.mark.parametrize("mode", MODES, ids=[mode.name for mode in MODES])
@pytest.mark.row("C01", "C02", "C03", "C04")
def test_clients_get_what_they_must(mode: Mode) -> None:
    outcome = run(mode, SECONDS)
    assert outcome.connections > 0
    assert outcome.wrong == [], "\n".join([*outcome.advice(), *outcome.log[-50:]])
