"""Who has passed what, of those who share it: machines add to a table at their central, and can't read it."""

import pandas as pd
import psycopg
import sqlalchemy as sa

from backstage.challenges.verdict import Verdict, texts
from backstage.classroom.cards import site
from workshop import settings
from workshop.database import fetch
from workshop.errors import WorkshopError

_SHARE = "INSERT INTO geopython.verdicts (challenge, code) VALUES (%(challenge)s, %(code)s)"
_SHARED = """
    SELECT DISTINCT ON (machine, challenge)
           machine, challenge, CASE WHEN code LIKE '%-PASSED' THEN 'passed' ELSE code END AS verdict
    FROM geopython.verdicts ORDER BY machine, challenge, at DESC
"""


def share(challenge: int, verdict: Verdict) -> None:
    """Tell the central that this machine has joined what a check found, under the machine's account.

    Parameters
    ----------
    challenge : int
        A number from 1 to 5.
    verdict : Verdict
        What it found; only its code is sent.

    Raises
    ------
    WorkshopError
        If this machine has not joined.
    """
    if not settings.joined():
        raise WorkshopError("Not shared: this machine has not joined a central.", "workshop join")
    try:
        fetch(_SHARE, {"challenge": challenge, "code": verdict.code})
    except sa.exc.DBAPIError as error:
        raise WorkshopError(f"Not shared: the central says: {error.orig}", "the same in a while") from error


def shared() -> pd.DataFrame:
    """Return the latest verdict that each machine shared: a row for each, a column for each challenge.

    Raises
    ------
    WorkshopError
        If no central is open here.
    """
    with psycopg.connect(site().database_url.replace("+psycopg", ""), connect_timeout=5) as database:
        rows = database.execute(_SHARED).fetchall()
    found = pd.DataFrame(rows, columns=["machine", "challenge", "verdict"])
    table = found.pivot(index="machine", columns="challenge", values="verdict").fillna("")
    return table.reindex(columns=range(1, len(texts()["titles"]) + 1), fill_value="")
