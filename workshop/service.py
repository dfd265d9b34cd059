"""The geoprocessing that a task does, and the fault that challenge 2 is about."""

import time
from hashlib import sha256

from workshop import db, grid, settings
from workshop.delivery.task import current_attempt


class ServiceError(Exception):
    """A service did not answer this time. It is worth trying again."""


def geoprocess(x: float, y: float) -> str:
    """Find the nation at a point and write the 1 km grid square around it to PostGIS.

    Parameters
    ----------
    x, y : float
        Easting and northing in metres on the British National Grid (EPSG:27700).

    Returns
    -------
    str
        The square's grid reference, such as ``NT2573``.

    Raises
    ------
    ValueError
        If x or y is not a number on the grid.
    ServiceError
        If the artificial fault strikes; see `is_faulty`.
    workshop.db.BoundaryMissing
        If the nations are not in the database.
    """
    grid.check_point(x, y)
    attempt = current_attempt()
    if pace := settings.pace():
        time.sleep(pace / 1000)

    if is_faulty(x, y, attempt.errors):
        raise ServiceError(f"No answer for ({x}, {y}) at attempt {attempt.number}")

    reference = grid.reference(x, y)
    db.store_square(
        task_id=attempt.task_id,
        grid_ref=reference,
        x=x,
        y=y,
        worker=attempt.worker,
        attempt=attempt.number,
    )
    return reference


def is_faulty(x: float, y: float, errors: int) -> bool:
    """Return whether the artificial fault strikes: by the point and its errors so far, never by chance.

    Parameters
    ----------
    x, y : float
        The point, in metres (EPSG:27700).
    errors : int
        How often this task has met a `ServiceError` before. After three the fault leaves it alone.
    """
    digest = sha256(f"{float(x)} {float(y)} {errors}".encode()).digest()
    share = int.from_bytes(digest[:4]) / 2**32
    return errors < 3 and share < settings.fault_rate()
