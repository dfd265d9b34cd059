"""The project for QGIS: it can be read, names the database, and has the colours of the map."""

from xml.etree import ElementTree

import pytest

from workshop import colours, qgis


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.setattr(qgis, "database_url", lambda: "postgresql+psycopg://me:it's%5C@somewhere:1234/a-db")
    return qgis.write_project(tmp_path / "squares.qgs")


def test_both_tables_are_there_and_the_squares_come_again(project):
    squares, nations = ElementTree.parse(project).getroot().iter("maplayer")
    assert squares.findtext("datasource") == (
        r"user=me password=it\'s\\ dbname=a-db host=somewhere port=1234 srid=27700 type=Polygon "
        'table="geopython"."grid_squares" (geom)'
    )
    assert 'table="geopython"."uk_boundary" (geom)' in (nations.findtext("datasource") or "")
    assert [layer.get("autoRefreshTime") for layer in (squares, nations)] == ["5000", "0"]


def test_squares_have_the_colours_of_the_map(project):
    squares = next(ElementTree.parse(project).getroot().iter("maplayer"))
    fills = [
        prop.get("v")
        for symbol in squares.iter("symbol")
        for prop in symbol.iter("prop")
        if prop.get("k") == "color"
    ]
    labels = [category.get("label") for category in squares.iter("category")]
    assert list(zip(labels, fills, strict=True)) == list(colours.NATIONS.values())


@pytest.mark.posix
def test_only_the_owner_reads_its_password(project):
    assert project.stat().st_mode & 0o077 == 0
