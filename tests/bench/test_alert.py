"""The arithmetic of the way from statement to browser, and the way itself, twice."""

import shutil

import pytest
from click.testing import CliRunner

from qingfang import cli
from qingfang.bench import alert, percentile


def test_a_percentile_is_one_of_the_values() -> None:
    values = [float(n) for n in range(1, 41)]
    assert (percentile(values, 50), percentile(values, 95), percentile(values, 100)) == (20, 38, 40)
    assert percentile([7.0], 95) == 7.0
    assert percentile([3.0, 1.0], 50) == 1.0


def test_legs_add_up_to_the_whole() -> None:
    found = [alert.Shown(10.0, 10.1, 10.1, 10.3, 11.0), alert.Shown(20.0, 20.3, 20.3, 20.5, 21.2)]
    whole, middle, most, answer, judged, stored, listed = alert.rows(found)
    assert (whole.ours, whole.met, whole.goal) == (1200.0, False, "≤ 1000")
    assert (middle.ours, most.ours, answer.ours) == (1000.0, 1200.0, 300.0)
    assert [leg.ours for leg in (judged, stored, listed)] == [300.0, 200.0, 700.0]
    assert ["占 18%" in judged.what, "占 18%" in stored.what, "占 64%" in listed.what] == [True] * 3
    assert alert.rows(found[:1])[0].met


def test_without_a_browser_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    result = CliRunner().invoke(cli.qingfang_command, ["bench", "alert"])
    assert result.exit_code == 2
    assert "chromium" in result.output


@pytest.mark.browser
@pytest.mark.skipif(not shutil.which("chromium"), reason="Debian package chromium is missing")
def test_two_alerts_reach_the_browser() -> None:
    told: list[str] = []
    found = alert.measure(2, told.append)
    assert told[-1] == "2 / 2"
    for one in found:
        assert one.sent < one.recorded < one.stored
        assert one.sent < one.answered
        assert one.stored - 0.1 < one.shown, "clocks of one machine"
