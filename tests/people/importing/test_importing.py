"""A workbook from HR or a list of machines: what it would change, what is wrong where, and writing
it. All names are invented."""

from __future__ import annotations

import datetime as dt
import io
import zipfile

import pytest
import python_calamine
import xlsxwriter
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from qingfang.access.models import Designation, Grant
from qingfang.people import policy
from qingfang.people.importing import plan, sheet, work
from qingfang.people.models import Act, Import, Location, Person, Proposed, Terminal
from qingfang.ui.tables import _cell
from tests.support.people import department, person

pytestmark = pytest.mark.django_db


def workbook(rows: list[list[object]]) -> bytes:
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out, {"in_memory": True, "default_date_format": "yyyy-mm-dd"})
    page = book.add_worksheet("在职人员")
    for n, row in enumerate(rows):
        page.write_row(n, 0, row)
    book.close()
    return out.getvalue()


def text(rows: str) -> bytes:
    return "\n".join(line.strip() for line in rows.strip().splitlines()).encode()


@pytest.fixture
def security() -> Person:
    department("clinical", "心内科")
    department("clinical", "骨科")
    return person("800", "office", "security_administrator", name="王安全")


@pytest.fixture
def it() -> Person:
    return person("900", "it", "system_administrator")


def taken(kind: str, data: bytes, by: Person, whole: bool = False) -> Import:
    return work.take(kind, "合成名单.xlsx", data, whole=whole, by=by)


def written(kind: str, data: bytes, by: Person, whole: bool = False) -> Import:
    row = taken(kind, data, by, whole)
    work.confirm(row.pk, by=by)
    assert work.work() == 1
    row.refresh_from_db()
    return row


def problems(row: Import) -> list[str]:
    return [str(problem) for problem in work.plan_of(row).problems]


# ------------------------------------------------------------------ reading


def test_a_workbook_of_hr_as_it_is(security: Person) -> None:
    data = workbook(
        [
            ["合成医院在职人员一览（2026 年 11 月）"],
            [],
            ["序号", "员工工号", "姓 名", "性别", "所在科室", "手机号码", "离职日期"],
            [1, 1001, "张三", "男", "心内科", 13800000001, ""],
            [2, "0002", "李四", "女", "骨科", "", dt.date(2026, 12, 31)],
        ]
    )
    row = written("person", data, security)
    assert row.unknown == ["序号", "性别"]
    first, second = Person.objects.get(staff_number="1001"), Person.objects.get(staff_number="0002")
    assert (first.name, first.department.name, first.phone) == ("张三", "心内科", "13800000001")
    assert second.left_on == dt.date(2026, 12, 31)
    assert not first.has_usable_password()
    assert policy.held_codes(first) == set()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_a_csv_in_every_encoding(encoding: str) -> None:
    data = "工号\t姓名\n1001\t张三\n".encode(encoding)
    assert sheet.read(data) == [[["工号", "姓名"], ["1001", "张三"]]]


def test_what_is_no_table(security: Person) -> None:
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("xl/workbook.xml", b" " * 50_000_000)
    far = io.BytesIO()
    book = xlsxwriter.Workbook(far)
    page = book.add_worksheet()
    page.write(0, 0, "工号")
    page.write(1_048_575, 16_383, "x")
    book.close()
    for data, why in (
        (b"", "空的"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "不是文本"),
        (bomb.getvalue(), "打不开"),
        (far.getvalue(), "打不开"),
        (b"PK\x03\x04 no book", "打不开"),
        (b"x" * (sheet.LARGEST + 1), "10 MB"),
        ("姓名,科室\n张三,骨科\n".encode(), "找不到表头"),
        ("工号,姓名\n".encode(), "没有内容"),
    ):
        with pytest.raises(sheet.Unreadable, match=why):
            taken("person", data, security)


def test_wrong_cells_are_named_by_line_and_column(security: Person) -> None:
    person("0077", name="前零")
    row = taken(
        "person",
        text(
            """
            工号,姓名,科室,邮箱,离职日期,在职
            1001,张三,神经科,,,
            1002,李四,骨科,不是邮箱,2026-13-01,也许
            1003,,骨科,,,
            1004,=1+1,骨科,,,
            1005,甲,骨科,,,
            1005,乙,骨科,,,
            ,丙,骨科,,,
            77,丁,骨科,,,
            1006,戊,骨科,,,
            """
        ),
        security,
    )
    assert problems(row) == [
        "第 2 行“科室”：没有登记这个科室：神经科。请先由安全管理员在“各科室”里新建",
        "第 3 行“邮箱”：不是邮箱地址：不是邮箱",
        "第 3 行“离职日期”：日期应写成 2026-10-31，现为 2026-13-01",
        "第 3 行“在职”：应写在职或离职（终端写在用或停用），现为 也许",
        "第 4 行“姓名”：新登记的不能空着",
        "第 5 行“姓名”：“=”开头像是公式，没有采用",
        "第 6 行“工号”：与第 7 行重复",
        "第 7 行“工号”：与第 6 行重复",
        "第 8 行“工号”：空着，不知道是谁的",
        "第 9 行“工号”：已登记的是 0077：前面的零丢了，请把这一列设为文本再填",
    ]
    assert [line.key for line in work.plan_of(row).new] == ["1006"]


def test_the_same_mistake_in_many_lines_is_told_once(security: Person) -> None:
    lines = "".join(f"{n},某人,{'神经科' if n % 2 else '骨科'}\n" for n in range(1000, 1040))
    data = f"工号,姓名,科室\n{lines}1999,某人,眼科\n".encode()
    row = taken("person", data, security)
    many, one = plan.alike(work.plan_of(row).problems)
    assert (many.line, len(many.more), one.line, one.more) == (3, 19, 42, [])
    page = browser(security).get(f"/imports/{row.pk}").content.decode()
    assert "第 5、7、9、11、13、15、17、19、21、23… 行也是（又 19 行）" in page
    assert '<dd class="col-6 col-md-2">21</dd>' in page


# ------------------------------------------------------------------ comparing and writing


def test_preview_writes_nothing_and_the_same_again_changes_nothing(security: Person) -> None:
    data = text("工号,姓名,科室,手机\n1001,张三,骨科,123\n")
    row = taken("person", data, security)
    assert not Person.objects.filter(staff_number="1001").exists()
    work.confirm(row.pk, by=security)
    work.work()
    assert Person.objects.filter(staff_number="1001").exists()
    again = work.plan_of(taken("person", data, security))
    assert (again.writes, again.same) == ([], 1)


def test_empty_keeps_and_a_dash_empties(security: Person) -> None:
    someone = person("1001", name="张三")
    Person.objects.filter(pk=someone.pk).update(phone="111", codes=["HIS=Y1"])
    row = taken("person", text("工号,姓名,手机,其他代码\n1001,张三丰,,-\n"), security)
    (line,) = work.plan_of(row).changed
    assert line.shown == [("姓名", "张三", "张三丰"), ("其他代码", "HIS=Y1", "")]
    work.confirm(row.pk, by=security)
    work.work()
    someone.refresh_from_db()
    assert (someone.name, someone.phone, someone.codes) == ("张三丰", "111", [])


def test_who_is_not_in_the_whole_list_has_left(security: Person) -> None:
    gone = person("1002", "clinical", "applicant")
    data = text("工号,姓名,科室\n1001,张三,骨科\n")
    assert written("person", data, security).written == 1
    gone.refresh_from_db()
    assert gone.is_active
    row = written("person", data, security, whole=True)
    gone.refresh_from_db()
    assert not gone.is_active
    assert policy.held_codes(gone) == set()
    # Nobody takes himself out.
    assert row.refused == ["王安全 800：不能停用自己的账号。"]


def test_a_left_person_in_the_list_loses_the_account(security: Person) -> None:
    gone = person("1002", "clinical", "applicant")
    row = written("person", text("工号,人员状态,离职日期\n1002,退休,2026/10/31\n"), security)
    gone.refresh_from_db()
    assert (gone.is_active, gone.left_on, row.written) == (False, dt.date(2026, 10, 31), 1)
    assert policy.held_codes(gone) == set()


def test_what_a_right_rests_on_waits_for_the_discipline_office(it: Person) -> None:
    kept = Terminal.objects.create(name="T1", address="10.1.1.1", role="statistics")
    now = timezone.now()
    grant = Grant.objects.create(
        number="TF1",
        applicant=it,
        person=it,
        purpose="合成数据",
        grain="department",
        valid_from=now - dt.timedelta(days=1),
        valid_to=now + dt.timedelta(days=1),
        status="filed",
        filed_number="备1",
        filed_at=now,
    )
    grant.terminals.set([kept])
    row = written("terminal", text("编号,IP地址\nT1,10.1.1.9\nT2,10.1.1.2\n"), it)
    assert (row.written, row.proposed, row.refused) == (1, 1, [])
    kept.refresh_from_db()
    assert kept.address == "10.1.1.1"
    assert Proposed.objects.get().name == "T1"


def test_a_designation_of_a_person_alone_does_not_hold_up_new_terminals(it: Person) -> None:
    Designation.objects.create(function=next(iter(Designation.Function)), person=it)
    row = written("terminal", text("编号,IP地址\nT2,10.1.1.2\n"), it)
    assert (row.written, row.proposed) == (1, 0)


def test_terminals(it: Person) -> None:
    hospital = department("clinical", "骨科").organisation
    campus = hospital.campuses.create(code="1", name="合成院区")  # pyright: ignore
    Location.objects.create(campus=campus, building="门诊楼", floor="2", room="201")
    keeper = person("1001", name="张三")
    Terminal.objects.create(name="T0", address="10.1.1.7")
    row = taken(
        "terminal",
        text(
            """
            设备编号,IP,MAC,用途,存放地点,责任人
            T1,10.1.1.1,00-1A-2B-3C-4D-5E,统计专用,门诊楼 2 201,张三 1001
            T2,10.1.1.300,,,,
            T3,10.1.1.7,,,,
            T4,10.1.1.4,,收银,,
            T5,10.1.1.5,,,,
            T6,10.1.1.5,,,,
            """
        ),
        it,
    )
    assert problems(row) == [
        "第 3 行“IP地址”：不是 IP 地址：10.1.1.300",
        "第 4 行“IP地址”：10.1.1.7 已登记给终端 T0。",
        "第 5 行“用途”：没有这种用途：收银。可用：临床、统计专用、药房药库、自助机、服务器、厂商运维",
        "第 6 行“IP地址”：10.1.1.5 已登记给终端 T6。",
        "第 7 行“IP地址”：10.1.1.5 已登记给终端 T5。",
    ]
    work.confirm(row.pk, by=it)
    work.work()
    made = Terminal.objects.get(name="T1")
    assert (made.mac, made.role, made.custodian) == ("00:1a:2b:3c:4d:5e", "statistics", keeper)
    assert str(made.location) == "门诊楼 2 201"


def test_ten_thousand_lines_are_planned_with_few_queries(
    security: Person, django_assert_max_num_queries: object
) -> None:
    lines = [[f"{n:05}", f"某人{n}", "骨科"] for n in range(10_000)]
    row = taken("person", workbook([["工号", "姓名", "科室"], *lines]), security)
    with django_assert_max_num_queries(6):  # type: ignore[operator]
        assert len(work.plan_of(row).new) == 10_000


def test_a_stopped_import_is_gone_on_with(
    security: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = "\n".join(f"{n},某人,骨科" for n in range(1000, 1010))
    row = taken("person", f"工号,姓名,科室\n{lines}\n".encode(), security)
    work.confirm(row.pk, by=security)
    monkeypatch.setattr(work, "BATCH", 4)
    seen: list[tuple[int, int]] = []

    def stop(done: int, total: int) -> None:
        seen.append((done, total))
        if len(seen) == 2:
            raise ConnectionError

    with pytest.raises(ConnectionError):
        work.work(stop)
    assert Person.objects.filter(name="某人").count() == 8
    assert work.work(stop) == 1
    row.refresh_from_db()
    assert seen == [(4, 10), (8, 10), (10, 10)]
    assert (row.state, row.done, row.total, row.rows) == ("done", 10, 10, [])
    assert Act.objects.filter(kind="person.created").count() == 10


def test_what_was_never_confirmed_is_forgotten(security: Person) -> None:
    row = taken("person", text("工号,姓名,科室\n1001,张三,骨科\n"), security)
    Import.objects.filter(pk=row.pk).update(at=timezone.now() - dt.timedelta(days=2))
    work.work()
    assert not Import.objects.exists()


# ------------------------------------------------------------------ pages


def browser(someone: Person) -> Client:
    client = Client()
    client.force_login(someone)
    return client


def test_from_the_page_to_the_register(security: Person) -> None:
    client = browser(security)
    file = SimpleUploadedFile("合成.csv", "工号,姓名,科室\n1001,张三,骨科\n1002,,\n".encode())
    there = client.post("/persons/import", {"file": file})
    row = Import.objects.get()
    assert there["Location"] == f"/imports/{row.pk}"
    page = client.get(there["Location"]).content.decode()
    assert "写入 1 条，有误的不写" in page
    assert "第 3 行“姓名”：新登记的不能空着" in page
    client.post(f"/imports/{row.pk}/confirm")
    assert "正在写入" in client.get(f"/imports/{row.pk}").content.decode()
    work.work()
    assert "已完成：写入 1 条" in client.get(f"/imports/{row.pk}").content.decode()
    act = Act.objects.get(kind="directory.loaded")
    assert (act.actor, act.facts["rows"], act.facts["what"]) == ("800", 2, "person")
    # Twice is once.
    client.post(f"/imports/{row.pk}/confirm")
    assert work.work() == 0


def test_an_import_is_only_for_who_handed_it_in(security: Person, it: Person) -> None:
    row = taken("person", text("工号,姓名,科室\n1001,张三,骨科\n"), security)
    other = person("801", "office", "security_administrator")
    for someone in (it, other):
        assert browser(someone).get(f"/imports/{row.pk}").status_code == 404
        assert browser(someone).post(f"/imports/{row.pk}/confirm").status_code == 404
    row.refresh_from_db()
    assert row.state == "shown"


@pytest.mark.parametrize("kind", ["person", "terminal"])
def test_the_template_is_all_text_and_read_back(kind: str, security: Person, it: Person) -> None:
    client = browser(security if kind == "person" else it)
    answer = client.get(f"/{kind}s/template.xlsx")
    book = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(answer.content))
    assert len(book.sheet_names) == 2
    (head,) = book.get_sheet_by_index(0).to_python()
    assert len(head) == len(plan.COLUMNS[kind])
    table = plan.table([[[str(h) for h in head], ["1", "2", "3"]]], kind)
    assert table.unknown == []
    assert set(table.rows[0][1]) == {column.field for column in plan.COLUMNS[kind][:3]}


def test_what_our_lists_export_comes_back_as_it_was(security: Person) -> None:
    someone = person("1001", name="张三")
    Person.objects.filter(pk=someone.pk).update(phone="+86 138 0000 0001")
    cell = _cell("+86 138 0000 0001")
    assert cell.startswith("'")
    made = work.plan_of(taken("person", f"工号,手机\n1001,{cell}\n".encode(), security))
    assert (made.same, made.problems) == (1, [])
