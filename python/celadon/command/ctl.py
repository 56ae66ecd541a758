"""`celadon ctl`: what a running server answers, for people and for scripts."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from typing import Any

from celadon.command import stacks
from celadon.command.asking import ask
from celadon.errors import UsageError

COMMANDS = {
    "status": "state, uptime, connections and requests of the server",
    "health": "live, ready, startup; exits with 1 unless live and ready",
    "workers": "each worker; `workers add`, `workers remove`, `workers kill PID`",
    "reload": "settings and code again, as SIGHUP; exits with 1 unless the new ones serve",
    "reopen": "log files again, as SIGUSR1",
    "log-level": "`log-level debug|info|warning|error|critical`, until the next reload",
    "drain": "readiness fails from now on, requests are served; `drain off`",
    "stats": "all that is known of load, workers, routes and blockers, for scripts",
    "stacks": "where every greenlet and task of every worker is; `stacks SECONDS` asks a "
    "worker that does not answer again for so long",
    "profile": "where time goes, for speedscope: `profile [SECONDS] [wall] [folded]`",
    "config": "every setting with its value and where that came from",
    "shutdown": "as SIGTERM; `shutdown quick` as SIGINT",
}


def run(words: Sequence[str], address: str, as_json: bool) -> int:
    """One command; prints the answer. The exit status is 1 where the answer is no."""
    if not words:
        return show_commands()
    if words[0] not in COMMANDS:
        raise UsageError(f"unknown command {words[0]!r}; one of {', '.join(COMMANDS)}")
    if not address:
        raise UsageError("this server has no control socket (control_socket_disable)")
    if words[0] == "profile":
        return _profile(words[1:], address)
    if words[0] == "stacks":
        answer = stacks.of_all(address, words[1:])
    else:
        answer = ask(address, " ".join(words))
    print(json.dumps(answer, indent=2) if as_json else _as_text(words[0], answer))
    return 0 if answer.get("ok", True) else 1


def show_commands() -> int:
    """All there are, with what each answers."""
    width = max(map(len, COMMANDS))
    for name, text in COMMANDS.items():
        print(f"{name:{width}}  {text}")
    return 0


def _profile(words: Sequence[str], address: str) -> int:
    """``[SECONDS] [wall] [folded]``: a profile of all workers on standard output."""
    from celadon.green import profile

    rest = [word for word in words if word not in ("wall", "folded")]
    if len(rest) > 1:
        raise UsageError("celadon ctl profile [SECONDS] [wall] [folded]")
    seconds = rest[0] if rest else "5"
    wall = " wall" if "wall" in words else ""
    answer = ask(address, f"profile {seconds}{wall}")
    if not answer.get("ok"):
        print(_as_text("profile", answer), file=sys.stderr)
        return 1
    held = [each for each in answer["workers"] if not each["answered"]]
    for each in held:
        print(
            f"worker {each['worker']} did not answer: its loop is held", file=sys.stderr
        )
    found = profile.merge(
        [each["profile"] for each in answer["workers"] if each["profile"]]
    )
    if "folded" in words:
        print(profile.as_folded(found))
    else:
        print(json.dumps(profile.as_speedscope(found, f"celadon, {seconds} s{wall}")))
    return 0


def _as_text(command: str, answer: dict[str, Any]) -> str:
    if "error" in answer:
        return f"failed: {answer['error']}"
    if command == "workers" and "workers" in answer:
        return _table(answer["workers"])
    if command == "stacks":
        return "\n".join(stacks.as_text(each) for each in answer["workers"])
    if command == "config":
        lines = [
            f"{name} = {each['value']}  # {each['source']}"
            for name, each in answer["settings"].items()
        ]
        return "\n".join(lines)
    if command == "stats":
        return json.dumps(answer, indent=2)
    facts = {name: value for name, value in answer.items() if name != "ok"}
    if last := facts.get("last_reload"):
        facts["last_reload"] = _reload_as_text(last)
    return "\n".join(f"{name}: {value}" for name, value in facts.items()) or "done"


def _reload_as_text(last: dict[str, Any]) -> str:
    text: str = last["outcome"]
    if "at" in last:
        at = time.localtime(last["at"])
        text += time.strftime(", %Y-%m-%d %H:%M:%S %z", at)
    return f"{text}: {last['error']}" if "error" in last else text


def _table(rows: list[dict[str, Any]]) -> str:
    if not rows:
        return "no workers"
    columns = {
        name: max(len(name), *(len(str(row[name])) for row in rows)) for name in rows[0]
    }
    lines = ["  ".join(f"{name:{size}}" for name, size in columns.items())]
    lines += [
        "  ".join(f"{row[name]!s:{size}}" for name, size in columns.items())
        for row in rows
    ]
    return "\n".join(line.rstrip() for line in lines)
