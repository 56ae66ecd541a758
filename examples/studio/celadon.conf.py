"""What this server does for the studio. `celadon studio:app` in this folder reads it."""

from celadon import green, health

# Addresses of visitors, as the proxies of forwarded_allow_ips tell them.
proxy_headers = True

WRITERS = 4  # of letters, in each worker
_writing = green.Group()


def post_worker_init(worker):
    """A worker serves from now on. It writes letters too, and looks after its database."""
    from studio import app, town

    town.at_once = lambda call, names: green.Pool(len(names)).map(call, names)
    for _ in range(WRITERS):
        _writing.spawn(app.extensions["letters"].run)
    health.check(name="database", interval=5, timeout=3)(app.extensions["store"].ping)


def worker_exit(server, worker):
    """A worker leaves: letters that are being written are finished."""
    from studio import app

    app.extensions["letters"].stop()
    _writing.join(timeout=10)
