"""A server with an application that echoes, and Autobahn's fuzzing client at it."""

from __future__ import annotations

import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.autobahn.cases import Result, how_many, uncompressed
from tests.support.servers import Command

HERE = Path(__file__).parent
ECHO = "tests.apps.websocket_echo"
# Of cases: most of them wait for something, and the machine has two cores.
AT_ONCE = 4
TICK = 10.0  # seconds between two lines of progress


@dataclass(frozen=True)
class Kind:
    name: str
    target: str
    compressed: bool = True

    def options(self) -> tuple[str, ...]:
        return ("--websocket-compression",) if self.compressed else ()

    def cases(self, patterns: tuple[str, ...]) -> tuple[str, ...]:
        return patterns if self.compressed else uncompressed(patterns)


KINDS = (
    Kind("asgi", f"{ECHO}:asgi"),
    Kind("wsgi", f"{ECHO}:wsgi"),
    Kind("plain", f"{ECHO}:wsgi", compressed=False),
)


@dataclass
class Trial:
    """What came of the cases of one kind."""

    kind: Kind
    patterns: tuple[str, ...]
    results: list[Result] = field(default_factory=list)
    seconds: float = 0.0
    status: int = 0  # of the fuzzing client

    @property
    def missing(self) -> int:
        """Patterns of somebody's own may be of any number of cases, of which at least one
        did not run where the client did not come to its end."""
        missing = how_many(self.patterns) - len(self.results)
        return max(missing, int(self.status != 0))

    @property
    def wrong(self) -> list[Result]:
        return [each for each in self.results if each.wrong]

    @property
    def noted(self) -> list[Result]:
        return [each for each in self.results if not each.wrong and not each.well]

    def summary(self) -> str:
        words = [
            f"{len(self.results)} cases",
            f"{len(self.noted)} noted",
            f"{len(self.wrong)} wrong",
            f"{self.seconds:.0f} s",
        ]
        if self.missing:
            words.insert(1, f"{self.missing} did not run")
        return f"{self.kind.name:6} {', '.join(words)}"


def run(kind: Kind, patterns: tuple[str, ...], python: Path) -> Trial:
    """`python` has the fuzzing client."""
    trial = Trial(kind, kind.cases(patterns))
    began = time.monotonic()
    with Command(kind.target, *kind.options()) as server:
        url = f"ws://127.0.0.1:{server.port}/"
        words = (str(HERE / "fuzz.py"), url, str(AT_ONCE), *trial.patterns)
        with subprocess.Popen(
            (str(python), *words), stdout=subprocess.PIPE, text=True
        ) as client:
            assert client.stdout
            said = began
            for line in client.stdout:
                _take(trial, Result.of(line))
                if time.monotonic() > said + TICK:
                    said = time.monotonic()
                    _say(trial, said - began)
    trial.status = client.returncode
    trial.seconds = time.monotonic() - began
    return trial


def _say(trial: Trial, seconds: float) -> None:
    done, last = len(trial.results), trial.results[-1].case
    print(f"{trial.kind.name}: {done} cases, {last}, {seconds:.0f} s", flush=True)


def _take(trial: Trial, result: Result) -> None:
    trial.results.append(result)
    if result.well:
        return
    word = "WRONG" if result.wrong else "noted"
    print(f"{trial.kind.name}: {word} {result}", flush=True)
    if result.wrong:
        print(f"    expected: {' '.join(result.expected.split())}")
        print("\n".join(f"    {each}" for each in result.wire), flush=True)
