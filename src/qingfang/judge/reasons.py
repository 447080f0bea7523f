"""Every sentence a verdict can give, by its code; findings of accumulation bring their own.
docs/reasons.md explains each (a test fails otherwise).

Rules this module keeps:

1. A sentence is true, Chinese, and understood by somebody who cannot read SQL.
2. A code never changes its meaning; the sentence may be reworded.
3. Lists of codes of items or persons are cut at three, with the number of the others.
"""

from __future__ import annotations

from msgspec import Struct

REASONS: dict[str, str] = {
    # what carries the statement
    "by-grant": "审批 {grant} 覆盖这次统计：人员、终端、时间和范围都在批准之内",
    "by-report": "这是已登记的报表「{menu}」，在登记的范围内由登记的人员和终端执行",
    "by-service": "这是已登记的程序在做本职工作：{why}",
    "by-self": "查的是本人自己的用药数据",
    "by-designated": "由指定的人员在指定的终端上查询全院数字",
    "settled": "监察部门两人看过这个语句模板，认定与用药数据无关，{until} 之前有效",
    # what is missing
    "no-grant": "没有找到覆盖这次统计的有效审批",
    "near-grant": "最接近的审批是 {grant}，但超出了它的批准范围",
    "near-report": "这是已登记的报表「{menu}」，登记不等于批准：这次超出了登记",
    "not-designated": "查询全院数字的人员或终端不是指定的",
    # how an approval is exceeded
    "grant-person": "审批给的是另一个人",
    "grant-operator-unsure": "无法确定是谁在操作，不能用个人的审批",
    "grant-terminal": "批准在指定终端上执行，这次不是那台终端",
    "grant-terminal-unsure": "无法确定是哪台终端，不能用固定终端的审批",
    "grant-early": "审批还没有到生效时间",
    "grant-expired": "审批已经过期",
    "grant-window": "不在审批允许的时段内",
    "grant-unfiled": "审批在执行时还没有报监察部门备案",
    "grant-runs": "批准执行 {allowed} 次，已经用完",
    "grant-stale": "控制台下发的授权数据已过期，所有审批暂时失效",
    # how a registered report is exceeded
    "report-person": "登记的运行人员里没有这个人",
    "report-operator-unsure": "无法确定是谁在操作，不能用只给某些人的登记",
    "report-terminal": "登记在指定终端上运行，这次不是那些终端",
    "report-terminal-unsure": "无法确定是哪台终端，不能用固定终端的登记",
    "report-window": "不在登记允许的时段内",
    "report-nobody": "登记没有写明由谁、在哪台终端运行，只放行合计和全院数字",
    "report-no-grant": "登记要求先有审批，没有有效的那份审批",
    "grain-beyond": "批准的是{granted}，语句能看出{asked}",
    "items-beyond": "批准的药品或耗材不包括语句所查的：{extra}",
    "prescribers-beyond": "批准的医生不包括语句所查的：{extra}",
    "departments-beyond": "批准的科室不包括语句所查的：{extra}",
    "items-unlimited": "批准的只是部分药品或耗材，语句没有限定在其中",
    "prescribers-unlimited": "批准的只是部分医生，语句没有限定在其中",
    "departments-unlimited": "批准的只是部分科室，语句没有限定在其中",
    "items-several": "批准的是一次只查一种药品或耗材，语句查的不止一种",
    "prescribers-several": "批准的是一次只查一名医生，语句查的不止一名",
    "departments-several": "批准的是一次只查一个科室，语句查的不止一个",
    "period-beyond": "语句的时间范围超出了批准的 {granted}",
    "period-long": "批准的是一次最多查 {allowed} 天，语句查了 {asked} 天",
    "period-open": "批准的是一次最多查 {allowed} 天，语句没有限定起止时间",
    "stored-beyond": "批准的是查看结果，语句却把结果存进了表或文件",
    # what was learned
    "learned-detail": "能拿到逐条用药明细，据此可以算出每位医生的用量",
    "learned-prescriber": "能看出每位医生（或某位医生）的用药或耗材数量",
    "learned-department": "能看出科室的用药或耗材数量",
    "learned-institution": "能看出全院的用药或耗材数量",
    "learned-total": "只有全部药品或耗材合计，没有具体品种",
    "learned-stored": "结果没有直接返回，而是存了起来，可以随后取走",
    "opaque-usage": "看不懂这条语句会返回什么，但它碰到了用药数据",
    "opaque-figures": "碰到的内容凑得出用量，而人、终端或程序没有登记",
    "opaque-other": "看不懂这条语句会返回什么",
    "opaque-server": "改变了数据库本身：设置、审计、备份、复制或与外部的数据通道",
    "opaque-rights": "改变了数据库的账号或权限",
    "opaque-again": "同样的语句此前已经提示过",
    # circumstances: they raise the urgency and never alarm alone
    "off-hours": "发生在非工作时间",
    "unknown-terminal": "来自没有登记的终端",
    "kiosk-terminal": "来自自助机的网络位置",
    "vendor-terminal": "来自厂商维护用的终端",
    "host-mismatch": "自报的电脑名与登记的终端不符",
    "unknown-operator": "说不出是谁在操作",
    "unknown-person": "工号 {number} 不在人员名册里",
    "person-left": "工号 {number} 已停用",
    "person-away": "工号 {number} 登记为休假或外出",
    "shared-use": "同一工号同时在 {count} 台终端上使用",
    "many-operators": "这台终端短时间内先后用了 {count} 个工号",
    "database-tool": "用的是数据库工具或办公软件（{program}），不是业务系统",
    "unknown-program": "程序没有登记（{program}）",
    "retry-after-denial": "刚被拦截不久，又换了写法来查",
    "bulk-rows": "返回了 {rows} 行",
    "mingled": "说不准是一个人还是几个人凑到一起的：不知道操作人，也不知道是哪台终端，所以只告警、不拦截",
    # mode
    "observed": "本线路只观察：若已启用拦截，这条语句会被{would}",
}

GRAINS: dict[str, str] = {
    "institution": "全院合计",
    "department": "按科室的用量",
    "prescriber": "按医生的用量",
    "detail": "逐条明细",
}
DECISIONS: dict[str, str] = {
    "pass": "放行",
    "log": "记录",
    "review": "列入复核",
    "alert": "告警",
    "mask": "遮蔽",
    "deny": "拒绝",
}


class Said(Struct, frozen=True, array_like=True):
    """One reason: its stable code and its sentence."""

    code: str
    text: str


def say(code: str, **facts: object) -> Said:
    """The sentence for `code`. Raises KeyError for an unknown code or a missing fact."""
    return Said(code, REASONS[code].format(**facts))


def few(values: list[str]) -> str:
    """At most three of the values, and how many more there are."""
    shown = "、".join(values[:3])
    return f"{shown} 等 {len(values)} 个" if len(values) > 3 else shown
