"""How many CPUs this process may use: what its affinity and its cgroups allow."""

from __future__ import annotations

import contextlib
import math
import os
from pathlib import Path


def available(root: Path = Path("/")) -> int:
    """At least 1. `root` is where ``proc`` and ``sys`` are found."""
    allowed = len(os.sched_getaffinity(0))
    quota = min(_quotas(root), default=math.inf)
    return max(1, allowed if math.isinf(quota) else min(allowed, math.ceil(quota)))


def _quotas(root: Path) -> list[float]:
    """CPUs' worth of time that each cgroup above this process gives, where limited."""
    found = []
    for group in _groups(root):
        with contextlib.suppress(OSError, ValueError):
            quota, period = (group / "cpu.max").read_text().split()
            if quota != "max":
                found.append(int(quota) / int(period))
        with contextlib.suppress(OSError, ValueError):
            time = int((group / "cpu.cfs_quota_us").read_text())
            if time > 0:
                found.append(time / int((group / "cpu.cfs_period_us").read_text()))
    return found


def _groups(root: Path) -> list[Path]:
    """Folders of the cgroups that this process is in, and of those above them."""
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
        elif "cpu" in controllers.split(","):
            top = base / "cpu"
        else:
            continue
        group = top / path.lstrip("/")
        groups += [group, *(g for g in group.parents if top in (g, *g.parents))]
    return groups
