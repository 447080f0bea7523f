"""Fixtures that every test may ask for."""

from tests.support import console
from tests.support.console import django_db_modify_db_settings
from tests.support.postgres import database, postgres

# Before pytest-django reads the settings.
console.prepare()

__all__ = ["database", "django_db_modify_db_settings", "postgres"]
