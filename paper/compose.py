"""Build the paper: ``paper/radiosynth.pdf``, from figures, tables and runs that are saved.

    python paper/compose.py

It takes seconds and no network: nothing is computed here, and all numbers are read from records. The same
text is a page of the documentation, whose HTML `page` returns, with figures and tables of its own.
"""

from __future__ import annotations

import json
import re
import sys
import time
from pathlib import Path

import typst
from records import ROOT, MissingRecordError, collect


def build(root: Path = ROOT) -> Path:
    """Write the paper as PDF and return its path; on failure an earlier one stays.

    Raises
    ------
    records.MissingRecordError
        If a record is missing.
    typst.TypstError
        If the text is wrong, or names a number that no record has.
    """
    pdf = compile_text(root, "pdf")
    target = root / "paper" / "radiosynth.pdf"
    part = target.with_suffix(".part")
    part.write_bytes(pdf)
    part.replace(target)
    return target


def page(root: Path = ROOT, records: Path | None = None) -> str:
    """Return the body of the paper as HTML, with equations as MathML; raises as `build` does.

    Figures and tables are those in the folder `records`, inside the root; in ``paper`` if not given.
    """
    html = compile_text(root, "html", records).decode("utf-8")
    return re.search(r"<body>(.*)</body>", html, re.DOTALL)[1]


def compile_text(root: Path, kind: str, records: Path | None = None) -> bytes:
    """Write the numbers to ``numbers.json`` beside the figures, and compile the text that reads them."""
    records = records or root / "paper"
    numbers = json.dumps(collect(root, records), indent=1, ensure_ascii=False)
    (records / "numbers.json").write_text(numbers + "\n", "utf-8")
    return typst.compile(
        root / "paper" / "radiosynth.typ",
        root=root,
        format=kind,
        ignore_system_fonts=True,
        sys_inputs={
            "web": "yes" if kind == "html" else "no",
            "records": f"/{records.relative_to(root).as_posix()}/",
        },
    )


def main(root: Path = ROOT) -> int:
    """Build the paper; return 0, or 1 and say what is missing."""
    begun = time.perf_counter()
    try:
        target = build(root)
    except MissingRecordError as error:
        print(error, file=sys.stderr)
        return 1
    except typst.TypstError as error:
        print(
            f"{error.message}\n{error.diagnostic}" if hasattr(error, "diagnostic") else error, file=sys.stderr
        )
        return 1
    print(f"{target} in {time.perf_counter() - begun:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
