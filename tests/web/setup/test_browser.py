"""The first run in a real browser: from the code on the terminal to the first sign-in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from qingfang import config as configuration
from qingfang.postgres import Server
from qingfang.web.setup import code
from tests.support.browser import CHROMIUM, Console

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="Debian package chromium is missing"),
]


@pytest.fixture
def console(postgres: Server, tmp_path: Path) -> Iterator[Console]:
    made = Console(tmp_path, postgres, "first_run")
    try:
        made.start(staff=False)
        yield made
    finally:
        made.stop()


@pytest.fixture
def page(console: Console) -> Iterator[Page]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-gpu"]
        )
        yield chromium.new_page(base_url=console.url, viewport={"width": 390, "height": 844})
        chromium.close()


def account(page: Page, role: str, **answers: str) -> None:
    fields = page.get_by_role("group", name=role)
    for label, value in answers.items():
        fields.get_by_label(label, exact=True).fill(value)


def test_from_the_code_to_the_first_sign_in(page: Page, console: Console) -> None:
    page.goto("/alerts/")
    expect(page.get_by_role("heading", name="首次设置")).to_be_visible()
    page.get_by_label("首次设置码").fill("AAAA-BBBB-CCCC-DDDD")
    page.get_by_role("button", name="继续").click()
    expect(page.get_by_text("请照终端上的再输一次")).to_be_visible()
    once = code.read(configuration.read(console.config))
    assert once is not None
    page.get_by_label("首次设置码").fill(once)
    page.get_by_role("button", name="继续").click()
    page.get_by_label("工作时段").fill("8点到12点")
    page.get_by_role("button", name="保存日历").click()
    expect(page.get_by_text("时段应写成 08:00-12:00")).to_be_visible()
    page.get_by_label("工作时段").fill("08:00-12:00 14:00-17:30")
    page.get_by_role("button", name="保存日历").click()
    expect(page.get_by_text("工作日历已保存")).to_be_visible()
    wider = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
    assert not page.evaluate(wider)
    account(page, "安全管理员", 工号="X001", 姓名="安然", 科室="院办公室")
    account(page, "应用管理员", 工号="J001", 姓名="纪明", 科室="纪检监察室")
    page.get_by_role("button", name="建立账号，结束首次设置").click()
    row = page.locator("#made tr", has_text="J001")
    password = row.locator("td").last.inner_text()
    page.get_by_role("main").get_by_role("link", name="登录").click()
    page.get_by_label("工号").fill("J001")
    page.get_by_label("密码").fill(password)
    page.get_by_role("main").get_by_role("button", name="登录").click()
    page.goto("/missing/")
    # The initial password must be changed before anything is seen.
    expect(page.get_by_label("新密码", exact=True)).to_be_visible()
    page.get_by_label("现在的密码").fill(password)
    page.get_by_label("新密码", exact=True).fill("合成-Quiet-Harbour-7")
    page.get_by_label("再输一次新密码").fill("合成-Quiet-Harbour-7")
    page.get_by_role("main").get_by_role("button").first.click()
    page.goto("/missing/")
    expect(page.get_by_role("row", name="值班表")).to_contain_text("还缺")
    expect(page.get_by_text("线路 his-clinical 只观察")).to_be_visible()
    assert code.read(configuration.read(console.config)) is None
