"""Commands about trainings: run, gan, study, verdict, tune, runs."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import radiosynth
from radiosynth import records, reproduction
from radiosynth.cli import options
from radiosynth.taxonomy import CLASS_NAMES

CHANGES: tuple[str, ...] = ("condition", "fraction", "ratio", "balanced_accuracy")
CHANGES += ("value", "low", "high", "adjusted_p", "found")
"""Columns of `radiosynth.reproduction.analysis.comparison` that ``radiosynth verdict`` prints."""


def run_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``radiosynth run``."""
    known = reproduction.configs.ALL_TRAINING_SETS
    parser.add_argument("--training-set", choices=known, default="real", help="default: real")
    options.add_seeds(parser)


def run(arguments: argparse.Namespace) -> None:
    """Train a classifier, or load it, and print its accuracy."""
    stored = _made(reproduction.presets.classifier_config, arguments.training_set, arguments).predictions
    plain = stored["plain"]
    labels, probabilities = stored["labels"][plain], stored["probabilities"][plain]
    correct = probabilities.argmax(axis=1) == labels
    print(f"on {plain.sum()} validation sources, with 95 % intervals:")
    shown = "accuracy {:.3f} ({:.3f} to {:.3f})"
    print(shown.format(*radiosynth.metrics.proportion(correct, confidence=0.95)))
    print("balanced", shown.format(*radiosynth.metrics.class_mean(labels, correct)))


def _made(preset: Callable[..., Any], of: str, arguments: argparse.Namespace) -> reproduction.runs.Run[Any]:
    """Make the run of a preset, or load it, and say where it is."""
    seeds = {name: getattr(arguments, name) for name in ("seed", "split_seed")}
    config = preset(of, arguments.scale, **seeds)
    made = reproduction.recipes.run(config, time_limit=arguments.time_limit)
    print(f"{made.folder}{' (loaded)' if made.loaded else ''}")
    return made


def gan_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``radiosynth gan``."""
    known = [*CLASS_NAMES, "all"]
    said = "class to train on (default: all, with one class-conditional network)"
    parser.add_argument("--class", dest="morphology", choices=known, default="all", help=said)
    options.add_seeds(parser)


def gan(arguments: argparse.Namespace) -> None:
    """Train a GAN, or load it."""
    made = _made(reproduction.presets.gan_config, arguments.morphology, arguments)
    variety = ", ".join(f"{value:.2f}" for value in made.provenance["diversity"])
    print(f"diversity of its images relative to real ones: {variety}")


def study_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``radiosynth study``."""
    parser.add_argument("name", choices=list(reproduction.scales.WRITTEN["studies"]))
    options.add_jobs(parser)
    options.add_scale(parser)


def study(arguments: argparse.Namespace) -> None:
    """Repeat a comparison over folds, or load it, and print its table."""
    how = {name: getattr(arguments, name) for name in ("jobs", "time_limit")}
    result = reproduction.studies.run_study(arguments.name, arguments.scale, **how)
    print(f"{result.folder}{' (loaded)' if result.loaded else ''}")
    result.summary().pprint_all()


def verdict_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``radiosynth verdict``."""
    said = "Print the result of the comparison of training sets, or train networks of its protocol"
    shared = "Several processes and machines that share the folder of runs share the work"
    parser.description = f"{said} that are not saved yet. {shared}; an interrupted training resumes."
    parts = list(reproduction.protocol.protocol()["parts"])
    parser.add_argument("--train", nargs="+", choices=parts, metavar="PART", help="any of %(choices)s")
    options.add_jobs(parser)
    options.add_time_limit(parser)


def verdict(arguments: argparse.Namespace) -> None:
    """Say what the comparison of training sets found, or train what is missing of it."""
    if not arguments.train:
        options.refuse_ignored(arguments, "without --train", "time_limit")
        print(reproduction.analysis.verdict())
        for part in ("main", *reproduction.analysis.OF_PARTS):
            number, asked = reproduction.analysis.saved(part)
            for test, said in reproduction.analysis.TESTS.items() if number == asked else ():
                print(f"\n{said}:")
                reproduction.analysis.comparison(test, part)[CHANGES].pprint_all()
        return

    how = {name: getattr(arguments, name) for name in ("jobs", "time_limit")}
    number = reproduction.verdict.run_all(arguments.train, **how)
    print(f"all {number} networks are saved in {reproduction.protocol.networks_folder()}")


def tune_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``radiosynth tune``."""
    parser.description = "Tune a family of networks. A stopped search resumes, and processes can share one."
    parser.add_argument("--family", choices=list(reproduction.scales.WRITTEN["families"]), required=True)
    parser.add_argument("--trials", type=options.some, help="trials of the search, saved ones included")
    options.add_scale(parser)


def tune(arguments: argparse.Namespace) -> None:
    """Search for a network and its settings."""
    how = {name: getattr(arguments, name) for name in ("trials", "time_limit")}
    found = reproduction.search.tune(arguments.family, arguments.scale, **how)
    trials, best = reproduction.search.finished(found), found.best_trial
    print(f"best of {len(trials)} trials: {best.number}, validation accuracy {best.value:.3f}")
    for name, value in best.params.items():
        print(f"  {name} = {value:.4g}")


def runs(arguments: argparse.Namespace) -> None:
    """Print the names of the saved runs."""
    for name in sorted(records.saved_runs()):
        print(name)
