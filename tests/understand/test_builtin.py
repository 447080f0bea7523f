"""The lists of built-in functions, held against the servers they were made for."""

import itertools
from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql

from qingfang.understand import builtin
from qingfang.understand.analysis import Analyser
from tests.support.mariadb import Server as MariaServer
from tests.support.mariadb import mariadb
from tests.understand.scenes import catalogue

__all__ = ["mariadb"]

CANARY = "青霉素４７１１"


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# What a probe must not do to the server that other tests use, or would wait for.
UNTRIED = _words(
    """
    pg_terminate_backend pg_cancel_backend pg_reload_conf pg_promote pg_rotate_logfile pg_switch_wal
    pg_sleep pg_sleep_for pg_sleep_until pg_wal_replay_pause pg_wal_replay_resume
    pg_log_backend_memory_contexts pg_log_standby_snapshot pg_create_restore_point pg_stat_reset
    pg_stat_reset_shared pg_stat_reset_slru pg_import_system_collations pg_advisory_lock
    pg_advisory_lock_shared pg_advisory_xact_lock pg_advisory_xact_lock_shared repeat
    """
)
# Functions of PostgreSQL that run a text, read a table, a file, a large object or a slot they are
# given the name of, or hand out the texts of statements.
TELLING = _words(
    """
    query_to_xml query_to_xmlschema query_to_xml_and_xmlschema cursor_to_xml table_to_xml
    table_to_xml_and_xmlschema schema_to_xml schema_to_xml_and_xmlschema database_to_xml
    database_to_xml_and_xmlschema ts_stat ts_rewrite lo_get lo_export lo_import lo_open loread
    pg_read_file pg_read_binary_file pg_ls_dir pg_stat_file pg_ls_logdir pg_ls_waldir pg_ls_tmpdir
    pg_cursor pg_prepared_statement pg_stat_get_activity pg_stat_get_backend_activity
    pg_logical_slot_get_changes pg_logical_slot_peek_changes pg_logical_slot_get_binary_changes
    pg_logical_slot_peek_binary_changes pg_mcv_list_items pg_show_all_file_settings
    pg_get_backend_memory_contexts
    """
)


def functions(database: str) -> list[tuple[str, list[str]]]:
    """Names and the types of their arguments, as the server has them."""
    with psycopg.connect(database) as connection:
        return connection.execute(
            "SELECT p.proname, ARRAY(SELECT t::regtype::text FROM unnest(p.proargtypes) t)"
            " FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace"
            " WHERE n.nspname IN ('pg_catalog', 'information_schema') ORDER BY p.oid"
        ).fetchall()


def test_postgres_has_the_functions_we_call_its_own(database: str) -> None:
    missing = builtin.POSTGRES - {name for name, _types in functions(database)}
    assert not missing, sorted(missing)


def test_what_reads_by_name_is_opaque_in_postgres(database: str) -> None:
    assert {name for name, _types in functions(database)} >= TELLING
    analyser = Analyser(catalogue("small"), strict=True)
    for name in sorted(TELLING):
        for text in (f"SELECT {name}('mz_cfmx')", f"SELECT * FROM {name}('mz_cfmx')"):
            found = analyser.analyse(text, "postgres").meaning.disclosure
            assert found in {"opaque", "usage"}, f"{text}: {found}"


@pytest.fixture
def probed(database: str) -> Iterator[psycopg.Connection]:
    """A table, a view, a cursor, a large object and a sequence, with the canary in all that hold
    values."""
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("CREATE TABLE yf (v text, t tsvector)")
        connection.execute(
            "INSERT INTO yf SELECT %s, to_tsvector('simple', %s) FROM generate_series(1, 20)",
            [CANARY, CANARY],
        )
        connection.execute("ANALYZE yf")
        connection.execute("CREATE SEQUENCE xh")
        connection.execute("SET statement_timeout = '300ms'")
        connection.execute("PREPARE yb AS SELECT v FROM yf WHERE v = '" + CANARY + "'")
        yield connection


def shown(
    connection: psycopg.Connection, name: str, types: list[str], values: dict[str, list[str]]
) -> bool:
    """Whether a call with any of the values gives the canary out."""
    choices = [values.get(kind, ["NULL"]) for kind in types]
    for arguments in itertools.islice(itertools.product(*choices), 60):
        call = sql.SQL("SELECT * FROM pg_catalog.{}({})").format(
            sql.Identifier(name),
            sql.SQL(", ").join(
                sql.SQL("{}::{}").format(sql.SQL(value), sql.SQL(kind))
                for value, kind in zip(arguments, types, strict=True)
            ),
        )
        try:
            with connection.transaction(force_rollback=True):
                connection.execute("DECLARE yb_c CURSOR FOR SELECT v FROM yf")
                rows = connection.execute(call).fetchall()
        except psycopg.Error:
            continue
        if any(telling(cell) for row in rows for cell in row):
            return True
    return False


def telling(cell: object) -> bool:
    if isinstance(cell, bytes):
        return CANARY.encode() in cell
    return CANARY in str(cell)


def test_no_plain_function_of_postgres_gives_a_table_out(
    probed: psycopg.Connection, database: str
) -> None:
    large = probed.execute("SELECT lo_from_bytea(0, %s)", [CANARY.encode()]).fetchone()
    table = probed.execute("SELECT 'yf'::regclass::oid").fetchone()
    assert large is not None
    assert table is not None
    oids = [str(large[0]), str(table[0])]
    texts = [
        "'yf'",
        "'SELECT v FROM yf'",
        "'SELECT t FROM yf'",
        "'public'",
        "'v'",
        "'yb_c'",
        "'yb'",
    ]
    values = {
        **dict.fromkeys(("text", "name", "character varying"), texts),
        **dict.fromkeys(("oid", "bigint"), oids),
        "integer": ["1", "0"],
        "smallint": ["1"],
        "boolean": ["true"],
        "regclass": ["'yf'", "'xh'"],
        "refcursor": ["'yb_c'"],
        "tid": ["'(0,1)'"],
        "tsquery": ["'a'"],
        "text[]": ["'{public,yf,v}'"],
        "regproc": ["'now'"],
        "xml": ["'<a/>'"],
        "jsonb": ["'{}'"],
    }
    plain = builtin.FUNCTIONS["postgres"] - builtin.REMOTE - UNTRIED
    caught: set[str] = set()
    gives: set[str] = set()
    for name, types in functions(database):
        if name in TELLING and shown(probed, name, types, values):
            caught.add(name)
        elif name in plain and shown(probed, name, types, values):
            gives.add(name)
    assert not gives, sorted(gives)
    # The probe sees what it is there to see; this server is built without XML.
    assert caught >= {
        *("ts_stat", "lo_get", "pg_prepared_statement", "pg_get_backend_memory_contexts"),
    }, sorted(caught)


def test_mariadb_has_the_functions_we_call_its_own(mariadb: MariaServer) -> None:
    with mariadb.administrator() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT LOWER(`function`) FROM information_schema.sql_functions")
        names = {str(name) for (name,) in cursor.fetchall()}
    missing = builtin.MARIADB - names
    assert not missing, sorted(missing)
    # Nothing else of MariaDB's reads what it is given the name of.
    assert "load_file" in names - builtin.FUNCTIONS["mysql"]
