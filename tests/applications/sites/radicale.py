"""A server of calendars: it waits for a child with a lock of its folder held."""

from tests.applications.application import Application, Page, Place

_EVENT = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:{uid}\r\n"
_EVENT += "DTSTAMP:20240101T000000Z\r\nDTSTART:20240102T100000Z\r\nSUMMARY:Talk\r\n"
_EVENT += "END:VEVENT\r\nEND:VCALENDAR\r\n"
_MAKE = """<?xml version="1.0"?><mkcol xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav">
<set><prop><resourcetype><collection/><C:calendar/></resourcetype>
<displayname>Work</displayname></prop></set></mkcol>"""
_ALL = '<?xml version="1.0"?><propfind xmlns="DAV:"><allprop/></propfind>'
_QUERY = """<?xml version="1.0"?><C:calendar-query xmlns="DAV:"
xmlns:C="urn:ietf:params:xml:ns:caldav"><prop><getetag/><C:calendar-data/></prop>
<C:filter><C:comp-filter name="VCALENDAR"/></C:filter></C:calendar-query>"""
_ANN = "Authorization: Basic YW5uOng="


def _prepare(place: Place) -> None:
    place.write(
        "config",
        "[auth]\ntype = none\n[storage]\nfilesystem_folder = {folder}/collections\n"
        "hook = sleep 0.002\n",
    )


def _page(method: str, path: str, body: str = "", *fields: str, again: bool) -> Page:
    return Page(path, method, (_ANN, *fields), body, again=again)


APPLICATION = Application(
    name="radicale",
    packages=("Radicale==3.9.0",),
    target=("radicale:application",),
    prepare=_prepare,
    environment={"RADICALE_CONFIG": "{folder}/config"},
    pages=(
        Page("/"),
        Page("/.web/"),
        Page("/.web/fn.js"),
        Page("/.well-known/caldav"),
        _page("OPTIONS", "/ann/", again=True),
        _page("PROPFIND", "/ann/", _ALL, "Depth: 1", again=False),
        _page("MKCOL", "/ann/days/", _MAKE, again=False),
        _page("MKCOL", "/ann/days/", _MAKE, again=True),
        _page("PUT", "/ann/days/1.ics", _EVENT.format(uid=1), again=True),
        _page("PUT", "/ann/days/2.ics", _EVENT.format(uid=2), again=False),
        _page("PUT", "/ann/days/3.ics", "nonsense", again=True),
        _page("GET", "/ann/days/1.ics", again=True),
        _page("GET", "/ann/days/", again=True),
        _page("HEAD", "/ann/days/1.ics", again=True),
        _page("DELETE", "/ann/days/2.ics", again=False),
        _page("DELETE", "/ann/days/2.ics", again=True),
        _page("PROPFIND", "/ann/days/", _ALL, "Depth: 1", again=True),
        _page("REPORT", "/ann/days/", _QUERY, "Depth: 1", again=True),
        _page("PROPFIND", "/ann/", "<no xml", again=True),
        _page("GET", "/bob/", again=True),
        Page("/ann/days/"),
    ),
    varies=(r"ns/sync/(\w+)", r"(?i)\w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT"),
)
