"""The same without a queue: two processes of this program share the points, one at a time."""

from multiprocessing import Pool

from benchmarks.programs.point import store


def do_task(point: tuple[int, int]) -> None:
    """Write the square around a point."""
    store(*point, "pool")


def send_all(points: list[tuple[int, int]]) -> None:
    """Have all points done."""
    with Pool(2) as pool:
        for _ in pool.imap_unordered(do_task, points):
            pass
