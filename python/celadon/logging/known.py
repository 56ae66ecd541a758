"""Names of loggers, and all that there are."""

from __future__ import annotations

import logging

ERROR = "celadon.error"
# Who takes lines of the access log, if it has a handler.
ACCESS = ("celadon.access", "gunicorn.access")
# As they are called in configurations that were written for gunicorn.
GUNICORN = "gunicorn.error"


def all_loggers() -> list[logging.Logger]:
    known = [logging.getLogger(), *logging.Logger.manager.loggerDict.values()]
    return [each for each in known if isinstance(each, logging.Logger)]
