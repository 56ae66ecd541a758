"""What the core's master is told."""

from __future__ import annotations

import sys
from typing import Any

from celadon import _core, config
from celadon.base import output, process
from celadon.base.version import VERSION
from celadon.serving import resources


def _build_labels() -> str:
    """The labels of the metric celadon_build_info: versions of what is in here."""
    import greenlet

    return _core.metrics.label_text(
        ("version", "python", "greenlet"),
        (VERSION, sys.version.split()[0], greenlet.__version__),
    )


def options_of(
    settings: config.Config, alive_period: float, slots: int = 0
) -> dict[str, Any]:
    """For the core, which has `slots` of its start, if it has started. Raises
    `UsageError` for what is named and is not there: a user, a folder."""
    options = config.master_options(settings, slots)
    options["stdout_fd"] = output.original(config.stream_of_access_log(settings))
    options["alive_period"] = alive_period
    options["build_labels"] = _build_labels()
    # What no worker could do either is said before anything is opened.
    resources.require(settings)
    if account := process.account_of(settings):
        options["uid"], options["gid"] = account.uid, account.gid
    return options
