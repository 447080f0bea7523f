"""Fixtures that every test may ask for."""

import os

from hypothesis import settings

# What is said is compared in Chinese, whatever the developer's own language.
os.environ["QINGFANG_LANG"] = "zh"

from tests.support import console
from tests.support.console import django_db_modify_db_settings
from tests.support.postgres import database, postgres

# The same examples in every run: what fails, fails again. `make soak` looks for new ones.
settings.register_profile("suite", derandomize=True, deadline=None, database=None)
settings.load_profile("suite")

# Before pytest-django reads the settings.
console.prepare()

__all__ = ["database", "django_db_modify_db_settings", "postgres"]
