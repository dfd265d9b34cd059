"""What pages get of the squares: what is new to each of them, whose it is, and how fast it goes."""

import numpy as np
import pytest

from backstage.classroom import board
from backstage.classroom.board import Board, ago, part, seconds_left
from workshop import maps, raster

EDINBURGH = 673 * 700 + 325


@pytest.fixture
def shown() -> Board:
    shown = Board()
    show(shown, {EDINBURGH: shown.number("machine02", "SCT")})
    return shown


def show(shown: Board, more: dict[int, int]) -> None:
    squares = shown._squares.copy()
    squares[[*more]] = [*more.values()]
    shown.show(squares)


def test_a_new_page_gets_all_and_then_what_is_new(shown: Board) -> None:
    first = shown.frame("machine", "")
    assert (first["fresh"], first["squares"]) == (True, [(raster.colour("machine02"), [EDINBURGH])])
    show(shown, {5: shown.number("machine01", "SEA")})
    second = shown.frame("machine", first["since"])
    assert (second["fresh"], second["squares"]) == (False, [(raster.colour("machine01"), [5])])
    assert shown.frame("machine", second["since"])["squares"] == []


def test_colours_stand_for_nations_too_and_the_sea_is_drawn_first(shown: Board) -> None:
    show(shown, {5: shown.number("machine02", "SEA")})
    colours = [maps.NATIONS[code][1] for code in ("SEA", "SCT")]
    assert [its for its, _ in shown.frame("nation", "")["squares"]] == colours


def test_machines_of_the_same_colour_are_both_drawn(shown: Board) -> None:
    show(shown, {5: shown.number("machine01", "ENG"), 7: shown.number("machine43", "ENG")})
    its = raster.colour("machine01")
    assert shown.frame("machine", "")["squares"][:2] == [(its, [7]), (its, [5])]


def test_after_a_reset_every_page_begins_anew(shown: Board) -> None:
    before = shown.frame("nation", "")["since"]
    shown.show(np.zeros(910_000, np.int32))
    after = shown.frame("nation", before)
    assert (after["fresh"], after["squares"]) == (True, [])


def test_rates_count_from_the_first_look(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([100, 102, 104, 130, 131])
    monkeypatch.setattr(board.time, "monotonic", lambda: next(clock))
    shown = Board()
    assert shown.rates({"a": 2_500}) == {"a": 0}
    assert shown.rates({"a": 2_510, "b": 4}) == {"a": 5, "b": 2}
    assert shown.rates({"a": 2_510, "b": 4})["a"] == 2.5
    assert shown.rates({"a": 2_536, "b": 4})["a"] == 1, "of the last seconds, as far as anybody looked"
    assert shown.rates({"a": 3})["a"] == 0, "the tables were emptied"


def test_the_estimated_end_is_that_of_all_tasks_to_come() -> None:
    assert seconds_left(600, 10) == 60


@pytest.mark.parametrize(("todo", "rate"), [(0, 10), (0, 0), (100, 0), (10**6, 0.1)])
def test_there_is_no_end_without_work_or_workers_or_within_a_day(todo: int, rate: float) -> None:
    assert seconds_left(todo, rate) is None


def test_shares_and_times_in_words() -> None:
    assert [part(1, 3), part(2999, 3000), part(3, 3), part(0, 0)] == ["33.3 %", "99.9 %", "100 %", "0 %"]
    assert [ago(9.6), ago(150), ago(7300), ago(float("inf"))] == ["10 s", "2 min", "2 h", "999 h"]
