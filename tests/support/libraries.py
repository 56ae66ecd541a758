"""Tests that show how a library waits, for each entry of a table."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest


def shown(table: Iterable[str], **modules: str) -> list[Any]:
    """Parameters, each marked with the library that it shows: by the name of its entry up to
    the first `_`, which is the module's own unless `modules` has it; none where that is empty."""
    parameters = []
    for name in table:
        base = name.partition("_")[0]
        module = modules.get(base, base)
        marks = [pytest.mark.library(module)] if module else []
        parameters.append(pytest.param(name, marks=marks))
    return parameters
