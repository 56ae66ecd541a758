"""Datasette: pages, JSON and CSV of a database, written to by its queries."""

from json import dumps

from tests.applications.application import Application, Page, Place, json

_SITE = """
import sqlite3
from datasette.app import Datasette

FILE = "{folder}/library.db"
with sqlite3.connect(FILE) as db:
    db.execute("CREATE TABLE IF NOT EXISTS author (id INTEGER PRIMARY KEY, name TEXT)")
    db.execute("CREATE TABLE IF NOT EXISTS book (id INTEGER PRIMARY KEY, title TEXT,"
               " author INTEGER REFERENCES author(id), cover BLOB)")
    db.execute("CREATE TABLE IF NOT EXISTS loan (id TEXT PRIMARY KEY, reader TEXT)")
    if not db.execute("SELECT count(*) FROM author").fetchone()[0]:
        db.executemany("INSERT INTO author VALUES (?, ?)", [(i, f"Author {i} é") for i in range(50)])
        db.executemany("INSERT INTO book VALUES (?, ?, ?, ?)",
                       [(i, f"Title {i}", i % 50, b"\\x00\\xff" * 10) for i in range(3000)])
        db.execute("CREATE INDEX book_author ON book(author)")
db.close()
made = Datasette([FILE], secret="a secret", settings={"max_csv_mb": 10}, metadata={
    "title": "Library",
    "databases": {"library": {"queries": {
        "lend": {"sql": "INSERT INTO loan VALUES (:id, :reader)", "write": True},
        "change": {"sql": "UPDATE loan SET reader = :reader WHERE id = :id", "write": True},
        "end": {"sql": "DELETE FROM loan WHERE id = :id", "write": True},
        "of": {"sql": "SELECT * FROM author WHERE id < :id ORDER BY id"},
    }}}})
app = made.app()
"""


def _prepare(place: Place) -> None:
    place.write("site_datasette.py", _SITE)


def _written(query: str, **values: str) -> Page:
    return json(f"/library/{query}?_json=1", dumps(values))


APPLICATION = Application(
    name="datasette",
    packages=("datasette",),
    target=("site_datasette:app",),
    prepare=_prepare,
    peer="uvicorn",
    pages=(
        Page("/", again=False),
        Page("/", "HEAD", again=False),
        Page("/library", again=False),
        Page("/library/book"),
        Page("/library/book?_size=5&_sort_desc=title"),
        Page("/library/book?title__contains=99&_facet=author"),
        Page("/library/book/7"),
        Page("/library/book/7.json"),
        Page("/library/book/99999"),
        Page("/library/book.json?_size=3"),
        Page("/library/book.json?_shape=array&_size=2"),
        Page("/library/book.csv?_size=max"),
        Page("/library/book.csv?_stream=on"),
        Page("/library/book.blob?_blob_column=cover"),
        Page("/library/author.json?_labels=on"),
        Page("/library.json", again=False),
        Page("/library.json?sql=select+count(*)+from+book"),
        Page("/library.json?sql=select+nonsense"),
        Page("/library.json?sql=delete+from+book"),
        Page("/library?sql=select+*+from+author+limit+3"),
        Page("/library.db"),
        Page("/-/static/app.css"),
        Page("/-/versions.json"),
        Page("/-/settings.json"),
        Page("/-/databases.json"),
        Page("/-/actor.json"),
        Page("/nowhere"),
        Page("/nowhere/nothing.json"),
        Page("/library/book", "POST", body="a=1"),
        Page("/library/of?id=3"),
        Page("/library/of.json?id=3"),
        Page("/library/lend"),
        json("/library/lend?_json=1", "no json"),
        _written("lend", id="page", reader="some"),
        _written("lend", id="page", reader="another"),
        Page("/library/loan.json", again=False),
    ),
    story=(
        _written("lend", id="$mark", reader="$mark-a").gives(200, '"ok": true'),
        Page("/library/loan/$mark.json", status=200, shows=("$mark-a",)),
        _written("change", id="$mark", reader="$mark-b").gives(200, '"ok": true'),
        Page(
            "/library/loan/$mark.json",
            status=200,
            shows=("$mark-b",),
            lacks=("$mark-a",),
        ),
        Page(
            "/library/loan.json?id=$mark&_shape=array", status=200, shows=("$mark-b",)
        ),
        _written("end", id="$mark").gives(200, '"ok": true'),
        Page("/library/loan/$mark.json", status=404),
    ),
    varies=(
        r"[\d.]+ ?ms",
        r"took [\d.]+",
        r"ds_csrftoken=([^;]+)",
        r'csrftoken" value="([^"]*)"',
        r'"(?:asgi|uptime)": "[^"]*"',
        r'"query_ms": [\d.]+',
    ),
)
