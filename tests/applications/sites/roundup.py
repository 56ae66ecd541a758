"""A tracker of issues that is older than WSGI, on sqlite."""

import re

from tests.applications.application import Application, Page, Place, form

_WSGI = """from roundup.cgi.wsgi_handler import RequestDispatcher
app = RequestDispatcher("{folder}/tracker")
"""
_CSRF = {"csrf": r'name="@csrf"[^>]*?value="([^"]+)"'}


def _prepare(place: Place) -> None:
    home = ("-i", str(place.folder / "tracker"))
    place.run("roundup-admin", *home, "install", "classic", "sqlite")
    config = place.folder / "tracker/config.ini"
    values = {"web": "http://site.test/", "domain": "site.test", "host": "127.0.0.1"}
    text = config.read_text()
    for name, value in values.items():
        text = re.sub(rf"(?m)^#?{name} = NO DEFAULT$", f"{name} = {value}", text)
    config.write_text(text)
    place.run("roundup-admin", *home, "initialise", "secret")
    add = ("create", "issue", "title=Broken", "status=1", "priority=1")
    place.run("roundup-admin", *home, *add)
    place.write("site_wsgi.py", _WSGI)


APPLICATION = Application(
    name="roundup",
    packages=("roundup==2.6.0",),
    target=("site_wsgi:app",),
    prepare=_prepare,
    pages=(
        Page("/"),
        Page("/issue?@template=index&status=1"),
        Page("/user?@template=register", keep=_CSRF),
        form(
            "/",
            __login_name="admin",
            __login_password="secret",
            **{"@action": "login", "@csrf": "$csrf"},
        ),
        form(
            "/", __login_name="admin", __login_password="wrong", **{"@action": "login"}
        ),
        Page("/issue1"),
        Page("/issue?@template=item", keep=_CSRF),
        form("/issue", title="Second", **{"@action": "new", "@csrf": "$csrf"}),
        Page("/issue"),
        Page("/issue?@action=export_csv&@columns=id,title&@filter="),
        Page("/user"),
        Page("/user1"),
        Page("/user?@template=register"),
        Page("/issue99"),
        Page("/nothing"),
        Page("/@@file/style.css"),
        Page("/@@file/nothing.css"),
        Page("/rest/data/issue"),
        Page("/rest/data/issue", "OPTIONS", again=True),
        Page("/xmlrpc", "POST", ("Content-Type: text/xml",), "<no xml"),
    ),
    varies=(
        r'name="@csrf"[^>]*?value="([^"]+)"',
        r'name="opaqueregister" value="([^"]+)"',
        r'"(\w+)-\w+-\w+"$',  # the number of a file
        r"roundup_session_\w+=([^;]+)",
        r"\d{4}-\d\d-\d\d[. ]\d\d:\d\d(?::\d\d)?",
        r"\w{3}, \d\d[ -]\w{3}[ -]\d{4} [\d:]{8} GMT",
        r'nonce="([^"]+)"',
        r"'nonce-([^']+)'",
        r"\d+(?: seconds?| minutes?) ago|just now",
        r"\d+\.\d+s?(?= ?s)",
    ),
)
