"""The strictness rule: what we accept, llhttp accepts with the same framing.

The oracle is httptools (llhttp in strict mode) over the table of request bytes and
mutations of it. Listed exceptions: methods that llhttp's table lacks, white space after
`chunked`, bytes after a closing request, and targets or upgrades at which it stops.
"""

from __future__ import annotations

import random
from typing import Any

import httptools
import pytest

from tests.support import cases, raw
from tests.support.servers import serving

KNOWN_METHODS = {b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"OPTIONS", b"PATCH"}
MUTATIONS = 6000


class Oracle:
    """What llhttp makes of the first request."""

    def __init__(self) -> None:
        self.url = b""
        self.body = b""
        self.complete = False
        self.parser = httptools.HttpRequestParser(self)

    def on_url(self, url: bytes) -> None:
        if not self.complete:
            self.url += url

    def on_body(self, body: bytes) -> None:
        if not self.complete:
            self.body += body

    def on_message_complete(self) -> None:
        self.complete = True

    @classmethod
    def judge(cls, data: bytes) -> Oracle | None:
        oracle = cls()
        try:
            oracle.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            oracle.complete = True
        except httptools.HttpParserError:
            if not oracle.complete:
                return None
        return oracle if oracle.complete else None


def excepted(data: bytes) -> bool:
    data = data.lstrip(b"\r\n")
    head = data.split(b"\r\n\r\n")[0].lower()
    return (
        data.split(b" ")[0] not in KNOWN_METHODS
        or b"chunked\t" in head
        or b"upgrade" in head
        or data.startswith((b"OPTIONS *", b"OPTIONS http"))
    )


def mutate(data: bytes, rng: random.Random) -> bytes:
    out = bytearray(data)
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(out))
        what = rng.randrange(4)
        if what == 0:
            out[at] = rng.choice(b"\r\n \t:;,0aZ\x00\x7f\xff")
        elif what == 1:
            del out[at]
        elif what == 2:
            out.insert(at, rng.choice(b"\r\n \t:;,0aZ\x00\x7f\xff"))
        else:
            out[at:at] = out[max(0, at - 3) : at]
        if not out:
            return data
    return bytes(out)


@pytest.fixture(scope="module")
def corpus() -> list[bytes]:
    table = [c.data for c in cases.load() if len(c.data) < 2000]
    rng = random.Random(20260101)
    return table + [mutate(rng.choice(table), rng) for _ in range(MUTATIONS)]


def test_whatever_we_accept_llhttp_accepts_alike(corpus: list[bytes]) -> None:
    seen: list[tuple[bytes, bytes]] = []

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        body = environ["wsgi.input"].read()
        seen.append((environ["RAW_URI"].encode("latin-1"), body))
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"ok"]

    differences = []
    compared = 0
    with serving(app, validate=False, linger_timeout=0.01) as server:
        for data in corpus:
            seen.clear()
            with server.client() as client:
                try:
                    client.send(data)
                    client.shutdown()
                    client.read_to_end()
                except OSError:
                    pass
            if not seen or excepted(data):
                continue
            compared += 1
            oracle = Oracle.judge(data)
            if oracle is None or (oracle.url, oracle.body) != seen[0]:
                differences.append(
                    (data, seen[0], oracle and (oracle.url, oracle.body))
                )
    assert differences == []
    assert compared > 300
    assert raw.get() in corpus
