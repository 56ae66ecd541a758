"""The logs of a master and its workers."""

from __future__ import annotations

from celadon import config, logging
from celadon.base import process
from celadon.errors import UsageError
from celadon.serving.statsd import Statsd, counter_of, open_statsd


def open_logs(settings: config.Config) -> Statsd | None:
    """And what counts their lines. Raises `UsageError`."""
    try:
        told = open_statsd(settings)
    except OSError as error:
        raise UsageError(f"statsd_host: {settings.statsd_host}: {error}") from None
    logging.setup(settings)
    if told:
        logging.logger.addHandler(counter_of(told))
    give_logs_away(settings)
    return told


def give_logs_away(settings: config.Config) -> None:
    if account := process.account_of(settings):
        logging.give_away(account.uid, account.gid, config.access_log(settings))
