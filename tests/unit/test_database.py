"""Rows that several threads write at the same time are joined, and each thread hears of its own only."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import pytest

from tests.conftest import wait_for
from workshop.database import Joined


class Table:
    """Notes what is written together, and refuses the row 13; the first time it takes until `go_on`."""

    def __init__(self) -> None:
        self.writes: list[list[int]] = []
        self.go_on = Event()

    def write(self, rows: list[dict[str, Any]]) -> None:
        numbers = [row["number"] for row in rows]
        self.writes.append(numbers)
        self.go_on.wait(40)
        if 13 in numbers:
            raise ValueError("13 is refused")


def test_a_thread_that_is_alone_writes_alone() -> None:
    table = Table()
    table.go_on.set()
    joined = Joined(table.write)
    joined.write({"number": 1})
    with pytest.raises(ValueError, match="13"):
        joined.write({"number": 13})
    assert table.writes == [[1], [13]]


def test_those_that_come_while_one_writes_are_written_together() -> None:
    assert side_by_side(1, 2, 3) == ([[0], [1, 2, 3]], {})


def test_a_bad_row_harms_no_neighbour() -> None:
    writes, errors = side_by_side(1, 13, 3)
    assert writes[:2] == [[0], [1, 3, 13]]
    assert sorted(writes[2:]) == [[1], [3], [13]], "each once more, alone"
    assert errors == {13: "13 is refused"}


def side_by_side(*numbers: int) -> tuple[list[list[int]], dict[int, str]]:
    """Write 0, and the others while that takes its time; return what was written together, and the errors."""
    table = Table()
    joined = Joined(table.write)
    with ThreadPoolExecutor() as threads:
        writing = {0: threads.submit(joined.write, {"number": 0})}
        wait_for(lambda: table.writes, 5, "the first row")
        writing |= {number: threads.submit(joined.write, {"number": number}) for number in numbers}
        wait_for(lambda: len(joined._waiting) == len(numbers), 5, "the others")
        table.go_on.set()
        errors = {number: str(error) for number, each in writing.items() if (error := each.exception())}
    return [sorted(write) for write in table.writes], errors
