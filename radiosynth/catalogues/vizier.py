"""Published catalogues, fetched from VizieR."""

from __future__ import annotations

import datetime
import functools
import tomllib
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from astropy import units as u
from astropy.table import Table, vstack

from radiosynth._io import cache_folder, check, log, readable, told, write_table
from radiosynth.catalogues.angles import text_of
from radiosynth.catalogues.positions import checksum, labelled
from radiosynth.sample import DataUnavailableError, check_choice, floats

_FILE = Path(__file__).with_name("catalogues.toml")
CATALOGUES: dict[str, dict[str, Any]] = tomllib.loads(_FILE.read_text("utf-8"))
"""The catalogues known here, by name: identifier, rows, columns and checksum of the edition used."""


def _config(table: Table) -> dict[str, Any]:
    survey, number, kind, note, sure = map(text_of, table["S", "CoNFIG", "mt", "n_mt", "u_mt"].itercols())
    # Only rows flagged as confirmed have a shape; the compact ones carry no such flag.
    known = dict.fromkeys(("C", "C*", "S*"), "compact") | {"I c": "FRI", "II c": "FRII"}
    classes = [known.get(k) or known.get(f"{k} {flag}", "") for k, flag in zip(kind, sure, strict=True)]
    notes = [" ".join(filter(None, row)) for row in zip(kind, note, sure, strict=True)]
    names = [f"CoNFIG-{each} {n}" for each, n in zip(survey, number, strict=True)]
    return _columns(table, names, classes, notes)


def _capetti(morphology: str, table: Table) -> dict[str, Any]:
    return {"name": text_of(table["SDSS"]), "class": morphology, "catalogue_class": morphology}


def _proctor(table: Table) -> dict[str, Any]:
    # Table 1 of the paper holds the wide-angle and the narrow-angle tails.
    classes = np.where(text_of(table["Tno"]) == "1", "bent", "")
    return _columns(table, text_of(table["FCG"]), classes, text_of(table["Com"]))


def _garon(table: Table) -> dict[str, Any]:
    angles = {"bending_angle": u.Quantity(floats(table, "BA"), u.deg)}
    return _columns(table, text_of(table["Name"]), "", text_of(table["Morph"])) | angles


def _columns(table: Table, names: Any, classes: Any, notes: Any) -> dict[str, Any]:
    places = {"ra": table["RAJ2000"], "dec": table["DEJ2000"]}
    return {"name": names, "class": classes, "catalogue_class": notes} | places


# What each makes of its table: name, ra and dec (not needed of names that tell them), class, catalogue_class.
_LABELS: dict[str, Callable[[Table], dict[str, Any]]] = {
    "CoNFIG": _config,
    "FRICAT": functools.partial(_capetti, "FRI"),
    "FRIICAT": functools.partial(_capetti, "FRII"),
    "Proctor2011": _proctor,
    "Garon2019": _garon,
}


REPORT_CATALOGUES = ("FRICAT", "FRIICAT", "CoNFIG", "Proctor2011")
"""Those whose labels the report used; the fifth has bending angles."""


def load_catalogue(name: str) -> Table:
    """Return all rows of a catalogue, from the cache or from VizieR.

    Parameters
    ----------
    name : str
        A name of `CATALOGUES`, in any capitalisation.

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
    name = {each.lower(): each for each in CATALOGUES}.get(name.lower(), name)
    check_choice(name, "catalogue", CATALOGUES)
    path = cache_folder() / "catalogues" / f"{name}.ecsv"
    if path.exists():
        try:
            with readable(path, "it is fetched again"):
                table = Table.read(path, format="ascii.ecsv", fill_values=None)
                check(table.meta["sha256"] == checksum(table), "its rows are not those that were written")
                return table
        except ValueError as error:
            log.warning("%s", error)
    table = labelled(_LABELS[name](_from_vizier(name)) | {"catalogue": name})
    digest, pinned = checksum(table), CATALOGUES[name]["sha256"]
    if digest != pinned:
        edition = f"the edition used here (sha256 {digest} instead of {pinned})"
        log.warning("%s in VizieR differs from %s; counts may differ", name, edition)
    retrieved = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    table.meta = {"vizier": CATALOGUES[name]["vizier"], "retrieved": retrieved, "sha256": digest}
    write_table(path, table)
    return table


def load_report_sources() -> Table:
    """Return the 1478 labelled sources that the report started from, straight from their catalogues.

    These are the rows of FRICAT, FRIICAT, CoNFIG and Proctor (2011) to which the catalogue gives one of the
    four classes: FR I 269, FR II 513, bent 412, compact 284.

    Returns
    -------
    `~astropy.table.Table`
        As from `load_catalogue`, with ``meta["catalogues"]`` holding the provenance of each.

    Raises
    ------
    DataUnavailableError
        If a table is neither in the cache nor to be had from VizieR.
    """
    tables = [load_catalogue(name) for name in REPORT_CATALOGUES]
    sources = vstack([table[table["class"] != ""] for table in tables], metadata_conflicts="silent")
    sources.meta = {"catalogues": [dict(table.meta) for table in tables]}
    return sources


def _from_vizier(name: str) -> Table:
    """Return all rows of the catalogue, from the server that astroquery is set to."""
    from astroquery import cache_conf
    from astroquery.vizier import VizierClass, conf

    identifier = CATALOGUES[name]["vizier"]
    log.info("asking %s for %s", conf.server, identifier)
    # Seconds to connect and to wait for an answer.
    vizier = VizierClass(columns=["**"], row_limit=-1, vizier_server=conf.server, timeout=(5, 60))
    try:
        # astroquery would keep an error page for a week.
        with warnings.catch_warnings(action="ignore"), cache_conf.set_temp("cache_active", False):
            return _complete(name, vizier.get_catalogs(identifier))
    except Exception as error:  # a damaged reply makes the parser say all kinds of things
        fault = f"{name} ({identifier}) is not in the cache, and {conf.server} does not give it"
        advice = "try again later, or set astroquery.vizier.conf.server to a mirror"
        other = "radiosynth.load_report_candidates() has the report's sources without a network"
        msg = f"{fault} ({told(error)}): {advice}; {other}"
        raise DataUnavailableError(msg) from error


def _complete(name: str, reply: list[Table] | None) -> Table:
    """Return the table of the catalogue among those of a reply; a catalogue may be in several parts."""
    rows, columns = CATALOGUES[name]["rows"], CATALOGUES[name]["columns"]
    parts = [table for table in reply or [] if set(columns) <= set(table.colnames)]
    if len(parts) > 1:
        parts.append(vstack(parts, join_type="inner", metadata_conflicts="silent"))
    found = [len(table) for table in parts]
    fault = f"the reply has {found or 'no table (an error page?), or none'} rows with {', '.join(columns)}"
    check(rows in found, f"{fault}; all {rows} are needed")
    return parts[found.index(rows)]
