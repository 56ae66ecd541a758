"""A project's wiki and tickets, with a database layer of its own."""

from tests.applications.application import Application, Page, Place, form

_TOKEN = {"token": r'name="__FORM_TOKEN" value="(\w+)"'}


def _prepare(place: Place) -> None:
    env = str(place.folder / "env")
    place.run("trac-admin", env, "initenv", "Project", "sqlite:db/trac.db")
    for right in ("TICKET_CREATE", "TICKET_APPEND", "WIKI_CREATE", "WIKI_MODIFY"):
        place.run("trac-admin", env, "permission", "add", "anonymous", right)


APPLICATION = Application(
    name="trac",
    packages=("Trac==1.6", "setuptools==80.10.2"),  # it imports pkg_resources
    target=("trac.web.main:dispatch_request",),
    prepare=_prepare,
    environment={"TRAC_ENV": "{folder}/env"},
    pages=(
        Page("/"),
        Page("/wiki/TracGuide"),
        Page("/wiki/TracGuide?format=txt"),
        Page("/newticket", keep=_TOKEN),
        form(
            "/newticket",
            __FORM_TOKEN="$token",
            field_summary="Broken",
            field_description="It+does+not+work",
            field_status="new",
            submit="Create+ticket",
        ),
        form(
            "/wiki/Notes",
            __FORM_TOKEN="$token",
            action="edit",
            version="0",
            text="%3D+Notes+%3D",
            save="Submit",
        ),
        form("/newticket", field_summary="without+a+token"),
        Page("/ticket/1"),
        Page("/ticket/1?format=csv"),
        Page("/ticket/99"),
        Page("/wiki/Notes"),
        Page("/wiki/Notes?action=history"),
        # What was asked for last is remembered and shown.
        Page("/query?status=new", again=False),
        Page("/query?status=new&format=rss", again=False),
        Page("/report", again=False),
        Page("/report/1", again=False),
        Page("/roadmap"),
        Page("/search?q=work"),
        Page("/timeline?ticket=on"),
        Page("/chrome/common/css/trac.css"),
        Page("/chrome/nowhere.css"),
        Page("/nowhere"),
        Page("/admin"),
    ),
    varies=(
        r'name="(?:__FORM_TOKEN|start_time|view_time)" value="(\w+)"',
        r'form_token="(\w+)"',
        r"trac_(?:form_token|session)=(\w+)",
        r"expires=(.*?);",
        r"\d{1,2}/\d{1,2}/\d{2,4}(?:[, ]+\d{1,2}:\d\d(?::\d\d)? [AP]M)?",
        r"\d{1,2}:\d\d(?::\d\d)?(?: [AP]M)?",
        r"\d{4}-\d\d-\d\dT[\d:+Z%A-]*",
        r"\d+ (?:second|minute)s?(?: ago)?",
        r"\w{3}, \d\d \w{3} \d{4} [\d:]{8} (?:GMT|[+-]\d{4})",
        r"(?:precision|from)=\w*",
        r"\d{16}",
    ),
)
