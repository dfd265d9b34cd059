"""What others wrote is shown as it is, and does nothing to the terminal."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from backstage.classroom import audit_text
from backstage.cli import main
from backstage.cli.terminal import echo
from backstage.stack import status
from backstage.stack.visible import visible
from tests.conftest import wait_for
from workshop.delivery.ledger import Ledger
from workshop.delivery.queues import DeadLetter

EVIL = "\x1b[2Jgone\x1b]0;title\x07\b\b\x9b31m\u202egnp"
SHOWN = r"\x1b[2Jgone\x1b]0;title\x07\x08\x08\x9b31m\u202egnp"


def test_control_characters_are_written_out() -> None:
    assert visible(EVIL) == SHOWN
    assert visible("a\rb\x00c\ud800") == r"a\rb\x00c\ud800"


def test_letters_signs_and_spaces_stay() -> None:
    text = "Zürich  Ελλάδα 東京\u00a0→ ✔ 🗺\n\tindented"
    assert visible(text) == text
    assert visible("one\ttwo\n", keep="") == r"one\ttwo\n"


@pytest.fixture
def log(state: Path) -> Path:
    log = state / "logs" / "worker1.log"
    log.parent.mkdir()
    log.write_text(f"\x1b[31mred\x1b[0m\nTask {EVIL} failed\n", encoding="utf-8")
    return log


def test_logs_show_no_escapes(log: Path) -> None:
    shown = CliRunner().invoke(main, ["logs"]).output
    assert shown == f"{log}\n    red\n    Task {SHOWN} failed\n"


def test_logs_that_go_on_show_none_either(log: Path) -> None:
    command = [sys.executable, "-u", "-m", "backstage", "logs", "--follow"]
    with (log.parent / "shown").open("wb") as output:
        following = subprocess.Popen(command, stdout=output)
    try:
        shown = log.parent / "shown"
        wait_for(lambda: SHOWN in shown.read_text(encoding="utf-8"), 60, "the end of the log")

        def is_shown() -> bool:  # it may not have begun to follow when the first line is added
            with log.open("a", encoding="utf-8") as file:
                file.write(f"then {EVIL}\n")
            return f"then {SHOWN}" in shown.read_text(encoding="utf-8")

        wait_for(is_shown, 30, "a line that was added")
        assert "\x1b" not in shown.read_text(encoding="utf-8")
    finally:
        following.terminate()
        following.wait(120)


def test_the_ledger_shows_none(capsys: pytest.CaptureFixture[str]) -> None:
    now = Ledger([])
    now.dead, now.letters = {"1": f"TaskError: {EVIL}\nmore"}, [DeadLetter("", f"UNKNOWN-TASK: {EVIL}")]
    echo("\n".join(audit_text.of_machine(now)))
    lines = capsys.readouterr().out
    assert f"1 x TaskError: {SHOWN}" in lines and f"1 x UNKNOWN-TASK: {SHOWN}" in lines
    assert "\x1b" not in lines


def test_what_services_say_shows_none(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status, "running", lambda: {"services": {}})
    monkeypatch.setattr(status, "services", lambda: {"worker1": "broken"})
    monkeypatch.setattr(status, "status", lambda: f"worker1 broken {EVIL}")
    monkeypatch.setattr(status, "addresses", lambda: "")
    shown = CliRunner().invoke(main, ["status"]).output
    assert f"worker1 broken {SHOWN}\n" in shown and "\x1b" not in shown


def test_refusals_show_none(state: Path) -> None:
    (state / "logs").mkdir()
    (state / "logs" / "lab.log").touch()
    done = CliRunner().invoke(main, ["logs", EVIL])
    assert f"Error: There is no log of {SHOWN}." in done.output
    assert "\x1b" not in done.output


def test_what_a_card_or_a_central_says_shows_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def join(code: str, say: Any) -> bool:
        say(f"Joined as {EVIL}.")
        return code == "good"

    monkeypatch.setattr("backstage.classroom.join.join", join)
    for code in ("good", "bad"):
        done = CliRunner().invoke(main, ["join", code])
        assert f"Joined as {SHOWN}." in done.output
        assert "\x1b" not in done.output
