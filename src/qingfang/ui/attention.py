"""The home page: what needs this person's attention. Each app brings its own cards and panels.

`cards` are numbers that ask for something to be done; `actions` are what the person most often comes
to begin; `panels` are template parts with a context. All are asked for each request and answer only what the person may see.
"""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest


class Card:
    """`tone` is a colour of the style sheet; a card whose `number` is 0 says that all is well."""

    def __init__(self, label: str, number: int, url: str, tone: str, icon: str) -> None:
        self.label, self.number, self.url, self.icon = label, number, url, icon
        self.tone = tone if number else "secondary"


class Action:
    """A button that begins something."""

    def __init__(self, label: str, url: str, icon: str) -> None:
        self.label, self.url, self.icon = label, url, icon


Panel = tuple[str, dict[str, object]]

_cards: list[Callable[[HttpRequest], list[Card]]] = []
_panels: list[Callable[[HttpRequest], list[Panel]]] = []
_actions: list[Callable[[HttpRequest], list[Action]]] = []


def register(
    *,
    cards: Callable[[HttpRequest], list[Card]] | None = None,
    panels: Callable[[HttpRequest], list[Panel]] | None = None,
    actions: Callable[[HttpRequest], list[Action]] | None = None,
) -> None:
    if cards is not None and cards not in _cards:
        _cards.append(cards)
    if panels is not None and panels not in _panels:
        _panels.append(panels)
    if actions is not None and actions not in _actions:
        _actions.append(actions)


def actions_for(request: HttpRequest) -> list[Action]:
    return [action for make in _actions for action in make(request)]


def for_request(request: HttpRequest) -> tuple[list[Card], list[Panel]]:
    return (
        [card for make in _cards for card in make(request)],
        [panel for make in _panels for panel in make(request)],
    )
