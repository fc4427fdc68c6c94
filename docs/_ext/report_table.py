"""Tables of the site that nobody types: what was drawn, from which runs, with which numbers.

They are made of the scripts' titles, of the ``.json`` that each figure and table leaves when it is drawn, of
the recorded runs, and of the package's files of published numbers and of references. The gallery runs before
the first page is read, so the tables are those of this very build.
"""

from __future__ import annotations

import csv
import json
import os
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from docutils.parsers.rst import directives
from figure_role import SECTIONS, scripts, title_of
from sphinx.util.docutils import SphinxDirective

from radiosynth import citations, plotting
from radiosynth.reproduction import figures, published, runs, scales

if TYPE_CHECKING:
    from docutils import nodes
    from sphinx.application import Sphinx

NOTHING = "–"

Record = dict[str, Any]
Numbers = list[tuple[str, str, str]]  # what, as published, here


def record_of(name: str) -> tuple[Record, Path] | None:
    """Return what a figure or table says of itself, and where; None if this build has not drawn it."""
    for folder in ("figures", "tables"):
        path = figures.paper_folder() / folder / f"{name}.json"
        if path.exists():
            return json.loads(path.read_text()), path
    return None


def last_row(name: str) -> dict[str, str]:
    """Return the last row of a table: the sum."""
    with (figures.paper_folder() / "tables" / f"{name}.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))[-1]


def _accuracies(record: Record) -> Numbers:
    stated = published.published()["accuracy"]
    return [
        (plotting.set_label(name), f"{stated[name]['validation']:.2f}", f"{values['val_accuracy']:.3f}")
        for name, values in record["measured"].items()
    ]


def _recalls(record: Record) -> Numbers:
    stated = published.published()["confusion"]
    return [
        (
            f"mean recall, {plotting.set_label(name)}",
            f"{np.trace(matrix) / 4:.3f}",
            f"{np.trace(record['matrices'][f'{name}, by class']) / 4:.3f}",
        )
        for name, matrix in stated.items()
    ]


def _selected(_: Record) -> Numbers:
    kept = sum(row[-1] for row in published.published()["selection"].values())
    row = last_row("table2_selection")
    return [("sources kept", str(kept), row["final"]), ("of these with an image", NOTHING, row["with image"])]


def _split(_: Record) -> Numbers:
    row = last_row("table3_split")
    return [
        (f"{what} sources", row[f"{what}, report"], row[what])
        for what in ("original", "training", "validation")
    ]


def _surveys(_: Record) -> Numbers:
    with (figures.paper_folder() / "tables" / "table1_surveys.csv").open(newline="") as stream:
        here = sum(1 for _ in csv.DictReader(stream))
    return [("surveys", str(len(published.published()["surveys"])), str(here))]


def _parameters(network: str) -> Callable[[Record], Numbers]:
    def numbers(record: Record) -> Numbers:
        here = int(last_row(record["figure"])["parameters"])
        return [("parameters", f"{published.published()['parameters'][network]:,}", f"{here:,}")]

    return numbers


NUMBERS: dict[str, Callable[[Record], Numbers]] = {
    "fig12_training_curves": _accuracies,
    "fig13_confusion_matrices": _recalls,
    "table1_surveys": _surveys,
    "table2_selection": _selected,
    "table3_split": _split,
    "tablea1_generator": _parameters("generator"),
    "tablea2_discriminator": _parameters("discriminator"),
    "tableb1_classifier": _parameters("classifier"),
}


def list_table(header: list[str], rows: list[list[str]], widths: list[int], classes: str = "") -> str:
    """Typeset rows as a table in reStructuredText."""
    lines = [".. list-table::", "   :header-rows: 1", f"   :widths: {' '.join(map(str, widths))}"]
    lines += [f"   :class: {classes}"] if classes else []
    lines.append("")
    for row in [header, *rows]:
        for i, cell in enumerate(row):
            first, *rest = cell.splitlines() or [""]
            lines.append(f"   {'* -' if i == 0 else '  -'} {first}")
            lines += [f"       {line}" if line else "" for line in rest]
    return "\n".join(lines)


class ReportTable(SphinxDirective):
    """``.. report-table:: report fig``: figure, script, data, runs, and numbers beside the published ones."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        """Return the table of the scripts of a section whose names begin so."""
        section, *start = self.arguments[0].split()
        chosen = scripts(directives.choice(section, SECTIONS))
        rows = [self.row(path) for path in chosen if path.stem.startswith(f"plot_{''.join(start)}")]
        header = ["No.", "What it shows, and its script", "Data and runs", "Published → here"]
        return self.parse_text_to_nodes(list_table(header, rows, [7, 41, 28, 24], "report-table"))

    def row(self, script: Path) -> list[str]:
        """Return the cells of one figure."""
        name = script.stem.removeprefix("plot_")
        number, title = title_of(script)
        self.env.note_dependency(str(script))
        shown = f"| {title}\n| :figure:`{name}`"
        found = record_of(name)
        if found is None:
            return [number, shown, "not drawn in this build", NOTHING]
        record, path = found
        self.env.note_dependency(str(path))
        place = "/" + os.path.relpath(path, self.env.srcdir).replace(os.sep, "/")
        source = record["data"] or "no survey data"
        if "FIRST" in source:
            source = ":doc:`FIRST images </methods/data_and_selection>`"
        lines = [source, *(f":ref:`{short(run)} <run-{run}>`" for run in record["runs"])]
        lines.append(f"{record['scale']} scale, :download:`record <{place}>`")
        numbers = NUMBERS[name](record) if name in NUMBERS else []
        compared = "\n".join(f"| {what}: **{stated} → {here}**" for what, stated, here in numbers)
        return [number, shown, "\n".join(f"| {line}" for line in lines), compared or NOTHING]


def short(run: str) -> str:
    """Return the name of a run without its hash; studies have none."""
    if "-study-" in run:
        return run.partition("-")[2]
    return run.rsplit("-", 1)[0].partition("-")[2]


class ReportRuns(SphinxDirective):
    """``.. report-runs::``: the runs behind all figures and tables of this build."""

    def run(self) -> list[nodes.Node]:
        """Return the table."""
        names: set[str] = set()
        for script in scripts():
            if found := record_of(script.stem.removeprefix("plot_")):
                names.update(found[0]["runs"])
                self.env.note_dependency(str(found[1]))
        rows = []
        for name in sorted(names):
            study = runs.runs_root() / name / "study.json"
            if study.exists():
                made = json.loads(study.read_text())
                number = sum(len(configs) for configs in made["arms"].values())
                done = f"{number} runs in {len(made['arms'])} conditions, {made['seconds_training']:,} s"
                rows.append([f".. _run-{name}:\n\n``{name}``", done, place_of(made)])
                continue
            try:
                run = runs.find_run(name)
            except FileNotFoundError:
                rows.append([f".. _run-{name}:\n\n``{name}``", "not saved on this machine", NOTHING])
                continue
            made = run.provenance
            number = made["training_images"]
            images = sum(number.values()) if isinstance(number, dict) else number
            trained = f"{images:,} images, {run.config.settings.epochs} epochs, "
            trained += f"{made['seconds_training']:.0f} s"
            rows.append([f".. _run-{name}:\n\n``{name}``", trained, place_of(made)])
        if not rows:
            return self.parse_text_to_nodes("No run is behind the figures of this build.")
        header = ["Run", "Trained on, for how long", "Where and when"]
        return self.parse_text_to_nodes(list_table(header, rows, [42, 28, 30], "report-table"))


def place_of(made: Record) -> str:
    """Return where and when something was computed."""
    device = f"| {made['device']}, Keras {made['versions']['keras']} on {made['backend']}"
    return f"{device}\n| {made['finished'][:10]}, commit ``{made['commit']}``"


class TrainingTime(SphinxDirective):
    """``.. training-time:: fig12_training_curves``: how long the runs behind a page took, where they ran."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the sentence; nothing if no run is behind the page."""
        seconds: dict[str, float] = defaultdict(float)
        record, path = record_of(self.arguments[0]) or ({"runs": []}, None)
        for name in record["runs"]:
            study = runs.runs_root() / name / "study.json"
            made = json.loads(study.read_text()) if study.exists() else runs.find_run(name).provenance
            seconds[made["device"].partition(":")[0]] += made["seconds_training"]
        if not seconds:
            return []
        self.env.note_dependency(str(path))
        parts = [
            f"{max(1, round(t / 60))} {'minute' if t < 90 else 'minutes'} on a {device.upper()}"
            for device, t in seconds.items()
        ]
        drawn = "loaded for it" if record["loaded"] else "made for it"
        text = (
            f"**Training time of the {record['scale']} runs behind this page**, {drawn}: {', '.join(parts)}, "
            "all runs added up, several of which may have been at work at a time."
        )
        return self.parse_text_to_nodes(text)


def add_training_time(app: Sphinx, page: str, source: list[str]) -> None:
    """Let each page of the gallery say how long its runs took, before the time that it took itself."""
    if page.startswith("gallery/") and "/plot_" in page:
        mark, name = ".. rst-class:: sphx-glr-timing", page.rpartition("/plot_")[2]
        source[0] = source[0].replace(mark, f".. training-time:: {name}\n\n{mark}", 1)


class Finding(SphinxDirective):
    """``.. finding::``: whether synthetic images help, by the largest study that is recorded."""

    def run(self) -> list[nodes.Node]:
        """Return the paragraph; nothing if there is no such study."""
        recorded = [
            path.parent
            for scale in scales.SCALES
            for path in runs.runs_root().glob(f"{scale}-study-protocol/summary.json")
        ]
        if not recorded:
            return []
        found = []
        for number, folder in enumerate(reversed(recorded)):
            self.env.note_dependency(str(folder / "summary.json"))
            numbers = json.loads((folder / "summary.json").read_text())["numbers"]
            scale = folder.name.partition("-")[0]
            if scale == "smoke" and number:
                continue  # where anything better is known, it says nothing
            found.append(finding(scale, numbers, short=number > 0))
        return self.parse_text_to_nodes("\n\n".join(found).replace(" -", " −").replace("(-", "(−"))


def finding(scale: str, numbers: dict[str, dict[str, float]], *, short: bool) -> str:
    """Say what a study of the three training sets found, at length or beside another."""
    changes = (
        ("real+geometric", numbers["change: real+geometric"]),
        ("real+gan", numbers["training.gain of real+gan"]),
    )
    geometric, adversarial = (
        f"{points(change)} ({points(numbers[f'balanced change: {condition}'])} by balanced accuracy), "
        f"{said(change['finding'])}"
        for condition, change in changes
    )
    real, balanced = (
        f"{100 * numbers[f'{kind}: real']['value']:.1f} %" for kind in ("accuracy", "balanced accuracy")
    )
    tested = numbers["divisions"]["value"]
    if short:
        return (
            f"At {scale} scale, with {tested} folds, it is {real} with real images (balanced {balanced}). "
            f"Geometric simulations change it by {geometric}; images of an adversarial network by "
            f"{adversarial}. {unfinished(numbers)}"
        )
    return (
        f"Here the sources were divided into ten folds, {tested} of which were tested by networks that "
        f"never saw them (:figure:`study1_protocol`, {scale} scale): the accuracy is {real} with real images "
        f"alone, the balanced accuracy, in which each class counts alike, {balanced}. "
        f"Geometric simulations change the accuracy by {geometric}; images of an adversarial network by "
        f"{adversarial}. Ranges are 95 % intervals. {unfinished(numbers)}"
    )


def unfinished(numbers: dict[str, dict[str, float]]) -> str:
    """Say so if the networks were still learning when their training ended."""
    late = numbers["change: all epochs, not three tenths of them (real)"]
    if late["low"] <= 0:
        return ""
    return (
        f"At this scale training is short: the last seven tenths of it add {100 * late['value']:.1f} points, "
        "so the answer may change where it is longer."
    )


def points(change: dict[str, float]) -> str:
    """Return a change of accuracy in percentage points, with its interval."""
    value, low, high = (100 * change[part] for part in ("value", "low", "high"))
    return f"{value:+.1f} points, {low:+.1f} to {high:+.1f}"


def said(finding: str) -> str:
    """Return what `radiosynth.reproduction.comparisons.finding` says, as part of a sentence."""
    return finding if finding == "not established" else f"a {finding}"


class CitationEntry(SphinxDirective):
    """``.. citation-entry:: first``: the BibTeX of what `radiosynth.citations` knows by that name."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the entries, to be copied."""
        _, _, entries = citations(self.arguments[0]).partition("\n\n")
        indented = "\n".join(f"   {line}" for line in entries.splitlines())
        return self.parse_text_to_nodes(f".. code-block:: bibtex\n\n{indented}")


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("report-table", ReportTable)
    app.add_directive("report-runs", ReportRuns)
    app.add_directive("citation-entry", CitationEntry)
    app.add_directive("finding", Finding)
    app.add_directive("training-time", TrainingTime)
    app.connect("source-read", add_training_time)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
