"""Tests of code whose greenlets wait: every order in which they may go on, and every moment
at which a kill, a time limit or a client's end may come.
"""

from celadon.testing.explorer import Explored, Found, Irreproducible, explore, replay
from celadon.testing.stage import Stage

__all__ = ["Explored", "Found", "Irreproducible", "Stage", "explore", "replay"]
