"""The example `studio`, and the town that it asks."""

from __future__ import annotations

import json

from tests.support import raw
from tests.support.servers import ROOT, Command

FOLDER = ROOT / "examples/studio"


def town(seconds: float) -> Command:
    """The town, which takes so long for each answer."""
    return Command("town_service:app", cwd=FOLDER, env={"TOWN_SECONDS": str(seconds)})


def letters(town: Command) -> dict[str, str]:
    """What was posted there, by number."""
    return json.loads(town.request(raw.get("/letters")).body)  # type: ignore[no-any-return]
