"""The reasons a meaning can carry: stable codes, and one Chinese sentence a layman reads for each.

docs/reasons.md explains every code; a test fails when one is missing there.
"""

from __future__ import annotations

from qingfang.events import Reason

TEXTS: dict[str, str] = {
    "usage.detail.item": "逐条列出了谁给谁用了哪种药品或耗材，导出后可以按医生或科室汇总",
    "usage.detail.class": "逐条列出了某一类药品或耗材的使用，导出后可以按医生或科室汇总",
    "usage.detail.total": "逐条列出了每张处方或每次就诊的药品耗材金额，导出后可以按医生或科室汇总",
    "usage.prescriber.item": "能看出每位医生各用了多少某种药品或耗材",
    "usage.prescriber.class": "能看出每位医生各用了多少某一类药品或耗材",
    "usage.prescriber.total": "能看出每位医生所用药品耗材的总量或总金额",
    "usage.department.item": "能看出每个科室各用了多少某种药品或耗材",
    "usage.department.class": "能看出每个科室各用了多少某一类药品或耗材",
    "usage.department.total": "能看出每个科室所用药品耗材的总量或总金额",
    "usage.institution.item": "能看出全院用了多少某种药品或耗材",
    "usage.institution.class": "能看出全院用了多少某一类药品或耗材",
    "usage.institution.total": "能看出全院所用药品耗材的总量或总金额",
    "shows.measure": "这里给出用量、金额或次数",
    "shows.prescriber": "这里按医生分开，或者列出了医生",
    "shows.department": "这里按科室分开，或者列出了科室",
    "shows.threshold": "用量虽未列出，但用它排序、筛选，等于说出了多少",
    "fixes.item": "这里指定了药品或耗材",
    "fixes.class": "这里指定了药品或耗材的类别",
    "fixes.prescriber": "这里指定了医生",
    "fixes.department": "这里指定了科室",
    "definition.consumable": "按{article}，普通耗材的用量也算统方",
    "definition.untold": "按{article}，只有药品和高值耗材算统方；这里看不出没有它们，从严仍算",
    "definition.apart": "按{article}，普通耗材不算统方：语句只涉及普通耗材",
    "definition.names": "按{article}，只列出用了哪些品种而没有用量，不算统方",
    "clinical.pinned": "只查指定的病人、就诊或处方",
    "clinical.worklist": "只查一个病区、药房或窗口当天的工作单",
    "stored": "结果没有直接返回，而是存进了表、视图、文件或作业，之后可以再取",
    "opaque.unparsed": "这条语句读不懂，不能判断它取走了什么",
    "opaque.too_long": "这条语句太长，超出分析上限，不能判断它取走了什么",
    "opaque.too_deep": "这条语句嵌套太深，超出分析上限，不能判断它取走了什么",
    "opaque.unknown_object": "用到了目录里没有的表或视图，不知道里面是什么",
    "opaque.unknown_name": "用到了找不到出处的名称，不知道指的是什么",
    "opaque.unknown_function": "调用了目录里没有的函数，不知道它会取走什么",
    "opaque.unknown_procedure": "执行了目录里没有的存储过程，不知道它会取走什么",
    "opaque.unknown_handle": "执行了没有见过其内容的预备语句或游标",
    "opaque.body": "存储过程、函数或代码块里有读不懂或运行时才拼出的语句",
    "opaque.view": "用到的视图定义读不懂",
    "opaque.remote_sql": "把一段文字当作查询语句交给别处执行，看不出内容",
    "opaque.system_values": "读取了数据库自己的统计直方图或别人执行的语句原文，里面可能有病人或用药数据",
    "opaque.analyze": "EXPLAIN ANALYZE 会真的执行语句",
    "opaque.grant": "改变了账号或权限",
    "opaque.server": "改变了服务器设置、复制、备份或外部数据通道",
}

# Problem kinds of the walk → reason codes.
OF_PROBLEM: dict[str, str] = {
    "unparsed": "opaque.unparsed",
    "too_long": "opaque.too_long",
    "too_deep": "opaque.too_deep",
    "unknown_object": "opaque.unknown_object",
    "unknown_name": "opaque.unknown_name",
    "unknown_function": "opaque.unknown_function",
    "unknown_procedure": "opaque.unknown_procedure",
    "unknown_handle": "opaque.unknown_handle",
    "opaque_body": "opaque.body",
    "unparsed_view": "opaque.view",
    "remote_sql": "opaque.remote_sql",
    "system_values": "opaque.system_values",
    "analyze": "opaque.analyze",
    "grant": "opaque.grant",
    "server": "opaque.server",
}


def reason(code: str, span: tuple[int, int] | None, **facts: str) -> Reason:
    start, end = span if span is not None else (0, 0)
    text = TEXTS[code]
    return Reason(code, text.format(**facts) if facts else text, start, end)
