"""Encodings, and passwords that do not leave."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qingfang.decode.pgwire.text import codec_of, conforming, decode, program_name, redact

REDACTED = [
    ("ALTER USER his PASSWORD 'geheim'", "ALTER USER his PASSWORD '***'"),
    (
        "create role a login password 'x''y' valid until 'z'",
        "create role a login password '***' valid until 'z'",
    ),
    ("ALTER ROLE a PASSWORD /* c */ -- d\n 'x'", "ALTER ROLE a PASSWORD /* c */ -- d\n '***'"),
    (r"ALTER ROLE a PASSWORD E'x\'y' LOGIN", "ALTER ROLE a PASSWORD '***' LOGIN"),
    ("ALTER ROLE a PASSWORD U&'x' LOGIN", "ALTER ROLE a PASSWORD '***' LOGIN"),
    ("ALTER ROLE a PASSWORD $t$x'y$t$ LOGIN", "ALTER ROLE a PASSWORD '***' LOGIN"),
    ("ALTER ROLE a PASSWORD 'x'\n 'y' LOGIN", "ALTER ROLE a PASSWORD '***' LOGIN"),
    ("ALTER ROLE a PASSWORD 'unterminated", "ALTER ROLE a PASSWORD '***'"),
    (
        "CREATE USER MAPPING FOR a SERVER s OPTIONS (user 'u', password 'p')",
        "CREATE USER MAPPING FOR a SERVER s OPTIONS (user 'u', password '***')",
    ),
    ("ALTER ROLE a PASSWORD NULL", "ALTER ROLE a PASSWORD NULL"),
    ("SELECT 1 WHERE password = '张三'", "SELECT 1 WHERE password = '张三'"),
]


@pytest.mark.parametrize(("sent", "kept"), REDACTED)
def test_redacted(sent: str, kept: str) -> None:
    assert redact(sent, standard_strings=True) == kept


def test_backslashes_escape_when_strings_are_not_standard() -> None:
    sent = r"ALTER ROLE a PASSWORD 'x\'y' LOGIN"
    assert redact(sent, standard_strings=False) == "ALTER ROLE a PASSWORD '***' LOGIN"


@given(st.binary(), st.sampled_from(["UTF8", "GBK", "GB18030", "LATIN1", "SQL_ASCII", "BIG5"]))
def test_no_bytes_fail(raw: bytes, encoding: str) -> None:
    decode(raw, codec_of(encoding))


@given(st.binary())
def test_utf8_loses_nothing(raw: bytes) -> None:
    assert decode(raw, "utf-8").encode("utf-8", "surrogateescape") == raw


def test_an_encoding_python_lacks() -> None:
    assert codec_of("EUC_TW") == "utf-8"


def test_program_names_as_the_server_reports_them() -> None:
    assert program_name(r"\xe9\x97\xa8\xe8\xaf\x8a 1.0 \xzz", "utf-8") == r"门诊 1.0 \xzz"


@pytest.mark.parametrize(
    ("sent", "means"),
    [
        ("SELECT 'a'", "SELECT 'a'"),
        (r"SELECT 'a\'' UNION SELECT b --'", r"SELECT  E'a\'' UNION SELECT b --'"),
        (r"SELECT'\\'", r"SELECT E'\\'"),
        ("SELECT 'a'\n '\\''", "SELECT  E'a'\n '\\''"),
        (r"SELECT N'a\''", r"SELECT  E'a\''"),
        (r"SELECT E'\'', x'0f', 'b'", r"SELECT E'\'', x'0f',  E'b'"),
        (r'SELECT "a\", fe' "'\\''", r'SELECT "a\", fe E' "'\\''"),
        (r"SELECT $$'\$$, $a$'$$\$a$, 'b'", r"SELECT $$'\$$, $a$'$$\$a$,  E'b'"),
        (
            "/* it's /* n */ \\' */ 'b' -- c'est \\\n, 'd'",
            "/* it's /* n */ \\' */  E'b' -- c'est \\\n,  E'd'",
        ),
        (r"SELECT 'open \'", r"SELECT  E'open \'"),
        (r"/* open \ 'a'", r"/* open \ 'a'"),
    ],
)
def test_backslash_escapes_in_plain_literals(sent: str, means: str) -> None:
    assert conforming(sent) == means
