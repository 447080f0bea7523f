"""The home page: what needs this person's attention. Each app brings its own cards and panels.

`cards` are numbers that ask for something to be done; `panels` are template parts with a context.
Both are asked for each request and answer only what the person may see.
"""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest


class Card:
    """`tone` is a colour of the style sheet; a card whose `number` is 0 says that all is well."""

    def __init__(self, label: str, number: int, url: str, tone: str, icon: str) -> None:
        self.label, self.number, self.url, self.icon = label, number, url, icon
        self.tone = tone if number else "secondary"


Panel = tuple[str, dict[str, object]]

_cards: list[Callable[[HttpRequest], list[Card]]] = []
_panels: list[Callable[[HttpRequest], list[Panel]]] = []


def register(
    *,
    cards: Callable[[HttpRequest], list[Card]] | None = None,
    panels: Callable[[HttpRequest], list[Panel]] | None = None,
) -> None:
    if cards is not None and cards not in _cards:
        _cards.append(cards)
    if panels is not None and panels not in _panels:
        _panels.append(panels)


def for_request(request: HttpRequest) -> tuple[list[Card], list[Panel]]:
    return (
        [card for make in _cards for card in make(request)],
        [panel for make in _panels for panel in make(request)],
    )
