"""The record of publishes tells runs apart, and what was confirmed from what was not."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from celery.signals import after_task_publish

from workshop.delivery import record, sender

pytestmark = pytest.mark.usefixtures("state")

TASK = "workshop.tasks.do_task"


def send(id: str, point=(1, 2), keywords=None, retries: int = 0) -> None:
    record.append(record.entry(id, TASK, point, keywords, retries))


def confirm(*ids: str) -> None:
    record.append({"confirmed": ids})


@pytest.fixture
def cell(monkeypatch):
    """Begin and end cells as Jupyter does."""

    def run(*ids: str, error: Exception | None = None) -> None:
        sender.begin_cell(None)
        for id in ids:
            send(id)
        record.end_cell(SimpleNamespace(error_in_exec=error))

    monkeypatch.setattr(sender, "_cells", 1)
    return run


def test_nothing_was_sent():
    assert record.published() == []
    assert record.latest_run() == []


def test_a_task_is_unconfirmed_until_the_broker_says_so():
    send("a", point=(), keywords={"y": 4, "x": 3})
    assert [(task.id, task.point, task.confirmed) for task in record.published()] == [("a", [3, 4], False)]
    confirm("a")
    assert record.published()[0].confirmed


def test_one_line_confirms_many():
    for id in ("a", "b", "c"):
        send(id)
    confirm("a", "c", "of another process")
    assert [task.id for task in record.published() if task.confirmed] == ["a", "c"]


def test_what_was_sent_twice_under_one_id_is_one_task():
    for id in ("a", "a", "b"):
        send(id)
    confirm("a", "a", "b")
    assert [(task.id, task.again) for task in record.published()] == [("a", 1), ("b", 0)]


def test_what_holds_at_that_time_is_written_down(monkeypatch):
    monkeypatch.setenv("WORKSHOP_FAULT_RATE", "0.25")
    monkeypatch.setenv("JPY_SESSION_NAME", "/course/notebooks/02-retry.ipynb")
    send("a", retries=3)
    task = record.published()[0]
    assert (task.fault_rate, task.source, task.retries) == (0.25, "02-retry", 3)


def test_where_a_task_was_sent_is_host_and_virtual_host():
    assert record.place("amqp://ann:hidden@rabbit.example:5673/c7f3") == "rabbit.example/c7f3"
    assert record.place("no address") == ""


def test_what_was_sent_elsewhere_belongs_to_no_run_here(monkeypatch):
    for id, place in ("a", "127.0.0.1/celery_app"), ("b", "10.0.0.1/c7f3"):
        record.append(record.entry(id, TASK, [1, 2], {}) | {"sent_to": place})
    for port, vhost, ids in (1, "celery_app", ["a"]), (2, "celery_app", ["a"]), (1, "c7f3", []):
        monkeypatch.setenv("WORKSHOP_BROKER_URL", f"amqp://ann:hidden@127.0.0.1:{port}/{vhost}")
        assert [task.id for task in record.latest_run()] == ids
    assert len(record.published()) == 2


def test_what_is_sent_again_elsewhere_is_there(monkeypatch):
    for place in ("127.0.0.1/celery_app", "10.0.0.1/c7f3"):
        record.append(record.entry("a", TASK, [1, 2], {}) | {"sent_to": place})
    assert [task.sent_to for task in record.published()] == ["10.0.0.1/c7f3"]


def test_the_latest_run_is_that_of_the_latest_cell(cell):
    cell("a", "b")
    cell("c", "d", "e")
    assert [task.id for task in record.latest_run()] == ["c", "d", "e"]
    assert [len(run.tasks) for run in record.own_runs()] == [2, 3]


def test_in_a_notebook_another_process_does_not_count(cell, monkeypatch):
    with monkeypatch.context() as somebody:
        somebody.setattr(sender, "PROCESS", "else")
        send("theirs")
    assert record.latest_run() == []
    cell("ours")
    assert [task.id for task in record.latest_run()] == ["ours"]
    assert len(record.runs()) == 2


def test_the_error_of_a_cell_that_sent_tasks_is_kept(cell):
    cell("a", error=NotImplementedError("No result backend is configured."))
    run = record.own_runs()[0]
    assert (len(run.tasks), run.error) == (1, "NotImplementedError: No result backend is configured.")


def test_the_error_of_a_cell_that_sent_nothing_is_not(cell):
    cell(error=ZeroDivisionError())
    assert record.runs() == []


def test_an_error_before_the_first_publish_is_kept_if_the_cell_tried(cell):
    sender.begin_cell(None)
    record.note_unsent(record.entry("a", TASK, [1], {}), "TypeError: y is missing")
    record.end_cell(SimpleNamespace(error_in_exec=TypeError("y is missing")))
    run = record.runs()[0]
    assert (run.error, run.tasks, run.every[0].args) == ("TypeError: y is missing", [], [1])


def test_what_an_application_of_somebody_sends_is_noted_and_what_the_publisher_sends_is_not_noted_twice():
    after_task_publish.send("theirs", headers={"id": "of theirs", "task": "theirs"}, body=([1, 2], {}, {}))
    send("b")
    after_task_publish.send(TASK, headers={"id": "b", "task": TASK}, body=([1, 2], {}, {}))
    assert [(task.id, task.name, task.confirmed) for task in record.published()] == [
        ("of theirs", "theirs", True),
        ("b", TASK, False),
    ]


def test_periodic_tasks_are_not_new():
    assert record.is_new(TASK) and not record.is_new("workshop.periodic.count_squares")


@pytest.mark.parametrize(
    "rest", ['\n3\n[]\n{"id"\n', '\n{"id": "lost", "na', '\n{"id": "of an older version"}']
)
def test_a_line_that_is_no_task_is_left_out_and_spoils_no_other(state, rest):
    """Such as half of one, written by whoever met a full disk."""
    send("a")
    with (state / record.FILE).open("a") as file:
        file.write(rest)
    send("b")
    assert [task.id for task in record.published()] == ["a", "b"]


def test_the_record_is_where_the_state_folder_is(state, tmp_path, monkeypatch):
    send("a")
    monkeypatch.setenv("WORKSHOP_STATE", str(tmp_path / "another"))
    send("b")
    assert [task.id for task in record.published()] == ["b"]


def test_a_record_that_a_reset_removed_begins_anew(state):
    send("a")
    (state / record.FILE).unlink()
    send("b")
    assert [task.id for task in record.published()] == ["b"]


@pytest.mark.posix
def test_what_is_not_written_as_a_whole_is_an_error(state: Path, monkeypatch):
    (state / record.FILE).symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left on device"):
        send("a")
    (state / record.FILE).unlink()
    monkeypatch.setattr(record, "_opened", lambda: SimpleNamespace(write=lambda line: len(line) - 1))
    with pytest.raises(OSError, match="No space left on device"):
        send("a")


BLOCK = "workshop.blocks.do_block"


@pytest.mark.parametrize(
    ("name", "args", "kwargs", "squares"),
    [
        (TASK, [5, 5], {}, 1),
        (TASK, [], {"x": 5, "y": 5}, 1),
        (TASK, [-1, "5"], {}, 1),
        (BLOCK, [5, 5], {}, 100),
        (BLOCK, [5], {"y": 5}, 100),
        (BLOCK, [5, 5, 1], {}, 1),
        (BLOCK, [5, 5], {"km": 100}, 10_000),
        (BLOCK, [5, 5, 7], {}, 1),
        ("workshop.own.task", [5, 5, 100, 4], {}, 1),
    ],
)
def test_it_knows_how_many_rows_a_task_makes(name, args, kwargs, squares):
    assert record.Published("a", name, args, "run", "", kwargs=kwargs).squares == squares


def test_one_id_for_two_tasks_is_told():
    send("a", point=(1, 2))
    send("a", point=(), keywords={"x": 1, "y": 2})
    send("b", point=(1, 2))
    send("b", point=(1,), keywords={"y": 3})
    record.append(record.entry("c", TASK, (1, 2), None))
    record.append(record.entry("c", BLOCK, (1, 2), None))
    tasks = record.published()
    assert [(task.id, task.other) for task in tasks] == [
        ("a", ""), ("b", "do_task(1, y=3)"), ("c", "do_block(1, 2)"),
    ]  # fmt: skip
