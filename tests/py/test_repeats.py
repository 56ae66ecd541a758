"""Errors that come again and again."""

from __future__ import annotations

from celadon.base.repeats import MOST, PERIOD, PLACES, Place, Repeats


class Told:
    def __init__(self) -> None:
        self.now = 0.0
        self.told: list[tuple[Place, int]] = []
        self.repeats = Repeats(
            lambda place, count: self.told.append((place, count)), lambda: self.now
        )

    def admit(self, error: BaseException, times: int) -> list[tuple[bool, bool]]:
        return [self.repeats.admit(error) for _ in range(times)]


def raised(code: str) -> BaseException:
    try:
        exec(compile(code, "view.py", "exec"), {})
    except Exception as error:
        return error
    raise AssertionError


ZERO = raised("\n1 / 0")


def test_some_are_written_the_others_counted() -> None:
    told = Told()
    found = told.admit(ZERO, MOST + 3)
    assert found == [(True, False)] * MOST + [(False, True)] + [(False, False)] * 2
    assert told.admit(raised("1 / 0"), 1) == [(True, False)]  # another line
    assert told.admit(raised("\n[][0]"), 1) == [(True, False)]  # another kind
    told.repeats.end()
    assert told.told == [(("ZeroDivisionError", "view.py", 2), 3)]
    assert told.admit(ZERO, 1) == [(True, False)]
    told.repeats.end()
    assert len(told.told) == 1


def test_a_period_begins_again() -> None:
    told = Told()
    told.admit(ZERO, MOST + 2)
    told.now = PERIOD
    assert told.admit(ZERO, MOST) == [(True, False)] * MOST
    assert told.told == [(("ZeroDivisionError", "view.py", 2), 2)]


def test_places_are_bounded() -> None:
    told = Told()
    for line in range(PLACES):
        told.admit(raised("\n" * line + "1 / 0"), 1)
    other = raised("[][0]")
    assert told.admit(other, MOST + 5) == [(True, False)] * (MOST + 5)
    told.now = PERIOD
    assert told.admit(other, MOST + 1)[-1] == (False, True)


def test_one_that_was_never_raised() -> None:
    told = Told()
    assert told.admit(ValueError(), 1) == [(True, False)]
