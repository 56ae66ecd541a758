"""A client's plan alone: whether it fails again, and how little of it does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from tests.clients import kinds
from tests.clients.client import Lag
from tests.clients.crowd import Job, visit
from tests.clients.kinds import AnyPlan, P
from tests.clients.modes import Mode
from tests.clients.run import Place, place

TRIES = 20


def replay(mode: Mode, seed: int) -> int:
    plan = kinds.make(seed, mode.habits)
    with place(mode) as there:
        wrong = attempt(there, plan)
        if not wrong:
            print(f"{mode.name}: {seed} is right, {TRIES} times\n{plan.text()}")
            return 0
        small = shrink(
            plan,
            lambda each: kinds.fits(each, mode.habits) and bool(attempt(there, each)),
        )
        print(f"{mode.name}: {wrong}\n{small.text()}")
        print("\n".join(there.server.lines[-20:]))
    return 1


def attempt(there: Place, plan: AnyPlan, tries: int = TRIES) -> str:
    """What is wrong in one of some tries."""
    job = there.job(0, 0)
    for _ in range(tries):
        if wrong := asyncio.run(_alone(plan, job)):
            return wrong
    return ""


async def _alone(plan: AnyPlan, job: Job) -> str:
    wrong, _ = await visit(plan, job, Lag())
    return wrong


def shrink(plan: P, fails: Callable[[P], object]) -> P:
    """As little as fails still."""
    while found := next(filter(fails, kinds.smaller(plan)), None):
        plan = found
    return plan
