"""What tests inherit of the environment that somebody has: what says where things are.

All else would be read by one program or another that a test starts (addresses and users of
databases, proxies, colours, a master's sockets, options for Python, settings of celadon),
so that the same test would be another on the next machine.
"""

from __future__ import annotations

import os
import re

_KEPT = re.compile(
    r"PATH|HOME|USER|LOGNAME|SHELL|TMPDIR|TERM|TZ|LANG|LANGUAGE|LC_\w+"
    # Of the tests themselves: of pytest, and how many there are of a kind. None begins
    # with CELADON_: a server would take it for a setting, and does not start with one that
    # it does not know.
    r"|PYTEST_\w+|PYTHONPYCACHEPREFIX|PYTHONDONTWRITEBYTECODE|SUITE_EVENTS"
    r"|CHAOS_\w+|PREEMPTION_PROGRAMS|FUZZ_SEEDS|ROWS_FILE"
    # Of tools that look at the processes.
    r"|LD_\w+|\w+SAN_OPTIONS|COVERAGE_\w+|COV_\w+|PYENV_\w+|CCACHE_\w+"
)


def keep_what_is_everywhere() -> None:
    for name in [name for name in os.environ if not _KEPT.fullmatch(name)]:
        del os.environ[name]
