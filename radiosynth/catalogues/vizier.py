"""Published catalogues, fetched from VizieR."""

from __future__ import annotations

import datetime
import logging
import re
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from astropy import units as u
from astropy.table import Table, vstack

from radiosynth._io import cache_folder, write_table
from radiosynth.catalogues.designations import from_designation
from radiosynth.catalogues.positions import _labelled, _text, checksum
from radiosynth.sample import DataUnavailableError, floats

__all__ = ["CATALOGUES", "REPORT_CATALOGUES", "Catalogue", "load_catalogue", "load_report_sources"]

MIRRORS = ("vizier.cds.unistra.fr", "vizier.cfa.harvard.edu")


ATTEMPTS = 3


BACKOFF = 2.0
"""Seconds to wait after the first failure; twice as long after each further one."""


log = logging.getLogger("radiosynth")


@dataclass(frozen=True)
class Catalogue:
    """A catalogue of VizieR and how its rows become labelled positions.

    Parameters
    ----------
    name : str
        Short name, as in the table of the report's decisions.
    vizier : str
        Identifier in VizieR.
    rows : int
        Number of rows of the edition used here; a reply with another number is refused.
    columns : tuple of str
        Columns that tell the catalogue's table from others under the same identifier.
    label : callable
        Takes the table and returns the columns ``name``, ``ra`` and ``dec`` (deg, or sexagesimal text),
        ``class``, ``catalogue_class`` and any others.
    sha256 : str
        Checksum of the rows of this edition (`checksum`); empty if not pinned.
    """

    name: str
    vizier: str
    rows: int
    columns: tuple[str, ...]
    label: Callable[[Table], dict[str, Any]]
    sha256: str = ""


def _config(table: Table) -> dict[str, Any]:
    kind, note, sure = (_text(table[name]) for name in ("mt", "n_mt", "u_mt"))
    names = {"I": "FRI", "II": "FRII"}
    # Only rows flagged as confirmed have a shape; the compact ones carry no such flag.
    classes = [
        "compact" if k in ("C", "C*", "S*") else names.get(k, "") if s == "c" else ""
        for k, s in zip(kind, sure, strict=True)
    ]
    return {
        "name": [f"CoNFIG-{s} {n}" for s, n in zip(_text(table["S"]), _text(table["CoNFIG"]), strict=True)],
        "ra": table["RAJ2000"],
        "dec": table["DEJ2000"],
        "class": classes,
        "catalogue_class": [" ".join(filter(None, row)) for row in zip(kind, note, sure, strict=True)],
    }


def _capetti(morphology: str) -> Callable[[Table], dict[str, Any]]:
    def label(table: Table) -> dict[str, Any]:
        names = _text(table["SDSS"])
        ra, dec = zip(*(from_designation(name) for name in names), strict=True)
        return {"name": names, "ra": ra, "dec": dec, "class": morphology, "catalogue_class": morphology}

    return label


def _proctor(table: Table) -> dict[str, Any]:
    return {
        "name": _text(table["FCG"]),
        "ra": table["RAJ2000"],
        "dec": table["DEJ2000"],
        # Table 1 of the paper holds the wide-angle and the narrow-angle tails.
        "class": np.where(_text(table["Tno"]) == "1", "bent", ""),
        "catalogue_class": _text(table["Com"]),
    }


def _garon(table: Table) -> dict[str, Any]:
    return {
        "name": _text(table["Name"]),
        "ra": table["RAJ2000"],
        "dec": table["DEJ2000"],
        "class": "",
        "catalogue_class": _text(table["Morph"]),
        "bending_angle": u.Quantity(floats(table, "BA"), u.deg),
    }


CATALOGUES: dict[str, Catalogue] = {
    catalogue.name: catalogue
    for catalogue in (
        Catalogue(
            "CoNFIG",
            "J/MNRAS/404/1719",
            858,
            ("CoNFIG", "S", "mt", "n_mt", "u_mt"),
            _config,
            "c99a3211bacd427908c84063578a063df0526755efab82ebb73bf280507b54e6",
        ),
        Catalogue(
            "FRICAT",
            "J/A+A/598/A49",
            219,
            ("SDSS",),
            _capetti("FRI"),
            "fbbdf739ef2e07451d86537529dbcd5962cd06184d2d62e5e8a0e6f01f721e6a",
        ),
        Catalogue(
            "FRIICAT",
            "J/A+A/601/A81",
            123,
            ("SDSS",),
            _capetti("FRII"),
            "727e0ffee7b1b30fa55a8fd51e92d42cbfb7f92320c6dfdc627c0e43ada55655",
        ),
        Catalogue(
            "Proctor2011",
            "J/ApJS/194/31",
            1932,
            ("FCG", "Com", "Tno"),
            _proctor,
            "db770531211039bd58304409584eb57473d761d424e17e3f0edd72760dcef78c",
        ),
        Catalogue(
            "Garon2019",
            "J/AJ/157/126",
            4304,
            ("Name", "Morph", "BA"),
            _garon,
            "f73b9f085c73eb6321ad244da47b11a87a32ba0543666364147b6f6beff288f8",
        ),
    )
}
"""The catalogues known here, by name."""


REPORT_CATALOGUES = ("FRICAT", "FRIICAT", "CoNFIG", "Proctor2011")
"""Those whose labels the report used; the fifth has bending angles."""


def load_catalogue(catalogue: str | Catalogue, *, refresh: bool = False) -> Table:
    """Return all rows of a catalogue, from the cache or from VizieR.

    Parameters
    ----------
    catalogue : str or Catalogue
        A name of `CATALOGUES`, in any capitalisation, or the description of another catalogue.
    refresh : bool
        Ask VizieR even if the cache has the table.

    Returns
    -------
    `~astropy.table.Table`
        One row per source, with the columns of this module. The class is empty where the catalogue gives
        none of the four or is not sure. ``Garon2019`` has no classes but ``bending_angle`` (deg).

    Raises
    ------
    DataUnavailableError
        If the cache does not hold the table and VizieR does not give it.
    ValueError
        If the name is unknown.
    """
    if isinstance(catalogue, str):
        known = {name.lower(): entry for name, entry in CATALOGUES.items()}
        if catalogue.lower() not in known:
            msg = f"unknown catalogue {catalogue!r}: choose from {', '.join(CATALOGUES)}"
            raise ValueError(msg)
        catalogue = known[catalogue.lower()]
    path = cache_folder() / "catalogues" / f"{catalogue.name}.ecsv"
    if path.is_file() and not refresh:
        try:
            table = Table.read(path, format="ascii.ecsv", fill_values=None)
            stored = table.meta.get("sha256")
        except Exception as error:  # whatever a damaged file makes the reader say
            log.debug("%s: %s", path, error)
            stored = None
        if stored and stored == checksum(table) and table.meta.get("vizier") == catalogue.vizier:
            return table
        log.warning("the cached %s is damaged, or another catalogue; it is fetched again", path)
    raw, server = _from_vizier(catalogue)
    table = _labelled(catalogue.label(raw), catalogue.name)
    digest = checksum(table)
    if catalogue.sha256 not in ("", digest):
        log.warning(
            "%s in VizieR differs from the edition used here (sha256 %s instead of %s); counts may differ",
            *(catalogue.name, digest, catalogue.sha256),
        )
    table.meta = {
        "catalogue": catalogue.name,
        "vizier": catalogue.vizier,
        "server": server,
        "retrieved": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "sha256": digest,
    }
    write_table(path, table)
    return table


def load_report_sources(*, refresh: bool = False) -> Table:
    """Return the 1478 labelled sources that the report started from, straight from their catalogues.

    These are the rows of FRICAT, FRIICAT, CoNFIG and Proctor (2011) to which the catalogue gives one of the
    four classes: FR I 269, FR II 513, bent 412, compact 284.

    Parameters
    ----------
    refresh : bool
        Ask VizieR even if the cache has the tables.

    Returns
    -------
    `~astropy.table.Table`
        As from `load_catalogue`, with ``meta["catalogues"]`` holding the provenance of each.

    Raises
    ------
    DataUnavailableError
        If a table is neither in the cache nor to be had from VizieR.
    """
    tables = [load_catalogue(name, refresh=refresh) for name in REPORT_CATALOGUES]
    provenance = [dict(table.meta) for table in tables]
    sources = vstack([table[table["class"] != ""] for table in tables], metadata_conflicts="silent")
    sources.meta = {"catalogues": provenance}
    return sources


def _from_vizier(catalogue: Catalogue) -> tuple[Table, str]:
    """Return all rows of the catalogue and the mirror that served them."""
    from astroquery import cache_conf
    from astroquery.vizier import VizierClass

    failures = []
    for server in MIRRORS:
        for attempt in range(ATTEMPTS):
            if attempt:
                time.sleep(BACKOFF * 2 ** (attempt - 1))
            log.info("asking %s for %s", server, catalogue.vizier)
            # Seconds to connect and to wait for an answer.
            vizier = VizierClass(columns=["**"], row_limit=-1, vizier_server=server, timeout=(5, 60))
            try:
                # astroquery would keep an error page for a week.
                with warnings.catch_warnings(action="ignore"), cache_conf.set_temp("cache_active", False):
                    reply = vizier.get_catalogs(catalogue.vizier)
                return _right_table(catalogue, reply), server
            # A damaged reply makes the parser say all kinds of things.
            except Exception as error:
                failure = " ".join(str(error).split()) or type(error).__name__
                if re.search("NewConnection|NameResolution|ConnectTimeout|ProxyError", failure):
                    break  # there is no way to it
        failures.append(f"  {server}: {failure[:200]}")
    msg = (
        f"{catalogue.name} ({catalogue.vizier}) is not in the cache, and VizieR does not give it:\n"
        + "\n".join(failures)
        + "\nTry again later; radiosynth.load_report_candidates() has the report's sources without a network."
    )
    raise DataUnavailableError(msg)


def _right_table(catalogue: Catalogue, reply: list[Table] | None) -> Table:
    """Return the table of the catalogue among those of a reply; a catalogue may be in several parts."""
    if not reply:
        msg = "the reply holds no table (an error page?)"
        raise ValueError(msg)
    parts = [table for table in reply if set(catalogue.columns) <= set(table.colnames)]
    if len(parts) > 1:
        parts.append(vstack(parts, join_type="inner", metadata_conflicts="silent"))
    for table in parts:
        if len(table) == catalogue.rows:
            return table
    found = [len(table) for table in parts]
    msg = (
        f"the reply has {found or 'no'} rows with the columns {', '.join(catalogue.columns)}; "
        f"all {catalogue.rows} are needed"
    )
    raise ValueError(msg)
