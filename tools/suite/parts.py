"""The table of what a run consists of.

A part runs its steps one after another, once the parts that it comes after have ended. Parts
of which none comes after the other run side by side. A new kind of test is one more row.
"""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tools.suite.readers import Check, Ctest, Headers, Pytest, Reader
from tools.suite.tally import Tally

# The room that all others stand on: its tests are built first, and give the first results.
FIRST_ROOM = "base"
LOW = 5  # niceness of builds beside tests, which mostly wait; a busy machine lets them go on
LINT = (
    "{bin}/ruff check -q .",
    "{bin}/ruff format -q --check .",
    "{bin}/python -m mypy",
    "{bin}/python -m mypy -p tools.suite",
    "{bin}/lint-imports --no-cache",
)
CLANG_FORMAT = "{bin}/clang-format --dry-run --Werror"
# Compiled once for all processes of all tests, beside the sources' folders, not in them.
BYTECODE_FOLDER = Path("build/suite/bytecode").absolute()
BYTECODE = {
    "PYTHONDONTWRITEBYTECODE": "",
    "PYTHONPYCACHEPREFIX": str(BYTECODE_FOLDER),
}
QUICK = ("tests/protocol", "tests/py", "tests/config", "tests/house")


@dataclass(frozen=True)
class Options:
    """What make says."""

    venv: str
    python: str
    jobs: int
    workers: int

    def bin(self, program: str) -> str:
        """A program of the environment, as a word of a shell."""
        return shlex.quote(f"{self.venv}/bin/{program}")


@dataclass(frozen=True)
class Step:
    command: tuple[str, ...]
    again: str  # what a person types to repeat it
    reader: Callable[[Tally, str, str], Reader] = Reader
    name: str = ""  # of the result where it is one check, or fails as a whole
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Part:
    name: str
    title: str
    steps: Callable[[Options], list[Step]]
    after: tuple[str, ...] = ()
    prepares: bool = False  # where it failed, what comes after it is not run
    whole: bool = False  # it changes the machine: it is not killed on its way
    nice: int = 0
    quiet: bool = False  # nothing else runs meanwhile
    minutes: float = 0.0  # it is left out of a run with a limit that has less time left


def _shell(text: str, again: str = "", **more: str | type[Reader]) -> Step:
    return Step(("bash", "-c", text), again or text, **more)  # type: ignore[arg-type]


def _verb(text: str) -> Callable[[Options], list[Step]]:
    return lambda _: [Step(tuple(text.split()), text)]


def _tool(name: str, again: str) -> Callable[[Options], list[Step]]:
    def steps(options: Options) -> list[Step]:
        environment = {"PYTHON": options.python, "VENV": options.venv}
        return [Step((f"tools/{name}.sh",), again, environment=environment)]

    return steps


def _configure(options: Options) -> str:
    # The first Python on PATH may have no headers.
    python = f'"$(command -v {shlex.quote(options.python)})"'
    return f"cmake --preset dev -DPython_EXECUTABLE={python}"


def _room(room: str, options: Options) -> Step:
    build = f"cmake --build --preset dev -j{options.jobs} --target {room}_test"
    run = f"ctest --test-dir build/dev -j{options.jobs} -L '^{room}$' --timeout 120"
    run += " --output-on-failure --no-tests=error"
    return _shell(f"{build} && {run}", "make cc", name=f"tests/cc/{room}", reader=Ctest)


def _first_room(options: Options) -> list[Step]:
    return [_shell(_configure(options)), _room(FIRST_ROOM, options)]


def _rooms(options: Options) -> list[Step]:
    rooms = sorted(path.name for path in Path("tests/cc").iterdir() if path.is_dir())
    return [_room(room, options) for room in rooms if room != FIRST_ROOM]


def _headers(options: Options) -> list[Step]:
    build = f"cmake --build --preset dev -j{options.jobs} --target headers -- -k 0"
    text = f"{_configure(options)} && {build}"
    return [_shell(text, "make headers", name="headers", reader=Headers)]


def _simulator(options: Options) -> list[Step]:
    run = f"ctest --test-dir build/dev -R '^sim[.]' -j{options.jobs} --no-tests=error"
    kept = f"make simulator JOBS={options.jobs} && {run} --output-on-failure"
    return [
        _shell(kept, "make simulator", name="tests/sim/regressions", reader=Ctest),
        _shell("make sim SIM_SECONDS=60", name="new seeds", reader=Check),
    ]


def _pytest(
    *words: str, parallel: bool = True, **environment: str
) -> Callable[[Options], list[Step]]:
    def steps(options: Options) -> list[Step]:
        again = f"{options.bin('python')} -m pytest"
        command = [*shlex.split(again), "-p", "tools.suite.pytest_events", *words]
        if parallel:
            # The order is tests/conftest.py's: what takes long comes first.
            command += ["-n", str(options.workers), "--dist", "loadgroup"]
            command += ["--no-loadscope-reorder", "-p", "tools.suite.warm_workers"]
        return [Step(tuple(command), again, Pytest, "pytest", environment | BYTECODE)]

    return steps


def measuring() -> list[str]:
    """Files of tests that have the marker `alone`."""
    files = Path("tests").rglob("test_*.py")
    return sorted(str(path) for path in files if "mark.alone" in path.read_text())


def _alone(options: Options) -> list[Step]:
    return _pytest("-m", "alone", *measuring(), parallel=False)(options)


def _checks(options: Options, *texts: str) -> list[Step]:
    folder = shlex.quote(f"{options.venv}/bin")
    commands = [text.format(bin=folder) for text in texts]
    return [_shell(each, name=each, reader=Check) for each in commands]


def _lint(options: Options) -> list[Step]:
    files = "files=$(tools/sources.sh '*.cc' '*.h')"
    return _checks(options, *LINT, f"{files} && {CLANG_FORMAT} $files")


def _lint_of_changed(options: Options) -> list[Step]:
    changed = [path for path in _changed() if path.endswith((".cc", ".h"))]
    more = [f"{CLANG_FORMAT} {shlex.join(changed)}"] if changed else []
    # As `make tidy` has it: what is built, not what tests it.
    sources = [path for path in changed if path.startswith("src/")]
    objects = [f"build/tidy/{path[:-3]}.ok" for path in sources if path[-3:] == ".cc"]
    if objects:
        more.append(f"{_make(options)} {shlex.join(objects)}")
    return _checks(options, *LINT, *more)


def _changed() -> list[str]:
    """Files that differ from what all have: from the last commit that was pushed, or from
    the last one where nothing is."""
    base = _git("merge-base", "HEAD", "@{upstream}") or ["HEAD"]
    changed = _git("diff", "--name-only", "--diff-filter=d", base[0])
    new = _git("ls-files", "--others", "--exclude-standard")
    return sorted({*changed, *new})


def _git(*words: str) -> list[str]:
    done = subprocess.run(["git", *words], capture_output=True, text=True)
    return done.stdout.splitlines() if done.returncode == 0 else []


def _clients(options: Options) -> list[Step]:
    return _checks(options, "{bin}/python -m tests.clients --seconds 90")


def _autobahn(options: Options) -> list[Step]:
    return _checks(options, "{bin}/python -m tests.autobahn --quick")


def _applications(options: Options) -> list[Step]:
    """One step for each, so that each is a result."""
    names = sorted(
        path.stem for path in Path().glob("tests/applications/sites/[a-z]*.py")
    )
    command = "{bin}/python -m tests.applications --seconds 5"
    return _checks(options, *(f"{command} {name}" for name in names))


def _fuzz(options: Options) -> list[Step]:
    return [_shell("make fuzz FUZZ_SECONDS=15", name="fuzz targets", reader=Check)]


def _tidy(options: Options) -> list[Step]:
    command = f"{_make(options)} -k tidy-files"
    return [_shell(command, "make tidy", name="clang-tidy", reader=Check)]


def _make(options: Options) -> str:
    venv = shlex.quote(options.venv)
    return f"make --no-print-directory -j{options.jobs} VENV={venv}"


READY = ("extension", "tools")  # what every test in Python needs
PARTS = (
    Part(
        "system",
        "packages of the distribution",
        _verb("tools/install-system.sh build test services"),
        prepares=True,
        whole=True,
    ),
    Part(
        "c++ base",
        "tests of the room that all others stand on",
        _first_room,
        after=("system",),
    ),
    Part(
        "environment",
        "a virtual environment of Python",
        _tool("environment", "make build"),
        after=("system",),
        prepares=True,
    ),
    Part(
        "extension",
        "celadon, built into the environment",
        _tool("build", "make build"),
        after=("environment", "c++ base"),
        prepares=True,
    ),
    Part(
        "tools",
        "what the tests need of Python",
        _tool("test-tools", "make test-tools"),
        after=("environment",),
        prepares=True,
    ),
    Part(
        "c++",
        "tests of the other rooms",
        _rooms,
        after=("system", "c++ base"),
        nice=LOW,
    ),
    Part(
        "headers",
        "each header compiles alone",
        _headers,
        after=("system", "c++ base", "c++"),
        nice=LOW,
    ),
    Part(
        "simulator",
        "connections over a kernel of its own: what failed once, and a minute of new seeds",
        _simulator,
        after=("system", "c++ base", "headers"),
        nice=LOW,
    ),
    Part(
        "python",
        "tests over real sockets, many at a time",
        _pytest("-m", "not alone"),
        after=READY,
    ),
    Part(
        "alone",
        "tests that measure, one after another",
        _alone,
        after=(*READY, "python"),
        quiet=True,
    ),
    Part(
        "unit",
        "Python tests that take no time",
        _pytest("-m", "not alone and not slow", *QUICK),
        after=READY,
    ),
    Part(
        "changed",
        "style, types and imports; static analysis of what changed",
        _lint_of_changed,
        after=READY,
    ),
    Part(
        "lint",
        "style, types and imports",
        _lint,
        after=(*READY, "alone"),
        minutes=2,
    ),
    Part(
        "tidy",
        "static analysis of all C++",
        _tidy,
        after=(*READY, "lint"),
        minutes=20,
    ),
    Part(
        "chaos",
        "kills, stops and reloads at random under load, for longer",
        _pytest("tests/chaos", parallel=False, CHAOS_SECONDS="15"),
        after=(*READY, "alone", "tidy"),
        quiet=True,
        minutes=4,
    ),
    Part(
        "clients",
        "random clients on the real server, for longer",
        _clients,
        after=(*READY, "chaos"),
        quiet=True,
        minutes=3,
    ),
    Part(
        "autobahn",
        "Autobahn's cases for WebSockets, but for those that take long",
        _autobahn,
        after=(*READY, "clients"),
        quiet=True,  # some of its cases give a second
        minutes=3,
    ),
    Part(
        "applications",
        "applications of others, as gunicorn serves them and under many clients",
        _applications,
        after=(*READY, "autobahn"),
        quiet=True,
        minutes=25,  # their environments are made the first time
    ),
    Part(
        "fuzz",
        "each fuzz target for a while",
        _fuzz,
        after=("system", "applications"),
        minutes=5,
    ),
)
VERBS = {
    "cc": ("c++ base", "c++"),
    "headers": ("headers",),
    "py": ("python", "alone"),
    "lint": ("lint",),
    "tidy": ("tidy",),
    "test": ("c++ base", "c++", "headers", "simulator", "python", "alone"),
    "quick": ("c++ base", "c++", "unit", "changed"),
    "check": (
        *("c++ base", "c++", "headers", "simulator", "python", "alone"),
        *("lint", "tidy", "chaos", "clients", "autobahn", "applications", "fuzz"),
    ),
}


def parts_of(verb: str) -> list[Part]:
    """What it runs, and what prepares that."""
    table = {part.name: part for part in PARTS}
    wanted = set(VERBS[verb])
    while True:
        below = {name for each in wanted for name in table[each].after}
        if (new := {each for each in below if table[each].prepares} - wanted) == set():
            return [part for part in PARTS if part.name in wanted]
        wanted |= new
