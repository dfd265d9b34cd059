"""Shows on a terminal what others wrote: task names, error texts, machines' names, lines of logs.

A control character in it could move the cursor, colour the rest, set the window's title or hide a line.
"""

from unicodedata import category


def visible(text: str, keep: str = "\n\t") -> str:
    r"""Return a text with each character that does more than to stand there written out, such as ``\x1b``.

    Parameters
    ----------
    text : str
        What others wrote. Letters of all languages, signs and spaces stay as they are.
    keep : str
        Which control characters stay too; none where the text must be one line.
    """
    return "".join(each if _stands(each) or each in keep else repr(each)[1:-1] for each in text)


def _stands(character: str) -> bool:
    return character.isprintable() or category(character) == "Zs"  # all kinds of spaces, too
