"""psycopg2: whatever its connections are asked, and by how many, the worker goes on."""

from __future__ import annotations

import pytest

from tests.drivers.test_drivers import prelude
from tests.support.green import run_green
from tests.support.services import Services

HELD = """
import io
other, conn, spare = connect(), connect(), connect()
def held():
    # A query on `conn` that lasts until `release()`; the watcher sees that it waits.
    ask(other, "SELECT pg_advisory_lock(42)::text")
    task = green.spawn(ask, conn, "SELECT pg_advisory_lock(42)::text")
    until("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted", 1)
    return task
def release(): ask(other, "SELECT pg_advisory_unlock(42)")
def until(sql, count):
    while ask(spare, sql) != count: spare.rollback()
    spare.rollback()
"""

# What may be asked of a connection that another greenlet's query is on, and what of it
# was made before.
CALLS = {
    "close": "conn.close()",
    "commit": "conn.commit()",
    "rollback": "conn.rollback()",
    "with": "conn.__enter__(); conn.__exit__(None, None, None)",
    "reset": "conn.reset()",
    "set_session": "conn.set_session(readonly=True)",
    "autocommit": "conn.autocommit = True",
    "isolation_level": "conn.isolation_level = 1",
    "set_isolation_level": "conn.set_isolation_level(1)",
    "set_client_encoding": "conn.set_client_encoding('UTF8')",
    "tpc_recover": "conn.tpc_recover()",
    "lobject": "conn.lobject(0, 'wb')",
    "lobject_write": "large.write(b'large')",
    "lobject_close": "large.close()",
    "lobject_dropped": "globals().pop('large'); gc.collect()",
    "execute": "conn.cursor().execute('SELECT 1')",
    "copy": "conn.cursor().copy_expert('COPY numbers TO STDOUT', io.StringIO())",
    "named_execute": "conn.cursor('second').execute('SELECT 1')",
    "named_next": "next(named)",
    "named_scroll": "named.scroll(1)",
    "named_close": "named.close()",
}


@pytest.mark.row("R09")
@pytest.mark.parametrize("call", CALLS)
def test_every_call_of_a_connection_takes_its_turn(
    call: str, services: Services
) -> None:
    run_green(
        f"""
        conn.cursor().execute("CREATE TEMP TABLE numbers (n int)")
        named = conn.cursor("named"); named.execute("SELECT generate_series(1, 5000)")
        large = conn.lobject(0, "wb")
        def use():
            try: {CALLS[call]}
            except psycopg2.ProgrammingError as error:
                # Not within a transaction; that it says so took its turn, too.
                assert "transaction" in str(error), error
        first = held()
        second = green.spawn(use)
        _, count = ticks(release)
        first.get(); second.get()
        assert conn.closed or conn.info.transaction_status is not None
        """,
        prelude=prelude(services, "psycopg2") + HELD,
        malloc="default",
    )


@pytest.mark.row("R09")
def test_cancel_needs_no_turn(services: Services) -> None:
    run_green(
        """
        first = held()
        conn.cancel()
        error = raises(psycopg2.extensions.QueryCanceledError, first.get)
        conn.rollback()
        assert ask(conn, "SELECT 7") == 7
        conn.close()
        raises(psycopg2.InterfaceError, conn.cancel)
        """,
        prelude=prelude(services, "psycopg2") + HELD,
        malloc="default",
    )


@pytest.mark.row("G20")
@pytest.mark.parametrize("end", ["kill", "timeout", "own", "deadline"])
def test_a_query_that_is_killed_is_cancelled_on_the_server(
    end: str, services: Services
) -> None:
    run_green(
        f"""
        class Own(Exception): pass
        def long():
            if "{end}" == "kill": ask(conn, sql)
            with {{"timeout": lambda: green.Timeout(0.2), "own": lambda: green.Timeout(0.2, Own()),
                  "deadline": lambda: celadon.deadline(0.2)}}["{end}"](): ask(conn, sql)
        sql = f"SELECT pg_sleep(600), {{os.getpid()}}"  # others leave theirs there
        active = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query = '" + sql + "'"
        task = green.spawn(long)
        if "{end}" == "kill":
            until(active, 1)
            task.kill()
        task.join()
        assert task.exception is not None or "{end}" == "kill"
        assert conn.closed
        until(active, 0)
        """,
        prelude=prelude(services, "psycopg2") + HELD,
        malloc="default",
    )


@pytest.mark.row("G20")
def test_queries_wait_cooperatively_beside_copies(services: Services) -> None:
    run_green(
        """
        spare.autocommit = True
        spare.cursor().execute("CREATE TABLE IF NOT EXISTS copied (n int, t text)")
        class Slow:
            # A file whose rows come when somebody says so.
            def __init__(self): self.asked, self.go, self.left = threading.Event(), threading.Event(), 2
            def read(self, size):
                self.asked.set(); self.go.wait()
                self.left -= 1
                return "7\\tseven\\n" if self.left else ""
        files, conns = [Slow() for _ in range(4)], [connect() for _ in range(4)]
        statements = ["COPY copied FROM STDIN", b"COPY copied (n, t) FROM STDIN",
                      psycopg2.sql.SQL("COPY {} FROM STDIN").format(psycopg2.sql.Identifier("copied"))]
        def one(conn, file, statement):
            cursor = conn.cursor()
            if statement: cursor.copy_expert(statement, file)
            else: cursor.copy_from(file, "copied", columns=("n", "t"))
            conn.commit()
            return cursor.rowcount
        tasks = [green.spawn(one, *each) for each in zip(conns, files, [*statements, None])]
        for file in files: file.asked.wait()
        got, count = ticks(ask, other)
        assert got == 42 and count >= 3, "none of them holds up a query"
        # One that is killed is cancelled on the server, and its connection is usable: if
        # the kill comes while it copies, which a commit may follow.
        from celadon.drivers.psycopg2_cancel import Cancelling
        cancels, native = threading.Event(), Cancelling.finish
        Cancelling.finish = lambda *args: (cancels.set(), native(*args))
        tasks[3].kill(block=False)
        cancels.wait()
        for file in files: file.go.set()
        assert [task.get() for task in tasks[:3]] == [1] * 3
        tasks[3].join(); conns[3].rollback()
        out = io.StringIO(); conns[3].cursor().copy_to(out, "copied", sep=",", null="-", columns=["t", "n"])
        assert out.getvalue() == "seven,7\\n" * 3, out.getvalue()
        # What is refused, is refused as it was.
        cursor = conns[0].cursor()
        raises(psycopg2.ProgrammingError, cursor.copy_expert, "", io.StringIO())
        raises(TypeError, cursor.copy_expert, 7, io.StringIO())
        raises(TypeError, cursor.copy_expert, "COPY copied TO STDOUT", object())
        raises(psycopg2.errors.UndefinedTable, cursor.copy_from, io.StringIO(), "no.such"); conns[0].rollback()
        # The callback is back; on a busy machine one query may be over before others had a turn.
        assert any(ticks(ask, other)[1] >= 3 for _ in range(50))
        for each in conns: each.close()
        spare.cursor().execute("DROP TABLE copied")
        """,
        prelude=prelude(services, "psycopg2") + HELD,
        malloc="default",
    )


@pytest.mark.row("G20")
@pytest.mark.parametrize(
    "call",
    [
        "conn.cursor().copy_expert('COPY numbers TO STDOUT', io.StringIO())",
        "conn.lobject(0, 'wb').close()",
    ],
)
def test_nobody_is_about_to_look_for_the_callback_while_it_is_lifted(
    call: str, services: Services
) -> None:
    run_green(
        f"""
        from celadon.drivers import psycopg2_lift
        from celadon.patch.registry import original
        conn.cursor().execute("CREATE TEMP TABLE numbers (n int)")
        seen, over = [], []
        def busy():
            while not over: green.sleep(0)
        thread, native = original("_thread", "get_ident")(), psycopg2_lift.Callback.use
        def use(self):
            # It is about to be put back: what does the thread of the greenlets do?
            frame = sys._current_frames().get(thread)
            seen.append(frame and frame.f_code.co_name)
            native(self)
        psycopg2_lift.Callback.use = use
        beside = green.spawn(busy)
        {call}
        over.append(1); beside.join()
        assert seen[0] == "_stand_still", seen
        assert ask(other, "SELECT 7") == 7
        """,
        prelude=prelude(services, "psycopg2") + HELD,
        malloc="default",
    )


@pytest.mark.row("G20")
def test_a_late_cancel_meets_no_other_statement(services: Services) -> None:
    run_green(
        """
        from celadon.drivers import psycopg2_cancel
        from celadon.drivers.psycopg2_lift import Lift
        copied, ended, asked, cancels, go = (threading.Event() for _ in range(5))
        met = []
        def lifted(self, call, *args):
            try: return native(self, call, *args)
            finally: copied.set()
        native, Lift.lifted = Lift.lifted, lifted
        def request(self, conn):
            # What cancels is held up until there is nothing left of what it is meant for.
            send = native_request(self, conn)
            cancels.set()
            def late():
                copied.wait()
                met.append(ended.wait(0.2))
                return send()
            return late
        native_request, psycopg2_cancel.Cancelling._request = psycopg2_cancel.Cancelling._request, request
        class Slow:
            def read(self, size):
                asked.set(); go.wait()
                return ""
        conn.cursor().execute("CREATE TEMP TABLE copied (n int)")
        def copy():
            try: conn.cursor().copy_from(Slow(), "copied")
            finally: ended.set()
        task = green.spawn(copy)
        asked.wait()
        task.kill(block=False)
        cancels.wait()
        go.set()
        task.join()
        assert met == [False], "its caller goes on with the connection before it is sent"
        conn.rollback()
        assert ask(conn, "SELECT 7") == 7
        """,
        prelude=prelude(services, "psycopg2") + HELD,
        malloc="default",
    )


@pytest.mark.row("G20")
def test_what_the_server_has_not_read_yet_is_cancelled(services: Services) -> None:
    run_green(
        """
        import signal
        from celadon.drivers.psycopg2_cancel import Cancelling
        from celadon.drivers.psycopg2_lift import Lift
        native, native_lifted, cancels = Cancelling.finish, Lift.lifted, []
        sent = threading.Event()
        def lifted(self, call, *args):
            sent.set()
            return native_lifted(self, call, *args)
        Lift.lifted = lifted
        def finish(self, conn):
            native(self, conn)
            cancels.append(conn)
            os.kill(server, signal.SIGCONT)
        Cancelling.finish = finish
        server = conn.info.backend_pid
        with conn.cursor() as cursor: cursor.execute("SELECT 1")
        os.kill(server, signal.SIGSTOP)
        task = green.spawn(conn.cursor().copy_expert, "COPY (SELECT pg_sleep(600)) TO STDOUT", io.StringIO())
        sent.wait()
        task.kill()
        assert len(cancels) > 1, "the first meets a server that waits for a statement"
        conn.rollback()
        assert ask(conn, "SELECT pg_backend_pid()") == server
        """,
        prelude=prelude(services, "psycopg2") + HELD,
        malloc="default",
    )


def test_classes_of_the_application_stay_above_ours(services: Services) -> None:
    run_green(
        """
        from celadon._core.green import can_park
        from psycopg2.extensions import connection, cursor, lobject
        from psycopg2.extras import DictCursor, NamedTupleCursor
        seen = []
        class Cursor(DictCursor):
            def execute(self, sql, vars=None):
                seen.append(sql); return super().execute(sql, vars)
            def copy_expert(self, sql, *args):
                seen.append(sql); assert can_park(), 'on its greenlet'
                return super().copy_expert(sql, *args)
        class Connection(connection):
            def close(self): seen.append("close"); super().close()
        own = psycopg2.connect(host="127.0.0.1", port=postgres_port, user="celadon", dbname="celadon",
                               connection_factory=Connection, cursor_factory=Cursor)
        assert isinstance(own, Connection)
        with own, own.cursor() as c:
            assert isinstance(c, Cursor) and type(c).__name__ == "Cursor"
            c.execute("SELECT 1 AS one"); assert c.fetchone()["one"] == 1
            out = io.StringIO(); c.copy_expert("COPY (SELECT 7) TO STDOUT", out)
            assert out.getvalue() == "7\\n"
        with own.cursor("named", cursor_factory=NamedTupleCursor) as c:
            c.execute("SELECT generate_series(1, 3) AS n")
            assert [row.n for row in c] == [1, 2, 3]
        own.close()
        assert seen == ["SELECT 1 AS one", "COPY (SELECT 7) TO STDOUT", "close"], seen
        for got, kind in ((conn, connection), (conn.cursor(), cursor), (conn.lobject(), lobject)):
            assert isinstance(got, kind) and type(got).__name__ == kind.__name__
        assert (conn.autocommit, conn.readonly) == (False, None)
        conn.rollback(); conn.autocommit = True; assert conn.autocommit
        """,
        prelude=prelude(services, "psycopg2") + HELD,
        malloc="default",
    )
