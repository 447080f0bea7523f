"""The app of persons."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class PeopleConfig(AppConfig):
    name = "qingfang.people"
    label = "people"
    verbose_name = _("人员与权限")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from qingfang.people import menu

        menu.register()
