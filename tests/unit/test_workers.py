"""What this machine's workers are called, at home, at a central, and in containers."""

from pathlib import Path

import pytest

from backstage.stack import plan, remote
from backstage.stack.pausing import pause
from backstage.stack.site import Site
from backstage.stack.workers import machine_name
from workshop import settings, state_folder
from workshop.errors import WorkshopError

JOINED = {"broker_url": "amqp://machine07:hidden@10.77.0.1:5672/celery_app", "machine": "machine07"}


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKSHOP_STATE", str(tmp_path))
    monkeypatch.delenv("WORKSHOP_PUBLISHED", raising=False)
    monkeypatch.setenv("WORKSHOP_MACHINE", "laptop")
    monkeypatch.setattr("socket.gethostname", lambda: "3f2a")


def test_at_a_central_it_is_the_name_on_the_card() -> None:
    assert machine_name() == "laptop"
    state_folder.write("joined.json", JOINED)
    assert machine_name() == "machine07"
    assert remote.place() == "machine07 at 10.77.0.1:5672"


def test_a_worker_at_a_central_is_not_paused() -> None:
    state_folder.write("joined.json", JOINED)
    with pytest.raises(WorkshopError, match="nobody can pause a worker.*workshop leave"):
        pause()


@pytest.mark.parametrize(("seconds", "said"), [("soon", "seconds is 'soon'"), (9e9, "from 0 to 3,600")])
def test_a_pause_is_a_lease(seconds: float, said: str) -> None:
    with pytest.raises(WorkshopError, match=said):
        pause(seconds)


def test_what_is_away_is_not_paused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKSHOP_DATABASE_URL", "postgresql://x:x@127.0.0.1:1/x")
    with pytest.raises(WorkshopError, match=r"Not every worker answers\. Next: workshop status"):
        pause()


def test_containers_that_share_a_card_have_names_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    state_folder.write("joined.json", JOINED)
    monkeypatch.setenv("WORKSHOP_PUBLISHED", "lab=8888")
    assert machine_name() == "machine07-3f2a"


@pytest.mark.parametrize(("cores", "processes"), [(1, "1"), (2, "2"), (128, "8")])
def test_a_worker_has_a_process_per_core_up_to_eight(
    cores: int, processes: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(cores)), raising=False)
    monkeypatch.setattr("os.cpu_count", lambda: cores)
    monkeypatch.delenv("WORKSHOP_PROCESSES", raising=False)
    assert (
        plan.services(("worker",))["worker1"].command(Site(state_folder.state_dir(), {}, "token"))[-2]
        == processes
    )


def test_a_worker_takes_as_many_messages_ahead_as_is_wished() -> None:
    def command() -> str:
        return " ".join(
            plan.services(("worker",))["worker1"].command(Site(state_folder.state_dir(), {}, "token"))
        )

    assert "prefetch" not in command()  # so that workshop/delivery/configuration.py says it
    settings.change(prefetch=50)
    assert "--prefetch-multiplier=50" in command()


@pytest.mark.parametrize(
    ("joined", "workers", "processes", "sentence"),
    [
        ({}, 8, 8, None),
        ({}, 2, 64, "2 x 65 = 130 sessions at PostGIS, more than the 80"),
        ({}, 3, 40, "3 x 41 = 123 sessions at PostGIS, more than the 80"),
        (JOINED, 2, 8, None),
        (JOINED, 3, 8, "3 x 9 = 27 sessions at PostGIS, more than the 18"),
    ],
)
def test_workers_take_no_more_sessions_than_there_are(
    joined: dict[str, str],
    workers: int,
    processes: int,
    sentence: str | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    state_folder.write("joined.json", joined)
    monkeypatch.setenv("WORKSHOP_WORKERS", str(workers))
    monkeypatch.setenv("WORKSHOP_PROCESSES", str(processes))
    if sentence is None:
        assert f"worker{workers}" in plan.services(("worker",))
        return
    with pytest.raises(WorkshopError, match=sentence) as refused:
        plan.services(("worker",))
    assert "Next: " in str(refused.value)
