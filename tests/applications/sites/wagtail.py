"""A system of pages on Django: each that somebody edits is a tree, with revisions."""

from tests.applications.application import Application, Page, Place, form
from tests.applications.crowd import CLIENTS

_TOKEN = {"token": r'name="csrfmiddlewaretoken" value="(\w+)"'}
# A login costs no second of computing, and who writes waits for who writes.
_LOCAL = """
from .base import DATABASES
SECRET_KEY = "not so secret, but for fifty characters long enough"
ALLOWED_HOSTS = ["site.test"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
DATABASES["default"]["OPTIONS"] = {
    "timeout": 60,
    "transaction_mode": "IMMEDIATE",
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF",
}
"""
# Two that add a page below one page at a time get one path of it, on any server.
_USERS = f"""
from django.contrib.auth import get_user_model
from home.models import HomePage
home = HomePage.objects.get()
for number in range({CLIENTS}):
    name = f"user{{number}}"
    get_user_model().objects.create_superuser(name, f"{{name}}@site.test", "secret")
    page = home.add_child(instance=HomePage(title=name, slug=name))
    page.save_revision().publish()
"""


def _prepare(place: Place) -> None:
    place.run("wagtail", "start", "mysite", ".")
    place.write("mysite/settings/local.py", _LOCAL)
    production = {"DJANGO_SETTINGS_MODULE": "mysite.settings.production"}
    for words in (
        ("migrate",),
        ("collectstatic", "--no-input"),
        ("shell", "-c", _USERS),
    ):
        place.run("python", "manage.py", *words, **production)


def _sent(path: str, title: str, slug: str, action: str) -> Page:
    """The form of a page."""
    comments = {
        f"comments-{name}_FORMS": "0" for name in ("TOTAL", "INITIAL", "MIN_NUM")
    }
    return form(
        path,
        csrfmiddlewaretoken="$token",
        title=title,
        slug=slug,
        seo_title="",
        search_description="",
        **comments,
        **{"comments-MAX_NUM_FORMS": "", f"action-{action}": "x"},
    )


def _login(name: str, password: str) -> Page:
    return form(
        "/admin/login/",
        csrfmiddlewaretoken="$token",
        username=name,
        password=password,
        next="/admin/",
    )


_EDITED = r"/admin/pages/(\d+)/edit/"  # for who may
_ADD = "/admin/pages/add/home/homepage/$home/"
_PUBLIC = "/user$client/$mark/"

APPLICATION = Application(
    name="wagtail",
    packages=("wagtail==8.0.1",),
    target=("mysite.wsgi:application",),
    prepare=_prepare,
    environment={"DJANGO_SETTINGS_MODULE": "mysite.settings.production"},
    pages=(
        Page("/"),
        Page("/", "HEAD"),
        Page("/user3/"),
        Page("/user3"),
        Page("/nowhere/"),
        Page("/search/?query=user3"),
        Page("/search/?query=user3&page=nonsense"),
        Page("/documents/1/nothing.pdf"),
        Page("/admin/"),
        Page("/admin/login/", keep=_TOKEN),
        form("/admin/login/", username="user0", password="no+token"),
        _login("user0", "wrong"),
        _login("user0", "secret"),
        # What anybody has done is in these.
        Page("/admin/", again=False),
        Page("/admin/users/", again=False),
        Page("/admin/reports/site-history/", again=False),
        Page("/admin/pages/3/"),
        Page("/admin/pages/4/edit/"),
        Page("/admin/pages/4/history/"),
        Page("/admin/pages/99/edit/"),
        Page("/admin/images/"),
        Page("/admin/documents/"),
        Page("/admin/sites/"),
        Page("/django-admin/auth/group/"),
    ),
    story=(
        Page("/admin/login/", keep=_TOKEN),
        _login("user$client", "secret").gives(302, "sessionid="),
        Page("/admin/account/", keep=_TOKEN, shows=("user$client@site.test",)),
        Page("/user$client/", keep={"home": _EDITED}),
        Page(_ADD, keep=_TOKEN),
        _sent(_ADD, "One+$mark-one", "$mark", "publish").gives(302),
        Page(_PUBLIC, shows=("One $mark-one",), keep={"page": _EDITED}),
        Page("/admin/pages/$home/", shows=("One $mark-one",)),
        Page("/admin/pages/$page/edit/", keep=_TOKEN, shows=("$mark-one",)),
        _sent("/admin/pages/$page/edit/", "Two+$mark-two", "$mark", "none").gives(302),
        Page(_PUBLIC, shows=("One $mark-one",), lacks=("$mark-two",), again=True),
        Page("/admin/pages/$page/edit/", keep=_TOKEN, shows=("Two $mark-two",)),
        _sent("/admin/pages/$page/edit/", "Two+$mark-two", "$mark", "publish").gives(
            302
        ),
        Page(_PUBLIC, shows=("Two $mark-two",), lacks=("$mark-one",), again=True),
        Page("/admin/pages/$page/history/", shows=("user$client",), again=True),
        Page("/admin/pages/$page/delete/", keep=_TOKEN, shows=("$mark-two",)),
        form("/admin/pages/$page/delete/", csrfmiddlewaretoken="$token").gives(302),
        Page(_PUBLIC, status=404, again=True),
        Page("/admin/pages/$page/edit/", status=404),
    ),
    varies=(
        r'"CSRF_TOKEN": "(\w+)"',
        r'csrfmiddlewaretoken" value="(\w+)"',
        r"(?:csrftoken|sessionid)=(\w+)",
        r"\w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT",
        r"\d{4}-\d\d-\d\d[T ][\d:.]+(?:\+00:00|Z)?",
        r"[A-Z][a-z]{2,8}\.? \d{1,2}, \d{4}(?:, [\d:]+ [ap]\.m\.)?",
        r"\d+ (?:page|model) log entries",  # of which, a set of classes says
        r"(?i)just now|\d+[^a-z<]+(?:second|minute)s? ago",
    ),
)
