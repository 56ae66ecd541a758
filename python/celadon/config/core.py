"""What the core is told of the settings."""

from __future__ import annotations

import resource
from typing import Any

from celadon.base import cgroup, output
from celadon.config.effective import Config

# Slots of the shared memory: three for each worker, and some for those that a SIGTTIN or a
# reload asks for. One that nobody uses costs a pair of descriptors, of which there may be
# few.
_SPARE_SLOTS = 8
_USUAL_SLOTS = 64
_SHARE_OF_DESCRIPTORS = 8
_OTHER_DESCRIPTORS = 8  # that any master has, at the least

_PROXY_MODES = {"off": 0, "v1": 1, "v2": 2, "auto": 3}


def core_options(config: Config, version: str) -> dict[str, Any]:
    """The dict that the core reads, but for what it is told of applications; every key of
    it is required there."""
    v = dict(config.values)
    options = config.told("for_server")
    options["preempt"] = v["preempt"] if v["green"] else 0.0
    options["stack_signal"] = options["stacks_signal"] = options["preempt_signal"] = 0
    options["stack_pipe"] = -1
    options["log_fd"], options["log_level"], options["log_later"] = 2, 0, False
    if not v["green"]:
        options["max_concurrent_requests"] = 1
    if not v["watchdog"]:
        options["watchdog_threshold"] = 0.0
        options["watchdog_raise"] = False
    if options["hand_over_after"] == "auto":
        options["hand_over_after"] = 5 * options["watchdog_threshold"]
    options.update(
        refuse_underscores=v["header_map"] == "refuse",
        refuse_absolute_form=v["absolute_form"] == "reject",
        tmp_upload_dir=v["tmp_upload_dir"] or _system_temp(),
        **_own_headers(config),
        server_software="celadon/" + version,
        proxy_protocol=_PROXY_MODES[v["proxy_protocol"]],
        multiprocess=v["workers"] > 1,
        access_log=access_log(config),
        access_log_format=v["access_log_format"],
        access_log_style=_STYLES.index(v["access_log_style"]),
        log_overflow_blocks=v["log_overflow"] == "block",
        stdout_fd=1,
    )
    return options


def _own_headers(config: Config) -> dict[str, Any]:
    """A Server of their own is that of all answers."""
    lines = config.response_headers
    own = [line for line in lines if line.lower().startswith("server:")]
    server = own[-1].partition(":")[2].strip() if own else "celadon"
    return {
        "response_headers": [line for line in lines if line not in own],
        "server_header": server if own or config.server_header else "",
    }


def tls_options(config: Config) -> dict[str, Any]:
    """The dict that `celadon._core.Tls` reads; empty: connections are in the clear."""
    v = config.values
    if not v["certfile"]:
        return {}
    others = (each.partition(":") for each in v["tls_certs"])
    return {
        "certificates": {
            v["certfile"]: v["keyfile"],
            **{cert: key for cert, _, key in others},
        },
        "password": v["keyfile_password"],
        "ca_certs": v["ca_certs"],
        "crl": v["client_crl"],
        "cert_reqs": v["cert_reqs"],
        "ciphers": v["ciphers"],
        "cipher_suites": "",
        "only_tls12": False,
        "only_tls13": v["tls_min_version"] == "1.3",
        "protocols": ["http/1.1"],
        "strict_names": v["tls_strict_names"],
    }


def shows_clients_of_proxies(config: Config, is_asgi: bool) -> bool:
    """Whether an application is shown the client that a trusted proxy names."""
    wanted = config.proxy_headers
    return is_asgi if wanted == "auto" else bool(wanted)


_STYLES = ("apache", "json", "logfmt")


def access_log(config: Config) -> str:
    """Its file, ``-`` for `stream_of_access_log`; empty: none is written."""
    if output.named(config.accesslog):
        return "-"
    return config.accesslog if config.accesslog not in ("", "None") else ""


def stream_of_access_log(config: Config) -> int:
    """Descriptor of the standard stream that it goes to where it goes to one."""
    return output.named(config.accesslog) or 1


def master_options(config: Config, slots: int = 0) -> dict[str, Any]:
    """The dict that the core's master reads; every key of it is required there.

    `slots`: how many there are since the start, if it was one before.
    """
    options = config.told("for_master")
    options["uid"] = options["gid"] = -1
    options["alive_period"] = 0.0
    options["build_labels"] = ""
    options["access_log"] = access_log(config)
    options["log_ring"] = config.log_ring if options["access_log"] else 0
    options["stdout_fd"] = 1
    for name in ("worker_max_rss", "worker_kill_rss"):
        value = config.values[name]
        options[name] = cgroup.memory_share(config.workers) if value < 0 else value
    options["slots"] = slots or _slots_of(config)
    # More than fit would leave no room for any reload, nor for SIGTTIN.
    room = options["slots"] - config.workers - _SPARE_SLOTS
    options["reload_surge"] = max(1, min(config.reload_surge, room))
    return options


def lack_of_descriptors(config: Config) -> str:
    """Why there is no room for so many workers; empty: there is."""
    needed, most = 2 * _slots_of(config) + _OTHER_DESCRIPTORS, _most_descriptors()
    if not 0 < most < needed:
        return ""
    return (
        f"workers: {config.workers} need {needed} descriptors in the master, and {most} "
        "is the limit (ulimit -Hn)"
    )


def _slots_of(config: Config) -> int:
    workers: int = config.workers
    return max(3 * workers + _SPARE_SLOTS, _slots_at_ease())


def _slots_at_ease() -> int:
    most = _most_descriptors()
    return min(_USUAL_SLOTS, most // _SHARE_OF_DESCRIPTORS) if most else _USUAL_SLOTS


def _most_descriptors() -> int:
    """As many as a process of the server may open; 0: without limit."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return 0 if most == resource.RLIM_INFINITY else most


def _system_temp() -> str:
    import tempfile

    try:
        return tempfile.gettempdir()
    except FileNotFoundError:
        return "/tmp"  # read-only: a body that does not fit into memory is refused
