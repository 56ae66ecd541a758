"""`celadon migrate uvicorn ...` and `celadon migrate hypercorn ...`: what a command line of
theirs means here."""

from __future__ import annotations

import argparse
import shlex
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from celadon import config
from celadon.command.migrate import Report
from celadon.config import flags
from celadon.config.settings import SETTINGS
from celadon.config.settings.hypercorn import OPTIONS, Option
from celadon.config.settings.uvicorn import no_time
from celadon.config.settling import contradictions
from celadon.errors import UsageError, reason

# What each does without being told, where it is not what is done here.
_OTHER_DEFAULTS = {
    "uvicorn": {
        "accesslog": "none is written; --access-logfile - is as before",
        "graceful_timeout": "30 s instead of as long as it takes",
        "keepalive": "75 s instead of 5 s: set it above what your proxy keeps",
        "request_timeout": "an answer that has not begun within 120 s is a 504",
        "websocket_compression": "off instead of on",
    },
    "hypercorn": {
        "graceful_timeout": "30 s instead of 3 s",
        "keepalive": "75 s instead of 5 s: set it above what your proxy keeps",
        "request_timeout": "an answer that has not begun within 120 s is a 504",
        "websocket_ping_interval": "20 s instead of none",
    },
}
_QUEUE = (
    "max_concurrent_requests: further requests wait, queue_depth (1000) of them, instead of "
    "a 503 at once, which is --queue-depth 0"
)
_WATCH = (
    "code that blocks in `async def` holds up its own task alone: `celadon check "
    "module:app` says what waits how"
)


def is_command(words: Sequence[str]) -> bool:
    """Whether these are a command line of one of them."""
    return bool(words) and Path(words[0]).name in _OTHER_DEFAULTS


def examine(words: Sequence[str]) -> Report:
    """Raises `UsageError` for what is none."""
    server = Path(words[0]).name
    read = _read_uvicorn if server == "uvicorn" else _read_hypercorn
    options, ignored, refused = read(words[1:])
    target = options.pop("target", "") or "module:attribute"
    settings = _settings(options, ignored, refused)
    line = shlex.join(["celadon", *_words(options), target])
    changes = [
        f"{name}: {text}"
        for name, text in _OTHER_DEFAULTS[server].items()
        if settings.is_default(name)
    ]
    if settings.max_concurrent_requests:
        changes.append(_QUEUE)
    sections = [
        ("Write", [line]),
        ("Changes", changes),
        ("Has no effect", ignored),
        ("Is refused, and stops the start", refused),
        ("Watch", [_WATCH]),
    ]
    text = "\n".join(
        f"{title}:\n" + "\n".join(f"  {each}" for each in lines)
        for title, lines in sections
        if lines
    )
    return Report(text, refused)


def _settings(
    options: dict[str, Any], ignored: list[str], refused: list[str]
) -> config.Config:
    """What the server would make of `options`; those that are no settings leave them."""
    settings = config.Config()
    for row in SETTINGS.values():
        settings.values[row.name], settings.sources[row.name] = row.default, "default"
    for name, value in list(options.items()):
        try:
            settings.set(name, value, "command line")
        except UsageError as error:
            refused.append(str(error))
        if name not in SETTINGS:
            del options[name]
    ignored += settings.notes
    refused += contradictions(settings)
    return settings


def _words(options: Mapping[str, Any]) -> Iterator[str]:
    for name, value in options.items():
        row = SETTINGS[name]
        if row.parse(value) == row.default:
            continue
        flag = next((each for each in row.all_flags if each[:2] == "--"), "")
        if row.file_only:
            yield f"{name} in a file"
        elif row.is_bool:
            yield flag if row.parse(value) else f"--no-{flag[2:]}"
        else:
            for each in value if row.repeat and isinstance(value, list) else [value]:
                yield from (flag, flags.show(each) if each != "" else "")


_Read = tuple[dict[str, Any], list[str], list[str]]


def _read_uvicorn(words: Sequence[str]) -> _Read:
    """celadon reads them as they are; here they become those of its own."""
    return flags.parse(words), [], []


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"hypercorn: {message}")


def _read_hypercorn(words: Sequence[str]) -> _Read:
    parser = _Parser(
        add_help=False, allow_abbrev=False, argument_default=argparse.SUPPRESS
    )
    parser.add_argument("application")
    parser.add_argument("-c", "--config")
    for name, option in OPTIONS.items():
        if option.is_switch:
            parser.add_argument(*option.flags, dest=name, action="store_true")
        elif option.flags:
            action = "append" if _is_list(option) else "store"
            parser.add_argument(*option.flags, dest=name, action=action)
    given = vars(parser.parse_args(list(words)))
    target, file = given.pop("application"), given.pop("config", "")
    ignored: list[str] = []
    refused: list[str] = []
    if file:
        given = {**_read_file(file, ignored), **given}
    options: dict[str, Any] = {}
    for name, value in given.items():
        _take(name, value, options, ignored, refused)
    kind, _, rest = target.partition(":")
    if kind in ("asgi", "wsgi") and rest:
        options["interface"], target = kind, rest
    return {**options, "target": target}, ignored, refused


def _is_list(option: Option) -> bool:
    return bool(option.setting) and SETTINGS[option.setting].repeat


def _take(
    name: str,
    value: Any,
    options: dict[str, Any],
    ignored: list[str],
    refused: list[str],
) -> None:
    option = OPTIONS[name]
    if isinstance(value, str) and _is_list(option):
        value = [value]
    if name == "graceful_timeout":
        value = no_time(str(value))
    if name == "worker_class" and value == "trio":
        refused.append(
            "worker_class: trio has a loop of its own, which is not driven here"
        )
    elif name in ("quic_bind", "daemon"):
        refused.append(f"{name}: {option.note}")
    elif not option.setting:
        ignored.append(f"{name}: {option.note}")
    elif name == "logconfig" and str(value).startswith("json:"):
        options["logconfig_json"] = value.removeprefix("json:")
    elif name == "logconfig" and str(value).startswith("toml:"):
        refused.append(
            f"logconfig: {value} is not read: write it as JSON, or into logconfig_dict"
        )
    elif isinstance(options.get(option.setting), list):
        options[option.setting] += value
    else:
        options[option.setting] = value
    if option.setting and option.note:
        ignored.append(f"{name} is {option.setting}: {option.note}")


def _read_file(name: str, ignored: list[str]) -> dict[str, Any]:
    """Of TOML; one that is code would be run as another's."""
    if name.startswith("python:") or not name.endswith(".toml"):
        ignored.append(f"{name}: not read; write what it sets into celadon.toml")
        return {}
    try:
        read = tomllib.loads(Path(name).read_text())
    except (OSError, ValueError) as error:
        raise UsageError(f"{name}: {reason(error)}") from None
    for key in read.keys() - OPTIONS.keys():
        ignored.append(f"{key}: it is none of Hypercorn's that is known here")
    return {key: value for key, value in read.items() if key in OPTIONS}
