"""A plan of requests with less of it, for one that fails."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from tests.clients.model import Request
from tests.clients.plan import Plan


def simpler_plans(plan: Plan) -> Iterator[Plan]:
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
