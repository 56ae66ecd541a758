"""PostgreSQL in a browser: Flask with sessions in files, a connection for each who looks, and
queries of psycopg's coroutines that run in threads of their own."""

import sqlite3
from contextlib import closing
from json import dumps, loads

from tests.applications.application import Application, Page, Place, form, json
from tests.applications.crowd import CLIENTS
from tests.applications.guest import Guest
from tests.support.servers import wait_until

_CONFIG = """
DATA_DIR = "{folder}/data"
UPGRADE_CHECK_ENABLED = False
AUTO_DISCOVER_SERVERS = False
LLM_ENABLED = False
"""
# Where the database listens is known once it has been started.
_SERVERS = """
from pgadmin4.setup import create_app
from pgadmin.model import Server, ServerGroup, db
with create_app("pgAdmin 4-cli").app_context():
    for group in ServerGroup.query.all():
        db.session.add(Server(
            user_id=group.user_id, servergroup_id=group.id, name="Mine", host="127.0.0.1",
            port=5432, maintenance_db="celadon", username="celadon", save_password=1,
            password=b"", use_ssh_tunnel=0, tunnel_authentication=0, tunnel_prompt_password=0,
            shared=False, connection_params={"sslmode": "disable"}))
    db.session.commit()
"""
_ENVIRONMENT = {
    "CONFIG_DISTRO_FILE_PATH": "{folder}/config.py",
    "PGADMIN_SETUP_EMAIL": "admin@site.com",
    "PGADMIN_SETUP_PASSWORD": "secret",
}


def _prepare(place: Place) -> None:
    place.write("config.py", _CONFIG)
    users = [
        {"email": f"user{number}@site.com", "password": "secret", "role": "User"}
        for number in range(CLIENTS)
    ]
    place.write("users.json", dumps({"users": users}))
    place.write("servers.py", _SERVERS)
    environment = {
        name: text.replace("{folder}", str(place.folder))
        for name, text in _ENVIRONMENT.items()
    }
    place.run("pgadmin4-cli", "setup-db", **environment)
    place.run("pgadmin4-cli", "load-users", "users.json", **environment)
    place.run("python", "servers.py", **environment)


def _set_up(place: Place, environment: dict[str, str]) -> None:
    path = place.folder / "data/pgadmin4.db"
    with closing(sqlite3.connect(path)) as base, base:
        base.execute("UPDATE server SET port = ?", (environment["PGPORT"],))


# All requests of a session share one object, and a cookie is set for whoever ends first once
# that has changed: by the browser's page, or since it was read anew, as it is behind a ping.
# Of a crowd with one session that is chance. Stories have sessions of their own.
_PING = Page("/misc/ping", again=False)
_BROWSER = Page("/browser/", again=False)
_CSRF = "X-pgA-CSRFToken: $token"
_LOGIN = Page("/login", keep={"token": r'"csrfToken": ?"([\w.-]+)"'})
_UTILS = Page("/browser/js/utils.js", keep={"token": r"csrf_token'\] = '([\w.-]+)'"})


def _enter(name: str, password: str) -> Page:
    return form(
        "/authenticate/login",
        csrf_token="$token",
        email=f"{name}%40site.com",
        password=password,
        internal_button="Login",
    )


def _asked(path: str, method: str = "GET", again: bool | None = None) -> Page:
    return Page(path, method, (_CSRF,), again=again)


def _sent(path: str, value: object, method: str = "POST") -> Page:
    return json(path, dumps(value), method, _CSRF)


_ID = r'"_id":"?(\d+)'
_SERVER = {
    "name": "$mark-server",
    "host": "127.0.0.1",
    "port": "$port",
    "db": "celadon",
    "username": "celadon",
    "shared": False,
    "connection_params": [
        {"name": "sslmode", "keyword": "sslmode", "value": "disable"}
    ],
}
_MINE = "$group/$mine"
_SCHEMA = "$group/$mine/$did/$schema"


def _result(guest: Guest, *before: Page) -> str:
    """Of a query, once it has ended; each time that it is asked for, `before` are as well."""

    def look() -> tuple[str, bool]:
        for page in before:
            guest.visitor.ask(page)
        said = loads(guest.visitor.ask(_asked("/sqleditor/poll/7")).body)
        data = said["data"] or {}
        status = data.get("status")
        return f"{said['errormsg']} {status} {data.get('result')}", status != "Busy"

    return str(wait_until(look))


def _queries(guest: Guest) -> None:
    """Rows, what takes time, errors and what is cancelled, in the query tool."""
    ask = guest.visitor.ask

    def start(query: str) -> None:
        response = ask(_sent("/sqleditor/query_tool/start/7", query))
        guest.hear(f"{response.status} for {query}")

    for page in (_LOGIN, _enter("user0", "secret"), _UTILS):
        ask(page)
    ask(_asked("/browser/nodes/").gives(200, home=_ID))
    ask(_asked("/browser/server/nodes/$home/").gives(200, server=_ID))
    first = "/sqleditor/initialize/sqleditor/7/$home/$server"
    guest.hear(str(ask(_sent(first, {"dbname": "celadon"})).status))
    many = f"SELECT '{guest.mark}', n * n FROM generate_series(1, 700) n"
    for query in (many, "SELECT pg_sleep(0.1), 'slept'", "SELECT 1 / 0", "no query"):
        start(query)
        guest.hear(_result(guest))
    start("SELECT pg_sleep(60)")
    said = _result(guest, _sent("/sqleditor/cancel/7", {}))
    guest.hear(f"cancelled {'canceling statement' in said}")
    guest.hear(str(ask(_asked("/sqleditor/close/7", "DELETE")).status))
    ask(Page("/logout"))


APPLICATION = Application(
    name="pgadmin",
    packages=("pgadmin4==9.18",),
    target=("pgadmin4.pgAdmin4:app",),
    prepare=_prepare,
    set_up=_set_up,
    environment={"PGPORT": "{postgres_port}", **_ENVIRONMENT},
    pages=(
        Page("/"),
        _PING,
        _BROWSER,
        Page("/browser/js/endpoints.js"),
        Page("/browser/js/messages.js"),
        Page("/static/js/nothing.js"),
        Page("/nowhere"),
        _LOGIN,
        form("/authenticate/login", email="user1%40site.com", password="no+token"),
        _enter("user1", "wrong"),
        _LOGIN,
        _enter("admin", "secret"),  # whose servers no story changes
        _BROWSER,
        _UTILS,
        Page("/browser/browser.css"),
        Page("/browser/nodes/"),  # without the token of the page
        _asked("/browser/nodes/"),
        _asked("/browser/server_group/obj/"),
        _asked("/browser/server_group/obj/99"),
        _asked("/browser/server/obj/99/99"),
        _asked("/preferences/get_all"),
        _asked("/settings/"),
        _asked("/about/"),
        _sent("/browser/server_group/obj/", {"name": "Servers"}),
    ),
    # Who left in mid-answer would find the connection closed, or himself logged out.
    story=(
        _LOGIN,
        _enter("user$client", "secret").gives(302),
        Page("/browser/"),
        _UTILS.gives(200, "user$client@site.com", token=_UTILS.keep["token"]),
        _asked("/browser/nodes/").gives(200, home=_ID),
        _asked("/browser/server/nodes/$home/").gives(200, "Mine", server=_ID),
        _asked("/browser/server/obj/$home/$server").gives(200, port=r'"port":(\d+)'),
        _sent("/browser/server_group/obj/", {"name": "$mark"}).gives(
            200, "$mark", group=_ID
        ),
        _sent("/browser/server/obj/$group/", _SERVER).gives(200, "$mark", mine=_ID),
        _asked(f"/browser/server/obj/{_MINE}").gives(200, "$mark-server", again=False),
        _sent(f"/browser/server/connect/{_MINE}", {"password": ""}).gives(
            200, "Server connected", did=r'"did":(\d+)'
        ),
        _asked(f"/browser/server/connect/{_MINE}").gives(200, again=False),
        _asked(f"/browser/database/nodes/{_MINE}/").gives(200, "celadon", again=False),
        _sent(
            f"/browser/schema/obj/{_MINE}/$did/",
            {"name": "$mark", "namespaceowner": "celadon"},
        ).gives(200, "$mark", schema=_ID),
        _asked(f"/browser/schema/nodes/{_MINE}/$did/").gives(200, "$mark", again=False),
        _asked(f"/browser/schema/obj/{_SCHEMA}").gives(200, "$mark", again=False),
        _asked(f"/browser/schema/sql/{_SCHEMA}").gives(
            200, "CREATE SCHEMA", "$mark", again=False
        ),
        _asked(f"/browser/schema/obj/{_SCHEMA}", "DELETE").gives(200),
        _asked(f"/browser/schema/obj/{_SCHEMA}").gives(410, again=False),
        _asked(f"/browser/server/connect/{_MINE}", "DELETE").gives(200, "disconnected"),
        _asked(f"/browser/server/obj/{_MINE}", "DELETE").gives(200, "deleted"),
        _asked("/browser/server_group/obj/$group", "DELETE").gives(200),
        _asked("/browser/nodes/").gives(200, "Servers", lacks=("$mark",), again=False),
        Page("/logout", status=302, again=False),
        Page("/browser/", status=302),
    ),
    acts=(_queries,),
    varies=(
        r'"csrfToken": ?"([\w.-]+)"',
        r"csrf_token'\] = '([\w.-]+)'",
        r"pga4_session=([^;]+)",
        r"\w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT",
        r"nonce[-=]\"?([\w-]+)",
    ),
    grows=True,  # it keeps what each session had
)
