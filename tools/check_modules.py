"""No circle among modules of Python, and none that is too long.

import-linter, by its table in pyproject.toml, knows which room may import which. Here: what
holds within rooms too, for imports inside of functions and for checkers of types as well.
Prints one line per violation and exits with 1 if there is any.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).parent.parent
LONGEST = 300  # lines
# What is a list of rows, read one by one, may be as long as it has to.
TABLES = {"config/settings/process.py", "config/settings/limits.py"}


def violations(package: Path = ROOT / "python/celadon") -> list[str]:
    return [*_circles(package), *_long_ones(package)]


def _circles(package: Path) -> Iterator[str]:
    modules = _modules_of(package)
    graph = {name: _imported(name, path, modules) for name, path in modules.items()}
    for circle in circles(graph):
        yield f"a circle of imports: {' -> '.join([*circle, circle[0]])}"


def _long_ones(package: Path) -> Iterator[str]:
    for path in sorted(package.rglob("*.py")):
        name = str(path.relative_to(package))
        lines = len(path.read_text().splitlines())
        if lines > LONGEST and name not in TABLES:
            yield f"{name}: {lines} lines, {LONGEST} are the most for what is no table"


def _modules_of(package: Path) -> dict[str, Path]:
    found = {}
    for path in sorted(package.rglob("*.py")):
        words = path.relative_to(package.parent).with_suffix("").parts
        found[".".join(words).removesuffix(".__init__")] = path
    return found


def _imported(name: str, path: Path, modules: Mapping[str, Path]) -> set[str]:
    """Which `modules` it imports, wherever the import stands.

    Python imports a package before what is in it: that is no import of the module's.
    """
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {each.name for each in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            for each in node.names:
                inner = f"{node.module}.{each.name}"
                # What is built has no source here: it imports no module by a name of ours.
                is_inner = inner in modules or inner.endswith("._core")
                found.add(inner if is_inner else node.module)
    return found & modules.keys() - {name}


def circles(graph: Mapping[str, set[str]]) -> list[list[str]]:
    """One circle of each knot in `graph`, which has the names that each name leads to."""
    left = {name: {*others} for name, others in graph.items()}
    found = []
    while True:
        ends = [name for name, others in left.items() if not others & left.keys()]
        for name in ends:
            del left[name]
        if ends:
            continue
        if not left:
            return found
        # Whoever is left leads to one that is left: who follows comes back somewhere.
        way = [min(left)]
        while (after := min(left[way[-1]] & left.keys())) not in way:
            way.append(after)
        found.append(way[way.index(after) :])
        for name in found[-1]:
            del left[name]


if __name__ == "__main__":
    wrong = violations()
    print("\n".join(wrong), end="\n" if wrong else "")
    sys.exit(bool(wrong))
