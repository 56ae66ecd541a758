"""What visitors of several sites do alike: sites of one kind have the same paths for it."""

from __future__ import annotations

from tests.applications.application import Page
from tests.applications.guest import Guest


def is_closed(guest: Guest) -> None:
    for words in ("close 4000 a reason", "close 1000"):
        talk = guest.talk("/talk")
        talk.hear()
        talk.send(words)
        talk.hear()
    for words in ("return", "raise"):
        talk = guest.talk("/talk")
        talk.hear()
        talk.send(words)
        talk.ends()


def leaves(guest: Guest) -> None:
    for reset in (False, True):
        guest.leave("/events", reset, 300)
        guest.leave("/waits", reset)
        guest.leave("/slow", reset)
        talk = guest.talk("/talk")
        talk.hear()
        talk.leave()


def hears_of_a_broken_stream(guest: Guest) -> None:
    guest.stream("/broken-stream").rest()


def has_a_session(guest: Guest) -> None:
    for _ in range(3):
        guest.ask(Page("/count"))
