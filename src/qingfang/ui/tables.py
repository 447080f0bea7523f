"""The one table of all pages: filter, sort, page, choose columns, export; all on the server.

Rules this module keeps:

1. Paging is by key, not by offset: page 4,000 costs what page 1 costs. The condition is written
   as `f <= v AND (f < v OR id < n)`, which an index on (f, id) serves.
2. Columns one can sort by must not be NULL in the database.
3. A filter that cannot be read gives an error beside it and no rows; it never means «everything».
4. Exported cells that a spreadsheet would run as a formula are made text.
5. A table works without JavaScript; with it, only the table is exchanged.
"""

from __future__ import annotations

import base64
import binascii
import csv
import io
import json
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from typing import Any
from urllib.parse import urlencode

from asgiref.sync import sync_to_async
from django import forms
from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import render
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.timezone import localtime
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

Text = str | Promise
PAGE_SIZES = (25, 50, 100, 200)
COUNT_TO = 10_000
EXPORT_STEP = 1000


class Column:
    """`value` gives what is shown (and exported, unless `export` is given); `render` makes it safe
    HTML (otherwise it is escaped text); `order` names the database field sorted by."""

    def __init__(
        self,
        name: str,
        header: Text,
        value: Callable[[Any], object],
        *,
        order: str = "",
        render: Callable[[Any], str] | None = None,
        hidden: bool = False,
        css: str = "",
        export: Callable[[Any], object] | None = None,
    ) -> None:
        self.name, self.header, self.value, self.order = name, header, value, order
        self.render, self.hidden, self.css = render, hidden, css
        self.export = export or value


class Filter:
    """`apply(queryset, value)` narrows by the cleaned value of `field`."""

    def __init__(
        self,
        name: str,
        field: forms.Field,
        apply: Callable[[QuerySet[Any], Any], QuerySet[Any]],
    ) -> None:
        self.name, self.field, self.apply = name, field, apply


class Table:
    """Subclasses set the attributes; `rows`, `next`, `previous`, `total` are then for templates."""

    id = "table"
    caption: Text = ""
    columns: Sequence[Column] = ()
    filters: Sequence[Filter] = ()
    order = "-id"
    empty_title: Text = _("没有记录")
    empty_hint: Text = ""
    file_name = "export"

    def __init__(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        self.request = request
        data = request.GET
        fields = {f.name: f.field for f in self.filters}
        form_class = type("FilterForm", (FilterForm,), dict(fields))
        self.form: forms.Form = form_class(data)
        self.valid = self.form.is_valid()
        self.active = 0  # how many filters are set to something
        for one in self.filters:
            value = self.form.cleaned_data.get(one.name) if self.valid else None
            if value not in (None, "", [], ()):
                queryset = one.apply(queryset, value)
                self.active += 1
        self.filtered = self.active > 0
        # On a phone several filters stand behind a button, which one alone does not need.
        self.foldable = len(self.form.visible_fields()) > 1
        if not self.valid:
            queryset = queryset.none()
        sortable = {c.order for c in self.columns if c.order}
        wanted = data.get("sort", "")
        self.sort = wanted if wanted.lstrip("-") in sortable else self.order
        try:
            size = int(data.get("size", PAGE_SIZES[1]))
        except ValueError:
            size = PAGE_SIZES[1]
        self.size = size if size in PAGE_SIZES else PAGE_SIZES[1]
        self.sizes = PAGE_SIZES
        self._queryset = self.narrowed(queryset)
        self._choose_columns()
        self._page()

    # ------------------------------------------------------------ columns

    def _choose_columns(self) -> None:
        key = f"columns:{self.id}"
        names = {c.name for c in self.columns}
        if "columns" in self.request.GET:
            self.request.session[key] = [
                n for n in self.request.GET.getlist("columns") if n in names
            ]
        chosen = self.request.session.get(key)
        if chosen:
            self.shown = [c for c in self.columns if c.name in chosen]
        else:
            self.shown = [c for c in self.columns if not c.hidden]
        self.shown_names = {c.name for c in self.shown}

    @property
    def headers(self) -> Iterator[dict[str, object]]:
        field, descending = self.sort.lstrip("-"), self.sort.startswith("-")
        for column in self.shown:
            state, target = "none", f"-{column.order}"
            if column.order and column.order == field:
                state = "descending" if descending else "ascending"
                target = field if descending else f"-{field}"
            yield {"column": column, "state": state, "url": self.url(sort=target)}

    # ------------------------------------------------------------ rows

    def _keyed(self, value: object, pk: int, *, backward: bool) -> QuerySet[Any]:
        field, descending = self.sort.lstrip("-"), self.sort.startswith("-")
        less = descending != backward
        op, opeq = ("lt", "lte") if less else ("gt", "gte")
        if field == "id":
            return self._queryset.filter(**{f"id__{op}": pk})
        further = Q(**{f"{field}__{op}": value}) | Q(**{f"pk__{op}": pk})
        return self._queryset.filter(Q(**{f"{field}__{opeq}": value}) & further)

    def _ordered(self, queryset: QuerySet[Any], *, backward: bool = False) -> QuerySet[Any]:
        field, descending = self.sort.lstrip("-"), self.sort.startswith("-")
        sign = "-" if descending != backward else ""
        return queryset.order_by(f"{sign}{field}", *([f"{sign}pk"] if field != "id" else []))

    def _page(self) -> None:
        cursor = self._read_cursor(self.request.GET.get("at", ""))
        if cursor is None:
            found = list(self._ordered(self._queryset)[: self.size + 1])
            before, after = False, len(found) > self.size
            found = found[: self.size]
        else:
            backward, value, pk = cursor
            keyed = self._keyed(value, pk, backward=backward)
            found = list(self._ordered(keyed, backward=backward)[: self.size + 1])
            more = len(found) > self.size
            found = found[: self.size]
            if backward:
                found.reverse()
            before, after = (more, True) if backward else (True, more)
        self.first_page = cursor is None
        self.prepare(found)
        self.found = found
        self.next = self.url(at=self._cursor(found[-1], "a")) if after and found else ""
        self.previous = self.url(at=self._cursor(found[0], "b")) if before and found else ""
        if not found and cursor is not None:
            self.previous = self.url(at="")

    @property
    def total(self) -> int:
        """Rows that fit, counted up to `COUNT_TO` + 1."""
        if not hasattr(self, "_total"):
            self._total = self._queryset.order_by()[: COUNT_TO + 1].count()
        return self._total

    @property
    def rows(self) -> Iterator[dict[str, object]]:
        for row in self.found:
            cells = [{"column": c, "value": c.value(row)} for c in self.shown]
            yield {
                "row": row,
                "key": self.row_key(row),
                "url": self.row_url(row),
                "css": self.row_css(row),
                "cells": cells,
            }

    def narrowed(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """The rows to list, of those that fit the filters."""
        return queryset

    def prepare(self, rows: Sequence[Any]) -> None:
        """Called with the rows about to be shown or exported, for what is looked up together."""

    def row_key(self, row: Any) -> str:
        """What a row is the same by when the table is fetched again."""
        return str(row.pk)

    @property
    def total_label(self) -> str:
        """How many rows there are, in words."""
        return ngettext("共 %(n)d 条", "共 %(n)d 条", self.total) % {"n": self.total}

    def row_url(self, row: Any) -> str:
        return ""

    def row_css(self, row: Any) -> str:
        return ""

    # ------------------------------------------------------------ cursors

    def _cursor(self, row: Model, direction: str) -> str:
        value: Any = row
        for part in self.sort.lstrip("-").split("__"):
            value = getattr(value, part)
        text = json.dumps([direction, self.sort, self._as_text(value), row.pk])
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    @staticmethod
    def _as_text(value: Any) -> str:
        return value.isoformat() if hasattr(value, "isoformat") else str(value)

    def _read_cursor(self, text: str) -> tuple[bool, object, int] | None:
        """A cursor of another order, or none of ours, means the first page."""
        try:
            raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
            direction, sort, value, pk = json.loads(raw)
            if sort != self.sort or direction not in ("a", "b"):
                return None
            model: Any = self._queryset.model
            *path, last = self.sort.lstrip("-").split("__")
            for part in path:
                model = model._meta.get_field(part).related_model
            return direction == "b", model._meta.get_field(last).to_python(value), int(pk)
        except (ValueError, TypeError, binascii.Error, ValidationError, FieldDoesNotExist):
            return None

    # ------------------------------------------------------------ addresses

    def url(self, **changes: object) -> str:
        """This page with some parameters changed; changing more than the cursor returns to page 1."""
        pairs = [
            (k, v)
            for k, values in self.request.GET.lists()
            for v in values
            if k not in changes and k not in ("at", "columns", "export") and v
        ]
        pairs += [(k, str(v)) for k, v in changes.items() if v not in ("", None)]
        return "?" + urlencode(pairs)

    @property
    def export_url(self) -> str:
        return self.url(export="csv")

    @property
    def plain_url(self) -> str:
        return self.request.path

    def respond(self, template: str, context: dict[str, object] | None = None) -> HttpResponseBase:
        """The page, or only the table when HTMX asks for it, or the CSV file."""
        if self.request.GET.get("export") == "csv":
            return self._export()
        partial = (
            self.request.headers.get("HX-Request") == "true"
            and self.request.headers.get("HX-Target") == self.id
        )
        name = "ui/table.html" if partial else template
        response: HttpResponse = render(self.request, name, {**(context or {}), "table": self})
        response["Vary"] = "HX-Request, Cookie"
        return response

    # ------------------------------------------------------------ export

    def _export(self) -> HttpResponseBase:
        async def lines() -> AsyncIterator[bytes]:
            yield b"\xef\xbb\xbf" + _csv([[str(c.header) for c in self.shown]])
            rows = await sync_to_async(self._step)(None)
            while rows:
                yield _csv([[_cell(c.export(row)) for c in self.shown] for row in rows])
                if len(rows) < EXPORT_STEP:
                    return
                rows = await sync_to_async(self._step)(rows[-1])

        response = StreamingHttpResponse(lines(), content_type="text/csv; charset=utf-8")
        response["Content-Disposition"] = f'attachment; filename="{self.file_name}.csv"'
        return response

    def _step(self, last: Model | None) -> list[Any]:
        queryset = self._queryset
        if last is not None:
            _backward, value, pk = self._read_cursor(self._cursor(last, "a")) or (False, None, 0)
            queryset = self._keyed(value, pk, backward=False)
        rows = list(self._ordered(queryset)[:EXPORT_STEP])
        self.prepare(rows)
        return rows


class FilterForm(forms.Form):
    """The filters of a table; each may be left empty."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, field in self.fields.items():
            field.required = False
            css = "form-select" if isinstance(field, forms.ChoiceField) else "form-control"
            field.widget.attrs.setdefault("class", f"{css} {css}-sm")
            field.widget.attrs["id"] = f"filter-{name}"


def _cell(value: object) -> str:
    if value is None:
        return ""
    if hasattr(value, "tzinfo"):
        value = date_format(localtime(value), "Y-m-d H:i:s")  # pyright: ignore[reportArgumentType]
    text = str(value)
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def _csv(rows: Iterable[list[str]]) -> bytes:
    buffer = io.StringIO()
    csv.writer(buffer).writerows(rows)
    return buffer.getvalue().encode()


def choices(label: Text, pairs: Iterable[tuple[str, Text]], everything: Text) -> forms.ChoiceField:
    """A filter of one choice; `everything` names the choice that filters nothing."""
    offered: Any = [("", everything), *pairs]
    return forms.ChoiceField(label=label, choices=offered)


def day(label: Text) -> forms.DateField:
    return forms.DateField(label=label, widget=forms.DateInput(attrs={"type": "date"}))
