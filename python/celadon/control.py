"""`celadon ctl`: asks a running server, by its control socket."""

from __future__ import annotations

import json
import os
import re
import socket
import struct
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from celadon.config import Config
from celadon.errors import CeladonError, UsageError

_LONGEST = 107  # bytes of a path in a socket's address
_SHOWN = 40  # letters of a socket's own name in that of its control socket
_TIMEOUT = 35.0  # seconds; the server's own patience is 30
_LONG = ("reload",)  # as long as the workers take
COMMANDS = {
    "status": "state, uptime, connections and requests of the server",
    "health": "live, ready, startup; exits with 1 unless live and ready",
    "workers": "each worker; `workers add`, `workers remove`, `workers kill PID`",
    "reload": "settings and code again, as SIGHUP; exits with 1 unless the new ones serve",
    "reopen": "log files again, as SIGUSR1",
    "log-level": "`log-level debug|info|warning|error|critical`, until the next reload",
    "drain": "readiness fails from now on, requests are served; `drain off`",
    "stats": "all that is known of load, workers, routes and blockers, for scripts",
    "stacks": "where every greenlet of every worker is",
    "profile": "where time goes, for speedscope: `profile [SECONDS] [wall] [folded]`",
    "config": "every setting with its value and where that came from",
    "shutdown": "as SIGTERM; `shutdown quick` as SIGINT",
}


def address_of(settings: Config, listening: Sequence[str] = ()) -> str:
    """Where the control socket of a server with these settings is; empty: nowhere.

    `listening`: what the server itself calls its addresses.
    """
    if settings.control_socket_disable:
        return ""
    if settings.control_socket != "auto":
        return str(settings.control_socket)
    name = f"celadon-{_name_of(settings.bind[0], listening)}"
    for variable in ("RUNTIME_DIRECTORY", "XDG_RUNTIME_DIR"):
        folder = os.environ.get(variable, "").split(":")[0]
        if folder and os.access(folder, os.W_OK):
            path = str(Path(folder, name + ".ctl"))
            if len(os.fsencode(path)) <= _LONGEST:
                return path
    return f"@{name}-{os.getuid()}"


def _name_of(address: str, listening: Sequence[str]) -> str:
    """Of its first listener: no other server of this machine has it at the same time.

    A port that the system has chosen is told by its number, a path by a hash of the whole:
    it may be long, and have letters that the name of a file or socket cannot have. Who
    asks knows the address of a socket that was handed over, and not its number.
    """
    if address.startswith("fd://") and listening:
        address = listening[0].removeprefix("http://")
    if address.startswith("unix:") and not address.startswith("unix:@"):
        path = os.path.abspath(address.removeprefix("unix:"))
        import hashlib  # with OpenSSL, which is dear for who only asks a server

        digest = hashlib.sha256(os.fsencode(path)).hexdigest()[:12]
        return f"unix-{_plain(os.path.basename(path))[:_SHOWN]}-{digest}"
    if address.endswith(":0") and listening:
        address = address[:-1] + listening[0].rpartition(":")[2]
    return _plain(address)


def _plain(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9.]+", "-", text).strip("-")


def ask(address: str, words: str) -> Any:
    """The answer to `words`. Raises `CeladonError` where nobody answers."""
    target = "\0" + address[1:] if address.startswith("@") else address
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(None if words in _LONG else _TIMEOUT)
            connection.connect(target)
            if target != address:
                _check_owner(connection, address)
            connection.sendall(words.encode() + b"\n")
            with connection.makefile("rb") as reply:
                size = reply.readline()
                text = reply.read(int(size or b"0"))
    except (OSError, ValueError) as error:
        raise CeladonError(
            f"no server answers at {address} ({_reason(error)}): it is named by the "
            "settings that it was started with, so ask in its folder, or with its --bind, "
            "--config or --control-socket"
        ) from None
    if not text:
        raise CeladonError(
            f"the server at {address} does not answer this user: it is another's"
        )
    return json.loads(text)


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _check_owner(connection: socket.socket, address: str) -> None:
    """Anybody may take an abstract name. Raises `CeladonError`."""
    size = struct.calcsize("3i")
    peer = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    _, uid, _ = struct.unpack("3i", peer)
    if uid not in (0, os.getuid()):
        raise CeladonError(
            f"who listens at {address} is user {uid}, not you: nothing was asked"
        )


def run(words: Sequence[str], address: str, as_json: bool) -> int:
    """One command; prints the answer. The exit status is 1 where the answer is no."""
    if not words:
        width = max(map(len, COMMANDS))
        for name, text in COMMANDS.items():
            print(f"{name:{width}}  {text}")
        return 0
    if words[0] not in COMMANDS:
        raise UsageError(f"unknown command {words[0]!r}; one of {', '.join(COMMANDS)}")
    if not address:
        raise UsageError("this server has no control socket (control_socket_disable)")
    if words[0] == "profile":
        return _profile(words[1:], address)
    answer = ask(address, " ".join(words))
    print(json.dumps(answer, indent=2) if as_json else _as_text(words[0], answer))
    return 0 if answer.get("ok", True) else 1


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
    stacks = profile.merge(
        [each["profile"] for each in answer["workers"] if each["profile"]]
    )
    if "folded" in words:
        print(profile.as_folded(stacks))
    else:
        print(json.dumps(profile.as_speedscope(stacks, f"celadon, {seconds} s{wall}")))
    return 0


def _as_text(command: str, answer: dict[str, Any]) -> str:
    if "error" in answer:
        return f"failed: {answer['error']}"
    if command == "workers" and "workers" in answer:
        return _table(answer["workers"])
    if command == "stacks":
        return "\n".join(_stacks(each) for each in answer["workers"])
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


def _stacks(worker: dict[str, Any]) -> str:
    head = f"worker {worker['worker']} (pid {worker['pid']})"
    if not worker["answered"] or worker["greenlets"] is None:
        return f"{head}: its loop is held; the error log says where"
    from celadon.green.report import text_of

    return f"{head}:\n{text_of(worker['greenlets'])}"
