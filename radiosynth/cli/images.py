"""Commands that work on images: classify and select."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from astropy.table import Table
from tqdm import tqdm

import radiosynth
from radiosynth import classification
from radiosynth._io import TABLES, check, refuse_to_replace, table_format, write_table
from radiosynth.cli import options
from radiosynth.cli.sources import add_classes, read_sources
from radiosynth.cutouts.manifest import MANIFEST
from radiosynth.cutouts.read import part_of
from radiosynth.sample import SAMPLE
from radiosynth.taxonomy import CLASSES


def classify_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``radiosynth classify``."""
    parser.description = f"Probabilities of {', '.join(m.label for m in CLASSES)} for cutouts of sources."
    add = parser.add_argument
    files = "FITS, npy, PNG or JPEG cutouts, stacks or folders of them, or tables with a column path"
    add("files", nargs="*", type=Path, metavar="FILE", help=files)
    options.add_mosaic(parser)
    add("--positions", metavar="LIST", help="sources in the mosaic: a file with ra and dec")
    add_classes(parser)
    model = "ensemble (five networks, slower), or folder or name of a saved run (default: one network)"
    add("--model", help=model)
    suffixes = f"write the table to this file instead of printing it; suffixes: {', '.join(TABLES)}"
    add("--out", "--csv", type=Path, metavar="FILE", help=suffixes)
    add("--page", type=Path, metavar="FILE", help="write an HTML page of images, classes and flags")
    add("--crop", type=options.some, help="central pixels to use (default: as many as the model needs, 150)")
    width = "resample FITS files to pixels of this width; the default model needs 1.8"
    add("--pixel-scale", type=options.positive, metavar="ARCSEC", help=width)
    add("--skip", action="store_const", const="skip", help="skip files that cannot be read, and say why")
    add("--jobs", type=options.some, help="processes, or jobs of a cluster (default: 1)")
    add("--cluster", metavar="WHERE", help="address of a Dask scheduler, or slurm")


def classify(arguments: argparse.Namespace) -> None:
    """Print or write the classes of the sources on images."""
    named, inputs, out = "file", arguments.files, arguments.out
    if arguments.mosaic:
        options.refuse_ignored(arguments, "with --mosaic", "files", "skip", "jobs", "cluster")
        check(arguments.positions, "--mosaic needs --positions, a file with ra and dec of the sources")
        named, inputs = "name", [arguments.mosaic, Path(arguments.positions)]
    else:
        options.refuse_ignored(arguments, "without --mosaic", "positions", "beam", "classes")
        check(inputs, "give the files to classify, or --mosaic and --positions")
    # Said now: to load Keras takes seconds.
    absent = [str(path) for path in inputs if not part_of(str(path))[0].exists()]
    check(arguments.skip or not absent, f"there is no {', '.join(absent[:3])}; check the path")
    if out:
        manifests = [Path(path) / MANIFEST for path in inputs]
        refuse_to_replace(out, table_format(out, (named.encode(), b"class"))[1], [*inputs, *manifests])
    if arguments.page:
        from radiosynth.classification.page import PAGE, class_page

        refuse_to_replace(arguments.page, PAGE, inputs)
    options.load_keras()
    chunks = [] if arguments.mosaic else classification.in_chunks(inputs)
    many = len(chunks) > classification.AT_ONCE or arguments.jobs or arguments.cluster
    if many:
        check(out, "the images are classified in chunks: give --out, the file to write")
        options.refuse_ignored(arguments, "for images in chunks, which one page cannot show", "page")
    classifier = classification.load_classifier(arguments.model)
    if many:
        _classify_many(arguments, classifier, chunks)
        return
    if arguments.mosaic:
        sources = read_sources([arguments.positions], arguments.classes)
        size = arguments.crop or classifier.card["crop"]
        sample = options.from_mosaic(arguments, sources, size, arguments.pixel_scale)
    else:
        files = [file for chunk in chunks for file in chunk]
        sample = classifier.read(files, arguments.crop, arguments.pixel_scale, arguments.skip or "raise")
    table = classifier.classify(sample)
    if not arguments.mosaic:
        table.meta["skipped"][:0] = classification.without_image(inputs)
    told = [f"model: {table.meta['model']}", *_told(table)]
    if arguments.page:
        class_page(sample, table, arguments.page)
    table.rename_column("name", named)
    if out:
        table.meta = {"comments": told}
        write_table(out, table)
    elif not arguments.page:
        for name in table.colnames[2:]:
            table[name].info.format = ".3f"
        table.pprint_all()
    print(*told, sep="\n", file=sys.stderr)


def _told(table: Table) -> list[str]:
    """Return what is to be said of images besides their classes, a line each."""
    told = [f"skipped {file}: {reason}" for file, reason in table.meta["skipped"]]
    told += [f"left out {file}: {reason}" for file, reason in table.meta["left_out"]]
    return told + [f"{file} has {note}" for file, note in table.meta["notes"]]


def _classify_many(
    arguments: argparse.Namespace, classifier: radiosynth.Classifier, chunks: list[list[str]]
) -> None:
    """Write the classes of more images than fit into memory, or of some on many processors."""
    out, parts = arguments.out, arguments.out.with_name(f"{arguments.out.name}.parts")
    if arguments.cluster:
        chunks = [[str(Path(file).absolute()) for file in chunk] for chunk in chunks]
    if out.suffix.lower() == ".fits":  # said now, not after hours
        strange = [file for chunk in chunks for file in chunk if not file.isascii()]
        check(not strange, f"{out}: a table in FITS holds ASCII only, not {strange[:1]}; write CSV")
    told = [f"model: {classifier.card['name']}"]
    for name, reason in classification.without_image(arguments.files):
        told.append(f"skipped {name}: {reason}")
        print(told[-1], file=sys.stderr)
    how: dict[str, Any] = {"crop": arguments.crop, "pixel_scale": arguments.pixel_scale}
    how["on_error"] = arguments.skip or "raise"
    with (
        radiosynth.parallel.on_cluster(arguments.cluster, arguments.jobs or 1) as jobs,
        tqdm(total=classification.count_images(chunks), unit=" images", disable=None) as progress,
    ):
        for table in classification.classify_in_chunks(classifier, chunks, parts, jobs=jobs, **how):
            for line in _told(table):
                progress.write(line, sys.stderr)
                told.append(line)
            progress.update(len(table) + len(table.meta["skipped"]) + len(table.meta["left_out"]))
    classification.join_chunks(parts, out, comments=told)
    print(told[0], file=sys.stderr)


def select_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``radiosynth select``."""
    parser.description = "Write a page on which to keep, drop or relabel sources, or apply the decisions."
    add = parser.add_argument
    add("folder", type=Path, metavar="FOLDER", help="cutouts, perhaps with manifest.ecsv; or a saved sample")
    add("--out", type=Path, help="file to write (default: FOLDER/review.html or selected.npz)")
    add("--crop", type=options.some, help=f"central pixels to show and to keep (default: {options.CROP})")
    width = "width of a pixel (default: the files', or 1.8)"
    add("--pixel-scale", type=options.positive, metavar="ARCSEC", help=width)
    add("--decisions", type=Path, metavar="FILE", help="decisions exported by the page, to be applied")
    undecided = "what to do with sources without a decision (default: raise an error)"
    add("--undecided", choices=["raise", "keep", "drop"], help=undecided)
    add("--second", type=Path, metavar="FILE", help="decisions of another reader, for comparison")


def select(arguments: argparse.Namespace) -> None:
    """Write a review page, or apply or compare decisions."""
    if not arguments.decisions:
        options.refuse_ignored(arguments, "without --decisions", "second", "undecided")
    elif arguments.second:
        options.refuse_ignored(arguments, "with --second", "out", "crop", "undecided", "pixel_scale")
        _compare(arguments.decisions, arguments.second)
        return
    else:
        options.refuse_ignored(arguments, "with --decisions", "pixel_scale")
    if arguments.folder.is_file():
        options.refuse_ignored(arguments, "for a saved sample", "crop")
    inside = arguments.folder if arguments.folder.is_dir() else arguments.folder.parent
    out = arguments.out or inside / ("selected.npz" if arguments.decisions else "review.html")
    inputs = [arguments.folder, arguments.decisions] if arguments.decisions else [arguments.folder]
    refuse_to_replace(out, SAMPLE if arguments.decisions else b"<!doctype html", inputs)
    sample = radiosynth.read_folder(arguments.folder, size=arguments.crop or options.CROP)
    for name, reason in sample.table.meta.get("skipped", []):
        print(f"no image of {name}: {reason}", file=sys.stderr)
    if not arguments.decisions:
        cuts = radiosynth.Cuts(pixel_scale=arguments.pixel_scale) if arguments.pixel_scale else None
        page = radiosynth.review_page(sample, out, cuts=cuts)
        print(f"{page}: {len(sample)} sources. Open it in a browser, decide, export, and then\n")
        print(f"  radiosynth select {arguments.folder} --decisions FILE")
        return
    decisions = radiosynth.read_decisions(arguments.decisions)
    kept = radiosynth.apply_decisions(sample, decisions, undecided=arguments.undecided or "raise")
    kept.save(out)
    print(f"{out}: {kept.history[-1]}\n{kept}")


def _compare(first: Path, second: Path) -> None:
    """Print how far two readers agree."""
    found = radiosynth.agreement(radiosynth.read_decisions(first), radiosynth.read_decisions(second))
    print(f"{found.number} sources decided by both readers, {found.proportion:.1%} alike")
    print(f"Cohen's kappa {found.kappa:.3f} ({found.low:.3f} to {found.high:.3f})")
    if len(found.disagreements):
        found.disagreements.pprint_all()
