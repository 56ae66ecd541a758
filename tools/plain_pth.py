"""Makes the .pth files of an environment plain ASCII.

usage: plain_pth.py VENV

Python 3.11 reads them in the encoding of the locale: with `LC_ALL=C`, sources below a
folder with other letters would keep it from starting at all.
"""

from __future__ import annotations

import sys
from pathlib import Path


def plain(line: str) -> str:
    """`line` itself, or, of a path with other letters, code that adds it."""
    if line.isascii():
        return line
    return f"import os, sys; sys.path.append(os.fsdecode({line.encode()!r}))"


def main() -> None:
    for file in Path(sys.argv[1]).glob("lib/python*/site-packages/*.pth"):
        lines = file.read_text("utf-8").splitlines()
        if not all(map(str.isascii, lines)):
            text = "".join(plain(line) + "\n" for line in lines)
            file.write_text(text, "ascii")


if __name__ == "__main__":
    main()
