"""HTTP clients, and asyncio clients from synchronous code."""

from __future__ import annotations

import pytest

from tests.green.test_sockets import SOCKETS
from tests.support.green import run_green
from tests.support.libraries import shown
from tests.support.services import Services

SLOW_SERVER = (
    SOCKETS
    + """
import http.server
class Slow(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        time.sleep(0.2)
        # As Elasticsearch would, which no registry of packages has.
        found = b'{"_id": "42"}' if self.path.startswith("/numbers") else b"42"
        self.send_response(200); self.send_header("Content-Length", str(len(found)))
        self.send_header("X-Elastic-Product", "Elasticsearch")
        self.send_header("Content-Type", self.headers["Accept"] if found != b"42" else "text/plain")
        self.end_headers(); self.wfile.write(found)
    def log_message(self, *args): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Slow)
thread = threading.Thread(target=server.serve_forever); thread.start()
url = f"http://localhost:{server.server_port}/"
"""
)
CLIENTS = {
    "requests": "import requests\nsession = requests.Session()\ndef get(): return session.get(url).text",
    "urllib3": "import urllib3\nhttp = urllib3.PoolManager(maxsize=20)\n"
    "def get(): return http.request('GET', url).data.decode()",
    "httpx": "import httpx\nclient = httpx.Client(timeout=TIMEOUT)\ndef get(): return client.get(url).text",
    "urllib": "import urllib.request\ndef get(): return urllib.request.urlopen(url).read().decode()",
    "httpx_async": "import asyncio, httpx\nasync def fetch():\n"
    "    async with httpx.AsyncClient(timeout=TIMEOUT) as client: return (await client.get(url)).text\n"
    "def get(): return asyncio.run(fetch())",
    "aiohttp": "import asyncio, aiohttp\nasync def fetch():\n"
    "    async with aiohttp.ClientSession() as client, client.get(url) as answer: return await answer.text()\n"
    "def get(): return asyncio.run(fetch())",
    "elasticsearch": "import elasticsearch\nclient = elasticsearch.Elasticsearch(url)\n"
    "def get(): return client.get(index='numbers', id='42')['_id']",
}


@pytest.mark.parametrize("client", shown(CLIENTS, urllib=""))
def test_http_clients(client: str) -> None:
    run_green(
        CLIENTS[client]
        + """
got, count = ticks(get)
assert got == "42" and count >= 3, (got, count)
tasks = [green.spawn(get) for _ in range(10)]
assert [task.get() for task in tasks] == ["42"] * 10
server.shutdown(); thread.join(); server.server_close()
""",
        prelude=SLOW_SERVER,
        malloc="default",
    )


@pytest.mark.library("asyncpg")
def test_asyncpg_in_a_view_and_from_a_loop_of_its_own(services: Services) -> None:
    run_green(
        """
        import asyncio, asyncpg
        dsn = f"postgresql://celadon@127.0.0.1:{postgres_port}/celadon"
        async def ask():
            conn = await asyncpg.connect(dsn)
            try: return await conn.fetchval("SELECT 42 FROM pg_sleep(0.2)")
            finally: await conn.close()
        got, count = ticks(lambda: asyncio.run(ask()))
        assert got == 42 and count >= 3, (got, count)
        tasks = [green.spawn(lambda: asyncio.run(ask())) for _ in range(5)]
        assert [task.get() for task in tasks] == [42] * 5
        # A loop in a native thread, with a pool that all greenlets share.
        loop = asyncio.new_event_loop()
        thread = green.native_thread(loop.run_forever)
        def call(coroutine): return asyncio.run_coroutine_threadsafe(coroutine, loop).result()
        async def make(): return await asyncpg.create_pool(dsn, min_size=1, max_size=3)
        pool = call(make())
        async def use(n): return await pool.fetchval(f"SELECT {n} FROM pg_sleep(0.2)")
        got, count = ticks(lambda: call(use(7)))
        assert got == 7 and count >= 3, (got, count)
        tasks = [green.spawn(call, use(n)) for n in range(10)]
        assert [task.get() for task in tasks] == list(range(10))
        call(pool.close()); loop.call_soon_threadsafe(loop.stop); thread.join(); loop.close()
        """,
        prelude=SOCKETS + services.names("postgres_port"),
        malloc="default",
    )
