"""What roles and kinds are called on the page, and the key that chooses each.

Letters j, k and u move and take back; no role may have them (a test sees to it).
"""

from __future__ import annotations

import re
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import override

ROLES: Final[dict[str, tuple[Promise, str]]] = {
    "item_id": (_("药品或耗材 代码"), "i"),
    "item_name": (_("药品或耗材 名称"), "n"),
    "item_spec": (_("规格"), "g"),
    "item_class": (_("药品分类"), "c"),
    "item_kind": (_("药品还是别的（类别）"), "f"),
    "quantity": (_("数量"), "q"),
    "amount": (_("金额"), "a"),
    "prescriber_id": (_("医生 工号"), "d"),
    "prescriber_name": (_("医生 姓名"), "e"),
    "department_id": (_("科室 代码"), "s"),
    "department_name": (_("科室 名称"), "b"),
    "unit_id": (_("病区、药房、库房"), "w"),
    "prescription_id": (_("处方或医嘱 号"), "r"),
    "visit_id": (_("就诊或住院 号"), "v"),
    "patient_id": (_("病人"), "p"),
    "time": (_("时间"), "t"),
    "operator_id": (_("操作人"), "o"),
}
NONE: Final = (_("没有角色"), "x")
KINDS: Final[dict[str, tuple[Promise, str]]] = {
    "usage": (_("用量（处方、医嘱、发药、收费）"), "1"),
    "stock": (_("库存（进销存、采购）"), "2"),
    "dictionary": (_("字典"), "3"),
    "other": (_("与用量无关"), "4"),
}
ASKED: Final[dict[str, Promise]] = {
    "*usage_when": _("只有这些行是药品耗材的使用"),
    "*open_when": _("这些行还等着处理"),
    "*item_kind": _("哪些行是药品、耗材、高值耗材"),
    "*operator": _("从这里知道谁在使用连接"),
}
CHANGES: Final[dict[str, Promise]] = {
    "table-new": _("新的表"),
    "table-gone": _("没有了的表"),
    "column-new": _("新的列"),
    "column-gone": _("没有了的列"),
    "view-new": _("新的视图"),
    "view-changed": _("改过的视图"),
    "view-gone": _("没有了的视图"),
    "routine-new": _("新的过程或函数"),
    "routine-changed": _("改过的过程或函数"),
    "routine-gone": _("没有了的过程或函数"),
}


# ---------------------------------------------------------------- reasons of a review

_SUBJECTS: Final[dict[str, Promise]] = {
    "药品或耗材": _("药品或耗材"),
    "医生": _("医生"),
    "科室": _("科室"),
    "病区、药房或库房": _("病区、药房或库房"),
    "病人": _("病人"),
    "就诊": _("就诊"),
    "处方或医嘱": _("处方或医嘱"),
    "操作员": _("操作员"),
    "用量表": _("用量表"),
    "库存表": _("库存表"),
    "字典": _("字典"),
}
"""Words of ours within a reason, which is the file's and Chinese."""

_REASONS: Final[tuple[Promise, ...]] = (
    _("列名为「%(a)s」"),
    _("列名 %(a)s 像「%(b)s」"),
    _("注释为「%(a)s」"),
    _("%(a)s 里称作「%(b)s」"),
    _("取样的值像身份证号"),
    _("取样的值像药品或耗材名称"),
    _("类型为 %(a)s"),
    _("是表 %(a)s（%(b)s）的主键"),
    _("是表 %(a)s（%(b)s）的代码"),
    _("是表 %(a)s（%(b)s）的名称"),
    _("是表 %(a)s（%(b)s）的属性"),
    _("外键指向 %(a)s"),
    _("在 %(a)s 里与 %(b)s 相连"),
    _("取样的值都是 %(a)s 里的代码"),
    _("取样里与 %(a)s 一一对应"),
    _("%(a)s 的主键：一行只属于一个%(b)s"),
    _("列 %(a)s 才是金额"),
    _("像登录或会话表"),
    _("像检查检验"),
    _("表名或注释像库存、进销存，并有 %(a)s"),
    _("一行一个%(a)s"),
    _("表名或注释像字典"),
    _("有 %(a)s，但一行是一个%(b)s，没有数量"),
    _("同时有 %(a)s"),
    _("有品种和数量或金额（%(a)s），并有医生或科室"),
    _("像处方、医嘱、发药或收费的主表"),
    _("像发药、摆药的主表"),
    _("表名或注释像用药、收费，并有 %(a)s"),
    _("有 %(a)s，没有病人、医生或科室"),
    _("没有看出与用量有关"),
    _("与 %(a)s 成对（现用与历史）"),
    _("与%(a)s的其他列相合"),
    _("也可能是 %(a)s"),
    _("登录记录写下谁在使用这个连接"),
    _("登录时按账号查这张表，可知谁在使用这个连接"),
    _("写入时带有操作人"),
    _("注释写明这些取值是药品耗材的使用"),
    _("表里混有药品耗材以外的内容，这些取值像药品或耗材"),
    _("取样里这些取值的品种都在药品、耗材字典里，别的都不在"),
    _("库存台账混有采购、盘点与领用，请写出哪些行是领用"),
    _("注释写明这些取值是%(a)s"),
    _("数据库的主键和唯一约束：这样取出的是一行"),
    _("这一列标明是不是高值耗材，没有取到它的值，请写出高值耗材的取值"),
    _("这一列标明是不是高值耗材"),
    _("注释写明这些取值是什么"),
    _("这些取值像药品、耗材的类别"),
    _("取样里这些取值的品种都在药品字典或耗材字典里"),
    _("人工确认"),
    _("人工添加"),
)


def _patterns() -> tuple[tuple[re.Pattern[str], Promise], ...]:
    found: list[tuple[re.Pattern[str], Promise]] = []
    with override("zh-hans"):
        for template in _REASONS:
            pattern = re.sub(r"%\\\((\w)\\\)s", r"(?P<\1>.+)", re.escape(str(template)))
            found.append((re.compile(pattern), template))
    # What says more in words of its own counts before what lets anything stand.
    return tuple(sorted(found, key=lambda one: -len(re.sub(r"\(\?P<.*?\)", "", one[0].pattern))))


_PATTERNS: Final = _patterns()


def reason(text: str) -> str:
    """A reason of a review in the reader's language; what a person wrote stays as it is."""
    if not text:
        return ""
    return _now("；").join(_one(part) or part for part in text.split("；"))


def _one(part: str) -> str:
    for pattern, template in _PATTERNS:
        match = pattern.fullmatch(part)
        if match is not None:
            words = {key: str(_SUBJECTS.get(said, said)) for key, said in match.groupdict().items()}
            return str(template) % words
    column, mark, rest = part.partition("：")
    told = _one(rest) if mark else ""
    return _now("%(column)s：%(reason)s") % {"column": column, "reason": told} if told else ""
