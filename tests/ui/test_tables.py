"""The table: paging by key gives every row once, in order, whatever is sorted by."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from django import forms
from django.contrib.sessions.backends.db import SessionStore
from django.db.models import QuerySet
from django.test import RequestFactory
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qingfang.people.models import Act
from qingfang.ui.tables import Column, Filter, Table, _cell, day

pytestmark = pytest.mark.django_db


class Sample(Table):
    id = "sample"
    order = "-at"
    columns = (
        Column("at", "时间", lambda a: a.at, order="at"),
        Column("kind", "行为", lambda a: a.kind, order="kind"),
        Column("actor", "工号", lambda a: a.actor, hidden=True),
    )
    filters = (
        Filter("actor", forms.CharField(), lambda qs, v: qs.filter(actor=v)),
        Filter("since", day("自"), lambda qs, v: qs.filter(at__date__gte=v)),
    )


def table(query: str = "", queryset: QuerySet[Any] | None = None) -> Sample:
    request = RequestFactory().get("/acts/" + query)
    request.session = SessionStore()
    return Sample(request, queryset if queryset is not None else Act.objects.all())


def walk(sort: str, size: int) -> list[int]:
    """All rows from the first page to the last, then back again, which must be the same."""
    pages: list[list[int]] = []
    query = f"?sort={sort}&size={size}"
    while query:
        shown = table(query)
        pages.append([row.pk for row in shown.found])
        query = shown.next
    back = [pages[-1]]
    query = shown.previous
    while query:
        shown = table(query)
        back.append([row.pk for row in shown.found])
        query = shown.previous
    assert back[::-1] == pages
    return [pk for page in pages for pk in page]


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    kinds=st.lists(st.sampled_from(["a", "b", "c"]), max_size=120),
    sort=st.sampled_from(["at", "-at", "kind", "-kind"]),
)
def test_every_row_once_in_order(kinds: list[str], sort: str) -> None:
    Act.objects.all().delete()
    Act.objects.bulk_create(Act(kind=kind) for kind in kinds)
    sign = "-" if sort.startswith("-") else ""
    expected = list(Act.objects.order_by(sort, f"{sign}pk").values_list("pk", flat=True))
    assert walk(sort, 25) == expected


@pytest.mark.parametrize(
    "cursor", ["x", "", "eA", "W10", "WyJhIiwiLWF0Iiwibm90IGEgZGF0ZSIsIDFd", "𝕏" * 50]
)
def test_a_cursor_that_is_none_of_ours_is_the_first_page(cursor: str) -> None:
    Act.objects.create(kind="a")
    assert table(f"?at={cursor}").first_page


def test_a_filter_that_cannot_be_read_shows_nothing_and_says_so() -> None:
    Act.objects.create(kind="a")
    shown = table("?since=yesterday")
    assert shown.found == []
    assert shown.form.errors["since"]


def test_sorting_by_what_is_not_offered_is_ignored() -> None:
    assert table("?sort=facts").sort == "-at"
    assert table("?sort=actor__password").sort == "-at"


def test_chosen_columns_are_remembered() -> None:
    request = RequestFactory().get("/acts/?columns=actor&columns=kind&columns=nonsense")
    request.session = SessionStore()
    assert [c.name for c in Sample(request, Act.objects.all()).shown] == ["kind", "actor"]
    later = RequestFactory().get("/acts/")
    later.session = request.session
    assert [c.name for c in Sample(later, Act.objects.all()).shown] == ["kind", "actor"]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1"])
def test_a_cell_that_a_spreadsheet_would_run_becomes_text(text: str) -> None:
    assert _cell(text) == f"'{text}"


def test_export_has_every_row_that_fits() -> None:
    Act.objects.bulk_create(Act(kind="a", actor="1" if n % 3 else "2") for n in range(2500))
    shown = table("?actor=1&columns=kind&columns=actor&export=csv")
    rows, last = [], None
    while batch := shown._step(last):
        rows += batch
        last = batch[-1]
    assert len(rows) == len({r.pk for r in rows}) == Act.objects.filter(actor="1").count()
    response = shown.respond("ui/table.html")
    assert response["Content-Disposition"] == 'attachment; filename="export.csv"'
    with pytest.warns(Warning, match="StreamingHttpResponse must consume asynchronous"):
        text = b"".join(response).decode("utf-8-sig")  # type: ignore[arg-type]
    lines = list(csv.reader(io.StringIO(text)))
    assert lines[0] == ["行为", "工号"]
    assert len(lines) == len(rows) + 1


def test_the_condition_of_a_page_is_served_by_the_index() -> None:
    """Page 4,000 costs what page 1 costs: no sort, no scan of what comes before."""
    Act.objects.bulk_create(Act(kind="a") for _n in range(3000))
    shown = table("?size=25")
    for _page in range(3):
        shown = table(shown.next)
    cursor = shown._read_cursor(shown._cursor(shown.found[-1], "a"))
    assert cursor is not None
    page = shown._ordered(shown._keyed(cursor[1], cursor[2], backward=False))[:25]
    from django.db import connection

    with connection.cursor() as c:
        c.execute("SET LOCAL enable_seqscan = off")
    plan = page.explain()
    assert "act_at" in plan
    assert "Sort" not in plan
