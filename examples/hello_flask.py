"""A first application: a page, a view that waits, and a form.

Run it with `celadon --chdir examples hello_flask:app`.
"""

import time

from flask import Flask, render_template_string, request

app = Flask(__name__)

PAGE = """<!doctype html>
<meta charset="utf-8">
<title>celadon</title>
<style>
  body { font: 1.1rem/1.6 system-ui, sans-serif; max-width: 40rem; margin: 4rem auto;
         padding: 0 1rem; color: #1f2a28; background: #f4f8f6 }
  h1 { color: #3f7d6e } code { background: #dfece7; padding: .1em .3em; border-radius: .2em }
  input, button { font: inherit; padding: .3em .6em }
</style>
<h1>It works.</h1>
<p>{% if name %}Hello, {{ name }}.{% else %}This page was served by celadon.{% endif %}</p>
<form method="post"><input name="name" aria-label="Your name" placeholder="Your name">
<button>Greet</button></form>
<p><a href="/slow">/slow</a> sleeps for a second in plain <code>time.sleep</code>. Open it in
several tabs: they do not wait for each other.</p>
"""


@app.route("/", methods=["GET", "POST"])
def index() -> str:
    return render_template_string(PAGE, name=request.form.get("name", ""))


@app.route("/slow")
def slow() -> str:
    began = time.monotonic()
    time.sleep(1)
    return f"slept {time.monotonic() - began:.2f} s, nobody waited for me"
