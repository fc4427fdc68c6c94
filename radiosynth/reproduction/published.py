"""Every number that the report states, beside the one that comes out here.

The published numbers are ``data/published.json``, read leaf by leaf. For each there is a number that was
computed (from the built networks, the drawn parameters, the table of decisions, the recorded runs) or a
reason why there is none. A number that has neither is an error, so that the table is complete.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import lru_cache
from importlib.resources import files
from typing import Any

import numpy as np
from astropy.stats import binom_conf_interval
from astropy.table import Table
from numpy.typing import ArrayLike, NDArray

from radiosynth import datasets, metrics, networks, simulation, surveys
from radiosynth.generators import base
from radiosynth.reproduction import configs, presets, recipes, scales
from radiosynth.reproduction.runs import Run, runs_root
from radiosynth.simulation import gaussians
from radiosynth.taxonomy import CLASS_NAMES

__all__ = ["Reproduced", "compare", "published", "published_numbers", "study_summary"]

SECTIONS = {
    "surveys": "table 1",
    "selection": "table 2",
    "split": "table 3",
    "parameters": "tables A1, A2, B1",
    "layers": "tables A1, A2, B1",
    "accuracy": "results",
    "notebook_accuracy": "notebook",
    "confusion": "figure 13",
    "preparation": "pre-processing",
    "simulation": "simulation",
    "gan": "GAN",
    "training": "classifier",
    "bending": "notebook, angles",
    "code": "code",
}
"""Where in the report each part of ``published.json`` stands."""


COLUMNS = {
    "selection": ("initial", "image cut", "morphology cut", "final"),
    "split": ("original", "validation", "training", "augmented"),
}


REASONS = {
    "surveys": "quoted from the literature; nothing here measures it",
    "notebook_accuracy": "the runs of this scale have fewer epochs than the notebook's 30",
    "bending": "its 4287 images are not public; the page bending3_training_sets has 195 of these sources",
    "gan.epochs until it looks converged": "judged by eye, without a criterion",
    "training.epochs of the notebook": "the text's 100 are the settings here",
    "layers.classifier.dense in the text": "a slip of the text: its table and its code have 194",
}
"""Why a number, or all of a part, has no counterpart. A number that was reproduced needs none."""


MEASURED = ("accuracy.", "confusion.", "notebook_accuracy.", "training.gain ")
"""How the numbers begin that a training decides."""


TAUGHT_WRONG = "accuracy.real+gan.training"


MISLABELLED = "change in training: FR I generator for FR II"


NO_RUN = dict.fromkeys(("accuracy", "confusion", "training"), "its run is not recorded")


Z = 3.3  # of 1000 estimates one is further off than this many standard errors


@dataclass(frozen=True)
class Reproduced:
    """A number that came out here.

    Parameters
    ----------
    value : float
        The number.
    low, high : float, optional
        Ends of its interval, for numbers that are estimated; exact ones have none.
    source : str
        Name of the run that it comes from, or what it was computed from.
    remark : str
        What to know about it.
    published_error : float
        Standard error of the published number itself, where it is a measurement.
    """

    value: float
    low: float | None = None
    high: float | None = None
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
        if self.low is None or self.high is None:
            return bool(np.isclose(self.value, stated, rtol=1e-6))
        rounding = 0.5 * 10.0 ** min(-1, int(Decimal(str(published)).as_tuple().exponent))
        side = self.high - self.value if stated > self.value else self.value - self.low
        return bool(abs(stated - self.value) <= rounding + np.hypot(side, 2 * self.published_error))


def published_numbers() -> dict[str, float]:
    """Return every number that the report states, by the path to it in ``published.json``."""
    return {key: float(value) for key, value in _stated().items()}


def _stated() -> dict[str, float | Decimal]:
    """Return the numbers of the report with the decimals that it gives."""
    parts = published(parse_float=Decimal)
    return dict(leaf for section in SECTIONS for leaf in _leaves(section, parts[section]))


def _leaves(path: str, value: Any) -> Iterator[tuple[str, float | Decimal]]:
    if isinstance(value, list):
        names = COLUMNS.get(path.partition(".")[0], CLASS_NAMES)
        if isinstance(value[0], dict):
            names = tuple(part["survey"] for part in value)
        value = dict(zip(names, value, strict=True))
    if isinstance(value, dict):
        for name, part in value.items():
            yield from _leaves(f"{path}.{name}", part)
    elif not isinstance(value, str):
        yield path, value


def study_summary(name: str, scale: str | None = None) -> dict[str, Any]:
    """Return the summary of a study, that is of many runs taken together.

    Parameters
    ----------
    name : str
        Name of the study.
    scale : str, optional
        Scale at which it was done; `radiosynth.reproduction.scales.current_scale` if not given.

    Returns
    -------
    dict
        Contents of ``<scale>-study-<name>/summary.json`` under `radiosynth.reproduction.runs.runs_root`. Its
        ``numbers`` map names to ``value``, ``low`` and ``high``, the ends of the 95 % interval; and the
        ``scale``.

    Raises
    ------
    FileNotFoundError
        If the study is not recorded at that scale.
    """
    scale = scale or scales.current_scale()
    folder = runs_root() / f"{scale}-study-{name}"
    path = folder / "summary.json"
    if not path.exists():
        msg = f"the study {folder.name} is not recorded: {path} is missing"
        raise FileNotFoundError(msg)
    return {**json.loads(path.read_text()), "scale": scale}


def compare(runs: Iterable[Run[Any]] = (), studies: Iterable[dict[str, Any]] = ()) -> Table:
    """Set every number that the report states beside the one that comes out here.

    Parameters
    ----------
    runs : iterable of Run
        Classifiers, one for each training set.
    studies : iterable of dict
        What `study_summary` returns. Their numbers replace those of single runs of the same name.

    Returns
    -------
    ~astropy.table.Table
        One row for each number: ``section``, ``number``, ``published``, ``reproduced``, ``low``, ``high``
        (masked where there is none), ``verdict`` (``agrees``, ``differs`` or ``cannot be reproduced``),
        ``source``, ``remark`` and ``kind``: ``measured`` if a training decides the number,
        ``by construction`` if it is a setting, a drawn parameter, a layer or a count that follows from the
        report's own tables. That the latter agree says that the report was copied correctly, no more.

    Raises
    ------
    KeyError
        If there is neither a number nor a reason why there is none.
    """
    stated = _stated()
    found = _from_code() | _from_simulation() | _from_tables()
    runs = list(runs)
    for run in runs:
        found |= _from_run(run)
    sets = {run.config.training_set: run for run in runs}
    if sets.keys() >= {"real", "real+gan"}:
        found["training.gain of real+gan"] = _gain(sets["real"], sets["real+gan"])
    for study in studies:
        if MISLABELLED in study["numbers"] and TAUGHT_WRONG in found:
            found[TAUGHT_WRONG] = replace(
                found[TAUGHT_WRONG],
                remark="± 0.01; images of FR I under the label FR II, as in the published code, change it by "
                f"{study['numbers'][MISLABELLED]['value']:+.3f} ({study['name']}, {study['scale']} scale)",
            )
        found |= {
            key: Reproduced(
                number["value"],
                number["low"],
                number["high"],
                source=f"{study['scale']}-study-{study['name']}",
            )
            for key, number in study["numbers"].items()
            if key in stated
        }
    rows = []
    for key, value in stated.items():
        section, _, name = key.partition(".")
        mine = found.get(key)
        if mine is None:
            reason = REASONS.get(key) or REASONS.get(section) or NO_RUN.get(section)
            if reason is None:
                msg = f"{key}: neither reproduced nor a reason why not; add it to reproduction/published.py"
                raise KeyError(msg)
            rows.append(
                (SECTIONS[section], name, float(value), *[np.nan] * 3, "cannot be reproduced", "", reason, "")
            )
            continue
        ends = [np.nan if end is None else end for end in (mine.low, mine.high)]
        verdict = "agrees" if mine.agrees(value) else "differs"
        kind = "measured" if key.startswith(MEASURED) else "by construction"
        about = (verdict, mine.source, mine.remark, kind)
        rows.append((SECTIONS[section], name, float(value), mine.value, *ends, *about))
    names = ["section", "number", "published", "reproduced", "low", "high", "verdict", "source", "remark"]
    names.append("kind")
    table = Table(rows=rows, names=names, masked=True)
    for column in names[3:6]:
        table[column].mask = np.isnan(table[column])
    return table


def _from_code() -> dict[str, Reproduced]:
    """Return what networks and configurations of the report's scale hold."""
    config = presets.classifier_config("real", "report")
    fake = presets.gan_config("FRI", "report")
    bent = configs.BendingConfig("report")
    built = {
        "generator": networks.build_generator(),
        "discriminator": networks.build_discriminator(),
        "classifier": networks.build_classifier(),
    }
    numbers: dict[str, float] = {}
    for name, model in built.items():
        numbers[f"parameters.{name}"] = sum(int(np.prod(w.shape)) for w in model.trainable_weights)
        place = f"layers.{name}"
        seen: dict[str, int] = {}
        for layer in model.layers:
            kind = type(layer).__name__
            seen[kind] = seen.get(kind, 0) + 1
            count, shape = layer.count_params(), layer.output.shape
            if kind == "Conv2DTranspose":
                numbers[f"{place}.transposed {seen[kind]}"] = count
            elif kind == "Conv2D" and name == "discriminator":
                numbers[f"{place}.convolution {seen[kind]}"] = count
            elif kind == "Conv2D":
                numbers[f"{place}.channels {seen[kind]}"] = shape[-1]
            elif kind == "Dense" and name != "classifier":
                numbers[f"{place}.dense"] = count
            elif kind == "Dense":
                numbers[f"{place}.{'dense' if seen[kind] == 1 else 'classes'}"] = shape[-1]
            elif kind == "Dropout":
                numbers[f"{place}.dropout"] = layer.rate
            elif kind == "Flatten" and name == "classifier":
                numbers[f"{place}.flattened"] = shape[-1]
    numbers["layers.generator.noise"] = built["generator"].input_shape[-1]
    numbers["layers.generator.output edge"] = built["generator"].output_shape[1]
    numbers |= {
        "preparation.threshold, standard deviations": config.n_sigma,
        "preparation.validation sources of a class": config.test_per_class,
        "preparation.validation images of a class": config.validation_per_class,
        "gan.training images of a class": fake.per_class,
        "gan.batch": fake.batch_size,
        "gan.learning rate": fake.learning_rate,
        "gan.epochs": fake.epochs,
        "gan.noise vectors of the animation": base.FRAME_SAMPLES,
        "gan.images drawn of a class": config.per_class,
        "training.learning rate": config.learning_rate,
        "training.batch": config.batch_size,
        "training.epochs": config.epochs,
        "training.epochs averaged": config.epochs // 5,
        "training.images, real": 4 * config.per_class,
        "training.images, real+geometric": 8 * config.per_class,
        "training.images, real+gan": 8 * config.per_class,
        "bending.threshold, standard deviations": bent.n_sigma,
        "bending.crop, pixels": bent.crop,
        "bending.training share": 1 - 1 / bent.folds,
        "bending.augmented images": bent.images,
        "bending.geometric images": bent.synthetic,
        "bending.learning rate": bent.learning_rate,
        "bending.batch": bent.batch_size,
        "bending.epochs": bent.epochs,
        "code.validation sources": 4 * config.test_per_class,
        "code.standard error at 91 %": round(float(np.sqrt(0.91 * 0.09 / (4 * config.test_per_class))), 3),
    }
    found = {key: Reproduced(float(value), source="code") for key, value in numbers.items()}
    for key in [key for key in found if key.startswith(("gan.", "training.", "preparation.", "bending."))]:
        found[key] = Reproduced(found[key].value, source="settings of the report scale")
    return found


def _from_tables() -> dict[str, Reproduced]:
    """Return what is counted in the table of decisions and in the images."""
    candidates = datasets.load_report_candidates()
    sample = datasets.load_report_sample()
    config = presets.classifier_config("real", "report")
    train, validation, _ = recipes.split_sample(config)
    rows: dict[str, dict[str, list[float]]] = {"selection": {}, "split": {}}
    for name in CLASS_NAMES:
        of_class = candidates[np.asarray(candidates["class"]) == name]
        cut = np.asarray(of_class["cut"])
        kept = np.asarray(of_class["decision"]) == "keep"
        rows["selection"][name] = [len(of_class), sum(cut == "image"), sum(cut == "morphology"), sum(kept)]
        counts = [part.counts()[name] for part in (sample, validation, train)]
        rows["split"][name] = [*counts, config.per_class]
    numbers = {
        f"{part}.{name}.{column}": number
        for part, table in rows.items()
        for name, row in {**table, "total": np.sum(list(table.values()), axis=0)}.items()
        for column, number in zip(COLUMNS[part], row, strict=True)
    }
    large = (np.asarray(candidates["reason"]) == "large") & (np.asarray(candidates["class"]) == "FRII")
    numbers |= {
        "preparation.candidates": len(candidates),
        "preparation.rows of Proctor's table 1": sum(np.asarray(candidates["catalogue"]) == "Proctor2011"),
        "preparation.field, arcmin": surveys.FIELD / 60,
        "preparation.cutout edge, pixels": sample.size,
        "preparation.pixel, arcsec": surveys.FIELD / sample.size,
        "preparation.edge after resizing, pixels": train.size,
        "preparation.least brightness": train.images.min(),
        "preparation.greatest brightness": train.images.max(),
        "code.large FRII sources set aside": large.sum(),
    }
    missing = f"{len(sample)} of {numbers['selection.total.final']} sources have a published image"
    found = {}
    for key, number in numbers.items():
        counted = key.startswith(("selection", "code")) or key.endswith(("candidates", "table 1"))
        source = "table of decisions" if counted else "images"
        remark = missing if key.startswith("split") else ""
        found[key] = Reproduced(float(number), source=source, remark=remark)
    return found


def _from_simulation() -> dict[str, Reproduced]:
    """Return ends, means and spreads of the parameters of 6000 simulated sources of each class."""
    number = presets.classifier_config("real", "report").per_class
    drawn = simulation.draw_parameters(number, rng=np.random.default_rng(0))
    name = np.asarray(drawn["class"])
    galaxies = drawn[(name == "FRI") | (name == "FRII")]
    galaxies["lobe_c2_over_c1"] = galaxies["lobe_c2"] / galaxies["lobe_c1"]
    galaxies["difference"] = galaxies["lobe_amplitude_2"] - galaxies["lobe_amplitude_1"]
    of = {each: drawn[name == each] for each in CLASS_NAMES}
    compact = of["compact"]
    ends: dict[str, ArrayLike] = {
        "core width": galaxies["core_sigma"],
        "core amplitude": galaxies["core_amplitude"],
        "lobe width across": galaxies["lobe_sigma_across"],
        "lobe width along": galaxies["lobe_sigma_along"],
        "c1": galaxies["lobe_c1"],
        "c2 / c1": galaxies["lobe_c2_over_c1"],
        "lobe amplitude": galaxies["lobe_amplitude_1"],
        "halo amplitude": galaxies["halo_amplitude"],
        "compact amplitude": compact["core_amplitude"],
        **{f"bending angle, {each}": of[each]["bending_angle"] for each in CLASS_NAMES[:3]},
        **{f"distance, {each}": of[each]["lobe_distance"] for each in CLASS_NAMES[:2]},
        **{f"halo width, {each}": of[each]["halo_sigma"] for each in CLASS_NAMES[:2]},
    }
    moments = {
        "core x": drawn["core_x"],
        "core y": drawn["core_y"],
        "second amplitude less first": galaxies["difference"],
    }
    found: dict[str, tuple[float, float, float]] = {}
    for key, values in ends.items():
        # The true ends of a uniform distribution lie beyond the drawn ones, exponentially seldom far.
        low, high = float(np.min(values)), float(np.max(values))
        beyond = 7 * (high - low) / len(np.asarray(values))
        found[f"{key}.least"] = (low, low - beyond, low)
        found[f"{key}.greatest"] = (high, high, high + beyond)
    for key, values in moments.items():
        mean, spread, n = float(np.mean(values)), float(np.std(values)), len(np.asarray(values))
        found[f"{key}.mean"] = (mean, mean - Z * spread / np.sqrt(n), mean + Z * spread / np.sqrt(n))
        found[f"{key}.sd"] = _spread(spread, n)
    least = float(np.min(compact["core_sigma"]))
    found["compact width.least"] = (least, least - 7 * 0.5 / len(compact), least)
    above = np.asarray(compact["core_sigma"]) - 0.4
    found["compact width.sd"] = _spread(float(np.sqrt(np.mean(above**2))), len(compact))
    second = float(np.mean(np.asarray(of["bent"]["fr_type"]) == 2))
    error = Z * np.sqrt(0.25 / len(of["bent"]))
    found["bent drawn as FRII.share"] = (second, second - error, second + error)
    exact = {"edge, pixels": gaussians.FRAME, "images of a class": number}
    source = f"{number} draws of each class"
    return {f"simulation.{key}": Reproduced(*value, source=source) for key, value in found.items()} | {
        f"simulation.{key}": Reproduced(float(value), source="code") for key, value in exact.items()
    }


def _spread(value: float, n: int) -> tuple[float, float, float]:
    """Return a standard deviation of `n` values with its interval."""
    return value, value * (1 - Z / np.sqrt(2 * n)), value * (1 + Z / np.sqrt(2 * n))


def _from_run(run: Run[Any]) -> dict[str, Reproduced]:
    """Return accuracies, means over the last fifth of the epochs, and the confusion matrix of a run."""
    stored, history, name = run.predictions, run.history, run.config.training_set
    last = history[-max(1, len(history) // 5) :]
    at_end, low, high = metrics.accuracy(
        stored["labels"], stored["probabilities"], sources=stored["names"], confidence=0.95
    )
    mean = float(np.mean(last["val_accuracy"]))
    n = len(np.unique(stored["names"]))
    error = float(np.sqrt(mean * (1 - mean) / n))
    source, remark = run.folder.name, "interval from resampling the validation sources"
    found = {
        f"accuracy.{name}.validation": Reproduced(
            mean, mean + low - at_end, mean + high - at_end, source, remark, published_error=error
        )
    }
    # Nothing is drawn here but the seed: a point either way is allowed for it.
    training = float(np.mean(last["accuracy"]))
    stop = int(published()["training"]["epochs of the notebook"])
    for part, column in (("augmented", "val_accuracy"), ("plain", "plain_accuracy")):
        if len(history) >= stop:  # the step size is constant: the notebook's training is the first part
            then = float(history[column][stop - 1])
            found[f"notebook_accuracy.{name}.{part}"] = Reproduced(
                then,
                then + low - at_end,
                then + high - at_end,
                source,
                f"after {stop} epochs",
                published_error=float(np.sqrt(then * (1 - then) / n)),
            )
    found[f"accuracy.{name}.training"] = Reproduced(
        training, training - 0.01, training + 0.01, source, "± 0.01"
    )
    matrix = metrics.confusion_matrix(stored["labels"], stored["probabilities"])
    each = n // len(CLASS_NAMES)
    ends: NDArray[np.float64] = binom_conf_interval(np.rint(matrix * each), each, 0.95, interval="wilson")
    for (i, j), share in np.ndenumerate(matrix):
        key = f"confusion.{name}.{CLASS_NAMES[i]}.{CLASS_NAMES[j]}"
        error = float(np.sqrt(share * (1 - share) / each))
        remark = f"interval of a share of {each} sources"
        found[key] = Reproduced(
            float(share), float(ends[0, i, j]), float(ends[1, i, j]), source, remark, error
        )
    return found


def _gain(one: Run[Any], two: Run[Any]) -> Reproduced:
    """Return what the second run's final accuracy is more than the first's, source by source."""
    right = []
    for stored in (one.predictions, two.predictions):
        hit = stored["probabilities"].argmax(axis=1) == stored["labels"]
        names, index = np.unique(stored["names"], return_inverse=True)
        right.append(dict(zip(names, np.bincount(index, hit) / np.bincount(index), strict=True)))
    change = np.array([right[1][name] - right[0][name] for name in right[0]])
    gain, error = float(change.mean()), float(change.std(ddof=1) / np.sqrt(len(change)))
    # Of the report's two accuracies only the sizes of the sets are known, so its error is not paired.
    own = float(np.sqrt(2 * 0.91 * 0.09 / len(change)))
    source = f"{one.folder.name}, {two.folder.name}"
    return Reproduced(
        gain, gain - 1.96 * error, gain + 1.96 * error, source, "after the last epoch, paired", own
    )


@lru_cache
def published(parse_float: Callable[[str], Any] = float) -> dict[str, Any]:
    """Return the numbers that the report states, as nested dictionaries.

    Parameters
    ----------
    parse_float : callable
        Makes a number of the text of one with decimals; ``decimal.Decimal`` keeps how many there are.
    """
    text = files("radiosynth").joinpath("data/published.json").read_text()
    return json.loads(text, parse_float=parse_float)
