"""What to cite."""

from __future__ import annotations

import re
from importlib.resources import files

__all__ = ["citations"]

_CITED = {
    "software": ("The software", ["radiosynth"]),
    "report": ("The report this software reproduces", ["morrison2020"]),
    "first": (
        "The FIRST survey (images for scholarly, educational and private non-commercial use)",
        ["becker1995"],
    ),
    "griese2023": ("The labelled FIRST images", ["griese2023", "griese2023data"]),
    "config": ("CoNFIG, FR I, FR II and compact sources (VizieR J/MNRAS/404/1719)", ["gendre2010"]),
    "fricat": ("FRICAT, FR I sources (VizieR J/A+A/598/A49)", ["capetti2017a"]),
    "friicat": ("FRIICAT, FR II sources (VizieR J/A+A/601/A81)", ["capetti2017b"]),
    "proctor": ("Bent-tailed sources (VizieR J/ApJS/194/31, table 1)", ["proctor2011"]),
    "garon": ("Bending angles (VizieR J/AJ/157/126)", ["garon2019"]),
    "vizier": (
        "The catalogue service VizieR, and astroquery, which asks it",
        ["ochsenbein2000", "ginsburg2019"],
    ),
    "rustige2023": ("The five-fold scheme and GAN-supported classification on it", ["rustige2023"]),
    "dcgan": ("The DCGAN architecture", ["radford2015"]),
    "alhassan2018": ("The four classes and a network for them", ["alhassan2018"]),
    "fanaroff1974": ("The classes FR I and FR II", ["fanaroff1974"]),
}


def citations(*names: str) -> str:
    """Return what to cite, as text followed by BibTeX.

    Parameters
    ----------
    *names : str
        Any of software, report, first, griese2023, config, fricat, friicat, proctor, garon, vizier,
        rustige2023, dcgan, alhassan2018 and fanaroff1974. All if none is given.

    Returns
    -------
    str
        A line for each name with the BibTeX keys, an empty line, then the entries.

    Raises
    ------
    ValueError
        If a name is unknown.

    Examples
    --------
    >>> print(citations("fanaroff1974").splitlines()[0])
    The classes FR I and FR II: fanaroff1974
    """
    unknown = [name for name in names if name not in _CITED]
    if unknown:
        msg = f"nothing to cite under {', '.join(unknown)}: choose from {', '.join(_CITED)}"
        raise ValueError(msg)
    chosen = [_CITED[name] for name in dict.fromkeys(names or _CITED)]
    bibliography = files(__package__).joinpath("data", "references.bib").read_text("utf-8")
    entries = {
        match[1]: match[0].strip()
        for match in re.finditer(r"^@\w+\{(\w+),.*?^\}", bibliography, re.MULTILINE | re.DOTALL)
    }
    lines = [f"{what}: {', '.join(keys)}" for what, keys in chosen]
    return "\n".join([*lines, "", *(entries[key] for _, keys in chosen for key in keys)]) + "\n"
