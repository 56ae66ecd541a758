"""What `auto` means for workers and their memory."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from celadon.base import cgroup
from celadon.config.values.plain import parse_workers


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    return tmp_path


def write(root: Path, **files: str) -> None:
    for name, text in files.items():
        path = root / name.replace("__", "/").replace("_dot_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_affinity_alone(root: Path) -> None:
    assert cgroup.available_cpus(root) == 8


@pytest.mark.parametrize(
    ("limit", "expected"),
    [("max 100000", 8), ("200000 100000", 2), ("150000 100000", 2), ("1000 100000", 1)],
)
def test_a_quota_is_rounded_up(root: Path, limit: str, expected: int) -> None:
    write(
        root, proc__self__cgroup="0::/a/b\n", sys__fs__cgroup__a__b__cpu_dot_max=limit
    )
    assert cgroup.available_cpus(root) == expected


def test_the_smallest_quota_above_counts(root: Path) -> None:
    write(
        root,
        proc__self__cgroup="0::/a/b\n",
        sys__fs__cgroup__a__b__cpu_dot_max="400000 100000",
        sys__fs__cgroup__a__cpu_dot_max="300000 100000",
    )
    assert cgroup.available_cpus(root) == 3


def test_in_a_container_the_root_is_the_group(root: Path) -> None:
    write(
        root, proc__self__cgroup="0::/\n", sys__fs__cgroup__cpu_dot_max="100000 100000"
    )
    assert cgroup.available_cpus(root) == 1


def test_the_first_version_of_cgroups(root: Path) -> None:
    write(root, proc__self__cgroup="4:memory:/x\n3:cpu,cpuacct:/x\n")
    group = root / "sys/fs/cgroup/cpu/x"
    group.mkdir(parents=True)
    (group / "cpu.cfs_quota_us").write_text("250000\n")
    (group / "cpu.cfs_period_us").write_text("100000\n")
    assert cgroup.available_cpus(root) == 3


def test_rubbish_is_no_limit(root: Path) -> None:
    write(root, proc__self__cgroup="0::/\n", sys__fs__cgroup__cpu_dot_max="rubbish")
    assert cgroup.available_cpus(root) == 8


def test_the_smallest_memory_limit_is_shared(root: Path) -> None:
    assert cgroup.memory_share(4, root) == 0
    write(
        root,
        proc__self__cgroup="0::/a/b\n",
        sys__fs__cgroup__a__b__memory_dot_max="max",
        sys__fs__cgroup__a__memory_dot_max="1000000",
    )
    assert cgroup.memory_share(4, root) == 225_000
    assert cgroup.memory_share(1, root) == 900_000


def test_memory_in_the_first_version_of_cgroups(root: Path) -> None:
    write(root, proc__self__cgroup="4:memory:/x\n3:cpu,cpuacct:/x\n")
    group = root / "sys/fs/cgroup/memory/x"
    group.mkdir(parents=True)
    (group / "memory.limit_in_bytes").write_text("9223372036854771712\n")
    assert cgroup.memory_share(1, root) == 0
    (group / "memory.limit_in_bytes").write_text("2000000\n")
    assert cgroup.memory_share(2, root) == 900_000


def test_auto_and_numbers() -> None:
    assert parse_workers("auto") == cgroup.available_cpus() >= 1
    assert parse_workers("4") == parse_workers(4) == 4
    for bad in ("0", "-1", "many", 0, True):
        with pytest.raises(ValueError, match="above 0, or auto"):
            parse_workers(bad)
