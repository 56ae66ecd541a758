"""The example applications, as a visitor sees them."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlencode

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection

from tests.support import metrics, raw
from tests.support.machine import free_port
from tests.support.raw import Response
from tests.support.servers import ROOT, Command, wait_until
from tests.support.services import Services
from tests.support.site import wait_ready
from tests.support.studio import FOLDER as STUDIO
from tests.support.studio import letters
from tests.support.studio import town as studio_town
from tests.support.websockets import HANDSHAKE, websocket

EXAMPLES = ROOT / "examples"


@pytest.fixture(scope="module", params=["SQLite", "PostgreSQL", "MariaDB"])
def studio(
    request: pytest.FixtureRequest,
    services: Services,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Command]:
    """Its tests take places in one course each."""
    file = tmp_path_factory.mktemp("studio") / "studio.sqlite3"
    environments = {
        "SQLite": {"STUDIO_SQLITE": str(file)},
        "PostgreSQL": {
            "STUDIO_POSTGRES": f"postgres://celadon@127.0.0.1:{services.postgres_port}/celadon",
        },
        "MariaDB": {
            "STUDIO_MARIADB": f"mysql://celadon@127.0.0.1:{services.mariadb_port}/celadon",
        },
    }
    env = {
        "STUDIO_POSTS_PER_MINUTE": "1000000",
        "STUDIO_REDIS": f"redis://127.0.0.1:{services.redis_port}",
        **environments[request.param],
    }
    with Command("studio:app", cwd=STUDIO, env=env) as command:
        page = command.request(raw.get("/")).body.decode()
        assert f"live in {request.param}, views in Redis" in page
        yield command


def test_the_async_corner(tmp_path: Path) -> None:
    """Beside the studio: the same courses, kilns and bookings."""
    env = {"STUDIO_SQLITE": str(tmp_path / "studio.sqlite3")}
    both = ("--mount", "/api=corner:app")
    with Command("studio:app", *both, cwd=STUDIO, env=env) as server:
        courses = json.loads(text(server.request(raw.get("/api/courses"))))
        course = json.loads(text(server.request(raw.get("/api/courses/2"))))
        assert course in courses
        assert course["title"] in text(server.request(raw.get("/courses/2")))
        assert server.request(raw.get("/api/courses/99")).status == 404
        degrees = json.loads(text(server.request(raw.get("/api/kilns"))))
        assert {*degrees} == {"north", "south", "raku"}
        with websocket(server, "/api/courses/2/live") as live:
            free = json.loads(live.recv())["free"]
            assert server.request(form("/courses/2", name="Ada")).status == 303
            assert json.loads(live.recv()) == {"free": free - 1}


RACE = """
import sys, threading
from concurrent.futures import ThreadPoolExecutor
from sqlalchemy import create_engine, make_url, text
from studio.store import Store
url = make_url(sys.argv[1])
for n in range(5):
    with create_engine(url, isolation_level="AUTOCOMMIT").connect() as conn:
        conn.execute(text(f"CREATE DATABASE race{n}"))
    start = threading.Barrier(4)
    def one(_):
        start.wait()
        return Store(url.set(database=f"race{n}"))
    with ThreadPoolExecutor(4) as pool: stores = list(pool.map(one, range(4)))
    assert len(stores[0].courses()) == 4
    for store in stores: store.engine.dispose()
"""


def test_workers_that_start_at_once_prepare_one_database(services: Services) -> None:
    url = f"postgresql+psycopg://celadon@127.0.0.1:{services.postgres_port}/celadon"
    command = [sys.executable, "-c", RACE, url]
    done = subprocess.run(command, cwd=STUDIO, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def form(path: str, *headers: str, **fields: str) -> bytes:
    kind = "Content-Type: application/x-www-form-urlencoded"
    return raw.post(path, urlencode(fields).encode(), kind, *headers)


def text(response: Response) -> str:
    assert response.status == 200, response.body
    return response.body.decode()


def test_a_visit(studio: Command) -> None:
    page = text(studio.request(raw.get("/")))
    assert "First bowl" in page
    assert "places free" in page
    course = text(studio.request(raw.get("/courses/2")))
    assert "Celadon glazes" in course
    assert "Nobody yet" in course
    booked = studio.request(form("/courses/2", name="Ada <3"))
    assert booked.status == 303
    cookie = (booked.get("Set-Cookie") or "").split(";")[0]
    after = text(studio.request(raw.get("/courses/2", f"Cookie: {cookie}")))
    assert "See you there, Ada &lt;3." in after
    assert "5</span> of 6 places free" in after
    nameless = studio.request(form("/courses/2", name=" "))
    assert nameless.status == 303
    assert studio.request(raw.get("/courses/99")).status == 404
    assert studio.request(form("/courses/99", name="Ada")).status == 404
    assert "css" in (
        studio.request(raw.get("/static/style.css")).get("Content-Type") or ""
    )


def test_nobody_gets_a_place_twice(studio: Command) -> None:
    """Forty want one of ten places at the same time."""
    with ThreadPoolExecutor(40) as pool:
        asked = [
            pool.submit(studio.request, form("/courses/4", name=f"visitor {n}"))
            for n in range(40)
        ]
        found = {future.result().status for future in asked}
        assert found == {303}, "\n".join(studio.lines[-40:])
    course = text(studio.request(raw.get("/courses/4")))
    assert "0</span> of 10 places free" in course
    names = re.findall(r"<li>visitor (\d+)</li>", course)
    assert len(names) == len(set(names)) == 10
    views = re.search(r"(\d+) views?<", course)
    assert views
    assert int(views[1]) >= 1


@pytest.fixture
def small(tmp_path: Path) -> dict[str, str]:
    """The environment of a studio with nothing but SQLite."""
    return {"STUDIO_SQLITE": str(tmp_path / "studio.sqlite3")}


@pytest.fixture
def town() -> Iterator[Command]:
    with studio_town(0.2) as command:
        yield command


def of_town(town: Command) -> dict[str, str]:
    return {"STUDIO_TOWN": f"http://127.0.0.1:{town.port}"}


def scrape(command: Command) -> set[str]:
    return set(metrics.page(command).body.decode().splitlines())


def test_kilns_are_asked_at_once_and_hold_nobody_up(small: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as kilns:
        kilns.settimeout(raw.TIMEOUT)
        where = {"STUDIO_TOWN": f"http://127.0.0.1:{kilns.getsockname()[1]}"}
        with Command("studio:app", cwd=STUDIO, env=small | where) as command:
            with command.client() as client:
                client.send(raw.get("/kiln"))
                asked = [kilns.accept()[0] for _ in range(3)]
                assert "views in this process" in text(command.request(raw.get("/")))
                for each in asked:
                    with each:
                        each.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n987")
                assert text(client.response()).count("987") == 3


def test_what_the_kilns_of_the_town_say(small: dict[str, str], town: Command) -> None:
    with Command("studio:app", cwd=STUDIO, env=small | of_town(town)) as command:
        page = text(command.request(raw.get("/kiln")))
    took = re.search(r"took ([\d.]+) sec", page)
    assert took
    assert float(took[1]) >= 0.2
    assert len(re.findall(r"<p>\d+ ", page)) == 3


def test_a_town_that_is_gone(small: dict[str, str]) -> None:
    nowhere = {"STUDIO_TOWN": f"http://127.0.0.1:{free_port()}"}
    with Command("studio:app", cwd=STUDIO, env=small | nowhere) as command:
        answer = command.request(raw.get("/kiln"))
        assert answer.status == 502
        assert b"The kilns do not answer." in answer.body
        # The letter has to wait, the booking does not.
        assert command.request(form("/courses/1", name="Ada")).status == 303
        command.wait_line("letters have to wait")


def test_a_form_that_is_sent_twice_books_once(studio: Command) -> None:
    with ThreadPoolExecutor(8) as pool:
        sent = [
            pool.submit(studio.request, form("/courses/3", name="Ada", token="one"))
            for _ in range(8)
        ]
        assert {future.result().status for future in sent} == {303}
    course = text(studio.request(raw.get("/courses/3")))
    assert course.count("<li>Ada</li>") == 1
    assert ">5</span> of 6 places free" in course
    # Back to the same form, for somebody else.
    studio.request(form("/courses/3", name="Grace", token="one"))
    assert "<li>Grace</li>" in text(studio.request(raw.get("/courses/3")))


def test_letters_are_written_in_the_background(
    small: dict[str, str], town: Command
) -> None:
    with Command("studio:app", cwd=STUDIO, env=small | of_town(town)) as command:
        for name in ("Ada", "Grace"):
            command.request(form("/courses/1", name=name))
        found = wait_until(lambda: (n := letters(town), len(n) == 2))
    assert sorted(found.values()) == [
        "Dear Ada, see you at the wheel.",
        "Dear Grace, see you at the wheel.",
    ]


def test_the_letter_of_a_killed_worker_is_written_by_another(
    small: dict[str, str], town: Command
) -> None:
    again = {"STUDIO_LETTER_SECONDS": "0.5"}
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(raw.TIMEOUT)
        nowhere = {"STUDIO_TOWN": f"http://127.0.0.1:{silent.getsockname()[1]}"}
        with Command("studio:app", cwd=STUDIO, env=small | nowhere | again) as command:
            command.request(form("/courses/1", name="Ada"))
            in_hand, _ = silent.accept()
            os.kill(command.process.pid, signal.SIGKILL)
            os.kill(command.worker, signal.SIGKILL)
            in_hand.close()
    with Command("studio:app", cwd=STUDIO, env=small | of_town(town)):
        wait_until(lambda: (n := letters(town), list(n) == ["1"]))


def test_a_letter_that_is_being_written_is_finished_at_a_stop(
    small: dict[str, str],
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as slow:
        slow.settimeout(raw.TIMEOUT)
        where = {"STUDIO_TOWN": f"http://127.0.0.1:{slow.getsockname()[1]}"}
        with Command("studio:app", cwd=STUDIO, env=small | where) as command:
            command.request(form("/courses/1", name="Ada"))
            town, _ = slow.accept()
            command.signal(signal.SIGTERM)
            command.wait_line("finishing requests")
            with town:
                town.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
                assert command.wait() == 0
    with contextlib.closing(sqlite3.connect(small["STUDIO_SQLITE"])) as database:
        due = database.execute("SELECT letter_after FROM bookings").fetchall()
    assert due == [(None,)]


def test_who_books_too_often_has_to_wait(small: dict[str, str]) -> None:
    env = small | {"STUDIO_POSTS_PER_MINUTE": "3"}
    with Command("studio:app", cwd=STUDIO, env=env) as command:
        asked = [command.request(form("/courses/1", name=" ")) for _ in range(8)]
        # A minute may end in between.
        assert {answer.status for answer in asked} == {303, 429}
        late = next(answer for answer in asked if answer.status == 429)
        assert late.get("Retry-After") == "60"
        assert command.request(raw.get("/")).status == 200


def test_free_places_are_told_live(studio: Command) -> None:
    with studio.client() as client:
        client.send(raw.get("/courses/1/live"))
        assert b"text/event-stream" in client.read_until(b"data: 8")
        assert studio.request(form("/courses/1", name="Ada")).status == 303
        client.read_until(b"data: 7")
    assert studio.request(raw.get("/courses/99/live")).status == 404


def test_what_the_studio_counts_and_checks_is_seen(small: dict[str, str]) -> None:
    options = ("--workers", "2", "--admin-bind", "127.0.0.1:0")
    env = small | {"STUDIO_POSTS_PER_MINUTE": "1000"}
    with Command("studio:app", *options, cwd=STUDIO, env=env) as command:
        wait_ready(command, 2)
        for n in range(10):
            command.request(form("/courses/1", name=f"visitor {n}"))
        wanted = {
            'studio_bookings_total{result="taken"} 8',
            'studio_bookings_total{result="full"} 2',
            'studio_letters_total{result="written"} 8',
            'celadon_health_check_up{check="database"} 1',
        }
        wait_until(lambda: (p := scrape(command), wanted <= p))


def wait_told(page: ClientConnection, free: int, *names: str) -> None:
    """Until a board says so: what it says on the way may be of the moment between."""
    while json.loads(page.recv(raw.TIMEOUT)) != {"free": free, "names": [*names]}:
        continue


def test_the_board_of_a_course_is_told_whoever_books(small: dict[str, str]) -> None:
    """In whichever worker: both have the same course open, and take bookings of it."""
    with (
        Command("studio:app", "-w", "2", cwd=STUDIO, env=small) as command,
        contextlib.ExitStack() as pages,
    ):
        wait_ready(command, 2)
        boards = [
            pages.enter_context(websocket(command, "/courses/1/board"))
            for _ in range(4)
        ]
        for board in boards:
            wait_told(board, 8)
        for n, name in enumerate(("Ada", "Grace", "Edith"), 1):
            assert command.request(form("/courses/1", name=name)).status == 303
            for board in boards:
                wait_told(board, 8 - n, *("Ada", "Grace", "Edith")[:n])
        boards.pop().close()
        command.signal(signal.SIGTERM)
        for board in boards:
            with pytest.raises(ConnectionClosed) as ended:
                board.recv(raw.TIMEOUT)
            assert ended.value.rcvd
            assert ended.value.rcvd.code == 1001
        assert command.wait() == 0


def test_a_board_that_there_is_not(small: dict[str, str]) -> None:
    with Command("studio:app", cwd=STUDIO, env=small) as command:
        asked = raw.get("/courses/99/board", *HANDSHAKE)
        assert command.request(asked).status == 404
        assert command.request(raw.get("/courses/1/board")).status == 400


ELSEWHERE = """
from studio import app
client = app.test_client()
words = {"Connection": "Upgrade", "Upgrade": "websocket"}
assert client.get("/courses/1/board", headers=words).status_code == 501
policy = client.get("/courses/1").headers["Content-Security-Policy"]
assert "default-src 'self'" in policy and "unsafe" not in policy, policy
"""


def test_a_server_without_websockets_says_so(small: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ELSEWHERE],
        cwd=STUDIO,
        env={**os.environ, **small},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_the_first_example() -> None:
    with Command("hello_flask:app", cwd=EXAMPLES) as command:
        assert "It works." in text(command.request(raw.get("/")))
        assert "Hello, Ada." in text(command.request(form("/", name="Ada")))
