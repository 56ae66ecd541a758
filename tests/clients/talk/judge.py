"""Whether what a client of a WebSocket heard may be.

Knows the plan and what it heard, RFC 6455 and 7692, and the promises of the server: what a view
sends comes in order and is nobody else's, pings are answered in theirs, and each WebSocket ends
with a close frame that says why, of the client, the view or the server.
"""

from __future__ import annotations

from collections.abc import Iterator

from tests.clients import connection
from tests.clients.judge import Rules, Wrong
from tests.clients.talk.client import Heard, closing
from tests.clients.talk.model import FORBIDDEN, told
from tests.clients.talk.plan import Talk
from tests.support.frames import close_payload

ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="  # to the key of the tests
AGREED = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"

# Whose close frame it was.
OWN = "its own"
VIEW = "the view's"
FAULT = "for what it did"
SERVER = "the server's"


def judge(talk: Talk, heard: Heard, rules: Rules) -> None:
    if heard.end == connection.MALFORMED:
        raise Wrong(f"no WebSocket: {heard.detail}")
    if heard.end == connection.STUCK:
        raise Wrong(f"{talk.view}: nothing comes any more")
    Judgement(talk, heard, rules).all()


class Judgement:
    def __init__(self, talk: Talk, heard: Heard, rules: Rules) -> None:
        self.talk, self.heard, self.rules = talk, heard, rules
        self.left = heard.end == connection.LEFT

    def all(self) -> None:
        if self.heard.page:
            return self._page()
        if self.heard.fields is None:
            return self._not_let_in()
        if self.talk.is_refused:
            raise Wrong("it was let in and should not have been")
        self._handshake(self.heard.fields)
        self._messages()
        self._pongs()
        return self._end()

    # --- the handshake ---

    def _page(self) -> None:
        page = self.heard.page
        assert page
        if not self.talk.is_refused or page.status != FORBIDDEN:
            raise Wrong(f"{self.talk.view}: status {page.status}")
        if page.body != b"forbidden\n":
            raise Wrong("other bytes than the view's")

    def _not_let_in(self) -> None:
        is_nothing = self.heard.end == connection.EOF and not self.heard.taken
        may_be = self.rules.stops or self.talk.ends_before_it_is_let_in
        if not self.left and not (may_be and is_nothing):
            raise Wrong(f"the handshake was not answered: {self.heard.end}")

    def _handshake(self, fields: dict[str, str]) -> None:
        if fields["sec-websocket-accept"] != ACCEPT:
            raise Wrong("another key was answered")
        agreed = fields.get("sec-websocket-extensions")
        wanted = AGREED if self.talk.deflate and self.rules.deflates else None
        if agreed != wanted:
            raise Wrong(f"it agreed on {agreed}, not {wanted}")

    # --- what came ---

    def _messages(self) -> None:
        wanted = self.talk.replies()
        for number, message in enumerate(self.heard.messages):
            if number >= len(wanted) or message != wanted[number]:
                raise Wrong(f"{self.talk.view}: another message than the view's")

    def _pongs(self) -> None:
        pings = self.talk.pings()
        if self.heard.pongs != pings[: len(self.heard.pongs)]:
            raise Wrong("a pong without its ping")

    # --- the end ---

    def _closes(self) -> Iterator[tuple[bytes, str]]:
        """What a close frame may say."""
        if self.talk.is_ended:
            yield close_payload(*self.talk.does.closes), VIEW
        if self.talk.end in ("polite", "hasty"):
            yield closing(self.talk), OWN
        if self.rules.restarts:
            yield close_payload(1012), SERVER
        if self.rules.stops:
            yield close_payload(1001), SERVER

    def _whose(self, closed: bytes) -> str:
        talk = self.talk
        if found := [whose for said, whose in self._closes() if said == closed]:
            # Of two that say the same the one is not told from the other.
            return found[0] if len(found) == 1 else SERVER
        compresses = talk.deflate and self.rules.deflates
        if talk.fault and closed[:2] == close_payload(told(talk.fault, compresses)):
            return FAULT
        code = int.from_bytes(closed[:2], "big")
        raise Wrong(f"{talk.view}, {talk.end} {talk.fault}: it is closed with {code}")

    def _end(self) -> None:
        talk, heard = self.talk, self.heard
        if heard.closed is not None:
            whose = self._whose(heard.closed)
            if not self.left:
                self._whole(whose)
        if self.left:
            return
        if heard.end == connection.RESET:
            raise Wrong(f"{talk.end}: a reset")
        if heard.closed is None and talk.end != "half":
            raise Wrong(f"{talk.view}, {talk.end}: the end without a close frame")
        if not heard.between:
            raise Wrong("the end within a message")
        if heard.send_error:
            raise Wrong(f"could not send, {heard.send_error}")

    def _whole(self, whose: str) -> None:
        """What must have come before its end."""
        talk, heard = self.talk, self.heard
        replies, pongs = talk.comes_of()
        is_polite = whose == OWN and talk.end == "polite"
        if (whose == VIEW or is_polite) and len(heard.messages) < replies:
            raise Wrong(f"{talk.view}: {whose} end before all its messages")
        if whose in (OWN, FAULT) and len(heard.pongs) < pongs:
            raise Wrong(f"{talk.view}: {whose} end before all its pongs")
