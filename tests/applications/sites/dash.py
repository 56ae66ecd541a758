"""Dash: one address takes every callback, and pages are made of what Python objects say."""

from tests.applications.application import Application, Page, Place, json

_SITE = """
import sqlite3
from contextlib import closing
from flask import session
from dash import Dash, Input, Output, State, dcc, html, no_update
import plotly.graph_objects as go

app = Dash(__name__, title="Notes")
app.server.secret_key = "x"
server = app.server

def ask(words, *values):
    with closing(sqlite3.connect("{folder}/notes.db", timeout=60)) as db, db:
        return db.execute(words, values).fetchall()

ask("CREATE TABLE IF NOT EXISTS note (owner TEXT, name TEXT, text TEXT)")

def layout():
    return html.Div([
        dcc.Location(id="address"),
        dcc.Input(id="user"), html.Button("Log in", id="login"), html.Div(id="who"),
        dcc.Input(id="name"), dcc.Textarea(id="text"),
        html.Button("Save", id="save"), html.Button("Delete", id="delete"),
        html.Ul(id="notes"), html.Div(id="deleted"),
        dcc.Dropdown([1, 2, 3], 1, id="power"), dcc.Graph(id="graph"),
    ])

app.layout = layout

@app.callback(Output("who", "children"), Input("login", "n_clicks"),
              State("user", "value"), prevent_initial_call=True)
def log_in(_, user):
    session["user"] = user
    return f"hello {user}"

@app.callback(Output("notes", "children"), Input("save", "n_clicks"),
              State("name", "value"), State("text", "value"))
def save(clicks, name, text):
    owner = session.get("user")
    if owner is None:
        return no_update
    if clicks:
        ask("DELETE FROM note WHERE owner = ? AND name = ?", owner, name)
        ask("INSERT INTO note VALUES (?, ?, ?)", owner, name, text)
    rows = ask("SELECT name, text FROM note WHERE owner = ? ORDER BY name", owner)
    return [html.Li([html.B(name), text]) for name, text in rows]

@app.callback(Output("deleted", "children"), Input("delete", "n_clicks"),
              State("name", "value"), prevent_initial_call=True)
def delete(_, name):
    ask("DELETE FROM note WHERE owner = ? AND name = ?", session["user"], name)
    left = ask("SELECT count(*) FROM note WHERE owner = ?", session["user"])
    return f"{left[0][0]} left"

@app.callback(Output("graph", "figure"), Input("power", "value"))
def draw(power):
    numbers = list(range(200))
    return go.Figure(go.Scatter(x=numbers, y=[n ** power for n in numbers]))
"""


def _prepare(place: Place) -> None:
    place.write("site_dash.py", _SITE)


def _called(output: str, press: str, clicks: int | None, **state: str) -> Page:
    """What the browser sends when a button is pressed."""
    name, prop = output.split(".")
    values = ", ".join(
        f'{{"id": "{key}", "property": "value", "value": "{value}"}}'
        for key, value in state.items()
    )
    shown = "null" if clicks is None else clicks
    body = (
        f'{{"output": "{output}", "outputs": {{"id": "{name}", "property": "{prop}"}}, '
        f'"inputs": [{{"id": "{press}", "property": "n_clicks", "value": {shown}}}], '
        f'"changedPropIds": ["{press}.n_clicks"], "state": [{values}]}}'
    )
    return json("/_dash-update-component", body)


def _drawn(power: str) -> Page:
    body = (
        '{"output": "graph.figure", "outputs": {"id": "graph", "property": "figure"}, '
        f'"inputs": [{{"id": "power", "property": "value", "value": {power}}}], '
        '"changedPropIds": ["power.value"]}'
    )
    return Page(
        "/_dash-update-component",
        "POST",
        ("Content-Type: application/json",),
        body,
        again=True,
    )


def _saved(clicks: int | None, name: str = "", text: str = "") -> Page:
    return _called("notes.children", "save", clicks, name=name, text=text)


def _deleted(name: str) -> Page:
    return _called("deleted.children", "delete", 1, name=name)


_LONG = "\\u00e9 and more" * 200

APPLICATION = Application(
    name="dash",
    packages=("dash==4.4.1",),
    target=("site_dash:server",),
    prepare=_prepare,
    pages=(
        Page("/"),
        Page("/some/where"),
        Page("/_dash-layout"),
        Page("/_dash-dependencies"),
        Page("/_favicon.ico"),
        Page("/_dash-component-suites/dash/html/dash_html_components.min.js"),
        Page("/_dash-component-suites/nothing/nothing.js"),
        Page("/assets/nothing.css"),
        _drawn("1"),
        _drawn("3"),
        _drawn('"nonsense"'),
        json("/_dash-update-component", "no json"),
        json("/_dash-update-component", '{"output": "nothing.at-all"}'),
        _saved(None),
        Page("/_dash-update-component"),
    ),
    story=(
        Page("/", shows=("<title>Notes</title>",)),
        Page("/_dash-layout", shows=('"id":"notes"',)),
        _saved(None).gives(200, '"response":{}'),
        _called("who.children", "login", 1, user="$mark").gives(
            200, "hello $mark", again=True
        ),
        _saved(1, "first", "$mark-one").gives(200, "$mark-one"),
        _saved(2, "second", f"$mark-two {_LONG}").gives(200, "$mark-one", "$mark-two"),
        _saved(3, "first", "$mark-other").gives(
            200, "$mark-other", "$mark-two", lacks=("$mark-one",)
        ),
        _drawn("2").gives(200, "graph", again=True),
        _saved(None).gives(200, "$mark-other", "$mark-two", again=True),
        _deleted("first").gives(200, '"1 left"', again=True),
        _saved(None).gives(200, "$mark-two", lacks=("$mark-other",)),
        _deleted("second").gives(200, '"0 left"', again=True),
        _saved(None).gives(200, lacks=("$mark-two",)),
    ),
    varies=(
        r"session=([^;]+)",
        r'"end_id":"([^"]*)"',
        r"\?m=[\d.]+",
        r"v\d+_\d+_\d+m\d+",
    ),
)
