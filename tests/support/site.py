"""An application whose code changes, under a master with workers."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from tests.support import raw
from tests.support.raw import TIMEOUT
from tests.support.servers import Command, wait_until

APP = """
import os, time
VERSION = {version!r}
def app(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/sleep": time.sleep(0.3)
    while path == "/until" and not os.path.exists("go"): time.sleep(0.005)
    if path == "/long": time.sleep(60)
    if path == "/exit": os._exit(9)
    body = f"{{VERSION}} {{os.getpid()}}".encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
"""


class Site:
    """An application whose code changes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.write(1)

    def write(self, version: int) -> None:
        # Another size each time: the cache of compiled code tells versions apart by it.
        text = APP.format(version=version) + "#" * version + "\n"
        (self.folder / "site_app.py").write_text(text)

    def go(self) -> None:
        """What waits for it in ``/until`` goes on."""
        (self.folder / "go").touch()

    def spoil(self) -> None:
        (self.folder / "site_app.py").write_text("1 / 0  # on purpose\n")

    def serve(self, *options: str) -> Command:
        # On a busy machine ten seconds pass between a connection and its first request.
        patient = ("--header-timeout", "2m")
        return Command("site_app:app", *patient, *options, cwd=self.folder)


def ask(server: Command, path: str = "/") -> tuple[str, int]:
    version, pid = server.request(raw.get(path)).body.decode().split()
    return version, int(pid)


def admin_processes(server: Command) -> list[int]:
    """Those that are there, of which there is one or none for long."""
    found = []
    for each in Path(f"/proc/{server.process.pid}/task").glob("*/children"):
        with suppress(OSError):
            for pid in each.read_text().split():
                with suppress(OSError):  # it ended meanwhile
                    name = Path(f"/proc/{pid}/comm").read_text()
                    if name == "celadon:admin\n":
                        found.append(int(pid))
    return found


_WORKER = re.compile(r"\] worker (\d+) (is ready|was |exited )")


def ready(server: Command) -> list[int]:
    """Workers that are ready and have not ended, by the log."""
    alive = []
    for line in list(server.lines):
        if found := _WORKER.search(line):
            pid = int(found[1])
            if found[2] == "is ready":
                alive.append(pid)
            elif pid in alive:
                alive.remove(pid)
    return alive


def wait_ready(server: Command, count: int, limit: float = TIMEOUT) -> list[int]:
    """So many workers, once the log has had news of one since the server was acted on."""

    def look() -> tuple[list[int], bool]:
        has_ended = server.lines.has_ended
        has_news = any(map(_WORKER.search, server.lines[server.lines.done :]))
        found = ready(server)
        is_so = has_news and len(found) == count
        assert is_so or not has_ended, "it ended"
        return found, is_so

    try:
        return wait_until(look, limit)  # type: ignore[no-any-return]
    except AssertionError as error:
        raise AssertionError(f"{error}\n" + "\n".join(server.lines[-30:])) from None


def reload_at_last(server: Command, count: int) -> None:
    """Reloads until `count` workers are there, as many as the configuration says.

    Of signals that wait the kernel delivers the lowest first: a SIGTTIN that was sent
    before a SIGHUP may come after it.
    """
    for _ in range(5):
        old = ready(server)
        server.signal(signal.SIGHUP)
        with suppress(AssertionError):
            renewed(server, old, count, limit=10)
            return
    raise AssertionError(server.lines[-50:])


def renewed(
    server: Command, old: list[int], count: int | None = None, limit: float = TIMEOUT
) -> list[int]:
    """Workers once all of `old` have ended, as many as those unless `count` says else."""
    wanted = len(old) if count is None else count
    return wait_until(  # type: ignore[no-any-return]
        lambda: (r := ready(server), len(r) == wanted and not set(r) & set(old)), limit
    )


def kill_worker(server: Command, pid: int) -> list[int]:
    """Kills it, and returns who is there once another one has taken its place."""
    count = len(ready(server))
    server.kill(pid)
    return wait_until(  # type: ignore[no-any-return]
        lambda: (r := ready(server), len(r) == count and pid not in r)
    )


# A view of several processes that answers nobody before `count` requests are there, by
# files in the working directory.
TOGETHER = """
def together(count):
    import glob, os, time, uuid
    open(f"here-{count}-{uuid.uuid4()}", "x").close()
    while len(glob.glob(f"here-{count}-*")) < count: time.sleep(0.01)
"""


def all_at_once(count: int, ask: Callable[[], object]) -> None:
    """So many calls, each in a thread; all of them must end well."""
    with ThreadPoolExecutor(count) as pool:
        for call in [pool.submit(ask) for _ in range(count)]:
            call.result()


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False
