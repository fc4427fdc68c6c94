"""What to cite."""

from __future__ import annotations

import re
import tomllib
from importlib.resources import files


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
    data = files(__package__).joinpath("data")
    known = tomllib.loads(data.joinpath("citations.toml").read_text("utf-8"))
    if unknown := [name for name in names if name not in known]:
        msg = f"nothing to cite under {', '.join(unknown)}: choose from {', '.join(known)}"
        raise ValueError(msg)
    chosen = [known[name] for name in dict.fromkeys(names or known)]
    bibliography = data.joinpath("references.bib").read_text("utf-8")
    entries = {found[1]: found[0] for found in re.finditer(r"(?ms)^@\w+\{(\w+),.*?^\}", bibliography)}
    lines = [f"{each['what']}: {', '.join(each['keys'])}" for each in chosen]
    return "\n".join([*lines, "", *(entries[key] for each in chosen for key in each["keys"])]) + "\n"
