"""The app of alerts."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ReviewConfig(AppConfig):
    name = "qingfang.review"
    label = "review"
    verbose_name = _("告警与查证")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from qingfang.review import menu

        menu.register()
