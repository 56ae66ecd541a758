"""Has gunicorn say when a worker has imported the application."""

from typing import Any


def post_worker_init(worker: Any) -> None:
    worker.log.info("worker %d is ready", worker.pid)
