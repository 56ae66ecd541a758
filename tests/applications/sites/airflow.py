"""Workflows of Airflow 2: Flask-AppBuilder and Connexion over PostgreSQL, with templates that
read much of the database, and an interface where each request proves who asks."""

from json import dumps

from tests.applications.application import Application, Page, Place, form, json
from tests.applications.crowd import CLIENTS
from tests.applications.databases import NAME, USER, renew

_CONFIG = """
from flask_appbuilder.const import AUTH_DB
AUTH_TYPE = AUTH_DB
AUTH_RATE_LIMITED = False
RATELIMIT_ENABLED = False
WTF_CSRF_ENABLED = True
"""
# A login costs no second of computing.
_USERS = f"""
from werkzeug.security import generate_password_hash
from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder
with get_application_builder() as builder:
    users = builder.sm
    role = users.find_role("Admin")
    for number in range({CLIENTS}):
        name = f"user{{number}}"
        password = generate_password_hash("secret", "pbkdf2:sha256:100")
        who = (name, name, "Site", f"{{name}}@site.test", role)
        assert users.add_user(*who, hashed_password=password)
"""
_DAG = """
from datetime import datetime
from airflow import DAG
from airflow.operators.empty import EmptyOperator
with DAG("site", start_date=datetime(2024, 1, 1), schedule=None, catchup=False) as dag:
    last = EmptyOperator(task_id="first")
    for number in range(20):
        last = last >> EmptyOperator(task_id=f"task{number}")
"""
_WHERE = f"postgresql+psycopg2://{USER}@127.0.0.1:{{postgres_port}}/{NAME}"
_BACKENDS = "airflow.providers.fab.auth_manager.api.auth.backend"


def _prepare(place: Place) -> None:
    place.write("webserver_config.py", _CONFIG)
    place.write("users.py", _USERS)
    place.write("dags/site.py", _DAG)


def _set_up(place: Place, environment: dict[str, str]) -> None:
    def fill() -> None:
        place.run("airflow", "db", "migrate", **environment)
        place.run("airflow", "dags", "reserialize", **environment)
        place.run("python", "users.py", **environment)

    renew(environment["POSTGRES_PORT"], fill)


_BASIC = "Authorization: Basic $basic"
_OF_USER0 = "Authorization: Basic dXNlcjA6c2VjcmV0"
_TOKEN = {"token": r'name="csrf_token"[^>]*value="([^"]+)"'}


def _asked(path: str, method: str = "GET", who: str = _BASIC) -> Page:
    return Page(f"/api/v1/{path}", method, (who,))


def _sent(path: str, value: object, method: str = "POST") -> Page:
    return json(f"/api/v1/{path}", dumps(value), method, _BASIC)


def _login(name: str, password: str) -> Page:
    values = {"csrf_token": "$token", "username": name, "password": password}
    return form("/login/", **values)


_CONNECTION = {"connection_id": "$mark", "conn_type": "http", "host": "$mark-host"}
_RUN = "dags/site/dagRuns/$mark"

APPLICATION = Application(
    name="airflow",
    packages=("apache-airflow==2.11.2", "psycopg2-binary==2.9.13"),
    target=("airflow.www.app:cached_app()",),
    prepare=_prepare,
    set_up=_set_up,
    environment={
        "POSTGRES_PORT": "{postgres_port}",
        "AIRFLOW_HOME": "{folder}",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": _WHERE,
        # Nobody waits half a minute for a connection.
        "AIRFLOW__DATABASE__SQL_ALCHEMY_POOL_SIZE": str(2 * CLIENTS),
        "AIRFLOW__CORE__FERNET_KEY": "",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__WEBSERVER__SECRET_KEY": "x",
        "AIRFLOW__API__AUTH_BACKENDS": f"{_BACKENDS}.basic_auth,{_BACKENDS}.session",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
    },
    pages=(
        Page("/"),
        Page("/home"),
        Page("/nowhere"),
        Page("/static/nothing.js"),
        Page("/api/v1/version"),
        Page("/api/v1/dags"),
        Page("/api/v1/dags", fields=("Authorization: Basic nonsense",)),
        _asked("dags", who=_OF_USER0),
        _asked("dags/site", who=_OF_USER0),
        _asked("dags/site/tasks", who=_OF_USER0),
        _asked("dags/site/details", who=_OF_USER0),
        _asked("dags/nothing", who=_OF_USER0),
        _asked("variables/nothing", who=_OF_USER0),
        _asked("importErrors", who=_OF_USER0),
        Page("/login/", keep=_TOKEN),
        _login("user0", "wrong"),
        Page("/login/", keep=_TOKEN),
        _login("user0", "secret"),
        Page("/home", again=False),
        Page("/dags/site/grid", again=False),
        Page("/object/graph_data?dag_id=site"),
        Page("/dags/nothing/grid", again=False),
        Page("/users/userinfo/", again=False),
        Page("/roles/list/", again=False),
    ),
    story=(
        Page("/login/", keep=_TOKEN),
        _login("user$client", "secret").gives(302),
        Page("/home", shows=("site",)),
        _sent("variables", {"key": "$mark", "value": "$mark-one"}).gives(200, "$mark"),
        _asked("variables/$mark").gives(200, "$mark-one", again=True),
        Page("/variable/list/?_flt_3_key=$mark", shows=("$mark",)),
        _sent("variables/$mark", {"key": "$mark", "value": "$mark-two"}, "PATCH").gives(
            200
        ),
        _asked("variables/$mark").gives(
            200, "$mark-two", lacks=("$mark-one",), again=True
        ),
        _asked("variables/$mark", "DELETE").gives(204),
        _asked("variables/$mark").gives(404),
        _sent("connections", _CONNECTION).gives(200, "$mark-host"),
        _asked("connections/$mark").gives(200, "$mark-host", again=True),
        _asked("connections/$mark", "DELETE").gives(204),
        _sent(
            "dags/site/dagRuns", {"dag_run_id": "$mark", "conf": {"mark": "$mark-conf"}}
        ).gives(200, "$mark-conf"),
        _asked(_RUN).gives(200, "$mark-conf", "queued", again=True),
        _asked(f"{_RUN}/taskInstances").gives(200, "task19", again=True),
        _sent(_RUN, {"state": "success"}, "PATCH").gives(200, "success"),
        Page("/object/grid_data?dag_id=site&num_runs=5", shows=("task19",)),
        _asked(_RUN, "DELETE").gives(204),
        _asked(_RUN).gives(404),
        form("/logout/", csrf_token="$token").gives(302),
    ),
    varies=(
        r'name="csrf_token"[^>]*(?:value|content)="([^"]+)"',
        r"session=([^;]+)",
        r"\w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT",
        r"\d{4}-\d\d-\d\d[T ][\d:.]+(?:\+00:00|Z)?",
        r"hash_b64=([\w=]+)",
        r"csrfToken = '([^']+)'",
    ),
)
