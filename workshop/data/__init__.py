"""The nations that tasks look up.

SOURCE.md says where they come from, and `workshop.data.build` makes the file.
"""

from pathlib import Path

BOUNDARY = Path(__file__).with_name("uk_boundary.geojson")
"""Five nations as GeoJSON: code, name and a MultiPolygon on the British National Grid (EPSG:27700)."""
