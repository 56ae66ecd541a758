"""What settings say of each other."""

from __future__ import annotations

import os

from celadon.config import env_file, paths, worker_class
from celadon.config.effective import Config
from celadon.config.settings import SETTINGS
from celadon.config.values.addresses import in_both
from celadon.config.values.names import strange_atoms

ON_GREENLETS = "requests run on greenlets, not on threads"


def contradictions(config: Config) -> list[str]:
    """Settles what settings say of each other; what cannot be settled is returned."""
    problems = worker_class.settle(config)
    _settle_worker_class(config)
    problems += [
        f"{name}: {text!a} is no text in UTF-8"
        for name, value in config.values.items()
        for text in (value if isinstance(value, list | tuple) else [value])
        if isinstance(text, str) and not _is_utf8(text)
    ]
    if config.chdir and not os.path.isdir(config.chdir):
        problems.append(f"chdir: no directory {config.chdir!r}")
        config.values["chdir"] = ""
    problems += _problems_of_environment(config)
    if not config.bind:
        problems.append("bind: no address given")
    problems += [
        f"admin_bind: {each} is an address of bind: it needs a port of its own"
        for each in in_both(config.admin_bind, config.bind)
    ]
    if config.reuse_port and any(a.startswith("unix:") for a in config.bind):
        problems.append("reuse_port: a unix socket cannot be shared by address")
    for name, row in SETTINGS.items():
        if row.ceiling and not 0 < config.values[name] <= row.ceiling:
            config.values[name] = row.ceiling  # 0 is never without limit
    problems += _problems_of_tls(config)
    if config.worker_connections < 1:
        problems.append("worker_connections: at least one is needed")
    if not config.green and (config.threads > 1 or config.worker_class == "gthread"):
        problems.append(
            "threads: without greenlets one request runs at a time; native threads for "
            "requests are not there yet"
        )
    if config.reload and config.preload_app:
        problems.append("reload: what preload_app has imported cannot be renewed")
    settle_request_timeout(config)
    paths.settle(config.values)
    config.notes += [
        f"access_log_format: {each} is no atom: it prints -, or what it is"
        for each in strange_atoms(config.access_log_format)
    ]
    return problems


def _problems_of_tls(config: Config) -> list[str]:
    """What would be served in the clear, or to anybody, though it looks otherwise."""
    named = [
        name
        for name in ("keyfile", "tls_certs", "ca_certs", "client_crl", "cert_reqs")
        if config.values[name]
    ]
    if not config.certfile:
        return [f"{name}: there is no TLS without certfile" for name in named]
    if not config.cert_reqs:
        config.notes += [
            f"{name} has no effect: cert_reqs asks no client for a certificate"
            for name in ("ca_certs", "client_crl")
            if config.values[name]
        ]
    return []


_LEADERS = ("reload", "timeout")  # that request_timeout follows


def settle_request_timeout(config: Config) -> None:
    """Where it is not set: what was said of other settings says how long one may take."""
    if config.sources["request_timeout"] not in ("default", *_LEADERS):
        return
    config.values["request_timeout"] = SETTINGS["request_timeout"].default
    config.sources["request_timeout"] = "default"
    is_longer = not 0 < config.timeout <= config.request_timeout
    if config.reload:
        # Who stands in a debugger, or thinks, is not to be hurried.
        config.values["request_timeout"] = 0.0
        config.sources["request_timeout"] = "reload"
    elif is_longer and not config.is_default("timeout"):
        # A request that takes that long was served by gunicorn, whatever its worker.
        config.values["request_timeout"] = config.timeout
        config.sources["request_timeout"] = "timeout"


def _is_utf8(text: str) -> bool:
    """Bytes of an argument or a file that are not are surrogates in Python's text."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _problems_of_environment(config: Config) -> list[str]:
    problems = []
    if config.green_patch not in (["on"], ["off"]):
        # Here: who only imports celadon, imports nothing that patches.
        from celadon.patch.installing import PARTS

        if not {*config.green_patch} <= {*PARTS}:
            problems.append(
                f"green_patch: expected on, off, or some of {', '.join(PARTS)}, not "
                f"{','.join(config.green_patch)!r}"
            )
    if config.env_file:
        try:
            config.environment = env_file.read(config.env_file)
        except (OSError, ValueError) as error:
            problems.append(f"env_file: {error}")
    return problems


def patched_parts(config: Config) -> dict[str, bool]:
    """What `celadon.patch.install` takes, by `green_patch`."""
    if config.green_patch == ["on"]:
        return {}
    from celadon.patch.installing import PARTS

    return {part: part in config.green_patch for part in PARTS}


def _settle_worker_class(config: Config) -> None:
    if config.worker_class == "asgi" and config.is_default("interface"):
        config.values["interface"] = "asgi"
        config.sources["interface"] = "worker_class"
    threaded = config.worker_class == "gthread" or config.threads > 1
    if config.worker_class == "sync" and not threaded:
        if config.is_default("green"):
            config.values["green"] = False
            config.sources["green"] = "worker_class = sync"
        if config.is_default("request_timeout"):
            # So that a request that hangs is shed, as it is under gunicorn.
            config.values["request_timeout"] = config.timeout
            config.sources["request_timeout"] = "timeout, by worker_class = sync"
    elif threaded and config.green:
        config.notes.append(ON_GREENLETS)
