"""The design of the comparison of training sets, written in ``protocol.toml``, and its networks."""

from __future__ import annotations

import hashlib
import itertools
import json
import tomllib
from dataclasses import dataclass, fields, replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from radiosynth.records import runs_root


@cache
def protocol() -> dict[str, Any]:
    """Return the design of the comparison as it is written down."""
    return tomllib.loads(files(__package__).joinpath("protocol.toml").read_text("utf-8"))


@dataclass(frozen=True)
class Trial:
    """One network of the comparison: what it learns from, and everything that its numbers depend on.

    Parameters
    ----------
    condition : str
        Name of the condition, for the record.
    fold, seed : int
        The fold that tests, and the seed of weights, views and synthetic images.
    synthetic : str
        Kind of synthetic images; none if empty.
    ratio : float
        Synthetic views for each real one.
    times : int
        Multiple of the exposure to real images.
    pretrain : bool
        Show the synthetic images first, then the real ones, instead of mixing them.
    fraction : float
        Proportion of the training sources of each class that is used.
    left_out : str
        Catalogue whose sources test, in the place of a fold; all other published images train.
    exposure, epochs, batch_size, learning_rate, width, precision, architecture, synthetic_per_class
        As in the protocol.
    """

    condition: str
    fold: int = 0
    seed: int = 0
    synthetic: str = ""
    ratio: float = 0.0
    times: int = 1
    pretrain: bool = False
    fraction: float = 1.0
    left_out: str = ""
    exposure: int = 240_000
    epochs: int = 15
    batch_size: int = 32
    learning_rate: float = 1e-3
    width: float = 0.5
    precision: str = "mixed_bfloat16"
    architecture: str = "report"
    synthetic_per_class: int = 6000

    @property
    def hash(self) -> str:
        """First 12 hexadecimal digits of the sha256 of all that is not at its default, but for the name."""
        changes = {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) != f.default}
        del changes["condition"]
        return hashlib.sha256(json.dumps(changes, sort_keys=True).encode()).hexdigest()[:12]

    @property
    def name(self) -> str:
        """Name of the file that it is saved in, without suffix."""
        condition = self.condition.replace(", ", "-").replace(" ", "-")
        return f"{condition}-{self.left_out or f'fold{self.fold}'}-seed{self.seed}-{self.hash}"

    @property
    def file(self) -> Path:
        """Where it is saved, or to be."""
        return networks_folder() / f"{self.name}.npz"


def trials(part: str) -> list[Trial]:
    """Return the runs of a part of the protocol, fold by fold, so that whole folds are done first.

    Parameters
    ----------
    part : str
        Name of a part, such as ``"main"``.

    Returns
    -------
    list of Trial
        In the order in which they are to be run.
    """
    plan, asked = protocol(), protocol()["parts"][part]
    chosen = [plan.get("chosen", {}).get(name, name) for name in asked["conditions"]]
    if unknown := [name for name in chosen if name not in plan["conditions"]]:
        msg = f"the protocol does not say yet which condition is {unknown[0]!r}: run the main part first"
        raise ValueError(msg)
    names = {field.name for field in fields(Trial)}
    training = {key: value for key, value in (plan["training"] | asked).items() if key in names}
    found = []
    tests: list[dict[str, Any]] = [{"fold": fold} for fold in range(plan["sources"]["folds"])]
    if "catalogues" in asked:
        tests = [{"left_out": name} for name in asked["catalogues"]]
    for test, seed, condition in itertools.product(tests, range(asked["seeds"]), chosen):
        trial = Trial(condition, seed=seed, **test, **(training | plan["conditions"][condition]))
        ratios = asked.get("ratios", [trial.ratio]) if trial.synthetic else [trial.ratio]
        pairs = itertools.product(asked.get("fractions", [trial.fraction]), ratios)
        found += [replace(trial, fraction=fraction, ratio=ratio) for fraction, ratio in pairs]
    return found


def networks_folder() -> Path:
    """Return the folder of the saved networks: what each says of every test source."""
    return runs_root() / "verdict"
