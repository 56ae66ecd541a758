"""A store of records on Pyramid, started from an ini file."""

import re

from tests.applications.application import Application, Page, Place, json

_ANN = "Authorization: Basic YW5uOnNlY3JldA=="


def _prepare(place: Place) -> None:
    words = ("--backend", "memory", "--cache-backend", "memory", "--host", "127.0.0.1")
    place.run("kinto", "init", "--ini", "kinto.ini", *words)
    ini = place.folder / "kinto.ini"
    without = r"(?m)^multiauth[.].*\n|kinto[.]plugins[.]accounts$"
    text = re.sub(without, "", ini.read_text())
    basic = "[app:main]\nmultiauth.policies = basicauth\n"
    ini.write_text(text.replace("[app:main]\n", basic, 1))


def _page(
    path: str, *fields: str, method: str = "GET", again: bool | None = None
) -> Page:
    return Page(f"/v1{path}", method, (_ANN, *fields), again=again)


def _put(path: str, body: str, method: str = "PUT", *fields: str) -> Page:
    return json(f"/v1{path}", body, method, _ANN, *fields)


_RECORDS = "/buckets/blog/collections/posts/records"

APPLICATION = Application(
    name="kinto",
    packages=("kinto==26.5.0", "setuptools==80.10.2"),  # pyramid imports pkg_resources
    target=("--paste", "kinto.ini"),
    prepare=_prepare,
    pages=(
        Page("/"),
        Page("/v1/"),
        Page("/v1/__heartbeat__"),
        Page("/v1/__lbheartbeat__"),
        Page("/v1/buckets"),
        _put("/buckets/blog", '{"permissions": {"read": ["system.Everyone"]}}'),
        _put("/buckets/blog/collections/posts", "{}"),
        *(_put(f"{_RECORDS}/r{i}", f'{{"data": {{"n": {i}}}}}') for i in range(10)),
        _put(f"{_RECORDS}/r1", '{"data": {"title": "é"}}', "PATCH"),
        _put(f"{_RECORDS}/r1", "no json"),
        _put(f"{_RECORDS}/r1", '{"data": {}}', "PUT", "If-None-Match: *"),
        _page(_RECORDS),
        _page(f"{_RECORDS}?n=3"),
        _page(f"{_RECORDS}?_sort=-n&_limit=3"),
        _page(f"{_RECORDS}?_fields=n&_sort=n"),
        _page(_RECORDS, method="HEAD"),
        _page(f"{_RECORDS}/r1"),
        _page(f"{_RECORDS}/r3", method="DELETE", again=False),
        _page(f"{_RECORDS}/r3", method="DELETE", again=True),
        _page(f"{_RECORDS}/nothing"),
        _page("/buckets/nothing"),
        _page("/nowhere"),
        _put(
            "/batch",
            '{"defaults": {"method": "GET"}, "requests": ['
            '{"path": "/buckets/blog"}, {"path": "/v1/buckets/blog/groups"}]}',
            "POST",
        ),
        Page("/v1/__api__"),
        Page("/v1/buckets", fields=("Authorization: nonsense",)),
    ),
    varies=(
        r"\b1\d{12}\b",
        r"\w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT",
        r"_token=([^&>\"]*)",
        r"[0-9a-f]{64}",
    ),
)
