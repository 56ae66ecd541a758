"""Child processes: each is waited for once, by whoever is left."""

from __future__ import annotations

import subprocess
from typing import Any

from celadon.testing import Stage

from tests.explorer.catalogue import scenario

COMMAND = ["/bin/cat"]


@scenario(outside=True, orders=1, random=False)
def child(stage: Stage) -> Any:
    process = subprocess.Popen(COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    stage.at_end(process.wait)
    stage.at_end(process.kill)

    def wait() -> None:
        assert process.wait() == 0

    def talk() -> None:
        assert process.communicate(b"abc")[0] == b"abc"

    stage.spawn("talk", talk, deliver=())
    stage.spawn("wait", wait)
    stage.spawn("wait too", wait)

    def check() -> None:
        process.kill()
        assert process.wait() in (0, -9)

    return check


@scenario(outside=True, orders=1, random=False)
def child_that_is_run(stage: Stage) -> Any:
    """Whoever runs it takes it along, also when he is stopped."""
    started: list[Any] = []

    def run() -> None:
        with subprocess.Popen(COMMAND, stdin=subprocess.PIPE) as process:
            started.append(process)
            process.communicate(b"")

    stage.spawn("a", run)
    stage.spawn("b", run)

    def check() -> None:
        for process in started:
            assert process.returncode is not None, "nobody has waited for it"

    return check
