"""What the commands share: types of options, and options and outputs that several have."""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from astropy.table import Table

from radiosynth._io import check

if TYPE_CHECKING:
    from radiosynth.sample import Sample

CROP = 150
"""Width in pixels of the report's cutouts, 4.5 arcmin at 1.8 arcsec a pixel."""


def load_keras() -> None:
    """Import Keras, without the greeting that TensorFlow writes past Python to standard error."""
    # For wrappers and plots that no command uses, it would load these, a second of processor time.
    unused: dict[str, Any] = dict.fromkeys({"sklearn", "matplotlib"} - sys.modules.keys())
    shown = os.dup(2)
    sys.modules.update(unused)
    try:
        with Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
            import keras  # noqa: F401
    except (ImportError, ValueError) as error:
        fault = f"Keras cannot be loaded ({error}): its settings are KERAS_BACKEND and ~/.keras/keras.json"
        msg = f"{fault}, and the backend they name, tensorflow or jax, has to be installed"
        raise ValueError(msg) from error
    finally:
        os.dup2(shown, 2)
        os.close(shown)
        for name in unused:
            del sys.modules[name]


def number(kind: Callable[[str], float], least: float, said: str) -> Callable[[str], float]:
    """Return a type of options: finite numbers from `least`."""

    def convert(text: str) -> float:
        with suppress(ValueError):
            value = kind(text)
            if math.isfinite(value) and value >= least:
                return value
        msg = f"{text!r} is not {said}"
        raise argparse.ArgumentTypeError(msg)

    return convert


positive = number(float, sys.float_info.min, "a positive number")
seconds = number(float, 0, "a number of seconds, 0 or more")
whole = number(int, 0, "a whole number, 0 or more")
some = number(int, 1, "a whole number, 1 or more")


def add_scale(parser: argparse.ArgumentParser) -> None:
    """Add what all trainings take: a scale and a time limit."""
    from radiosynth.reproduction.scales import SCALES

    parser.add_argument("--scale", choices=list(SCALES), help="default: RADIOSYNTH_SCALE, or laptop")
    add_time_limit(parser)


def add_time_limit(parser: argparse.ArgumentParser) -> None:
    """Add a time limit."""
    parser.add_argument("--time-limit", type=seconds, metavar="S", help="stop cleanly after about S seconds")


def add_seeds(parser: argparse.ArgumentParser) -> None:
    """Add what a run takes: its seeds, a scale and a time limit."""
    parser.add_argument("--seed", type=whole, default=0, help="of the training (default: 0)")
    parser.add_argument("--split-seed", type=whole, default=0, help="of the split (default: 0)")
    add_scale(parser)


def add_jobs(parser: argparse.ArgumentParser) -> None:
    """Add how many runs are trained side by side."""
    parser.add_argument("--jobs", type=some, default=1, help="runs in parallel (default: 1)")


def add_mosaic(parser: argparse.ArgumentParser) -> None:
    """Add a mosaic and its beam."""
    parser.add_argument("--mosaic", type=Path, metavar="FITS", help="large image that holds the sources")
    beam = "beam of the mosaic: FWHM, or major axis, minor axis and position angle (default: its header)"
    parser.add_argument("--beam", nargs="+", type=float, metavar="ARCSEC", help=beam)


def from_mosaic(
    arguments: argparse.Namespace, sources: Table, size: int, pixel_scale: float | None = None
) -> Sample:
    """Return sources cut out of a mosaic, and print how it was done."""
    from radiosynth.cutouts import cutouts_from_mosaic
    from radiosynth.surveys import FIRST

    how = {"size": size, "pixel_scale": pixel_scale or FIRST.pixel_scale, "beam": arguments.beam}
    sample = cutouts_from_mosaic(arguments.mosaic, sources, **how)
    print("\n".join(sample.history), file=sys.stderr)
    return sample


def refuse_ignored(arguments: argparse.Namespace, why: str, *names: str) -> None:
    """Raise where options were given that would have no effect."""
    given = [f"--{name.replace('_', '-')}" for name in names if getattr(arguments, name) not in (None, [])]
    check(not given, f"{' and '.join(given)} has no effect {why}; leave it out")
