"""Numbers that come out here: from networks and settings, tables, simulated sources and runs."""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from importlib.resources import files
from typing import Any

import numpy as np
from astropy.stats import binom_conf_interval
from numpy.typing import NDArray

import radiosynth
from radiosynth import datasets, metrics, surveys
from radiosynth.reproduction import configs, presets, samples
from radiosynth.reproduction.runs import Run
from radiosynth.taxonomy import CLASS_NAMES


def read(parse_float: Callable[[str], Any]) -> dict[str, Any]:
    """Return ``published.toml``, with numbers that have decimals made by `parse_float`."""
    text = files(__package__).joinpath("published.toml").read_text("utf-8")
    return tomllib.loads(text, parse_float=parse_float)


WRITTEN = read(float)
"""The numbers that the report states, and which of them is which field, layer or parameter."""


NOTEBOOK_EPOCHS = 30
"""After which the notebook of the report stops, where its text has 100."""


Z = 3.3  # of 1000 estimates one is further off than this many standard errors


@dataclass(frozen=True)
class Reproduced:
    """A number that came out here.

    Parameters
    ----------
    value : float
        The number.
    low, high : float
        Ends of its interval, for numbers that are estimated; NaN for exact ones.
    source : str
        Name of the run that it comes from, or what it was computed from.
    remark : str
        What to know about it.
    published_error : float
        Standard error of the published number itself, where it is a measurement.
    """

    value: float
    low: float = np.nan
    high: float = np.nan
    source: str = ""
    remark: str = ""
    published_error: float = 0.0

    def agrees(self, published: float | Decimal) -> bool:
        """Return whether the published number, rounded as it is, lies within the interval.

        A decimal keeps the zeros that it was stated with: 0.90 is meant more exactly than 0.9.

        Two measurements agree if they differ by less than the quadratic sum of our 95 % interval and two
        standard errors of the published number. Exact numbers have to be equal.
        """
        stated = float(published)
        if np.isnan(self.low):
            return bool(np.isclose(self.value, stated, rtol=1e-6))
        rounding = 0.5 * 10.0 ** min(-1, int(Decimal(str(published)).as_tuple().exponent))
        side = self.high - self.value if stated > self.value else self.value - self.low
        return bool(abs(stated - self.value) <= rounding + np.hypot(side, 2 * self.published_error))


def from_code() -> dict[str, Reproduced]:
    """Return what networks and configurations of the report's scale hold."""
    classifier, bending = presets.classifier_config("real", "report"), configs.BendingConfig()
    used = {"classifier": classifier, "gan": presets.gan_config("FRI", "report"), "bending": bending}
    settings: dict[str, Any] = {}
    for kind, names in WRITTEN["settings"].items():
        settings |= {number: used[kind].flat()[name] for number, name in names.items()}
    settings |= {
        "gan.noise vectors of the animation": radiosynth.generators.base.FRAME_SAMPLES,
        "training.epochs averaged": classifier.settings.epochs // 5,
        "training.images, real": 4 * classifier.per_class,
        "training.images, real+geometric": 8 * classifier.per_class,
        "training.images, real+gan": 8 * classifier.per_class,
        "bending.training share": 1 - 1 / bending.folds,
    }
    validation = 4 * classifier.sources.test_per_class
    numbers = _of_networks() | {"code.validation sources": validation}
    numbers["code.standard error at 91 %"] = round(_error(0.91, validation), 3)
    return _exact(numbers, "code") | _exact(settings, "settings of the full scale")


def _exact(numbers: Mapping[str, Any], source: str, remark: str = "") -> dict[str, Reproduced]:
    return {key: Reproduced(float(value), source=source, remark=remark) for key, value in numbers.items()}


def _of_networks() -> dict[str, float]:
    """Return what the tables say of the report's networks, counted in those that are built here."""
    numbers: dict[str, float] = {}
    builders = radiosynth.build_generator, radiosynth.build_discriminator, radiosynth.build_classifier
    for model in (build() for build in builders):
        numbers[f"parameters.{model.name}"] = sum(int(np.prod(w.shape)) for w in model.trainable_weights)
        for row, (layer_name, what) in WRITTEN["layers"][model.name].items():
            layer = model.get_layer(layer_name)
            edge, length = layer.output.shape[1], layer.output.shape[-1]
            said = {"parameters": layer.count_params(), "length": length, "edge": edge}
            numbers[f"layers.{model.name}.{row}"] = layer.rate if what == "rate" else said[what]
    return numbers


def from_tables() -> dict[str, Reproduced]:
    """Return what is counted in the table of decisions and in the images."""
    candidates, sample = datasets.load_report_candidates(), datasets.load_report_sample()
    config = presets.classifier_config("real", "report")
    train, validation, _ = samples.split_sample(config.sources)
    of_class, large = candidates["class"], candidates["reason"] == "large"
    decided = {
        "selection.{}.initial": Counter(of_class),
        "selection.{}.image cut": Counter(of_class[candidates["cut"] == "image"]),
        "selection.{}.morphology cut": Counter(of_class[candidates["cut"] == "morphology"]),
        "selection.{}.final": Counter(of_class[candidates["decision"] == "keep"]),
    }
    imaged = {
        "split.{}.original": sample.counts(),
        "split.{}.validation": validation.counts(),
        "split.{}.training": train.counts(),
        "split.{}.augmented": dict.fromkeys(CLASS_NAMES, config.per_class),
    }
    counted = {
        **_by_class(decided),
        "preparation.candidates": len(candidates),
        "preparation.rows of Proctor's table 1": sum(candidates["catalogue"] == "Proctor2011"),
        "code.large FRII sources set aside": sum(large & (of_class == "FRII")),
    }
    measured = {
        "preparation.field, arcmin": surveys.FIRST.field,
        "preparation.cutout edge, pixels": sample.size,
        "preparation.pixel, arcsec": surveys.FIRST.scale(sample.size),
        "preparation.edge after resizing, pixels": train.size,
        "preparation.least brightness": train.images.min(),
        "preparation.greatest brightness": train.images.max(),
    }
    missing = f"{len(sample)} of {counted['selection.total.final']} sources have a published image"
    split = _exact(_by_class(imaged), "images", missing)
    return _exact(counted, "table of decisions") | _exact(measured, "images") | split


def _by_class(counts: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
    """Return the numbers of each class, and of all together, by keys with their names filled in."""
    return {
        key.format(name): sum(found.values()) if name == "total" else found[name]
        for key, found in counts.items()
        for name in (*CLASS_NAMES, "total")
    }


def from_simulation() -> dict[str, Reproduced]:
    """Return ends, means and spreads of the parameters of 6000 simulated sources of each class."""
    number = presets.classifier_config("real", "report").per_class
    drawn = radiosynth.simulation.draw_parameters(number, rng=np.random.default_rng(0))
    with np.errstate(invalid="ignore", divide="ignore"):  # compact sources have no lobes
        drawn["c2_over_c1"] = drawn["lobe_c2"] / drawn["lobe_c1"]
    drawn["amplitude_difference"] = drawn["lobe_amplitude_2"] - drawn["lobe_amplitude_1"]

    def of(classes: list[str], column: str) -> NDArray[np.float64]:
        return np.asarray(drawn[column])[np.isin(drawn["class"], classes)]

    found: dict[str, tuple[float, float, float]] = {}
    for key, asked in WRITTEN["simulation"]["ends"].items():
        # The true ends of a uniform distribution lie beyond the drawn ones, exponentially seldom far.
        values = of(*asked)
        low, high = float(values.min()), float(values.max())
        beyond = 7 * (high - low) / len(values)
        found[f"{key}.least"] = (low, low - beyond, low)
        found[f"{key}.greatest"] = (high, high, high + beyond)
    for key, asked in WRITTEN["simulation"]["moments"].items():
        values = of(*asked)
        mean, spread, n = float(np.mean(values)), float(np.std(values)), len(values)
        found[f"{key}.mean"] = _within(mean, Z * spread / np.sqrt(n))
        found[f"{key}.sd"] = _spread(spread, n)
    width = of(["compact"], "core_sigma")
    least = float(width.min())
    found["compact width.least"] = (least, least - 7 * 0.5 / len(width), least)
    found["compact width.sd"] = _spread(float(np.sqrt(np.mean((width - 0.4) ** 2))), len(width))
    second = of(["bent"], "fr_type") == 2
    found["bent drawn as FRII.share"] = _within(float(second.mean()), Z * np.sqrt(0.25 / len(second)))
    source = f"{number} draws of each class"
    estimated = {f"simulation.{key}": Reproduced(*value, source=source) for key, value in found.items()}
    exact = {"simulation.edge, pixels": radiosynth.simulation.gaussians.FRAME}
    return estimated | _exact(exact | {"simulation.images of a class": number}, "code")


def _within(value: float, error: float) -> tuple[float, float, float]:
    return value, value - error, value + error


def _spread(value: float, n: int) -> tuple[float, float, float]:
    """Return a standard deviation of `n` values with its interval."""
    return value, value * (1 - Z / np.sqrt(2 * n)), value * (1 + Z / np.sqrt(2 * n))


def _error(proportion: float, n: int) -> float:
    """Return the standard error of a proportion of `n` sources."""
    return float(np.sqrt(proportion * (1 - proportion) / n))


def from_run(run: Run[Any]) -> dict[str, Reproduced]:
    """Return accuracies, means over the last fifth of the epochs, and the confusion matrix of a run."""
    stored, history, name, source = run.predictions, run.history, run.config.training_set, run.folder.name
    last = history[-max(1, len(history) // 5) :]
    labels, probabilities, names = (stored[key] for key in ("labels", "probabilities", "names"))
    at_end, low, high = metrics.accuracy(labels, probabilities, sources=names, confidence=0.95)
    n = len(np.unique(names))

    def estimate(value: float, remark: str) -> Reproduced:
        ends = value + low - at_end, value + high - at_end
        return Reproduced(value, *ends, source, remark, _error(value, n))

    mean = float(np.mean(last["val_accuracy"]))
    found = {f"accuracy.{name}.validation": estimate(mean, "interval from resampling the validation sources")}
    # The learning rate is constant: the notebook's training is the first part of ours.
    if len(history) >= NOTEBOOK_EPOCHS:
        then = history[NOTEBOOK_EPOCHS - 1]
        for part, column in (("augmented", "val_accuracy"), ("plain", "plain_accuracy")):
            estimated = estimate(float(then[column]), f"after {NOTEBOOK_EPOCHS} epochs")
            found[f"notebook_accuracy.{name}.{part}"] = estimated
    # Nothing is drawn here but the seed: a point either way is allowed for it.
    value, low, high = _within(float(np.mean(last["accuracy"])), 0.01)
    found[f"accuracy.{name}.training"] = Reproduced(value, low, min(high, 1.0), source, "± 0.01")
    matrix = metrics.confusion_matrix(labels, probabilities)
    each = n // len(CLASS_NAMES)
    ends: NDArray[np.float64] = binom_conf_interval(np.rint(matrix * each), each, 0.95, interval="wilson")
    remark = f"interval of a proportion of {each} sources"
    for (i, j), value in np.ndenumerate(matrix):
        key = f"confusion.{name}.{CLASS_NAMES[i]}.{CLASS_NAMES[j]}"
        low, high = ends[:, i, j].tolist()
        found[key] = Reproduced(float(value), low, high, source, remark, _error(value, each))
    return found


def gain(one: Run[Any], two: Run[Any]) -> Reproduced:
    """Return what the second run's final accuracy is more than the first's, source by source."""
    correct = []
    for stored in (one.predictions, two.predictions):
        hit = stored["probabilities"].argmax(axis=1) == stored["labels"]
        names, index = np.unique(stored["names"], return_inverse=True)
        correct.append(dict(zip(names, np.bincount(index, hit) / np.bincount(index), strict=True)))
    change = np.array([correct[1][name] - correct[0][name] for name in correct[0]])
    interval = _within(float(change.mean()), 1.96 * float(change.std(ddof=1) / np.sqrt(len(change))))
    # Of the report's two accuracies only the sizes of the sets are known, so its error is not paired.
    own = float(np.sqrt(2 * 0.91 * 0.09 / len(change)))
    source = f"{one.folder.name}, {two.folder.name}"
    return Reproduced(*interval, source, "after the last epoch, paired", own)
