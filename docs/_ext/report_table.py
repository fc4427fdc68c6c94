"""Generated tables and sentences of the site: what was drawn, from which runs, with which numbers.

They are made from the titles of the scripts, the ``.json`` written beside each figure and table, the saved
runs, and the package's published numbers and references. The gallery runs before the first page is read, so
the tables are those of the current build.
"""

from __future__ import annotations

import csv
import json
import os
import re
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from docutils.parsers.rst import directives
from figure_role import SECTIONS, script_of, scripts, title_of
from scipy import stats
from sphinx.util.docutils import SphinxDirective

from radiosynth import citations, plotting
from radiosynth.reproduction import analysis, figures, presets, published, runs, scales

if TYPE_CHECKING:
    from docutils import nodes
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

NOTHING = "–"
NOTES = ("left out, blank", "the generator in ", "the GAN of ")
"""How notes begin that scripts print each time they load the same images or networks."""

Record = dict[str, Any]
Numbers = list[tuple[str, str, str]]  # what, as published, here


def record_of(name: str) -> tuple[Record, Path] | None:
    """Return what a figure or table says of itself, and where; None if this build has not drawn it."""
    for folder in ("figures", "tables"):
        path = figures.paper_folder() / folder / f"{name}.json"
        if path.exists():
            return json.loads(path.read_text()), path
    return None


def table_rows(name: str) -> list[dict[str, str]]:
    """Return the rows of a table; none if this build has not made it."""
    path = figures.paper_folder() / "tables" / f"{name}.csv"
    if not path.exists():
        return []
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def last_row(name: str) -> dict[str, str]:
    """Return the last row of a table: the sum."""
    return table_rows(name)[-1]


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
    kept = published.published()["selection"]["total"][-1]
    row = last_row("table2_selection")
    return [("sources kept", str(kept), row["final"]), ("of these with an image", NOTHING, row["with image"])]


def _split(_: Record) -> Numbers:
    row = last_row("table3_split")
    return [
        (f"{what} sources", row[f"{what}, report"], row[what])
        for what in ("original", "training", "validation")
    ]


def _surveys(_: Record) -> Numbers:
    here = len(table_rows("table1_surveys"))
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


def site_path(env: BuildEnvironment, path: Path) -> str:
    """Return where pages find a file; the one that is being read is made again when the file changes."""
    env.note_dependency(str(path))
    return "/" + os.path.relpath(path, env.srcdir).replace(os.sep, "/")


class ReportTable(SphinxDirective):
    """``.. report-table:: report fig``: figure, script, data, runs, and numbers beside the published ones."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        """Return the table of the scripts of a section whose names begin so."""
        section, *start = self.arguments[0].split()
        chosen = scripts(directives.choice(section, SECTIONS))
        rows = [self.row(path) for path in chosen if path.stem.startswith(f"plot_{''.join(start)}")]
        header = ["No.", "What it shows", "Data and runs", "Published → here"]
        return self.parse_text_to_nodes(list_table(header, rows, [7, 41, 28, 24], "report-table"))

    def row(self, script: Path) -> list[str]:
        """Return the cells of one figure."""
        name = script.stem.removeprefix("plot_")
        number, title = title_of(script)
        self.env.note_dependency(str(script))
        shown = f":doc:`{title} </gallery/{script.parent.name}/{script.stem}>`"
        found = record_of(name)
        if found is None:
            return [number, shown, "not drawn in this build", NOTHING]
        record, path = found
        source = record["data"] or "no survey data"
        if "FIRST" in source:
            source = ":doc:`FIRST images </methods/data_and_selection>`"
        lines = [source, *(f":ref:`{short(run)} <run-{run}>`" for run in record["runs"])]
        lines.append(
            f"{scales.shown(record['scale'])} scale, :download:`provenance <{site_path(self.env, path)}>`"
        )
        numbers = NUMBERS[name](record) if name in NUMBERS else []
        compared = "\n".join(f"| {what}: **{stated} → {here}**" for what, stated, here in numbers)
        return [number, shown, "\n".join(f"| {line}" for line in lines), compared or NOTHING]


def short(run: str) -> str:
    """Return the name of a run without its hash; studies have none."""
    if "-study-" in run:
        return run.partition("-")[2]
    return run.rsplit("-", 1)[0].partition("-")[2]


def trained(name: str) -> Record:
    """Return what a run or a study says of its training, with ``done``: how much of it there was."""
    study = runs.runs_root() / name / "study.json"
    if study.exists():
        made = json.loads(study.read_text())
        number = sum(len(configs) for configs in made["arms"].values())
        done = f"{number} runs in {len(made['arms'])} conditions, {made['seconds_training']:,} s"
        return made | {"done": done}
    run = runs.find_run(name)
    made, epochs = run.provenance, run.config.settings.epochs
    number = made["training_images"]
    images = sum(number.values()) if isinstance(number, dict) else number
    return made | {"done": f"{images:,} images, {epochs} epochs, {made['seconds_training']:.0f} s"}


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
            try:
                made = trained(name)
                cells = [made["done"], place_of(made)]
            except FileNotFoundError:
                cells = ["not saved on this machine", NOTHING]
            rows.append([f".. _run-{name}:\n\n``{name}``", *cells])
        if not rows:
            return self.parse_text_to_nodes("The figures of this build use no runs.")
        header = ["Run", "Training", "Where and when"]
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
            made = trained(name)
            seconds[made["device"].partition(":")[0]] += made["seconds_training"]
        if not seconds:
            return []
        self.env.note_dependency(str(path))
        parts = [
            f"{max(1, round(t / 60))} {'minute' if t < 90 else 'minutes'} on a {device.upper()}"
            for device, t in seconds.items()
        ]
        drawn = "loaded from saved runs" if record["loaded"] else "computed for it"
        text = (
            f"**Training time of the {scales.shown(record['scale'])}-scale runs on this page**, {drawn}: "
            f"{', '.join(parts)}, summed over all runs, some of which may have run in parallel."
        )
        return self.parse_text_to_nodes(text)


def arrange_gallery_page(app: Sphinx, page: str, source: list[str]) -> None:
    """Put the first figure and its numbers at the top of a gallery page, and the training time at its end."""
    if not (page.startswith("gallery/") and "/plot_" in page):
        return
    name = page.rpartition("/plot_")[2]
    script = script_of(name)
    assert script is not None
    title = title_of(script)[1]
    text = re.sub(r"(?<=:alt: ).*", title, once(source[0]))
    begin, underline, rest = re.split(r"^(={10,}\n\n)", text, maxsplit=1, flags=re.M)
    first, _, rest = rest.partition("\n\n")
    picture = re.search(r"^\.\. image-sg::.*\n(?: +.*\n)+", rest, re.M)
    shown = picture[0] if picture else ""
    rest = rest.replace(shown, "", 1)
    text = f"{begin}{underline}{first}\n\n{shown}\n.. outcome:: {name}\n\n{rest}"
    mark = ".. rst-class:: sphx-glr-timing"
    text = text.replace(mark, f".. training-time:: {name}\n\n{mark}", 1)
    # There are no headings to list beside the code, which needs the room.
    source[0] = f":html_theme.sidebar_secondary.remove:\n\n{text}"


def once(text: str) -> str:
    """Return the text of a page with each note of the library only where it is first printed."""
    seen: set[str] = set()
    lines = []
    for line in text.splitlines(keepends=True):
        note = line.strip()
        if note.startswith(NOTES):
            if note in seen:
                continue
            seen.add(note)
        lines.append(line)
    # What is left of an output with nothing but such notes.
    empty = r"\.\. rst-class:: sphx-glr-script-out\n\n \.\. code-block:: none\n\s*\n(?=\S)"
    return re.sub(empty, "", "".join(lines))


class Outcome(SphinxDirective):
    """``.. outcome:: fig12_training_curves``: what came out, beside the published numbers."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return a list; nothing where no number can be compared."""
        name = self.arguments[0]
        found = record_of(name)
        if found is None:
            return []
        record, path = found
        self.env.note_dependency(str(path))
        if "brief" in record:
            return self.parse_text_to_nodes(emphasised(record["brief"]))
        if rows := changes_of(name):
            header = ["", "change in accuracy (95 %)", "p", "finding"]
            return self.parse_text_to_nodes(list_table(header, rows, [34, 32, 12, 22]))
        if name not in NUMBERS:
            return []
        rows = [[what, stated, f"**{here}**"] for what, stated, here in NUMBERS[name](record)]
        header = ["", "report", f"here ({scales.shown(record['scale'])} scale)"]
        return self.parse_text_to_nodes(list_table(header, rows, [40, 30, 30]))


def changes_of(name: str) -> list[list[str]]:
    """Return the changes of a study with their findings, from its table, if it has one."""
    rows = table_rows(name)
    if not rows or not {"compared_with", "finding"} <= rows[0].keys():
        return []
    name = next(iter(rows[0]))  # of the column of conditions, the first one
    return [
        [
            f"{row[name]} against {row['compared_with']}",
            points(*(float(row[column]) for column in ("difference", "low", "high"))),
            row["p_value"],
            row["finding"],
        ]
        for row in rows
        if row[name] != row["compared_with"]
    ]


def points(*change: float) -> str:
    """Return a change of accuracy in percentage points, with its interval."""
    value, low, high = (f"{100 * part:.1f}".replace("-", "−") for part in change)
    sign = "+" if change[0] > 0 else ""
    return f"{sign}{value} points ({low} to {high})"


class Drawn(SphinxDirective):
    """``.. drawn:: fig02_neuron``: a figure of the gallery, with a caption that links to its page."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the figure; nothing if this build has not drawn it."""
        name = self.arguments[0]
        path, script = figures.paper_folder() / "figures" / f"{name}.png", script_of(name)
        if script is None or not path.exists():
            return []
        number, title = title_of(script)
        end = "" if title.endswith("?") else "."
        caption = f":figure:`{name}`" + (f": {title[0].lower() + title[1:]}{end}" if number else "")
        text = f".. figure:: {site_path(self.env, path)}\n   :alt: {title}\n   :width: 38rem\n\n   {caption}"
        return self.parse_text_to_nodes(text)


class Finding(SphinxDirective):
    """``.. finding::``: whether synthetic images help, by the comparison; ``brief``: in one sentence."""

    optional_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the paragraph."""
        brief = self.arguments == ["brief"]
        drawn = record_of("verdict2_comparison")  # in this build: to find out again takes ten seconds
        key = "brief" if brief else "verdict"
        said = drawn[0][key] if drawn else analysis.verdict(brief=brief)
        return self.parse_text_to_nodes(emphasised(said) if brief else said)


def emphasised(finding: str) -> str:
    """Return a finding with what was found, the words before each "when", in bold type."""
    return re.sub(r"(^|, |; )([^,;()]+?)(?= when )", r"\1**\2**", finding)


class Best(SphinxDirective):
    """``.. best::``: the accuracy of the default classifier beside the published ones."""

    def run(self) -> list[nodes.Node]:
        """Return the sentence."""
        stored = runs.find_run(presets.student_config().name).predictions
        labels = stored["labels"]
        hits = int(np.sum(stored["probabilities"].argmax(axis=1) == labels))
        ends = stats.binomtest(hits, len(labels)).proportion_ci(method="wilson")
        ensemble = runs.find_run(presets.ensemble_config("report").name).predictions
        members = (ensemble["members"].argmax(axis=2) == ensemble["labels"]).mean()
        theirs = 100 * max(published.published()["rustige"].values())
        n = len(labels)
        return self.parse_text_to_nodes(
            f"The classifier that comes with the package assigns {100 * hits / n:.1f} % of {n} test images "
            f"to the correct class (95 % interval {100 * ends.low:.1f} to {100 * ends.high:.1f} %). Networks "
            "trained on four of the five published folds, whose ensemble it is distilled from, reach "
            f"{100 * members:.1f} % on average; the best published average of such networks is {theirs:.2f} "
            "% (:cite:t:`rustige2023`; :figure:`best1_accuracy`). Model card: :doc:`/methods/model_card`."
        )


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
    app.add_directive("best", Best)
    app.add_directive("drawn", Drawn)
    app.add_directive("outcome", Outcome)
    app.add_directive("training-time", TrainingTime)
    app.connect("source-read", arrange_gallery_page)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
