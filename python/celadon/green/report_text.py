"""What every greenlet and every task does, for people."""

from __future__ import annotations

from typing import Any


def text_of(data: dict[str, Any]) -> str:
    """Of `celadon.green.report.as_data`, also of another process."""
    lines = [f"{len(data['greenlets'])} greenlets, {data['idle']} idle slots"]
    lines += _left_out(data, "greenlets")
    for entry in data["greenlets"]:
        lines += ["", _headline(entry), *_stack(entry)]
    for cycle in data["cycles"]:
        lines += ["", "waiting for each other: " + " -> ".join([*cycle, cycle[0]])]
    if tasks := data.get("tasks"):
        lines += ["", f"{len(tasks)} tasks that no greenlet runs"]
    lines += _left_out(data, "tasks")
    for entry in tasks or ():
        lines += ["", _headline_of_task(entry), *_stack(entry)]
    return "\n".join(lines) + "\n"


def _left_out(data: dict[str, Any], what: str) -> list[str]:
    count = data.get("left_out", {}).get(what)
    return [f"{count} {what} more are left out"] if count else []


def _stack(entry: dict[str, Any]) -> list[str]:
    return [
        f'  File "{at["file"]}", line {at["line"]}, in {at["function"]}'
        for at in entry["stack"]
    ]


def _headline(entry: dict[str, Any]) -> str:
    text: str = entry["name"]
    if entry["age"] is not None:
        text += f", {entry['age']:.1f} s"
    text += ": " + (
        f"waits for {entry['waits_on']}" if entry["waits_on"] else entry["state"]
    )
    if entry["deadline_left"] is not None:
        left = entry["deadline_left"]
        text += f"; deadline in {left:.1f} s" if left > 0 else "; its deadline is over"
    return text


def _headline_of_task(entry: dict[str, Any]) -> str:
    text = f"task {entry['name']}"
    if entry["request"]:
        ident = f", request id {entry['request_id']}" if entry["request_id"] else ""
        text += f" ({entry['request']}{ident})"
    waits_on = entry["waits_on"]
    return text + (f": waits for {waits_on}" if waits_on else ": ready")
