"""Refuses uploads without reading them."""


def app(environ, start_response):
    start_response("401 Unauthorized", [("WWW-Authenticate", "Basic")])
    return [b"who are you?"]
