"""Sources matched on the sky: counterparts, duplicates, groups."""

from __future__ import annotations

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord, search_around_sky
from astropy.table import Table
from numpy.typing import NDArray

from radiosynth._io import check
from radiosynth.catalogues.angles import degrees


def _places(table: Table) -> SkyCoord:
    lacking = ", ".join(name for name in ("ra", "dec") if name not in table.colnames)
    check(not lacking, f"the table has no column {lacking}; it has {', '.join(table.colnames)}")
    ra = table["ra"]
    if ra.dtype.kind == "f" and ra.unit in (None, u.deg):
        ra = ra % 360  # some tables count from -180
    return SkyCoord(degrees("ra", ra), degrees("dec", table["dec"]), unit="deg")


def cross_match(left: Table, right: Table, radius: float = 20) -> Table:
    """Return all pairs of sources of two tables within a radius, by `astropy.coordinates.search_around_sky`.

    Parameters
    ----------
    left, right : `~astropy.table.Table`
        Tables with ``ra`` and ``dec`` in degrees.
    radius : float
        Largest separation in arcsec.

    Returns
    -------
    `~astropy.table.Table`
        Columns ``left`` and ``right`` (row numbers) and ``separation`` (arcsec), the closest pair first.

    Examples
    --------
    >>> here, there = Table({"ra": [1.0, 5.0], "dec": [0.0, 0.0]}), Table({"ra": [5.001], "dec": [0.0]})
    >>> cross_match(here, there)["left", "right"].as_array().tolist()
    [(1, 0)]
    """
    check(radius > 0, f"radius is {radius}; give a positive number of arcsec")
    first, second, angles, _ = search_around_sky(_places(left), _places(right), radius * u.arcsec)
    pairs = Table({"left": first, "right": second, "separation": np.atleast_1d(angles.to(u.arcsec))})
    pairs.sort("separation")
    return pairs


def find_duplicates(table: Table, radius: float = 60) -> Table:
    """Return the pairs of sources of one table that lie within a radius of each other.

    Parameters
    ----------
    table : `~astropy.table.Table`
        Table with ``ra`` and ``dec`` in degrees.
    radius : float
        Largest separation in arcsec.

    Returns
    -------
    `~astropy.table.Table`
        One row per pair, the closest first: ``first`` and ``second`` (row numbers), ``separation`` (arcsec),
        and, of the columns ``name``, ``class`` and ``catalogue`` that the table has, both values.

    Examples
    --------
    The report kept eleven such pairs, six of them with two different classes.

    >>> from radiosynth.datasets import load_report_candidates
    >>> candidates = load_report_candidates()
    >>> pairs = find_duplicates(candidates[candidates["decision"] == "keep"])
    >>> len(pairs), int((pairs["class_1"] != pairs["class_2"]).sum())
    (11, 6)
    """
    pairs = cross_match(table, table, radius)
    pairs = pairs[pairs["left"] < pairs["right"]]
    pairs.rename_columns(["left", "right"], ["first", "second"])
    for name in ("name", "class", "catalogue"):
        if name in table.colnames:
            pairs[f"{name}_1"], pairs[f"{name}_2"] = table[name][pairs["first"]], table[name][pairs["second"]]
    return pairs


def add_decisions(sources: Table, decisions: Table, radius: float = 2) -> Table:
    """Return the sources with the columns ``decision``, ``reason`` and ``cut`` of a table of decisions.

    Parameters
    ----------
    sources : `~astropy.table.Table`
        Labelled positions, such as from `load_report_sources`.
    decisions : `~astropy.table.Table`
        Decisions, such as `radiosynth.load_report_candidates`: one for a source of equal name, catalogue and
        class within the radius.
    radius : float
        Largest separation in arcsec.

    Returns
    -------
    `~astropy.table.Table`
        The sources in their order; the texts are empty where nothing was decided.
    """
    pairs = cross_match(sources, decisions, radius)
    for name in ("name", "catalogue", "class"):
        pairs = pairs[sources[name][pairs["left"]] == decisions[name][pairs["right"]]]
    # The closest pair comes first, and np.unique keeps the first.
    rows, first = np.unique(pairs["left"], return_index=True)
    decided = sources.copy()
    for name in ("decision", "reason", "cut"):
        texts = np.full(len(sources), "", dtype=decisions[name].dtype)
        texts[rows] = decisions[name][pairs["right"][first]]
        decided[name] = texts
    return decided


def sky_groups(table: Table, radius: float = 60) -> NDArray[np.int64]:
    """Return the number of the group of neighbours that each source belongs to, for ``sky_group``.

    Parameters
    ----------
    table : `~astropy.table.Table`
        Table with ``ra`` and ``dec`` in degrees.
    radius : float
        Largest separation in arcsec of two neighbours; neighbours of neighbours share a group.

    Returns
    -------
    ndarray of int, shape (n,)
        From 0, in the order of the rows; -1 for a source that has no neighbour.

    Examples
    --------
    >>> sky_groups(Table({"ra": [9.0, 5.0, 5.001], "dec": [0.0, 0.0, 0.0]})).tolist()
    [-1, 0, 0]
    """
    from sklearn.cluster import DBSCAN

    if not len(table):
        return np.zeros(0, int)
    # Clusters of two members and more, linked by neighbours; distances are those through the sphere.
    chord = 2 * np.sin(np.radians(radius / 3600) / 2)
    return DBSCAN(chord, min_samples=2).fit_predict(_places(table).cartesian.xyz.value.T)
