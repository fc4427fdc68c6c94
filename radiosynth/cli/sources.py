"""Commands about positions and data: catalogue, cutouts, data and cite."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from astropy.table import Table, vstack

import radiosynth
from radiosynth._io import check, log
from radiosynth.cli import options
from radiosynth.taxonomy import CLASS_NAMES


def catalogue_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``radiosynth catalogue``."""
    parser.description = "Count the sources of catalogues and lists by class, and find close pairs."
    known = "CoNFIG, FRICAT, FRIICAT, Proctor2011 or Garon2019 (from VizieR)"
    lists = f"{known}, or a file with ra and dec (default: the report's four)"
    parser.add_argument("sources", nargs="*", metavar="SOURCE", help=lists)
    add_classes(parser)


def catalogue(arguments: argparse.Namespace) -> None:
    """Count the sources of catalogues and lists, and find pairs."""
    sources = read_sources(arguments.sources, arguments.classes)
    groups = sources.group_by(["catalogue", "class"]).groups
    counts = groups.keys
    counts["sources"] = np.diff(groups.indices)
    counts.pprint_all()
    pairs = radiosynth.catalogues.find_duplicates(sources)
    known = (pairs["class_1"] != "") & (pairs["class_2"] != "")
    two = int((known & (pairs["class_1"] != pairs["class_2"])).sum())
    print(f"{len(sources)} sources; {len(pairs)} pairs within 60 arcsec, {two} of different classes")


def cutouts_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``radiosynth cutouts``."""
    said = "Fetch a FITS cutout for each position, or cut it out of a mosaic."
    parser.description = f"{said} If it is stopped, the same command resumes."
    parser.add_argument("list", metavar="SOURCE", help="file with ra and dec, or a catalogue of VizieR")
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="where the files and manifest.ecsv go")
    known = ["first", "skyview", *radiosynth.surveys.HIPS]
    order = "surveys to query, in this order (default: first, then skyview)"
    parser.add_argument("--survey", nargs="+", choices=known, help=order)
    options.add_mosaic(parser)
    width = "width of the cutouts in arcmin (default: 4.5)"
    parser.add_argument("--width", type=options.positive, default=4.5, help=width)
    add_classes(parser)


def cutouts(arguments: argparse.Namespace) -> None:
    """Fetch a cutout for each position."""
    from radiosynth import cutouts, surveys

    sources = read_sources([arguments.list], arguments.classes)
    if arguments.mosaic:
        options.refuse_ignored(arguments, "with --mosaic", "survey")
        sample = options.from_mosaic(arguments, sources, size=surveys.FIRST.pixels(arguments.width))
        cutouts.write_cutouts(sample, arguments.folder)
        for name, reason in sample.table.meta["skipped"]:
            print(f"skipped {name}: {reason}", file=sys.stderr)
        print(f"{len(sample)} of {len(sources)} cutouts in {arguments.folder}")
        return
    options.refuse_ignored(arguments, "without --mosaic", "beam")
    servers = {"first": surveys.First, "skyview": surveys.SkyView}
    asked = [servers[key]() if key in servers else surveys.Hips(key) for key in arguments.survey or servers]
    log.setLevel("INFO")
    manifest = cutouts.download_cutouts(sources, arguments.folder, survey=asked, width=arguments.width)
    bad = manifest[manifest["status"] != "ok"]
    for row in bad:
        print(f"{row['name']}: {row['status']} ({row['message']})", file=sys.stderr)
    print(f"{len(manifest) - len(bad)} of {len(manifest)} cutouts in {arguments.folder}")
    untried = (manifest["status"] == "not tried").any()
    check(not untried, "some were not tried, as the servers did not answer: the same command resumes")
    came = np.isin(manifest["status"], ["ok", "nan edge"]).any()
    check(came, f"none of {len(manifest)} cutouts could be fetched: see the reasons above")


def add_classes(parser: argparse.ArgumentParser) -> None:
    """Add the option that says what the labels of a list mean."""
    meaning = f"class for a label in a list: {', '.join(CLASS_NAMES)}, or empty for none"
    parser.add_argument("--classes", nargs="+", default=[], metavar="LABEL=CLASS", help=meaning)


def read_sources(names: Sequence[str], classes: Sequence[str]) -> Table:
    """Return the sources of catalogues and of lists, by name and by file."""
    from radiosynth import catalogues

    wrong = [pair for pair in classes if "=" not in pair]
    check(not wrong, f"--classes {' '.join(wrong)}: give LABEL=CLASS, and lists before this option")
    lists = [name for name in names if name.lower() not in map(str.lower, catalogues.CATALOGUES)]
    fault = "--classes has no effect on catalogues of VizieR; leave it out, or give a list"
    check(not classes or lists, fault)
    lacking = ", ".join(name for name in lists if not Path(name).exists())
    known = ", ".join(catalogues.CATALOGUES)
    check(not lacking, f"{lacking} is neither a file nor a known catalogue: {known}")
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
    print(radiosynth.load_first_dataset(size=options.CROP))
    print(radiosynth.load_report_sample())


def cite_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``radiosynth cite``."""
    parser.add_argument("names", nargs="*", help="names of references (default: all)")


def cite(arguments: argparse.Namespace) -> None:
    """Print what to cite."""
    print(radiosynth.citations(*arguments.names))
