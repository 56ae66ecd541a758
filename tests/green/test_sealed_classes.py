"""Classes of C that let nobody set an attribute: `select.epoll` is one from CPython 3.15 on."""

from __future__ import annotations

from tests.support.green import PRELUDE, run_green

CLASSES = (
    PRELUDE
    + """
import re
from celadon._core import green
from celadon.patch import registry
def raises(kind, call, *args):
    try: call(*args)
    except kind: return
    raise AssertionError("not raised")
def mine(self, text): return ["mine", text]
"""
)


def test_what_is_replaced_in_one_stands_there_until_it_is_taken_back() -> None:
    run_green(
        """
        raises(TypeError, setattr, re.Pattern, "findall", mine)
        before, pattern = re.Pattern.findall, re.compile("a")
        with registry.applying("a part of this test"):
            registry.replace(re.Pattern, "findall", mine)
        assert pattern.findall("banana") == ["mine", "banana"]
        assert isinstance(pattern, re.Pattern)
        raises(TypeError, setattr, re.Pattern, "findall", mine)
        registry.take_back(["a part of this test"])
        assert re.Pattern.findall is before and pattern.findall("banana") == ["a"] * 3
        """,
        prelude=CLASSES,
    )


def test_a_class_of_all_interpreters_stays_as_it_is() -> None:
    run_green(
        """
        for words in ((str, "upper", mine), (re, "compile", mine), (re.Pattern, "findall")):
            raises(TypeError, green.set_in_class, *words)
        raises(TypeError, registry.replace, str, "upper", mine)
        assert "a".upper() == "A"
        """,
        prelude=CLASSES,
    )
