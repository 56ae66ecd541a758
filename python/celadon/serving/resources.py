"""What settings name of the system and requests need: networks, the access log's file, the
folder of bodies. A start, a reload and ``--check-config`` look at it before anybody serves.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from celadon._core import check_networks
from celadon.base import output, process
from celadon.config import Config, access_log
from celadon.errors import UsageError
from celadon.serving import tls


def require(settings: Config) -> None:
    """Raises `UsageError` with all of `problems`."""
    if found := [*problems(settings)]:
        raise UsageError(*found)


def problems(settings: Config) -> Iterator[str]:
    """A line for each of them."""
    for name, value in settings.told("has_networks").items():
        try:
            check_networks(value)
        except ValueError as error:
            yield f"{name}: {error}"
    try:
        tls.load(settings)
    except UsageError as error:
        yield str(error)
    if why := why_not_made(access_log(settings)):
        yield f"accesslog: {why}"
    folder = settings.tmp_upload_dir
    if folder and not _is_for_bodies(folder, settings):
        yield f"tmp_upload_dir: nothing can be made in {folder!r}"


def _is_for_bodies(folder: str, settings: Config) -> bool:
    """Whether who serves can make files there."""
    try:
        account = process.account_of(settings)
    except UsageError:
        account = None  # which is said elsewhere
    return process.may_make_files(folder, account)


def why_not_made(path: str) -> str:
    """Why nobody could write to the file of a log; empty: it can be, or it is none."""
    try:
        if path in ("", "-") or output.named(path):
            return ""
        if os.path.isdir(path):
            raise OSError(f"{path!r} is a directory")
        if not os.access(path, os.W_OK):
            look_at_folder(path)
    except OSError as error:
        return str(error)
    return ""


def look_at_folder(path: str) -> None:
    """Raises `OSError` where nothing can be made in the folder of `path`."""
    folder = os.path.dirname(os.path.abspath(path))
    if not os.path.isdir(folder):
        raise OSError(f"no directory {folder!r}")
    if not process.may_make_files(folder):
        raise OSError(f"nothing can be made in {folder!r}")
