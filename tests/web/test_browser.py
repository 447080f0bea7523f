"""A person at the console, in a real browser, with a real ledger behind it.

What a request to another host, an error in the browser's console, or a page wider than the screen
would be is checked on every page that any test opens.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, ViewportSize, expect, sync_playwright

from qingfang.events import Meaning, Reason
from qingfang.postgres import Server
from qingfang.understand.discovery import ddl, review
from qingfang.understand.discovery.propose import propose
from tests.support.alerts import event
from tests.support.browser import CHROMIUM, PASSWORD, Console

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="Debian package chromium is missing"),
]
PHONE: ViewportSize = {"width": 390, "height": 844}
DESK: ViewportSize = {"width": 1366, "height": 768}
ALERTS = 60
TABLES = """
CREATE TABLE mz_cf (cfh varchar(20) PRIMARY KEY, zsh varchar(8), ysdm varchar(10), kfrq timestamp);
COMMENT ON TABLE mz_cf IS '门诊处方';
COMMENT ON COLUMN mz_cf.zsh IS '诊室';
CREATE TABLE mz_cfmx (cfh varchar(20), ypdm varchar(20), sl numeric(10,2));
"""


@pytest.fixture(scope="module")
def console(postgres: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    made = Console(tmp_path_factory.mktemp("console"), postgres, "browser")
    try:
        made.start()
        made.record(
            [event(n, operator="9009", connection=f"c{n % 7}") for n in range(1, ALERTS + 1)]
        )
        yield made
    finally:
        made.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-gpu"]
        )
        yield chromium
        chromium.close()


class Visit:
    """A browser window of one person; watches what must never happen."""

    def __init__(self, browser: Browser, console: Console, **options: object) -> None:
        self.console = console
        self.context = browser.new_context(base_url=console.url, **options)  # type: ignore[arg-type]
        self.faults: list[str] = []
        self.page = self.open()

    def open(self) -> Page:
        page = self.context.new_page()
        page.on("pageerror", lambda error: self.faults.append(f"error {error}"))
        page.on(
            "console",
            lambda m: self.faults.append(m.text) if m.type in ("error", "warning") else None,
        )
        page.on("request", lambda request: self._request(request.url))
        return page

    def _request(self, url: str) -> None:
        if not url.startswith((self.console.url, "data:")):
            self.faults.append(f"another host: {url}")

    def sign_in(self, number: str) -> Page:
        self.page.goto("/sign-in")
        self.page.get_by_label("工号").fill(number)
        self.page.get_by_label("密码").fill(PASSWORD)
        self.page.get_by_role("main").get_by_role("button", name="登录").click()
        self.page.wait_for_url("**/")
        return self.page

    def fits(self) -> None:
        wider = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
        assert not self.page.evaluate(wider), self.page.url

    def check(self) -> None:
        assert self.faults == []
        self.fits()
        self.context.close()


@pytest.fixture
def visit(browser: Browser, console: Console) -> Iterator[Visit]:
    made = Visit(browser, console, viewport=DESK)
    yield made
    made.check()


def test_from_sign_in_to_ruling(visit: Visit) -> None:
    page = visit.sign_in("9001")
    expect(page.get_by_text("最新待定性的告警")).to_be_visible()
    page.get_by_role("link", name="告警", exact=True).click()
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(page.locator("tbody tr")).to_contain_text(f"共 {ALERTS} 条相似告警", timeout=20_000)
    page.get_by_label("相似的告警").select_option("1")
    expect(page.locator("tbody tr")).to_have_count(50)
    page.get_by_role("link", name="下一页").click()
    expect(page.locator("tbody tr")).to_have_count(ALERTS - 50)
    page.get_by_role("link", name="上一页").click()
    expect(page.locator("tbody tr")).to_have_count(50)
    page.get_by_label("工号、姓名、终端或编号").fill("A-7")
    page.get_by_role("button", name="查询").click()
    expect(page.locator("tbody tr")).to_have_count(1)
    page.locator("tbody a").first.click()
    expect(page.locator("#told")).to_contain_text("蒋无权")
    expect(page.locator("mark.decisive").first).to_contain_text("SUM(l.qty)")
    page.get_by_label("查证情况").fill("已到现场核对")
    page.get_by_role("button", name="登记").click()
    expect(page.get_by_text("已到现场核对")).to_be_visible()
    page.get_by_label("理由").fill("未经审批")
    page.get_by_label("定性").select_option("suspicious")
    page.get_by_role("button", name="作出定性").click()
    expect(page.get_by_text("已定性。")).to_be_visible()


@pytest.mark.parametrize("language", ["zh-hans", "en"])
def test_a_list_of_persons_is_imported(visit: Visit, tmp_path: Path, language: str) -> None:
    names = {"zh-hans": ("看会改什么", "写入 40 条", "已完成：写入 40 条", 2), "en": (
        "See what would change", "Write 40 records", "Done: 40 written", 3)}  # fmt: skip
    look, write, done, first = names[language]
    rows = [f"{first}{n:04},某人{n},{'没有的科室' if n < 9 else 'clinical'}" for n in range(49)]
    file = tmp_path / "合成在职人员名单.csv"
    file.write_text("工号,姓名,科室\n" + "\n".join(rows), encoding="utf-8")
    page = visit.sign_in("9004")
    visit.context.add_cookies(
        [{"name": "django_language", "value": language, "url": visit.console.url}]
    )
    page.goto("/persons/import")
    page.locator("input[type=file]").set_input_files(file)
    page.get_by_role("button", name=look).click()
    expect(page.locator("li", has_text="没有的科室")).to_have_count(1)
    for size in (PHONE, {"width": 1366, "height": 768}):
        page.set_viewport_size(size)  # type: ignore[arg-type]
        visit.fits()
    page.get_by_role("button", name=write).click()
    expect(page.locator("#progress")).to_contain_text(done, timeout=20_000)
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]


def test_a_table_is_confirmed_by_keyboard(visit: Visit) -> None:
    folder = visit.console.folder
    proposal = propose(ddl.read(TABLES, "postgres", "his"))
    (folder / "c.json").write_text(json.dumps(proposal.catalogue()), encoding="utf-8")
    (folder / "c.review.txt").write_text(review.write(proposal), encoding="utf-8")
    page = visit.sign_in("9001")
    page.goto("/office/catalogues/his")
    here = page.locator(".roles-here")
    # It stands on the first doubt.
    expect(here).to_contain_text("zsh")
    page.keyboard.press("x")
    expect(here.locator("select")).to_have_value("")
    page.keyboard.press("u")
    expect(here.locator("select")).to_have_value("prescriber_id")
    page.keyboard.press("x")
    page.keyboard.press("j")
    expect(here).to_contain_text("ysdm")
    page.keyboard.press("e")
    expect(here.locator("select")).to_have_value("prescriber_name")
    page.keyboard.press("Enter")
    expect(page.get_by_text("mz_cf 已确认，几秒钟内生效。")).to_be_visible()
    columns = json.loads((folder / "c.json").read_text())["tables"]["mz_cf"]["columns"]
    assert (columns["zsh"], columns["ysdm"]) == (None, "prescriber_name")
    page.get_by_role("button", name="撤销对 mz_cf 的确认").click()
    expect(page.get_by_text("已撤销对 mz_cf 的确认。")).to_be_visible()
    columns = json.loads((folder / "c.json").read_text())["tables"]["mz_cf"]["columns"]
    assert (columns["zsh"], columns["ysdm"]) == ("prescriber_id", "prescriber_id")
    page.set_viewport_size(PHONE)
    page.goto("/office/catalogues/his")


def test_a_new_alert_appears_by_itself(visit: Visit) -> None:
    page = visit.sign_in("9001")
    page.goto("/alerts/")
    expect(page.locator("[data-live-state]")).to_have_class("text-secondary is-live")
    new = event(ALERTS + 1, operator="9009", alert_number="A-LIVE", after=10_000)
    visit.console.record([new])
    page.get_by_role("link", name="2026-03-01 12:16:40").wait_for()
    expect(page.locator("tbody tr").first).to_contain_text("2026-03-01 12:16:40")


def test_the_queue_is_walked_with_the_keyboard(visit: Visit) -> None:
    page = visit.sign_in("9001")
    unread = Meaning("opaque", reasons=(Reason("opaque.unparsed", "读不懂", 0, 7),))
    visit.console.record(
        [
            event(ALERTS + 100 + n, sql=f"SELEC {w}", meaning=unread, fingerprint=w * 64)
            for n, w in enumerate("ab")
        ]
    )
    page.goto("/opaque/")
    for _turn in range(100):
        if page.locator("tbody tr").count() == 2:
            break
        page.reload()
    expect(page.locator("tbody tr")).to_have_count(2)
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    first = page.locator("tbody tr").first
    expect(first.locator("a")).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/opaque/\d+$"))
    expect(page.locator("#why")).to_contain_text("这条语句读不懂")
    page.locator("#no-usage summary").click()
    page.get_by_label("理由").fill("厂商的日志")
    page.get_by_role("button", name="提交，等另一人确认").click()
    expect(page.get_by_text("要由纪检部门的另一个人")).to_be_visible()


def test_while_reading_nothing_moves(visit: Visit) -> None:
    page = visit.sign_in("9001")
    page.goto("/alerts/")
    expect(page.locator("[data-live-state]")).to_have_class("text-secondary is-live")
    first = page.locator("tbody a").first
    first.focus()
    before = first.inner_text()
    new = event(ALERTS + 2, operator="9009", alert_number="A-LATER", after=20_000)
    visit.console.record([new])
    button = page.get_by_role("button", name="批新告警，点击显示")
    button.wait_for()
    assert page.locator("tbody a").first.inner_text() == before
    button.click()
    expect(page.locator("tbody tr").first).to_contain_text("2026-03-01 15:03:20")


def test_a_group_opens_by_keyboard_and_grows_in_its_place(visit: Visit) -> None:
    page = visit.sign_in("9001")
    visit.console.record([event(ALERTS + n, operator="9010") for n in (3, 4)])
    page.goto("/alerts/?q=9010")
    expect(page.locator("[data-live-state]")).to_have_class("text-secondary is-live")
    expect(page.locator("details.group")).to_have_count(1)
    opener = page.locator("details.group summary").first
    opener.focus()
    page.keyboard.press("Enter")
    expect(page.locator(".members li").first).to_be_visible()
    before = opener.inner_text()
    visit.console.record([event(ALERTS + 5, operator="9010")])
    expect(opener).not_to_have_text(before)
    expect(page.locator(".members li").first).to_be_visible()


def test_a_group_opened_before_it_is_ready_is_fetched_nevertheless(visit: Visit) -> None:
    page = visit.sign_in("9001")
    visit.console.record([event(ALERTS + n, operator="9011") for n in (6, 7)])
    page.goto("/alerts/?q=9011")
    expect(page.locator("[data-live-state]")).to_have_class("text-secondary is-live")
    page.evaluate(
        """() => {
            htmx.config.defaultSettleDelay = 500;
            document.addEventListener("htmx:afterSwap", () => {
                document.querySelector("details.group").open = true;
            }, { once: true });
            htmx.ajax("GET", location.href, { target: "#alerts", swap: "outerHTML" });
        }"""
    )
    expect(page.locator(".members li").first).to_be_visible()


def test_a_filter_chosen_as_soon_as_the_table_was_exchanged_is_asked_for(visit: Visit) -> None:
    page = visit.sign_in("9001")
    page.goto("/alerts/?q=9009")
    expect(page.locator("[data-live-state]")).to_have_class("text-secondary is-live")
    page.evaluate(
        """() => {
            document.addEventListener("htmx:afterSwap", () => setTimeout(() => {
                const choice = document.querySelector("#alerts select[name=each]");
                choice.value = "1";
                choice.dispatchEvent(new Event("change", { bubbles: true }));
            }), { once: true });
            htmx.ajax("GET", location.href, { target: "#alerts", swap: "outerHTML" });
        }"""
    )
    expect(page.locator("tbody tr")).to_have_count(50)


def test_what_a_person_asked_for_is_shown_though_news_are_still_being_fetched(
    visit: Visit,
) -> None:
    page = visit.sign_in("9001")
    page.goto("/alerts/?q=9009")
    expect(page.locator("[data-live-state]")).to_have_class("text-secondary is-live")
    held: list[Route] = []

    def hold(route: Route) -> None:
        if "x-live-from" in route.request.headers:
            held.append(route)
        else:
            route.continue_()

    page.route(re.compile(r"/alerts/\?"), hold)
    with page.expect_request(lambda request: "x-live-from" in request.headers):
        visit.console.record([event(ALERTS + 8, operator="9009", after=30_000)])
    page.get_by_label("相似的告警").focus()
    page.get_by_label("相似的告警").select_option("1")
    expect(page.locator("tbody tr")).to_have_count(50)
    with page.expect_response(lambda answer: "x-live-from" in answer.request.headers):
        for route in held:
            route.continue_()
    expect(page.locator("tbody tr")).to_have_count(50)


def test_by_keyboard_alone(visit: Visit) -> None:
    page = visit.page
    page.goto("/sign-in")
    page.keyboard.type("9001")
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="跳到正文")).to_be_focused()
    for _step in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.getAttribute('href')") == "/alerts/":
            break
    page.keyboard.press("Enter")
    page.wait_for_url("**/alerts/")
    for _step in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.closest('tbody') !== null"):
            break
    page.keyboard.press("Enter")
    page.wait_for_url("**/alerts/*")
    expect(page.locator("#told")).to_be_visible()


def test_on_a_phone(browser: Browser, console: Console) -> None:
    visit = Visit(browser, console, viewport=PHONE, has_touch=True, is_mobile=True)
    page = visit.sign_in("9001")
    for path in ("/", "/alerts/", "/coverage/", "/routes/", "/grants/", "/terminals/"):
        page.goto(path)
        wider = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
        assert not page.evaluate(wider), path
    page.goto("/")
    page.get_by_role("button", name="打开菜单").click()
    page.get_by_role("link", name="告警", exact=True).click()
    page.locator("tbody a").first.click()
    expect(page.locator("#told")).to_be_visible()
    visit.check()


def test_filters_unfold_on_a_phone_and_stay_unfolded(browser: Browser, console: Console) -> None:
    visit = Visit(browser, console, viewport=PHONE, has_touch=True, is_mobile=True)
    page = visit.sign_in("9001")
    page.goto("/alerts/")
    verdict = page.get_by_role("search").locator("[name=verdict]")
    expect(verdict).to_be_hidden()
    page.get_by_text("筛选", exact=True).click()
    verdict.select_option("deny")
    expect(page.locator(".filters-label .badge")).to_have_text("1")
    expect(verdict).to_be_visible()
    visit.check()


def test_english_and_back(visit: Visit) -> None:
    page = visit.sign_in("9001")
    page.get_by_role("button", name="English").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("What needs my attention")
    page.goto("/alerts/")
    expect(page.get_by_role("columnheader", name="Learned what")).to_be_visible()
    page.get_by_role("button", name="中文").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("告警")


def test_the_definition_reads_well_everywhere(browser: Browser, console: Console) -> None:
    """What counts, proposed on a desk and read in both languages and on a phone."""
    desk = Visit(browser, console, viewport=DESK)
    page = desk.sign_in("9001")
    page.goto("/office/definition/")
    expect(page.get_by_role("heading", name="现在生效的")).to_contain_text("全部药品和医用耗材")
    expect(page.locator("main")).to_contain_text("药品、耗材")
    page.locator("select[name=name]").select_option("001")
    page.get_by_label("理由").fill("本院办法第二条（合成数据）")
    page.get_by_role("button", name="提出").click()
    page.get_by_role("link", name="正等第二人确认").click()
    expect(page.locator("main")).to_contain_text("要由纪检部门的另一个人")
    proposed = page.url
    page.goto("/office/definition/")
    page.get_by_role("button", name="English").click()
    shown = page.locator("main")
    expect(shown).to_contain_text("All drugs and medical consumables")
    expect(shown).to_contain_text("Binhai New Area Health Commission")
    assert "、" not in shown.inner_text()
    wider = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
    for back in ("中文", ""):
        for path in ("/office/definition/", proposed, "/missing/"):
            for size in (PHONE, DESK):
                page.set_viewport_size(size)
                page.goto(path)
                assert not page.evaluate(wider), (path, size)
        if back:
            page.get_by_role("button", name=back).click()
    desk.check()


def test_no_role_sees_nothing(visit: Visit) -> None:
    page = visit.sign_in("9009")
    expect(page.get_by_text("您还没有角色")).to_be_visible()
    assert page.get_by_role("navigation", name="主菜单").get_by_role("link").count() == 0


def test_dark_and_light(browser: Browser, console: Console) -> None:
    visit = Visit(browser, console, color_scheme="dark")
    page = visit.sign_in("9001")
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")
    page.get_by_role("button", name="切换深色与浅色").click()
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "light")
    visit.check()


def test_every_control_has_a_name(visit: Visit) -> None:
    """Links, buttons and fields are announced by name to those who do not see the page."""
    nameless = """() => [...document.querySelectorAll('a[href], button, input:not([type=hidden]), select, textarea')]
      .filter((e) => !(e.getAttribute('aria-label') || e.innerText?.trim() || e.textContent.trim()
        || (e.labels && e.labels.length)))
      .map((e) => e.outerHTML.slice(0, 120))"""
    page = visit.sign_in("9001")
    for path in ("/", "/alerts/", "/alerts/1", "/grants/", "/routes/", "/coverage/", "/password"):
        page.goto(path)
        assert page.evaluate(nameless) == [], path


def test_without_javascript(browser: Browser, console: Console) -> None:
    visit = Visit(browser, console, java_script_enabled=False)
    page = visit.sign_in("9001")
    page.goto("/alerts/")
    page.locator("#filter-verdict").select_option("alert")
    page.locator("#filter-each").select_option("1")
    page.get_by_role("button", name="查询").click()
    assert page.locator("tbody tr").count() == 50
    page.locator("tbody a").first.click()
    assert page.locator("#told").is_visible()
    visit.context.close()


def test_the_export_is_the_list(visit: Visit, tmp_path: Path) -> None:
    page = visit.sign_in("9002")
    page.goto("/alerts/?q=A-7")
    page.get_by_text("列与导出").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="导出 CSV").click()
    file = tmp_path / "alerts.csv"
    download.value.save_as(file)
    lines = file.read_text(encoding="utf-8-sig").splitlines()
    assert len(lines) == 2
    page.goto("/acts/")
    expect(page.locator("tbody tr").first).to_contain_text("导出")
