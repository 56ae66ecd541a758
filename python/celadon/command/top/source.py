"""Where snapshots come from."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any, Protocol

from celadon.command.asking import ask
from celadon.errors import CeladonError


class Source(Protocol):
    """A running server."""

    def ask(self, what: str) -> Any:
        """``stats`` or ``stacks``. Raises `CeladonError` where nobody answers."""


class Socket:
    """By its control socket."""

    def __init__(self, address: str) -> None:
        self._address = address

    def ask(self, what: str) -> Any:
        return ask(self._address, what)


class Pages:
    """By its admin pages, with a token where one is needed."""

    def __init__(self, url: str, token: str) -> None:
        self._url = url.rstrip("/").removesuffix("/-")
        self._token = token

    def ask(self, what: str) -> Any:
        try:
            request = urllib.request.Request(f"{self._url}/-/{what}")
            if self._token:
                request.add_header("Authorization", f"Bearer {self._token}")
            with urllib.request.urlopen(request, timeout=35) as answer:
                return json.loads(answer.read())
        except (OSError, ValueError) as error:
            hint = ""
            if isinstance(error, urllib.error.HTTPError) and error.code == 401:
                hint = "; --admin-token or CELADON_ADMIN_TOKEN gives the token"
            raise CeladonError(f"{self._url}: {error}{hint}") from None
