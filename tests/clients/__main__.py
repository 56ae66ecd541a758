"""`python -m tests.clients [--seconds N] [--seed N] [MODE ...]`: clients for so long in all;
`--replay SEED MODE`: that one alone, again and again, and made smaller where it fails."""

from __future__ import annotations

import argparse
import sys
import time

from tests.clients import modes
from tests.clients.replay import replay
from tests.clients.run import Outcome, run
from tests.support.environment import keep_what_is_everywhere


def main() -> int:
    keep_what_is_everywhere()
    parser = argparse.ArgumentParser(prog="python -m tests.clients")
    parser.add_argument("modes", nargs="*", help="all of them, unless some are named")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--replay", type=int, metavar="SEED")
    options = parser.parse_args()
    chosen = modes.of(*options.modes)
    if options.replay is not None:
        return max(replay(mode, options.replay) for mode in chosen)
    outcomes = []
    for mode in chosen:
        began = time.monotonic()
        outcomes.append(run(mode, options.seconds / len(chosen), options.seed))
        show(outcomes[-1], time.monotonic() - began)
    total = sum(each.connections for each in outcomes)
    wrong = sum(len(each.wrong) for each in outcomes)
    print(f"{total} connections, {wrong} wrong")
    return 1 if wrong else 0


def show(outcome: Outcome, took: float) -> None:
    seen = outcome.seen
    print(
        f"{outcome.mode.name:15} {outcome.connections:7} connections, {seen['answers']:7} "
        f"answers, {seen['bytes'] >> 20:6} MB, {len(outcome.wrong)} wrong, {took:.0f} s",
        flush=True,
    )
    for line in outcome.advice():
        print(line)


if __name__ == "__main__":
    sys.exit(main())
