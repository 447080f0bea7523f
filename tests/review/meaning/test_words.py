"""Every role and kind has a name and a key of its own on the page."""

from qingfang.review.meaning import words
from qingfang.understand.catalogue import KINDS, ROLES


def test_nothing_is_missing_and_no_key_means_two_things():
    assert set(words.ROLES) == ROLES
    assert set(words.KINDS) == KINDS
    keys = [key for _label, key in (*words.ROLES.values(), *words.KINDS.values(), words.NONE)]
    assert len(set(keys)) == len(keys)
    assert not {"j", "k", "u"} & set(keys)
