"""The command ``workshop``: sections, exit codes, questions, and no secret that nobody asked for."""

import errno
import re
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from psycopg.errors import DiskFull

from backstage.challenges import challenge_1
from backstage.challenges.verdict import Verdict
from backstage.classroom import cards, central, clearing, passed, rehearsal
from backstage.classroom import fill as filling
from backstage.classroom import join as joining
from backstage.classroom.card import Card
from backstage.cli import main
from backstage.stack import status
from backstage.stack.central_config import CentralConfig
from backstage.stack.site import USUAL_PORTS, Site
from workshop import state_folder
from workshop.errors import WorkshopError

CARDS = [
    Card(number, "c7f3", "0123456789abcdef", "192.0.2.1", 5672, 5432, datetime.now(UTC) + timedelta(hours=1))
    for number in (1, 2)
]


pytestmark = pytest.mark.usefixtures("state")


SECTIONS = {
    "Attendee": "check hint solution progress join leave reset save restore ledger",
    "Services": "up down status logs scale doctor demo",
    "Class": "class start class cards class clear class stop class fill class ledger class resend "
    "class passed class wall class rehearse class branches",
}


def workshop(*arguments: str, **options: Any) -> Result:
    done = CliRunner().invoke(main, arguments, **options)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done


def test_the_help_has_three_sections_and_the_exit_codes() -> None:
    shown = workshop("--help").output
    found = dict(re.findall(r"^(\w+):\n((?:  .+\n)+)", shown, re.MULTILINE))
    del found["Options"]
    commands = {name: re.findall(r"^  (\S+(?: \S+)?)  ", found[name], re.MULTILINE) for name in found}
    assert {name: " ".join(each) for name, each in commands.items()} == SECTIONS
    assert "Exit codes: 0 passed or ready, 1 not yet, 2 wrong use, 3 the environment" in shown
    assert "...\n" not in shown.partition("\n")[2] and max(map(len, shown.splitlines())) <= 80
    assert workshop("-h").output == shown


def test_class_alone_shows_help_and_opens_nothing(state: Path) -> None:
    done = workshop("class")
    assert done.exit_code == 2
    assert done.output.startswith("Usage: workshop class [OPTIONS] COMMAND")
    assert not (state / "central.json").exists()


def test_its_version() -> None:
    assert re.fullmatch(r"workshop, version \d+\.\d+\n", workshop("--version").output)


@pytest.mark.parametrize(
    ("code", "number"), [("C1-PASSED", 0), ("C1-NOT-ATTEMPTED", 1), ("C1-RUNNING", 1), ("ENV-STACK-DOWN", 3)]
)
def test_a_check_ends_with_what_it_found(code: str, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(challenge_1, "check", lambda: Verdict(code, "So it is."))
    assert workshop("check", "1").exit_code == number


@pytest.mark.parametrize(
    ("command", "number"),
    [
        ("check 9", 2),
        ("nothing", 2),
        ("progress", 0),
        ("hint 1", 0),
        ("check 1", 3),
        ("status", 3),
        ("logs", 3),
        ("scale 2", 3),
        ("doctor", 3),
    ],
)
def test_exit_codes_where_no_services_run(command: str, number: int) -> None:
    assert workshop(*command.split()).exit_code == number


@pytest.mark.parametrize(("state_of_it", "number"), [("ready", 0), ("starting", 1)])
def test_the_status_is_not_yet_as_long_as_one_service_is_not(
    state_of_it: str, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(status, "running", lambda: {"services": {}})
    monkeypatch.setattr(status, "services", lambda: {"postgis": "ready", "worker1": state_of_it})
    monkeypatch.setattr(status, "status", lambda: "")
    monkeypatch.setattr(status, "addresses", lambda: "")
    assert workshop("status").exit_code == number


def test_a_start_that_fails_blames_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKSHOP_PACE", "fast")
    done = workshop("up", "postgis")
    assert done.exit_code == 3 and "Error: WORKSHOP_PACE is 'fast'." in done.output


@pytest.fixture
def cleared(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    found: list[str] = []
    monkeypatch.setattr(cards, "site", lambda: "the central")
    monkeypatch.setattr(clearing, "holdings", lambda site: {"squares": 7})
    monkeypatch.setattr(clearing, "clear", lambda site: found.append(f"{site} is cleared"))
    return found


@pytest.mark.parametrize("yes", ["-y", "--yes"])
def test_yes_is_not_asked(yes: str, cleared: list[str]) -> None:
    assert workshop("class", "clear", yes).exit_code == 0
    assert cleared == ["the central is cleared"]


def test_without_a_terminal_nothing_is_asked_and_nothing_done(cleared: list[str]) -> None:
    done = workshop("class", "clear")
    assert done.exit_code == 2 and not cleared
    assert "There is no terminal to ask for a confirmation. Next: the same with --yes" in done.output


def test_join_asks_for_the_code(monkeypatch: pytest.MonkeyPatch) -> None:
    codes: list[str] = []
    monkeypatch.setattr(joining, "join", lambda code, say: codes.append(code) or True)
    monkeypatch.setattr("backstage.cli.terminal.require", lambda what, instead: None)
    done = workshop("join", input="A1B2C D3E4F\n")
    assert done.exit_code == 0 and done.output.startswith("The code on your card: ")
    assert workshop("join", "A1B2C", "D3E4F").exit_code == 0
    assert codes == ["A1B2C D3E4F"] * 2


def test_leave_tells_if_no_worker_works_then(state: Path) -> None:
    state_folder.write("joined.json", {"broker_url": "amqp://machine07:x@192.0.2.1:5672/celery_app"})
    done = workshop("leave")
    assert done.exit_code == 3
    assert done.output.startswith("This machine uses its own queue and database again. The services were")
    assert not (state / "joined.json").exists()
    assert workshop("leave").exit_code == 0


def test_join_without_a_terminal_wants_the_code() -> None:
    done = workshop("join")
    assert done.exit_code == 2
    assert "There is no terminal to ask for the code of your card. Next: workshop join and" in done.output


def test_codes_and_passwords_are_shown_on_demand_only(monkeypatch: pytest.MonkeyPatch, state: Path) -> None:
    until = datetime.now(UTC) + timedelta(hours=1)
    CentralConfig("c7f3", until, {1: "0123456789abcdef"}, "192.0.2.1", flower="hushhush").write()
    monkeypatch.setattr(cards, "running_site", lambda: Site(state, USUAL_PORTS, "token"))
    for module, name in ((cards, "cards"), (central, "start")):
        monkeypatch.setattr(module, name, lambda *options: CARDS)
    page = state / "cards-c7f3.html"
    monkeypatch.setattr(state_folder, "ROOT", state)
    for command in ("class start --address 192.0.2.1", "class cards"):
        shown = workshop(*command.split()).output
        assert str(page) in shown and "port 5672" in shown
        assert not [card for card in CARDS if card.code in shown or card.password in shown]
        assert "hushhush" not in shown and "workshop class cards --show" in shown
    assert stat.S_IMODE(page.stat().st_mode) == 0o600
    shown = workshop("class", "cards", "--show").output
    assert all(f"{card.machine:<10}{card.code}\n" in shown for card in CARDS) and "hushhush" in shown


def test_while_a_class_is_open_down_says_what_it_means_and_a_purge_is_refused() -> None:
    """There is no terminal to ask here."""
    CentralConfig("c7f3", datetime.now(UTC) + timedelta(hours=1), {1: "x"}, "192.0.2.1").write()
    done = workshop("down")
    assert (
        done.output.startswith("A class is open at 192.0.2.1. Its machines wait until") and not done.exit_code
    )
    done = workshop("down", "--purge")
    assert done.exit_code == 3 and "Next: workshop class stop, then the same again" in done.output
    assert CentralConfig.read()


@pytest.mark.parametrize(("asked", "part"), [("", "land"), ("sct", "SCT"), ("--all", "all")])
def test_fill_takes_all_land_a_part_or_everything(
    asked: str, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts: list[str] = []
    monkeypatch.setattr(filling, "fill", lambda part, tasks: (parts.append(part), (7, 7))[1])
    assert "That is all." in workshop("class", "fill", *asked.split()).output
    assert parts == [part]


@pytest.mark.parametrize("full", [OSError(errno.ENOSPC, "No space left on device"), DiskFull("no space")])
def test_a_full_disk_is_called_that(full: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def fill(*_: object) -> tuple[int, int]:
        raise full

    monkeypatch.setattr(filling, "fill", fill)
    done = workshop("class", "fill")
    assert done.exit_code == 3 and "Error: A disk is full: " in done.output
    assert "Next: make room" in done.output and "does not answer" not in done.output


def test_a_verdict_is_shared_only_if_someone_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    shared: list[str] = []
    monkeypatch.setattr(challenge_1, "check", lambda: Verdict("C1-PASSED", "Well done."))
    assert "has not joined a central" in workshop("check", "1", "--share").output
    monkeypatch.setattr(passed, "share", lambda _, verdict: shared.append(verdict.code))
    assert workshop("check", "1").exit_code == 0 and shared == []
    assert "Shared with your class: C1-PASSED" in workshop("check", "1", "--share").output
    assert shared == ["C1-PASSED"]


def test_a_rehearsal_needs_services_that_run() -> None:
    with pytest.raises(WorkshopError, match="workshop up"):
        rehearsal.rehearse()
    assert CentralConfig.read() is None
