"""A browser, as far as applications need one: cookies, and what forms hand out."""

from __future__ import annotations

import re
import socket
import struct
from collections.abc import Mapping
from http.cookies import SimpleCookie
from random import Random

from tests.applications.application import Page
from tests.support.raw import TIMEOUT, Client, Response

HOST = "site.test"
_RESET = struct.pack("ii", 1, 0)
# Seconds for an answer: pages that take tenths of a second to compute, asked for by all of a
# crowd at once, take minutes where the machine is busy.
_PATIENCE = 5 * TIMEOUT


class Unanswered(Exception):
    """What came is no answer."""


class Visitor:
    """Asks on one connection as long as the server keeps it, or on a new one each time. A
    context manager."""

    def __init__(self, port: int, keeps: bool) -> None:
        self.port = port
        self._keeps = keeps
        self.cookies: dict[str, str] = {}
        self.kept: dict[str, str] = {}
        self._client: Client | None = None

    def __enter__(self) -> Visitor:
        return self

    def __exit__(self, *_: object) -> None:
        self._leave()

    def knows(self, other: Visitor) -> None:
        """All that another one was told."""
        self.cookies, self.kept = dict(other.cookies), dict(other.kept)

    def ask(self, page: Page) -> Response:
        head_only = page.method == "HEAD"
        request = self._request(page)
        try:
            client = self._connected()
            client.send(request)
            response = client.response(head_only)
        except (OSError, EOFError, AssertionError) as error:
            self._leave()
            raise Unanswered(f"{page}: {error!r}") from error
        if not self._keeps or (response.get("Connection") or "").lower() == "close":
            self._leave()
        self._learn(page, response)
        return response

    def break_off(self, page: Page, random: Random) -> None:
        """Asks and goes away before the answer has ended."""
        with Client(("127.0.0.1", self.port)) as client:
            client.send(self._request(page))
            if count := random.choice([0, 1, 100, 5000]):
                client.sock.recv(count)
            if random.random() < 0.5:
                client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)

    def _connected(self) -> Client:
        if self._client is None:
            self._client = Client(("127.0.0.1", self.port))
            self._client.sock.settimeout(_PATIENCE)
        return self._client

    def _leave(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    def _request(self, page: Page) -> bytes:
        page = page.filled(self.kept | _safe(self.cookies))
        lines = [f"{page.method} {page.path} HTTP/1.1", f"Host: {HOST}", *page.fields]
        if self.cookies:
            pairs = (f"{name}={value}" for name, value in self.cookies.items())
            lines.append(f"Cookie: {'; '.join(pairs)}")
        body = page.body.encode("latin-1")
        if body or page.method in ("POST", "PUT", "PATCH"):
            lines.append(f"Content-Length: {len(body)}")
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + body

    def _learn(self, page: Page, response: Response) -> None:
        """Cookies, and what the page keeps, from the fields or the body."""
        for line in response.all("Set-Cookie"):
            for name, morsel in SimpleCookie(line).items():
                self.cookies[name] = morsel.coded_value
        fields = "".join(f"{name}: {value}\n" for name, value in response.headers)
        text = fields + response.body.decode("latin-1")
        for name, pattern in page.filled(self.kept).keep.items():
            found = re.search(pattern, text)
            assert found, f"{page}: no {pattern!r} in {response.status}\n{text[:2000]}"
            self.kept[name] = found[1]


def _safe(cookies: Mapping[str, str]) -> dict[str, str]:
    return {re.sub(r"\W", "_", name): value for name, value in cookies.items()}
