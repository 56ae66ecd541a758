"""The judge of clients of WebSockets bites, and what they do can be done again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.clients import connection
from tests.clients.judge import Rules, Wrong
from tests.clients.kinds import make
from tests.clients.plan import Habits
from tests.clients.replay import shrink
from tests.clients.talk.client import Heard, closing
from tests.clients.talk.judge import ACCEPT, AGREED, judge
from tests.clients.talk.model import FAULTS, Said
from tests.clients.talk.plan import Talk
from tests.support.frames import TEXT, close_payload, masked

SAID = (Said("text", 200, (3, 50), pings=True), Said("ping", 7), Said("binary", 90))
TALK = Talk(7, "talk-echo", said=SAID)
FIELDS = {"sec-websocket-accept": ACCEPT}


def heard(talk: Talk, **more: Any) -> Heard:
    """From a server that is right."""
    whole: dict[str, Any] = {
        "fields": FIELDS,
        "messages": talk.replies(),
        "pongs": talk.pings(),
        "closed": closing(talk),
        "end": connection.EOF,
    }
    return Heard(**whole | more)


def test_what_is_right_passes() -> None:
    judge(TALK, heard(TALK), Rules())
    hasty = replace(TALK, end="hasty")
    judge(hasty, heard(hasty, messages=hasty.replies()[:1]), Rules())
    left = replace(TALK, end="reset", leaves_at=100)
    cut: dict[str, Any] = {
        "messages": [],
        "pongs": [],
        "closed": None,
        "end": connection.LEFT,
    }
    judge(left, heard(left, **cut), Rules())
    judge(TALK, heard(TALK, pongs=[], closed=close_payload(1012)), Rules(restarts=True))
    ended = replace(TALK, view="talk-leave")
    judge(ended, heard(ended, closed=close_payload(4000, "enough")), Rules())
    broken = replace(TALK, end="fault", fault="opcode")
    judge(broken, heard(broken, closed=close_payload(1002, "no such")), Rules())
    packed = replace(TALK, deflate=True)
    fields = {**FIELDS, "sec-websocket-extensions": AGREED}
    judge(packed, heard(packed, fields=fields), Rules(deflates=True))


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"messages": TALK.replies()[:-1]}, "before all its messages"),
        ({"messages": TALK.replies()[::-1]}, "another message"),
        ({"messages": [*TALK.replies(), (TEXT, b"more")]}, "another message"),
        ({"pongs": TALK.pings()[:-1]}, "before all its pongs"),
        ({"pongs": TALK.pings()[1:]}, "without its ping"),
        ({"closed": None}, "without a close frame"),
        ({"closed": close_payload(1000, "other")}, "closed with 1000"),
        ({"closed": close_payload(1012)}, "closed with 1012"),
        ({"end": connection.RESET}, "a reset"),
        ({"end": connection.STUCK}, "nothing comes"),
        ({"end": connection.MALFORMED}, "no WebSocket"),
        ({"between": False}, "within a message"),
        ({"send_error": "broken pipe"}, "could not send"),
        ({"fields": {"sec-websocket-accept": "x"}}, "another key"),
        ({"fields": None, "closed": None}, "was not answered"),
        ({"fields": {**FIELDS, "sec-websocket-extensions": AGREED}}, "agreed on"),
    ],
)
def test_what_is_wrong_does_not(more: dict[str, Any], why: str) -> None:
    with pytest.raises(Wrong, match=why):
        judge(TALK, heard(TALK, **more), Rules())


def test_who_ends_before_the_answer_may_have_left() -> None:
    """Where that is told: a WSGI view can answer him."""
    nothing: dict[str, Any] = {"fields": None, "closed": None, "messages": []}
    early = replace(TALK, asgi=True, eager=True, end="half")
    judge(early, heard(early, **nothing, pongs=[]), Rules())
    for talk in (
        replace(early, asgi=False),
        replace(early, eager=False),
        replace(early, end="polite"),
    ):
        with pytest.raises(Wrong, match="was not answered"):
            judge(talk, heard(talk, **nothing, pongs=[]), Rules())


def test_a_rule_that_is_broken_has_its_code() -> None:
    for fault in FAULTS:
        broken = replace(TALK, end="fault", fault=fault)
        with pytest.raises(Wrong, match="closed with 1000"):
            judge(broken, heard(broken), Rules())


def test_a_message_is_cut_within_a_character() -> None:
    _, text = TALK.messages()[0]
    assert len(text.decode()) < len(text)


def test_what_must_come_is_counted_as_it_is_made() -> None:
    """And what clients do can be repeated."""
    found = 0
    for seed in range(400):
        talk = make(seed, Habits(talks=0.5))
        assert talk == make(seed, Habits(talks=0.5))
        if not isinstance(talk, Talk):
            continue
        found += 1
        assert talk == Talk.of(talk.text())
        if not talk.is_refused:
            assert talk.comes_of() == (len(talk.replies()), len(talk.pings()))
    assert 150 < found < 250


def test_one_that_fails_is_made_smaller() -> None:
    small = shrink(TALK, lambda plan: any(s.kind == "ping" for s in plan.said))
    assert small.said == (Said("ping"),)


def test_a_mask_is_undone_by_itself() -> None:
    key = b"\x12\x34\xab\xcd"
    for size in (0, 1, 5, 200, 70_000):
        data = bytes(at % 251 for at in range(size))
        frame = masked(2, data, key)
        body = frame[len(frame) - size :]
        assert bytes(b ^ key[at % 4] for at, b in enumerate(body)) == data
