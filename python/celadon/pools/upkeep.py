"""What happens to a pool's connections while nobody uses them."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any

from celadon.green.timeout import Timeout
from celadon.logging import logger
from celadon.pools.keeping import Keeping
from celadon.pools.member import Member

_LONGEST_TICK = 30.0  # seconds


def tend(pool: Keeping[Any]) -> None:
    """Looks after the connections until there are none at all."""
    try:
        _look_after(pool)
    except BaseException:
        with pool._roster.lock:
            pool._roster.tended = False  # who grows it next has it tended again
        raise


def _look_after(pool: Keeping[Any]) -> None:
    while not pool._roster.news.wait(_tick(pool)):
        _discard_idle(pool)
        _check_idle(pool)
        if pool.leak_threshold:
            _report_leaks(pool)
        with pool._roster.lock:
            pool._grow()
            if pool._roster.size() == 0:
                pool._roster.tended = False
                return
    pool._roster.tended = False


def _tick(pool: Keeping[Any]) -> float:
    limits = [pool.max_idle, pool.max_lifetime, pool.leak_threshold]
    if pool._check is not None:
        limits.append(pool.keepalive)
    return min([_LONGEST_TICK, *(limit / 4 for limit in limits if limit)])


def _discard_idle(pool: Keeping[Any]) -> None:
    now = time.monotonic()
    going: list[tuple[Member, str]] = []
    with pool._roster.lock:
        spare = pool._roster.size() - pool.min_size
        for member in list(pool._roster.idle):
            reason = pool._reason_to_go(member, now)
            if reason is None and pool.max_idle and spare > 0:
                reason = "idle" if now - member.used_at >= pool.max_idle else None
            if reason is not None:
                spare -= 1
                pool._roster.take_idle(member)
                going.append((member, reason))
    for member, reason in going:
        pool._discard(member, reason)


def _check_idle(pool: Keeping[Any]) -> None:
    if pool._check is None or not pool.keepalive:
        return
    now = time.monotonic()
    with pool._roster.lock:
        due = [m for m in pool._roster.idle if now - m.used_at >= pool.keepalive]
        pool._roster.take_idle(*due)
    for member in due:
        member.used_at = now
    with suppress(Timeout):  # the hook's own: nobody else waits for this
        pool._check_all(due)


def _report_leaks(pool: Keeping[Any]) -> None:
    now = time.monotonic()
    for member in list(pool._roster.lent.values()):
        held = now - member.lent_at
        if member.is_lent and not member.leak_known and held > pool.leak_threshold:
            member.leak_known = True
            pool._counters.leaks += 1
            logger.warning(
                "a connection of pool %s has been out for %.1f s, acquired at\n%s",
                pool.name,
                held,
                member.where(),
            )
