"""What a check says of the environment before it looks at an answer."""

import json
from pathlib import Path

import pytest

from backstage.challenges import health
from workshop import state_folder


@pytest.mark.usefixtures("state")
def test_a_notebook_of_another_branch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "notebooks").mkdir()
    for name, stamp in {"01-enqueue": {}, "02-retry": {"workshop": {"challenge": 9}}}.items():
        (tmp_path / "notebooks" / f"{name}.ipynb").write_text(json.dumps({"metadata": stamp}))
    monkeypatch.setattr(state_folder, "ROOT", tmp_path)
    monkeypatch.setattr(health, "challenge_here", dict)
    wrong, right = health.trouble(2), health.trouble(1)
    assert wrong and right
    assert wrong.code == "ENV-WRONG-BRANCH"
    assert "This notebook is from challenge-9, but the files in the folder are from" in wrong.text
    assert right.code == "ENV-STACK-DOWN", "no services run here; the other notebooks are all right"
