"""`dump_greenlets` tells of tasks, too: of those that no greenlet runs, and who runs one."""

from __future__ import annotations

from tests.aio.test_borders import PATCHED
from tests.support.green import run_green

REPORT = (
    PATCHED
    + """\
import io, json, types
def report(format="json"):
    out = io.StringIO()
    green.dump_greenlets(out, format=format)
    return json.loads(out.getvalue()) if format == "json" else out.getvalue()
"""
)


def test_tasks_have_their_stacks_of_awaits() -> None:
    run_green(
        """
        class Awaitable:
            def __init__(self, what): self.what = what
            def __await__(self): return (yield from self.what.__await__())
        @types.coroutine
        def old_style(what): yield from what
        async def generated(future):
            await Awaitable(future)
            yield 1
        async def innermost(future):
            async for _ in generated(future): pass
        async def outer(future):
            await old_style(innermost(future))
        async def waits_for_task(task): await task
        async def sleeps(): await asyncio.sleep(TIMEOUT)
        async def begins(): pass
        async def main():
            future = asyncio.get_running_loop().create_future()
            first = asyncio.create_task(outer(future), name="first")
            tasks = [first, asyncio.create_task(waits_for_task(first), name="second"),
                     asyncio.create_task(sleeps(), name="third")]
            await asyncio.sleep(0)
            tasks.append(asyncio.create_task(begins(), name="fourth"))
            said = report()
            text = report("text")
            future.set_result(None)
            tasks[2].cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            return said, text
        said, text = aio.run(main())
        found = {each["name"]: each for each in said["tasks"]}
        assert set(found) == {"first", "second", "third", "fourth"}, found
        names = {name: [at["function"] for at in each["stack"]] for name, each in found.items()}
        assert names["first"] == ["outer", "old_style", "innermost", "generated", "Awaitable.__await__"]
        assert names["second"] == ["waits_for_task"] and names["fourth"] == ["begins"]
        assert names["third"] == ["sleeps", "sleep"]
        waits = {name: each["waits_on"] for name, each in found.items()}
        assert waits == {"first": "a future", "second": "task first", "third": "a future", "fourth": None}
        assert not any(each["request"] or each["request_id"] for each in found.values())
        lines = text.splitlines()
        assert "4 tasks that no greenlet runs" in lines and "task fourth: ready" in lines
        at = lines.index("task second: waits for task first")
        assert lines[at + 1].endswith(", in waits_for_task"), lines
        # Who runs one is named by it.
        (running,) = [each["name"] for each in said["greenlets"] if each["state"] == "running"]
        assert running.startswith("main script (task Task-") and running.endswith("(main))")
        assert not report()["tasks"]
        """,
        REPORT,
    )


def test_a_task_that_a_call_holds_is_that_of_a_greenlet() -> None:
    run_green(
        """
        gate = threading.Event()
        async def inner(): gate.wait()
        async def holds(): await inner()
        async def main():
            task = asyncio.create_task(holds(), name="held")
            asyncio.get_running_loop().call_soon(gate.wait)
            await asyncio.sleep(0)
            said = report()
            gate.set()
            await task
            return said
        said = green.spawn(aio.run, main()).get()
        names = [each["name"] for each in said["greenlets"]]
        (held,) = [each for each in said["greenlets"] if "task held (holds)" in each["name"]]
        assert any("callback Event.wait" in name for name in names), names
        assert held["waits_on"] == "an event" and held["request"] is None
        functions = [at["function"] for at in held["stack"]]
        at = functions.index("holds")
        assert functions[at:at + 2] == ["holds", "inner"], functions
        assert "held" not in [each["name"] for each in said["tasks"]]
        """,
        REPORT,
    )


def test_a_report_for_another_process_leaves_out_tasks_as_well() -> None:
    run_green(
        """
        from celadon.green import report as reports
        async def waits(event): await event.wait()
        async def main():
            event = asyncio.Event()
            tasks = [asyncio.create_task(waits(event)) for _ in range(50)]
            await asyncio.sleep(0)
            whole, part = (json.loads(reports.as_json(most)) for most in (1 << 20, 6000))
            assert len(whole["tasks"]) == 50 and whole["left_out"] == {"greenlets": 0, "tasks": 0}
            left_out = part["left_out"]["tasks"]
            assert 0 < left_out < 50 and len(part["tasks"]) + left_out == 50
            assert f"{left_out} tasks more are left out" in reports.text_of(part)
            event.set()
            await asyncio.gather(*tasks)
        aio.run(main())
        """,
        REPORT,
    )
