"""The demo as a whole: stage, work, and what it came to.

Rules this module keeps:

1. A headless run begins and ends with the ledger's own sequence numbers: what earlier runs left in
   it is not counted.
2. The evidence is verified after everything has stopped, from the files.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from pathlib import Path
from typing import Any

from qingfang.demo import summary
from qingfang.demo.stage import Say, Stage
from qingfang.events import Event
from qingfang.language import _
from qingfang.record import reading, verify
from qingfang.record.client import stat

RATE = 25.0
CLOSING_S = 3.0

# What each account of the demo is for, in the order in which they are shown.
ROLES = {
    "application_manager": _("应用管理员（纪检）：告警、规则、线路"),
    "auditor": _("审计员（纪检）"),
    "filer": _("备案员（纪检）"),
    "duty_officer": _("值班员（纪检）"),
    "verifier": _("查证员（信息科）"),
    "applicant": _("申请人（临床药师）"),
    "approver_department": _("科室审批人"),
    "approver_leader": _("院领导审批人"),
    "security_administrator": _("安全管理员：账号与角色"),
    "system_administrator": _("系统管理员：健康状况，看不到内容"),
}


def headless(
    folder: Path, seconds: float, plan: int, say: Say, *, scale: float = 1.0, port: int = 8600
) -> dict[str, Any]:
    """Play `seconds` of a day with the attempts of `plan`; the summary of docs/contracts/cli.md."""
    stage = Stage(folder, say, scale=scale, port=port)
    told: list[dict[str, Any]] = []
    with stage.database():
        first, lost = asyncio.run(_play(stage, seconds, plan, say, told))
    ledger = stage.folder / "state" / "ledger"
    found = verify.verify(ledger)
    events = (
        entry.value for entry in reading.records(ledger, first) if isinstance(entry.value, Event)
    )
    return summary.summarise(told, events, seconds=seconds, verified=found.ok, lost=lost)


async def _play(
    stage: Stage, seconds: float, plan: int, say: Say, told: list[dict[str, Any]]
) -> tuple[int, int]:
    async with stage.running():
        ledger = stage.sockets / "ledger.sock"
        first = stat(ledger).next
        say(_("开始：{} 秒").format(int(seconds)))
        async for record in stage.work(seconds=seconds, plan=plan, rate=RATE):
            if record["kind"] == "progress":
                say(_("已执行 {} 条语句").format(record["statements"]))
            elif record["kind"] == "error":
                say(_("合成医院出错：{}").format(record["text"]))
            told.append(record)
        await asyncio.sleep(CLOSING_S)  # the last outcomes reach the ledger
        lost = sum(source.lost for source in stat(ledger).sources.values())
    return first, lost


def visit(folder: Path, say: Say, *, scale: float = 1.0, port: int = 8600) -> None:
    """Until Ctrl-C: the console's address, accounts, and what happens as it happens."""
    stage = Stage(folder, say, scale=scale, port=port)
    with stage.database(), contextlib.suppress(asyncio.CancelledError):
        asyncio.run(_visit(stage, say))


async def _visit(stage: Stage, say: Say) -> None:
    task = asyncio.current_task()
    assert task is not None
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    say(_("启动账本、分析、判断、通知、网关与控制台"))
    async with stage.running():
        say("")
        say(_("控制台：{}").format(stage.console))
        say(_("账号（演示用，工号 / 口令）："))
        accounts = {account["role"]: account for account in stage.accounts}
        for role, label in ROLES.items():
            if role in accounts:
                account = accounts[role]
                say(f"  {account['staff_number']:>6} / {account['password']}  {label}")
        say("")
        say(_("医院的工作正从网关流过；一分钟内会有人试图统方。Ctrl-C 结束。"))
        async for record in stage.work(seconds=0, plan=stage.today.toordinal(), rate=RATE):
            if record["kind"] == "error":
                say(_("合成医院出错：{}").format(record["text"]))
