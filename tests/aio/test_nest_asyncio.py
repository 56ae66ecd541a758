"""nest_asyncio, which has a loop run within itself, on celadon.aio.EventLoop."""

from __future__ import annotations

import pytest

from tests.aio.test_borders import PATCHED
from tests.support.green import run_green

NESTED = (
    PATCHED
    + """
import nest_asyncio
async def inner(number):
    await asyncio.sleep(0.001)
    return number
async def outer(number):
    # In a loop that runs.
    assert asyncio.run(inner(number)) == number
    nest_asyncio.apply()
    return asyncio.get_running_loop().run_until_complete(inner(number))
async def all_of_them():
    assert await asyncio.gather(*map(outer, range(5))) == [*range(5)]
    try: asyncio.run(asyncio.wait_for(asyncio.sleep(TIMEOUT), 0.001))
    except TimeoutError: return "whole"
"""
)


@pytest.mark.library("nest_asyncio")
@pytest.mark.parametrize("before", ["nest_asyncio.apply()", ""])
@pytest.mark.parametrize("run", ["aio.run", "aio.wait"])
def test_what_a_loop_is_to_run_while_it_runs(run: str, before: str) -> None:
    run_green(
        f"""
        {before or "async def outer(number): nest_asyncio.apply(); return number"}
        assert {run}(all_of_them()) == "whole"
        """,
        NESTED,
    )


def test_loops_of_views_run_side_by_side() -> None:
    run_green(
        """
        nest_asyncio.apply()
        views = [green.spawn(asyncio.run, outer(number)) for number in range(5)]
        assert [view.get() for view in views] == [*range(5)]
        """,
        NESTED,
    )


def test_loops_that_were_changed_before() -> None:
    run_green(
        """
        assert aio.run(all_of_them()) == "whole"
        """,
        "import nest_asyncio; nest_asyncio.apply()\n" + NESTED,
    )
