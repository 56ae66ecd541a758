"""The application's configuration, by which Django finds the command."""

from __future__ import annotations

from django.apps import AppConfig


class CeladonConfig(AppConfig):
    """Of ``celadon.contrib.django``; its label leaves ``django`` to others."""

    name = "celadon.contrib.django"
    label = "celadon"
