"""Collect the numbers of the paper from the records of figures, tables, runs and studies.

    python paper/records.py        # print them, each with where it comes from

The result is one dictionary, which the text reads by name. A record that is missing is an error with its
name and the command that makes it. Only the standard library is needed.
"""

from __future__ import annotations

import csv
import json
import os
import sys
from collections import Counter
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent

FIGURES = (
    "fig01_first_cutouts",
    "fig06_gan_loop",
    "fig07_preprocessing",
    "fig08_geometric_grid",
    "fig09_gan_training",
    "fig11_classifier",
    "fig12_training_curves",
    "fig13_confusion_matrices",
    "figC1_side_by_side",
    "gan4_realism",
    "study2_published_code",
    "verdict1_convergence",
    "verdict2_comparison",
    "verdict3_few_labels",
)
TABLES = (
    "table1_surveys",
    "table2_selection",
    "table3_split",
    "gan4_realism",
    "published_reproduced",
    "verdict1_convergence",
    "verdict2_test",
    "verdict2_external",
    "verdict2_parts",
    "verdict3_few_labels",
    "verdict4_ratio",
)
SAID = ("brief", "design", "outside")  # of the comparison of training sets
SCALES = ("smoke", "laptop", "report")


class MissingRecordError(Exception):
    """Records that the paper needs are missing, or do not fit together."""


def runs_root(root: Path) -> Path:
    """Return the folder of runs, as `radiosynth.reproduction.runs.runs_root` does in a source tree."""
    return Path(os.environ.get("RADIOSYNTH_RUNS") or root / "paper" / "runs").expanduser()


def collect(root: Path = ROOT, paper: Path | None = None) -> dict[str, Any]:
    """Return all numbers of the paper by name, with their source, and what holds for all of them.

    Figures and tables are those in the folder `paper`, that of the root if not given.

    Raises
    ------
    MissingRecordError
        If a record is missing, or the figures were not all made at one scale.
    """
    paper = paper or root / "paper"
    records, faults = read_records(paper)
    # Studies and the comparison take hours: those that are saved are shown, whatever the scale of the others.
    other = ("study", "verdict", "table verdict")
    of_one_scale = {name: record for name, record in records.items() if not name.startswith(other)}
    made = Counter(record["scale"] for record in of_one_scale.values())
    scale = made.most_common(1)[0][0] if made else "smoke"
    if len(made) > 1:
        odd = [
            f"{name} ({record['scale']})" for name, record in of_one_scale.items() if record["scale"] != scale
        ]
        faults.append(f"figures of several scales: most are {scale}, but not {', '.join(odd)}")
    numbers: dict[str, Any] = {}
    runs = {name for record in of_one_scale.values() for name in record["runs"]}
    for name in sorted(runs):
        try:
            numbers |= numbers_of_run(runs_root(root) / name)
        except (OSError, KeyError, ValueError) as error:
            faults.append(f"run {name}: {error!r}")
    studies, of_studies = read_studies(runs_root(root))
    numbers |= of_studies
    if faults:
        msg = "the paper cannot be built:\n  " + "\n  ".join(faults)
        msg += f"\nto draw what is missing: tox -e figures -- --scale {scale}"
        raise MissingRecordError(msg)
    comparison = read_table(paper / "tables" / "published_reproduced.csv")
    for row in comparison:
        numbers[f"{row['section']}: {row['number']}"] = {
            **{key: as_number(row[key]) for key in ("published", "low", "high")},
            "value": as_number(row["reproduced"]),
            **{key: row[key] for key in ("verdict", "source", "remark")},
        }
    verdicts = [row["verdict"] for row in comparison]
    measured = [row["verdict"] for row in comparison if row["kind"] == "measured"]
    return {
        "scale": scale,
        "studies": studies,
        "comparison": {key: records["verdict2_comparison"][key] for key in SAID},
        "verdicts": {each: verdicts.count(each) for each in ("agrees", "differs", "cannot be reproduced")},
        "measured": {each: measured.count(each) for each in ("agrees", "differs")},
        "versions": records["fig12_training_curves"]["versions"],
        "data": records["fig01_first_cutouts"]["data_sha256"],
        "numbers": numbers,
    }


def read_records(paper: Path) -> tuple[dict[str, Any], list[str]]:
    """Return the records beside figures and tables by name, and what is wrong with them."""
    records, faults = {}, []
    for folder, names, suffixes in (("figures", FIGURES, (".pdf", ".png")), ("tables", TABLES, (".csv",))):
        for name in names:
            path = paper / folder / f"{name}.json"
            missing = [each for each in (path, *map(path.with_suffix, suffixes)) if not each.exists()]
            if missing:
                faults += [f"{folder[:-1]} {name}: {each} is missing" for each in missing]
            else:
                records[name if folder == "figures" else f"table {name}"] = json.loads(
                    path.read_text("utf-8")
                )
    return records, faults


def read_studies(folder: Path) -> tuple[dict[str, str], dict[str, Any]]:
    """Return the largest saved scale of each study, and its numbers."""
    scales, numbers = {}, {}
    for scale in SCALES:  # the largest last
        for path in sorted(folder.glob(f"{scale}-study-*/summary.json")):
            study = json.loads(path.read_text("utf-8"))
            scales[study["name"]] = scale
            for key, number in study["numbers"].items():
                numbers[f"study {study['name']}: {key}"] = {**number, "source": path.parent.name}
    return scales, numbers


def numbers_of_run(folder: Path) -> dict[str, Any]:
    """Return what the text says of one run: its settings, device, images and seconds."""
    config = json.loads((folder / "config.json").read_text("utf-8"))
    record = json.loads((folder / "provenance.json").read_text("utf-8"))
    label = config.get("training_set") or f"gan {config['morphology']}"
    values = {
        "epochs": config["epochs"],
        "batch": config["batch_size"],
        "width": config["width"],
        "images": sum(record["training_images"].values()),
        "minutes": record["seconds_training"] / 60,
        "device": record["device"],
    }
    return {f"run {label}: {key}": {"value": value, "source": folder.name} for key, value in values.items()}


def read_table(path: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV file."""
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def as_number(text: str) -> float | None:
    """Return the number in a cell, or None if it is empty."""
    return float(text) if text else None


if __name__ == "__main__":
    try:
        print(json.dumps(collect(), indent=1, ensure_ascii=False))
    except MissingRecordError as error:
        sys.exit(str(error))
