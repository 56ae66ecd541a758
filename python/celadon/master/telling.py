"""What is said of an error that ends a worker or a reload."""

from __future__ import annotations

from celadon import logging
from celadon.errors import AppFailed, CeladonError, UsageError
from celadon.serving.importer import own_frames


def log_end(error: Exception, whose: str = "this worker") -> None:
    """Where all else is logged: standard error may lead nowhere."""
    if isinstance(error, CeladonError):
        problems = error.problems if isinstance(error, UsageError) else (str(error),)
        for problem in problems:
            logging.logger.error("%s", problem)
    elif isinstance(error, OSError):
        logging.logger.error("%s", error)
    else:
        trace = own_frames(error.__traceback__) or error.__traceback__
        logging.logger.error(
            "%s ends by an error", whose, exc_info=(type(error), error, trace)
        )


def log_end_of_start(error: Exception) -> None:
    """Unless that is where the command says it."""
    if not logging.is_on_standard_error():
        log_end(error, "the server")


def in_a_line(error: BaseException) -> str:
    if isinstance(error, AppFailed):
        return error.brief
    if isinstance(error, CeladonError | OSError):
        return "; ".join(str(error).splitlines())
    return f"{type(error).__name__}: {error}"


def say_why(error: BaseException) -> None:
    """A reload failed."""
    if isinstance(error, CeladonError | OSError):
        for line in str(error).splitlines():
            logging.logger.error("%s", line)
    else:
        logging.logger.error("the reload failed", exc_info=error)
