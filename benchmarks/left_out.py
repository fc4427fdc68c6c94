"""Accuracy on a catalogue that no training image comes from, with and without the robust training.

For each of the six catalogues of the comparison (`left-out-catalogue` in its protocol) networks of the
default classifier's architecture learn all published images but those of the catalogue and those within
270 arcsec of them: once from the images as they are (before), once with degraded images and catalogues
balanced within a class, as the default network did (after). Both learn the labels, for 50 epochs; a teacher,
as the default network had, would have seen the catalogue. Printed is the balanced accuracy over the
classes of the catalogue, before and after, and the change, with 95 % intervals from resampling sources.

    python benchmarks/left_out.py --jobs 2   # three minutes a network with bfloat16; resumes if repeated
"""

from __future__ import annotations

import argparse
import itertools
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import radiosynth
from radiosynth import classification, preprocessing
from radiosynth._io import read_arrays, write_arrays
from radiosynth.metrics import class_mean
from radiosynth.reproduction import provenance
from radiosynth.reproduction.parallel import run_missing
from radiosynth.reproduction.protocol import protocol
from radiosynth.reproduction.runs import runs_root
from radiosynth.reproduction.verdict import far_from

SIZE, PARTS = 192, ("before", "after")
CATALOGUES = protocol()["parts"]["left-out-catalogue"]["catalogues"]
SHARED = {"epochs": 50, "precision": "mixed_bfloat16"}
ROBUST = {"degrade": 0.12, "balance_catalogues": True}


@dataclass(frozen=True)
class Network:
    catalogue: str
    part: str
    seed: int

    @property
    def name(self) -> str:
        return f"{self.catalogue}-{self.part}-seed{self.seed}"

    @property
    def file(self) -> Path:
        return runs_root() / "left-out" / f"{self.name}.npz"


def train(network: Network, time_limit: float | None = None) -> Path:
    """Train a network and keep what it says of each source of the catalogue."""
    published = preprocessing.preprocess_unresized(radiosynth.load_first_dataset(size=SIZE), SIZE)
    test = published[np.asarray(published.table["catalogue"]) == network.catalogue]
    others = published[far_from(published, test)]
    robust = ROBUST if network.part == "after" else {}
    settings = classification.OnTheFlySettings(seed=network.seed, **SHARED, **robust)
    work = network.file.with_name(f".{network.name}")
    model, history = classification.train_on_the_fly(others, settings, folder=work, time_limit=time_limit)
    about = {"seconds": round(sum(history["seconds"]), 1), "training_images": others.counts()}
    write_arrays(
        network.file,
        provenance=json.dumps({**provenance.provenance(), **about}),
        names=np.asarray(test.table["griese_key"], "S"),
        labels=test.labels.astype(np.int8),
        probabilities=classification.predict(model, test.images).astype(np.float16),
    )
    shutil.rmtree(work, ignore_errors=True)
    return network.file


def correct(catalogue: str, part: str, seeds: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the classes of the sources of a catalogue, and which proportion of the networks finds each."""
    kinds = {"labels": "i1", "probabilities": "f2"}
    stored = [read_arrays(Network(catalogue, part, seed).file, kinds) for seed in range(seeds)]
    hits = [each["probabilities"].argmax(axis=1) == each["labels"] for each in stored]
    return stored[0]["labels"].astype(int), np.mean(hits, axis=0)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--jobs", type=int, default=1, help="networks at a time (default: 1)")
    parser.add_argument("--seeds", type=int, default=1, help="networks of each kind (default: 1)")
    options = parser.parse_args()
    asked = [Network(*each) for each in itertools.product(CATALOGUES, PARTS, range(options.seeds))]
    run_missing(train, asked, lambda network: network.file.exists(), "networks", options.jobs, None)
    for catalogue in CATALOGUES:
        (labels, before), (_, after) = (correct(catalogue, part, options.seeds) for part in PARTS)
        values = [class_mean(labels, each) for each in (before, after, after - before)]
        said = (f"{100 * v:.1f} ({100 * low:.1f} to {100 * high:.1f})" for v, low, high in values)
        print(catalogue, len(labels), *said, sep=" | ")


if __name__ == "__main__":
    main()
