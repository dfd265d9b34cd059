"""The record of publishes tells runs apart, and what was confirmed from what was not."""

import pytest

from workshop.delivery import record, recorder

pytestmark = pytest.mark.usefixtures("state")


def send(id: str, name: str = "workshop.tasks.do_task", point=(1, 2), keywords=None, **headers) -> None:
    body = [list(point), keywords or {}, {}]
    recorder._note_publish(body=body, headers={"id": id, "task": name} | headers)


def confirm(id: str) -> None:
    recorder._note_confirm(headers={"id": id, "task": "workshop.tasks.do_task"})


@pytest.fixture
def cell(monkeypatch):
    """Begin and end cells as Jupyter does."""

    class Result:
        error_in_exec: Exception | None = None

    def run(*ids: str, error: Exception | None = None) -> None:
        recorder._begin_cell(None)
        for id in ids:
            send(id)
        result = Result()
        result.error_in_exec = error
        recorder._end_cell(result)

    monkeypatch.setattr(recorder, "_cells", 1)
    return run


def test_nothing_was_sent():
    assert record.published() == []
    assert record.latest_run() == []


def test_a_task_is_unconfirmed_until_the_broker_says_so():
    send("a", point=(3, 4))
    assert [(task.id, task.point, task.confirmed) for task in record.published()] == [("a", [3, 4], False)]
    confirm("a")
    assert record.published()[0].confirmed


def test_what_was_sent_twice_under_one_id_is_one_task():
    for id in ("a", "a", "b"):
        send(id)
        confirm(id)
    assert [(task.id, task.again) for task in record.published()] == [("a", 1), ("b", 0)]


def test_arguments_by_name_are_a_point_too():
    send("a", point=(), keywords={"y": 4, "x": 3})
    assert record.published()[0].point == [3, 4]


def test_what_holds_at_that_time_is_written_down(monkeypatch):
    monkeypatch.setenv("WORKSHOP_FAULT_RATE", "0.25")
    monkeypatch.setenv("JPY_SESSION_NAME", "/course/notebooks/02-retry.ipynb")
    send("a", retries=3)
    task = record.published()[0]
    assert (task.fault_rate, task.source, task.retries) == (0.25, "02-retry", 3)


def test_the_same_id_sent_twice_is_one_task():
    send("a")
    send("a")
    assert len(record.published()) == 1


def test_the_latest_run_is_that_of_the_latest_cell(cell):
    cell("a", "b")
    cell("c", "d", "e")
    assert [task.id for task in record.latest_run()] == ["c", "d", "e"]
    assert [len(run.tasks) for run in record.own_runs()] == [2, 3]


def test_in_a_notebook_another_process_does_not_count(cell, monkeypatch):
    with monkeypatch.context() as somebody:
        somebody.setattr(recorder, "PROCESS", "else")
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
    recorder._begin_cell(None)
    with pytest.raises(TypeError), recorder.trying("a", "workshop.tasks.do_task", [1], {}):
        raise TypeError("y is missing")
    result = type("Result", (), {"error_in_exec": TypeError("y is missing")})()
    recorder._end_cell(result)
    run = record.runs()[0]
    assert (run.error, run.tasks, run.unsent[0].args) == ("TypeError: y is missing", [], [1])


def test_periodic_tasks_and_probes_are_not_recorded():
    send("a", name="workshop.periodic.count_squares")
    send("b", **{recorder.PROBE: True})
    assert record.published() == []


def test_a_line_that_is_no_task_is_left_out(state):
    send("a")
    with (state / recorder.FILE).open("a") as file:
        file.write('3\n[]\n{"id"\n')
    send("b")
    assert [task.id for task in record.published()] == ["a", "b"]
