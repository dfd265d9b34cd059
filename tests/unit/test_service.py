"""The artificial fault strikes by rule, not by chance."""

import random

import pytest

from workshop import settings
from workshop.service import geoprocess, is_faulty


@pytest.fixture
def points() -> list[tuple[int, int]]:
    chance = random.Random(2018)
    return [(chance.randrange(700_000), chance.randrange(1_300_000)) for _ in range(20_000)]


@pytest.fixture
def one_in_ten(monkeypatch):
    monkeypatch.setattr(settings, "fault_rate", lambda: 0.1)


@pytest.mark.solved_course
def test_off_by_default(points):
    assert not any(is_faulty(x, y, errors=0) for x, y in points)


def test_strikes_one_attempt_in_ten(points, one_in_ten):
    first = [(x, y) for x, y in points if is_faulty(x, y, errors=0)]
    second = [(x, y) for x, y in first if is_faulty(x, y, errors=1)]
    assert len(first) == pytest.approx(2000, abs=150)
    assert len(second) == pytest.approx(200, abs=50)


def test_strikes_the_same_points_each_time(points, one_in_ten):
    once = [is_faulty(x, y, errors=0) for x, y in points]
    again = [is_faulty(float(x), float(y), errors=0) for x, y in points]
    assert once == again


def test_never_strikes_a_fourth_time(monkeypatch):
    monkeypatch.setattr(settings, "fault_rate", lambda: 1)
    assert [is_faulty(2, 3, errors) for errors in range(5)] == [True, True, True, False, False]


def test_a_bad_point_is_refused_before_the_database_is_asked(monkeypatch):
    monkeypatch.setattr("workshop.db.fetch", lambda *_: pytest.fail("the database was asked"))
    with pytest.raises(ValueError, match="y must be a number of metres with 0 <= y < 1300000, not None"):
        geoprocess(2, None)
