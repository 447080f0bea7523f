"""What names and comments of tables and columns mean in a hospital.

Rules this module keeps:

1. Everything is read as Chinese: a comment or Chinese name as it stands, English, pinyin and
   initials put into Chinese word by word with `vocabulary`. What a Chinese phrase means is said
   once, in `_COLUMN`: most telling first, the first that fits decides.
2. A word that is not known weakens a reading; as the last word it ends it (`drug_form` is no drug).
3. A phrase that is known to have no role (诊断, 单价, 批号) says so: then initials that look like
   a role are a coincidence.
4. A reading is (role, confidence, reason in Chinese); the caller weighs it with types, keys and
   values. Confidence is the share of such readings that are right, measured on schemas with known
   roles (tests/understand/discovery).
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, NamedTuple

from qingfang.understand.discovery.vocabulary import ENGLISH, FILLERS, INITIALS, NOISE, PINYIN


class Reading(NamedTuple):
    role: str
    confidence: float
    reason: str


class Gloss(NamedTuple):
    """A name in Chinese. `strange` counts its words that are not known; `last` whether the last
    one is known; `weight` how sure such a translation is."""

    text: str
    strange: int
    last: bool
    weight: float


# What a table or a column is about. Subjects become roles by their attribute.
ITEM, PRESCRIBER, DEPARTMENT, UNIT = "item", "prescriber", "department", "unit"
PATIENT, VISIT, PRESCRIPTION, OPERATOR = "patient", "visit", "prescription", "operator"

SUBJECT_ZH: Final = {
    ITEM: "药品或耗材",
    PRESCRIBER: "医生",
    DEPARTMENT: "科室",
    UNIT: "病区、药房或库房",
    PATIENT: "病人",
    VISIT: "就诊",
    PRESCRIPTION: "处方或医嘱",
    OPERATOR: "操作员",
}

_ID_ROLE: Final = {
    ITEM: "item_id",
    PRESCRIBER: "prescriber_id",
    DEPARTMENT: "department_id",
    UNIT: "unit_id",
    PATIENT: "patient_id",
    VISIT: "visit_id",
    PRESCRIPTION: "prescription_id",
    OPERATOR: "operator_id",
}
_NAME_ROLE: Final = {
    ITEM: "item_name",
    PRESCRIBER: "prescriber_name",
    DEPARTMENT: "department_name",
}

_ID: Final = r"(代码|编码|编号|工号|号码|单号|流水号|序号|标识|识别|主键|唯一标识|流水|号|码|id|ID)"
_NAME: Final = r"(姓名|名称|名字|名)"
_GOODS: Final = r"(药品|药物|耗材|卫材|材料|物资|商品|中草药|草药|西药)"
_DOCTOR: Final = r"(医生|医师|大夫|术者)"

_COLUMN: Final[tuple[tuple[re.Pattern[str], str, float], ...]] = tuple(
    (re.compile(pattern), role, confidence)
    for pattern, role, confidence in (
        # --- no role, whatever else the phrase holds
        (r"处方权|诊断|密码|摘要|电话|手机|地址|性别|年龄|备注|说明|频次|频率|用法|途径|剂型|职称|岗位|专业|排序", "", 0.9),
        (r"脚注|不良|医技|危急|拼音|五笔|输入码|助记|首字母|批号|批次|供应商|供货|位置|有效期|失效|效期|出生|(?<!发)生日|生产日期", "", 0.9),
        (r"单位$|单位(代码|编码|名称)|单价|价格|零售价|进价|批发价|税率|比率|发票|收据|单据|皮试|天数|帖数|付数|次数|人数", "", 0.9),
        (r"(日期|时间|年月|月份)(时间)?$", "time", 0.92),
        (r"护士|护理级别|执业证|注册证|(医院|机构)" + _ID + r"$|机构名称|子号|费用审核|支付", "", 0.9),
        (r"(处方|医嘱)明细" + _ID + "$", "prescription_id", 0.6),
        (r"(明细(主)?|发药|发药单|摆药单)" + _ID + r"$", "", 0.9),
        (r"(病人|患者|操作员|操作人|录入人|收费员|用户|病区|护理单元|药房|药库|库房|仓库|库位|窗口|发药人).{0,3}" + _NAME + "$", "", 0.9),
        (r"(执行|录入|创建|修改|审核|核对|打印|取消|停止|收费|发药|配药|退药)(人|员|者|护士).{0,2}" + _NAME + "$", "", 0.9),
        (r"高值.*(标志|标识)$|是否高值|高值$", "item_kind", 0.85),
        (r"(麻精|精麻|毒麻|麻醉精神|基本药物|抗菌药?物?|抗生素|药理|毒理|管制).{0,3}(标志|级别|分类|类别|代码|类型|属性)?", "item_class", 0.88),
        (r"厂家|厂商|生产企业|制造商", "item_class", 0.8),
        (_GOODS + r".{0,4}(类别|分类|类型|大类|级别|属性|性质|种类)", "item_class", 0.88),
        (r"产地", "item_class", 0.7),
        (r"(项目|费用|收费|医嘱|目录|核算|发票)(类别|类型|大类|分类|性质|种类)|大项目|药品标志", "item_kind", 0.75),
        (r"^类别(类型|代码|编码)$", "item_kind", 0.6),
        (r"类别|类型|性质|级别|种类|大类|标志|状态|是否", "", 0.85),
        # --- persons
        (_DOCTOR + r".{0,4}" + _NAME + "$", "prescriber_name", 0.95),
        (r"(员工|职工|人员|医护).{0,2}" + _NAME + "$", "prescriber_name", 0.85),
        (_DOCTOR + r".{0,3}(科室|科别|部门)", "department_id", 0.9),
        (r"(录入|创建|修改|建立|维护|登记|打印|发药|配药|收费|执行|审核|给药|记账|计费|确认|操作|发放|领药|摆药)(人|员|者|工号|用户|操作员)", "operator_id", 0.85),
        (r"操作员|收款员|经办人|经手人|登录(工号|账号|人|名)|操作" + _ID, "operator_id", 0.85),
        (r"(发药|收费|配药|执行|审核|给药)" + _DOCTOR, "operator_id", 0.6),
        (r"(开单|开方|开嘱|下嘱|开立|开具)人" + _ID + "?$", "prescriber_id", 0.85),
        (_DOCTOR + _ID + r"?\d?$|主刀$", "prescriber_id", 0.95),
        (_DOCTOR, "prescriber_id", 0.72),
        # --- places
        (r"(科室|科别|部门).{0,4}" + _NAME + "$", "department_name", 0.95),
        (r"(执行|受单|核算|上级|父).{0,2}(科室|部门)", "department_id", 0.78),
        (r"(科室|科别|部门|开单科|开方科)" + _ID + "?$", "department_id", 0.95),
        (r"科室|科别", "department_id", 0.72),
        (r"床位?(号|标识|编码|代码)?$", "patient_id", 0.6),
        (r"(病区|护理单元|护理站|药房|药库|库房|仓库|库位|窗口)" + _ID + "?$", "unit_id", 0.93),
        (r"病区|护理单元|护理站|药房|药库|库房|仓库|库位|窗口", "unit_id", 0.6),
        # --- patients, visits, prescriptions
        (r"住院病历号", "visit_id", 0.9),
        (r"身份证|证件号|病案号|病历号|病历卡|就诊卡|诊疗卡|医保卡|健康卡|^卡号", "patient_id", 0.94),
        (r"(病人|患者)(主索引|基本信息|档案)?" + _ID + "$|^(病人|患者)$", "patient_id", 0.95),
        (r"个人档案" + _ID + "$|婴儿" + _ID + "$", "patient_id", 0.7),
        (r"(住院|就诊|门诊|挂号|入院|急诊|首页)(登记|病人)?(号)?" + _ID + "$|^(就诊|挂号)$", "visit_id", 0.93),
        (r"手术(登记)?" + _ID + "$", "visit_id", 0.5),
        (r"医嘱(项目)?(代码|编码)$", "item_id", 0.8),
        (r"病例" + _ID + "$", "visit_id", 0.75),
        (r"个人(编号|编码|代码)$", "patient_id", 0.85),
        (r"(处方|医嘱)(主表|主)?(单)?(组)?" + _ID + "$|^(处方|医嘱)$", "prescription_id", 0.95),
        (r"(申请单|发药单|记账单|摆药单)" + _ID + "$|(组号|分组序号|组合序号)$", "prescription_id", 0.6),
        # --- items
        (_GOODS + r".{0,6}" + _NAME + r"$|^药名$|品名$|(商品|通用)名", "item_name", 0.95),
        (r"(项目|目录).{0,6}" + _NAME + "$", "item_name", 0.88),
        (r"(费用|收费)" + _NAME + "$|(费用|收费)项目$", "item_name", 0.75),
        (r"医嘱(内容|名称|正文)", "item_name", 0.82),
        (_GOODS + r".{0,6}" + _ID + r"$|^(药品|药物|耗材|卫材|材料|商品)$", "item_id", 0.95),
        (r"医保.{0,4}(编码|代码|码)$|国家.{0,4}(编码|代码|码)$|目录(编码|代码)$", "item_id", 0.85),
        (r"项目.{0,2}(代码|编码|编号|标识|id|ID)$", "item_id", 0.88),
        (r"(费用|收费)(代码|编码|序号|编号)$", "item_id", 0.75),
        (r"唯一码|条码|产品标识", "item_id", 0.55),
        (r"规格", "item_spec", 0.93),
        # --- measures
        (r"(金额|总额|应收|实收|药费|小计|合计费用|费用合计|总费用|费用总额)$|^费用$", "amount", 0.93),
        (r"数量$|(总|发药|用药|出库|库存|使用|消耗|用)量$|^数量", "quantity", 0.93),
        (r"剂量|用量|次量", "quantity", 0.6),
        # --- staff numbers alone
        (r"(员工|职工|医护|人员)" + _ID + r"$|^(工号|职工号|员工号)$", "prescriber_id", 0.8),
        (r"诊室", "prescriber_id", 0.55),
        (r"^(用户|账号)" + _ID + "?$|用户账号|^用户名$", "operator_id", 0.72),
    )
)  # fmt: skip

# What follows explains the values: 业务类型：021 病区发药.
_EXPLANATION: Final = re.compile(r"[：:（(，,；;]|\s-\s")
_CJK: Final = re.compile(r"[\u4e00-\u9fff]")
_CAMEL: Final = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|[0-9]+|[\u4e00-\u9fff]+")
_PHRASES: Final = (
    (re.compile(r"\bin charge\b"), "attending"),
    (re.compile(r"\btotal (price|fee|money)\b"), "amount"),
    (re.compile(r"\b(work|job|staff|emp|employee) (no|number|num|code)\b"), "gonghao"),
    (re.compile(r"\b(id card|id no|national id|cert no|identity no)( no)?\b"), "idno"),
    (re.compile(r"\b(mz|zy|inp|outp) no\b"), "visit no"),
    (re.compile(r"\b(line|row|grand|sub) total\b|^total$"), "amount"),
    (re.compile(r"\bunits (used|issued|dispensed|given)\b"), "qty"),
    (
        re.compile(
            r"\b(creat|writ|updat|insert|modif|enter|record)(e|ed|y|ied)? (uid|by|user|user id)\b"
        ),
        "operator",
    ),
    (re.compile(r"\b(user|login) accounts?\b"), "user"),
    (re.compile(r"\bmed chrgitm\b"), "chrgitm"),
    (re.compile(r"\bnurse cell\b|\bnursing unit\b"), "ward"),
    (re.compile(r"\bmedical record (no|number|id)\b"), "mrn"),
)


def words(name: str) -> list[str]:
    """`DR_CODE`, `drCode`, `dr-code` as `dr`, `code`; digits are dropped."""
    return [w.lower() for w in _CAMEL.findall(name) if not w.isdigit()]


@lru_cache(maxsize=20_000)
def pinyin(name: str) -> tuple[str, ...] | None:
    """The initials a name is made of (`kdysdm` → `kd ys dm`), None when a rest remains. A name of
    one pair is cut too."""
    text = name.lower().replace("_", "")
    return _cut(text, INITIALS, 8) if text.isascii() and text.isalpha() else None


def _cut(text: str, table: dict[str, str], longest: int) -> tuple[str, ...] | None:
    """The fewest entries of a table that make up a text."""
    best: list[tuple[str, ...] | None] = [None] * (len(text) + 1)
    best[0] = ()
    for end in range(1, len(text) + 1):
        for size in range(min(longest, end), 0, -1):
            before = best[end - size]
            if before is None or text[end - size : end] not in table:
                continue
            current = best[end]
            if current is None or len(before) + 1 < len(current):
                best[end] = (*before, text[end - size : end])
    return best[len(text)]


_LONG: Final = {word: said for word, said in ENGLISH.items() if len(word) > 2} | {
    word: ENGLISH[word] for word in ("id", "no", "dr", "rx", "cd", "sn")
}


@lru_cache(maxsize=20_000)
def gloss(name: str) -> Gloss | None:
    """A name of Latin letters in Chinese; None when nothing of it is known."""
    said = " ".join(words(name))
    for pattern, word in _PHRASES:
        said = pattern.sub(word, said)
    parts = [part for part in said.split() if part not in FILLERS]
    while len(parts) > 1 and parts[0] in NOISE:
        parts = parts[1:]
    if not parts:
        return None
    translated = [_translate(part) for part in parts]
    if not any(weight == _SURE_WORD for _, weight in translated):
        # No English in it: initials may run over the underscores.
        cut = pinyin("".join(parts))
        if cut is not None:
            return Gloss("".join(INITIALS[pair] for pair in cut), 0, True, _INITIALS_WEIGHT)
    known = [(text, weight) for text, weight in translated if text]
    if not known:
        return None
    text = "".join(text for text, _ in known)
    # Money stands at the end; before another word it qualifies that.
    text = re.sub(r"金额(?=.)", "费用", text)
    return Gloss(
        text,
        len(translated) - len(known),
        bool(translated[-1][0]),
        min(weight for _, weight in known),
    )


_SURE_WORD: Final = 1.0
_INITIALS_WEIGHT: Final = 0.98


def _translate(word: str) -> tuple[str, float]:
    """A word in Chinese and how sure that is; empty when it is not known."""
    if word in ENGLISH:
        return ENGLISH[word], _SURE_WORD
    if word in PINYIN and len(word) > 2:
        return PINYIN[word], 0.98
    if _CJK.search(word):
        return word, 0.98
    for table, longest, weight in (
        (PINYIN, 12, 0.98),
        (_LONG, 16, 0.97),
        (INITIALS, 8, _INITIALS_WEIGHT),
    ):
        cut = _cut(word, table, longest)
        if cut is not None and (table is not INITIALS or len(word) > 1):
            return "".join(table[piece] for piece in cut), weight
    return "", 0.0


def read_column(name: str) -> list[Reading]:
    """What the name of a column says."""
    if _CJK.search(name):
        return _read(name, f"列名为「{name[:30]}」", 1.0)
    said = gloss(name)
    if said is None or not said.last or said.strange > 2:
        return []
    reason = f"列名 {name} 像「{said.text}」"
    if name.lower() in _AMBIGUOUS:
        return _read(said.text, reason, 0.6)
    return _read(said.text, reason, said.weight * (1.0, 0.75, 0.5)[said.strange])


# Two letters that stand for several things as often: `yf` 药房, 用法, 月份.
_AMBIGUOUS: Final = frozenset({"yf", "mz", "zy", "fy", "ck", "cl", "hc"})


def read_comment(text: str) -> list[Reading]:
    """What a comment, or the Chinese alias of a column, says."""
    text = text.strip()
    shown = f"注释为「{text[:30]}」"
    text = _EXPLANATION.split(text, maxsplit=1)[0].strip() or text
    # Of 就诊/住院科室id the longest part has the attribute.
    text = max(text.split("/"), key=len)
    if _CJK.search(text):
        return _read(text.replace(" ", ""), shown, 1.0)
    said = gloss(text)
    if said is None or not said.last or said.strange:
        return []
    return _read(said.text, shown, said.weight)


def _read(text: str, reason: str, weight: float) -> list[Reading]:
    for pattern, role, confidence in _COLUMN:
        if pattern.search(text):
            return [Reading(role, confidence * weight, reason)] if role else []
    return []


def item_attribute(name: str) -> tuple[str, float] | None:
    """The role of a column of a list of drugs or consumables that is not named after them."""
    said = gloss(name)
    text = name if _CJK.search(name) else (said.text if said is not None and said.last else "")
    return next(((role, c) for pattern, role, c in _OF_ITEM if pattern.search(text)), None)


_OF_ITEM: Final = (
    (re.compile("(通用|商品|化学|中文)(名|名称)$"), "item_name", 0.92),
    (re.compile("^(类别|分类|大类|类型|性质|属性|级别)(代码|编码|编号)?$"), "item_class", 0.85),
    (re.compile("^型号$"), "item_spec", 0.75),
    (re.compile("^(高值)?高值(标志|耗材)?$"), "item_kind", 0.85),
    (re.compile(r"国家.*(编码|代码|码)$"), "item_id", 0.85),
)


def contradicts(comment: str) -> bool:
    """Whether a comment explains in Chinese something that has no role: then a name that looks
    like one is a coincidence (`yf` 用法, not 药房)."""
    return _CJK.search(comment) is not None and not read_comment(comment)


def is_plain(name: str) -> bool:
    """Whether a name is known to have no role, whatever its type: `birth_date`, `yxq` 有效期."""
    said = gloss(name)
    text = name if _CJK.search(name) else (said.text if said is not None else "")
    found = next((role for pattern, role, _ in _COLUMN if pattern.search(text)), None)
    return found == ""


# ---------------------------------------------------------------- tables

_TABLE: Final[tuple[tuple[re.Pattern[str], str], ...]] = tuple(
    (re.compile(pattern), meaning)
    for pattern, meaning in (
        (r"结算|发票|预交金|缴款", "settlement"),
        (r"检查|检验|化验|体检|手术(申请|登记|排班)|医技|诊断|处置|护理记录", "examination"),
        (r"登录|签到|会话|上机|日志|session", "signin"),
        (r"字典|目录|代码表|编码库|代码$|编码$|词典|药品信息|基本信息|档案", "dictionary"),
        (r"库存|入库|出库|出入库|采购|盘点|进销存|台账|调拨|药库", "stock"),
        (
            r"处方|医嘱|发药|摆药|收费|费用|记账|计费|用药|给药|领药|耗材.{0,2}(使用|消耗)|高值|(药品|耗材|卫材).{0,3}(使用|消耗)|医保.*上传|配药",
            "usage",
        ),
        (r"明细|项目$|细目", "detail"),
        (r"科室", DEPARTMENT),
        (r"职工|员工|医生|医师|人员|医护", PRESCRIBER),
        (r"药品|耗材|材料|卫材", ITEM),
        (r"病人|患者", PATIENT),
        (r"挂号|就诊|住院|入院", VISIT),
    )
)


@lru_cache(maxsize=20_000)
def table_text(name: str, comment: str = "") -> str:
    """A table's name and comment in Chinese, as far as they can be read."""
    bare = name.rsplit(".", 1)[-1]
    if _CJK.search(bare):
        return f"{bare} {comment}".strip()
    said = gloss(bare)
    # 库 (k) at the end, as in `YY_KSBMK`: a table of.
    shorter = gloss(bare[:-1]) if bare[-1:] in "kK" and len(bare) > 3 else None
    if shorter is not None and (said is None or shorter.strange < said.strange):
        said = shorter
    return f"{said.text if said is not None else ''} {comment}".strip()


def read_table(name: str, comment: str) -> frozenset[str]:
    """What a table is about: `usage`, `stock`, `dictionary`, `signin`, `detail` and subjects."""
    text = table_text(name, comment)
    return frozenset(meaning for pattern, meaning in _TABLE if pattern.search(text))


_LISTING: Final = re.compile(
    r"(\(|（).*$|(基本|主)?(信息|资料|字典|目录|代码|编码|档案|主索引|主表|主记录|主|表|库|记录|登记|本|内容|模板)+$"
)
_HEADS: Final = (
    (re.compile(r"(处方|医嘱)(单|信息)?$"), PRESCRIPTION),
    (re.compile(r"^(高值|医用|院内|门诊|住院|公用|基础|全院)?(药品|药物|耗材|卫材|材料|物资|商品)(商品|项目)?$|^收费项目$|^项目$"), ITEM),
    (re.compile(r"(^|[^一-龥]|公用|系统|基础|医院)(科室|部门)$"), DEPARTMENT),
    (re.compile(r"(^|[^一-龥]|公用|系统|基础|医院)(医生|医师|员工|职工|人员|职工人员)$"), PRESCRIBER),
    (re.compile(r"(^|[^一-龥]|公用|系统|基础)(病区|药房|药库|库房|仓库)$"), UNIT),
    (re.compile(r"(就诊|住院|门诊|急诊|挂号|入院|在院|出院|就诊|住院病人|住院患者|门诊就诊|门诊挂号|挂号明细|病人入院|病人就诊)$"), VISIT),
    (re.compile(r"(病人|患者)$"), PATIENT),
    (re.compile(r"(操作员|用户|账号|用户账号)$"), OPERATOR),
)  # fmt: skip


def head(name: str, comment: str = "") -> str | None:
    """The subject of which a table holds one row each (`gnuhealth_patient` → patient,
    `patient_visit` → visit). None for a table of something else, such as `drug_form`."""
    for text in (comment, table_text(name)):
        if not text or (text is not comment and _last_unknown(name)):
            continue
        bare = _LISTING.sub("", text.split("，")[0].strip()) or text
        for pattern, subject in _HEADS:
            if pattern.search(bare):
                return subject
        if text is comment and _CJK.search(comment):
            return None
    return None


def lists_drugs(name: str, comment: str) -> bool:
    """Whether a table lists drugs or consumables, and not all that can be charged."""
    return head(name, comment) == ITEM and "项目" not in table_text(name, comment)


def _last_unknown(name: str) -> bool:
    said = gloss(name.rsplit(".", 1)[-1])
    shorter = gloss(name[:-1]) if name[-1:] in "kK" else None
    return not ((said is not None and said.last) or (shorter is not None and shorter.last)) and (
        _CJK.search(name) is None
    )


def id_role(subject: str) -> str:
    """The role of the key of a table about `subject`."""
    return _ID_ROLE[subject]


def name_role(subject: str) -> str | None:
    """The role of the name column of a table about `subject`, if there is one."""
    return _NAME_ROLE.get(subject)


# ---------------------------------------------------------------- values

TELLING_COLUMN: Final = re.compile(
    r"type|kind|class|categ|cat\d?_|lb$|lx$|dl$|fl$|类|kindcode|origin|source|biz", re.IGNORECASE
)
TELLING_COMMENT: Final = re.compile("类型|类别|大类|分类|种类|方式")
DRUG_MEANING: Final = re.compile(
    "^(西药|中药|中成药|草药|中草药|药品|耗材|卫材|材料|卫生材料|高值)"
)
USE_OF_STOCK: Final = re.compile("发药|领用|领药|消耗|使用|处方|医嘱|摆药|病区|科室领|退药")
WAITING: Final = re.compile("^(未|待|新开|新|等待|申请|排队|已收费未)")
_KIND_VALUES: Final[tuple[tuple[str, re.Pattern[str]], ...]] = tuple(
    (kind, re.compile(pattern, re.IGNORECASE))
    for kind, pattern in (
        ("", r"^(非|不|无).*药|.*非药"),
        ("consumable", r"^(非|不是|普通|一般|低值).*(高值|耗材|卫材|材料).*$|^低值$"),
        ("high_value", r"^.*高值.*$|^(GZ|GZHC|HIGH_?VALUE.*)$"),
        (
            "drug",
            r"^(PHA.*|DRUG.*|MED(ICINE|ICATION)?|RX|W?CM?_?DRUG|西药.*|中药.*|中成药.*|中草药.*|草药.*|药品.*|.*药费"
            r"|HERB.*|YP|XY|ZCY|ZY|CY)$",
        ),
        (
            "consumable",
            r"^(CONSUM.*|MATERIAL.*|SUPPLY|(医用)?耗材.*|卫材.*|(医用|卫生|一次性)?材料.*|.*材料费?|HC|WC)$",
        ),
    )
)
_ITEM_NAME_VALUE: Final = re.compile(
    r"(片|胶囊|注射液|颗粒|口服液|滴眼液|软膏|冻干粉|缓释|注射用|丸|散剂|乳膏|喷雾剂|支架|导管|缝线)"
    r"|\d+(\.\d+)?\s*(mg|ml|g|iu|μg)\b",
    re.IGNORECASE,
)
_IDENTITY_CARD: Final = re.compile(r"^\d{17}[\dXx]$")


def drug_values(samples: tuple[str, ...]) -> tuple[str, ...]:
    """Those of the sampled codes that name drugs or consumables."""
    return tuple(sorted({v for v in samples if item_kind(v) is not None}))


def item_kind(value: str) -> str | None:
    """The kind of items that a category's value or its meaning names: `drug`, `consumable` or
    `high_value`. None: neither."""
    found = (kind for kind, pattern in _KIND_VALUES if pattern.match(value.strip()))
    return next(found, "") or None


def says_high_value(name: str, comment: str) -> bool:
    """Whether a column tells high-value consumables from the ordinary ones."""
    said = gloss(name)
    text = name if _CJK.search(name) else said.text if said is not None else ""
    return bool(_HIGH_VALUE.search(text) or _HIGH_VALUE.search(comment))


_HIGH_VALUE: Final = re.compile(
    r"^(是否|标志)?(医用)?高值(医用)?(耗材)?(标志|标识|否|与否)?($|[\s，,：:(（0-9])"
)


def lists_consumables(name: str, comment: str) -> bool:
    """Whether a table holds consumables and nothing else."""
    text = table_text(name, comment)
    return bool(_CONSUMABLES.search(text)) and not _NOT_CONSUMABLES.search(text)


_CONSUMABLES: Final = re.compile("耗材|卫材|材料|物资")
_NOT_CONSUMABLES: Final = re.compile("药|项目|费用|收费|医嘱|商品")


def read_values(samples: tuple[str, ...]) -> Reading | None:
    """What the sampled values themselves look like."""
    values = [v for v in samples if v]
    if len(values) < 3:
        return None
    if sum(bool(_IDENTITY_CARD.match(v)) for v in values) * 10 >= len(values) * 8:
        return Reading("patient_id", 0.95, "取样的值像身份证号")
    if sum(bool(_ITEM_NAME_VALUE.search(v)) for v in values) * 10 >= len(values) * 5:
        return Reading("item_name", 0.85, "取样的值像药品或耗材名称")
    return None
