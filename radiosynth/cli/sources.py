"""Commands about sources and images: classify, select, catalogue, cutouts, data, cite."""

from __future__ import annotations

import argparse
import glob
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from astropy.table import Table

from radiosynth._io import SAMPLE, TABLES, check, refuse_to_replace, table_format, write_table
from radiosynth.cli.options import (
    CROP,
    add_mosaic,
    from_mosaic,
    positive,
    print_table,
    refuse_ignored,
    some,
    whole,
)
from radiosynth.taxonomy import CLASS_NAMES, CLASSES


def classify_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``radiosynth classify``."""
    parser.description = f"Probabilities of {', '.join(m.label for m in CLASSES)} for cutouts of sources."
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE", help="FITS, npy or PNG cutouts")
    add_mosaic(parser)
    parser.add_argument("--positions", metavar="LIST", help="sources in the mosaic: a file with ra and dec")
    parser.add_argument("--run", help="folder or name of a saved run (default: the best of the package)")
    written = parser.add_mutually_exclusive_group()
    written.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help=f"write a table instead of printing it, by the suffix: {', '.join(TABLES)}",
    )
    written.add_argument("--csv", type=Path, metavar="FILE", help="the same as CSV, whatever the suffix")
    parser.add_argument(
        "--page", type=Path, metavar="FILE", help="write one HTML page of images, classes and flags"
    )
    parser.add_argument(
        "--crop",
        type=some,
        default=CROP,
        help="central pixels to use; the models know 4.5 arcmin, %(default)s pixels of 1.8 arcsec (default)",
    )
    parser.add_argument(
        "--pixel-scale",
        type=positive,
        metavar="ARCSEC",
        help="resample to pixels of this width, by the coordinates in FITS files; the models know 1.8",
    )
    parser.add_argument(
        "--skip", action="store_true", default=None, help="leave out files that cannot be read, and say why"
    )


def classify(arguments: argparse.Namespace) -> None:
    """Print or write the classes of the sources on images."""
    from radiosynth.classification import load_classifier

    named, inputs = "file", expanded(arguments.files)
    if arguments.mosaic:
        refuse_ignored(arguments, "with --mosaic", "files", "skip")
        check(arguments.positions, "--mosaic needs --positions, a file with ra and dec of the sources")
        named, inputs = "name", [arguments.mosaic, Path(arguments.positions)]
    else:
        refuse_ignored(arguments, "without --mosaic", "positions", "beam")
        check(inputs, "give the files to classify, or --mosaic and --positions")
    out, kind = arguments.csv or arguments.out, "ascii.csv"
    if out:
        like = f"{named},class,".encode()
        if not arguments.csv:
            kind, like = table_format(out, (named.encode(), b"class"))
        refuse_to_replace(out, like, inputs)
    if arguments.page:
        from radiosynth.classification.page import PAGE, class_page

        refuse_to_replace(arguments.page, PAGE, inputs)
    classifier = load_classifier(arguments.run)
    if arguments.mosaic:
        how = {"size": arguments.crop, "pixel_scale": arguments.pixel_scale}
        sample = from_mosaic(arguments, _sources([arguments.positions], []), **how)
    else:
        on_error: Literal["skip", "raise"] = "skip" if arguments.skip else "raise"
        sample = classifier.read(inputs, arguments.crop, arguments.pixel_scale, on_error)
    table = classifier.classify(sample)
    told = [f"skipped {file}: {reason}" for file, reason in table.meta["skipped"]]
    told += [f"left out {file}: {reason}" for file, reason in table.meta["left_out"]]
    told += [f"{file} has {note}" for file, note in table.meta["notes"]]
    model = f"model: {table.meta['model']}"
    print(*told, sep="\n", end="\n" if told else "", file=sys.stderr)
    if arguments.page:
        class_page(sample, table, arguments.page)
    table.rename_column("name", named)
    if out:
        table.meta = {"comments": [model, *told]}
        write_table(out, table, kind)
    elif not arguments.page:
        for name in table.colnames[2:]:
            table[name].info.format = ".3f"
        print_table(table)
    print(model, file=sys.stderr)


def expanded(patterns: Sequence[Path]) -> list[Path]:
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


def select_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``radiosynth select``."""
    parser.description = "Write a page to keep, drop or relabel sources on, or apply the decisions."
    parser.add_argument(
        "folder", type=Path, metavar="FOLDER", help="cutouts, perhaps with a manifest.ecsv; or a saved sample"
    )
    parser.add_argument(
        "--out", type=Path, help="file to write (default: FOLDER/review.html or selected.npz)"
    )
    parser.add_argument("--crop", type=some, help=f"central pixels to show and to keep (default: {CROP})")
    parser.add_argument(
        "--pixel-scale",
        type=positive,
        metavar="ARCSEC",
        help="width of a pixel (default: the files', or 1.8)",
    )
    parser.add_argument(
        "--decisions", type=Path, metavar="FILE", help="what the page exported, to be applied"
    )
    parser.add_argument(
        "--undecided",
        choices=["raise", "keep", "drop"],
        help="what becomes of sources without a decision (default: raise an error)",
    )
    parser.add_argument(
        "--second", type=Path, metavar="FILE", help="decisions of another reader, to be compared instead"
    )


def select(arguments: argparse.Namespace) -> None:
    """Write a review page, or apply or compare decisions."""
    from radiosynth import selection

    if not arguments.decisions:
        refuse_ignored(arguments, "without --decisions", "second", "undecided")
    elif arguments.second:
        refuse_ignored(arguments, "with --second", "out", "crop", "undecided", "pixel_scale")
        _compare(arguments.decisions, arguments.second)
        return
    else:
        refuse_ignored(arguments, "with --decisions", "pixel_scale")
    if arguments.folder.is_file():
        refuse_ignored(arguments, "for a saved sample", "crop")
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
    print(f"{found.number} sources read twice, {found.proportion:.1%} alike")
    print(f"Cohen's kappa {found.kappa:.3f} ({found.low:.3f} to {found.high:.3f})")
    if len(found.disagreements):
        print_table(found.disagreements)


def catalogue_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``radiosynth catalogue``."""
    parser.description = "Count the sources of catalogues and lists by class, and find pairs on the sky."
    parser.add_argument(
        "sources",
        nargs="*",
        metavar="SOURCE",
        help="CoNFIG, FRICAT, FRIICAT, Proctor2011 or Garon2019 (from VizieR), or a file with ra and dec "
        "(default: the report's four)",
    )
    parser.add_argument("--out", type=Path, help="table to write, .ecsv or .csv")
    parser.add_argument(
        "--radius", type=positive, default=60, help="of pairs, in arcsec (default: %(default)g)"
    )
    _add_classes(parser)


def catalogue(arguments: argparse.Namespace) -> None:
    """Count the sources of catalogues and lists, and find pairs."""
    from radiosynth import catalogues

    if arguments.out:
        like = table_format(arguments.out)[1]
        refuse_to_replace(arguments.out, like, map(Path, arguments.sources))
    sources = _sources(arguments.sources, arguments.classes)
    counts = Table(rows=sources["catalogue", "class"].as_array().tolist(), names=["catalogue", "class"])
    counts["sources"] = 1
    counts = counts.group_by(["catalogue", "class"]).groups.aggregate(np.sum)
    print_table(counts)
    pairs = catalogues.find_duplicates(sources, arguments.radius)
    known = (pairs["class_1"] != "") & (pairs["class_2"] != "")
    two = int((known & (pairs["class_1"] != pairs["class_2"])).sum())
    print(
        f"{len(sources)} sources; {len(pairs)} pairs within {arguments.radius:g} arcsec, {two} of two classes"
    )
    if arguments.out:
        sources["sky_group"] = catalogues.sky_groups(sources, arguments.radius)
        write_table(arguments.out, sources)


def cutouts_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``radiosynth cutouts``."""
    from radiosynth.surveys import HIPS

    known = {name.lower(): name for name in ("first", "skyview", *HIPS)}
    said = "Fetch a FITS cutout for each position, or cut it out of a mosaic."
    parser.description = f"{said} May be stopped; the same command resumes."
    parser.add_argument("list", metavar="SOURCE", help="file with ra and dec, or a catalogue of VizieR")
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="where the files and manifest.ecsv go")
    parser.add_argument(
        "--survey",
        nargs="+",
        type=lambda text: known.get(text.lower(), text),
        choices=list(known.values()),
        help="whom to ask, in this order (default: first, then skyview)",
    )
    add_mosaic(parser)
    for option, kind, default, text in (
        ("--width", positive, 4.5, "of the cutouts in arcmin"),
        ("--concurrency", some, 4, "requests under way at once"),
        ("--rate", positive, 4, "requests a second"),
        ("--retries", whole, 3, "repetitions of a failed request"),
        ("--timeout", positive, 60, "seconds to wait for an answer"),
    ):
        parser.add_argument(option, type=kind, default=default, help=f"{text} (default: %(default)g)")
    _add_classes(parser)


def cutouts(arguments: argparse.Namespace) -> None:
    """Fetch a cutout for each position."""
    from radiosynth import cutouts, surveys

    sources = _sources([arguments.list], arguments.classes)
    if arguments.mosaic:
        refuse_ignored(arguments, "with --mosaic", "survey")
        sample = from_mosaic(arguments, sources, size=surveys.FIRST.pixels(arguments.width))
        cutouts.write_cutouts(sample, arguments.folder)
        for name, reason in sample.table.meta["skipped"]:
            print(f"skipped {name}: {reason}", file=sys.stderr)
        print(f"{len(sample)} of {len(sources)} cutouts in {arguments.folder}")
        return
    refuse_ignored(arguments, "without --mosaic", "beam")
    servers = {"first": surveys.First, "skyview": surveys.SkyView}
    waits = {"timeout": arguments.timeout}
    asked = [
        surveys.Hips(name, **waits) if name in surveys.HIPS else servers[name](**waits)
        for name in arguments.survey or servers
    ]
    logging.getLogger("radiosynth").setLevel(logging.INFO)
    try:
        manifest = cutouts.download_cutouts(
            sources,
            arguments.folder,
            survey=asked,
            width=arguments.width,
            concurrency=arguments.concurrency,
            rate=arguments.rate,
            retries=arguments.retries,
        )
    except KeyboardInterrupt:
        msg = "stopped; the same command resumes"
        raise OSError(msg) from None
    bad = manifest[(manifest["status"] != "ok")]
    for row in bad[:20]:
        print(f"{row['name']}: {row['status']} ({row['message']})", file=sys.stderr)
    print(f"{len(manifest) - len(bad)} of {len(manifest)} cutouts in {arguments.folder}")
    if (manifest["status"] == "not tried").any():
        msg = "some were not tried, as the servers gave no answer: the same command resumes"
        raise OSError(msg)
    if not np.isin(manifest["status"], ["ok", "nan edge"]).any():
        msg = f"none of {len(manifest)} cutouts came: see the reasons above"
        raise OSError(msg)


def _add_classes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--classes",
        nargs="+",
        default=[],
        metavar="LABEL=CLASS",
        help=f"what labels of a list mean: one of {', '.join(CLASS_NAMES)}, or nothing for none",
    )


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


def data(arguments: argparse.Namespace) -> None:
    """Fetch the data and say what it holds."""
    from radiosynth import datasets

    print(datasets.load_first_dataset(size=CROP))
    print(datasets.load_report_sample())


def cite_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``radiosynth cite``."""
    parser.add_argument("names", nargs="*", help="some of the references; all if not given")


def cite(arguments: argparse.Namespace) -> None:
    """Print what to cite."""
    from radiosynth import citing

    print(citing.citations(*arguments.names))
