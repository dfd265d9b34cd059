"""A QGIS project that shows the two tables as they fill: an extra, as in 2018, for who has QGIS."""

import os
from pathlib import Path

import sqlalchemy as sa
from folium.template import Template

from workshop.colours import NATIONS
from workshop.settings import database_url

SECONDS = 5
"""How often QGIS reads `grid_squares` again."""


def write_project(target: str | Path = "squares.qgs") -> Path:
    """Write a project with the nations, and above them the squares in their colours, read again and again.

    Parameters
    ----------
    target : str or Path
        The file. Only its owner can read it, as it holds the password of the database.

    Returns
    -------
    Path
        The file, to be opened in QGIS.
    """
    url, file = sa.make_url(database_url()), Path(target).resolve()
    host, port = url.host, url.port or 5432
    for pair in os.environ.get("WORKSHOP_PUBLISHED", "").split():  # in containers: QGIS runs beside them
        name, _, published = pair.partition("=")
        if host == name == "postgis":
            host, port = "127.0.0.1", int(published)
    parts = {"dbname": url.database, "host": host, "port": port, "user": url.username}
    words = [f"{name}={_quoted(value)}" for name, value in (parts | {"password": url.password}).items()]
    tables = [
        {
            "name": name,
            "seconds": seconds,
            "source": f'{" ".join(words)} srid=27700 type={kind} table="geopython"."{name}" (geom)',
        }
        for name, kind, seconds in (("grid_squares", "Polygon", SECONDS), ("uk_boundary", "MultiPolygon", 0))
    ]
    template = Template(Path(__file__).with_suffix(".xml").read_text(encoding="utf-8"), autoescape=True)
    file.touch(mode=0o600)
    file.chmod(0o600)
    file.write_text(template.render(tables=tables, nations=NATIONS), encoding="utf-8")
    return file


def _quoted(value: object) -> str:
    return "'" + str(value).replace("\\", "\\\\").replace("'", "\\'") + "'"
