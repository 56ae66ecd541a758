"""Zope: objects are addresses, a request is a transaction, and what two have changed is tried
again."""

from tests.applications.application import Application, Page, Place, form
from tests.applications.crowd import CLIENTS

# Who adds to a folder of somebody else's too gets conflicts, more than are tried again.
_USERS = f"""
import transaction
for number in range({CLIENTS}):
    name = f"user{{number}}"
    app.acl_users.userFolderAddUser(name, "secret", ["Manager"], [])
    app.manage_addFolder(name)
    app[name].manage_addProperty("visits", 0, "int")
app.manage_addProduct["PageTemplates"].manage_addPageTemplate(
    "page", text='<b tal:content="here/title_or_id">x</b><i tal:repeat="n python:range(300)"'
    ' tal:content="n">x</i>')
app.manage_addProduct["OFSP"].manage_addFile("file", b"0123456789" * 10000)
transaction.commit()
"""


def _prepare(place: Place) -> None:
    place.run("mkwsgiinstance", "-d", ".", "-u", "admin:secret")
    place.write("users.py", _USERS)
    place.run("zconsole", "run", "etc/zope.conf", "users.py")


_ADMIN = "Authorization: Basic YWRtaW46c2VjcmV0"
_USER = "Authorization: Basic $basic"
_HOME = "/user$client"
# Zope keeps every text of a template that it has ever seen: the mark is the folder's name.
_PAGE = (
    '<p tal:define="n python:{n}"><i tal:replace="here/getId">x</i>-{which}-'
    '<b tal:replace="python:n*n">x</b></p>'
)


def _asked(path: str, *fields: str) -> Page:
    return Page(path, fields=(_USER, *fields))


def _sent(path: str, **values: str) -> Page:
    page = form(path, **values)
    return Page(page.path, page.method, (*page.fields, _USER), page.body)


def _quoted(text: str) -> str:
    return text.replace(" ", "+").replace("<", "%3C").replace('"', "%22")


_ONE = _quoted(_PAGE.format(n=12, which="one"))
_TWO = _quoted(_PAGE.format(n=13, which="two"))

APPLICATION = Application(
    name="zope",
    packages=("Zope[wsgi]==6.3",),
    target=("--paste", "etc/zope.ini"),
    prepare=_prepare,
    pages=(
        Page("/"),
        Page("/", "HEAD"),
        Page("/page"),
        Page("/user3/page", again=False),  # a story changes its title
        Page("/nowhere"),
        Page("/file"),
        Page("/file", fields=("Range: bytes=10-4000",)),
        Page("/file", fields=("Range: bytes=0-9,20-29",)),
        Page("/manage_main"),
        Page("/manage_main", fields=(_ADMIN,), again=False),
        Page("/manage_main", fields=("Authorization: Basic nonsense",)),
        Page("/acl_users/manage_users", fields=(_ADMIN,)),
        Page("/user1/manage_propertiesForm", fields=(_ADMIN,), again=False),
        Page("/user1/nothing", fields=(_ADMIN,)),
        Page("/", "OPTIONS", again=True),
        Page("/user2", "PROPFIND", (_ADMIN, "Depth: 1"), again=False),
        Page("/RPC2", "POST", ("Content-Type: text/xml",), "<no xml"),
    ),
    story=(
        _asked(f"{_HOME}/manage_main").gives(200, "user$client"),
        _sent(
            f"{_HOME}/manage_addProduct/OFSP/manage_addFolder", id="$mark", title="Mine"
        ).gives(302),
        _sent(
            f"{_HOME}/$mark/manage_addProduct/PageTemplates/manage_addPageTemplate",
            id="view",
            title="View",
            text=_ONE,
        ).gives(302),
        Page(f"{_HOME}/$mark/view", shows=("$mark-one-144",), again=True),
        _sent(
            f"{_HOME}/$mark/view/pt_editAction",
            title="Other",
            content_type="text/html",
            text=_TWO,
        ).gives(200, again=True),
        Page(
            f"{_HOME}/$mark/view",
            shows=("$mark-two-169",),
            lacks=("$mark-one",),
            again=True,
        ),
        _sent(
            f"{_HOME}/manage_changeProperties", **{"title": "$mark", "visits:int": "1"}
        ).gives(200, again=True),
        _asked(f"{_HOME}/manage_propertiesForm").gives(200, "$mark"),
        Page(f"{_HOME}/page", shows=("$mark", "299"), again=True),
        _sent(f"{_HOME}/manage_delObjects", **{"ids:list": "$mark"}).gives(200),
        Page(f"{_HOME}/$mark/view", status=404, again=True),
        _asked(f"{_HOME}/manage_main").gives(200, lacks=('value="$mark"',)),
    ),
    varies=(
        r"\w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT",
        r"\d{4}[-/]\d\d[-/]\d\d[T ][\d:.]+(?:\+00:00|Z)?(?: UTC| GMT\S*)?",
        r"\d{4}-\d\d-\d\d \d\d:\d\d",
        r"0x[0-9a-f]+",
        r"\bts[\d.]+",  # an ETag
        r"={15}\d+==",  # between the parts of a file
    ),
)
