"""Which headings stand for which field of a person or a terminal, and how a cell becomes its value."""

from __future__ import annotations

import datetime as dt
import ipaddress
import re
import unicodedata
from collections.abc import Callable
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from qingfang.people.models import Department, Location, Person, Post, Proposed, Terminal

EMPTY: Final = "-"
"""What a cell holds that empties the field."""


class Wrong(ValueError):
    """A cell that cannot be taken; the text is for whoever keeps the file."""


class Known:
    """What cells may point at, read once an import: by code and by name; `None` where a name is
    that of several."""

    def __init__(self) -> None:
        self.departments = _by(Department.objects.order_by("pk"), "code", "name")
        self.posts = _by(Post.objects.order_by("pk"), "code", "name")
        self.locations = _by(Location.objects.order_by("pk"), "")
        self.persons = {p.staff_number: p for p in Person.objects.all()}


def _by(rows: Any, *fields: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    rows = list(rows)
    for field in fields:
        level: dict[str, Any] = {}
        for row in rows:
            name = str(getattr(row, field) if field else row)
            level[name] = None if name in level else row
        # A code counts before a name.
        found = {**level, **found}
    return found


Parse = Callable[[str, Known], Any]


class Column:
    """`field` of the model; `headings` are compared as `folded` makes them, the first one is the
    template's; `parse` gives the value or raises `Wrong`."""

    def __init__(
        self, field: str, headings: str, parse: Parse, hint: object, *, empty: Any = ""
    ) -> None:
        self.field, self.headings = field, tuple(headings.split())
        self.parse, self.hint, self.empty = parse, hint, empty


def folded(heading: str) -> str:
    """A heading without width, case, spaces, stars, and what stands in brackets."""
    plain = unicodedata.normalize("NFKC", heading).lower()
    return re.sub(r"\([^)]*\)|[\s*:_-]", "", plain)


def _text(value: str, _known: Known) -> str:
    return value


def _pick(value: str, rows: dict[str, Any], missing: str) -> Any:
    row = rows.get(value)
    if row is not None:
        return row
    raise Wrong(
        _now("有几个都叫“%(value)s”，请写代码") % {"value": value} if value in rows else missing
    )


def _department(value: str, known: Known) -> Any:
    return _pick(
        value,
        known.departments,
        _now("没有登记这个科室：%(value)s。请先由安全管理员在“各科室”里新建") % {"value": value},
    )


def _post(value: str, known: Known) -> Any:
    return _pick(
        value,
        known.posts,
        _now("没有登记这个岗位：%(value)s。请先由安全管理员在“各岗位”里新建") % {"value": value},
    )


def _location(value: str, known: Known) -> Any:
    return _pick(
        " ".join(value.split()),
        known.locations,
        _now("没有登记这个位置：%(value)s。请先在“各位置”里新建") % {"value": value},
    )


def _custodian(value: str, known: Known) -> Any:
    person = known.persons.get(value) or known.persons.get(value.rsplit(maxsplit=1)[-1])
    if person is None:
        raise Wrong(_now("没有工号为 %(value)s 的人员") % {"value": value})
    return person


def _words(value: str, _known: Known) -> list[str]:
    return list(dict.fromkeys(word for word in re.split(r"[\s,，、;；]+", value) if word))


def _networks(value: str, known: Known) -> list[str]:
    found: list[str] = []
    for word in _words(value, known):
        try:
            network = ipaddress.ip_network(word)
        except ValueError:
            raise Wrong(_now("不是 IP 地址或网段：%(value)s") % {"value": word}) from None
        plain = str(network.network_address)
        found.append(plain if network.num_addresses == 1 else str(network))
    return found


def _address(value: str, _known: Known) -> str:
    try:
        return str(ipaddress.ip_address(value))
    except ValueError:
        raise Wrong(_now("不是 IP 地址：%(value)s") % {"value": value}) from None


def _mac(value: str, _known: Known) -> str:
    plain = (
        re.sub(r"[^0-9a-f]", "", value.lower()) if re.fullmatch(r"[0-9A-Fa-f:.\- ]+", value) else ""
    )
    if len(plain) != 12:
        raise Wrong(_now("MAC 地址应写成 00:1a:2b:3c:4d:5e"))
    return ":".join(plain[n : n + 2] for n in range(0, 12, 2))


def _mail(value: str, _known: Known) -> str:
    try:
        validate_email(value)
    except ValidationError:
        raise Wrong(_now("不是邮箱地址：%(value)s") % {"value": value}) from None
    return value


def _day(value: str, _known: Known) -> dt.date:
    match = re.fullmatch(r"(\d{4})[-/.年]?(\d{1,2})[-/.月]?(\d{1,2})日?(?: [\d:.]+)?", value)
    try:
        if match is not None:
            return dt.date(int(match[1]), int(match[2]), int(match[3]))
    except ValueError:
        pass
    raise Wrong(_now("日期应写成 2026-10-31，现为 %(value)s") % {"value": value})


_YES: Final = frozenset(
    ["在职", "在岗", "在院", "在用", "启用", "是", "1", "y", "yes", "true", "正式", "聘用", "试用"]
)
_NO: Final = frozenset(
    ["离职", "离院", "退休", "停用", "报废", "否", "0", "n", "no", "false", "调出", "辞职", "死亡"]
)


def _in_use(value: str, _known: Known) -> bool:
    plain = value.lower()
    if plain in _YES or plain in _NO:
        return plain in _YES
    raise Wrong(_now("应写在职或离职（终端写在用或停用），现为 %(value)s") % {"value": value})


def _purpose(value: str, _known: Known) -> str:
    for code, label in Terminal.Role.choices:
        if value in (code, str(label)):
            return str(code)
    # The template is Chinese whatever the page's language is.
    if value in _PURPOSES:
        return _PURPOSES[value]
    raise Wrong(
        _now("没有这种用途：%(value)s。可用：%(known)s")
        % {"value": value, "known": "、".join(_PURPOSES)}
    )


_PURPOSES: Final = {
    "临床": "clinical",
    "统计专用": "statistics",
    "药房药库": "pharmacy",
    "自助机": "kiosk",
    "服务器": "server",
    "厂商运维": "vendor",
}

_CODE_OR_NAME = _("写登记过的代码或名称。")
COLUMNS: Final[dict[str, tuple[Column, ...]]] = {
    Proposed.Kind.PERSON: (
        Column(
            "staff_number",
            "工号 职工号 员工号 员工工号 职工工号 员工编号 人员编号 人员编码 职工编号 staffnumber",
            _text,
            _("必填，业务系统里的工号；按它认人。前面的零要保留。"),
        ),
        Column("name", "姓名 员工姓名 职工姓名 名字 name", _text, _("必填。")),
        Column(
            "department",
            "科室 科室名称 所在科室 所属科室 部门 部门名称 所在部门 所属部门 科室代码 部门代码 部门编码 department",
            _department,
            _CODE_OR_NAME,
            empty=None,
        ),
        Column("post", "岗位 岗位名称 岗位代码 post", _post, _CODE_OR_NAME, empty=None),
        Column(
            "codes",
            "其他代码 医生代码 医师代码 his工号 其他工号 codes",
            _words,
            _("此人在各业务系统里的其他代码，如 HIS=Y0123；用空格分开。"),
            empty=[],
        ),
        Column("phone", "手机 手机号 手机号码 移动电话 联系电话 电话 phone", _text, ""),
        Column("mail", "邮箱 电子邮箱 电子邮件 邮件 email mail", _mail, ""),
        Column(
            "left_on",
            "离职日期 离院日期 离职时间 left",
            _day,
            _("最后一天，如 2026-10-31；次日起按已离职判断。"),
            empty=None,
        ),
        Column(
            "is_active",
            "在职 在职状态 人员状态 在岗状态 状态 active",
            _in_use,
            _("在职或离职；离职的立即停用账号、收回角色。"),
            empty=None,
        ),
    ),
    Proposed.Kind.TERMINAL: (
        Column(
            "name",
            "编号 终端编号 设备编号 资产编号 固定资产编号 name",
            _text,
            _("必填；按它认终端。"),
        ),
        Column("label", "名称 终端名称 设备名称 label", _text, ""),
        Column("address", "IP地址 ip address", _address, _("新登记的必填，固定的 IP 地址。")),
        Column(
            "more_addresses",
            "其他地址 其他ip moreaddresses",
            _networks,
            _("同一台电脑的其他 IP 地址，或一个网段如 10.1.2.0/29；用空格分开。"),
            empty=[],
        ),
        Column("mac", "MAC地址 mac 物理地址", _mac, ""),
        Column("host", "电脑名 计算机名 主机名 host", _text, ""),
        Column(
            "role",
            "用途 终端用途 role",
            _purpose,
            _("临床、统计专用、药房药库、自助机、服务器、厂商运维之一；空着算临床。"),
        ),
        Column(
            "location",
            "位置 安装位置 存放地点 location",
            _location,
            _("写登记过的位置：楼、层、房间，用空格分开。"),
            empty=None,
        ),
        Column(
            "department",
            "科室 科室名称 使用科室 部门 使用部门 科室代码 department",
            _department,
            _CODE_OR_NAME,
            empty=None,
        ),
        Column(
            "custodian",
            "责任人 责任人工号 保管人 使用人 custodian",
            _custodian,
            _("写工号，或姓名加工号。"),
            empty=None,
        ),
        Column("active", "在用 使用状态 状态 active", _in_use, _("在用或停用。"), empty=None),
    ),
}
KEYS: Final = {Proposed.Kind.PERSON: "staff_number", Proposed.Kind.TERMINAL: "name"}
NEEDED: Final = {
    Proposed.Kind.PERSON: ("staff_number", "name", "department"),
    Proposed.Kind.TERMINAL: ("name", "address"),
}
"""What a new record cannot do without."""
