"""Makes what an environment says of folders plain ASCII.

usage: plain_pth.py VENV

With `LC_ALL=C`, sources below a folder with other letters would keep Python 3.11 from
starting at all, which reads .pth files in the encoding of the locale, or from finding
them: a name from code is encoded so, too.
"""

from __future__ import annotations

import io
import sys
import tokenize
from collections.abc import Callable
from pathlib import Path


def plain_line(line: str) -> str:
    """Of a .pth file: a path with other letters becomes code that adds it."""
    if line.isascii():
        return line
    return f"import os, sys; sys.path.append(os.fsdecode({line.encode()!r}))"


def plain_lines(text: str) -> str:
    return "".join(plain_line(line) + "\n" for line in text.splitlines())


def plain_code(text: str) -> str:
    """Of code that was generated: names are decoded as those of files are."""
    lines = text.splitlines(keepends=True)
    strings = [
        token
        for token in tokenize.generate_tokens(io.StringIO(text).readline)
        if token.type == tokenize.STRING and not token.string.isascii()
    ]
    for token in reversed(strings):
        value = eval(token.string)  # a literal
        plain = f"__import__('os').fsdecode({value.encode()!r})"
        row, start, end = token.start[0] - 1, token.start[1], token.end[1]
        lines[row] = lines[row][:start] + plain + lines[row][end:]
    return "".join(lines)


FILES: dict[str, Callable[[str], str]] = {
    "*.pth": plain_lines,
    "*editable*.py": plain_code,
}


def main() -> None:
    for pattern, plain in FILES.items():
        for file in Path(sys.argv[1]).glob(f"lib/python*/site-packages/{pattern}"):
            text = file.read_text("utf-8")
            if not text.isascii():
                file.write_text(plain(text), "utf-8")


if __name__ == "__main__":
    main()
