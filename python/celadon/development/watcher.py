"""The process that watches: ``python -m celadon.development.watcher MASTER ...``.

It is told of files on standard input, a path a line, and of globs and folders as
arguments. When one of them changes it sends SIGHUP to the master, and it ends when the
master does.
"""

from __future__ import annotations

import argparse
import glob
import importlib.util
import os
import select
import signal
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

_PERIOD = 0.5  # seconds between two looks, without a library that is told
_SETTLE = 0.05  # an editor writes in several steps,
_PATIENCE = 20  # but not for ever
_IGNORED = {"node_modules", "__pycache__", "site-packages"}

Stamp = tuple[int, int]  # time of the last change in ns, size


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("master", type=int)
    parser.add_argument("--since", type=int, default=sys.maxsize)
    parser.add_argument("--engine", choices=("auto", "inotify", "poll"), default="auto")
    parser.add_argument("--folder", action="append", default=[])
    parser.add_argument("--glob", action="append", default=[])
    options = parser.parse_args(argv)
    # The terminal's signals are for the master, which ends this process with itself.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    watched = Watched(options.folder, options.glob, options.since)
    told = options.engine != "poll" and importlib.util.find_spec("watchfiles")
    wait = _Told() if told else _wait
    changed = watched.changed()
    while changed or wait(watched):
        changed = changed or watched.changed()
        if not changed:
            continue
        changed |= _until_settled(watched)
        names = ", ".join(os.path.relpath(path) for path in sorted(changed)[:3])
        more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
        print(f"celadon: {names}{more} changed: reloading", file=sys.stderr, flush=True)
        try:
            os.kill(options.master, signal.SIGHUP)
        except ProcessLookupError:
            return
        changed = set()


class Watched:
    """Files, and how they were when they were looked at last.

    Those that were written after `since` (ns) are changed at the first look: the
    application may have been read before.
    """

    def __init__(
        self, folders: Iterable[str], globs: Iterable[str], since: int
    ) -> None:
        self._folders = [Path(folder) for folder in folders]
        self._globs = list(globs)
        self._named: set[str] = set()
        self._seen: dict[str, Stamp | None] = {}
        self._buffer = b""
        stamps = ((path, _stamp(path)) for path in self._paths())
        self._seen.update(
            (path, stamp) for path, stamp in stamps if stamp and stamp[0] <= since
        )

    def hear(self) -> bool:
        """Takes paths from standard input; false at its end: nobody is there any more."""
        data = os.read(0, 1 << 16)
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        for line in lines:
            path = os.fsdecode(line)
            self._named.add(path)
            self._seen.setdefault(path, _stamp(path))
        return bool(data)

    def roots(self) -> set[str]:
        """Folders in which all of them are."""
        folders = {str(folder) for folder in self._folders}
        return folders | {os.path.dirname(path) for path in self._paths()}

    def changed(self) -> set[str]:
        """Those that are not as they were; new ones of a folder or glob are."""
        now = {path: _stamp(path) for path in self._paths()}
        gone = {path: None for path in self._seen if path not in now}
        found = {
            path
            for path, stamp in {**now, **gone}.items()
            if self._seen.get(path) != stamp
        }
        self._seen = {**now, **gone}
        return found

    def _paths(self) -> set[str]:
        paths = set(self._named)
        for folder in self._folders:
            paths.update(_sources(folder))
        for pattern in self._globs:
            paths.update(map(os.path.abspath, glob.glob(pattern, recursive=True)))
        return paths


def _sources(folder: Path) -> Iterable[str]:
    for place, folders, files in os.walk(folder):
        folders[:] = [
            each
            for each in folders
            if each not in _IGNORED and not _hidden(place, each)
        ]
        for file in files:
            if file.endswith(".py"):
                yield os.path.join(place, file)


def _hidden(place: str, folder: str) -> bool:
    """Also an environment, whatever it is called."""
    return folder.startswith(".") or os.path.exists(
        os.path.join(place, folder, "pyvenv.cfg")
    )


def _stamp(path: str) -> Stamp | None:
    try:
        info = os.stat(path)
    except OSError:
        return None
    return info.st_mtime_ns, info.st_size


def _wait(watched: Watched) -> bool:
    """Until the next look. False at the end."""
    readable, _, _ = select.select([0], [], [], _PERIOD)
    return not readable or watched.hear()


class _Told:
    """Waits as `_wait`, told of changes by a library."""

    def __init__(self) -> None:
        self._roots: list[str] = []
        self._changes: Iterator[object] = iter(())

    def __call__(self, watched: Watched) -> bool:
        import watchfiles

        roots = sorted(root for root in watched.roots() if os.path.isdir(root))
        if not roots:
            return _wait(watched)
        # What changed before it was told to watch, it does not tell.
        is_new = roots != self._roots
        if is_new:
            self._roots = roots
            self._changes = watchfiles.watch(
                *roots,
                watch_filter=None,
                step=50,
                rust_timeout=200,
                yield_on_timeout=True,
                raise_interrupt=False,
            )
        for changes in self._changes:
            readable, _, _ = select.select([0], [], [], 0)
            if readable and not watched.hear():
                return False
            if readable or changes or is_new:
                return True
        return False


def _until_settled(watched: Watched) -> set[str]:
    more: set[str] = set()
    for _ in range(_PATIENCE):
        select.select([], [], [], _SETTLE)
        changed = watched.changed()
        more |= changed
        if not changed:
            break
    return more


if __name__ == "__main__":
    main()
