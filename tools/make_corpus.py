"""Writes seeds for the fuzzers from the table of request bytes.

python tools/make_corpus.py DIRECTORY
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

PROXY = [
    b"PROXY TCP4 1.2.3.4 5.6.7.8 9 10\r\n",
    b"PROXY TCP6 ::1 ::2 9 10\r\n",
    b"PROXY UNKNOWN\r\n",
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c\x01\x02\x03\x04\x05\x06\x07\x08\x00\x09\x00\x0a",
    b"\r\n\r\n\0\r\nQUIT\n\x20\x00\x00\x00",
]
FORWARDED = [
    b"1.1.1.1, 2.2.2.2:5,[::1]:6",
    b'for=1.1.1.1;proto=https, For="[::1]:5" , by=x;for=_hidden',
    b"/a%2Fb?c=%zz",
    b"http://example.com:80/x?y",
    b"[::1]:80",
]


def main() -> None:
    from tests.support import cases

    base = Path(sys.argv[1])
    heads = [case.data for case in cases.load()]
    bodies = [
        data.split(b"\r\n\r\n", 1)[1] for data in heads if b"chunked\r\n\r\n" in data
    ]
    for name, seeds in {
        "head": heads,
        "chunked": bodies,
        "proxy": PROXY,
        "forwarded": FORWARDED,
    }.items():
        folder = base / name
        folder.mkdir(parents=True, exist_ok=True)
        for number, seed in enumerate(seeds):
            (folder / f"seed-{number:03}").write_bytes(seed)


if __name__ == "__main__":
    main()
