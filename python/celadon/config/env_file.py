"""Files of variables: ``NAME=value`` lines, quoted as a shell would."""

from __future__ import annotations


def read(path: str) -> dict[str, str]:
    """The variables of an `env_file`; ``export`` may stand before a name.

    Raises `OSError`, and `ValueError` for a line that is something else.
    """
    import shlex  # only where there is such a file: a start must be short

    found: dict[str, str] = {}
    with open(path, encoding="utf-8-sig") as file:
        for number, line in enumerate(file, 1):
            try:
                words = shlex.split(_without_comment(line))
            except ValueError as error:
                raise ValueError(f"{path}:{number}: {error}") from None
            if words[:1] == ["export"]:
                del words[0]
            if not words:
                continue
            name, equals, value = words[0].partition("=")
            if len(words) > 1 or not equals or not name.isidentifier():
                raise ValueError(f"{path}:{number}: expected NAME=value")
            found[name] = value
    return found


def _without_comment(line: str) -> str:
    """A comment begins where a word would: ``shlex`` cuts words at a ``#`` as well."""
    quote = ""
    is_escaped, is_between = False, True
    for at, letter in enumerate(line):
        was_escaped = is_escaped
        is_escaped = letter == "\\" and quote != "'" and not was_escaped
        if not was_escaped and letter in (quote or "'\""):
            quote = "" if quote else letter
        elif letter == "#" and is_between:
            return line[:at]
        is_between = letter.isspace() and not (quote or was_escaped)
    return line
