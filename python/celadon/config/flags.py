"""The command line's flags: made from the table of settings, and parsed to its names."""

from __future__ import annotations

import argparse
import difflib
import json
import re
from collections.abc import Sequence
from functools import partial
from typing import Any, NoReturn

from celadon.config.settings import SETTINGS, Setting, gunicorn, uvicorn
from celadon.config.settings.uwsgi import OPTIONS, Option
from celadon.errors import UsageError

_USAGE = """celadon [options] module:attribute
       celadon check [options] [module:attribute]
       celadon config [options] [module:attribute]
       celadon ctl [--control-socket PATH] [command]
       celadon dev-cert [--folder FOLDER] [NAME ...]
       celadon migrate [FILE | uvicorn ... | hypercorn ...]
       celadon top [--url URL] [--once [--json]]"""

_EPILOG = """\
`celadon check` lists what an application imports that waits: what is cooperative, what
runs on native threads, what blocks, and what to do about it; without a target, what is
installed. It exits with 1 where something blocks.
`celadon config` shows every setting with its value and where that came from.
`celadon ctl` asks a running server: status, health, workers, reload, reopen, log-level,
drain, stats, stacks, profile, config, shutdown; alone it lists them.
`celadon dev-cert` makes a certificate for development, for localhost or the names that are
given, signed by an authority of yours, which it makes once.
`celadon migrate FILE` says what stays, what changes and what to watch, of gunicorn.conf.py
(which it takes where no file is named), of uWSGI's ini files, and of a command line that
begins with uvicorn or hypercorn.
`celadon top` shows a running server: load, latency, workers, what holds their loops.

The target is module:attribute, module:factory() or a module that has `application` or
`app`. Settings come from flags, from CELADON_<SETTING> in the environment, from
CELADON_CMD_ARGS and GUNICORN_CMD_ARGS, and from one file: --config, else the first of
celadon.conf.py, celadon.toml, pyproject.toml with [tool.celadon], gunicorn.conf.py in the
working directory. Durations are seconds or 250ms, 30s, 5m; sizes are bytes or 64K, 16M,
1G.
"""


# What other servers call so.
_OTHERS = {
    "--http-socket": "--bind",
    "--processes": "--workers",
}


# What the command does, and no setting says.
_COMMANDS = {"version", "check_config", "print_config", "json"}
_WORDS = re.findall(r"celadon ([a-z-]+) ", _USAGE)


def nearest_word(text: str) -> str:
    """The word of the command that `text` was to be; empty where it is none."""
    near = difflib.get_close_matches(text, _WORDS, n=1, cutoff=0.7)
    return near[0] if near else ""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(message)


def help_of(word: str) -> str:
    """What `celadon WORD` is: its usage, and its lines of the help of all."""
    usage = next(line for line in _USAGE.splitlines() if f"celadon {word}" in line)
    about = _EPILOG.partition(f"`celadon {word}")[2].partition("\n`celadon")[0]
    text = f"`celadon {word}{about}".partition("\n\n")[0]
    has_none = word in ("dev-cert", "migrate")
    options = "" if has_none else "\n\nOptions are those of `celadon --help`."
    return f"usage: {usage.strip()}\n\n{text}{options}"


def make_parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="celadon",
        usage=_USAGE,
        description="Serve a WSGI or ASGI application.",
        epilog=_EPILOG,
        allow_abbrev=False,
        # One is made for each argument: without a width it asks the terminal for it.
        formatter_class=partial(argparse.HelpFormatter, width=80),
        argument_default=argparse.SUPPRESS,
    )
    parser.add_argument("target", nargs="?", help=argparse.SUPPRESS)
    parser.add_argument(
        "--config",
        "-c",
        metavar="FILE",
        help="configuration file: PATH, file:PATH or python:MODULE; empty: none",
    )
    parser.add_argument(
        "--strict-config",
        action="store_true",
        help="a likely slip of the pen in gunicorn.conf.py is an error",
    )
    parser.add_argument("--version", "-v", action="store_true", help="show the version")
    parser.add_argument(
        "--check-config",
        action="store_true",
        help="check settings and import, report all that is wrong, exit with 0 or 1",
    )
    parser.add_argument(
        "--print-config", action="store_true", help="as `celadon config`"
    )
    parser.add_argument(
        "--json", action="store_true", help="of `celadon config` and `celadon ctl`"
    )
    groups: dict[str, Any] = {}
    for row in SETTINGS.values():
        if row.file_only:
            continue
        group = groups.get(row.section) or groups.setdefault(
            row.section, parser.add_argument_group(row.section)
        )
        _add_flag(group, row)
    _add_foreign(parser)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    return parser


def _add_flag(group: Any, row: Setting) -> None:
    text = f"{row.help} (default: {show_of(row, row.default)})".replace("%", "%%")
    if row.name == "control_socket_disable":  # its flag is the negation
        group.add_argument(
            *row.all_flags, dest=row.name, action="store_true", help=text
        )
    elif row.is_bool:
        group.add_argument(
            *row.all_flags,
            dest=row.name,
            action=argparse.BooleanOptionalAction,
            help=text,
        )
    elif row.name == "proxy_protocol":
        group.add_argument(
            *row.all_flags,
            dest=row.name,
            nargs="?",
            const="auto",
            metavar="MODE",
            help=text,
        )
    else:
        group.add_argument(
            *row.all_flags,
            dest=row.name,
            action="append" if row.repeat else "store",
            metavar=row.metavar or row.name.split("_")[-1].upper(),
            help=text,
        )


def show_of(row: Setting, value: Any) -> str:
    """A value of that setting, as it would be written."""
    return f"0o{value:03o}" if row.is_mode and value else show(value)


def show(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, list):
        return ",".join(map(str, value)) or "none"
    if isinstance(value, dict):
        return json.dumps(value, default=repr) if value else "none"
    if isinstance(value, float):
        return f"{value:g}"
    return str(value) if value != "" else "none"


def _add_foreign(parser: argparse.ArgumentParser) -> None:
    """Flags of gunicorn's that are no settings here, and uvicorn's: read, to be judged with
    the rest."""
    for name, verdict in gunicorn.VERDICTS.items():
        flags = verdict.flags or ("--" + name.replace("_", "-"),)
        if verdict.is_switch:
            parser.add_argument(
                *flags, dest=name, action="store_true", help=argparse.SUPPRESS
            )
        else:
            parser.add_argument(*flags, dest=name, help=argparse.SUPPRESS)
    uvicorn.add_flags(parser)


def parse(argv: Sequence[str]) -> dict[str, Any]:
    """As `examine`. Raises `UsageError` for what is no flag."""
    options, problems = examine(argv)
    if problems:
        raise UsageError(*problems)
    return options


def examine(argv: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    """Flags by the names of their settings, ``target`` where one is given, and what is
    wrong beside them. Raises `UsageError` for a flag that lacks its value."""
    options, words, problems = _sort(argv)
    if len(words) > 1:
        near = nearest_word(words[0])
        hint = f" (did you mean `celadon {near}`?)" if near else ""
        problems.append(f"one target only, what is {words[1]!r}?{hint}")
    return {**options, **({"target": words[0]} if words else {})}, problems


def parse_words(argv: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    """Flags by the names of their settings, and all words that are none. Raises
    `UsageError`."""
    options, words, problems = _sort(argv)
    if problems:
        raise UsageError(*problems)
    return options, words


def _sort(argv: Sequence[str]) -> tuple[dict[str, Any], list[str], list[str]]:
    parser = make_parser()
    known, unknown = parser.parse_known_args(list(argv))
    words = [word for word in unknown if not word.startswith("-")]
    problems = [_unknown(word, parser) for word in unknown if word.startswith("-")]
    options = {name: _flatten(name, value) for name, value in vars(known).items()}
    target = options.pop("target", None)
    words = [*([target] if target else []), *words]
    return uvicorn.settle(options), words, problems


def parse_settings(argv: Sequence[str]) -> dict[str, Any]:
    """Likewise, of a variable that holds flags: a target in it is ``wsgi_app``."""
    options = parse(argv)
    if words := [f"--{name.replace('_', '-')}" for name in _COMMANDS & options.keys()]:
        raise UsageError(f"{', '.join(sorted(words))}: only for the command line")
    target = options.pop("target", None)
    return {**options, **({"wsgi_app": target} if target else {})}


def _flatten(name: str, value: Any) -> Any:
    setting = SETTINGS.get(name)  # none has those of uvicorn's flags
    if isinstance(value, list) and not (setting and setting.has_pairs):
        return [part for item in value for part in str(item).split(",")]
    return value


def _here(option: Option) -> str:
    if not option.setting:
        return option.note
    row = SETTINGS[option.setting]
    named = f"{row.name} in a file" if row.file_only else row.all_flags[0]
    named = "the target, module:attribute" if row.name == "wsgi_app" else named
    return f"celadon calls it {named}" + (f", {option.note}" if option.note else "")


def _unknown(argument: str, parser: argparse.ArgumentParser) -> str:
    flag = argument.split("=")[0]
    flags = [
        text
        for action in parser._actions
        if action.help != argparse.SUPPRESS
        for text in action.option_strings
    ]
    near = difflib.get_close_matches(flag, flags, n=2)
    hint = f" (did you mean {' or '.join(near)}?)" if near else ""
    if flag in _OTHERS:
        hint = f"; celadon calls it {_OTHERS[flag]}"
    elif (option := OPTIONS.get(flag.removeprefix("--"))) is not None:
        hint = f" of uWSGI's: {_here(option)}"
    return f"unknown option {flag}{hint}"
