"""The longer texts of the services and of a class, as data: ``texts.toml``."""

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

from workshop.errors import WorkshopError


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


def refusal(name: str, /, **values: Any) -> WorkshopError:
    """Return the error that says one of these `words`; what follows "Next:" in them is what to do."""
    seen, _, step = words(name, **values).partition("Next: ")
    return WorkshopError(seen.rstrip(" "), step)
