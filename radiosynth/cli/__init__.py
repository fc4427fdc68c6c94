"""The command ``radiosynth``."""

from __future__ import annotations

import argparse
import errno
import logging
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path

from radiosynth import stopping

COMMANDS = {
    "classify": ("images", "class probabilities of cutouts"),
    "select": ("images", "review cutouts on a page; apply and compare decisions"),
    "catalogue": ("sources", "labelled positions from VizieR or from lists"),
    "cutouts": ("sources", "fetch cutouts by position"),
    "run": ("trainings", "train a classifier, or load the saved run"),
    "gan": ("trainings", "train a GAN, or load the saved run"),
    "study": ("trainings", "repeat a comparison over folds, or load the saved study"),
    "verdict": ("trainings", "result of the comparison of training sets; train for it"),
    "tune": ("trainings", "search for a network and its settings"),
    "runs": ("trainings", "list the saved runs"),
    "data": ("sources", "fetch the labelled images and describe them"),
    "cite": ("sources", "print what to cite, with BibTeX"),
}
"""Each command: the module with its function and its ``<command>_options``, and what it does in a line."""


def _parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    """Return the parser, with the options of the command that is called alone: others need not be loaded."""
    parser = argparse.ArgumentParser(prog="radiosynth", description=__doc__)
    parser.add_argument("-v", "--verbose", action="store_true", help="say what is done")
    commands = parser.add_subparsers(required=True, metavar="command")
    called = next((word for word in arguments if word in COMMANDS), None)
    for name, (module, said) in COMMANDS.items():
        command = commands.add_parser(name, help=said)
        if name == called:
            loaded = import_module(f"radiosynth.cli.{module}")
            command.set_defaults(do=getattr(loaded, name, None))
            getattr(loaded, f"{name}_options", lambda _: None)(command)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status: 0 done, 1 failed, 75 stopped before the end."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # it was closed
            setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115
        with suppress(AttributeError):  # a stand-in of tests or notebooks
            getattr(sys, name).reconfigure(errors="backslashreplace")  # no locale lacks a letter
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # of TensorFlow, errors alone
    given = sys.argv[1:] if arguments is None else arguments
    try:
        with stopping.on_signals(stopping.interrupt):
            parsed = _parser(given).parse_args(given)
            level = logging.INFO if parsed.verbose else logging.WARNING
            logging.basicConfig(level=level, format="%(message)s")
            parsed.do(parsed)
            print(end="", flush=True)
    except (ValueError, OSError, MemoryError, stopping.TrainingDiverged) as error:
        if isinstance(error, OSError) and error.errno in (errno.EPIPE, errno.ENOSPC) and not error.filename:
            # It came from printing; what is left in the buffer would fail again at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):  # whose reader has seen enough
            print(f"radiosynth: {error}", file=sys.stderr)
        return 1
    except stopping.TrainingStopped as error:
        print(f"radiosynth: {error}", file=sys.stderr)
        return 75
    except KeyboardInterrupt as reason:
        print(f"radiosynth: stopped by {reason}; run the same command again to resume", file=sys.stderr)
        return 75
    return 0
