"""What a browser elsewhere sees of this machine, where the course runs in Codespaces or on Binder."""

import os
from urllib.parse import urlsplit

_BINDER = """\
You are on Binder. A session ends after about 10 minutes in which you do nothing, and after 6 hours at
most. Then all that was here is gone. Memory is short: when you are done with a notebook, choose Close and
Shut Down Notebook in the File menu.
"""
_CODESPACES = """\
You are in a codespace. It stops after 30 minutes in which you do nothing, and keeps your files: start it
again at github.com/codespaces. After 30 days without use it is deleted. Stop it when you are done, as only
some hours of each month are free.
"""
_SAVE = """\
To keep your work: open a terminal (File, New, Terminal) and type workshop save. It says which ZIP file it
made. Find that in the list of files on the left, and choose Download from its menu (right click).
"""


def in_codespaces() -> bool:
    """Return whether this machine is a codespace."""
    return os.environ.get("CODESPACES") == "true" and bool(os.environ.get("CODESPACE_NAME"))


def in_hub() -> bool:
    """Return whether a hub started JupyterLab, as on Binder: nothing else is reached from outside then."""
    return below() != "/"


def below() -> str:
    """Return the path below which JupyterLab has its pages: ``/``, or the hub's, such as ``/user/ann/``."""
    return os.environ.get("JUPYTERHUB_SERVICE_PREFIX") or "/"


def origin() -> str:
    """Return how JupyterLab's address begins in a browser: no other port leads into a codespace."""
    domain = os.environ.get("GITHUB_CODESPACES_PORT_FORWARDING_DOMAIN") or "app.github.dev"
    return f"https://{os.environ['CODESPACE_NAME']}-8888.{domain}"


def address(url: str, page: str) -> str:
    """Return the address under which the attendee's browser finds a page.

    Parameters
    ----------
    url : str
        Its address on this machine, such as ``http://127.0.0.1:5555/flower``.
    page : str
        Its path inside JupyterLab, such as ``flower``.
    """
    if in_hub():
        prefix = os.environ.get("JUPYTERHUB_PUBLIC_URL") or below()
        return f"{prefix.rstrip('/')}/{page}"
    if in_codespaces():
        token = f"?{query}" if (query := urlsplit(url).query) else ""
        return f"{origin()}/{page}{token}"
    return url


def limits() -> str:
    """Return, in words, when a session in a cloud ends and how to keep one's work; nothing elsewhere."""
    if in_codespaces():
        return _CODESPACES + _SAVE
    if in_hub():
        return (_BINDER if os.environ.get("BINDER_LAUNCH_HOST") else "") + _SAVE
    return ""
