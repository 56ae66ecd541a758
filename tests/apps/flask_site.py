"""A Flask application: pages, forms, uploads, downloads, streaming, errors."""

import hashlib
import io
import time

from flask import Flask, Response, abort, request, send_file, session

from tests.apps.together import together

app = Flask(__name__)
app.secret_key = "test"


@app.get("/")
def index():
    return "flask page"


@app.post("/form")
def form():
    session["name"] = request.form["name"]
    return f"hello {request.form['name']}"


@app.get("/session")
def show_session():
    return session.get("name", "nobody")


@app.post("/upload")
def upload():
    return hashlib.sha256(request.files["file"].read()).hexdigest()


@app.get("/download")
def download():
    return send_file(io.BytesIO(b"d" * (1 << 20)), mimetype="application/octet-stream")


@app.get("/file")
def file():
    return send_file(__file__, mimetype="text/plain")


@app.get("/stream")
def stream():
    def generate():
        for i in range(5):
            time.sleep(0.001)
            yield f"{i}\n"

    return Response(generate(), mimetype="text/plain")


@app.get("/error")
def error():
    raise RuntimeError("flask error")


@app.get("/missing")
def missing():
    abort(404)


app.get("/together")(together)
