"""The attendee's file is read as text, and imported only elsewhere."""

import pytest

from backstage.challenges import program

NOWHERE = "amqp://nobody:nothing@127.0.0.1:1/nowhere"
HEAD = "@application.task(bind=True, autoretry_for=(ServiceError,))\ndef do_task(self, x, y):\n"


@pytest.fixture
def written(tmp_path, monkeypatch):
    def write(body: str):
        path = tmp_path / "tasks.py"
        path.write_text(HEAD + body, encoding="utf-8")
        monkeypatch.setattr(program, "TASKS", path)
        return program.read_task()

    return write


def test_clauses_are_found_in_their_order(written):
    code = written(
        "    try:\n        geoprocess(x, y)\n    except (ServiceError, OSError):\n        self.retry()\n"
        "    except Exception:\n        raise\n"
    )
    assert code.clauses == [(5, ("ServiceError", "OSError")), (7, ("Exception",))]
    assert code.broad_line == 7
    assert code.retries and code.attempted


def test_a_bare_except_is_broad(written):
    assert written("    try:\n        pass\n    except:\n        pass\n").broad_line == 5


def test_options_of_the_decorator_and_calls_are_seen(written):
    assert written("    time.sleep(1)\n").words == {"bind", "autoretry_for", "sleep"}


def test_a_comment_is_no_call(written):
    assert "retry" not in written("    # self.retry()\n    pass\n").words


def test_the_faults_of_points_come_from_the_service_itself(monkeypatch):
    monkeypatch.setenv("WORKSHOP_BROKER_URL", NOWHERE)
    from workshop.service import is_faulty

    points = [[n, n] for n in range(50)]
    errors = program.ask(points, fault_rate=1)["errors"]
    assert errors == [3] * 50, "after three errors the fault leaves a task alone"
    assert not is_faulty(1, 1, 3)


def test_the_program_as_it_is_can_be_imported(monkeypatch):
    monkeypatch.setenv("WORKSHOP_BROKER_URL", NOWHERE)
    assert "problem" not in program.ask([], 0)
