"""The words of the project: what is not written, because the field has a better term.

The table is in CONTRIBUTING.md, in prose. What is checked is what people read: README, pages, the text of the
examples and of the paper, not the code between.
"""

from __future__ import annotations

import ast
import json
import re
import tokenize
from pathlib import Path

import pytest
from samples import ROOT

BETTER = {
    r"\b(turned|mirrored) (and \w+ )?(copies|images)\b": "rotated or flipped images",
    r"\bcopies of (one|each|a) (source|image)\b": "augmented images",
    r"\barms\b(?! of the galaxy)": "conditions",
    r"\b(ten|five|four) divisions\b|\bover (the )?divisions\b": "folds",
    r"\breplay(s|ed)?\b": "load(ed)",
    r"\brecorded (run|stud|network|search)": "saved",
    r"\bplain (images|`?fit`?)": "unaugmented, or nothing",
    r"\b(right|wrong) answers?\b|\brightly\b|\bhopeless\b": "correct(ly), classified identically",
    r"\bguess(es)? the median\b|\bconstant guess": "baseline",
    r"\bcut (trials|when|after epoch)\b|\btrials? that (was|were) cut\b": "pruned",
    r"\bstep (of|size of) (0\.0|10)": "learning rate",
    r"\bgo(es)? on (with|where|from)\b": "resumes",
    r"\b(told|tell \w+ \w+) from (chance|luck)\b|\bcannot be told\b": "not statistically significant",
    r"\bequal work\b|\bin equally many steps\b": "equal optimiser steps",
    r"\bmeasured anew\b": "recalibrated",
    r"\bis easily had\b|\bseen part of its exam\b|\btoo modest\b|\bcarrying a curve\b": "plain words",
    r"\bshare of (the )?(images|sources|sky|variance)\b": "proportion, fraction",
    r"\bthe scale of the report\b|\bat report scale\b": "full scale",
    r"\bdecides? nothing\b|\b(says?|teach(es)?) nothing\b": "cannot resolve, is uninformative",
    r"\blook (whether|how|what)\b": "check whether, note how",
}


def prose_of_script(path: Path) -> str:
    """Return the opening docstring and the comments of a script."""
    docstring = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
    with path.open("rb") as stream:
        comments = [
            each.string for each in tokenize.tokenize(stream.readline) if each.type == tokenize.COMMENT
        ]
    return "\n".join([docstring, *comments])


def prose_of_page(path: Path) -> str:
    """Return a page without its blocks of code."""
    text = path.read_text("utf-8")
    text = re.sub(r"^( *)\.\. code-block::.*\n(?:\s*\n|\1 +.*\n)+", "", text, flags=re.M)
    return re.sub(r"``[^`]*``|`[^`]*`", "", text)


def prose_of_notebook(path: Path) -> str:
    """Return the text between the cells of code."""
    cells = json.loads(path.read_text("utf-8"))["cells"]
    return "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")


def prose() -> dict[str, str]:
    """Return what people read, by the name of its file."""
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "paper" / "radiosynth.typ"]
    pages += [path for path in (ROOT / "docs").rglob("*.rst") if not {"gallery", "api"} & set(path.parts)]
    pages += (ROOT / "examples").glob("*/GALLERY_HEADER.rst")
    scripts = (ROOT / "examples").glob("*/plot_*.py")
    notebooks = (ROOT / "docs" / "notebooks").glob("*.ipynb")
    found = {path: prose_of_page(path) for path in pages}
    found |= {path: prose_of_script(path) for path in scripts}
    found |= {path: prose_of_notebook(path) for path in notebooks}
    return {str(path.relative_to(ROOT)): " ".join(text.split()) for path, text in found.items()}


@pytest.mark.parametrize("pattern", BETTER, ids=BETTER.values())
def test_the_words_are_those_of_the_field(pattern: str) -> None:
    found = [
        f"{name}: {text[max(0, match.start() - 40) : match.end() + 40]}"
        for name, text in prose().items()
        for match in re.finditer(pattern, text, re.IGNORECASE)
    ]
    assert not found, f"write: {BETTER[pattern]}"


def test_the_table_of_words_can_find_one() -> None:
    assert any(re.search(pattern, "Adam with a step of 0.001") for pattern in BETTER)
