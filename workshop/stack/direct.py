"""Asks this course's own pages over HTTP, never through a proxy: what is asked holds passwords and tokens."""

from typing import Any
from urllib.request import ProxyHandler, Request, build_opener

_OPENER = build_opener(ProxyHandler({}))


def open_page(request: str | Request, timeout: float) -> Any:
    """Return the answer to a request, as `urllib.request.urlopen` does.

    Parameters
    ----------
    request : str or urllib.request.Request
        The address, or a request with headers and a body.
    timeout : float
        Seconds that the other side has.

    Raises
    ------
    OSError
        If it does not answer, or refuses.
    """
    return _OPENER.open(request, timeout=timeout)
