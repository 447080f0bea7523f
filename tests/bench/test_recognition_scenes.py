"""Scenes of channel, blindness and process, played through the product's own parts."""

import pytest

from qingfang.bench.recognition import SCENES, scenes

TWINS = ("N09", "N10", "N11", "N12", "N13", "N14", "N15", "N16", "N18")
MORE_TWINS = ("N22", "N27", "N35", "N36", "N40", "N42")
ALARM = "SELECT c.{rx.doctor}, m.{line.item}, m.{line.qty} FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}"


def played(text: str, dialect: str = "postgres") -> tuple[bool, str]:
    """Whether the scene came true, and what came instead."""
    (scene,) = scenes.read(f"== T69 试\n{text}", "try.txt")
    found = scenes.play_one(scene, dialect)
    return found.met, found.got


@pytest.mark.parametrize("technique", [*SCENES, *TWINS, *MORE_TWINS])
def test_every_technique_has_a_scene(technique: str) -> None:
    assert technique in {scene.technique for scene in scenes.scenes()}


@pytest.mark.parametrize("dialect", ["postgres", "tsql"])
def test_scenes_come_true_or_say_why_not(dialect: str) -> None:
    why = {(s.technique, s.name) for s in scenes.scenes() if s.cannot or s.known}
    wrong = [s for s in scenes.play([dialect]) if not s.met]
    assert [s for s in wrong if (s.technique, s.name.partition(" (")[0]) not in why] == []
    assert all(s.explanation for s in wrong)


@pytest.mark.parametrize("dialect", ["oracle", "mysql"])
def test_the_same_in_the_other_dialects(dialect: str) -> None:
    chosen = ("T73", "T74", "T79", "T81", "T90", "T91", "T92", "N10", "N11", "N16", "N36")
    assert [s for s in scenes.play([dialect], chosen) if not s.met] == []


def test_a_scene_fails_when_no_alarm_comes() -> None:
    assert played("who clerk\nSELECT 1 => alert") == (False, "pass")
    assert played(f"who clerk\n{ALARM} => alert learned-detail") == (True, "alert learned-detail")


def test_a_scene_fails_when_the_alarm_has_another_reason() -> None:
    met, got = played(f"who clerk\n{ALARM} => alert learned-department")
    assert not met
    assert got.startswith("alert learned-detail")


def test_a_scene_fails_when_the_alarm_comes_too_late() -> None:
    scan = (
        "for 1..60 every 10s\n"
        "SELECT m.{line.item}, m.{line.qty}, c.{rx.doctor} FROM {rx} c JOIN {line} m"
        " ON m.{line.rx} = c.{rx.id} WHERE c.{rx.id} = {rx*#} => alert at "
    )
    assert played(f"who clerk\n{scan}3")[0] is False
    assert played(f"who clerk\n{scan}60")[0] is True


def test_an_encrypted_connection_is_seen_only_where_there_is_one() -> None:
    begin = "tap 1 from 10.1.0.10\n"
    assert played(f"{begin}tap 1 tls\nseen => alert tap-blind")[0] is True
    assert played(f"{begin}tap 1 signs in\ntap 1 query SELECT 1\nseen => alert tap-blind") == (
        False,
        "-",
    )


@pytest.mark.parametrize("how", ["", "late ", "pieces 5 ", "pieces 1 "])
def test_a_statement_is_read_whatever_its_packets_look_like(how: str) -> None:
    lines = "tap 1 from 10.1.0.10\ntap 1 signs in\n"
    assert played(f"{lines}tap 1 query {how}{ALARM}\nseen => alert learned-detail")[0] is True


def test_a_lost_packet_is_a_loss_and_an_unlost_one_none() -> None:
    lines = "tap 1 from 10.1.0.10\ntap 1 signs in\n"
    after = "tap 1 query SELECT 1\nseen => watch loss"
    assert played(f"{lines}tap 1 query lost {ALARM}\n{after}")[0] is True
    assert played(f"{lines}tap 1 query SELECT 2\n{after}")[0] is False


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("SELECT 1 => pass", 2),
        ("who clerk\nSELECT 1", 3),
        ("who clerk\nSELECT {nothing.here} FROM x => pass", 3),
        ("given luck clerk", 2),
        ("who clerk\nfor ever\nSELECT 1 => pass", 3),
        ("who nobody-there", 2),
    ],
)
def test_a_scene_that_cannot_be_read_names_its_line(text: str, line: int) -> None:
    with pytest.raises(scenes.SceneError, match=rf"try\.txt:{line}: "):
        played(text)


def test_a_text_without_a_head_is_refused() -> None:
    with pytest.raises(scenes.SceneError, match=r"x\.txt:1: "):
        list(scenes.read("who clerk", "x.txt"))
    with pytest.raises(scenes.SceneError, match=r"x\.txt:2: "):
        list(scenes.read("== T70 a\n==", "x.txt"))
    with pytest.raises(scenes.SceneError, match=r"x\.txt:2: .*sybase"):
        list(scenes.read("== T70 a\nonly sybase", "x.txt"))
