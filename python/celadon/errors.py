"""What the command can fail with, and the exit status of each."""


class CeladonError(Exception):
    """Ends the command with one line and `status`."""

    status = 1


class UsageError(CeladonError):
    """A setting is unknown or has a bad value."""

    status = 2


class AppError(CeladonError):
    """The application cannot be loaded."""

    status = 4
