"""The app of shared page parts."""

from django.apps import AppConfig


class UiConfig(AppConfig):
    name = "qingfang.ui"
    label = "ui"
