"""`pytest -p celadon.pytest_plugin`: a project's own tests under the patch."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.support.raw import TIMEOUT
from tests.support.services import Services

PROJECT = """
import threading, time, unittest, warnings
import pytest

LANES = 4
together = threading.Barrier(LANES, timeout=60)
log = []

@pytest.fixture(scope="session")
def base():
    log.append("base up"); yield log; log.append("base down")
    assert log.count("base up") == log.count("base down") == 1

@pytest.fixture(scope="module")
def module(base):
    log.append("module up"); yield; log.append("module down")

@pytest.fixture
def own(tmp_path, module):
    value = [tmp_path]; yield value
    assert value[-1] == "used"

@pytest.mark.parametrize("n", range(2 * LANES))
def test_side_by_side(n, own):
    together.wait()  # passes only with LANES at a time
    own.append(n); time.sleep(0.01)
    assert own[1:] == [n] and log == ["base up", "module up"]
    own.append("used")

class TestClassic(unittest.TestCase):
    @classmethod
    def setUpClass(cls): cls.ready = True
    @classmethod
    def tearDownClass(cls): cls.ready = False
    def setUp(self): self.mine = 2
    def test_one(self): time.sleep(0.01); assert self.ready and self.mine == 2
    def test_two(self): time.sleep(0.01); assert self.ready and self.mine == 2

def test_fails(): assert "reason" == 0
@pytest.fixture
def broken(): raise ValueError("broken")
def test_error(broken): pass
def test_skipped(): pytest.skip("so")
@pytest.mark.xfail
def test_expected(): assert 0

@pytest.fixture
def asked_for(): return []
@pytest.fixture
def asks(request): return request.getfixturevalue("asked_for")
@pytest.mark.parametrize("n", range(LANES))
def test_fixtures_asked_for_while_it_runs(n, request):
    mine = request.getfixturevalue("asked_for")
    together.wait()
    mine.append(n)
    assert request.getfixturevalue("asks") == [n]

running = 0
def test_output(capsys): print("said"); assert capsys.readouterr().out == "said\\n"
def test_environment(monkeypatch):
    global running
    running += 1; monkeypatch.setenv("A", "b"); time.sleep(0.01); running -= 1
    assert running == 0
@pytest.mark.celadon_alone
def test_alone():
    global running
    running += 1; time.sleep(0.01); running -= 1
    assert running == 0
"""


# What is installed for tests of itself: to import it takes longer than to run these.
NO_OTHERS = ("-p", "no:ddtrace", "-p", "no:faker")


def run_pytest(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    env = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST")}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "celadon.pytest_plugin"]
    command += NO_OTHERS
    return subprocess.run(
        [*command, "-p", "no:cacheprovider", *options],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        timeout=5 * TIMEOUT,  # a whole run of tests, with a database
    )


def summary(output: str) -> dict[str, int]:
    line = output.strip().splitlines()[-1]
    return {word: int(count) for count, word in re.findall(r"(\d+) (\w+)", line)}


def test_several_at_a_time(tmp_path: Path) -> None:
    (tmp_path / "test_project.py").write_text(PROJECT)
    done = run_pytest(tmp_path, "--celadon-concurrency", "4")
    assert done.returncode == 1, done.stdout
    counts = summary(done.stdout)
    assert (counts["passed"], counts["failed"], counts["skipped"]) == (17, 1, 1), (
        done.stdout
    )
    assert counts["error"] == 1
    assert counts["xfailed"] == 1
    assert "test_fails" in done.stdout
    assert "ValueError: broken" in done.stdout


def test_one_at_a_time_is_patched_too(tmp_path: Path) -> None:
    (tmp_path / "test_one.py").write_text(
        "import threading, time, celadon\n"
        "def test_waits():\n"
        "    ended = []\n"
        "    celadon.spawn(lambda: ended.append(time.sleep(0.001)))\n"
        "    for _ in range(60_000): ended or time.sleep(0.001)\n"
        "    assert ended\n"
    )
    done = run_pytest(tmp_path)
    assert summary(done.stdout) == {"passed": 1} | summary(done.stdout)
    assert done.returncode == 0, done.stdout


def test_stops_at_the_first_failure(tmp_path: Path) -> None:
    (tmp_path / "test_many.py").write_text(
        "import pytest, time\n"
        "@pytest.mark.parametrize('n', range(50))\n"
        "def test_n(n): time.sleep(0.001); assert n != 3\n"
    )
    done = run_pytest(tmp_path, "-x", "--celadon-concurrency", "2")
    assert done.returncode == 1
    counts = summary(done.stdout)
    assert counts["failed"] == 1
    assert counts.get("passed", 0) < 10


OVERLAPPING = """
import time, pytest
made = []
@pytest.fixture(scope="class")
def of_class(request):
    mine = [request.cls]; made.append(mine); yield mine; mine.append("down")
class TestLong:
    def test(self, of_class):
        while not any("down" in each for each in made): time.sleep(0.001)
        assert of_class == [TestLong]
class TestShort:
    def test(self, of_class): assert of_class == [TestShort]
"""


def test_each_class_has_its_own_fixtures(tmp_path: Path) -> None:
    (tmp_path / "test_classes.py").write_text(OVERLAPPING)
    done = run_pytest(tmp_path, "--celadon-concurrency", "2")
    assert summary(done.stdout) == {"passed": 2}, done.stdout


CLASSES = """
import time, pytest
alive = set()

@pytest.fixture(scope="class", autouse=True)
def owner(request):
    alive.add(request.node.name)
    yield request.node.name
    alive.discard(request.node.name)

@pytest.mark.parametrize("n", range(8))
def test_short(n, owner, request):
    time.sleep(0.001)
    assert owner == request.node.name and owner in alive, alive

class TestLong:
    def test_one(self, owner):
        for _ in range(50):
            time.sleep(0.001)
            assert owner == "TestLong" and owner in alive, (owner, alive)
    def test_two(self, owner): assert owner == "TestLong" and owner in alive
"""


def test_a_class_shares_its_fixtures_with_nobody(tmp_path: Path) -> None:
    (tmp_path / "test_classes.py").write_text(CLASSES)
    done = run_pytest(tmp_path, "--celadon-concurrency", "4")
    assert summary(done.stdout) == {"passed": 10}, done.stdout + done.stderr


DJANGO = """
import pathlib, sys, threading
import django.conf, pytest

def pytest_configure():
    django.conf.settings.configure(
        DATABASES={{"default": {{"ENGINE": "django.db.backends.postgresql", "NAME": "celadon",
                                "USER": "celadon", "HOST": "127.0.0.1", "PORT": {port}}}}},
        INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes"])
"""
DJANGO_TESTS = """
import threading, time
import pytest
from django.contrib.auth.models import User
from django.test import TestCase, TransactionTestCase

together = threading.Barrier(4, timeout=60)
running = 0

@pytest.mark.parametrize("n", range(8))
def test_a_database_of_its_own(n, db):
    global running
    running += 1
    User.objects.create(username=f"user {n}")
    together.wait()
    assert User.objects.get().username == f"user {n}"
    running -= 1

@pytest.fixture
def user(db): return User.objects.create(username="only")

@pytest.mark.parametrize("n", range(8))
def test_who_locks_the_same_key_waits(n, user):
    time.sleep(0.005)
    assert User.objects.get() == user

class TestsOfDjango(TestCase):
    @classmethod
    def setUpTestData(cls): User.objects.create(username="of the class")
    def check(self, name):
        User.objects.create(username=name)
        time.sleep(0.005)
        assert User.objects.count() == 2
    def test_one(self): self.check("one")
    def test_two(self): self.check("two")

class TestsThatCommit(TransactionTestCase):
    def test_alone(self):
        User.objects.create(username="seen by all")
        assert running == 0

@pytest.mark.celadon_alone
def test_without_a_database():
    with pytest.raises(RuntimeError, match="Database access not allowed"):
        User.objects.count()

def test_settings(settings):
    settings.TIME_ZONE = "Europe/Rome"
    assert running == 0
"""


def test_pytest_django_side_by_side(tmp_path: Path, services: Services) -> None:
    (tmp_path / "conftest.py").write_text(DJANGO.format(port=services.postgres_port))
    (tmp_path / "test_users.py").write_text(DJANGO_TESTS)
    done = run_pytest(tmp_path, "--celadon-concurrency", "4")
    assert summary(done.stdout) == {"passed": 21}, done.stdout + done.stderr
