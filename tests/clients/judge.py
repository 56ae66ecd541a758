"""Whether what a client saw may be.

Knows the plan and what it saw, RFC 9112, and the promises of the server: what arrived whole is
served, what was queued is delivered, and nobody's connection ends between two requests without
a reason that is the client's own.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from tests.clients import connection
from tests.clients.answers import Answer
from tests.clients.client import Trace
from tests.clients.model import BEGINNERS, READERS, Expected, Request, expected
from tests.clients.plan import Plan

# Views that have read all before they answer.
AT_FIRST = READERS - BEGINNERS
# Bytes of a body that nobody has read which the server still takes (CN07).
WAITED_FOR = 65_536


@dataclass(frozen=True)
class Rules:
    """Of a run: what stands between client and server, and how that is set."""

    via: str = ""  # a proxy
    unix: bool = False
    buffering: bool = False  # bodies are collected before a view runs
    stops: bool = False  # the server does, and ends connections between two requests
    evicts: bool = False  # it has little room; who sends then may be reset
    small_limits: float = 0.0  # seconds of its time limits
    body_limit: int = 0  # bytes
    restarts: bool = False  # a successor takes over, and WebSockets hear of it
    deflates: bool = False  # it agrees on permessage-deflate


class Wrong(Exception):
    """What came may not be. It says so in words that are the same for each of its kind."""


def judge(plan: Plan, trace: Trace, rules: Rules) -> None:
    if trace.end == connection.MALFORMED:
        raise Wrong(f"not HTTP: {trace.detail}")
    if trace.end == connection.STUCK:
        raise Wrong("nothing comes any more")
    Judgement(plan, trace, rules).all()


class Judgement:
    def __init__(self, plan: Plan, trace: Trace, rules: Rules) -> None:
        self.plan, self.trace, self.rules = plan, trace, rules

    def all(self) -> None:
        for number, request in enumerate(self.plan.requests):
            if number >= len(self.trace.answers):
                return self._unanswered(number)
            answer = self.trace.answers[number]
            self._interims(request, answer)
            self._answer(request, answer, number)
            if not self._goes_on(request, answer, number):
                return self._ended(number)
        return self._end_of_all()

    # --- one answer ---

    def _cut(self, number: int) -> bool:
        """The request at hand never came whole."""
        return bool(self.plan.cut) and number == len(self.plan.requests) - 1

    def _refusals(self, request: Request, number: int) -> set[int]:
        """Statuses of pages that the request may get instead of its view's answer."""
        found = set()
        if self._cut(number):
            found.add(408 if self.plan.stalls else 400)
        limit = self.rules.body_limit
        if limit and (request.body or 0) > limit:
            found.add(413)
        if self.plan.stalls:
            found.add(408)
        return found

    def _answer(self, request: Request, answer: Answer, number: int) -> None:
        if answer.status in self._refusals(request, number):
            return self._page(request, answer)
        want = expected(request)
        if answer.status != want.status:
            raise Wrong(f"{request.view}: status {answer.status}, not {want.status}")
        if want.page:
            return self._page(request, answer)
        if answer.ident != request.ident:
            raise Wrong(f"the answer of {answer.ident} for {request.ident}")
        self._framing(request, answer, want)
        self._digest(request, answer)
        return self._body(request, answer, want, number)

    def _page(self, request: Request, answer: Answer) -> None:
        if answer.ident:
            raise Wrong(f"a page of the server says X-Id: {answer.ident}")
        if not answer.complete and self.trace.end != connection.LEFT:
            raise Wrong(f"a page of the server ({answer.status}) is cut")

    def _framing(self, request: Request, answer: Answer, want: Expected) -> None:
        if self.rules.via or answer.framing in want.framings:
            return
        if answer.framing == "length" and len(want.body) < 2:
            return  # nothing follows, which is known by then
        raise Wrong(f"{request.view}: framed by {answer.framing}, not {want.framings}")

    def _digest(self, request: Request, answer: Answer) -> None:
        digest = answer.fields.get("x-read")
        if request.view not in ("read", "read_slowly") or digest is None:
            return
        if digest != hashlib.sha1(request.payload, usedforsecurity=False).hexdigest():
            raise Wrong(f"{request.view}: it has read another body than was sent")

    def _body(
        self, request: Request, answer: Answer, want: Expected, number: int
    ) -> None:
        body, whole = bytes(answer.body), want.body
        if self.trace.end == connection.LEFT and number == len(self.trace.answers) - 1:
            if not whole.startswith(body):
                raise Wrong(f"{request.view}: other bytes than the view's")
            return
        if self._fails_midway(request, number):
            if not whole.startswith(body):
                raise Wrong(f"{request.view}: other bytes than the view's")
            return
        if body != whole and not (
            self.rules.via and not want.whole and whole.startswith(body)
        ):
            what = (
                "other"
                if not whole.startswith(body)
                else f"{len(body)} of {len(whole)}"
            )
            raise Wrong(f"{request.view}: {what} bytes")
        if want.whole and not answer.complete:
            raise Wrong(f"{request.view}: all bytes, but no end")
        if not want.whole:
            self._is_seen_to_break(request, answer)

    def _fails_midway(self, request: Request, number: int) -> bool:
        """A body that never comes whole breaks an answer that has begun."""
        limit = self.rules.body_limit
        too_long = bool(limit) and (request.body or 0) > limit
        return (self._cut(number) or too_long) and request.view in BEGINNERS

    def _is_seen_to_break(self, request: Request, answer: Answer) -> None:
        if answer.framing != "close":
            if answer.complete:
                raise Wrong(f"{request.view}: broken off, and looks whole")
            return
        # Only a reset can show it; a socket that is no TCP has none, and a client that
        # writes at that time hears of it there instead.
        if self.trace.end == connection.EOF and not (
            self.rules.unix or self.rules.via or self.trace.send_error
        ):
            raise Wrong(f"{request.view}: broken off, and the end looks ordinary")

    def _interims(self, request: Request, answer: Answer) -> None:
        wanted = {100} if request.expects else set()
        if request.view == "hints" and request.minor == 1:
            wanted |= {103}
        if extra := set(answer.interims) - wanted:
            raise Wrong(f"{request.view}: {sorted(extra)} before its answer")
        for status in (100, 103):
            if answer.interims.count(status) > 1:
                raise Wrong(f"{request.view}: {status} twice")
        hinted = request.view == "hints" and answer.status == 200
        if (
            hinted
            and request.minor == 1
            and not self.rules.via
            and 103 not in answer.interims
        ):
            raise Wrong("hints: none came")

    # --- between answers ---

    def _must_close(self, request: Request, answer: Answer, number: int) -> bool:
        if self.rules.via:  # a proxy keeps its clients as it likes
            return not answer.complete or answer.framing == "close"
        if request.asks_to_close or request.view == "close" or request.bad:
            return True
        if answer.status in self._refusals(request, number):
            return True
        return answer.framing == "close" or (
            not answer.complete or (request.breaks and request.method != "HEAD")
        )

    def _may_close(self, request: Request, number: int) -> bool:
        """Without a word, too: where the rest of a body does not come soon."""
        unread = bool(request.body or request.chunk) and request.view not in AT_FIRST
        if unread and not self.rules.buffering:
            return True
        return self._may_say_close(request, number)

    def _may_say_close(self, request: Request, number: int) -> bool:
        if self.rules.via or self._cut(number) or self.rules.stops:
            return True
        if request.method == "HEAD" and request.breaks:
            return True
        if self._is_uncertain(request) and not self.rules.buffering:
            return True
        if self.rules.body_limit and (request.body or 0) > self.rules.body_limit:
            return True
        ends = self.plan.end == "half" or self.plan.cut > 0 or self.plan.stalls
        return ends and number >= self._last_whole()

    def _is_uncertain(self, request: Request) -> bool:
        """When its answer begins nobody knows whether the rest of the body, too long to
        be waited for, will come."""
        if request.body is None or request.view in AT_FIRST:
            return False
        return bool(request.chunk) or request.expects or request.body > WAITED_FOR

    def _last_whole(self) -> int:
        return len(self.plan.requests) - (2 if self.plan.cut else 1)

    def _goes_on(self, request: Request, answer: Answer, number: int) -> bool:
        must = self._must_close(request, answer, number)
        can_say = answer.complete and answer.framing != "close"
        if must and can_say and not self.rules.via and not answer.says_close:
            raise Wrong(f"{request.view}: the last answer does not say so")
        if must or answer.says_close:
            if not must and not self._may_say_close(request, number):
                raise Wrong(f"{request.view}: says close for no reason")
            return False
        kept = answer.fields.get("connection", "").lower() == "keep-alive"
        if request.minor == 0 and not kept and not self.rules.via:
            raise Wrong(f"{request.view}: an old client is not told that it is kept")
        return True

    # --- the end ---

    def _unanswered(self, number: int) -> None:
        """The connection ended before the request had an answer."""
        plan, trace = self.plan, self.trace
        if trace.end == connection.LEFT or self._cut(number):
            return None
        if not trace.between:
            raise Wrong("the end in the head of an answer")
        if self.rules.evicts and number:
            return None
        if trace.end == connection.RESET:
            raise Wrong("a reset before a request was answered")
        if number and self._may_close(plan.requests[number - 1], number - 1):
            return self._ended(number - 1)
        if self.rules.stops or self._was_idle_for_too_long():
            return None
        raise Wrong(
            f"the end before request {number} of {len(plan.requests)} was answered"
        )

    def _was_idle_for_too_long(self) -> bool:
        """It read its last answer for so long that the next request came late."""
        limit = self.rules.small_limits
        return limit > 0 and self.trace.gap > limit / 2

    def _ended(self, number: int) -> None:
        """Behind the last answer comes the end, and nothing else."""
        trace = self.trace
        if len(trace.answers) > number + 1 or (
            not trace.between and self._is_whole(number)
        ):
            raise Wrong("bytes behind the last answer")
        request = self.plan.requests[number]
        breaks = not expected(request).whole or self._fails_midway(request, number)
        if trace.end == connection.RESET and not self._may_reset(number, breaks):
            raise Wrong(f"{request.view}: a reset behind the last answer")
        if trace.send_error and not self._may_reset(number, breaks):
            raise Wrong(f"{request.view}: could not send, {trace.send_error}")

    def _is_whole(self, number: int) -> bool:
        return self.trace.answers[number].complete

    def _may_reset(self, number: int, breaks: bool) -> bool:
        if self.rules.via or self.trace.end == connection.LEFT:
            return True
        return breaks and self.trace.answers[number].framing == "close"

    def _end_of_all(self) -> None:
        trace = self.trace
        if not trace.between or trace.interims:
            raise Wrong("bytes behind the last answer")
        if trace.end == connection.RESET:
            raise Wrong("a reset behind the last answer")
        if trace.send_error:
            raise Wrong(f"could not send, {trace.send_error}")
        waits = self.plan.end == "wait" and not self.plan.stalls
        if (
            trace.end == connection.EOF
            and waits
            and not self._may_close(self.plan.requests[-1], len(self.plan.requests) - 1)
        ):
            raise Wrong("the end of a connection that was kept")
