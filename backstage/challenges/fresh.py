"""Runs as a process of its own and imports what attendees edit; `backstage.challenges.program` asks it."""

import json
import sys
from itertools import takewhile
from typing import Any

import workshop.tasks  # noqa: F401
from workshop import grid, service, settings


def count_errors(points: list[list[Any]], fault_rate: float) -> list[int]:
    """Return how often each point meets the artificial fault, as the attendee's own service has it."""
    settings.fault_rate = lambda: fault_rate

    def errors(*point: Any) -> int:
        try:
            grid.check_point(*point)
        except (TypeError, ValueError):  # such a task fails before the fault can strike
            return 0
        x, y = point
        return len(list(takewhile(lambda before: service.is_faulty(x, y, before), range(10))))

    return [errors(*point) for point in points]


if __name__ == "__main__":
    print(json.dumps(count_errors(**json.load(sys.stdin))))
