"""A client's plan alone: whether it fails again, and how little of it does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace

from tests.clients.client import Lag
from tests.clients.crowd import Job, visit
from tests.clients.model import Request
from tests.clients.modes import Mode
from tests.clients.plan import Plan, make
from tests.clients.run import Place, place

TRIES = 20


def replay(mode: Mode, seed: int) -> int:
    plan = make(seed, mode.habits)
    with place(mode) as there:
        wrong = attempt(there, plan)
        if not wrong:
            print(f"{mode.name}: {seed} is right, {TRIES} times\n{plan.text()}")
            return 0
        small = shrink(plan, lambda each: _fits(mode, each) and attempt(there, each))
        print(f"{mode.name}: {wrong}\n{small.text()}")
        print("\n".join(there.server.lines[-20:]))
    return 1


def _fits(mode: Mode, plan: Plan) -> bool:
    return mode.habits.pipelines or plan.in_turns


def attempt(there: Place, plan: Plan, tries: int = TRIES) -> str:
    """What is wrong in one of some tries."""
    job = there.job(0, 0)
    for _ in range(tries):
        if wrong := asyncio.run(_alone(plan, job)):
            return wrong
    return ""


async def _alone(plan: Plan, job: Job) -> str:
    wrong, _ = await visit(plan, job, Lag())
    return wrong


def shrink(plan: Plan, fails: Callable[[Plan], object]) -> Plan:
    """As little as fails still."""
    while found := next(filter(fails, smaller(plan)), None):
        plan = found
    return plan


def smaller(plan: Plan) -> Iterator[Plan]:
    requests = plan.requests
    if len(requests) > 1:
        for at in range(len(requests)):
            yield replace(plan, requests=requests[:at] + requests[at + 1 :])
    plain = Plan(plan.seed, requests)
    for name in ("style", "pause", "end", "cut", "window", "late", "reads", "slow"):
        usual = getattr(plain, name)
        if getattr(plan, name) != usual:
            yield replace(plan, **{name: usual})
    for at, request in enumerate(requests):
        for made in simpler(request):
            if made != request:
                yield replace(
                    plan, requests=(*requests[:at], made, *requests[at + 1 :])
                )


def simpler(request: Request) -> Iterator[Request]:
    if not request.breaks:
        yield replace(request, size=1)
    if not request.reads:
        yield replace(request, body=None, chunk=0, expects=False)
    yield replace(request, chunk=0)
    yield replace(request, expects=False)
