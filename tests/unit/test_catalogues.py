"""Catalogues from a server that answers as VizieR does, lists of all kinds, and matches on the sky."""

from __future__ import annotations

import functools
import gzip
import re
import tempfile
import textwrap
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.table import MaskedColumn, Table
from hypothesis import example, given, settings, strategies as st
from samples import SHARED
from skyserver import SkyServer

import radiosynth
from radiosynth import simulation
from radiosynth._io import write_table
from radiosynth.catalogues.angles import designation, from_designation
from radiosynth.catalogues.matching import add_decisions, cross_match, find_duplicates, sky_groups
from radiosynth.catalogues.positions import checksum, read_positions
from radiosynth.catalogues.vizier import CATALOGUES, REPORT_CATALOGUES, load_catalogue, load_report_sources
from radiosynth.datasets import load_report_candidates
from radiosynth.sample import DataUnavailableError

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])
COUNTS = {"FRI": 269, "FRII": 513, "bent": 412, "compact": 284}
KEPT = {"FRI": 220, "FRII": 405, "bent": 226, "compact": 243}
FILES = {
    "CoNFIG": "CoNFIG.tsv",
    "FRICAT": "FR1CAT.tsv",
    "FRIICAT": "FR2CAT.tsv",
    "Proctor2011": "Proctor-2011.tsv",
    "Garon2019": "Garon-combined.tsv",
}


@functools.cache
def made_tables():
    """Return tables as in VizieR, made of the packaged positions, with rows that give no class."""
    known = load_report_candidates()
    of = {name: known[known["catalogue"] == name] for name in REPORT_CATALOGUES}
    place = SkyCoord(known["ra"], known["dec"])
    ra = place.ra.to_string("hour", sep=" ", precision=4, pad=True)
    dec = place.dec.to_string("deg", sep=" ", precision=3, pad=True, alwayssign=True)
    texts = {name: (ra[known["catalogue"] == name], dec[known["catalogue"] == name]) for name in of}
    kind = {"FRI": ("I ", "w", "c"), "FRII": ("II", "", "c"), "compact": ("C*", "", "")}
    rows = [
        (row["name"][7], int(row["name"].split()[1]), r, d, *kind[row["class"]])
        for row, r, d in zip(of["CoNFIG"], *texts["CoNFIG"], strict=True)
    ]
    unsure = ("1", 999, "01 02 03.45", "+10 20 30.4", "I ", "", "p")
    rows += [unsure] * (858 - len(rows))
    config = Table(rows=rows, names=["S", "CoNFIG", "RAJ2000", "DEJ2000", "mt", "n_mt", "u_mt"])
    proctor = Table({"FCG": of["Proctor2011"]["name"], "RAJ2000": texts["Proctor2011"][0]})
    proctor["DEJ2000"], proctor["Com"], proctor["Tno"] = texts["Proctor2011"][1], "wat dd?", 1
    for _ in range(1932 - 412):
        proctor.add_row(("J000000.0+000000", "00 00 00.0", "+00 00 00", "ring", 11))
    garon = Table({"Name": [f"J{i:06d}.0+010203" for i in range(4304)]})
    garon["Morph"], garon["RAJ2000"], garon["DEJ2000"] = 2, np.linspace(0, 359, 4304), 1.034
    garon["BA"] = np.linspace(0, 90, 4304)
    return {
        "CoNFIG": config,
        "FRICAT": Table({"SDSS": of["FRICAT"]["name"]}),
        "FRIICAT": Table({"SDSS": of["FRIICAT"]["name"]}),
        "Proctor2011": proctor,
        "Garon2019": garon,
    }


def real_tables():
    """Return the published tables, from copies of VizieR's exports."""
    tables = {}
    for name, file in FILES.items():
        path = SHARED / "data" / "catalogues" / file
        if not path.is_file():
            pytest.skip(f"no {path}")
        lines = path.read_text("utf-8").splitlines()
        table = Table(rows=[line.split("|") for line in lines[3:] if line], names=lines[0].split("|"))
        for column in {"BA", "Tno", "CoNFIG", "_RAJ2000", "RAJ2000"} & set(table.colnames):
            if not re.search(r"\d \d", table[column][0]):
                table[column] = [float(x) if "." in x else int(x) for x in table[column]]
        tables[name] = table
    return tables


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("RADIOSYNTH_DATA", str(tmp_path / "cache"))
    return tmp_path / "cache" / "catalogues"


@pytest.fixture
def vizier(cache, monkeypatch):
    """A server with the tables, asked by astroquery as if it were VizieR but for the encryption."""
    from astroquery.vizier import VizierClass

    sky = SkyServer(np.zeros((1, 4, 4)))
    for name, table in made_tables().items():
        sky.vizier[CATALOGUES[name]["vizier"]] = {"main": table}
    address = VizierClass._server_to_url
    with sky.running() as url:

        def nearer(*args, **kwargs):
            return re.sub("https://[^/]*", url, address(*args, **kwargs))

        monkeypatch.setattr(VizierClass, "_server_to_url", nearer)
        sky.url = url
        yield sky


def count(table, column="class"):
    return dict(Counter(table[column].tolist()))


# VizieR ---------------------------------------------------------------------------------------------------


def check_table_2():
    """The counts of table 2, from the catalogues and the decisions; the pairs of the kept list."""
    sources = load_report_sources()
    assert count(sources) == COUNTS
    decided = add_decisions(sources, load_report_candidates())
    assert set(decided["decision"]) == {"keep", "drop"}
    kept = decided[decided["decision"] == "keep"]
    assert count(kept) == KEPT
    assert Counter(decided["cut"].tolist()) == {"": 1094, "image": 97, "morphology": 287}
    pairs = find_duplicates(kept)
    assert (len(pairs), int((pairs["class_1"] != pairs["class_2"]).sum())) == (11, 6)
    return sources


@pytest.mark.usefixtures("vizier")
def test_table_2_comes_out_of_the_catalogues():
    sources = check_table_2()
    assert [entry["vizier"] for entry in sources.meta["catalogues"]] == [
        "J/A+A/598/A49",
        "J/A+A/601/A81",
        "J/MNRAS/404/1719",
        "J/ApJS/194/31",
    ]
    assert sources.colnames == ["name", "ra", "dec", "class", "catalogue", "catalogue_class"]
    first = sources[(sources["catalogue"] == "CoNFIG") & (sources["class"] == "FRI")][0]
    assert first["catalogue_class"] == "I w c"


@pytest.mark.shared
def test_table_2_comes_out_of_the_published_catalogues(vizier, monkeypatch, caplog):
    for name, table in real_tables().items():
        vizier.vizier[CATALOGUES[name]["vizier"]] = {"table1": table}
    # Two of them come in parts, one with a table beside it that looks alike.
    [garon] = vizier.vizier["J/AJ/157/126"].values()
    vizier.vizier["J/AJ/157/126"] = {"table1": garon[:3723], "table2": garon[3723:]}
    [fricat] = vizier.vizier["J/A+A/598/A49"].values()
    vizier.vizier["J/A+A/598/A49"] = {"small": fricat[:14], "main": fricat}
    check_table_2()
    table = load_catalogue("Garon2019")
    assert len(table) == 4304
    assert table["bending_angle"].unit == u.deg
    assert float(np.median(table["bending_angle"])) == pytest.approx(8.8, abs=2)
    # Their checksums are the pinned ones, though they came as VOTable and not as text.
    assert "differs" not in caplog.text


def test_the_second_call_reads_the_cache(vizier, cache):
    first = load_catalogue("FRICAT")
    assert len(vizier.log) == 1
    second = load_catalogue("FRICAT")
    assert len(vizier.log) == 1
    assert second.meta == first.meta
    assert checksum(second) == checksum(first) == second.meta["sha256"]
    assert [path.name for path in cache.iterdir()] == ["FRICAT.ecsv"]


@pytest.mark.parametrize(
    "damage", [lambda text: text[:3000], lambda text: text.replace("J0041", "J0042"), str.upper]
)
def test_a_damaged_cache_is_fetched_again(vizier, cache, caplog, damage):
    load_catalogue("FRICAT")
    path = cache / "FRICAT.ecsv"
    path.write_text(damage(path.read_text()))
    assert len(load_catalogue("FRICAT")) == 219
    assert re.search(r"FRICAT\.ecsv is damaged.*: it is fetched again", caplog.text)
    assert len(vizier.log) == 2


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("html", "no table"),
        ("500", "500 Server Error"),
        ("disconnect", "aborted|closed"),
        ("short", "rows|parse|not well-formed|no element|no table"),
        ("50 rows", r"\[50\] rows.*all 858"),
    ],
)
def test_a_fault_is_told_and_nothing_is_kept(vizier, cache, fault, message):
    vizier.vizier_faults = [fault]
    with pytest.raises(
        DataUnavailableError, match=rf"(?s)CoNFIG \(J/MNRAS/404/1719\).*({message}).*load_report_cand"
    ):
        load_catalogue("CoNFIG")
    assert not cache.exists() or not list(cache.iterdir())
    assert len(load_catalogue("CoNFIG")) == 858


def test_a_new_edition_is_used_and_told(vizier, monkeypatch, caplog):
    monkeypatch.setitem(CATALOGUES["FRICAT"], "sha256", "0" * 64)
    assert len(load_catalogue("FRICAT")) == 219
    assert "FRICAT in VizieR differs from the edition used here" in caplog.text


def test_an_unknown_catalogue():
    with pytest.raises(ValueError, match=r"unknown catalogue 'NVSS': choose from CoNFIG, FRICAT"):
        load_catalogue("NVSS")


@pytest.mark.network
def test_vizier_has_the_pinned_editions(cache, caplog):
    assert count(load_report_sources()) == COUNTS
    assert len(load_catalogue("Garon2019")) == 4304
    assert "differs" not in caplog.text


def test_the_lines_for_the_whole_list_of_bending_angles(vizier, tmp_path, monkeypatch, project):
    """From the catalogue over the cutouts to a network, as docs/methods/bending.rst has it."""
    from astroquery.image_cutouts.first import FirstClass

    garon = made_tables()["Garon2019"][400:4000:450]
    vizier.vizier["J/AJ/157/126"] = {"main": garon}
    monkeypatch.setitem(CATALOGUES["Garon2019"], "rows", len(garon))
    rng = np.random.default_rng(2)
    fake = simulation.simulate({"FRII": 3}, 150, rng=rng).images
    vizier.images = (fake + rng.normal(0, 0.005, fake.shape)).astype("f4")
    monkeypatch.setattr(FirstClass, "URL", f"{vizier.url}/cgi-bin/firstcutout")
    monkeypatch.chdir(tmp_path)
    text = (project / "docs" / "methods" / "bending.rst").read_text("utf-8")
    (code,) = re.findall(r"python\n\n((?:   .*\n)*   sources = (?:.*\n)(?:   .*\n)*)", text)
    found = {"radiosynth": radiosynth}
    exec(compile(textwrap.dedent(code), "bending.rst", "exec"), found)
    ready = found["ready"]
    np.testing.assert_allclose(ready.table["bending_angle"], garon["BA"])
    assert ready.images.shape == (len(garon), 56, 56)
    settings = radiosynth.bending.RegressorSettings(epochs=1, batch_size=4, width_multiplier=0.1)
    model, _ = radiosynth.train_regressor(ready[:5], ready[5:], settings, folder=tmp_path / "run")
    assert np.isfinite(radiosynth.predict_angles(model, ready.images)["bending_angle"]).all()


# Lists ----------------------------------------------------------------------------------------------------

PLACE = (7.2540833, -0.2282500), (9.8771667, 10.5385000)
SEXAGESIMAL = ("00 29 00.98", "-00 13 41.7"), ("00 39 30.52", "+10 32 18.6")
(A, B), (C, D) = SEXAGESIMAL
LISTS = {
    "degrees.txt": "7.2540833 -0.22825\n9.8771667 10.5385\n",
    "colons.txt": "00:29:00.98,-00:13:41.7\n00:39:30.52,+10:32:18.6\n",
    "degrees.csv": "RA,Dec\n7.2540833,-0.22825\n9.8771667,10.5385\n",
    "crlf.csv": "\ufeffra;de\r\n7.2540833;-0.22825\r\n9.8771667;10.5385\r\n",
    "letters.csv": "id,right ascension,de_deg\na,00h29m00.98s,-00d13m41.7s\nb,00h39m30.52s,10d32m18.6s\n",
    "pipes.tsv": f"Name|RAJ2000|DEJ2000|note\na|{A}|{B}|x, y\nb|{C}|{D}|\n",
    "tabs.tsv": "name\tRA_deg\tDE_deg\na\t7.2540833\t-0.22825\nb\t9.8771667\t10.5385\n",
    "commented.txt": "# my list\n# ra dec\n7.2540833 -0.22825\n\n# the other\n9.8771667 10.5385\n",
    "spoken.csv": "# RA and Dec of my sources\nname,ra,dec\na,7.2540833,-0.22825\nb,9.8771667,10.5385\n",
    "swapped.txt": "# Name,Dec,RA\na,-0.22825,7.2540833\nb,10.5385,9.8771667\n",
    "comma in a name.txt": "# name ra dec\nNGC,1 7.2540833 -0.22825\nb 9.8771667 10.5385\n",
    "quoted.csv": 'name,ra,dec\n"a, the first",7.2540833,-0.22825\n"b",9.8771667,10.5385\n',
    "sextractor.cat": "#   1 NUMBER  Running number\n#   2 DELTA_J2000  Declination  [deg]\n"
    "#   3 ALPHA_J2000  Right ascension  [deg]\n 1 -0.22825 7.2540833\n 2 10.5385 9.8771667\n",
    "hours.csv": "RA [hours],Dec\n0.48360555,-0.22825\n0.65847778,10.5385\n",
    "radians.txt": "# name ra(rad) dec(rad)\na 0.12660764 -0.00398371\nb 0.17238908 0.18393152\n",
    "spelled.csv": f"RA (h m s),Dec (d m s)\n{A},{B}\n{C},{D}\n",
    "ipac.tbl": "\\ a comment\n|name |  ra        | dec       |\n|char |  double    | double    |\n"
    "|     |  deg       | deg       |\n a       7.2540833   -0.2282500 \n b       9.8771667   10.5385000 \n",
    "both.csv": f"RA,DEC,RAJ2000,DEJ2000\n7.2540833,-0.22825,{A},{B}\n9.8771667,10.5385,{C},{D}\n",
    "selavy.txt": "# island_id component_name ra_hms_cont dec_dms_cont ra_deg_cont dec_deg_cont flux_peak\n"
    "#  --  --  --  --  [deg]  [deg]  [mJy/beam]\n"
    " SB_1 J0029-0013 00:29:00.98 -00:13:41.7 7.2540833 -0.22825 12.3\n"
    " SB_2 J0039+1032 00:39:30.52 +10:32:18.6 9.8771667 10.5385 1.2\n",
    "windowed.cat": "# 1 NUMBER  Running number\n# 2 ALPHAWIN_J2000  Windowed position [deg]\n"
    "# 3 DELTAWIN_J2000  Windowed position [deg]\n 1 7.2540833 -0.22825\n 2 9.8771667 10.5385\n",
    "declared.csv": "Source,R.A.,Decl.\na,7.2540833,-0.22825\nb,9.8771667,10.5385\n",
    "topcat.txt": '# Name    RA        DEC\n  "NGC 1" 7.2540833 -0.22825\n  b       9.8771667  10.5385\n',
    "frames.csv": "# converted from B1950 to J2000\nname,ra,dec\na,7.2540833,-0.22825\nb,9.8771667,10.5385\n",
    "blanks.csv": f'name, ra, dec\n"a", "{A}", "{B}"\n"b", "{C}", "{D}"\n',
    "observed.csv": "# extragalactic; frame: topocentric\nname,ra,dec,equinox,frame,epoch\n"
    "a,7.2540833,-0.22825,J2000,1950,58000.1\nb,9.8771667,10.5385,,1951,VLASS1.1\n",
    "system.csv": "name,ra,dec,equinox,system,epoch\n"
    "a,7.2540833,-0.22825,N/A,Galactic,1950-02-03\nb,9.8771667,10.5385,2e3,ecl_bin,1950.5\n",
    "once.csv": "# once in B1950\nname,RA (FK5),Dec (FK5)\na,7.2540833,-0.22825\nb,9.8771667,10.5385\n",
    "survey.csv": "Source\nFIRST J002900.98-001341.7\nFIRST J003930.52+103218.6\n",
    "named.csv": "source\nJ002900.98-001341.7\nJ003930.52+103218.6\n",
}


@pytest.mark.parametrize("name", LISTS)
def test_lists_of_any_kind(tmp_path, name):
    (tmp_path / name).write_bytes(LISTS[name].encode())
    (tmp_path / f"{name}.gz").write_bytes(gzip.compress(LISTS[name].encode()))
    table = read_positions(tmp_path / name)
    assert [*read_positions(tmp_path / f"{name}.gz").iterrows()] == [*table.iterrows()]
    np.testing.assert_allclose(list(zip(table["ra"], table["dec"], strict=True)), PLACE, atol=1e-6)
    assert table.colnames[:6] == ["name", "ra", "dec", "class", "catalogue", "catalogue_class"]
    assert set(table["catalogue"]) == {Path(name).stem}
    assert len(set(table["name"])) == 2


@pytest.mark.parametrize("suffix", ["ecsv", "fits", "vot"])
def test_tables_with_units(tmp_path, suffix):
    ra, dec = zip(*PLACE, strict=True)
    table = Table(
        {"RA": np.radians(ra) * u.rad, "DEC": np.array(dec) * u.deg, "class": ["FR2", "WAT"], "z": [0.1, 0.2]}
    )
    table.write(tmp_path / f"list.{suffix}", **({"format": "votable"} if suffix == "vot" else {}))
    read = read_positions(tmp_path / f"list.{suffix}")
    np.testing.assert_allclose(list(zip(read["ra"], read["dec"], strict=True)), PLACE, atol=1e-6)
    assert read["class"].tolist() == ["FRII", "bent"]
    assert read["catalogue_class"].tolist() == ["FR2", "WAT"]
    assert set(read["catalogue"]) == {"list"}
    np.testing.assert_allclose(read["z"], [0.1, 0.2])


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "latin-1", "cp1252"])
def test_encodings(tmp_path, encoding):
    text = "name,ra,dec\r\nMüller 1,7.2540833,-0.22825\r\né,9.8771667,10.5385\r\n"
    (tmp_path / "list.csv").write_bytes(text.encode(encoding))
    table = read_positions(tmp_path / "list.csv")
    assert table["name"].tolist() == ["Müller 1", "é"]
    np.testing.assert_allclose(list(zip(table["ra"], table["dec"], strict=True)), PLACE, atol=1e-6)


def test_a_source_without_a_name_is_named_by_its_place(tmp_path):
    (tmp_path / "list.csv").write_text("id,ra,dec\n7,1,2\n,7.2540833,-0.22825\n")
    assert read_positions(tmp_path / "list.csv")["name"].tolist() == ["7", "J002900.9-001341"]


@pytest.mark.parametrize("suffix", ["ecsv", "fits", "vot"])
def test_masked_positions_are_refused(tmp_path, suffix):
    table = Table({"ra": MaskedColumn([1.0, 99.0], mask=[False, True]), "dec": [2.0, 3.0]})
    table.write(tmp_path / f"list.{suffix}", **({"format": "votable"} if suffix == "vot" else {}))
    with pytest.raises(ValueError, match="row 2 has ra = "):
        read_positions(tmp_path / f"list.{suffix}")


def test_hours_in_fits_and_one_table_of_two(tmp_path):
    ra, dec = zip(*PLACE, strict=True)
    columns = [
        fits.Column("RA", "D", unit="hourangle", array=np.array(ra) / 15),
        fits.Column("DEC", "D", unit="rad", array=np.radians(dec)),
    ]
    table = fits.BinTableHDU.from_columns(columns)
    for unit, comment in (("hourangle", ""), ("", "right ascension (hours)")):
        table.header.update({"TUNIT1": unit, "TCOMM1": comment})
        table.writeto(tmp_path / "a.fits", overwrite=True)
        read = read_positions(tmp_path / "a.fits")
        np.testing.assert_allclose(list(zip(read["ra"], read["dec"], strict=True)), PLACE, atol=1e-6)
    fits.HDUList([fits.PrimaryHDU(), table, table]).writeto(tmp_path / "b.fits")
    with pytest.raises(ValueError, match="it holds 2 tables"):
        read_positions(tmp_path / "b.fits")


def test_rows_in_another_place_are_not_fetched(tmp_path):
    table = Table({"ra": [1.0], "dec": [2.0]})
    table.write(tmp_path / "a.vot", format="votable", tabledata_format="binary2")
    text = (tmp_path / "a.vot").read_text()
    stream = re.search(r"<STREAM[^>]*>", text)[0]
    (tmp_path / "a.vot").write_text(text.replace(stream, stream[:-1] + ' href="file:///etc/hostname">'))
    with pytest.raises(ValueError, match="its rows are in another place"):
        read_positions(tmp_path / "a.vot")


@pytest.mark.parametrize(
    ("cards", "message"),
    [
        ({"EQUINOX": 1950.0}, "'EQUINOX = 1950.*'"),
        ({"EQUINOX": 1975.0, "RADESYS": "FK5"}, "'EQUINOX = 1975.*'"),
        ({"EPOCH": "1.950000000E+03"}, "'EPOCH = 1.950.*'"),
        ({"RADECSYS": "FK4"}, "'RADECSYS = FK4'"),
        ({"RADESYS": "galactic"}, "'RADESYS = galactic'"),
        ({"RADESYS": "GAPPT"}, "'RADESYS = GAPPT'"),
        ({"TCOMM1": "of equinox B1950"}, "'B1950'"),
        ({"COMMENT": "positions are B1950"}, "'B1950'"),
        ({"EQUINOX": 2000.0, "RADECSYS": "FK5"}, None),
        ({"EQUINOX": "2.000000000E+03", "RADESYS": "", "EPOCH": 2015.5}, None),
        ({"RADESYS": "ICRS", "COMMENT": "from positions in B1950"}, None),
        ({"EQUINOX": 1950.0, "TCOMM1": "right ascension (J2000)"}, None),
    ],
)
def test_the_frame_of_a_fits_table_is_icrs(tmp_path, cards, message):
    table = fits.BinTableHDU(Table({"ra": [1.0], "dec": [2.0]}))
    table.header.update(cards)
    table.writeto(tmp_path / "a.fits")
    if message is None:
        assert read_positions(tmp_path / "a.fits")["ra"][0] == 1
        return
    with pytest.raises(ValueError, match=f"it says {message}, and positions are needed in ICRS or J2000"):
        read_positions(tmp_path / "a.fits")


def votable(path, before="", after="", description=None):
    """Write a VOTable of one source with more elements before and after its table."""
    table = Table({"ra": [1.0], "dec": [2.0]})
    table["ra"].description = description
    table.write(path, format="votable")
    text = path.read_text().replace("<TABLE", before + "<TABLE", 1)
    path.write_text(text.replace("</TABLE>", "</TABLE>" + after))
    return path


@pytest.mark.parametrize(
    ("before", "message"),
    [
        ('<COOSYS ID="s" system="eq_FK4" equinox="B1950"/>', "'FK4'"),
        ('<COOSYS ID="s" system="eq_FK5" equinox="J1975"/>', "'equinox = J1975'"),
        ('<COOSYS ID="s" system="ecl_FK5"/>', "'ecl_FK5'"),
        ("<COOSYS ID='s' system='supergalactic'/>", "'supergalactic'"),
        ('<PARAM ID="p" value="1950.0" name="equinox" datatype="double"/>', "'equinox = 1950.0'"),
        ('<PARAM ID="p" name="system" datatype="char" arraysize="*" value="galactic"/>', "'galactic'"),
        ('<COOSYS ID="s" system="xy"/>', "'system = xy'"),
        ('<COOSYS ID="s" system="galactic"/><COOSYS ID="r" system="eq_FK5" equinox="J2000"/>', None),
        ('<PARAM ID="p" arraysize="3" datatype="char" name="RADESYS" value="FK4"/>', "'RADESYS = FK4'"),
        ('<COOSYS ID="s" system="eq_FK5" equinox="J2000"/>', None),
        ('<COOSYS ID="s" system="ICRS" epoch="J2015.5"/>', None),
        ('<PARAM ID="p" datatype="double" name="EQUINOX" value="2000.0"/>', None),
    ],
)
def test_the_frame_of_a_votable_is_icrs(tmp_path, before, message):
    path = votable(tmp_path / "a.vot", before)
    if message is None:
        assert read_positions(path)["ra"][0] == 1
        return
    with pytest.raises(ValueError, match=f"it says {message}"):
        read_positions(path)
    # What the columns say of themselves counts more than what is said of the table.
    assert read_positions(votable(tmp_path / "b.vot", before, description="J2000"))["ra"][0] == 1
    with pytest.raises(ValueError, match="it says 'B1950'"):
        read_positions(votable(tmp_path / "c.vot", description="Right ascension, B1950"))


def test_what_a_server_says_is_heeded(tmp_path, caplog):
    info = '<INFO name="QUERY_STATUS" value="{}"/>'
    votable(tmp_path / "a.vot", info.format("OK"))
    assert read_positions(tmp_path / "a.vot")["dec"][0] == 2
    assert not caplog.text
    votable(tmp_path / "b.vot", info.format("OK"), info.format("OVERFLOW"))
    assert read_positions(tmp_path / "b.vot")["dec"][0] == 2
    assert "the server has cut this table off" in caplog.text
    for said in (
        '<INFO name="QUERY_STATUS" value="ERROR">No table &lt;foo></INFO>',
        '<INFO value="ERROR" name="QUERY_STATUS"><![CDATA[No table <foo>]]></INFO>',
        '<INFO name="Error" value="No table <foo>"/>',
    ):
        (tmp_path / "c.vot").write_text(f'<VOTABLE version="1.3"><RESOURCE>{said}</RESOURCE></VOTABLE>')
        with pytest.raises(ValueError, match=r"the server says '(ERROR )?No table <foo>"):
            read_positions(tmp_path / "c.vot")


@pytest.mark.parametrize("before", ["<!-- of a server -->\n", "\ufeff<!DOCTYPE VOTABLE>\n"])
def test_what_stands_before_a_votable(tmp_path, before):
    text = votable(tmp_path / "a.vot").read_text()
    (tmp_path / "b.vot").write_text(before + text[text.index("<VOTABLE") :])
    assert read_positions(tmp_path / "b.vot")["dec"][0] == 2


ECSV = "# %ECSV 1.0\n# ---\n# datatype:\n# - {name: name, datatype: string}\n"
ECSV += "# - {name: ra, datatype: float64}\n# - {name: dec, datatype: float64}\nname ra dec\n"


@pytest.mark.parametrize(
    ("text", "names", "left_out"),
    [
        (
            "name,ra,dec\n#1,187.7,12.3\n#2,1,2\nC,3,4\n",
            ["C"],
            r"2 lines .* such as \['1', '187.7', '12.3'\]",
        ),
        ('name,ra,dec\n"#1",187.7,12.3\n# 12 more, later, perhaps\nC,3,4\n', ["#1", "C"], None),
        ("# name ra dec\n# - deg deg\nA 1 2\n#B 12:30:49.4 +1:00\n", ["A"], "1 lines"),
        ("# name ra dec\n#1 187.7 12.3\nC 3 4\n", ["C"], "1 lines"),
        ("ra,dec\n1,2\n#3,4\n", ["J000400.0+020000"], "1 lines"),
        ("# RA2000 DEC2000\n# of 2020\n1 2\n", ["J000400.0+020000"], None),
        (ECSV + "#1 1.0 2.0\nb 2.0 3.0\n", ["b"], "1 lines"),
    ],
)
def test_commented_rows_are_told(tmp_path, caplog, text, names, left_out):
    (tmp_path / "list.csv").write_text(text)
    assert read_positions(tmp_path / "list.csv")["name"].tolist() == names
    assert re.search(left_out, caplog.text) if left_out else not caplog.text


@pytest.mark.parametrize("names", [["1", "1"], ["a", "a"]])
def test_names_that_are_not_unique_are_told_and_kept(tmp_path, caplog, names):
    (tmp_path / "list.csv").write_text(f"name,ra,dec\n{names[0]},1,2\n{names[1]},3,4\n,5,6\n,5,6\n")
    assert read_positions(tmp_path / "list.csv")["name"].tolist()[:2] == names
    assert f"names are not unique ({names[0]}); make them differ" in caplog.text


def test_a_column_called_name_or_class_comes_before_others(tmp_path, caplog):
    (tmp_path / "list.csv").write_text(
        "island,source,name,type,ra,dec,class\n1,0,A,x,1,2,FRI\n2,0,B,x,3,4,\n"
    )
    table = read_positions(tmp_path / "list.csv")
    assert table["name"].tolist() == ["A", "B"]
    assert table["class"].tolist() == ["FRI", ""]
    assert table["type"].tolist() == ["x", "x"]
    assert not caplog.text


@pytest.mark.parametrize("name", ["ra", "name", "class"])
def test_vectors_are_no_positions(tmp_path, name):
    table = Table({"name": ["a"], "ra": [1.0], "dec": [2.0], "class": ["FRI"], "spectrum": [[1.0, 2.0]]})
    table.write(tmp_path / "a.fits")
    assert read_positions(tmp_path / "a.fits")["spectrum"].shape == (1, 2)
    table[name] = [[table[name][0]] * 2]
    table.write(tmp_path / "b.fits")
    with pytest.raises(ValueError, match=f"the columns {name} hold several values in each row"):
        read_positions(tmp_path / "b.fits")


def test_the_columns_of_a_votable_are_called_by_name(tmp_path):
    Table({"ra": [1.0], "dec": [2.0]}).write(tmp_path / "a.vot", format="votable")
    text = (tmp_path / "a.vot").read_text()
    for name in ("ra", "dec"):
        text = text.replace(f'ID="{name}"', f'ID="col_{name}_deg_cont"')
    (tmp_path / "a.vot").write_text(text)
    assert read_positions(tmp_path / "a.vot")["dec"][0] == 2


def test_right_ascensions_that_may_be_hours_are_told(tmp_path, caplog):
    for ra, told in (("1,2,23.5", True), ("1,2,25", False), ("1:00,2:00,1:30", False)):
        rows = "\n".join(f"{each},5" for each in ra.split(","))
        (tmp_path / "list.csv").write_text(f"ra,dec\n{rows}\n")
        caplog.clear()
        read_positions(tmp_path / "list.csv")
        assert ("taken for degrees" in caplog.text) == told
    (tmp_path / "list.csv").write_text("ra (deg),dec\n1,5\n2,5\n3,5\n")
    read_positions(tmp_path / "list.csv")
    assert not caplog.text


NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Zl", "Zp"]), min_size=1, max_size=8)


@settings(max_examples=60, deadline=None)
@example([("\xa0", 0.0, 0.0)], ".csv")
@example([("\u3000a\xa0", 0.0, 0.0)], ".ecsv")
@given(
    rows=st.lists(st.tuples(NAMES, st.floats(0, 360), st.floats(-90, 90)), min_size=1, max_size=4),
    suffix=st.sampled_from([".csv", ".ecsv", ".fits", ".vot"]),
)
def test_positions_do_not_move_on_being_written_and_read(rows, suffix):
    names, ra, dec = zip(*rows, strict=True)
    if suffix == ".fits":
        names = ["".join(c for c in name if " " <= c <= "~") or "x" for name in names]
    with tempfile.TemporaryDirectory() as folder:
        first, second = Path(folder) / "first.ecsv", Path(folder) / f"second{suffix}"
        write_table(first, Table({"name": np.array(names), "RA": ra * u.deg, "Dec": dec * u.deg}))
        table = read_positions(first)
        write_table(second, table)
        again = read_positions(second)
    assert table["ra"].tolist() == again["ra"].tolist() == list(ra)
    assert table["dec"].tolist() == again["dec"].tolist() == list(dec)
    assert table["name"].tolist() == again["name"].tolist()


@settings(max_examples=150, deadline=None)
@given(st.text(st.sampled_from("0123456789.+-: #|,;\t\nradecnameJ[]()hms°'\"é\\<%"), max_size=80))
def test_any_text_is_read_in_range_or_refused(text):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "list.txt"
        path.write_text(text, "utf-8")
        try:
            table = read_positions(path)
        except ValueError:
            return
    assert ((table["ra"] >= 0) & (table["ra"] <= 360) & (np.abs(table["dec"]) <= 90)).all()
    assert (table["name"] != "").all()


BAD_LISTS = {
    "no header": (
        "176.27 19.6 12.5\n187.7 12.4 48\n",
        "it has no header with ra and dec, or with name: write one",
    ),
    "spoken order": ("# Dec of the source, then RA\n1 2\n", "it has no header"),
    "a comment": ("# my source list\na 176.27 19.6\n", "it has no header"),
    "units in a header": ("# RA (deg) DEC (deg) S (mJy)\n1 2 3\n", r"\(mJy\)'\] as names of columns"),
    "units in a row": ('RAJ2000;DEJ2000\n"h:m:s";"d:m:s"\n12 30 49;+12 23 28\n', "row 1 has ra = h:m:s"),
    "two marks": ("# ra,dec\n1 2\n", ".'1 2'. has not the 2 columns ra, dec"),
    "framed": ("+----+-----+\n| ra | dec |\n+----+-----+\n| 1  | 2   |\n+----+-----+\n", "it has no header"),
    "beyond the pole": ("ra,dec\n1,90.5\n", "row 1 has dec = 90.5: give -90 to 90"),
    "hours": ("ra,dec\n25:00:00,1\n", "row 1 has ra = 25:00:00"),
    "negative": ("ra,dec\n-1,1\n", "row 1 has ra = -1"),
    "degrees as hours": ("RA (deg),dec\n12:30:49,1\n", "row 1 has ra = 12:30:49 deg"),
    "unit": ("ra (mJy),dec\n1,1\n", r"column 'ra \(mJy\)' is in 'mJy': give deg"),
    "epoch": ("ra (B1950),dec\n1,1\n", "says 'B1950', and positions are needed in ICRS or J2000: convert"),
    "epoch and unit": ("name,RA (B1950) [deg],Dec (B1950) [deg]\na,1,1\n", "says 'B1950'"),
    "year and unit": ("name,RA (1950) [deg],Dec (1950) [deg]\na,1,1\n", "says 'column RA .1950'"),
    "equinox of a row": ("ra,dec,equinox\n1,1,J2000\n1,1,1950.0\n", "says 'equinox = 1950.0'"),
    "epoch of a row": ("ra,dec,Epoch\n1,1,B1950\n", "says 'B1950'"),
    "frame of a row": ("ra,dec,frame\n1,1,fk5\n1,1,fk4\n", "says 'fk4'"),
    "frame in a comment": ("# frame: galactic\nra,dec\n1,1\n", "says 'galactic'"),
    "comment after a mark": ("\ufeff# Equinox B1950\nra,dec\n1,1\n", "says 'B1950'"),
    "twice": ("ra,dec,ra\n1,2,3\n", "Duplicate column names"),
    "two places": ("ra,dec,ra_j2000,dec_j2000\n1,2,1,3\n", "columns dec, dec_j2000 hold different dec"),
    "other frame": ("# Equinox : B1950\nra,dec\n1,1\n", "it says '.*1950', and positions are needed in ICRS"),
    "other frame of FITS": ("# EPOCH = 1950.0\n# ra dec\n1 1\n", "it says 'EPOCH = 1950'"),
    "vector": ("# 1 RA x\n# 4 DEC y\n12 30 49 10\n", "columns RA, RA_1, RA_2 hold different ra"),
    "unit of seconds": ("name\nJ012961.0+004633\n", "gives no position|minutes and seconds go up to 60"),
    "decimal comma": ("ra;dec\n10,5;20,25\n", "row 1 has ra = 10,5"),
    "two tables": ("|ra |ra |dec|\n|double|double|double|\n", "cannot be read|no rows|different"),
    "no positions": ("x,y\n1,2\n", "no header with ra and dec"),
    "one axis": ("ra,z\n1,2\n", r"columns ra, z: it needs ra and dec"),
    "out of range": ("ra,dec\n1,2\n400,5\n", r"row 2 has ra = 400: give 0 to 360 degrees.*\(1 such rows\)"),
    "no number": ("ra,dec\n1,2\nx,5\ny,5\n", r"row 2 has ra = x.*12:30:49.4 \(2 such rows\)"),
    "blank": ("ra,dec\n1,\n", "row 1 has dec = :"),
    "label": ("ra,dec,class\n1,2,ring\n", r"unknown class 'ring': the classes are FRI.*classes=\{"),
    "name": ("name\nM87\n", r"the name 'M87' gives no position.*or add ra and dec"),
    "ragged": ("ra,dec\n1,2\n3\n", r"\['3'\] has not the 2 columns ra, dec"),
    "empty": ("", "it has no header"),
    "header only": ("ra,dec\n", "a header and no rows"),
    "binary": (b"\x89PNG\r\n\x1a\n\x00\xff", "cannot be read as a table"),
}


@pytest.mark.parametrize("case", BAD_LISTS)
def test_lists_that_cannot_be_read(tmp_path, case):
    content, message = BAD_LISTS[case]
    path = tmp_path / "list.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(ValueError, match=rf"(?s)list\.csv.*({message})"):
        read_positions(path)


def test_a_missing_list_and_a_broken_fits_table(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_positions(tmp_path / "none.csv")
    (tmp_path / "a.fits").write_text("no")
    with pytest.raises(ValueError, match="cannot be read as a table"):
        read_positions(tmp_path / "a.fits")


@pytest.mark.parametrize("suffix", ["csv", "ecsv", "fits"])
def test_what_we_have_written_says_itself_where_sources_come_from(tmp_path, suffix):
    (tmp_path / "a.csv").write_text("id,ra,dec,type\nA,1,2,WAT\nB,3,4,\n")
    first = read_positions(tmp_path / "a.csv")
    write_table(tmp_path / f"merged.{suffix}", first)
    again = read_positions(tmp_path / f"merged.{suffix}")
    assert [tuple(row) for row in again] == [tuple(row) for row in first]
    assert again["catalogue", "class", "catalogue_class"].as_array().tolist()[0] == ("a", "bent", "WAT")


def test_labels_can_be_translated(tmp_path):
    (tmp_path / "a.csv").write_text("ra,dec,type\n1,2,double\n2,3,ring\n3,4,Compact\n")
    table = read_positions(tmp_path / "a.csv", classes={"double": "FRII", "ring": ""})
    assert table["class"].tolist() == ["FRII", "", "compact"]


def test_designations_agree_with_the_catalogues():
    known = load_report_candidates()
    names = known["name"][known["catalogue"] == "FRICAT"].tolist()
    ra, dec = zip(*map(from_designation, names), strict=True)
    # J002900.98-011341.7 has one digit more in both.
    assert designation(SkyCoord([*ra], [*dec], unit="deg")) == [name[:9] + name[10:17] for name in names]
    assert designation(SkyCoord(0.0, -0.0001, unit="deg")) == ["J000000.0-000000"]
    assert designation(SkyCoord(359.99999, 89.99999, unit="deg")) == ["J235959.9+895959"]


# Matches ----------------------------------------------------------------------------------------------------


def test_cross_match_against_all_distances():
    rng = np.random.default_rng(3)
    left, right = (Table({"ra": rng.uniform(0, 0.05, n), "dec": rng.uniform(60, 60.03, n)}) for n in (40, 30))
    pairs = cross_match(left, right, 15)
    places = [SkyCoord(table["ra"], table["dec"], unit="deg") for table in (left, right)]
    distance = places[0][:, None].separation(places[1]).arcsec
    assert set(zip(pairs["left"], pairs["right"], strict=True)) == set(
        zip(*np.nonzero(distance < 15), strict=True)
    )
    assert (np.diff(pairs["separation"]) >= 0).all()
    assert len(cross_match(left, right[:0])) == 0
    with pytest.raises(ValueError, match="radius is 0"):
        cross_match(left, right, 0)


def test_sky_groups_are_those_of_the_packaged_table():
    table = load_report_candidates()
    groups, packaged = sky_groups(table), np.asarray(table["sky_group"])
    # Who shares a group here does so there, where some sources have a second position.
    for group in range(groups.max() + 1):
        assert len(set(packaged[groups == group])) == 1
        assert packaged[groups == group][0] >= 0
    assert (groups >= 0).sum() > 0.8 * (packaged >= 0).sum()


def test_decisions_need_name_catalogue_class_and_place():
    decisions = load_report_candidates()
    sources = decisions["name", "ra", "dec", "class", "catalogue"][:5].copy()
    sources["name"][1], sources["class"][2] = "other", "bent"
    sources["ra"][3] += 0.01
    assert add_decisions(sources, decisions)["decision"].tolist() == ["keep", "", "", "", "keep"]


@pytest.mark.parametrize(
    "name", ["J250000.0+100000", "J294144.7+235127", "J094144+23515", "J094144.7-02351", "NGC 1265"]
)
def test_a_name_that_is_no_designation_gives_no_position(name):
    with pytest.raises(ValueError, match="gives no position"):
        from_designation(name)
    for text in ("J094144.7-235127", "J094144.7−235127"):
        np.testing.assert_allclose(from_designation(text), (145.43625, -23.8575))
    np.testing.assert_allclose(from_designation("J094144+2351"), (145.43333, 23.85), atol=1e-5)


def test_units_in_descriptions_second_names_and_other_epochs(tmp_path):
    table = Table({"ra": [12.5], "dec": [1.0], "id": ["a"], "source": ["b"], "ra_1950": [3.0]})
    table["ra"].description = "Right ascension (hours)"
    table.write(tmp_path / "a.ecsv")
    found = read_positions(tmp_path / "a.ecsv")
    np.testing.assert_allclose(found["ra"], 187.5)
    assert found["source"].tolist() == ["b"]
    assert "ra_1950" in found.colnames


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ra [h] dec [deg]\n1 2 3 4\n", r"\['\[h\]', '\[deg\]'\] as names of columns"),
        ("l,b\n1,2\n", "no header with ra and dec"),
        ("alpha,delta\n1,2\n", "no header with ra and dec"),
    ],
)
def test_what_columns_hold_is_not_guessed(tmp_path, text, message):
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(ValueError, match=message):
        read_positions(tmp_path / "a.csv")


def test_matching_minds_units_and_refuses_what_is_no_position():
    hours = Table({"ra": [12.5] * u.hourangle, "dec": [1.0] * u.deg})
    here = Table({"ra": [187.5], "dec": [1.0]})
    assert len(cross_match(hours, here)) == 1
    for ra in ([-172.5], ["12:30:00"], [12.5] * u.Unit("h")):
        assert len(cross_match(Table({"ra": ra, "dec": [1.0]}), here)) == 1
    masked = Table({"ra": MaskedColumn([10.0, 10.001], mask=[True, False]), "dec": [1.0, 1.0]})
    for function in (lambda table: cross_match(table, here), find_duplicates, sky_groups):
        with pytest.raises(ValueError, match="row 1 has ra = --: give 0 to 360 degrees"):
            function(masked)
        with pytest.raises(ValueError, match="has no column ra, dec; it has RA, DEC"):
            function(Table({"RA": [1.0], "DEC": [1.0]}))
