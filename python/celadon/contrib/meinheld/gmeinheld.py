"""The worker class for gunicorn, under its old name."""

from __future__ import annotations

from celadon.contrib.gunicorn import Worker as MeinheldWorker

__all__ = ["MeinheldWorker"]
