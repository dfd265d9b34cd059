"""The nations that tasks look up, and the land around them that maps draw.

SOURCE.md says where they come from, and `workshop.data.build` makes the files.
"""

from pathlib import Path

BOUNDARY = Path(__file__).with_name("uk_boundary.geojson")
"""Five nations as GeoJSON: code, name and a MultiPolygon on the British National Grid (EPSG:27700)."""

NEIGHBOURS = BOUNDARY.with_name("neighbours.geojson")
"""Ireland, France and the Faroe Islands where they lie on the grid: for maps only, no task looks them up."""
