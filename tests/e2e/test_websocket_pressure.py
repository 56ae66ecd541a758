"""WebSockets whose clients do not read, ask for much, or leave."""

from __future__ import annotations

import json
import resource
import select
import socket
import struct
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.metrics import admin_port, value
from tests.support.raw import TIMEOUT, get
from tests.support.servers import Command, wait_until
from tests.support.timing import once_right
from tests.support.websockets import HANDSHAKE, frame, opened, websocket

APP = "tests.apps.websockets:app"


@pytest.fixture(scope="module")
def server() -> Iterator[Command]:
    with Command(APP, "--admin-bind", "127.0.0.1:0") as command:
        yield command


def test_pongs_wait_for_their_client(server: Command) -> None:
    """They are bounded as answers are: who does not read is not read."""
    ping = frame(9, b"p" * 125)
    pong = b"\x8a\x7d" + b"p" * 125
    most = (64 << 20) // len(ping)
    with opened(server, "/echo") as client:
        client.sock.settimeout(2)
        flood = memoryview(ping * most)
        sent = 0
        with pytest.raises(TimeoutError):
            while sent < len(flood):
                sent += client.sock.send(flood[sent : sent + 65536])
        client.sock.settimeout(TIMEOUT)
        pings = -(-sent // len(ping))
        rest = threading.Thread(
            target=client.send, args=[flood[sent : pings * len(ping)]]
        )
        rest.start()
        assert client.read_exactly(pings * len(pong)) == pong * pings
        rest.join()
        client.send(frame(1, b"on"))
        assert client.read_exactly(4) == b"\x81\x02on"


def test_pongs_that_nobody_receives_beside_leave_no_work_behind() -> None:
    """Also more of them than one piece of the output holds: then all threads rest."""
    ping, pong = frame(9, b"p" * 125), b"\x8a\x7d" + b"p" * 125
    number = 200
    with Command(APP) as server, opened(server, "/naps") as client:
        for _ in range(3):
            client.send(ping * number)
            assert client.read_exactly(len(pong) * number) == pong * number
            before = switches(server.worker)
            time.sleep(0.5)  # the idle time that is measured
            # A few looks of each thread, not one every 100 us.
            assert switches(server.worker) - before < 200
        server.request(get("/open?nap"))


def switches(pid: int) -> int:
    """How often threads of a process have begun to wait."""
    count = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        text = (task / "status").read_text()
        count += int(text.partition("\nvoluntary_ctxt_switches:")[2].split()[0])
    return count


def test_any_number_may_send(server: Command) -> None:
    """Each waits for its turn: what waits for the client is bounded, and all of it comes."""
    with opened(server, "/senders") as client:
        client.read_exactly(1)
        client.buffer = b"\x81" + client.buffer
        wait_until(lambda: (sent(server), sum(sent(server).values()) > 0))
        assert sum(sent(server).values()) < 30
        head = b"\x81\x7f" + struct.pack("!Q", 1_000_000)
        letters = []
        for _ in range(60):
            message = client.read_exactly(len(head) + 1_000_000)
            assert message.startswith(head)
            letters.append(message[-1:])
            assert message[len(head) :] == letters[-1] * 1_000_000
        assert sorted(letters) == sorted([b"a", b"b", b"c"] * 20)


def sent(server: Command) -> dict[str, int]:
    counts: dict[str, int] = json.loads(server.request(get("/sent")).body)
    return {each: n for each, n in counts.items() if len(each) == 1}


def test_what_was_refused_was_not_sent(server: Command) -> None:
    with websocket(server, "/late") as ws:
        late = wait_until(lambda: (found := late_of(server), found is not None))
        numbers = [message[:8] for message in ws]
    assert numbers[-1] == "then"
    assert numbers[:-1] == [f"{number:08d}" for number in range(late)]


def late_of(server: Command) -> int | None:
    counts: dict[str, int] = json.loads(server.request(get("/sent")).body)
    return counts.get("late")


def test_who_reads_slowly_is_not_silent() -> None:
    """While it takes what was sent nothing is read of it, so that no answer to a ping is
    missed."""
    once_right(_reads_slowly)


def _reads_slowly() -> None:
    pings = ("--websocket-ping-interval", "0.2", "--websocket-ping-timeout", "0.2")
    with (
        Command(APP, *pings, "--admin-bind", "127.0.0.1:0") as server,
        opened(server, "/senders") as client,
    ):
        # Ten times as long as it may be silent.
        until = time.monotonic() + 2
        while time.monotonic() < until:
            assert len(client.sock.recv(200_000)) > 0
            select.select([], [], [], 0.05)
        assert value(server, "celadon_websockets") == 1
        assert value(server, "celadon_websocket_faults_total") == 0


def test_what_is_asked_for_is_not_kept(server: Command) -> None:
    """A handshake as large as may be costs an open WebSocket little."""
    asks = ["Sec-WebSocket-Extensions: x" + ";a" * 4000] * 6
    before = memory(server)
    clients = [opened(server, "/echo", *asks) for _ in range(40)]
    grown = memory(server) - before
    for client in clients:
        client.close()
    # 48 KB of head, and what the environ has of it; as lists they were 1.4 MB.
    assert grown < 40 * 300_000


def memory(server: Command) -> int:
    with open(f"/proc/{server.worker}/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def test_its_request_has_no_body_any_more(server: Command) -> None:
    with websocket(server, "/input") as ws:
        assert ws.recv(TIMEOUT) == "[b'', b'']"


def test_a_reset_ends_a_view_that_waits_for_others(server: Command) -> None:
    with opened(server, "/sleeps") as client:
        wait_until(lambda: (None, seen(server) == ["sleeps"]))
        client.sock.setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        )
    wait_until(lambda: (None, seen(server) == ["sleeps", "ended"]))


def seen(server: Command) -> list[str]:
    return server.request(get("/")).body.decode().split("\n")


@pytest.mark.row("WS01")
@pytest.mark.parametrize(
    "name", ["Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==", "Sec-WebSocket-Version: 13"]
)
def test_who_repeats_a_field_of_the_handshake_is_not_heard_again(
    server: Command, name: str
) -> None:
    with server.client() as client:
        client.send(get("/echo", *HANDSHAKE, name))
        answer = client.response()
        assert (answer.status, answer.get("Connection")) == (400, "close")
        assert client.read_to_end() == b""


def test_one_that_ends_its_connection_is_offered_none(server: Command) -> None:
    fields = ["Connection: Upgrade, close", *HANDSHAKE[1:]]
    answer = server.request(get("/echo", *fields))
    assert (answer.status, answer.body == b"WebSocket") == (200, False)


@pytest.mark.row("WS03")
def test_a_fault_is_said_and_counted() -> None:
    with Command(APP, "--admin-bind", "127.0.0.1:0") as server:
        with opened(server, "/echo") as client:
            client.send(frame(1, b"one"))
            assert client.read_exactly(5) == b"\x81\x03one"
            client.send(frame(3, b""))
            assert client.read_exactly(4)[2:] == b"\x03\xea"
        server.wait_line("GET /echo: WebSocket closed with 1002: .+")
        with opened(server, "/echo") as client:
            # A moment after its 101.
            accepted = "celadon_websockets_accepted_total"
            wait_until(lambda: (n := value(server, accepted), n == 2))
            assert value(server, "celadon_websockets") == 1
            assert value(server, "celadon_websocket_faults_total") == 1
            url = f"http://127.0.0.1:{admin_port(server)}/-/stats"
            with urllib.request.urlopen(url) as answer:
                stats = json.load(answer)["websockets"]
            assert stats == {"open": 1, "accepted": 2, "faults": 1}
            messages = "celadon_websocket_messages_total"
            assert value(server, messages, direction="received") == 1
            assert value(server, messages, direction="sent") == 1


@pytest.mark.row("WS06")
def test_compression_is_agreed_on_where_it_is_wanted(server: Command) -> None:
    text = "all work and no play " * 5000
    with (
        Command(APP, "--websocket-compression") as own,
        websocket(own, "/echo", compression="deflate") as ws,
    ):
        assert "permessage-deflate" in ws.response.headers["Sec-WebSocket-Extensions"]
        for message in (text, text.encode(), "", text):
            ws.send(message)
            assert ws.recv(TIMEOUT) == message
    with websocket(server, "/echo", compression="deflate") as ws:
        assert "Sec-WebSocket-Extensions" not in ws.response.headers
        ws.send(text)
        assert ws.recv(TIMEOUT) == text


def test_others_are_served_while_a_client_sends_much(server: Command) -> None:
    """Each of its messages costs time, and none has to be waited for."""
    with opened(server, "/costly") as client:
        client.send(frame(1, b"") * 4000)
        assert client.read_exactly(2) == b"\x81\x00"
        server.request(get("/"))
        assert costly(server) < 3000


def costly(server: Command) -> int:
    counts: dict[str, int] = json.loads(server.request(get("/sent")).body)
    return counts["costly"]


def test_one_that_has_ended_sends_and_has_nothing(server: Command) -> None:
    with websocket(server, "/kept") as ws:
        assert list(ws) == []
    answer = server.request(get("/after"))
    assert answer.body == b"None ClientDisconnected None True"


def test_who_asks_on_is_told_that_it_is_closed(server: Command) -> None:
    with websocket(server, "/asks") as ws:
        ws.send("one")
        assert ws.recv(TIMEOUT) == "text"
        assert ws.recv(TIMEOUT) == b"bytes"
        ws.send("two")
    told = ["ClientDisconnected"] * 2
    expected = repr([False, "one", False, "two", None, True, *told])
    wait_until(lambda: (None, seen(server) == [expected]))


@pytest.mark.row("WS08")
def test_the_transport_ends_with_the_conversation(server: Command) -> None:
    """And not when the view returns (RFC 6455 7.1.1)."""
    close = frame(8, b"\x03\xe8")
    server.request(get("/clear"))
    with opened(server, "/naps") as client:
        client.send(close)
        assert client.read_to_end() == b"\x88\x02\x03\xe8"
    with opened(server, "/naps?closes") as client:
        assert client.read_exactly(4) == b"\x88\x02\x03\xe8"
        client.send(close)
        assert client.read_to_end() == b""
    with opened(server, "/naps") as client:
        client.send(frame(3, b""))
        assert client.read_to_end()[2:4] == b"\x03\xea"
    assert seen(server) == ["nothing"]
    server.request(get("/open?nap"))
    wait_until(lambda: (None, seen(server) == ["woke up"]))
