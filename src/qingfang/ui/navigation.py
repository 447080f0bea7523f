"""What stands in the navigation: each app adds its own entries, each person sees those allowed.

`register` is called once an app at start-up; `allowed` decides by the request. The order is by
`rank`. `tabs` are the pages of one entry that has several.
"""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import Promise


class Entry:
    """`name` is a URL name, `icon` one of `assets.ICONS`, `badge` a number shown when not 0."""

    def __init__(
        self,
        rank: int,
        name: str,
        label: Promise,
        icon: str,
        allowed: Callable[[HttpRequest], bool],
        badge: Callable[[HttpRequest], int] | None = None,
    ) -> None:
        self.rank, self.name, self.label, self.icon = rank, name, label, icon
        self.allowed, self.badge = allowed, badge


_entries: dict[str, Entry] = {}
_tabs: dict[str, list[Entry]] = {}


def register(*entries: Entry) -> None:
    for entry in entries:
        _entries[entry.name] = entry


def register_tabs(group: str, *tabs: Entry) -> None:
    """The pages that stand beside each other under the entry `group`; each app adds its own."""
    names = {tab.name for tab in tabs}
    kept = [tab for tab in _tabs.get(group, []) if tab.name not in names]
    _tabs[group] = sorted([*kept, *tabs], key=lambda tab: tab.rank)


def tabs(group: str, request: HttpRequest) -> list[dict[str, object]]:
    """Those this person may see, as `for_request` gives entries."""
    return _shown(_tabs.get(group, []), request)


def entries() -> list[Entry]:
    return sorted(_entries.values(), key=lambda e: e.rank)


def for_request(request: HttpRequest) -> list[dict[str, object]]:
    """The entries this person may see, with address, badge and whether we stand there."""
    return _shown(entries(), request)


def _shown(offered: list[Entry], request: HttpRequest) -> list[dict[str, object]]:
    shown: list[dict[str, object]] = []
    for entry in offered:
        if not entry.allowed(request):
            continue
        url = reverse(entry.name)
        here = request.path == url or (
            url != "/" and request.path.startswith(url.rstrip("/") + "/")
        )
        badge = entry.badge(request) if entry.badge else 0
        shown.append({"entry": entry, "url": url, "here": here, "badge": badge})
    return shown
