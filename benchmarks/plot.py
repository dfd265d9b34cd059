"""Draws ``speed.svg`` of what was measured: ``python -m benchmarks.plot``."""

from pathlib import Path

import click
import matplotlib
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from benchmarks import report
from benchmarks.contenders import BASELINE, CONTENDERS

_LOOKS = {
    "worker": ("#0072B2", ""),
    "postgis": ("#E69F00", "//"),
    "rabbitmq": ("#009E73", ".."),
}
"""Colours of Okabe and Ito, which people tell apart however they see colours, and patterns for print."""


@click.command()
@click.option("--results", default=report.RESULTS, type=click.Path(path_type=Path, exists=True))
def main(results: Path) -> None:
    """Draw the short runs of all contenders: how fast each is, and what a task costs."""
    matplotlib.rcParams |= {"svg.fonttype": "none", "svg.hashsalt": "speed", "font.size": 9}
    table = report.runs(report.load(results)["rounds"])
    table = table[table.tasks == table.tasks.min()]
    figures = table.groupby("contender").median()
    names = [each.name for each in reversed(CONTENDERS) if each.name in figures.index]
    size = (9, 1 + 0.4 * len(names))
    figure, (left, right) = plt.subplots(1, 2, figsize=size, sharey=True, layout="constrained")
    _draw_speed(left, report.ratios(table).groupby("contender")["end to end"].median()[names])
    _draw_cost(right, figures.loc[names, [*report.PARTS]] * 1e6)
    figure.savefig(results / "speed.svg", metadata={"Date": None})


def _draw_speed(axes: Axes, ratio: pd.Series) -> None:
    colours = ["#999999" if name == BASELINE else "#56B4E9" for name in ratio.index]
    axes.bar_label(axes.barh(ratio.index, ratio, color=colours), fmt="%.2f", padding=3)
    axes.axvline(1, color="#000000", linewidth=0.8)
    axes.set_xlabel(f"tasks per second, end to end ({BASELINE} = 1)")
    axes.margins(x=0.15)


def _draw_cost(axes: Axes, cost: pd.DataFrame) -> None:
    left = 0.0 * cost.sum(axis="columns")
    for part, (colour, hatch) in _LOOKS.items():
        bars = axes.barh(
            cost.index, cost[part], left=left, color=colour, hatch=hatch, edgecolor="white", label=part
        )
        left += cost[part].fillna(0)
    axes.bar_label(bars, labels=[f"{each:,.0f}" for each in left], padding=3)
    axes.set_xlabel("processor time of a task (microseconds)")
    axes.margins(x=0.15)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, 1.12), ncols=len(_LOOKS), frameon=False)


if __name__ == "__main__":
    main()
