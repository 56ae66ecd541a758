"""Who may include whom: the table of ARCHITECTURE.md, kept by a test.

Prints one line per violation and exits with 1 if there is any.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
ROOMS: dict[str, set[str]] = {
    "base": set(),
    "loop": {"base"},
    "net": {"base", "loop"},
    "tls": {"base", "loop", "net"},
    "http": {"base"},
    "ws": {"base", "http"},
    "h2": {"base", "http"},
    "server": {"base", "loop", "net", "http"},
    "metrics": {"base"},
    "admin": {"base", "loop", "net", "http", "server", "metrics"},
    "master": {"base", "loop", "net", "metrics"},
    "py": {"base"},
    "green": {"base", "loop", "py"},
    "aio": {"base", "loop", "py", "green"},
    "gateway": {"base", "loop", "net", "http", "ws", "server", "py", "green"},
    "wsgi": {"base", "http", "ws", "server", "py", "green", "gateway"},
    "asgi": {"base", "net", "http", "ws", "server", "py", "green", "aio", "gateway"},
    "module": {
        "base",
        "loop",
        "net",
        "tls",
        "http",
        "ws",
        "h2",
        "server",
        "metrics",
        "admin",
        "master",
        "py",
        "green",
        "aio",
        "gateway",
        "wsgi",
        "asgi",
    },
}
# Single headers a room may use of one that it may not use as a whole.
EXTRA = {("py", "loop/block_hook.h")}
# Headers with one home.
HOMES = {
    "Python.h": {"py"},
    "greenlet/greenlet.h": {"green"},
    "sys/epoll.h": {"loop"},
    "zlib.h": {"admin", "ws"},
    "nghttp2/nghttp2.h": {"h2"},
}
# What a room must not even ask the system for.
_SYSTEM_CALLS = {
    "unistd.h",
    "sys/socket.h",
    "time.h",
    "ctime",
    "fcntl.h",
    "sys/types.h",
}
FORBIDDEN = {"http": _SYSTEM_CALLS, "ws": _SYSTEM_CALLS, "h2": _SYSTEM_CALLS}
# Only one may start a native thread: by others the process would end where none can be.
THREADS = {"loop/thread.h", "loop/thread.cc"}
_STARTS_THREAD = re.compile(r"\bstd::(?:j?thread|async)\b|\bpthread_create\b")
_OURS = re.compile(r'^#include "([a-z0-9_]+)/([^"]+)"', re.MULTILINE)
_SYSTEM = re.compile(r"^#include <([^>]+)>", re.MULTILINE)


def violations(source: Path = ROOT / "src") -> list[str]:
    found = []
    for path in sorted(source.rglob("*.[hc]*")):
        room = path.relative_to(source).parts[0]
        text = path.read_text()
        where = path.relative_to(source.parent)
        for other, rest in _OURS.findall(text):
            allowed = other == room or other in ROOMS[room]
            if not allowed and (room, f"{other}/{rest}") not in EXTRA:
                found.append(f"{where}: {room} may not include {other}/{rest}")
        for header in _SYSTEM.findall(text):
            if header in HOMES and room not in HOMES[header]:
                found.append(f"{where}: <{header}> belongs to {HOMES[header]}")
            if header in FORBIDDEN.get(room, set()):
                found.append(f"{where}: {room} may not know <{header}>")
        if room not in ("py",) and re.search(r"\bPy_X?(INC|DEC)REF\(", text):
            found.append(f"{where}: bare reference counting outside of py")
        if str(path.relative_to(source)) not in THREADS and _STARTS_THREAD.search(text):
            found.append(f"{where}: a thread that is no loop::Thread")
    return found


if __name__ == "__main__":
    lines = violations()
    print("\n".join(lines))
    sys.exit(1 if lines else 0)
