"""The kinds of clients that a crowd has: of requests, and of WebSockets."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import TypeVar, cast

from tests.clients import judge as of_requests
from tests.clients import plan as requests
from tests.clients.client import Lag, Trace, Visit
from tests.clients.connection import Address
from tests.clients.judge import Rules
from tests.clients.plan import Habits, Plan
from tests.clients.shrink import simpler_plans
from tests.clients.talk import judge as of_talks
from tests.clients.talk import plan as talks
from tests.clients.talk.client import Conversation, Heard
from tests.clients.talk.plan import Talk

AnyPlan = Plan | Talk
P = TypeVar("P", bound=AnyPlan)


def make(seed: int, habits: Habits) -> AnyPlan:
    if random.Random(f"kind of {seed}").random() < habits.talks:
        return talks.make(seed)
    return requests.make(seed, habits)


async def visit(
    plan: AnyPlan, address: Address, lag: Lag, limit: float
) -> Trace | Heard:
    if isinstance(plan, Talk):
        return await Conversation(plan, address).run(limit)
    return await Visit(plan, address, lag).run(limit)


def judge(plan: AnyPlan, seen: Trace | Heard, rules: Rules) -> None:
    """Raises `Wrong` where what it saw may not be."""
    if isinstance(plan, Talk):
        assert isinstance(seen, Heard)
        of_talks.judge(plan, seen, rules)
    else:
        assert isinstance(seen, Trace)
        of_requests.judge(plan, seen, rules)


def smaller(plan: P) -> Iterator[P]:
    """The same with less of it."""
    if isinstance(plan, Talk):
        return cast(Iterator[P], talks.smaller(plan))
    return cast(Iterator[P], simpler_plans(plan))


def fits(plan: AnyPlan, habits: Habits) -> bool:
    """Whether a client with these habits does so."""
    return isinstance(plan, Talk) or habits.pipelines or plan.in_turns
