"""Gradio in a FastAPI application: its queue, whose answers come as events, and its files."""

import re

from tests.applications.application import Application, Page, Place, json
from tests.applications.guest import Guest

_SITE = """
import time
import gradio as gr
from fastapi import FastAPI

def greet(name, times):
    time.sleep(0.01)
    return f"hello {name} " * int(times)

def counts(number):
    for each in range(int(number)):
        yield f"step {each}"

async def shout(text, progress=gr.Progress()):
    progress(0.5, desc="half")
    return text.upper()

def fails(text):
    raise gr.Error(f"no {text}")

def measured(path):
    with open(path, "rb") as file:
        return str(len(file.read()))

with gr.Blocks(title="Greeter", analytics_enabled=False) as blocks:
    name, times = gr.Textbox(label="name"), gr.Slider(1, 5, 2, step=1)
    answer, count = gr.Textbox(label="answer"), gr.State(0)
    file = gr.File(type="filepath")
    gr.Button("greet").click(greet, [name, times], answer, api_name="greet", concurrency_limit=8)
    gr.Button("count").click(counts, times, answer, api_name="counts", concurrency_limit=8)
    gr.Button("shout").click(shout, name, answer, api_name="shout", concurrency_limit=8)
    gr.Button("fail").click(fails, name, answer, api_name="fails", concurrency_limit=8)
    gr.Button("measure").click(measured, file, answer, api_name="measured", concurrency_limit=8)

app = FastAPI()

@app.get("/plain")
def plain():
    return "beside"

app = gr.mount_gradio_app(app, blocks.queue(default_concurrency_limit=8), path="/ui")
"""


def _prepare(place: Place) -> None:
    place.write("greeter.py", _SITE)


def _called(guest: Guest, name: str, data: str) -> None:
    """By two requests: one that asks, and one whose answer is what happens."""
    page = json(f"/ui/gradio_api/call/{name}", f'{{"data": {data}}}')
    found = re.search(r'"event_id":\s*"(\w+)"', guest.visitor.ask(page).body.decode())
    assert found, name
    stream = guest.stream(f"/ui/gradio_api/call/{name}/{found[1]}")
    while event := stream.event():
        if event.startswith(("event: complete", "event: error")):
            break
    stream.rest()


def _greets(guest: Guest) -> None:
    _called(guest, "greet", f'["{guest.mark}", 3]')


def _counts(guest: Guest) -> None:
    _called(guest, "counts", "[4]")


def _shouts(guest: Guest) -> None:
    _called(guest, "shout", '["loud"]')


def _fails(guest: Guest) -> None:
    _called(guest, "fails", '["luck"]')


def _leaves(guest: Guest) -> None:
    for reset in (False, True):
        page = json("/ui/gradio_api/call/counts", '{"data": [5]}')
        found = re.search(
            r'"event_id":\s*"(\w+)"', guest.visitor.ask(page).body.decode()
        )
        assert found
        guest.leave(f"/ui/gradio_api/call/counts/{found[1]}", reset)


APPLICATION = Application(
    name="gradio",
    packages=("gradio",),
    target=("greeter:app",),
    prepare=_prepare,
    environment={"GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_OFFLINE": "1"},
    peer="uvicorn",
    pages=(
        Page("/plain"),
        Page("/ui/", again=False),
        Page("/ui/config", again=False),
        Page("/ui/gradio_api/info"),
        Page("/ui/gradio_api/startup-events"),
        Page("/ui/theme.css"),
        Page("/ui/nothing"),
        json("/ui/gradio_api/call/nothing", '{"data": []}'),
        json("/ui/gradio_api/call/greet", "no json"),
    ),
    grows=True,  # behind uvicorn as much
    acts=(_greets, _counts, _shouts, _fails, _leaves),
    varies=(
        r"0x[0-9a-f]+",
        r'"(?:space_id|app_id|event_id|session_hash|username)": ?"?([^",]*)',
        r"etag: (.*)",
        r"\w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT",
    ),
)
