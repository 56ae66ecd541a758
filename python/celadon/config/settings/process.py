"""Settings of processes: addresses, workers, greenlets, the application."""

from __future__ import annotations

from collections.abc import Iterable

from celadon.config.settings.row import Setting
from celadon.config.values.addresses import parse_addresses, parse_prefix
from celadon.config.values.mounts import parse_mounts
from celadon.config.values.names import (
    parse_account,
    parse_environment,
    parse_worker_class,
)
from celadon.config.values.plain import (
    parse_bool,
    parse_count,
    parse_duration,
    parse_list,
    parse_memory,
    parse_milliseconds,
    parse_positive,
    parse_text,
    parse_umask,
    parse_workers,
)


def rows() -> Iterable[Setting]:
    s = Setting
    d = parse_duration
    yield s(
        "bind",
        parse_addresses,
        ["127.0.0.1:8000"],
        "HOST, HOST:PORT, [V6]:PORT ([::] is IPv4 too), unix:PATH, unix:@NAME or fd://N; "
        "repeatable; 0.0.0.0:$PORT where PORT is set",
        ("--bind", "-b"),
        True,
        "ADDRESS",
        in_chdir=True,
    )
    yield s(
        "backlog",
        parse_count,
        2048,
        "listen queue of the kernel, in connections",
        for_server=True,
        for_master=True,
    )
    yield s(
        "tcp_keepalive",
        parse_count,
        60,
        "seconds of silence on a TCP connection until the kernel asks whether the client is "
        "still there; one that does not answer within as many again is gone; 0: never",
        for_server=True,
        for_master=True,
    )
    yield s(
        "reuse_port",
        parse_bool,
        False,
        "set SO_REUSEPORT on TCP listeners",
        for_server=True,
        for_master=True,
    )
    yield s(
        "umask",
        parse_umask,
        0,
        "mode bits taken off a unix socket's file",
        ("--umask", "-m"),
        for_server=True,
        for_master=True,
    )
    yield s(
        "workers",
        parse_workers,
        1,
        "worker processes; auto: as many as there are CPUs for this process",
        ("--workers", "-w"),
        for_master=True,
        variable="WEB_CONCURRENCY",
    )
    yield s(
        "worker_affinity",
        parse_bool,
        False,
        "each worker runs on one CPU, in turn over those that this process may use",
        needs_master=True,
    )
    yield s(
        "preload_app",
        parse_bool,
        False,
        "import the application once, in the master: workers share its memory and start "
        "at once, and a reload keeps its code",
        ("--preload",),
        for_life=True,
    )
    yield s(
        "startup_timeout",
        d,
        60.0,
        "from the fork of a worker until it serves; after that it is killed",
        needs_master=True,
        for_master=True,
    )
    yield s(
        "reload_surge",
        parse_positive,
        1,
        "how many workers more than `workers` a reload starts at a time",
        needs_master=True,
        for_master=True,
    )
    yield s(
        "respawn_backoff",
        d,
        0.5,
        "pause before the next worker where one did not start, doubled each time",
        needs_master=True,
        for_master=True,
    )
    yield s(
        "respawn_backoff_max",
        d,
        30.0,
        "the longest such pause",
        needs_master=True,
        for_master=True,
    )
    yield s(
        "max_requests",
        parse_count,
        0,
        "requests after which another worker takes a worker's place; 0: never",
        needs_master=True,
        for_server=True,
    )
    yield s(
        "max_requests_jitter",
        parse_count,
        0,
        "so many more at the most, drawn for each worker",
        needs_master=True,
        for_server=True,
    )
    yield s(
        "worker_max_lifetime",
        d,
        0.0,
        "age at which another worker takes a worker's place; 0: never",
        needs_master=True,
        for_master=True,
    )
    yield s(
        "worker_max_lifetime_jitter",
        d,
        0.0,
        "so much more at the most, drawn for each worker",
        needs_master=True,
        for_master=True,
    )
    yield s(
        "worker_max_rss",
        parse_memory,
        0,
        "resident memory above which, at three looks 5 s apart, another worker takes a "
        "worker's place; auto: its share of the cgroup's limit; 0: no matter",
        needs_master=True,
    )
    yield s(
        "worker_kill_rss",
        parse_memory,
        0,
        "likewise, but it ends at once: 5 s for its requests, then it is killed",
        needs_master=True,
    )
    yield s(
        "worker_class",
        parse_worker_class,
        "auto",
        "auto, green and names of gevent's, eventlet's and meinheld's workers: one "
        "greenlet per request; gthread likewise; sync is --no-green; asgi and names of "
        "uvicorn's workers: interface = asgi",
        ("--worker-class", "-k"),
    )
    yield s(
        "threads",
        parse_positive,
        1,
        "for gunicorn's sake: above 1, requests run on greenlets whatever the class",
    )
    yield s(
        "green",
        parse_bool,
        True,
        "one greenlet per request and a cooperative standard library; off: unpatched, "
        "one request at a time",
        for_life=True,
    )
    yield s(
        "green_patch",
        parse_list,
        ["on"],
        "which parts of the standard library and of drivers are made cooperative, by "
        "the names of celadon.patch.all; on: all of them; off: none but locks, sleep "
        "and queues",
        (),
        True,
        "PART",
        for_life=True,
    )
    yield s(
        "worker_connections",
        parse_count,
        1000,
        "open connections; when full the oldest idle one goes, then accepting pauses",
        for_server=True,
        under_gunicorn=True,
    )
    yield s(
        "factory",
        parse_bool,
        False,
        "the target is a function that returns the app",
        needs_command=True,
    )
    yield s(
        "chdir",
        parse_text,
        "",
        "directory to change to before the import; relative paths of logs, the pid file "
        "and unix sockets are those there",
        changes_process=True,
    )
    yield s(
        "pythonpath",
        parse_list,
        [],
        "directories put first on sys.path",
        (),
        True,
        changes_process=True,
    )
    yield s(
        "root_path",
        parse_prefix,
        "",
        "SCRIPT_NAME, or root_path, of the application; $SCRIPT_NAME where that is set",
        for_server=True,
        variable="SCRIPT_NAME",
    )
    yield s(
        "mount",
        parse_mounts,
        [],
        "/PREFIX=MODULE:APP: an application that has all paths below a prefix, WSGI or "
        "ASGI whatever the one at the root is; of several prefixes the longest; may be "
        "repeated",
        (),
        True,
        metavar="/PREFIX=MODULE:APP",
    )
    yield s(
        "preempt",
        parse_milliseconds,
        0.0,
        "milliseconds after which a request that computes takes its turn with the "
        "others; 0: it runs on; 5 is a good value",
        metavar="MS",
    )
    yield s(
        "offload_threads",
        parse_positive,
        8,
        "native threads for celadon.green.offload and for drivers that block in C",
    )
    yield s(
        "db_connections",
        parse_count,
        32,
        "connections to each database server at the most; who wants one more waits for "
        "one; 0: without limit",
    )
    yield s(
        "db_connection_wait",
        d,
        30.0,
        "longest wait for a database connection where db_connections are open; then "
        "the driver's own error",
    )
    yield s(
        "dns_threads", parse_positive, 4, "native threads that look up names of hosts"
    )
    yield s(
        "dns_ttl",
        d,
        0.0,
        "seconds for which an address found by name is kept, at most 30; 0: not at all",
    )
    yield s(
        "gc_freeze", parse_bool, True, "keep what the import made out of the collector"
    )
    yield s(
        "tmp_upload_dir",
        parse_text,
        "",
        "where bodies are spooled; the system's temporary directory by default",
        in_chdir=True,
        none_if_empty=True,
        under_gunicorn=True,
    )
    yield s(
        "raw_env",
        parse_environment,
        [],
        "NAME=value, set before the application is imported, undone at a reload",
        ("--env", "-e"),
        True,
        "NAME=VALUE",
        is_secret=True,
        changes_process=True,
    )
    yield s(
        "env_file",
        parse_text,
        "",
        "file of NAME=value lines, as python-dotenv reads it; for what the environment "
        "does not have yet; read before the application is imported, and at a reload",
        metavar="FILE",
        changes_process=True,
    )
    yield s(
        "user",
        parse_account,
        "",
        "name or number of whom workers run as, from before the import on",
        ("--user", "-u"),
        needs_master=True,
        for_admin=True,
    )
    yield s(
        "group",
        parse_account,
        "",
        "likewise, of the group",
        ("--group", "-g"),
        needs_master=True,
        for_admin=True,
    )
    yield s(
        "initgroups",
        parse_bool,
        False,
        "with all groups of that user",
        needs_master=True,
    )
    yield s(
        "pidfile",
        parse_text,
        "",
        "file with the number of the master; a stale one is replaced, a live one stops "
        "the start",
        ("--pid", "-p"),
        metavar="FILE",
        needs_master=True,
        in_chdir=True,
        for_life=True,
        none_if_empty=True,
    )
    yield s(
        "proc_name",
        parse_text,
        "celadon",
        "what processes are called in lists of them",
        ("--name", "-n"),
    )
    yield s(
        "wsgi_app",
        parse_text,
        "",
        "the application, where the command line names none",
        file_only=True,
        needs_command=True,
        none_if_empty=True,
    )
    yield s(
        "paste",
        parse_text,
        "",
        "PasteDeploy file with the application, FILE.ini or FILE.ini#name; settings are "
        "read from its [server:main]",
        ("--paste", "--paster"),
        metavar="FILE",
        needs_command=True,
        none_if_empty=True,
    )
    yield s(
        "raw_paste_global_conf",
        parse_environment,
        [],
        "KEY=value of its global configuration",
        ("--paste-global",),
        True,
        "KEY=VALUE",
        is_secret=True,
        needs_command=True,
    )
