"""From ``module:attr`` to the application object."""

from __future__ import annotations

import ast
import difflib
import importlib
import importlib.util
import sys
import traceback
from collections.abc import Sequence
from importlib.machinery import PathFinder
from pathlib import Path
from types import TracebackType
from typing import Any

from celadon.base import origins
from celadon.config import flags
from celadon.config.values.mounts import prefix_and_target
from celadon.errors import AppError, AppFailed, printable, reason
from celadon.serving.interface import AUTO, refuse_wrong
from celadon.serving.mounts import Application, join


def load_app(
    target: str, factory: bool = False, interface: str = AUTO, mounted_at: str = ""
) -> Application:
    """Imports ``module``, ``module:attr``, ``module:a.b`` or ``module:make('x')``.

    Without an attribute `application`, then `app` is tried. Raises `AppError` with one
    line; an exception of the application's own code comes with its traceback.
    """
    module_name, expression = check_name(target)
    module = _import(module_name)
    name, call = _parse(target, expression) if expression else (None, None)
    app = _find(module, module_name, name)
    if call is not None:
        app = _call(app, call, target)
    elif factory:
        app = _call(app, ([], {}), target)
    if app is None:
        raise AppError(f"{target!r} gave None instead of an application")
    if not callable(app):
        raise AppError(
            f"{target!r} is not callable but {type(app).__name__}; "
            "if it is a module or a class, name the application in it"
        )
    module, _, made = target.partition(":")
    made = made or getattr(app, "__name__", "make_app")
    instead = f"write {module}:{made}(), or --factory"
    if mounted_at:
        instead = f"write {mounted_at}={module}:{made}()"
    refuse_wrong(app, repr(target), instead, interface)
    return app  # type: ignore[no-any-return]


def with_mounts(app: Application, mounted: Sequence[str]) -> Application:
    """`app` with what the setting ``mount`` names below it. Raises `AppError`."""
    at = {}
    for prefix, target in map(prefix_and_target, mounted):
        at[prefix] = load_app(target, mounted_at=prefix)
    try:
        return join(app, at)
    except ValueError as error:  # of a Mount that has it already
        raise AppError(f"mount: {error}") from None


def check_name(target: str, folders: Sequence[str] = ()) -> tuple[str, str]:
    """Module and expression. Raises `AppError` for what cannot be a module, and for what
    is hardly meant as one where it lies neither in `folders` nor on sys.path."""
    module_name, _, expression = target.partition(":")
    if not module_name:
        raise AppError(f"no module in {target!r}; expected module:attribute")
    if module_name.endswith(".ini"):
        raise AppError(
            f"{module_name!r} is a file: --paste {target} serves one of PasteDeploy's, "
            f"`celadon migrate {module_name}` reads one of uWSGI's"
        )
    if module_name.endswith(".py") or "/" in module_name:
        raise AppError(_not_a_file(module_name, expression))
    first, *others = module_name.split(".")
    if not all((first, *others)):
        raise AppError(f"{module_name!r} cannot be a module; expected module:attribute")
    if not first.isidentifier() and not _is_found(first, folders):
        raise AppError(f"there is no module {first!r}; expected module:attribute")
    if module_name in _ACTIONS and not _is_found(module_name, folders):
        raise AppError(
            f"there is no module {module_name!r}; `celadon ctl` asks a running server, "
            "`celadon --help` lists options"
        )
    word = flags.nearest_word(target) if target.isidentifier() else ""
    if word and not _is_found(module_name, folders):
        raise AppError(
            f"there is no module {module_name!r} (did you mean `celadon {word}`?)"
        )
    return module_name, expression


_ACTIONS = {"help", "reload", "restart", "run", "serve", "start", "status", "stop"}


def _is_found(module: str, folders: Sequence[str]) -> bool:
    there = PathFinder.find_spec(module, folders)
    return there is not None or importlib.util.find_spec(module) is not None


def _not_a_file(name: str, expression: str) -> str:
    path = Path(name.removesuffix(".py"))
    root = path.parent
    while (root / "__init__.py").is_file():  # of a package, whose module it is
        root = root.parent
    where = f" with --chdir {root}" if root != Path() else ""
    is_packaged = root != path.parent
    named = expression or ("" if is_packaged else "app")
    if path.name == "manage" and (sites := sorted(root.glob("*/wsgi.py"))):
        path, named = sites[0].with_suffix(""), expression  # Django's own command
    meant = ".".join(path.relative_to(root).parts) + (f":{named}" if named else "")
    return f"{name!r} is a file, a module is wanted: {meant}{where}"


def _import(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name + ".").startswith(error.name + "."):
            raise AppError(
                f"cannot import {name!r}: there is no module {error.name!r} in "
                f"{sys.path[0] or '.'} or elsewhere on sys.path"
            ) from None
        raise own_failure(f"cannot import {name!r}", error) from None
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise own_failure(f"cannot import {name!r}", error) from None


_UWSGI = {"uwsgi", "uwsgidecorators"}
_OF_UWSGI = (
    "; that is uWSGI's own module, and only what uWSGI serves has it: hooks of a "
    'configuration, environ["wsgi.websocket"], Redis, Celery or cron take its place'
)


def own_failure(what: str, error: BaseException) -> AppError:
    """The application's own frames, without ours and the import system's."""
    frames = own_frames(error.__traceback__)
    shown = ""
    if frames is not None or isinstance(error, SyntaxError):
        shown = "".join(traceback.format_exception(type(error), error, frames))
    detail = traceback.format_exception_only(type(error), error)[-1].strip()
    cause = reason(error.__cause__) if error.__cause__ else ""
    detail += f" ({cause})" if cause not in detail else ""
    detail += _OF_UWSGI if getattr(error, "name", None) in _UWSGI else ""
    brief = printable(f"{what}: {detail}")
    return AppFailed(printable(shown) + brief, brief)


def own_frames(frames: TracebackType | None) -> TracebackType | None:
    """From the first one on that is neither ours nor the standard library's."""
    while frames is not None and _is_machinery(frames.tb_frame.f_code.co_filename):
        frames = frames.tb_next
    return frames


def _is_machinery(file: str) -> bool:
    return origins.is_ours(file) or origins.is_standard(file)


def _parse(
    target: str, expression: str
) -> tuple[str, tuple[list[Any], dict[str, Any]] | None]:
    try:
        node = ast.parse(expression, mode="eval").body
        if isinstance(node, ast.Call):
            args = [ast.literal_eval(arg) for arg in node.args]
            kwargs = {
                str(kw.arg): ast.literal_eval(kw.value)
                for kw in node.keywords
                if kw.arg
            }
            return _dotted(node.func), (args, kwargs)
        return _dotted(node), None
    except (SyntaxError, ValueError):
        raise AppError(
            f"cannot read {expression!r} in {target!r}; expected a name, a dotted name, "
            "or a call with literal arguments"
        ) from None


def _dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return _dotted(node.value) + "." + node.attr
    raise ValueError


def _find(module: Any, module_name: str, name: str | None) -> Any:
    if name is None:
        for usual in ("application", "app"):
            if hasattr(module, usual):
                return getattr(module, usual)
        hint = _elsewhere(module, module_name)
        raise AppError(
            f"module {module_name!r} has neither 'application' nor 'app'{hint}"
        )
    found = module
    for part in name.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            hint = _elsewhere(module, module_name, name)
            raise AppError(
                f"module {module_name!r} has no attribute {name!r}{hint}"
            ) from None
    return found


def _elsewhere(module: Any, module_name: str, wanted: str = "") -> str:
    """What was meant, by what there is: an application, who makes one, or the module that
    Django and others have for it."""
    if "." in wanted:
        return ""
    near = difflib.get_close_matches(wanted, vars(module), n=1)
    for name in (*near, "application", "app", "create_app", "make_app"):
        if callable(getattr(module, name, None)):
            made = "()" if name in ("create_app", "make_app") else ""
            return f" (did you mean {module_name}:{name}{made}?)"
    package = module_name
    if not hasattr(module, "__path__"):
        package = module_name.rpartition(".")[0]
    other = f"{package}.wsgi"
    if package and other != module_name and importlib.util.find_spec(other):
        return f" (did you mean {other}?)"
    return ""


def _call(make: Any, call: tuple[list[Any], dict[str, Any]], target: str) -> Any:
    if not callable(make):
        raise AppError(f"{target!r} is not a function that could make the application")
    args, kwargs = call
    try:
        return make(*args, **kwargs)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise own_failure(f"{target!r} could not make the application", error) from None
