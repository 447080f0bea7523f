"""A notice tells that there is something and where to look, and nothing else."""

import msgspec
import pytest

from qingfang.act import notice as notices
from qingfang.act.channels import syslog
from qingfang.act.notice import Notice
from qingfang.events import Attributed, Event

EVENT = Event(
    connection="c1",
    at="2026-11-23T21:20:00.000007+08:00",
    source="gateway",
    protocol="pg",
    server="10.0.0.9:5432",
    database="HISDB",
    account="hisapp",
    client="10.1.2.3:50211",
    sql="select doctor_name, sum(qty) from rx where drug_name = '阿莫西林' group by 1",
    kind="query",
    verdict="deny",
    log="hospital/node-1/ab12",
    seq=4711,
    program="Navicat",
    operator=Attributed("S2048", 1.0, ("sign-in",)),
    terminal=Attributed("药房三号机", 0.9, ("address",)),
    reasons=("能看出每位医生各用了多少阿莫西林",),
    severity=3,
)
SECRETS = (
    "阿莫西林", "doctor_name", "sum(qty)", "HISDB", "hisapp", "S2048", "医生", "Navicat", "10.1.2.3",
)  # fmt: skip


@pytest.mark.parametrize("language", ["zh", "en"])
def test_nothing_of_the_content_leaves(language) -> None:
    notice = notices.of(EVENT, "http://console")
    everything = "\n".join(
        (
            notices.subject(notice, language),
            notices.text(notice, language),
            msgspec.json.encode(notice).decode(),
            syslog.message(notice, "host", 1).decode(),
        )
    )
    assert [secret for secret in SECRETS if secret in everything] == []
    assert "药房三号机" in everything


def test_in_chinese() -> None:
    assert notices.text(notices.of(EVENT, "http://console/")) == (
        "清方告警（已拒绝） 4711（紧急）\n"
        "编号：4711\n"
        "时间：2026-11-23 21:20:00\n"
        "级别：紧急\n"
        "地点：药房三号机\n"
        "查看：http://console/alerts/notice/4711"
    )


def test_in_english_with_others() -> None:
    notice = msgspec.structs.replace(
        notices.of(EVENT), place="", others=tuple(range(1, 24)), decision="alert", severity=1
    )
    assert notices.text(notice, "en") == (
        "Qingfang alert 4711 (normal)\n"
        "Number: 4711\n"
        "Time: 2026-11-23 21:20:00\n"
        "Severity: normal\n"
        "Place: a terminal that is not registered\n"
        "23 more: " + ", ".join(str(n) for n in range(1, 21)) + " …"
    )


def test_a_test_says_that_it_is_one() -> None:
    assert "测试通知" in notices.subject(Notice("t", 0, "now", "alert", 0, test=True))


def test_syslog_message() -> None:
    """RFC 5424: facility 13, structured data escaped, place as the hospital wrote it."""
    notice = Notice(
        "a/b#7", 7, "2026-11-23T21:20:00.000007+08:00", "alert", 2, place='三楼 "东" ]\\'
    )
    assert syslog.message(notice, "主机a b", 12).decode() == (
        "<107>1 2026-11-23T21:20:00.000007+08:00 ab qingfang 12 notice [notice@32473"
        ' id="a/b#7" number="7" decision="alert" severity="2" place="三楼 \\"东\\" \\]\\\\"]'
        " Qingfang alert 7"
    )
