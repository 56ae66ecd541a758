"""An enterprise's records: Tryton's own layer over psycopg 3 and its pool, a thread for the
time limit of each call, and caches that other processes are told of."""

from json import dumps

from tests.applications.application import Application, Page, Place, json
from tests.applications.crowd import CLIENTS
from tests.applications.databases import NAME, USER, renew

_PASSWORD = "secret-of-site"
_USERS = f"""
from trytond.pool import Pool
from trytond.transaction import Transaction
Pool.start()
with Transaction().start("{NAME}", 0, readonly=True):
    Pool().init()
with Transaction().start("{NAME}", 1) as transaction:
    Pool().get("res.user").create([
        {{"name": f"User {{number}}", "login": f"user{{number}}", "password": "{_PASSWORD}"}}
        for number in range({CLIENTS})
    ])
    transaction.commit()
"""


def _prepare(place: Place) -> None:
    place.write("password", _PASSWORD)
    place.write("users.py", _USERS)


def _set_up(place: Place, environment: dict[str, str]) -> None:
    def fill() -> None:
        words = ("-u", "ir", "res", "party", "--activate-dependencies")
        place.run("trytond-admin", *words, "--email", "me@site.com", **environment)
        place.run("python", "users.py", **environment)

    renew(environment["POSTGRES_PORT"], fill)


# What is long says that it is compressed, whoever asks.
_PACKED = "Accept-Encoding: gzip"


def _called(method: str, *params: object, again: bool | None = None) -> Page:
    """A number may be the name of one that is kept."""
    body = dumps({"id": 7, "method": method, "params": [*params, {}]})
    for name in ("party", "address", "copy"):
        body = body.replace(f'"${name}"', f"${name}")
    page = json(f"/{NAME}/rpc/", body, "POST", _PACKED)
    return Page(page.path, page.method, page.fields, page.body, again=again)


def _root(method: str) -> Page:
    return json("/rpc/", dumps({"id": 1, "method": method, "params": []}))


def _login(name: str, password: str) -> Page:
    params = [name, {"password": password}, "en"]
    return json(f"/{NAME}/session/login", dumps({"params": params}))


_PARTY = "model.party.party"
_ID = r'"result":\[(\d+)'
_OF_MINE = [["name", "=", "$mark-new"]]

APPLICATION = Application(
    name="trytond",
    packages=("trytond==8.2.1", "trytond-party==8.2.0", "psycopg[binary,pool]==3.3.9"),
    target=("trytond.application:app",),
    prepare=_prepare,
    set_up=_set_up,
    environment={
        "POSTGRES_PORT": "{postgres_port}",
        "TRYTOND_DATABASE_URI": f"postgresql://{USER}@127.0.0.1:{{postgres_port}}/",
        "TRYTOND_DATABASE_NAMES": NAME,
        "TRYTONPASSFILE": "{folder}/password",
    },
    pages=(
        Page("/"),
        Page("/nowhere"),
        Page("/rpc/"),
        Page("/", "OPTIONS", again=True),
        _root("common.server.version"),
        _root("common.authentication.services"),
        json(f"/{NAME}/rpc/", "no json"),
        json("/nothing/rpc/", '{"method": "x", "params": []}'),
        _called(f"{_PARTY}.fields_get", []),
        _login("user0", "wrong"),
        _login("user0", _PASSWORD),
        _called(f"{_PARTY}.fields_get", [], again=True),
        _called(f"{_PARTY}.fields_view_get", None, "form", again=True),
        _called("model.ir.ui.menu.search", [], 0, 50, None, again=True),
        _called(f"{_PARTY}.nothing", again=True),
        _called("model.nothing.read", [1], ["name"], again=True),
        _called(f"{_PARTY}.read", [999999], ["name"], again=True),
        _called(f"{_PARTY}.search", [["nothing", "=", 1]], again=True),
    ),
    story=(
        _login("user$client", _PASSWORD).gives(200, "tryton_session="),
        _called("model.res.user.get_preferences", True).gives(200, '"result":{'),
        _called(f"{_PARTY}.create", [{"name": "$mark"}]).gives(200, party=_ID),
        _called(f"{_PARTY}.read", ["$party"], ["name", "create_uid.login"]).gives(
            200, '"$mark"', '"user$client"', again=True
        ),
        _called(f"{_PARTY}.write", ["$party"], {"name": "$mark-new"}).gives(
            200, '"result":null'
        ),
        _called(f"{_PARTY}.read", ["$party"], ["rec_name"]).gives(
            200, '"$mark-new"', again=True
        ),
        _called(f"{_PARTY}.search_count", _OF_MINE, 0, None).gives(
            200, '"result":1', again=True
        ),
        _called(
            "model.party.address.create",
            [{"party": "$party", "street": "$mark-street", "city": "Site"}],
        ).gives(200, address=_ID),
        _called("model.party.address.read", ["$address"], ["rec_name"]).gives(
            200, "$mark-street", again=True
        ),
        _called(f"{_PARTY}.copy", ["$party"], {"name": "$mark-copy"}).gives(
            200, copy=_ID
        ),
        _called(f"{_PARTY}.read", ["$copy"], ["name"]).gives(
            200, "$mark-copy", again=True
        ),
        _called(f"{_PARTY}.delete", ["$party", "$copy"]).gives(200, '"result":null'),
        _called(f"{_PARTY}.search_count", _OF_MINE, 0, None).gives(200, '"result":0'),
        json(f"/{NAME}/session/logout", '{"params": []}').gives(200),
        _called(f"{_PARTY}.search_count", [], 0, None).gives(401),
    ),
    varies=(
        r"tryton_session=([^;]+)",
        r"\w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT",
        r'"timestamp":"([\d.]+)"',
    ),
)
