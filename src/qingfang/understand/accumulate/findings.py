"""What is said when parts became a whole: one sentence a finding, by its code (docs/reasons.md)."""

from __future__ import annotations

FINDINGS: dict[str, str] = {
    "scan-listed": "先取了一份清单，随后逐个打开病人或处方，已有 {count} 个",
    "scan-hour": "一小时内逐个打开了 {count} 个病人或处方，超出本人工作所能解释的范围",
    "scan-unseen": "一小时内 {count} 次逐个查病人或处方，查的是哪些看不到，次数远多于工作所需",
    "scan-day": "一天内逐个打开了 {count} 个病人或处方，超出本人工作所能解释的范围",
    "scan-order": "按号码顺序逐个打开了 {count} 个病人或处方",
    "scan-range": "一天内打开了同一段号码里几乎所有的病人或处方，已有 {count} 个",
    "scan-elsewhere": "一天内逐床（或逐个）看了别的病区的 {count} 个病人，在那里没有写过什么",
    "scan-drip": "从不写医嘱、不发药、不收费，{days} 天内却照着清单陆续打开了 {count} 个病人或处方",
    "scan-rounds": "从不写医嘱、不发药、不收费，{days} 天内却换着病区逐床看了 {count} 个病人",
    "enumeration": "一名接一名地查医生，{days} 天内已查 {count} 名",
    "own-in-turn": "同一台终端上换着工号登录，各查“本人”的用量，已有 {count} 名",
    "lists-of-days": "{days} 天内取了 {count} 个别的日子的工作清单，凑在一起已不是当天的工作",
    "lists-group": "同科室或同终端的人用同样的语句各取一部分，一天内合起来已有 {count} 名医生或 {count} 个往日的清单",
    "lists-of-units": "一天内取了 {count} 份往日的工作清单，病区、窗口或日子各不相同，凑在一起就是多个科室的明细",
    "item-by-day": "{days} 天内有 {count} 天查了同一种药品或耗材的工作清单",
    "item-by-unit": "一天内查了 {count} 个病区或科室当天同一种药品或耗材的用量，凑在一起就是各科室的用量",
    "lists-everywhere": "一天内看了 {count} 个病区或科室当天的工作清单，自己却什么也没有写，凑在一起就是全院的明细",
    "sums-by-day": "{days} 天内有 {count} 天取了同一科室按品种的合计，凑在一起就是这个科室的用量",
    "looked-on": "{days} 天内有 {count} 天看了同一病区或科室的用药清单，却看不出在那里做过什么，凑在一起就是这个科室的用量",
    "joined": "与先前取得的结果按同一编号拼起来，就能算出医生或科室的用量",
    "joined-group": "与同科室或同终端的人先前取得的结果拼起来，就能算出医生或科室的用量",
    "difference": "用合计减去「除某人（某科室）之外的合计」，就能得到此人（此科室）的用量",
    "difference-group": "与同科室或同终端的人先前取得的合计相减（一个除去了某人或某科室），就能得到此人（此科室）的用量",
    "difference-fees": "用全部费用的合计减去不含药品耗材的合计，差额就是药品耗材的金额",
    "difference-fees-group": "与同科室或同终端的人先前取得的合计相减（一个是全部费用，一个不含药品耗材），差额就是药品耗材的金额",
    "pages": "同一份明细分次取，已取 {count} 次",
    "probing": "用同样形式的语句反复查用量，每次相隔不到一天，已有 {count} 次",
    "rhythm": "连续 {count} 个月在月初五天内查点名品种的用量",
}
"""What a finding says, by its code (docs/reasons.md)."""
