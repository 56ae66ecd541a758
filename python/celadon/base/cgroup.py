"""What this process may use: the CPUs and the memory that its cgroups leave it."""

from __future__ import annotations

import contextlib
import math
import os
from pathlib import Path

# Of a cgroup's memory: the rest is for the master, the kernel and page cache.
_WORKERS_PART = 0.9
# What the first version says where nothing is limited is near 2**63.
_UNLIMITED = 2**60


def available_cpus(root: Path = Path("/")) -> int:
    """At least 1. `root` is where ``proc`` and ``sys`` are found."""
    allowed = len(os.sched_getaffinity(0))
    quota = min(_quotas(root), default=math.inf)
    return max(1, allowed if math.isinf(quota) else min(allowed, math.ceil(quota)))


def _quotas(root: Path) -> list[float]:
    """CPUs' worth of time that each cgroup above this process gives, where limited."""
    found = []
    for group in _groups(root, "cpu"):
        with contextlib.suppress(OSError, ValueError):
            quota, period = (group / "cpu.max").read_text().split()
            if quota != "max":
                found.append(int(quota) / int(period))
        with contextlib.suppress(OSError, ValueError):
            time = int((group / "cpu.cfs_quota_us").read_text())
            if time > 0:
                found.append(time / int((group / "cpu.cfs_period_us").read_text()))
    return found


def memory_share(workers: int, root: Path = Path("/")) -> int:
    """Bytes of the smallest limit for each of `workers`; 0: there is no limit."""
    limits = []
    for group in _groups(root, "memory"):
        for name in ("memory.max", "memory.limit_in_bytes"):
            with contextlib.suppress(OSError, ValueError):
                limits.append(int((group / name).read_text()))
    limit = min(limits, default=_UNLIMITED)
    return 0 if limit >= _UNLIMITED else int(limit * _WORKERS_PART / workers)


def _groups(root: Path, controller: str) -> list[Path]:
    """Folders of the cgroups that this process is in, and of those above them.

    `controller` chooses among the hierarchies of the first version.
    """
    base = root / "sys/fs/cgroup"
    groups = []
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return [base]
    for line in lines:
        number, controllers, path = line.split(":", 2)
        if number == "0":
            top = base
        elif controller in controllers.split(","):
            top = base / controller
        else:
            continue
        group = top / path.lstrip("/")
        groups += [group, *(g for g in group.parents if top in (g, *g.parents))]
    return groups
