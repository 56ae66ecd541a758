"""Charts over databases: Flask-AppBuilder with SQLAlchemy 1.4, tokens, a catalogue in
PostgreSQL, and queries by pandas."""

from json import dumps

from tests.applications.application import Application, Page, Place, json
from tests.applications.crowd import CLIENTS
from tests.applications.databases import NAME, USER, renew

# A login costs no second of computing, and nobody waits half a minute for a connection.
_CONFIG = f"""
import os
_WHERE = "postgresql+psycopg2://{USER}@127.0.0.1:" + os.environ["POSTGRES_PORT"]
SECRET_KEY = "not so secret, but for fifty characters long enough"
SQLALCHEMY_DATABASE_URI = _WHERE + "/{NAME}"
SQLALCHEMY_ENGINE_OPTIONS = {{"pool_size": {2 * CLIENTS}}}
SQLALCHEMY_EXAMPLES_URI = _WHERE + "/{USER}"
FAB_PASSWORD_HASH_METHOD = "pbkdf2:sha256:100"
"""
_USERS = f"""
from superset.app import create_app
with create_app().app_context():
    from superset import security_manager as users
    from superset.extensions import db
    role = users.find_role("Admin")
    for number in range({CLIENTS}):
        name = f"user{{number}}"
        assert users.add_user(name, name, "Site", f"{{name}}@site.test", role, "secret")
    db.session.commit()
"""


def _prepare(place: Place) -> None:
    place.write("config.py", _CONFIG)
    place.write("users.py", _USERS)


def _set_up(place: Place, environment: dict[str, str]) -> None:
    port = environment["POSTGRES_PORT"]
    uri = f"postgresql+psycopg2://{USER}@127.0.0.1:{port}/{USER}"

    def fill() -> None:
        for words in (
            ("db", "upgrade"),
            ("init",),
            ("set-database-uri", "-d", "Numbers", "-u", uri),
        ):
            place.run("superset", *words, **environment)
        place.run("python", "users.py", **environment)

    renew(port, fill)


_API = "/api/v1"
_BEARER = "Authorization: Bearer $access"
_SQL = "SELECT '$mark' AS mark, n * n AS square FROM generate_series(1, 50) n"


def _asked(path: str, method: str = "GET") -> Page:
    fields = (_BEARER, "X-CSRFToken: $csrf", "Referer: http://site.test/")
    return Page(f"{_API}/{path}", method, fields)


def _sent(path: str, body: str, method: str = "POST") -> Page:
    asked = _asked(path)
    return json(asked.path, body, method, *asked.fields)


def _login(name: str, password: str) -> Page:
    values = {"username": name, "password": password, "provider": "db"}
    return json(f"{_API}/security/login", dumps(values))


_ACCESS = r'"access_token": ?"([^"]+)"'
_CSRF = Page(
    f"{_API}/security/csrf_token/",
    fields=(_BEARER,),
    keep={"csrf": r'"result": ?"([^"]+)"'},
)
_ID = r'"id":\s*(\d+),\s*"result"'
_CHART = (
    '{"slice_name": "$mark-chart", "viz_type": "table", "datasource_id": $dataset,'
    ' "datasource_type": "table", "params": "{}"}'
)
_ROWS = (
    '{"datasource": {"id": $dataset, "type": "table"}, "result_format": "json",'
    ' "result_type": "full", "queries": [{"columns": ["mark", "square"], "metrics": [],'
    ' "orderby": [["square", true]], "row_limit": 100}]}'
)

APPLICATION = Application(
    name="superset",
    # It imports cachetools and rich, and nothing that it asks for has them; its cache in the
    # database takes no option of later versions of Flask-Caching.
    packages=(
        "apache-superset==6.1.0",
        "cachetools==8.0.2",
        "flask-caching==2.3.1",
        "psycopg2-binary==2.9.13",
        "rich==15.0.0",
    ),
    target=("superset.app:create_app()",),
    prepare=_prepare,
    set_up=_set_up,
    environment={
        "SUPERSET_CONFIG_PATH": "{folder}/config.py",
        "SUPERSET_HOME": "{folder}/home",
        "POSTGRES_PORT": "{postgres_port}",
    },
    pages=(
        Page("/health"),
        Page("/", "HEAD"),
        Page("/login/"),
        Page("/superset/welcome/"),
        Page("/nowhere"),
        Page(f"{_API}/database/"),
        Page(f"{_API}/_openapi"),
        _login("user0", "wrong"),
        json(f"{_API}/security/login", "no json"),
        _login("user0", "secret").gives(200, access=_ACCESS),
        _CSRF,
        _asked("me/"),
        _asked("menu/"),
        _asked("database/"),
        _asked("database/1"),
        _asked("database/1/schemas/"),
        _asked("dashboard/_info"),
        _asked("chart/99"),
        _asked("dataset/nothing"),
        _asked("dashboard/?q=no!rison("),
        _sent("dataset/", "no json"),
        _sent("sqllab/execute/", dumps({"database_id": 99, "sql": "SELECT 1"})),
    ),
    story=(
        _login("user$client", "secret").gives(200, access=_ACCESS),
        _CSRF,
        _asked("me/").gives(200, "user$client", again=True),
        _sent("sqllab/execute/", dumps({"database_id": 1, "sql": _SQL})).gives(
            200, "$mark", "2500"
        ),
        _sent(
            "dataset/",
            dumps(
                {
                    "database": 1,
                    "schema": "public",
                    "table_name": "$mark",
                    "sql": _SQL,
                }
            ),
        ).gives(201, "$mark", dataset=_ID),
        _asked("dataset/$dataset").gives(200, "square", "$mark", again=True),
        _sent("chart/data", _ROWS).gives(200, "$mark", "2500", again=True),
        _sent("chart/", _CHART).gives(201, "$mark-chart", chart=_ID),
        _asked("chart/$chart").gives(200, "$mark-chart", again=True),
        _sent(
            "dashboard/", dumps({"dashboard_title": "$mark-board", "slug": "$mark"})
        ).gives(201, board=_ID),
        _asked("dashboard/$mark").gives(200, "$mark-board", again=True),
        _sent("dashboard/$board", '{"dashboard_title": "$mark-new"}', "PUT").gives(
            200, "$mark-new"
        ),
        _asked("dashboard/$mark").gives(
            200, "$mark-new", lacks=("$mark-board",), again=True
        ),
        _asked("dashboard/$board/charts").gives(200),
        _asked("dashboard/$board", "DELETE").gives(200),
        _asked("dashboard/$mark").gives(404),
        _asked("chart/$chart", "DELETE").gives(200),
        _asked("dataset/$dataset", "DELETE").gives(200),
        _asked("dataset/$dataset").gives(404),
    ),
    varies=(
        r'"(?:access_token|result)": ?"([\w.-]{40,})"',
        r"session=([^;]+)",
        r"nonce[-=]\"?([\w+/=-]+)",
        r'csrf_token[^>]*?value="([^"]+)"',
        r"\w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT",
        r"\d{4}-\d\d-\d\d[T ][\d:.]+(?:\+00:00|Z)?",
        r"(?:\d+|a|an) (?:second|minute|hour)s? ago|now",
        r'"uuid": ?"([\w-]+)"',
        r"<function \w+ at (0x\w+)>",
    ),
)
