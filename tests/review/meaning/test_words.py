"""Every role and kind has a name and a key of its own on the page."""

from django.utils.translation import override

from qingfang.review.meaning import words
from qingfang.understand.catalogue import KINDS, ROLES
from qingfang.understand.discovery import ddl
from qingfang.understand.discovery.propose import propose
from tests.understand.discovery import notation


def test_nothing_is_missing_and_no_key_means_two_things():
    assert set(words.ROLES) == ROLES
    assert set(words.KINDS) == KINDS
    keys = [key for _label, key in (*words.ROLES.values(), *words.KINDS.values(), words.NONE)]
    assert len(set(keys)) == len(keys)
    assert not {"j", "k", "u"} & set(keys)


def reasons():
    """Whatever discovery gives as a reason, on the schemas of its own tests."""
    for file in sorted(notation.SCHEMAS.glob("*.txt")):
        dialect = file.name.split(".")[1]
        made = propose(ddl.read(notation.script(notation.read(file), dialect), dialect, "his"))
        yield from (kind.reason for kind in made.kinds.values())
        yield from (hint.reason for hint in made.hints)
        for columns in (*made.roles.values(), *made.rivals.values()):
            yield from (reading.reason for reading in columns.values())


def test_every_reason_is_told_in_the_readers_language():
    found = sorted({part for reason in reasons() for part in reason.split("；")})
    assert len(found) > 200
    with override("zh-hans"):
        assert [part for part in found if words.reason(part) != part] == []
    with override("en"):
        assert [part for part in found if words.reason(part) == part] == []
        assert words.reason("列名为「诊室」；也可能是 unit_id") == (
            "The column is called “诊室”; May also be unit_id"
        )
        assert words.reason("王主任说的") == "王主任说的"
        assert words.reason("") == ""
