"""A brief's text: the template with its literals back in their places."""

import pytest

from qingfang.events import Template
from qingfang.record.codec import fill
from qingfang.understand.fingerprint import fingerprint, scan


@pytest.mark.parametrize(
    "sql",
    [
        "select a from t where x='I' and n=-5",
        "select e'a\\n', date '2026-01-01', b'1', x'ff', n'中' from t limit 10",
        "select 1 from t where u in (1,2,3,4,5,6,7,8,9,10,11,12) and v in ('a','b')",
        "select 1 from t where u in ('1','2','3','4','5','6','7','8','9','10','11')",
        "select j ? 'k' from t where n = 5",
        "insert into t values ($1, 'I', null)",
        "select 'it''s', '?' from t",
    ],
)
def test_literals_go_back_where_they_came_from(sql: str) -> None:
    template = fingerprint(sql, "postgres")
    assert fill(template, scan(sql, "postgres").literals(sql)) == sql


def test_a_text_without_literals_stays_as_it_is() -> None:
    assert fill(Template(b"", "postgres", "select '?'"), ()) == "select '?'"


def test_numbers_that_differ_leave_the_template() -> None:
    assert fill(Template(b"", "postgres", "select ?, ?"), ("1",)) == "select ?, ?"
