"""Makes ``speed.md`` of what was measured: medians of ratios to the baseline, each within its round."""

import json
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.contenders import BASELINE, CONTENDERS

RESULTS = Path(__file__).parent / "results"
"""Where the figures of the repository are."""

PARTS = ("worker", "postgis", "rabbitmq")
"""Whose processor time is called the cost of a task."""

_RATIOS = {
    "end to end": "{:,.0f}/s",
    "drain": "{:,.0f}/s",
    "enqueue": "{:,.0f}/s",
    "enqueue alone": "{:,.0f}/s",
    "cost": "{:,.0f} µs",
    "memory": "{:,.0f} MiB",
}
"""What the table shows as ratios, and how the baseline's own figure is written."""

_READ = f"""\
Each figure is a median over the rounds, in which all take turns: of the ratio to *{BASELINE}* in the same
round, with the least and the greatest in brackets. *End to end* is from the first point sent to the last row
written, by workers that are at work; *drain* is a queue that was full when they started; *enqueue* is the
producer's loop, beside these workers, or *alone*. *Cost* is a task's processor time in worker, PostgreSQL and
RabbitMQ, in whose columns it stands in microseconds. *Memory* is the most that the workers had (PSS: what
processes share counts once). *Start-up* is from the worker's command to its first row, in seconds."""


def save(folder: Path, part: str, found: dict[str, Any]) -> None:
    """Write what was measured to ``speed.json``, in place of that part's older figures, and ``speed.md``."""
    folder.mkdir(parents=True, exist_ok=True)
    whole = load(folder) | {part: found}
    (folder / "speed.json").write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
    (folder / "speed.md").write_text(_text(whole), encoding="utf-8")


def load(folder: Path) -> dict[str, Any]:
    """Return what was measured, by part: ``rounds`` of all contenders, or ``large`` of the course alone."""
    file = folder / "speed.json"
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}


def runs(part: dict[str, Any]) -> pd.DataFrame:
    """Return a row for each run of a part, with what a task cost in all."""
    table = pd.DataFrame(part["runs"])
    return table.assign(cost=table[[*PARTS]].sum(axis="columns") * 1e6)


def ratios(table: pd.DataFrame) -> pd.DataFrame:
    """Return each run's figures divided by the baseline's of the same round and number of tasks."""
    groups = table.set_index(["round", "tasks", "contender"]).groupby(
        level=["round", "tasks"], group_keys=False
    )
    return groups.apply(lambda each: each / each.xs(BASELINE, level="contender").iloc[0]).reset_index()


def _text(found: dict[str, Any]) -> str:
    parts = ["# Speed"]
    if "rounds" in found:
        parts += [found["rounds"]["machine"], _READ]
        for tasks, each in runs(found["rounds"]).groupby("tasks"):
            rounds = each["round"].nunique()
            parts += [f"## {tasks:,} tasks, {f'{rounds} rounds' if rounds > 1 else 'once'}", _table(each)]
        parts.append("\n".join(f"- *{each.name}*: {each.about}." for each in CONTENDERS))
    if "large" in found:
        small, large = runs(found["large"]).to_dict("records")
        parts += [
            f"## {large['tasks']:,} tasks, once",
            found["large"]["machine"],
            f"A task costs {large['cost'] / small['cost']:.2f} of what it costs among {small['tasks']:,}; "
            f"{large['end to end']:,.0f} are done in a second, instead of {small['end to end']:,.0f}.",
        ]
    return "\n\n".join(parts) + "\n"


def _table(table: pd.DataFrame) -> str:
    by_name = ratios(table).groupby("contender")
    low, middle, high = by_name.min(), by_name.median(), by_name.max()
    figures = table.groupby("contender").median()
    parts = [*PARTS, "producer"]
    lines = [["", *_RATIOS, *parts, "start-up"], ["---"] * (len(_RATIOS) + len(parts) + 2)]
    for name in (each.name for each in CONTENDERS if each.name in figures.index):
        own = figures.loc[name]
        shown = [
            unit.format(own[key])
            if name == BASELINE
            else _ratio(*(each.loc[name, key] for each in (middle, low, high)))
            for key, unit in _RATIOS.items()
        ]
        costs = [_figure(own[part] * 1e6, "{:,.0f}") for part in parts]
        lines.append([f"**{name}**", *shown, *costs, _figure(own["start-up"], "{:.1f}")])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _ratio(middle: float, low: float, high: float) -> str:
    return _figure(middle, "{:.2f}" if low == high else f"{{:.2f}} ({low:.2f} to {high:.2f})")


def _figure(value: float, shape: str) -> str:
    """Write a figure; some contenders have none, such as a pool that enqueues nothing."""
    return "" if pd.isna(value) else shape.format(value)
