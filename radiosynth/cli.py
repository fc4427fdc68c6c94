"""The command ``radiosynth``."""

from __future__ import annotations

import argparse
import errno
import glob
import logging
import math
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
from astropy.table import Table

from radiosynth import stopping
from radiosynth._io import SAMPLE, refuse_to_replace, table_format, write_table
from radiosynth.taxonomy import CLASS_NAMES, CLASSES

__all__ = ["main"]

CROP = 150
"""Width in pixels of the report's cutouts, 4.5 arcmin at 1.8 arcsec a pixel."""


def _files(patterns: Sequence[Path]) -> list[Path]:
    """Return the files of wildcards that the shell did not expand, in order; other paths as they are."""
    found: list[Path] = []
    for pattern in patterns:
        if pattern.exists() or not glob.has_magic(str(pattern)):
            found.append(pattern)
        elif matching := sorted(map(Path, glob.glob(str(pattern)))):  # noqa: PTH207 (takes any path)
            found += matching
        else:
            msg = f"no file is called {pattern}; give names of files, or a pattern that some have"
            raise ValueError(msg)
    return found


def _refuse_ignored(arguments: argparse.Namespace, why: str, *names: str) -> None:
    """Raise where options were given that would have no effect."""
    given = [f"--{name.replace('_', '-')}" for name in names if getattr(arguments, name) not in (None, [])]
    if given:
        msg = f"{' and '.join(given)} has no effect {why}; leave it out"
        raise ValueError(msg)


def _print_table(table: Table) -> None:
    """Print a table, one line a row: line breaks and other control characters are escaped."""
    table = table.copy()
    for name in [name for name in table.colnames if table[name].dtype.kind in "USO"]:
        table[name] = ["".join(c if c.isprintable() else repr(c)[1:-1] for c in str(x)) for x in table[name]]
    table.pprint_all()


def _classify(arguments: argparse.Namespace) -> None:
    from radiosynth.classification import load_classifier

    files = _files(arguments.files)
    if arguments.csv:
        refuse_to_replace(arguments.csv, b"file,class,", files)
    table = load_classifier(arguments.run).classify(
        files,
        crop=arguments.crop,
        pixel_scale=arguments.pixel_scale,
        on_error="skip" if arguments.skip else "raise",
    )
    for file, reason in table.meta["skipped"]:
        print(f"skipped {file}: {reason}", file=sys.stderr)
    for file, reason in table.meta["left_out"]:
        print(f"left out {file}: {reason}", file=sys.stderr)
    for file, note in table.meta["notes"]:
        print(f"{file} has {note}", file=sys.stderr)
    table.rename_column("name", "file")
    if arguments.csv:
        write_table(arguments.csv, table, "ascii.csv")
    else:
        for name in table.colnames[2:]:
            table[name].info.format = ".3f"
        _print_table(table)
    print(f"model: {table.meta['model']}", file=sys.stderr)


def _select(arguments: argparse.Namespace) -> None:
    from radiosynth import selection

    if not arguments.decisions:
        _refuse_ignored(arguments, "without --decisions", "second", "undecided")
    elif arguments.second:
        _refuse_ignored(arguments, "with --second", "out", "crop", "undecided", "pixel_scale")
        _compare(arguments.decisions, arguments.second)
        return
    else:
        _refuse_ignored(arguments, "with --decisions", "pixel_scale")
    if arguments.folder.is_file():
        _refuse_ignored(arguments, "for a saved sample", "crop")
    inside = arguments.folder if arguments.folder.is_dir() else arguments.folder.parent
    out = arguments.out or inside / ("selected.npz" if arguments.decisions else "review.html")
    inputs = [arguments.folder, arguments.decisions] if arguments.decisions else [arguments.folder]
    refuse_to_replace(out, SAMPLE if arguments.decisions else b"<!doctype html", inputs)
    sample = selection.read_folder(arguments.folder, size=arguments.crop or CROP)
    for name, reason in sample.table.meta.get("skipped", []):
        print(f"no image of {name}: {reason}", file=sys.stderr)
    if not arguments.decisions:
        scale = arguments.pixel_scale
        cuts = None if scale is None else selection.Cuts(pixel_scale=scale)
        page = selection.review_page(sample, out, cuts=cuts)
        print(f"{page}: {len(sample)} sources. Open it in a browser, decide, export, and then\n")
        print(f"  radiosynth select {arguments.folder} --decisions FILE")
        return
    decisions = selection.read_decisions(arguments.decisions)
    kept = selection.apply_decisions(sample, decisions, undecided=arguments.undecided or "raise")
    kept.save(out)
    print(f"{out}: {kept.history[-1]}\n{kept}")


def _compare(first: Path, second: Path) -> None:
    """Print how far two readers agree."""
    from radiosynth import selection

    found = selection.agreement(selection.read_decisions(first), selection.read_decisions(second))
    print(f"{found.number} sources read twice, {found.share:.1%} alike")
    print(f"Cohen's kappa {found.kappa:.3f} ({found.low:.3f} to {found.high:.3f})")
    if len(found.disagreements):
        _print_table(found.disagreements)


def _sources(names: Sequence[str], classes: Sequence[str]) -> Table:
    """Return the sources of catalogues and of lists, by name and by file."""
    from astropy.table import vstack

    from radiosynth import catalogues

    if wrong := [pair for pair in classes if "=" not in pair]:
        msg = f"--classes {' '.join(wrong)}: give LABEL=CLASS, and lists before this option"
        raise ValueError(msg)
    lists = [name for name in names if name.lower() not in map(str.lower, catalogues.CATALOGUES)]
    if classes and not lists:
        msg = "--classes has no effect on catalogues of VizieR; leave it out, or give a list"
        raise ValueError(msg)
    if lacking := [name for name in lists if not Path(name).exists()]:
        msg = f"{lacking[0]} is no file, nor a catalogue known here: {', '.join(catalogues.CATALOGUES)}"
        raise ValueError(msg)
    if not names:
        return catalogues.load_report_sources()
    meaning = dict(pair.partition("=")[::2] for pair in classes)
    tables = [
        catalogues.read_positions(name, classes=meaning) if name in lists else catalogues.load_catalogue(name)
        for name in names
    ]
    return vstack(tables, metadata_conflicts="silent")


def _catalogue(arguments: argparse.Namespace) -> None:
    from radiosynth import catalogues

    if arguments.out:
        like = table_format(arguments.out)[1]
        refuse_to_replace(arguments.out, like, map(Path, arguments.sources))
    sources = _sources(arguments.sources, arguments.classes)
    counts = Table(rows=sources["catalogue", "class"].as_array().tolist(), names=["catalogue", "class"])
    counts["sources"] = 1
    counts = counts.group_by(["catalogue", "class"]).groups.aggregate(np.sum)
    _print_table(counts)
    pairs = catalogues.find_duplicates(sources, arguments.radius)
    known = (pairs["class_1"] != "") & (pairs["class_2"] != "")
    two = int((known & (pairs["class_1"] != pairs["class_2"])).sum())
    print(
        f"{len(sources)} sources; {len(pairs)} pairs within {arguments.radius:g} arcsec, {two} of two classes"
    )
    if arguments.out:
        sources["sky_group"] = catalogues.sky_groups(sources, arguments.radius)
        write_table(arguments.out, sources)


def _cutouts(arguments: argparse.Namespace) -> None:
    from radiosynth import cutouts, surveys

    servers = {"first": surveys.First, "skyview": surveys.SkyView}
    logging.getLogger("radiosynth").setLevel(logging.INFO)
    try:
        manifest = cutouts.download_cutouts(
            _sources([arguments.list], arguments.classes),
            arguments.folder,
            survey=[servers[name](timeout=arguments.timeout) for name in arguments.survey],
            width=arguments.width,
            concurrency=arguments.concurrency,
            rate=arguments.rate,
            retries=arguments.retries,
        )
    except KeyboardInterrupt:
        msg = "stopped; the same command goes on from here"
        raise OSError(msg) from None
    bad = manifest[(manifest["status"] != "ok")]
    for row in bad[:20]:
        print(f"{row['name']}: {row['status']} ({row['message']})", file=sys.stderr)
    print(f"{len(manifest) - len(bad)} of {len(manifest)} cutouts in {arguments.folder}")
    if (manifest["status"] == "not tried").any():
        msg = "some were not tried, as the servers gave no answer: the same command goes on from here"
        raise OSError(msg)
    if not np.isin(manifest["status"], ["ok", "nan edge"]).any():
        msg = f"none of {len(manifest)} cutouts came: see the reasons above"
        raise OSError(msg)


def _run(arguments: argparse.Namespace) -> None:
    from radiosynth import metrics
    from radiosynth.reproduction import presets, recipes

    config = presets.classifier_config(
        arguments.training_set, arguments.scale, seed=arguments.seed, split_seed=arguments.split_seed
    )
    run = recipes.run(config, time_limit=arguments.time_limit)
    stored = run.predictions
    plain = stored["plain"]
    labels, probabilities = stored["labels"][plain], stored["probabilities"][plain]
    right = probabilities.argmax(axis=1) == labels
    print(f"{run.folder}{' (replayed)' if run.replayed else ''}")
    print(f"on {plain.sum()} validation sources, with 95 % intervals:")
    for name, (value, low, high) in (
        ("accuracy", metrics.share(right, confidence=0.95)),
        ("balanced accuracy", metrics.class_mean(labels, right)),
    ):
        print(f"{name} {value:.3f} ({low:.3f} to {high:.3f})")


def _gan_train(arguments: argparse.Namespace) -> None:
    from radiosynth.reproduction import presets, recipes

    config = presets.gan_config(
        arguments.morphology, arguments.scale, seed=arguments.seed, split_seed=arguments.split_seed
    )
    run = recipes.run(config, time_limit=arguments.time_limit)
    variety = ", ".join(f"{value:.2f}" for value in run.provenance["diversity"])
    print(f"{run.folder}{' (replayed)' if run.replayed else ''}")
    print(f"variety of its images relative to real ones: {variety}")


def _gan_sample(arguments: argparse.Namespace) -> None:
    from radiosynth import generators
    from radiosynth.reproduction import runs

    folders = [runs.find_run(name).folder for name in arguments.runs]
    refuse_to_replace(arguments.out, SAMPLE, [file for folder in folders for file in folder.iterdir()])
    sample = generators.sample_generators(
        folders, arguments.number, rng=np.random.default_rng(arguments.seed)
    )
    sample.save(arguments.out)
    print(f"{arguments.out}: {sample}")


def _study(arguments: argparse.Namespace) -> None:
    from radiosynth.reproduction import studies

    result = studies.run_study(
        arguments.name,
        arguments.scale,
        jobs=arguments.jobs,
        time_limit=arguments.time_limit,
        extend=arguments.extend or arguments.time_limit is not None,  # the next slice of a study
    )
    print(f"{result.folder}{' (replayed)' if result.replayed else ''}")
    _print_table(studies.summary(result))


def _tune(arguments: argparse.Namespace) -> None:
    from radiosynth.reproduction import search, studies

    limits = {"trials": arguments.trials, "jobs": arguments.jobs, "time_limit": arguments.time_limit}
    if arguments.family is None:
        _refuse_ignored(arguments, "without --family", "fold")
        _print_table(studies.summary(search.evaluate(arguments.scale, **limits)))
        return
    found = search.tune(arguments.family, arguments.scale, fold=arguments.fold or 0, **limits)
    trials, best = search.finished(found), found.best_trial
    print(f"best of {len(trials)} trials: {best.number}, validation accuracy {best.value:.3f}")
    for name, value in best.params.items():
        print(f"  {name} = {value:.4g}")


def _runs(arguments: argparse.Namespace) -> None:
    from radiosynth.reproduction import runs

    for name in runs.recorded_runs():
        print(name)


def _data(arguments: argparse.Namespace) -> None:
    from radiosynth import datasets

    print(datasets.load_first_dataset(size=CROP))
    print(datasets.load_report_sample())


def _cite(arguments: argparse.Namespace) -> None:
    from radiosynth import citing

    print(citing.citations(*arguments.names))


def _number(kind: Callable[[str], float], least: float, said: str) -> Callable[[str], float]:
    """Return a type of options: finite numbers from `least`."""

    def convert(text: str) -> float:
        with suppress(ValueError):
            value = kind(text)
            if math.isfinite(value) and value >= least:
                return value
        msg = f"{text!r} is not {said}"
        raise argparse.ArgumentTypeError(msg)

    return convert


_positive = _number(float, sys.float_info.min, "a positive number")
_seconds = _number(float, 0, "a number of seconds, 0 or more")
_whole = _number(int, 0, "a whole number, 0 or more")
_some = _number(int, 1, "a whole number, 1 or more")


def _parser() -> argparse.ArgumentParser:
    from radiosynth.reproduction.configs import ALL_TRAINING_SETS
    from radiosynth.reproduction.scales import SCALES
    from radiosynth.reproduction.search import FAMILIES
    from radiosynth.reproduction.studies import STUDIES

    parser = argparse.ArgumentParser(prog="radiosynth", description=__doc__)
    parser.add_argument("-v", "--verbose", action="store_true", help="say what is done")
    commands = parser.add_subparsers(required=True, metavar="command")

    classify = commands.add_parser(
        "classify",
        help="class probabilities of cutouts",
        description=f"Probabilities of {', '.join(m.label for m in CLASSES)} for cutouts of sources.",
    )
    classify.add_argument("files", nargs="+", type=Path, metavar="FILE", help="FITS, npy or PNG cutouts")
    classify.add_argument(
        "--run", help="folder or name of a recorded run (default: the best that is recorded)"
    )
    classify.add_argument("--csv", type=Path, help="write a CSV file instead of printing a table")
    classify.add_argument(
        "--crop",
        type=_some,
        default=CROP,
        help="central pixels to use; the models know 4.5 arcmin, %(default)s pixels of 1.8 arcsec (default)",
    )
    classify.add_argument(
        "--pixel-scale",
        type=_positive,
        metavar="ARCSEC",
        help="resample to pixels of this width, by the coordinates in FITS files; the models know 1.8",
    )
    classify.add_argument(
        "--skip", action="store_true", help="leave out files that cannot be read, and say why"
    )
    classify.set_defaults(do=_classify)

    select = commands.add_parser(
        "select",
        help="a page to review cutouts on; apply and compare the decisions",
        description="Write a page to keep, drop or relabel sources on, or apply the decisions.",
    )
    select.add_argument(
        "folder", type=Path, metavar="FOLDER", help="cutouts, perhaps with a manifest.ecsv; or a saved sample"
    )
    select.add_argument(
        "--out", type=Path, help="file to write (default: FOLDER/review.html or selected.npz)"
    )
    select.add_argument("--crop", type=_some, help=f"central pixels to show and to keep (default: {CROP})")
    select.add_argument(
        "--pixel-scale",
        type=_positive,
        metavar="ARCSEC",
        help="width of a pixel (default: the files', or 1.8)",
    )
    select.add_argument(
        "--decisions", type=Path, metavar="FILE", help="what the page exported, to be applied"
    )
    select.add_argument(
        "--undecided",
        choices=["raise", "keep", "drop"],
        help="what becomes of sources without a decision (default: raise an error)",
    )
    select.add_argument(
        "--second", type=Path, metavar="FILE", help="decisions of another reader, to be compared instead"
    )
    select.set_defaults(do=_select)

    catalogue = commands.add_parser(
        "catalogue",
        help="labelled positions from VizieR or from lists",
        description="Count the sources of catalogues and lists by class, and find pairs on the sky.",
    )
    catalogue.add_argument(
        "sources",
        nargs="*",
        metavar="SOURCE",
        help="CoNFIG, FRICAT, FRIICAT, Proctor2011 or Garon2019 (from VizieR), or a file with ra and dec "
        "(default: the report's four)",
    )
    catalogue.add_argument("--out", type=Path, help="table to write, .ecsv or .csv")
    catalogue.add_argument(
        "--radius", type=_positive, default=60, help="of pairs, in arcsec (default: %(default)g)"
    )
    catalogue.set_defaults(do=_catalogue)

    fetch = commands.add_parser(
        "cutouts",
        help="fetch cutouts by position",
        description="Fetch a FITS cutout for each position. May be stopped; the same command goes on.",
    )
    fetch.add_argument("list", metavar="SOURCE", help="file with ra and dec, or a catalogue of VizieR")
    fetch.add_argument("folder", type=Path, metavar="FOLDER", help="where the files and manifest.ecsv go")
    fetch.add_argument(
        "--survey",
        nargs="+",
        choices=["first", "skyview"],
        default=["first", "skyview"],
        help="whom to ask, in this order (default: first, then skyview)",
    )
    for option, kind, default, text in (
        ("--width", _positive, 4.5, "of the cutouts in arcmin"),
        ("--concurrency", _some, 4, "requests under way at once"),
        ("--rate", _positive, 4, "requests a second"),
        ("--retries", _whole, 3, "repetitions of a failed request"),
        ("--timeout", _positive, 60, "seconds to wait for an answer"),
    ):
        fetch.add_argument(option, type=kind, default=default, help=f"{text} (default: %(default)g)")
    fetch.set_defaults(do=_cutouts)
    for listed in (catalogue, fetch):
        listed.add_argument(
            "--classes",
            nargs="+",
            default=[],
            metavar="LABEL=CLASS",
            help=f"what labels of a list mean: one of {', '.join(CLASS_NAMES)}, or nothing for none",
        )

    run = commands.add_parser("run", help="train a classifier, or replay the recorded run")
    run.add_argument("--training-set", choices=ALL_TRAINING_SETS, default="real")
    run.set_defaults(do=_run)

    gans = commands.add_parser("gan", help="train a GAN, or draw images from one").add_subparsers(
        required=True, metavar="command"
    )
    train = gans.add_parser("train", help="train the GAN of a class, or replay the recorded run")
    train.add_argument(
        "--class",
        dest="morphology",
        choices=[*CLASS_NAMES, "all"],
        default="all",
        help="class to learn; all (the default) is one class-conditional network",
    )
    sample = gans.add_parser("sample", help="draw images from recorded GANs into one .npz file")
    sample.add_argument("runs", nargs="+", metavar="RUN", help="folder or name of a recorded GAN")
    sample.add_argument("--number", type=_some, default=100, help="images per class (default: %(default)s)")
    sample.add_argument("--out", type=Path, required=True, help="file for Sample.load")
    sample.add_argument("--seed", type=_whole, default=0)
    train.set_defaults(do=_gan_train)
    sample.set_defaults(do=_gan_sample)
    for trained in (run, train):
        trained.add_argument("--scale", choices=list(SCALES), help="default: RADIOSYNTH_SCALE, or laptop")
        trained.add_argument("--seed", type=_whole, default=0)
        trained.add_argument("--split-seed", type=_whole, default=0)
        trained.add_argument(
            "--time-limit", type=_seconds, metavar="S", help="stop cleanly after about S seconds"
        )

    study = commands.add_parser("study", help="repeat a comparison over splits, or replay the recorded study")
    study.add_argument("name", choices=list(STUDIES))
    study.add_argument(
        "--extend",
        action="store_true",
        help="compute the folds that a saved study lacks, as --time-limit does",
    )
    study.set_defaults(do=_study)

    tune = commands.add_parser(
        "tune",
        help="search for a network and its settings",
        description="Compare families of networks, tune the best two and test the choice on sources that the "
        "search never saw; or tune one family. Stopped searches go on; several processes can share one.",
    )
    tune.add_argument("--family", choices=list(FAMILIES), help="only this one, and no test")
    tune.add_argument("--fold", type=_whole, help="with --family: the part that is kept for tests")
    tune.add_argument("--trials", type=_some, help="of each search, recorded ones included")
    tune.set_defaults(do=_tune)
    for parallel in (study, tune):
        parallel.add_argument("--scale", choices=list(SCALES), help="default: RADIOSYNTH_SCALE, or laptop")
        parallel.add_argument(
            "--jobs", type=_some, default=1, help="runs or trials at a time (default: %(default)s)"
        )
        parallel.add_argument(
            "--time-limit", type=_seconds, metavar="S", help="stop cleanly after about S seconds"
        )

    commands.add_parser("runs", help="list the recorded runs").set_defaults(do=_runs)
    commands.add_parser("data", help="fetch the data and say what it holds").set_defaults(do=_data)

    cite = commands.add_parser("cite", help="what to cite, with BibTeX")
    cite.add_argument("names", nargs="*", help="some of the references; all if not given")
    cite.set_defaults(do=_cite)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status: 0 done, 1 failed, 75 stopped before the end."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # it was closed
            setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115
        with suppress(AttributeError):  # a stand-in of tests or notebooks
            getattr(sys, name).reconfigure(errors="backslashreplace")  # no locale lacks a letter
    try:
        try:
            return _do(arguments)
        finally:
            sys.stdout.flush()
    except OSError as error:
        # What is left in the buffer would fail again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):  # whose reader has seen enough
            print(f"radiosynth: the output could not be written: {error}", file=sys.stderr)
        return 1


def _do(arguments: Sequence[str] | None) -> int:
    """Do what the arguments say and return the exit status."""
    try:
        with stopping.on_signals(stopping.interrupt):
            parsed = _parser().parse_args(arguments)
            level = logging.INFO if parsed.verbose else logging.WARNING
            logging.basicConfig(level=level, format="%(message)s")
            parsed.do(parsed)
    except (ValueError, OSError, MemoryError, stopping.TrainingDiverged) as error:
        if isinstance(error, OSError) and error.errno in (errno.EPIPE, errno.ENOSPC) and not error.filename:
            raise  # it came from printing
        print(f"radiosynth: {error}", file=sys.stderr)
        return 1
    except stopping.TrainingStopped as error:
        print(f"radiosynth: {error}", file=sys.stderr)
        return 75
    except KeyboardInterrupt as reason:
        print(f"radiosynth: stopped by {reason}; run the same command again to go on", file=sys.stderr)
        return 75
    return 0
