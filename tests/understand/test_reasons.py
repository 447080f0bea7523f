"""Every reason of a meaning is documented, is Chinese, and rests on a part of the statement."""

import re

from qingfang.engine import definitions
from qingfang.understand.analysis import Analyser
from qingfang.understand.reasons import OF_PROBLEM, TEXTS
from tests.support.reasons import documented
from tests.understand.scenes import all_scenes, catalogue


def test_every_code_is_documented_and_no_other() -> None:
    assert documented("语句的含义") == TEXTS.keys()
    assert set(OF_PROBLEM.values()) <= TEXTS.keys()


def test_sentences_are_for_laymen() -> None:
    for text in TEXTS.values():
        assert re.search(r"[一-鿿]{4}", text)
        assert not re.search(r"SELECT|JOIN|GROUP BY|WHERE|SUM", text)


def test_reasons_point_into_the_statement() -> None:
    analysers = {
        (name, definition): Analyser(catalogue(name), definitions.built_in(definition))
        for name in ("small", "his", "kinds")
        for definition in definitions.names()
    }
    for scene in all_scenes():
        for step in scene.steps:
            analyser = analysers[scene.catalogue, scene.definition]
            found = analyser.analyse(step.sql, scene.dialect, binds=step.binds)
            if found.meaning.disclosure != "none":
                assert found.meaning.reasons, step.sql
            for reason in found.meaning.reasons:
                assert 0 <= reason.start < reason.end <= len(step.sql), (step.sql, reason)


def test_the_marked_part_is_the_telling_one() -> None:
    analyser = Analyser(catalogue("small"))
    sql = (
        "/* 报表 */ SELECT c.ysdm, SUM(m.sl) FROM mz_cf c JOIN mz_cfmx m ON m.cf_id=c.cf_id "
        "WHERE m.ypdm='YP007' GROUP BY c.ysdm"
    )
    marked = {r.code: sql[r.start : r.end] for r in analyser.analyse(sql).meaning.reasons}
    assert marked == {
        "usage.prescriber.item": "SUM(m.sl)",
        "shows.measure": "SUM(m.sl)",
        "shows.prescriber": "c.ysdm",
        "fixes.item": "m.ypdm='YP007'",
    }
