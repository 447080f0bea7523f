"""Every fixture: the statement means what stands below it."""

import pytest

from qingfang.engine import definitions
from qingfang.understand.analysis import Analyser, SessionState
from tests.understand.scenes import Scene, all_scenes, catalogue, said, selected

ANALYSERS = {
    (name, definition): Analyser(catalogue(name), definitions.built_in(definition), strict=True)
    for name in ("small", "his", "kinds")
    for definition in definitions.names()
}
SCENES = all_scenes()


@pytest.mark.parametrize("scene", SCENES, ids=lambda s: f"{s.file}:{s.line} {s.name}")
def test_scene(scene: Scene) -> None:
    analyser = ANALYSERS[scene.catalogue, scene.definition]
    state = SessionState()
    for step in scene.steps:
        found = analyser.analyse(step.sql, scene.dialect, binds=step.binds, state=state)
        assert said(found.meaning) == step.expected, (
            f"{scene.file}:{step.line}\n{step.sql}\n{found.meaning.reasons}"
        )
        if step.scope is not None:
            assert selected(found.meaning) == step.scope, f"{scene.file}:{step.line}\n{step.sql}"
