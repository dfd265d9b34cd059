"""What the benchmark makes of its figures; that it measures at all is tested with services."""

import random

import pytest

from benchmarks import plot, report
from benchmarks.contenders import CONTENDERS
from benchmarks.producer import points
from benchmarks.programs.point import reference
from workshop import grid


def run(number: int, contender: str, rate: float, **others: float | None) -> dict[str, object]:
    parts = {"worker": 0.0005, "postgis": 0.0002, "rabbitmq": 0.0003, "producer": 0.0001}
    rates = {"end to end": rate, "enqueue": 3 * rate, "enqueue alone": 4 * rate, "drain": rate}
    return (
        {"round": number, "contender": contender, "tasks": 2500, "start-up": 2.0, "memory": 100.0}
        | parts
        | rates
        | others
    )


RUNS = [
    *(run(1, "2018 design", 1000), run(1, "course", 1200)),
    *(run(2, "course", 700, worker=0.0015), run(2, "2018 design", 500)),
    *(run(3, "2018 design", 100), run(3, "course", 90)),
    *(run(3, "Pool(2), no queue", 200, enqueue=None, **{"enqueue alone": None, "drain": None}),),
]


def test_a_run_is_compared_with_the_baseline_of_its_own_round():
    ratios = report.ratios(report.runs({"runs": RUNS}))
    course = ratios[ratios.contender == "course"]
    assert dict(zip(course["round"], course["end to end"], strict=True)) == pytest.approx(
        {1: 1.2, 2: 1.4, 3: 0.9}
    )
    assert course.cost.tolist() == pytest.approx([1, 2, 1])


def test_the_report_shows_medians_and_names_the_machine(tmp_path):
    report.save(tmp_path, "rounds", {"machine": "Measured on a machine.", "runs": RUNS})
    text = (tmp_path / "speed.md").read_text()
    assert "Measured on a machine." in text
    assert "## 2,500 tasks, 3 rounds" in text
    assert "| **2018 design** | 500/s |" in text
    assert "| **course** | 1.20 (0.90 to 1.40) |" in text
    assert "nan" not in text


def test_the_large_run_stands_beside_the_rounds(tmp_path):
    report.save(tmp_path, "rounds", {"machine": "Here.", "runs": RUNS})
    large = run(1, "course", 1100, tasks=250_000, worker=0.0006)
    report.save(tmp_path, "large", {"machine": "There.", "runs": [run(1, "course", 1000), large]})
    text = (tmp_path / "speed.md").read_text()
    assert "| **course** |" in text
    assert "## 250,000 tasks, once" in text
    assert "A task costs 1.10 of what it costs among 2,500" in text


def test_the_plot_has_a_bar_for_each(tmp_path):
    report.save(tmp_path, "rounds", {"machine": "Here.", "runs": RUNS})
    plot.main(["--results", str(tmp_path)], standalone_mode=False)
    drawn = (tmp_path / "speed.svg").read_text()
    for label in ("2018 design", "course", "1.20", "rabbitmq", "microseconds"):
        assert label in drawn


def test_all_programs_get_the_points_of_the_course_itself(monkeypatch):
    from workshop import demo

    monkeypatch.setattr(demo, "_chance", random.Random(7))
    assert points(50, 7) == [(demo.get_random_x(), demo.get_random_y()) for _ in range(50)]


def test_their_rows_have_the_references_of_the_course():
    corners = [(0, 0), (699_999, 1_299_999), (499_999, 500_000), (500_000, 499_999)]
    for point in corners + points(500, 1):
        assert reference(*point) == grid.reference(*point)


def test_each_contender_has_a_name_of_its_own():
    assert len({each.name for each in CONTENDERS}) == len(CONTENDERS)
