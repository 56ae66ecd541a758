"""All tests run with the stacks of parked greenlets poisoned (green.md §9 e)."""

import os

os.environ["CELADON_POISON_STACK"] = "1"
