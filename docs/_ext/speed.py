"""The page of benchmarks: tables and figures of ``paper/runs/benchmarks.json``, which ``benchmarks`` writes.

``.. speed:: simulation`` is the table of a task, ``.. speed-setting::`` says where and when, and
``.. installation::`` what it takes to install the package.
"""

from __future__ import annotations

import json
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import LogLocator
from report_table import NOTHING, list_table
from sphinx.util.docutils import SphinxDirective

from radiosynth import plotting

if TYPE_CHECKING:
    from docutils import nodes
    from matplotlib.axes import Axes
    from sphinx.application import Sphinx

RECORD = Path(__file__).parents[2] / "paper" / "runs" / "benchmarks.json"
MADE = Path(__file__).parents[1] / "_made"
BUSY = 2.0
"""Processes that wanted a core before a measurement began, above which its times are not to be trusted.
One of them is the part before."""
STYLES = (
    {"color": plotting.VALIDATION, "ls": "--", "marker": "s"},
    {"color": plotting.TRAINING, "ls": "-.", "marker": "^"},
    {"color": plotting.DENSE, "ls": ":", "marker": "D"},
    {"color": "#CC79A7", "ls": (0, (5, 1, 1, 1, 1, 1)), "marker": "v"},
)

Row = dict[str, Any]


def record() -> dict[str, Any]:
    """Return the parts of the record, by name."""
    return json.loads(RECORD.read_text("utf-8"))


def rows_of(task: str) -> list[Row]:
    """Return the comparisons of a task."""
    return [row for part in record().values() for row in part["comparisons"] if row["task"] == task]


def number(value: float) -> str:
    """Return two or three digits, with separators of thousands."""
    digits = 2 if value < 1 else 3
    rounded = float(f"{value:.{digits}g}")
    return f"{rounded:,.0f}" if rounded >= 10 else f"{rounded:g}"


def rate(row: Row, who: str) -> str:
    """Return images a second."""
    return number(row["number"] / row["seconds"][who][1])


def memory(row: Row, who: str) -> str:
    """Return megabytes, if they could be measured."""
    value = row["memory"][who]
    return NOTHING if value is None else f"{value / 1e6:,.{0 if value > 1e7 else 1}f}"


class Speed(SphinxDirective):
    """The directive ``speed``: the comparisons of a task as a table, and what each of them compares."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        """Return the table and the notes."""
        self.env.note_dependency(str(RECORD))
        found = rows_of(self.arguments[0])
        if not found:
            return self.parse_text_to_nodes("Not measured.")
        limits = {row["limit"]["of"] for row in found if row["limit"]}
        threads = any("all cores" in row["seconds"] for row in found)
        table = []
        for row in found:
            low, median, high = map(number, row["ratio"])
            case = row["what"] or f"{row['number']:,} × {row['size']} px"
            cells = [
                row["peer"],
                case,
                rate(row, "peer"),
                rate(row, "ours"),
                f"**{median}** ({low} to {high})",
            ]
            if threads:
                every = row["seconds"].get("all cores")
                cells.append(number(row["seconds"]["peer"][1] / every[1]) if every else NOTHING)
            sides = {side: memory(row, side) for side in ("peer", "ours")}
            cells.append(" / ".join(sides.values()) if set(sides.values()) != {NOTHING} else NOTHING)
            if row["limit"]:
                cells.append(f"{number(100 * row['limit']['fraction'])} %")
            table.append(cells)
        header = ["Peer", "Images", "peer, images/s", "here, images/s", "ratio (quartiles)"]
        header += ["ratio, all cores"] if threads else []
        header += ["MB, peer / here", *([f"of the limit ({', '.join(sorted(limits))})"] if limits else [])]
        widths = [18, 18, 11, 11, 18, *([10] if threads else []), 12, *([12] if limits else [])]
        text = list_table(header, table, widths) + "\n\n"
        for peer, group in groupby(found, key=lambda row: row["peer"]):
            rows = list(group)
            largest = max(row["difference"] for row in rows)
            said = "identical results" if not largest else f"largest difference {largest:.1g}"
            text += f"* **{peer}**: {rows[0]['note']} ({said.capitalize()}.)\n"
        return self.parse_text_to_nodes(text)


class Setting(SphinxDirective):
    """The directive ``speed-setting``: where and when the parts of the record were measured."""

    def run(self) -> list[nodes.Node]:
        """Return a table of the parts, and the versions."""
        self.env.note_dependency(str(RECORD))
        rows, versions, machines = [], {}, set()
        for name, part in record().items():
            about, limits = part["setting"], part.get("limits", {})
            copy, product = (limits.get(f"{each}_per_second", 0) / 1e9 for each in ("bytes", "flop"))
            load = NOTHING if about["load"] is None else f"{about['load']:.1f}"
            most = [f"{value:.0f}" if value else NOTHING for value in (copy, product)]
            seconds = str(part["seconds"]["wall"])
            rows.append([name, about["date"], f"``{about['commit']}``", load, *most, seconds])
            versions |= about["versions"]
            machines.add(f"{about['processor']}, {about['cores']} cores, {about['system']}")
        header = ["Part", "date", "commit", "load before", "copy, GB/s", "product, Gflop/s", "took, s"]
        text = f"Machine: {'; '.join(sorted(machines))}.\n\n"
        text += list_table(header, rows, [16, 14, 22, 12, 12, 14, 10]) + "\n\n"
        busy = [row[0] for row in rows if row[3] != NOTHING and float(row[3]) > BUSY]
        if busy:
            text += (
                ".. warning::\n\n   Other programs were running. Times of these parts, and in part "
                f"their ratios, are not to be relied on: {', '.join(busy)}.\n\n"
            )
        missing = {peer: why for part in record().values() for peer, why in part["missing"].items()}
        if missing:
            text += f"Not measured: {'; '.join(f'{peer} ({why})' for peer, why in missing.items())}.\n\n"
        listed = ", ".join(f"{name} {version}" for name, version in versions.items())
        return self.parse_text_to_nodes(f"{text}Versions: {listed}.")


class Installation(SphinxDirective):
    """The directive ``installation``: seconds, megabytes and the largest packages."""

    def run(self) -> list[nodes.Node]:
        """Return two sentences and a table."""
        self.env.note_dependency(str(RECORD))
        part = record()["installation"]
        if "installation" not in part:
            return self.parse_text_to_nodes(f"Not measured: {'; '.join(part['missing'].values())}.")
        found = part["installation"]
        seconds, size = found["seconds"], found["bytes"]
        text = (
            f"With everything it needs, the package is a download of {size['download'] / 1e6:,.0f} MB in "
            f"{found['packages']} wheels, which took {seconds['download']:.0f} s here. Installing them into "
            f"an empty environment takes {seconds['installation']:.0f} s, and they fill "
            f"{size['installed'] / 1e9:.1f} GB. The five largest:\n\n"
        )
        rows = [[each["name"], f"{each['bytes'] / 1e6:,.0f}", each["why"]] for each in found["largest"]]
        return self.parse_text_to_nodes(text + list_table(["Package", "MB", "What for"], rows, [24, 10, 66]))


# Figures ----------------------------------------------------------------------------------------------


def growth(axes: Axes, task: str, over: str, fixed: tuple[str, int] | None, label: str) -> None:
    """Draw images a second against what grows: ours, the mean over the peers' runs, and each peer."""
    rows = [row for row in rows_of(task) if fixed is None or row[fixed[0]] == fixed[1]]
    ours: dict[int, list[float]] = {}
    for style, (peer, group) in zip(STYLES, groupby(rows, key=lambda row: row["peer"]), strict=False):
        x, y = [], []
        for row in group:
            x.append(int(row["what"].split()[-1]) if over == "batch" else row[over])
            y.append(row["number"] / row["seconds"]["peer"][1])
            ours.setdefault(x[-1], []).append(row["number"] / row["seconds"]["ours"][1])
        axes.plot(x, y, label=peer, ms=4, **style)
    axes.set_title(task)
    if not rows:
        axes.set_axis_off()
        return
    xs = sorted(ours)
    axes.plot(xs, [np.exp(np.mean(np.log(ours[x]))) for x in xs], "ko-", ms=4, label="radiosynth")
    axes.set(xscale="log", yscale="log", xlabel=label)
    axes.set_xticks(xs, [f"{x:,}" for x in xs])
    axes.minorticks_off()
    bottom, top = axes.get_ylim()
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if top < 50 * bottom else (1,)))
    axes.yaxis.set_major_formatter("{x:,g}")
    axes.grid(alpha=0.25, lw=0.5)
    low, high = axes.get_ylim()
    axes.set_ylim(low, high * (high / low) ** 0.5)  # room for the legend
    axes.legend(loc="upper center", ncol=2, fontsize=6, handlelength=1.4, columnspacing=0.6)


def draw(path: Path, panels: list[tuple[str, str, tuple[str, int] | None, str]]) -> None:
    """Draw six panels to a file."""
    with plt.rc_context():
        plotting.use_style()
        figure, axes = plt.subplots(2, 3, figsize=(8.6, 5.2))
        for panel, what in zip(axes.flat, panels, strict=True):
            growth(panel, *what)
        for panel in axes[:, 0]:
            panel.set_ylabel("images / s, one core")
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path)
        plt.close(figure)


def prepare(app: Sphinx) -> None:
    """Draw both figures."""
    by_number = [("simulation", ("size", 56)), ("rotation", ("size", 56)), ("threshold", ("size", 150))]
    by_number += [("resizing", ("size", 150)), ("reading FITS", ("size", 150)), ("drawing", None)]
    draw(MADE / "speed_number.svg", [(task, "number", at, "images") for task, at in by_number])
    steps = [f"training: {name}" for name in ("classifier", "GAN", "VAE")]
    draw(
        MADE / "speed_size.svg",
        [
            ("simulation", "size", ("number", 100), "edge of the images / pixels"),
            ("rotation", "size", ("number", 100), "edge of the images / pixels"),
            ("prediction", "number", None, "images"),
            *[(task, "batch", ("number", 256), "images in a batch") for task in steps],
        ],
    )


def setup(app: Sphinx) -> dict[str, bool]:
    """Add the directives, and draw the figures before the first page is read."""
    app.add_directive("speed", Speed)
    app.add_directive("speed-setting", Setting)
    app.add_directive("installation", Installation)
    app.connect("builder-inited", prepare)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
