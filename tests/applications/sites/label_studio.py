"""Labels for data: Django REST framework over PostgreSQL by psycopg 3, sessions in signed
cookies, exports that are written to files."""

from json import dumps

from tests.applications.application import Application, Page, Place, form, json
from tests.applications.crowd import CLIENTS
from tests.applications.databases import NAME, USER, renew

# It expects its own folder to be on the path, as its own server does. A login costs no second
# of computing, and jobs run in the request, as where no Redis is: whoever listens at its
# usual port is not asked.
_WSGI = """
import os, sys
import label_studio
sys.path.insert(0, os.path.dirname(label_studio.__file__))
os.environ["DJANGO_SETTINGS_MODULE"] = "core.settings.label_studio"
from django.conf import settings
settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
nowhere = {"HOST": "127.0.0.1", "PORT": 1, "DB": 0}
settings.RQ_QUEUES = {name: nowhere for name in settings.RQ_QUEUES}
from core.wsgi import application
"""
_FILL = f"""
import site_wsgi
from django.core.management import call_command
call_command("migrate", verbosity=0)
from organizations.models import Organization
from users.models import User
site = None
for number in range({CLIENTS}):
    user = User.objects.create_user(f"user{{number}}@site.test", "secret")
    if site is None:
        site = Organization.create_organization(created_by=user, title="Site")
    else:
        site.add_user(user)
    user.active_organization = site
    user.save()
"""


def _prepare(place: Place) -> None:
    place.write("site_wsgi.py", _WSGI)
    place.write("fill.py", _FILL)


def _set_up(place: Place, environment: dict[str, str]) -> None:
    def fill() -> None:
        place.run("python", "fill.py", **environment)

    renew(environment["POSTGRE_PORT"], fill)


_TOKEN = {"token": r'name="csrfmiddlewaretoken" value="(\w+)"'}
_LOGIN = Page("/user/login/", keep=_TOKEN)


def _enter(name: str, password: str) -> Page:
    values = {"email": f"{name}%40site.test", "password": password}
    return form("/user/login/", csrfmiddlewaretoken="$token", **values)


def _sent(path: str, value: object, method: str = "POST") -> Page:
    return json(f"/api/{path}", dumps(value), method)


def _asked(path: str) -> Page:
    return Page(f"/api/{path}")


def _result(choice: str) -> list[object]:
    value = {"choices": [choice]}
    return [{"from_name": "kind", "to_name": "text", "type": "choices", "value": value}]


_ID = r'"id": ?(\d+)'
_LABELS = (
    '<View><Text name="text" value="$text"/><Choices name="kind" toName="text">'
    '<Choice value="good"/><Choice value="bad"/></Choices></View>'
)
_TASKS = [{"text": f"$mark-text-{number}"} for number in range(6)]
_EXPORT = "projects/$project/export?exportType=JSON&download_all_tasks=true"

APPLICATION = Application(
    name="label_studio",
    packages=("label-studio==1.23.2",),
    target=("site_wsgi:application",),
    prepare=_prepare,
    set_up=_set_up,
    environment={
        "DJANGO_DB": "default",
        "POSTGRE_NAME": NAME,
        "POSTGRE_USER": USER,
        "POSTGRE_HOST": "127.0.0.1",
        "POSTGRE_PORT": "{postgres_port}",
        "LABEL_STUDIO_BASE_DATA_DIR": "{folder}/data",
        "SECRET_KEY": "not so secret, but for fifty characters long enough",
        "SENTRY_DSN": "",
        "FRONTEND_SENTRY_DSN": "",
        "COLLECT_ANALYTICS": "False",
        "LATEST_VERSION_CHECK": "False",
    },
    pages=(
        Page("/"),
        Page("/health/"),
        Page("/api/version/"),
        Page("/nowhere"),
        Page("/static/nothing.js"),
        Page("/projects/"),
        _asked("projects/"),
        _LOGIN,
        form("/user/login/", email="user0%40site.test", password="no+token"),
        _LOGIN,
        _enter("user0", "wrong"),
        _LOGIN,
        _enter("user0", "secret"),
        Page("/projects/", again=False),
        Page("/user/account/", again=False),
        _asked("current-user/whoami"),
        _asked("projects/999999/"),
        _asked("tasks/999999/"),
        _asked("templates/"),
        _asked("projects/nothing"),
        _sent("projects/", {"title": ""}),
        _sent("projects/", {"title": "A title", "label_config": "<no xml"}),
        _sent("projects/validate/", {"label_config": _LABELS}),
    ),
    story=(
        _LOGIN,
        _enter("user$client", "secret").gives(302),
        _asked("current-user/whoami").gives(200, "user$client@site.test", again=True),
        _sent("projects/", {"title": "$mark", "label_config": _LABELS}).gives(
            201, "$mark", project=_ID
        ),
        _sent("projects/$project/import", _TASKS).gives(201, '"task_count":6'),
        _asked("projects/$project/tasks/").gives(200, "$mark-text-0", task=_ID),
        _asked("projects/$project/next/").gives(200, "$mark-text"),
        _sent("tasks/$task/annotations/", {"result": _result("good")}).gives(
            201, "good", label=_ID
        ),
        _asked("tasks/$task/").gives(200, "$mark-text", "good", again=True),
        _sent("annotations/$label/", {"result": _result("bad")}, "PATCH").gives(
            200, "bad"
        ),
        _asked(_EXPORT).gives(200, "$mark-text-5", '"bad"', lacks=('"good"',)),
        Page("/projects/$project/data/", shows=("user$client@site.test",)),
        _sent("projects/$project/", {"description": "$mark-new"}, "PATCH").gives(200),
        _asked("projects/$project/").gives(200, "$mark-new", again=True),
        Page("/api/annotations/$label/", "DELETE", status=204),
        Page("/api/projects/$project/", "DELETE", status=204),
        _asked("projects/$project/").gives(404),
        Page("/logout/", status=302),
    ),
    varies=(
        r'csrfmiddlewaretoken" value="(\w+)"',
        r'csrf[_-]?[tT]oken"?:? ?"(\w+)"',
        r"(?:csrftoken|sessionid)=([^;]+)",
        r"nonce[-=]\"?'?([\w+/=-]+)",
        r"\w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT",
        r"\d{4}-\d\d-\d\d[T ][\d:.]+(?:\+00:00|Z)?",
        r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}",
    ),
)
