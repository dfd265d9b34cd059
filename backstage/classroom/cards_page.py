"""A page with the cards of a central, to print and hand out; it holds passwords and is this user's own."""

from pathlib import Path

from backstage.classroom.card import Card
from backstage.stack.central_config import central_folder

NAME = "cards.html"

_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Cards of the central queue</title>
<style>
:root {{ --paper: #fff; --ink: #1a1a1a; --line: #666; }}
@media (prefers-color-scheme: dark) {{ :root {{ --paper: #16181c; --ink: #f1f1f1; --line: #9a9a9a; }} }}
body {{ background: var(--paper); color: var(--ink); font: 1rem/1.4 system-ui, sans-serif; margin: 1rem; }}
main {{ display: grid; grid-template-columns: repeat(auto-fill, minmax(min(22rem, 100%), 1fr)); }}
article {{
  border: 1px dashed var(--line); padding: 0.6rem 1rem; margin: -1px 0 0 -1px; break-inside: avoid;
}}
h2 {{ font-size: 1.2rem; margin: 0; }}
p {{ margin: 0.4rem 0; }}
dl {{ display: grid; grid-template-columns: max-content 1fr; column-gap: 1rem; margin: 0.4rem 0; }}
dd {{ margin: 0; }}
code, dd {{ font-family: ui-monospace, Consolas, monospace; overflow-wrap: anywhere; }}
.code {{ font-size: 1.25em; }}
@media print {{
  @page {{ size: A4; margin: 10mm; }}
  :root {{ --paper: #fff; --ink: #000; --line: #666; }}
  body {{ margin: 0; font-size: 9pt; }}
  header {{ display: none; }}
  main {{ grid-template-columns: 1fr 1fr; }}
}}
</style>
</head>
<body>
<header>
<h1>Cards of the central queue</h1>
<p>{number} cards, one for each machine. Print this page, cut along the lines, and give each machine one card:
two machines with one card would be one to the others. Whoever has a card may take tasks and write rows, so
don't publish this page. All cards end on {until}, or with <code>workshop class stop</code>.</p>
</header>
<main>
{cards}
</main>
</body>
</html>
"""

_CARD = """\
<article>
<h2>{card.machine}</h2>
<dl>
<dt>user</dt><dd>{card.machine}</dd>
<dt>password</dt><dd>{card.password}</dd>
<dt>host</dt><dd>{card.host}</dd>
<dt>broker's port</dt><dd>{card.broker_port}</dd>
<dt>virtual host</dt><dd>{card.broker.virtual_host}</dd>
<dt>database's port</dt><dd>{card.database_port}</dd>
<dt>database</dt><dd>{card.database.name}</dd>
</dl>
<p>Code, until {until}:<br><code class="code">{card.code}</code></p>
<p>Open notebook 03, write this code into <code>CODE = ""</code>, and build both addresses there.<br>
Stuck? In a terminal of JupyterLab: <code>workshop join</code> and the code. To go back:
<code>workshop leave</code></p>
</article>"""


def write(cards: list[Card]) -> Path:
    """Write the page into the folder of the central, and return where it is."""
    path = central_folder() / NAME
    path.touch(mode=0o600)
    path.write_text(page(cards), encoding="utf-8")
    return path


def page(cards: list[Card]) -> str:
    """Return the page: HTML that needs nothing else, neither scripts nor a network."""
    until = f"{cards[0].until.astimezone():%Y-%m-%d %H:%M %Z}"  # as the clocks of this place show it
    articles = [_CARD.format(card=card, until=until) for card in cards]
    return _PAGE.format(number=len(cards), until=until, cards="\n".join(articles))
