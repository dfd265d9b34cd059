"""A QGIS project that shows the two tables as they fill: an extra, as in 2018, for who has QGIS."""

import os
from pathlib import Path
from typing import Any

from folium.template import Template
from psycopg.conninfo import conninfo_to_dict, make_conninfo

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
    where: dict[str, Any] = conninfo_to_dict(database_url().replace("+psycopg", "", 1))
    for pair in os.environ.get("WORKSHOP_PUBLISHED", "").split():  # in containers: QGIS runs beside them
        name, _, published = pair.partition("=")
        if where["host"] == name == "postgis":
            where |= {"host": "127.0.0.1", "port": published}
    tables = [
        {
            "name": name,
            "seconds": seconds,
            "source": f'{make_conninfo(**where)} srid=27700 type={kind} table="geopython"."{name}" (geom)',
        }
        for name, kind, seconds in (("grid_squares", "Polygon", SECONDS), ("uk_boundary", "MultiPolygon", 0))
    ]
    template = Template(Path(__file__).with_suffix(".xml").read_text(encoding="utf-8"), autoescape=True)
    file = Path(target).resolve()
    file.touch(mode=0o600)
    file.chmod(0o600)
    file.write_text(template.render(tables=tables, nations=NATIONS), encoding="utf-8")
    return file
