"""Some of what has names, as words of a command say."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar


class _Named(Protocol):
    @property
    def name(self) -> str: ...


T = TypeVar("T", bound=_Named)


def chosen_by(
    parser: argparse.ArgumentParser, words: Sequence[str], there: Iterable[T]
) -> list[T]:
    """Those whose names begin with one of `words`; all of them where there is no word. Ends
    with the parser's error where there is none."""
    there = [*there]
    chosen = [each for each in there if not words or each.name.startswith(tuple(words))]
    if not chosen:
        parser.error("there are " + ", ".join(each.name for each in there))
    return chosen
