"""What names of tables and columns mean in a hospital: English, pinyin initials and Chinese.

Rules this module keeps:

1. A name is read as *subject* (drug, doctor, department, patient …) and *attribute* (code, name,
   class …). A subject with an attribute that is not known here (`drug_form`) has no role.
2. English is read by words, pinyin initials by cutting the whole name into known pairs
   (`kdysdm` 开单·医生·代码), Chinese by words in it. A comment is read like a name.
3. A reading is (role, confidence, reason in Chinese); the caller weighs it with types, keys and
   values.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, NamedTuple


class Reading(NamedTuple):
    role: str
    confidence: float
    reason: str


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

_SUBJECTS: Final = {
    ITEM: "drug drugs medicament medicaments medicine medicines medication medications med meds"
    " item items product products material materials consumable consumables goods pharmaceutical",
    PRESCRIBER: "doctor doctors dr doc physician prescriber healthprof healthprofessional"
    " clinician practitioner",
    DEPARTMENT: "dept department departments depart",
    UNIT: "ward pharmacy warehouse window store storage dispensary storeroom",
    PATIENT: "patient patients pat pid mrn inhabitant",
    VISIT: "visit visits encounter admission registration appointment inpatient outpatient hospitalization",
    PRESCRIPTION: "prescription prescriptions presc rx recipe order orders",
    OPERATOR: "operator oper cashier",
}
_SUBJECT_OF: Final = {word: s for s, words in _SUBJECTS.items() for word in words.split()}

_ATTRIBUTES: Final = {
    "id": "id code no num number key cd sn uid serial seq",
    "name": "name title fullname",
    "class": "class category toxi toxicity atc antibiotic",
    "spec": "spec specification strength",
}
_ATTRIBUTE_OF: Final = {word: a for a, words in _ATTRIBUTES.items() for word in words.split()}

_QUANTITY: Final = frozenset({"qty", "quantity", "quantities", "cnt"})
_AMOUNT: Final = frozenset({"amount", "amt", "cost", "costs", "charge", "charges", "fee", "money"})
_PRICE: Final = frozenset({"price", "rate", "tax"})
_TIME: Final = frozenset({"date", "time", "datetime", "timestamp", "day"})
_OPERATORS: Final = frozenset({"create_uid", "write_uid", "created_by", "updated_by", "oper_code"})
_MODIFIER_WORDS: Final = (
    "ordering attending referring treating requesting prescribing primary apply exec executing"
    " performing dispensing charge charging current billing admit admitting main sub parent"
)
_MODIFIERS: Final = frozenset(_MODIFIER_WORDS.split())
_NOISE: Final = frozenset(
    {"outp", "inp", "op", "ip", "his", "tb", "tbl", "t", "cur", "ref", "fk", "main", "master"}
)

# Pairs of pinyin initials; a name counts only when it is cut into these without a rest.
_PINYIN: Final = {
    "yp": ITEM,
    "hc": ITEM,
    "cl": ITEM,
    "wz": ITEM,
    "ys": PRESCRIBER,
    "yg": PRESCRIBER,
    "zs": PRESCRIBER,
    "ks": DEPARTMENT,
    "bq": UNIT,
    "yf": UNIT,
    "yk": UNIT,
    "kf": UNIT,
    "br": PATIENT,
    "hz": PATIENT,
    "jz": VISIT,
    "zy": VISIT,
    "gh": VISIT,
    "ry": VISIT,
    "cf": PRESCRIPTION,
    "yz": PRESCRIPTION,
    "czy": OPERATOR,
    "dm": "id",
    "bm": "id",
    "bh": "id",
    "id": "id",
    "xh": "id",
    "h": "id",
    "hm": "id",
    "no": "id",
    "mc": "name",
    "xm": "name",
    "lb": "class",
    "fl": "class",
    "dl": "class",
    "gg": "spec",
    "sl": "quantity",
    "je": "amount",
    "rq": "time",
    "sj": "time",
    "kd": "",
    "mz": "",
    "zx": "",
    "sq": "",
    "sf": "",
    "fy": "",
    "tj": "",
    "lr": "",
    "zg": "",
    "zz": "",
    "jl": "",
    "mx": "",
    "zb": "",
    "bz": "",
    "hj": "",
    "kz": "",
    "sy": "",
    "kc": "",
    "sc": "",
    "yb": "",
    "cg": "",
    "th": "",
    "dj": "price",
}
_PINYIN_ZH: Final = {
    "yp": "药品", "hc": "耗材", "cl": "材料", "wz": "物资", "ys": "医生", "ks": "科室",
    "bq": "病区", "yf": "药房", "yk": "药库", "kf": "库房", "br": "病人", "hz": "患者",
    "jz": "就诊", "zy": "住院", "gh": "挂号", "ry": "入院", "cf": "处方", "yz": "医嘱",
    "czy": "操作员", "dm": "代码", "bm": "编码", "bh": "编号", "id": "标识", "xh": "序号",
    "h": "号", "hm": "号码", "no": "号", "mc": "名称", "xm": "姓名", "lb": "类别", "fl": "分类",
    "dl": "大类", "gg": "规格", "sl": "数量", "je": "金额", "rq": "日期", "sj": "时间",
    "kd": "开单", "mz": "门诊", "zx": "执行", "sq": "申请", "sf": "收费", "fy": "费用",
    "tj": "统计", "lr": "录入", "zg": "主管", "zz": "主治", "jl": "记录", "mx": "明细",
    "zb": "主表", "bz": "标志", "hj": "划价", "yg": "员工", "zs": "诊室", "kz": "开嘱", "sy": "使用", "kc": "库存",
    "sc": "上传", "yb": "医保", "cg": "采购", "th": "退回", "dj": "单价",
}  # fmt: skip

# Chinese, most telling first; the first that fits decides.
_CHINESE: Final[tuple[tuple[re.Pattern[str], str, float], ...]] = tuple(
    (re.compile(pattern, re.IGNORECASE), role, confidence)
    for pattern, role, confidence in (
        (r"处方权|科室(类别|类型|级别)|(病区|药房|药库|库房|仓库|窗口).*名称?$|诊断|检验|检查", "", 0.9),
        (r"麻精|精麻|毒麻|基本药物|抗菌|厂家|厂商", "item_class", 0.7),
        (r"单价|价格|电话|地址|备注|密码|标志|状态|规则|产地|供应商|用法|频次|位置", "", 0.9),
        (r"(开单|开方|处方|开嘱|下嘱|接诊|主管|主治|经治|申请|医嘱)?(医生|医师|大夫).*(姓名|名称|名字)", "prescriber_name", 0.92),
        (r"医生|医师|大夫|开单人|开方人|开嘱人", "prescriber_id", 0.9),
        (r"(科室|科别|部门).*(名称|名)", "department_name", 0.9),
        (r"科室|科别|开单科", "department_id", 0.88),
        (r"病区|护理单元|药房|药库|库房|仓库|发药窗口|窗口号|^窗口", "unit_id", 0.85),
        (r"操作员|操作人|录入人|收费员|创建人|经手人|登录工号|操作工号", "operator_id", 0.85),
        (r"身份证|(病人|患者)(id|号|编号|标识|编码|代码|唯一)|病案号|病历号|就诊卡|医保卡号|^(病人|患者)$", "patient_id", 0.92),
        (r"住院(号|流水|登记|序号)|就诊(号|流水|序号|id)|门诊(号|流水)|挂号(号|序号|id)|入院登记", "visit_id", 0.9),
        (r"(处方|医嘱|申请单|发药单|记账单)(主)?(号|id|流水|编号|序号|标识|组号)", "prescription_id", 0.92),
        (r"(药品|药物|药理|毒理|耗材|材料|项目).*(类别|分类|类型|大类|级别)|抗菌药物|基本药物", "item_class", 0.82),
        (r"(药品|药物|耗材|材料|物资|商品|通用|项目).*(名称|名)", "item_name", 0.92),
        (r"(药品|药物|耗材|材料|物资).*(代码|编码|编号|id|序号|标识|码)|^药品$|国家医保编码|项目(代码|编码|id)", "item_id", 0.92),
        (r"(收费|费用|医保)(项目|目录)?.*(代码|编码)", "item_id", 0.75),
        (r"(员工|职工|医护|人员).*(工号|编号|代码)|^工号$", "prescriber_id", 0.75),
        (r"诊室", "prescriber_id", 0.55),
        (r"规格", "item_spec", 0.85),
        (r"数量|总量|发药量|用药量", "quantity", 0.88),
        (r"剂量|用量", "quantity", 0.6),
        (r"金额|应收|实收|总额|费用(合计)?$|药费", "amount", 0.88),
        (r"日期|时间", "time", 0.85),
    )
)  # fmt: skip

# What follows explains the values: 业务类型：021 病区发药.
_EXPLANATION: Final = re.compile(r"[：:（(，,；;]")
_CJK: Final = re.compile(r"[\u4e00-\u9fff]")
_CAMEL: Final = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|[0-9]+|[\u4e00-\u9fff]+")


def words(name: str) -> list[str]:
    """`DR_CODE`, `drCode`, `dr-code` as `dr`, `code`; digits are dropped."""
    return [w.lower() for w in _CAMEL.findall(name) if not w.isdigit()]


@lru_cache(maxsize=20_000)
def pinyin(name: str) -> tuple[str, ...] | None:
    """The initials a name is made of (`kdysdm` → `kd ys dm`), None when a rest remains. A name of
    one pair is cut too."""
    text = name.lower().replace("_", "")
    if not text.isascii() or not text.isalpha():
        return None
    best: list[tuple[str, ...] | None] = [None] * (len(text) + 1)
    best[0] = ()
    for end in range(1, len(text) + 1):
        for size in (3, 2, 1):
            if end >= size and text[end - size : end] in _PINYIN:
                before = best[end - size]
                candidate = None if before is None else (*before, text[end - size : end])
                current = best[end]
                if candidate is not None and (current is None or len(candidate) < len(current)):
                    best[end] = candidate
    return best[len(text)]


def read_column(name: str) -> list[Reading]:
    """What the name of a column says, best first."""
    if _CJK.search(name):
        return read_comment(name, "列名")
    readings: list[Reading] = []
    parts = words(name)
    if name.lower() in _OPERATORS:
        return [Reading("operator_id", 0.9, f"列名 {name} 记录操作人")]
    english = _english(parts, name)
    if english is not None:
        readings.append(english)
    cut = pinyin(name)
    if cut is not None and english is None:
        reading = _initials(cut, name)
        if reading is not None:
            readings.append(reading)
    return readings


def read_comment(text: str, where: str = "注释") -> list[Reading]:
    """What a comment, or a Chinese name, says."""
    text = _EXPLANATION.split(text.strip(), maxsplit=1)[0] or text
    for pattern, role, confidence in _CHINESE:
        if pattern.search(text):
            return [Reading(role, confidence, f"{where}为「{text.strip()[:30]}」")] if role else []
    if _CJK.search(text) or not text.strip():
        return []
    english = _english(words(text), text.strip()[:30])
    return [] if english is None else [english._replace(reason=f"注释为「{text.strip()[:30]}」")]


def _english(parts: list[str], name: str) -> Reading | None:
    while parts and parts[0] in _NOISE:
        parts = parts[1:]
    if not parts or not set(parts).isdisjoint(_PRICE):
        return None
    last = parts[-1]
    if last in _QUANTITY:
        return Reading("quantity", 0.9, f"列名 {name} 是数量")
    if last in _AMOUNT:
        return Reading("amount", 0.8, f"列名 {name} 是金额")
    if last in _TIME:
        return Reading("time", 0.75, f"列名 {name} 是时间")
    attribute = _ATTRIBUTE_OF.get(last)
    subject = _SUBJECT_OF.get(last)
    if subject is not None:
        strange = len([w for w in parts[:-1] if w not in _SUBJECT_OF and w not in _MODIFIERS])
        confidence = (0.7, 0.45, 0.3)[min(strange, 2)]
        return Reading(_ID_ROLE[subject], confidence, f"列名 {name} 指{SUBJECT_ZH[subject]}")
    if attribute is None or len(parts) < 2:
        return None
    subject = _SUBJECT_OF.get(parts[-2])
    if subject is None:
        return None
    role = _role(subject, attribute)
    if role is None:
        return None
    return Reading(role, 0.88, f"列名 {name} 是{SUBJECT_ZH[subject]}的{_ATTRIBUTE_ZH[attribute]}")


_ATTRIBUTE_ZH: Final = {"id": "编码", "name": "名称", "class": "分类", "spec": "规格"}


def _role(subject: str, attribute: str) -> str | None:
    if attribute == "id":
        return _ID_ROLE[subject]
    if attribute == "name":
        return _NAME_ROLE.get(subject)
    return f"item_{attribute}" if subject == ITEM else None


def _initials(cut: tuple[str, ...], name: str) -> Reading | None:
    meanings = [_PINYIN[pair] for pair in cut]
    said = "".join(_PINYIN_ZH[pair] for pair in cut)
    reason = f"列名 {name} 像「{said}」的拼音首字母"
    if "price" in meanings:
        return None
    last = meanings[-1]
    if last in {"quantity", "amount", "time"}:
        return Reading(last, 0.82, reason)
    if last == "spec":
        return Reading("item_spec", 0.8, reason)
    subjects = [m for m in meanings if m in _ID_ROLE]
    if cut in {("xm", "dm"), ("xm", "bm"), ("fy", "dm"), ("fy", "bm")}:
        return Reading("item_id", 0.6, reason)
    if not subjects:
        return None
    # 工号 follows a person: ysgh is a doctor's number, not a registration.
    if cut[-1] == "gh" and len(cut) > 1 and meanings[-2] in {PRESCRIBER, OPERATOR}:
        return Reading(_ID_ROLE[meanings[-2]], 0.85, f"列名 {name} 像「医生工号」的拼音首字母")
    subject = subjects[-1]
    attribute = last if last in _ATTRIBUTE_ZH else ("id" if last == subject else "")
    role = _role(subject, attribute) if attribute else None
    if role is None:
        return None
    if "zs" in cut:
        return Reading(role, 0.55, reason)  # a room stands for its doctor only where one uses it
    return Reading(role, 0.82 if last in _ATTRIBUTE_ZH else 0.65, reason)


# ---------------------------------------------------------------- tables

_TABLE_CHINESE: Final[tuple[tuple[re.Pattern[str], str], ...]] = tuple(
    (re.compile(pattern), meaning)
    for pattern, meaning in (
        (r"检查|检验|化验|体检|手术申请", "examination"),
        (r"登录|签到|会话|上机", "signin"),
        (r"字典|目录|代码表|词典", "dictionary"),
        (r"库存|入库|出库|采购|盘点|进销存|台账|调拨", "stock"),
        (r"处方|医嘱|发药|摆药|收费|费用|记账|结算|用药|耗材使用|医保上传|配药", "usage"),
        (r"科室", DEPARTMENT),
        (r"职工|员工|医生|医师|人员|医护", PRESCRIBER),
        (r"药品|耗材|材料", ITEM),
        (r"病人|患者", PATIENT),
        (r"挂号|就诊|住院|入院", VISIT),
    )
)
_TABLE_WORDS: Final = {
    "signin": "login logins signin logon session attempt",
    "examination": "lab labs exam examination radiology imaging",
    "dictionary": "dict dictionary catalog catalogue",
    "stock": "stock inventory ledger purchase stocktake move shipment",
    "usage": "prescription presc rx order orders dispense dispensing charge charges billing fee"
    " medication recipe",
    "detail": "line lines detail details item items entry",
    DEPARTMENT: "dept department departments",
    PRESCRIBER: "doctor doctors staff physician healthprofessional employee",
    ITEM: "drug drugs medicament medicine product material consumable",
    PATIENT: "patient patients",
    VISIT: "visit visits registration admission appointment encounter inpatient",
}
_TABLE_WORD_OF: Final = {w: m for m, line in _TABLE_WORDS.items() for w in line.split()}
_TABLE_PINYIN: Final = {
    "cf": "usage", "yz": "usage", "fy": "usage", "sf": "usage", "jz": VISIT, "gh": VISIT,
    "yp": ITEM, "hc": ITEM, "ks": DEPARTMENT, "ys": PRESCRIBER, "br": PATIENT, "hz": PATIENT,
    "kc": "stock", "rk": "stock", "ck": "stock", "zd": "dictionary", "dl": "signin", "mx": "detail",
    "yg": PRESCRIBER, "yb": "usage", "sy": "usage", "zg": PRESCRIBER, "yf": "", "mz": "", "zy": VISIT, "zb": "", "jl": "", "xx": "", "bm": "",
}  # fmt: skip


def read_table(name: str, comment: str) -> frozenset[str]:
    """What a table is about: `usage`, `stock`, `dictionary`, `signin`, `detail` and subjects."""
    bare = name.rsplit(".", 1)[-1]
    said: set[str] = set()
    for pattern, meaning in _TABLE_CHINESE:
        if pattern.search(comment) or pattern.search(bare):
            said.add(meaning)
    for word in words(bare):
        meaning = _TABLE_WORD_OF.get(word)
        if meaning is not None:
            said.add(meaning)
        elif len(word) in {2, 4, 6} and (pairs := _pairs(word)) is not None:
            said |= {_TABLE_PINYIN[pair] for pair in pairs}
    said.discard("")
    return frozenset(said)


_SUBJECT_CHINESE: Final = (
    (re.compile(r"^(药品|耗材|材料)"), ITEM),
    (re.compile(r"^科室"), DEPARTMENT),
    (re.compile(r"^(医生|医师|员工|职工|人员)"), PRESCRIBER),
    (re.compile(r"^(病人|患者)"), PATIENT),
)
_ENTITY_CHINESE: Final = re.compile(r"字典|目录|代码|档案|基本信息|主索引|信息表$|表$")


def head_of_comment(comment: str) -> str | None:
    """The subject of a table whose comment says that it lists them (科室字典)."""
    if not _ENTITY_CHINESE.search(comment):
        return None
    return next((s for pattern, s in _SUBJECT_CHINESE if pattern.search(comment)), None)


def contradicts(comment: str) -> bool:
    """Whether a comment explains in Chinese something that has no role: then initials that look
    like one are a coincidence (`yf` 用法, not 药房)."""
    return _CJK.search(comment) is not None and not read_comment(comment)


def head(name: str) -> str | None:
    """The subject of which a table holds one row each (`gnuhealth_patient` → patient,
    `patient_visit` → visit): its last word. None for a table of something else, such as
    `drug_form`."""
    parts = words(name.rsplit(".", 1)[-1])
    while len(parts) > 1 and parts[-1] in {"info", "master", "dict", "list", "main", "template"}:
        parts = parts[:-1]
    if not parts:
        return None
    last = parts[-1]
    if last in {"staff", "employee"}:
        return PRESCRIBER
    if last in {"order", "orders"} and not {"prescription", "presc", "rx", "drug"} & set(parts):
        return None
    found = _SUBJECT_OF.get(last)
    if found == ITEM and not {_SUBJECT_OF.get(w) for w in parts[:-1]} <= {ITEM, None}:
        return None  # patient_medication, prescription_item: a use, not the drug
    if found is not None:
        return found
    pairs = _pairs(last) if len(parts) <= 2 else None
    if pairs:
        subjects = [_PINYIN[p] for p in pairs if _PINYIN.get(p) in _ID_ROLE]
        return subjects[-1] if subjects else None
    return None


def _pairs(word: str) -> list[str] | None:
    pairs = [word[i : i + 2] for i in range(0, len(word), 2)]
    return pairs if all(pair in _TABLE_PINYIN for pair in pairs) else None


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
_DRUG_VALUE: Final = re.compile(
    r"^(PHA.*|DRUG.*|MED(ICINE|ICATION)?|RX|W?CM?_?DRUG|西药.*|中药.*|中成药.*|中草药.*|草药.*|药品.*|.*药费"
    r"|HERB.*|CONSUM.*|MATERIAL.*|SUPPLY|耗材.*|卫材.*|.*材料费?|HC|YP|XY|ZCY|ZY|CY|WC)$",
    re.IGNORECASE,
)
_ITEM_NAME_VALUE: Final = re.compile(
    r"(片|胶囊|注射液|颗粒|口服液|滴眼液|软膏|冻干粉|缓释|注射用|丸|散剂|乳膏|喷雾剂|支架|导管|缝线)"
    r"|\d+(\.\d+)?\s*(mg|ml|g|iu|μg)\b",
    re.IGNORECASE,
)
_IDENTITY_CARD: Final = re.compile(r"^\d{17}[\dXx]$")


def drug_values(samples: tuple[str, ...]) -> tuple[str, ...]:
    """Those of the sampled codes that name drugs or consumables."""
    return tuple(sorted({v for v in samples if _DRUG_VALUE.match(v.strip())}))


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
