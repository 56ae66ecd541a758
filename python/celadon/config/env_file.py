"""Files of variables, as python-dotenv reads them for uvicorn's ``--env-file``.

    export NAME=value of several words  # and a comment
    NAME='as it is'  NAME="with \\n and \\t"      one or several lines each
    NAME=${OTHER:-what it is where there is none}

What stands where the value of a name does is known from what comes before it in the file,
and from the environment, which comes first. Unlike there a line that is nothing of that is
refused, and so is a name without a value.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

_SKIPPED = re.compile(r"(?:\s+|\#[^\n]*)*")
_ASSIGNMENT = re.compile(
    r"""
    (?:export[^\S\n]+)?
    (?: '(?P<quoted>[^'\n]+)' | (?P<name>(?!')[^=\#\s]+) ) [^\S\n]*
    = (?P<space>[^\S\n]*)
    (?: '(?P<single>(?:\\'|[^'])*)' (?P<rest>[^\n]*)
      | "(?P<double>(?:\\"|[^"])*)" (?P<more>[^\n]*)
      | (?P<bare>[^'"\s][^\n]*)?
    ) (?:\n|\Z)
    """,
    re.VERBOSE,
)
_COMMENT = re.compile(r"[^\S\n]*(?:\#.*)?")
_BEHIND_SPACE = re.compile(r"\s+\#.*")
_IN_SINGLE = re.compile(r"\\([\\'])")
_IN_DOUBLE = re.compile(r"\\([\\'\"abfnrtv])")
_VARIABLE = re.compile(r"\$\{([^}:]*)(?::-([^}]*))?\}")
_LETTERS = dict(zip("abfnrtv", "\a\b\f\n\r\t\v", strict=True))


def read(path: str) -> dict[str, str]:
    """The variables of an `env_file`, by their names.

    Raises `OSError`, and `ValueError` for a line that is something else.
    """
    found: dict[str, str] = {}
    with open(path, encoding="utf-8-sig") as file:
        text = file.read()
    at = _end(_SKIPPED, text, 0)
    while at < len(text):
        match = _ASSIGNMENT.match(text, at)
        value = _value(match) if match else None
        if match is None or value is None or "\0" in match[0]:
            line = text.count("\n", 0, at) + 1
            raise ValueError(f"{path}:{line}: expected NAME=value")
        found[match["quoted"] or match["name"]] = _filled(value, found)
        at = _end(_SKIPPED, text, match.end())
    return found


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    match = pattern.match(text, at)
    return match.end() if match else at


def _value(match: re.Match[str]) -> str | None:
    """None: behind a quoted one there is more."""
    if match["single"] is not None:
        value = _IN_SINGLE.sub(r"\1", match["single"])
    elif match["double"] is not None:
        value = _IN_DOUBLE.sub(
            lambda escape: _LETTERS.get(escape[1], escape[1]), match["double"]
        )
    else:
        bare = match["bare"] or ""
        is_comment = bare.startswith("#") and match["space"]
        return "" if is_comment else _BEHIND_SPACE.sub("", bare).rstrip()
    return value if _COMMENT.fullmatch(match["rest"] or match["more"] or "") else None


def _filled(value: str, found: Mapping[str, str]) -> str:
    def fill(variable: re.Match[str]) -> str:
        name = variable[1]
        return os.environ.get(name, found.get(name, variable[2] or ""))

    return _VARIABLE.sub(fill, value)
