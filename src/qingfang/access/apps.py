"""The app of grants and of what is handed down to the engine."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AccessConfig(AppConfig):
    name = "qingfang.access"
    label = "access"
    verbose_name = _("统计授权")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from qingfang.access import bound, menu

        bound.register()
        menu.register()
