"""The design of 2018 loses tasks under the same faults; otherwise `test_chaos` would prove nothing."""

import pytest

from tests.faults.test_chaos import chaos


@pytest.mark.nightly
def test_the_control_loses_tasks_and_stores_some_twice(tmp_path):
    found = chaos(
        tmp_path / "result.json", "--control", "--few", "--tasks", "1500", "--seed", "3", "--pace", "70"
    )
    ended_early = "All tasks have ended before all faults struck"
    assert found["stuck"] in ("", ended_early)
    assert len(found["tally"]["lost"]) > 0
    assert found["tally"]["twice"] > 0
    if not found["stuck"]:
        ends, _, _ = found["poisoned"]
        assert ends > 0, "malformed messages stop its workers"
    assert found["code"] == 0
