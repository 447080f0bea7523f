"""Hostile routines: bodies, blocks, batches and triggers whose pieces were exchanged, nested, put
into texts that are run, into loops and cursors, or broken.

Whatever comes in, a meaning comes out, and no error of any kind: work over budget is answered
`opaque`. Reasons and free literals point into the text, and what counts as use has a grain.
"""

import random

from qingfang.engine import definitions
from qingfang.understand.analysis import Analyser, Analysis, SessionState
from qingfang.understand.procedures import queries_of
from tests.fuzz import _mutate
from tests.understand.scenes import FIXTURES, Scene, catalogue, scenes

INPUTS = 1_500
"""In the suite: an input is a session, a hundred times the work of one of the other targets."""

_FILES = ("routines_*", "cursors", "counting_loops", "batches", "jobs", "triggers")
_SCENES = [
    s for name in _FILES for file in sorted(FIXTURES.glob(f"{name}.sql")) for s in scenes(file)
]
_ANALYSERS = {
    (name, definition): Analyser(catalogue(name), definitions.built_in(definition), strict=True)
    for name in sorted({scene.catalogue for scene in _SCENES})
    for definition in definitions.names()
}
_DIALECTS = ("oracle", "tsql", "mysql", "postgres")
_BITS = (
    *("'", "''", '"', "(", ")", ";", "\n", ",", "=", ":=", "||", "+", "@", "@x", ":x", "$1", "?"),
    *("BEGIN", "END", "END IF", "END LOOP", "END WHILE", "LOOP", "IF", "THEN", "ELSE", "ELSIF"),
    *("DECLARE", "CURSOR", "FETCH", "OPEN", "CLOSE", "RETURN", "EXIT WHEN", "LEAVE", "GOTO x"),
    *("EXEC", "EXECUTE", "EXECUTE IMMEDIATE", "sp_executesql", "PREPARE s FROM", "USING", "INTO"),
    *("SELECT", "FROM", "WHERE", "AS", "NULL", "1", "0", "''", "N'", "$$", "/*", "*/", "--", "GO"),
    *("CREATE PROCEDURE p AS", "EXCEPTION WHEN OTHERS THEN", "TRY", "CATCH", "WHILE 1=1", "*"),
)


def _dialect(scene: Scene) -> str:
    return scene.dialect or _ANALYSERS[scene.catalogue, "000"].catalogue.dialect


# A piece in a loop, in a branch, in a cursor, and in a text that is run, as each language writes it.
_LOOPS = {
    "oracle": "FOR i IN 1..9 LOOP {} END LOOP;",
    "tsql": "WHILE @i < 9 BEGIN {} SET @i = @i + 1 END",
    "mysql": "WHILE i < 9 DO {} SET i = i + 1; END WHILE;",
    "postgres": "FOR i IN 1..9 LOOP {} END LOOP;",
}
_BRANCHES = {
    "oracle": "IF v_x > 0 THEN {} ELSE NULL; END IF;",
    "tsql": "IF @x > 0 BEGIN {} END ELSE BEGIN {} END",
    "mysql": "IF v_x > 0 THEN {} END IF;",
    "postgres": "CASE v_x WHEN 1 THEN {} ELSE NULL; END CASE;",
}
_CURSORS = {
    "oracle": "FOR r IN (SELECT ysdm, ksdm FROM mz_cf) LOOP {} END LOOP;",
    "tsql": "DECLARE k CURSOR FOR SELECT ysdm FROM mz_cf OPEN k FETCH NEXT FROM k INTO @x "
    "WHILE @@FETCH_STATUS = 0 BEGIN {} FETCH NEXT FROM k INTO @x END CLOSE k DEALLOCATE k",
    "mysql": "DECLARE k CURSOR FOR SELECT ysdm FROM mz_cf; OPEN k; l: LOOP FETCH k INTO v_x; {} "
    "END LOOP; CLOSE k;",
    "postgres": "FOR r IN SELECT ysdm, ksdm FROM mz_cf LOOP {} END LOOP;",
}
_RUN = {
    "oracle": "EXECUTE IMMEDIATE '{}';",
    "tsql": "EXEC('{}')",
    "mysql": "PREPARE qs FROM '{}'; EXECUTE qs;",
    "postgres": "EXECUTE '{}';",
}
_GROWTH = {
    "oracle": "v_s := v_s || v_s || '{}';",
    "tsql": "SET @s = @s + @s + N'{}'",
    "mysql": "SET @s = CONCAT(@s, @s, '{}');",
    "postgres": "v_s := v_s || v_s || format('{} %s', v_s);",
}


def _changed(rng: random.Random, sql: str, dialect: str) -> str:
    """The text with some of its lines elsewhere, wrapped, repeated, quoted, or its characters changed."""
    for _turn in range(rng.randint(1, 3)):
        lines = sql.split("\n")
        at = rng.randrange(len(lines))
        end = min(len(lines), at + rng.randint(1, 4))
        piece = "\n".join(lines[at:end])
        match rng.randrange(9):
            case 0 | 1:
                sql = _mutate.text(rng, sql, _BITS, 2)
                continue
            case 2:
                del lines[at:end]
            case 3:
                lines[at:at] = [piece] * rng.choice((1, 2, 40))
            case 4:
                other = rng.choice(_SCENES)
                text = rng.choice(other.steps).sql
                lines[at:at] = rng.sample(text.split("\n"), 1) if rng.random() < 0.5 else [text]
            case 5:
                form = rng.choice((_LOOPS, _BRANCHES, _CURSORS))[dialect]
                for _deep in range(rng.choice((1, 1, 2, 5, 60))):
                    piece = form.replace("{}", piece, 1).replace("{}", "")
                lines[at:end] = [piece]
            case 6:
                for _deep in range(rng.choice((1, 1, 2, 4))):
                    piece = _RUN[dialect].format(piece.replace("'", "''"))
                lines[at:end] = [piece]
            case 7:
                grown = _GROWTH[dialect].replace("{}", piece.replace("'", "''"))
                lines[at:end] = [grown] * rng.choice((1, 3, 30))
            case _:
                words = piece.split(" ")
                one, two = rng.randrange(len(words)), rng.randrange(len(words))
                words[one], words[two] = words[two], words[one]
                lines[at:end] = [" ".join(words)]
        sql = "\n".join(lines)
    return sql[:60_000]


def _holds_together(sql: str, found: Analysis) -> None:
    meaning = found.meaning
    assert meaning.disclosure in {"none", "clinical", "usage", "opaque"}
    assert (meaning.grain is not None) == (meaning.disclosure == "usage")
    assert meaning.disclosure == "none" or meaning.reasons
    assert all(0 <= told.start <= told.end <= len(sql) for told in meaning.reasons)
    assert all(0 <= start < len(sql) for start in found.free)


def attack(seed: int) -> None:
    rng = random.Random(seed)
    scene = rng.choice(_SCENES)
    dialect = _dialect(scene) if rng.random() < 0.95 else rng.choice(_DIALECTS)
    analyser = _ANALYSERS[scene.catalogue, rng.choice(("000", "001"))]
    state = SessionState()
    broken = rng.randrange(len(scene.steps))
    for number, step in enumerate(scene.steps[: broken + 4]):
        sql = step.sql
        if number == broken or rng.random() < 0.2:
            sql = _changed(rng, sql, dialect if dialect in _LOOPS else "postgres")
            queries_of(sql, dialect)
        _holds_together(sql, analyser.analyse(sql, dialect, binds=step.binds, state=state))
