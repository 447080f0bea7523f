"""`qingfang init`: against a real database, with real receivers of its test notice."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner, Result

from qingfang import config as configuration
from qingfang.cli.init import command
from qingfang.cli.reset_password import command as reset_password
from qingfang.postgres import Server, free_port
from qingfang.understand.catalogue import load
from tests.support.servers import Http, Smtp

SCHEMA = """
CREATE TABLE mz_cf (cfh varchar(20) PRIMARY KEY, ysdm varchar(20), kf_time timestamp);
COMMENT ON TABLE mz_cf IS '门诊处方主表';
COMMENT ON COLUMN mz_cf.ysdm IS '开方医生';
CREATE TABLE mz_cfmx (cfh varchar(20) REFERENCES mz_cf, ypdm varchar(20), sl numeric, yf varchar(20));
COMMENT ON TABLE mz_cfmx IS '门诊处方明细';
COMMENT ON COLUMN mz_cfmx.ypdm IS '药品代码';
COMMENT ON COLUMN mz_cfmx.sl IS '数量';
"""
ACCOUNTS = (
    "security_administrator,X001,安然,院办公室,office",
    "application_manager,J001,纪明,纪检监察室,discipline",
    "auditor,J002,沈鉴,纪检监察室,discipline",
    "duty_officer,J004,值安,纪检监察室,discipline,duty@h.example",
)


class Place:
    """Where one installation is made: its folder, its console's database, the hospital's."""

    def __init__(self, folder: Path, postgres: Server, database: str) -> None:
        self.folder, self.file = folder, folder / "etc" / "qingfang.toml"
        self.postgres = postgres
        name = psycopg.conninfo.conninfo_to_dict(database)["dbname"]
        self.password = postgres.password()
        self.dsn = f"postgresql://postgres@127.0.0.1:{postgres.port}/{name}"
        postgres.database(f"{name}_console", template="template0")
        self.own = postgres.dsn(database=f"{name}_console")
        self.listen = f"127.0.0.1:{free_port()}"

    def options(self) -> list[str]:
        return [
            *("--name", "合成医院", "--id", "syn", "--dsn", self.dsn),
            *("--state", f"{self.folder}/state", "--run", f"{self.folder}/run"),
            *("--console-database", self.own),
            *("--listen", self.listen, "--console", f"127.0.0.1:{free_port()}"),
        ]

    def init(self, *arguments: str, answers: str = "") -> Result:
        return CliRunner().invoke(
            command,
            ["--config", str(self.file), *arguments],
            input=answers,
            env={"PGPASSWORD": self.password},
        )


@pytest.fixture
def place(postgres: Server, database: str, tmp_path: Path) -> Iterator[Place]:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(SCHEMA)
    made = Place(tmp_path, postgres, database)
    yield made
    postgres.drop(psycopg.conninfo.conninfo_to_dict(made.own)["dbname"])


@contextmanager
def receivers() -> Iterator[tuple[Smtp, Http]]:
    """A mail server and an HTTP receiver, in a thread of their own."""
    mail, hook = Smtp(), Http()
    loop = asyncio.new_event_loop()
    up, stop = threading.Event(), asyncio.Event()

    async def serve() -> None:
        async with mail.running(), hook.running():
            up.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    up.wait(10)
    try:
        yield mail, hook
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.close()


def accounts(*rows: str) -> list[str]:
    return [part for row in rows for part in ("--account", row)]


def test_from_nothing_to_an_observing_installation(place: Place) -> None:
    with receivers() as (mail, hook):
        result = place.init(
            *place.options(),
            *accounts(*ACCOUNTS),
            *("--mail", f"127.0.0.1:{mail.port}", "--mail-from", "qf@h.example"),
            *("--mail-to", "duty@h.example", "--webhook", f"http://127.0.0.1:{hook.port}/in"),
            *("--hours", "07:30-11:30 14:00-18:00", "--yes", "--json"),
        )
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    # The notices really arrived.
    assert mail.recipients == ["duty@h.example"]
    assert "测试通知" in str(mail.messages[0]["Subject"])
    assert json.loads(hook.posts[0][2])["test"] is True
    assert [(n["channel"], n["delivered"], n["heard"]) for n in report["notices"]] == [
        ("mail", True, True),
        ("webhook", True, True),
    ]
    # The file is for its owner and group, is read as every process reads it, and holds no password.
    assert place.file.stat().st_mode & 0o777 == 0o640
    config = configuration.read(place.file)
    assert (config.route[0].listen, config.channels.mail is not None) == (place.listen, True)
    assert place.password not in place.file.read_text() + result.output
    # The catalogue is one the engine can load.
    tree = json.loads(Path(report["catalogue"]).read_text())
    assert load(tree).table("MZ_CFMX").columns["ypdm"] == "item_id"
    assert report["counts"]["tables"] == 2
    assert report["mode"] == "observe"
    # Four accounts, four passwords; what the console was filled with is there on the next run.
    assert len({made["password"] for made in report["accounts"]}) == len(ACCOUNTS)
    again = place.init("--yes", "--json", *accounts(*ACCOUNTS))
    assert again.exit_code == 0, again.output
    assert json.loads(again.stdout)["accounts"] == []
    assert "已经有账号" in again.stderr
    assert "没有采用 --account" in again.stderr
    assert "已经设过" in again.stderr


def test_a_run_that_stopped_goes_on_where_it_stopped(place: Place) -> None:
    wrong = "application_manager,P001,药明,药学部,pharmacy"
    stopped = place.init(*place.options(), *accounts(ACCOUNTS[0], wrong), "--yes")
    assert stopped.exit_code == 2
    assert "药明（P001）：药学部的人员不能担任应用管理员" in stopped.stderr
    before = place.file.read_text()
    place.file.write_text(before + "# 人写的一行\n")
    elsewhere = ("--listen", f"127.0.0.1:{free_port()}")
    done = place.init("--yes", "--json", *elsewhere, *accounts(*ACCOUNTS[:2]))
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert [made["staff_number"] for made in report["accounts"]] == ["X001", "J001"]
    assert "沿用已有的配置" in done.stderr
    assert "没有采用 --listen：" in done.stderr
    assert place.file.read_text().endswith("# 人写的一行\n")


def test_a_notice_that_does_not_arrive_is_said(place: Place) -> None:
    result = place.init(*place.options(), "--webhook", f"http://127.0.0.1:{free_port()}/", "--yes")
    assert result.exit_code == 1
    assert "webhook：没有送到" in result.output


def test_what_cannot_be_done_is_one_line_and_exit_2(place: Place) -> None:
    options = place.options()
    wrong = CliRunner().invoke(
        command,
        ["--config", str(place.file), *options, "--yes"],
        env={"PGPASSWORD": "not-it"},
    )
    assert wrong.exit_code == 2
    assert "不接受账号 postgres 的密码" in wrong.stderr
    assert len(wrong.stderr.strip().splitlines()) == 1
    assert not place.file.exists()
    for changed, said in [
        (["--id", "大写"], "--id"),
        (["--listen", f"127.0.0.1:{place.postgres.port}"], "不能监听"),
        (["--console", "somewhere"], "--console"),
    ]:
        result = place.init(*options, *changed, "--yes")
        assert result.exit_code == 2, changed
        assert said in result.stderr
    days = place.folder / "days.txt"
    days.write_text("2026-10-01 休\n十月二日 休\n")
    result = place.init(*options, "--days", str(days), "--yes")
    assert result.exit_code == 2
    assert f"{days}:2：" in result.stderr


def test_by_answering(place: Place) -> None:
    """As a person at a terminal: one wrong answer, doubts confirmed, two accounts, no channels."""
    state, run = place.folder / "state", place.folder / "run"
    console = f"127.0.0.1:{free_port()}"
    answers = [
        *("合成医院", "SYN!", "syn", str(state), str(run), console),
        *(place.dsn, "his", "", place.listen, ""),
        "2",  # the doubts as proposed
        *("", "", ""),  # no channels
        *("1-6", "08:00-12:00", "2026-10-01 休 国庆节", "2026-13-01 休", ""),
        *("X001", "安然", "院办公室", "office", "J001", "纪明", "纪检监察室", "", "", "", ""),
    ]
    result = place.init("--console-database", place.own, answers="\n".join(answers) + "\n")
    assert result.exit_code == 0, result.output
    assert "只能用小写字母、数字和连字符：SYN!" in result.output
    assert "不行：2026-13-01" in result.output
    assert "0 处待人确认" not in result.output
    assert "安全管理员　X001　安然" in result.output
    review = (state / "his.review.txt").read_text()
    assert "\t1.00\t" in review
    assert "\n#? " not in review


def test_an_edited_review_is_applied(place: Place) -> None:
    assert place.init(*place.options(), "--yes").exit_code == 0
    kept = place.folder / "state" / "his.review.txt"
    kept.write_text(kept.read_text() + "mz_cfmx\tyf\titem_spec\n")
    result = place.init("--dsn", place.dsn, "--apply", str(kept), "--yes", "--json")
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    tree = json.loads(Path(report["catalogue"]).read_text())
    assert tree["tables"]["mz_cfmx"]["columns"]["yf"] == "item_spec"
    # Read again later, what was confirmed holds.
    place.init("--dsn", place.dsn, "--yes")
    tree = json.loads(Path(report["catalogue"]).read_text())
    assert tree["tables"]["mz_cfmx"]["columns"]["yf"] == "item_spec"
    kept.write_text("mz_cfmx\tyf\tnonsense\n")
    wrong = place.init("--dsn", place.dsn, "--apply", str(kept), "--yes")
    assert wrong.exit_code == 2
    assert "his.review.txt:1" in wrong.stderr


def test_a_security_administrator_who_is_locked_out_gets_in_from_the_terminal(place: Place) -> None:
    made = place.init(*place.options(), *accounts(*ACCOUNTS), "--yes", "--json")
    first = {a["staff_number"]: a["password"] for a in json.loads(made.stdout)["accounts"]}
    with psycopg.connect(place.own) as own:
        before = dict(own.execute("SELECT staff_number, password FROM people_person").fetchall())

    def reset(*arguments: str) -> Result:
        return CliRunner().invoke(reset_password, ["--config", str(place.file), *arguments])

    told = reset("X001", "--json")
    assert told.exit_code == 0, told.output
    password = json.loads(told.stdout)["password"]
    assert password not in first.values()
    with psycopg.connect(place.own) as own:
        after = dict(own.execute("SELECT staff_number, password FROM people_person").fetchall())
        (act,) = own.execute(
            "SELECT actor, target, facts FROM people_act WHERE kind = 'password.reset'"
        ).fetchall()
    assert {n for n in after if after[n] != before[n]} == {"X001"}
    assert act == ("", "X001", {"asked_at": "terminal"})
    # Nobody else's: whoever runs the machine must not become the discipline office.
    for other in ("J001", "J002", "nobody"):
        refused = reset(other)
        assert refused.exit_code == 2
        assert other in refused.output
    assert reset("X001", "--config", str(place.folder / "missing.toml")).exit_code == 2
