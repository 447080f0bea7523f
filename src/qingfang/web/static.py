"""Addresses of static files carry the digest of their content: a new version is loaded at once."""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path

from django.contrib.staticfiles import finders
from django.contrib.staticfiles.storage import StaticFilesStorage


@functools.cache
def _digest(name: str) -> str:
    found = finders.find(name)
    return hashlib.sha256(Path(str(found)).read_bytes()).hexdigest()[:12] if found else ""


class Versioned(StaticFilesStorage):
    def url(self, name: str | None) -> str:
        address = super().url(name or "")
        digest = _digest(name or "")
        return f"{address}?v={digest}" if digest else address
