"""What roles and kinds are called on the page, and the key that chooses each.

Letters j, k and u move and take back; no role may have them (a test sees to it).
"""

from __future__ import annotations

from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

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
