"""What the command can fail with, and the exit status of each."""

_SHOWN = 100  # characters of a value that a message quotes


def brief(value: object) -> str:
    """A value for a message: the first characters of its repr."""
    beginning = value[: _SHOWN + 1] if isinstance(value, str | bytes) else value
    try:
        text = repr(beginning)
    except Exception:  # its own fault is not what the message is about
        return type(value).__name__
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."


def reason(error: BaseException) -> str:
    """What an exception says, without the number of an errno, and why it came."""
    text = str(error)
    if isinstance(error, OSError) and error.strerror:
        name = "" if error.filename is None else f": {error.filename!r}"
        text = f"{error.strerror}{name}"
    cause = reason(error.__cause__) if error.__cause__ else ""
    return text if cause in text else f"{text} ({cause})"


def printable(text: str) -> str:
    """As UTF-8 can say it: a path that is none has surrogates in it."""
    return text.encode(errors="backslashreplace").decode()


class CeladonError(Exception):
    """Ends the command with one line and `status`."""

    status = 1


class UsageError(CeladonError):
    """Settings that are unknown or have a bad value: `problems`, a text for each."""

    status = 2

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class AppError(CeladonError):
    """The application cannot be loaded."""

    status = 4


class AppFailed(AppError):
    """What the application itself raised when it was loaded; `brief` is that in a line."""

    def __init__(self, text: str, brief: str) -> None:
        super().__init__(text)
        self.brief = brief
