"""The longer texts of the services and of a class, as data: ``texts.toml``."""

import tomllib
from functools import cache
from pathlib import Path
from typing import Any


@cache
def _texts() -> dict[str, str]:
    return tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))


def words(name: str, /, **values: Any) -> str:
    """Return a text.

    Parameters
    ----------
    name : str
        Its name in ``texts.toml``.
    **values
        What belongs in its places.
    """
    return _texts()[name].format(**values)
