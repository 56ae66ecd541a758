"""gunicorn's own command with celadon's worker."""

from __future__ import annotations

from pathlib import Path

from tests.support.servers import BIN, PATIENCE, ROOT, Command

WORKER = "celadon.contrib.gunicorn.Worker"


class Gunicorn(Command):
    """`gunicorn -k celadon.contrib.gunicorn.Worker` on a free port."""

    def __init__(
        self,
        target: str,
        *options: str,
        cwd: str | Path = ROOT,
        env: dict[str, str] | None = None,
    ) -> None:
        command = [str(BIN / "gunicorn"), "-k", WORKER, *PATIENCE]
        paths = {"PYTHONPATH": str(ROOT), **(env or {})}
        self.start(
            [*command, "--no-control-socket", "-b", "127.0.0.1:0", *options, target],
            cwd,
            paths,
        )

    @property
    def port(self) -> int:
        return int(self.said(r"Listening at: https?://.*:(\d+) ")[1])

    def workers(self) -> list[int]:
        """All that were booted."""
        lines = [line for line in self.lines if "Booting worker with pid: " in line]
        return [int(line.rpartition(" ")[2]) for line in lines]
