"""Settings as keywords of `celadon.run` and `celadon.Server`."""

from __future__ import annotations

import pytest
from celadon.errors import UsageError
from celadon.serving import keywords


def test_none_is_the_default_as_in_a_file() -> None:
    settings = keywords.load({"keepalive": None, "accesslog": None})
    assert (settings.keepalive, settings.sources["keepalive"]) == (75.0, "default")


def test_a_name_that_is_no_setting_is_named() -> None:
    with pytest.raises(UsageError, match="no_setting"):
        keywords.load({"no_setting": None})
