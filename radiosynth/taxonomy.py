"""The four morphological classes of the report: codes, names, typeset labels and colours."""

from __future__ import annotations

from dataclasses import dataclass

UNLABELLED = -1
"""Label of an image whose class is not known."""


@dataclass(frozen=True)
class Morphology:
    """One morphological class.

    Parameters
    ----------
    code : int
        Label used in arrays, in the order of the report's confusion matrices.
    name : str
        Short name used in tables and files.
    label : str
        Name as typeset in figures.
    colour : str
        Hexadecimal colour from the Okabe-Ito palette, distinct for colour-blind readers.
    aliases : tuple of str
        Other spellings met in catalogues, in lower case.
    """

    code: int
    name: str
    label: str
    colour: str
    aliases: tuple[str, ...] = ()


CLASSES: tuple[Morphology, ...] = (
    Morphology(0, "FRI", "FR I", "#0072B2", ("fr1", "fr i", "fr-i")),
    Morphology(1, "FRII", "FR II", "#D55E00", ("fr2", "fr ii", "fr-ii")),
    Morphology(2, "bent", "Bent-tailed", "#009E73", ("bent-tailed", "wat", "nat")),
    Morphology(3, "compact", "Compact", "#CC79A7", ("point",)),
)
"""The classes, ordered by code."""


CLASS_NAMES: tuple[str, ...] = tuple(morphology.name for morphology in CLASSES)
"""Short names of the classes, ordered by code."""


def class_code(name: str) -> int:
    """Return the code of a class given by name, in any capitalisation.

    Parameters
    ----------
    name : str
        Short name, typeset label or a common alias.

    Returns
    -------
    int
        Code from 0 to 3.

    Raises
    ------
    ValueError
        If no class has that name.

    Examples
    --------
    >>> class_code("FRII"), class_code("Bent"), class_code("wat")
    (1, 2, 2)
    """
    wanted = name.strip().lower()
    for morphology in CLASSES:
        if wanted in (morphology.name.lower(), morphology.label.lower(), *morphology.aliases):
            return morphology.code
    msg = f"unknown class {name!r}: the classes are {', '.join(CLASS_NAMES)}"
    raise ValueError(msg)
