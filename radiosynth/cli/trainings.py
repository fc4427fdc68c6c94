"""Commands about trainings: run, gan, study, verdict, tune, runs."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import radiosynth
from radiosynth import records, reproduction
from radiosynth._io import SAMPLE, refuse_to_replace
from radiosynth.cli import options
from radiosynth.taxonomy import CLASS_NAMES


def run_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``radiosynth run``."""
    known = reproduction.configs.ALL_TRAINING_SETS
    parser.add_argument("--training-set", choices=known, default="real", help="default: real")
    options.add_scale(parser)
    options.add_seeds(parser)


def run(arguments: argparse.Namespace) -> None:
    """Train a classifier, or load it, and print its accuracy."""
    config = reproduction.presets.classifier_config(
        arguments.training_set, arguments.scale, seed=arguments.seed, split_seed=arguments.split_seed
    )
    made = reproduction.recipes.run(config, time_limit=arguments.time_limit)
    stored = made.predictions
    plain = stored["plain"]
    labels, probabilities = stored["labels"][plain], stored["probabilities"][plain]
    correct = probabilities.argmax(axis=1) == labels
    print(f"{made.folder}{' (loaded)' if made.loaded else ''}")
    print(f"on {plain.sum()} validation sources, with 95 % intervals:")
    for name, (value, low, high) in (
        ("accuracy", radiosynth.metrics.proportion(correct, confidence=0.95)),
        ("balanced accuracy", radiosynth.metrics.class_mean(labels, correct)),
    ):
        print(f"{name} {value:.3f} ({low:.3f} to {high:.3f})")


def gan_options(parser: argparse.ArgumentParser) -> None:
    """Add the commands ``radiosynth gan train`` and ``radiosynth gan sample``, with their options."""
    commands = parser.add_subparsers(required=True, metavar="command")
    train = commands.add_parser("train", help="train the GAN of a class, or load the saved run")
    known = [*CLASS_NAMES, "all"]
    said = "class to train on (default: all, with one class-conditional network)"
    train.add_argument("--class", dest="morphology", choices=known, default="all", help=said)
    options.add_scale(train)
    options.add_seeds(train)
    train.set_defaults(do=gan_train)
    sample = commands.add_parser("sample", help="draw images from saved GANs into one .npz file")
    sample.add_argument("runs", nargs="+", metavar="RUN", help="folder or name of a saved GAN")
    sample.add_argument("--number", type=options.some, default=100, help="images per class (default: 100)")
    sample.add_argument("--out", type=Path, required=True, help="file for Sample.load")
    sample.add_argument("--seed", type=options.whole, default=0)
    sample.set_defaults(do=gan_sample)


def gan_train(arguments: argparse.Namespace) -> None:
    """Train a GAN, or load it."""
    config = reproduction.presets.gan_config(
        arguments.morphology, arguments.scale, seed=arguments.seed, split_seed=arguments.split_seed
    )
    run = reproduction.recipes.run(config, time_limit=arguments.time_limit)
    variety = ", ".join(f"{value:.2f}" for value in run.provenance["diversity"])
    print(f"{run.folder}{' (loaded)' if run.loaded else ''}")
    print(f"diversity of its images relative to real ones: {variety}")


def gan_sample(arguments: argparse.Namespace) -> None:
    """Draw images from saved GANs."""
    folders = [reproduction.runs.find_run(name).folder for name in arguments.runs]
    refuse_to_replace(arguments.out, SAMPLE, [file for folder in folders for file in folder.iterdir()])
    rng = np.random.default_rng(arguments.seed)
    sample = radiosynth.sample_generators(folders, arguments.number, rng=rng)
    sample.save(arguments.out)
    print(f"{arguments.out}: {sample}")


def study_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``radiosynth study``."""
    parser.add_argument("name", choices=list(reproduction.layouts.STUDIES))
    options.add_jobs(parser)
    options.add_scale(parser)


def study(arguments: argparse.Namespace) -> None:
    """Repeat a comparison over folds, or load it, and print its table."""
    result = reproduction.studies.run_study(
        arguments.name, arguments.scale, jobs=arguments.jobs, time_limit=arguments.time_limit
    )
    print(f"{result.folder}{' (loaded)' if result.loaded else ''}")
    options.print_table(result.summary())


def verdict_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``radiosynth verdict``."""
    plan = reproduction.protocol.protocol()
    parser.description = (
        "Print the result of the comparison of training sets, or train networks of its protocol that are not "
        "saved yet. Several processes and machines that share the folder of runs share the work; "
        "an interrupted training resumes."
    )
    parts, conditions = list(plan["parts"]), list(plan["conditions"])
    parser.add_argument("--train", nargs="+", choices=parts, metavar="PART", help="any of %(choices)s")
    parser.add_argument("--conditions", nargs="+", choices=conditions, help="only these")
    options.add_jobs(parser)
    options.add_time_limit(parser)


def verdict(arguments: argparse.Namespace) -> None:
    """Say what the comparison of training sets found, or train what is missing of it."""
    if not arguments.train:
        options.refuse_ignored(arguments, "without --train", "conditions", "time_limit")
        print(reproduction.analysis.verdict())
        return

    how = {name: getattr(arguments, name) for name in ("conditions", "jobs", "time_limit")}
    number = reproduction.verdict.run_all(arguments.train, **how)
    print(f"all {number} networks are saved in {reproduction.protocol.networks_folder()}")


def tune_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``radiosynth tune``."""
    parser.description = "Tune a family of networks. A stopped search resumes, and processes can share one."
    parser.add_argument("--family", choices=list(reproduction.scales.WRITTEN["families"]), required=True)
    parser.add_argument("--fold", type=options.whole, default=0, help="fold kept for testing (default: 0)")
    parser.add_argument("--trials", type=options.some, help="trials of the search, saved ones included")
    options.add_jobs(parser)
    options.add_scale(parser)


def tune(arguments: argparse.Namespace) -> None:
    """Search for a network and its settings."""
    how = {name: getattr(arguments, name) for name in ("fold", "trials", "jobs", "time_limit")}
    found = reproduction.search.tune(arguments.family, arguments.scale, **how)
    trials, best = reproduction.search.finished(found), found.best_trial
    print(f"best of {len(trials)} trials: {best.number}, validation accuracy {best.value:.3f}")
    for name, value in best.params.items():
        print(f"  {name} = {value:.4g}")


def runs(arguments: argparse.Namespace) -> None:
    """Print the names of the saved runs."""
    for name in sorted(records.saved_runs()):
        print(name)
