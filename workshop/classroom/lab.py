"""Asks the JupyterLab of this stack to save, close and open documents, so that no page undoes a reset."""


def save_and_close(paths: list[str]) -> list[str]:
    """Save and close the documents of these files, and return their names.

    Parameters
    ----------
    paths : list of str
        Files that are about to change, relative to the course's folder, with forward slashes.
    """
    return []


def reopen(path: str) -> None:
    """Open a document in the JupyterLab of this stack, if one runs."""
