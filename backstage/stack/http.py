"""Asks this course's own pages over HTTP, never through a proxy: what is asked holds passwords and tokens."""

import json
from base64 import b64encode
from typing import Any
from urllib.request import ProxyHandler, Request, build_opener

from backstage.stack.site import Site

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


def ask_rabbitmq(site: Site, path: str, content: Any = None, method: str | None = None) -> bytes:
    """Return what RabbitMQ's management interface answers.

    Parameters
    ----------
    site : Site
        Where it is.
    path : str
        What is asked for, such as ``/api/vhosts``.
    content : object, optional
        What is sent there (as JSON); without it, something is only looked at.
    method : str, optional
        What else is to be done there: ``PUT`` or ``DELETE``.

    Raises
    ------
    OSError
        If it does not answer, or refuses.
    """
    login = b64encode(b"celery_user:secret").decode()
    headers = {"Authorization": f"Basic {login}", "Content-Type": "application/json"}
    body = None if content is None else json.dumps(content).encode()
    request = Request(site.management_url + path, body, headers, method=method)
    with open_page(request, timeout=30 if body or method else 3) as answer:
        return answer.read()
