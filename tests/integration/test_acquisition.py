"""From positions to cutouts: the download, against a server on this machine with all its failures."""

from __future__ import annotations

import io
import re
import signal
import subprocess
import sys
import textwrap
import time
from collections import Counter

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS
from samples import SHARED
from skyserver import SkyServer, fits_file, key_of

from radiosynth import simulation
from radiosynth.cutouts import download
from radiosynth.cutouts.download import download_cutouts
from radiosynth.cutouts.manifest import MANIFEST, alone
from radiosynth.cutouts.read import read_cutouts
from radiosynth.cutouts.replies import checked
from radiosynth.sample import Sample
from radiosynth.surveys import HIPS, First, Hips, SkyView
from radiosynth.taxonomy import CLASS_NAMES

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])
QUICK = {"rate": 1000}


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    monkeypatch.setattr(download, "BACKOFF", 0.01)


@pytest.fixture(scope="module")
def images():
    """Simulated sources with noise, in Jy per beam."""
    rng = np.random.default_rng(5)
    fake = simulation.simulate(3, 150, rng=rng).images
    return (0.01 * (fake + 1) + rng.normal(0, 1.5e-4, fake.shape)).astype("f4")


@pytest.fixture
def sky(images):
    return SkyServer(images)


@pytest.fixture
def server(sky, monkeypatch):
    """Run the server, and let astroquery take it for those of FIRST, SkyView and CDS."""
    from astroquery.hips2fits import hips2fitsClass
    from astroquery.image_cutouts.first import FirstClass
    from astroquery.skyview import SkyViewClass

    with sky.running() as url:
        monkeypatch.setattr(FirstClass, "URL", f"{url}/cgi-bin/firstcutout")
        monkeypatch.setattr(SkyViewClass, "URL", f"{url}/skyview/form.pl")
        monkeypatch.setattr(hips2fitsClass, "server", f"{url}/hips2fits")
        yield url


@pytest.fixture
def first(server):
    return First(timeout=0.5)


def sources(n, classes=("FRI", "FRII", "bent", "compact")):
    """Return positions that lie apart, north and south of the equator."""
    rng = np.random.default_rng(n)
    ra, dec = (np.arange(n) * 1.37 + rng.random(n)) % 360, rng.uniform(-10, 60, n)
    table = Table({"name": [f"S{i:03d}" for i in range(n)], "ra": ra, "dec": dec})
    table["class"] = [classes[i % len(classes)] for i in range(n)]
    table["catalogue"], table["catalogue_class"], table["z"] = "test", "x", np.linspace(0, 1, n)
    return table


def keys(table):
    return [key_of(row["ra"], row["dec"]) for row in table]


def test_cutouts_arrive_with_coordinates_and_provenance(tmp_path, sky, first):
    table = sources(4)
    manifest = download_cutouts(table, tmp_path, survey=first, **QUICK)
    assert manifest["status"].tolist() == ["ok"] * 4
    assert manifest["file"].tolist() == ["S000.fits", "S001.fits", "S002.fits", "S003.fits"]
    assert Table.read(tmp_path / MANIFEST).colnames == manifest.colnames
    for row in manifest:
        with fits.open(tmp_path / row["file"]) as hdus:
            header, pixels = hdus[0].header, hdus[0].data
        assert pixels.shape == (150, 150)
        np.testing.assert_array_equal(pixels, sky.image(row["ra"], row["dec"], 150))
        centre = WCS(header).pixel_to_world(74.5, 74.5).icrs
        # Cutouts begin at whole pixels of a field.
        assert centre.separation(SkyCoord(row["ra"], row["dec"], unit="deg")).arcsec < 1.3
        assert header["CRPIX1"] != 75.5
        assert (header["SRCNAME"], header["SRVNAME"]) == (row["name"], "FIRST")
        assert "radiosynth" in str(header["HISTORY"])
    assert {form["ImageSize"] for form in sky.forms} == {"4.5"}
    sample = read_cutouts(tmp_path)
    assert sample.counts() == {"FRI": 1, "FRII": 1, "bent": 1, "compact": 1}
    assert sample.table["name"].tolist() == table["name"].tolist()
    np.testing.assert_allclose(sample.table["z"], table["z"])
    np.testing.assert_allclose(sample.table["pixel_scale"], 1.8, rtol=1e-4)
    # Their north is not quite up, which makes no pixel up.
    for image, row in zip(sample.images, manifest, strict=True):
        np.testing.assert_array_equal(image, sky.image(row["ra"], row["dec"], 150))
    assert set(sample.table["unit"]) == {"Jy/beam"}


PASSING = ["500", "busy", "html", "slow", "cut", "short", "wrong field", "disconnect", "text", "small"]


@pytest.mark.parametrize("fault", PASSING)
def test_a_fault_that_passes_is_outlived(tmp_path, sky, first, fault):
    table = sources(1)
    sky.faults[keys(table)[0]] = [fault]
    [row] = download_cutouts(table, tmp_path, survey=first, **QUICK)
    assert (row["status"], row["message"], sky.faults[keys(table)[0]]) == ("ok", "", [])


@pytest.mark.parametrize(
    ("fault", "status", "message"),
    [
        ("500", "server error", "500 Server Error"),
        ("html", "html page", "being maintained"),
        ("slow", "no answer", "Timeout"),
        ("cut", "no answer", "IncompleteRead"),
        ("short", "not fits", "bytes"),
        ("wrong field", "wrong field", "360 arcsec away"),
        ("disconnect", "no answer", "Connection"),
        ("text", "not fits", "ERROR -17"),
        ("small", "wrong size", "110×110 pixels instead of 150×150"),
    ],
)
def test_a_fault_that_stays_is_listed_and_tried_again_by_the_next_call(
    tmp_path, sky, first, fault, status, message
):
    table = sources(2)
    sky.faults[keys(table)[0]] = [fault] * 2
    manifest = download_cutouts(table, tmp_path, survey=first, retries=1, **QUICK)
    assert manifest["status"].tolist() == [status, "ok"]
    assert message in manifest["message"][0]
    assert (manifest["file"][0], sky.faults[keys(table)[0]]) == ("", [])
    assert [path.name for path in tmp_path.glob("*.fits")] == ["S001.fits"]
    assert read_cutouts(tmp_path).table["name"].tolist() == ["S001"]
    again = download_cutouts(table, tmp_path, survey=first, **QUICK)
    assert again["status"].tolist() == ["ok", "ok"]
    assert max(sky.served().values()) == 1


def test_what_will_not_change_is_asked_once(tmp_path, sky, first):
    table = sources(3)
    outside, edge, _ = keys(table)
    sky.faults[outside], sky.faults[edge] = ["outside"], ["nan"]
    for _ in range(2):
        manifest = download_cutouts(table, tmp_path, survey=first, **QUICK)
        assert manifest["status"].tolist() == ["outside survey", "nan edge", "ok"]
    assert "outside the FIRST survey" in manifest["message"][0]
    assert "1350 of 22500 pixels" in manifest["message"][1]
    # What could be fetched of it is kept for looking at, and not read as one of the good ones.
    assert manifest["file"].tolist() == ["", "S001.fits", "S002.fits"]
    assert read_cutouts(tmp_path).table["name"].tolist() == ["S002"]
    assert read_cutouts([tmp_path / "S001.fits"], size=120).size == 120
    assert len(sky.requests()) == 3


def test_a_blank_image_is_outside(tmp_path, sky, first):
    table = sources(1)
    sky.files[keys(table)[0]] = fits_file(np.full((150, 150), np.nan), table["ra"][0], table["dec"][0])
    assert download_cutouts(table, tmp_path, survey=first, **QUICK)["status"][0] == "outside survey"


def test_requests_are_bounded_in_number_and_rate(tmp_path, sky, first):
    sky.pause = 0.1  # longer than the 25 ms between two requests, so that they overlap
    begun = time.monotonic()
    download_cutouts(sources(12), tmp_path, survey=first, concurrency=3, rate=40)
    assert time.monotonic() - begun > 11 / 40
    assert 1 < sky.most_busy <= 3


def test_a_mirror_of_first_is_asked_by_its_address(tmp_path, sky, server, monkeypatch):
    from astroquery.image_cutouts.first import FirstClass

    from radiosynth.cutouts import MANIFEST, First, SkyView, Survey

    assert issubclass(First, Survey)
    assert issubclass(SkyView, Survey)
    monkeypatch.setattr(FirstClass, "URL", "http://127.0.0.1:9/")  # nobody answers there
    mirror = First(timeout=2, url=f"{server}/cgi-bin/firstcutout")
    assert download_cutouts(sources(1), tmp_path, survey=mirror, **QUICK)["status"].tolist() == ["ok"]
    assert (tmp_path / MANIFEST).exists()


def test_a_missing_file_is_fetched_again_and_only_it(tmp_path, sky, first):
    table = sources(3)
    download_cutouts(table, tmp_path, survey=first, **QUICK)
    (tmp_path / "S000.fits").unlink()
    manifest = download_cutouts(table, tmp_path, survey=first, **QUICK)
    assert set(manifest["status"]) == {"ok"}
    assert [sky.served()[key] for key in keys(table)] == [2, 1, 1]


def test_another_list_is_added_and_equal_names_get_files_of_their_own(tmp_path, sky, first):
    table = sources(4)
    table["name"][3] = "s002"  # the same file where capitals do not count
    download_cutouts(table[:3], tmp_path, survey=first, **QUICK)
    manifest = download_cutouts(table[2:], tmp_path, survey=first, **QUICK)
    assert manifest["name"].tolist() == ["S000", "S001", "S002", "s002"]
    assert manifest["file"].tolist() == ["S000.fits", "S001.fits", "S002.fits", "s002_2.fits"]
    assert len(sky.requests()) == 4
    for other in ({"survey": first, "width": 3}, {"survey": Hips("VLASS")}, {"survey": [first, SkyView()]}):
        with pytest.raises(
            ValueError, match=r"holds cutouts 4.5 arcmin wide from FIRST, not .* another folder"
        ):
            download_cutouts(table, tmp_path, **other)


def test_names_that_are_no_file_names(tmp_path, first):
    table = sources(3)
    table["name"] = ["../../up", "4C +12.34 / β", "..."]
    manifest = download_cutouts(table, tmp_path, survey=first, **QUICK)
    assert manifest["file"].tolist() == ["up.fits", "4C_+12.34_β.fits", "source.fits"]
    assert set(manifest["status"]) == {"ok"}


def test_a_server_that_is_down_ends_the_batch_early(tmp_path, sky, first, caplog, monkeypatch):
    table = sources(40)
    for key in keys(table):
        sky.faults[key] = ["500"] * 9
    monkeypatch.setattr(download, "GIVE_UP", 5)
    manifest = download_cutouts(table, tmp_path, survey=first, retries=0, **QUICK)
    states = Counter(manifest["status"])
    assert 5 <= states["server error"] <= 12  # four under way at once
    assert states["not tried"] == 40 - states["server error"]
    assert "5 sources in a row failed" in caplog.text


def test_skyview_steps_in(tmp_path, sky, server, first):
    table = sources(2)
    sky.faults[keys(table)[0]] = ["500"] * 9
    skyview = SkyView(timeout=2)
    manifest = download_cutouts(table, tmp_path, survey=[first, skyview], retries=1, **QUICK)
    assert manifest["status"].tolist() == ["ok", "ok"]
    assert manifest["survey"].tolist() == ["VLA FIRST (1.4 GHz)", "FIRST"]
    assert sky.forms[-1]["pixels"] == "150" or sky.forms[0]["pixels"] == "150"
    sky.skyview_down = True
    manifest = download_cutouts(sources(1), tmp_path / "b", survey=skyview, retries=0, **QUICK)
    assert manifest["status"].tolist() == ["server error"]
    assert "500" in manifest["message"][0]
    sky.faults[keys(table)[1]] = ["outside"]
    manifest = download_cutouts(table[1:], tmp_path / "c", survey=[first, skyview], retries=0, **QUICK)
    assert (manifest["status"][0], manifest["survey"][0]) == ("outside survey", "FIRST")


@pytest.mark.parametrize("name", HIPS)
def test_surveys_of_cds_by_name(tmp_path, sky, server, name):
    sky.images = np.pad(sky.images, ((0, 0), (150, 150), (150, 150)), mode="wrap")
    survey, table = Hips(name, timeout=0.5), sources(2)
    manifest = download_cutouts(table, tmp_path, survey=survey, **QUICK)
    assert manifest["status"].tolist() == ["ok", "ok"]
    assert set(manifest["survey"]) == {name}
    edge = int(270 / survey.pixel_scale)
    assert {form["width"] for form in sky.forms} == {str(edge)}
    sample = read_cutouts(tmp_path, size=edge)
    np.testing.assert_allclose(sample.table["pixel_scale"], survey.pixel_scale, rtol=1e-3)
    np.testing.assert_allclose(sample.table["beam"], survey.beam)
    header = fits.getheader(tmp_path / manifest["file"][0])
    assert (header["SRVNAME"], header["BMAJ"] * 3600) == (name, pytest.approx(survey.beam))


def test_failures_of_the_service_of_cds(tmp_path, sky, server):
    faults = ["500", "html", "text", "cut", "short", "wrong field", "disconnect", "blank", "nan", ""]
    table = sources(len(faults))
    for key, fault in zip(keys(table), faults, strict=True):
        sky.faults[key] = [fault] * 2 if fault else []
    lofar = Hips("LoTSS", timeout=0.5)
    sky.images = np.pad(sky.images, ((0, 0), (20, 20), (20, 20)), mode="wrap")
    manifest = download_cutouts(table, tmp_path, survey=lofar, retries=1, concurrency=1, **QUICK)
    told = dict(zip(faults, manifest["status"].tolist(), strict=True))
    wanted = ["server error", "html page", "not fits", "no answer", "not fits", "wrong field", "no answer"]
    assert told == dict(zip(faults, [*wanted, "outside survey", "nan edge", "ok"], strict=True))
    assert "500" in manifest["message"][0]
    again = download_cutouts(table, tmp_path, survey=lofar, **QUICK)
    assert set(again["status"]) == {"ok", "nan edge", "outside survey"}
    # One that the service does not have.
    mine = Hips("mine", "me/P/mine", pixel_scale=2, beam=5)
    manifest = download_cutouts(table[:1], tmp_path / "mine", survey=mine, retries=0, **QUICK)
    assert manifest["status"].tolist() == ["server error"]
    assert "400" in manifest["message"][0]
    with pytest.raises(
        ValueError, match=r"'mine' is none of NVSS, .*give one, or hips, pixel_scale and beam"
    ):
        Hips("mine", "me/P/mine", beam=5)
    with pytest.raises(ValueError, match="timeout is 0; give seconds"):
        Hips("VLASS", timeout=0)


@pytest.mark.usefixtures("server")
def test_a_survey_by_name_from_the_command_line(tmp_path, capsys):
    from radiosynth.cli import main

    sources(2)["name", "ra", "dec"].write(tmp_path / "list.csv")
    command = ["cutouts", str(tmp_path / "list.csv"), str(tmp_path / "nvss")]
    assert main([*command, "--survey", "NVSS"]) == 0
    assert "2 of 2 cutouts" in capsys.readouterr().out
    assert read_cutouts(tmp_path / "nvss").images.shape == (2, 18, 18)


def test_another_survey_is_one_object(tmp_path, sky, server, monkeypatch, project):
    """The page's code as it stands there; only the address is ours."""
    sky.images = np.pad(sky.images, ((0, 0), (20, 20), (20, 20)), mode="wrap")
    text = (project / "docs" / "howto" / "own_survey.rst").read_text("utf-8")
    code = textwrap.dedent(re.search(r":name: another-survey\n\n(.*?)\n\n(?=\S)", text, re.DOTALL)[1])
    monkeypatch.chdir(tmp_path)
    found = {"sources": sources(3)}
    exec(code.replace("https://example.org/cutout", f"{server}/skyview/image.fits"), found)
    manifest = Table.read(tmp_path / "others" / MANIFEST)
    assert set(manifest["status"]) == {"ok"}
    assert set(manifest["survey"]) == {"my survey"}
    assert (found["whole"].size, found["sample"].size, len(found["flags"])) == (180, 150, 3)
    assert found["fake"].size == 150


def test_nothing_is_kept_of_an_error_page(tmp_path, sky, first, monkeypatch):
    """astroquery keeps every reply with status 200 for a week; here none may be, nor its setting changed."""
    from astroquery import cache_conf

    before = cache_conf.cache_active
    table = sources(1)
    sky.faults[keys(table)[0]] = ["html"]
    download_cutouts(table, tmp_path, survey=first, retries=0, **QUICK)
    assert download_cutouts(table, tmp_path, survey=first, retries=0, **QUICK)["status"][0] == "ok"
    assert cache_conf.cache_active == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"width": 0}, "width is 0"),
        ({"concurrency": 0}, "concurrency is 0"),
        ({"rate": -1}, "rate is -1"),
        ({"retries": -1}, "retries"),
        ({"survey": []}, "survey"),
    ],
)
def test_arguments_out_of_range(tmp_path, change, message):
    with pytest.raises(ValueError, match=message):
        download_cutouts(sources(1), tmp_path, **change)
    assert not list(tmp_path.iterdir())


def test_a_table_without_positions(tmp_path, first):
    with pytest.raises(ValueError, match=r"columns name, ra; name, ra and dec .*read_positions"):
        download_cutouts(sources(1)["name", "ra"], tmp_path, survey=first)
    with pytest.raises(ValueError, match="0 rows"):
        download_cutouts(sources(1)[:0], tmp_path, survey=first)


def test_two_processes_do_not_fill_one_folder(tmp_path, first):
    with alone(tmp_path), pytest.raises(OSError, match="another process is writing"):
        download_cutouts(sources(1), tmp_path, survey=first)


def test_a_folder_that_cannot_be_written_ends_the_batch(tmp_path, first, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(download, "write_fits", full)
    with pytest.raises(OSError, match="No space left"):
        download_cutouts(sources(5), tmp_path, survey=first, **QUICK)
    assert set(Table.read(tmp_path / MANIFEST)["status"]) == {"not tried"}


def test_a_busy_page_whose_foot_speaks_of_outside_is_no_verdict_on_the_source(first):
    foot = b"<footer>Users outside of the institute: there is no data warranty</footer></html>"
    page = b"<html><h1>Too many requests</h1>" + b"<p>The server is busy, please repeat later.</p>" * 5 + foot
    assert checked(page, SkyCoord(1, 2, unit="deg"), 4.5, first)[1] == "html page"


def test_a_source_of_two_classes_keeps_both_and_no_file_is_replaced(tmp_path, sky, first):
    one = Table({"name": ["x"], "ra": [10.0], "dec": [20.0], "class": ["FRI"], "catalogue": ["A"]})
    other = Table({"name": ["x"], "ra": [10.0], "dec": [20.0], "class": ["FRII"], "catalogue": ["B"]})
    mine = fits.PrimaryHDU(np.zeros((5, 5)), fits.Header({"SRCNAME": "x"}))
    mine.writeto(tmp_path / "x.fits")
    download_cutouts(one, tmp_path, survey=first, **QUICK)
    manifest = download_cutouts(other, tmp_path, survey=first, **QUICK)
    assert manifest["class"].tolist() == ["FRI", "FRII"]
    assert len({*manifest["file"], "x.fits"}) == 3
    assert fits.getdata(tmp_path / "x.fits").shape == (5, 5)


# Killed ------------------------------------------------------------------------------------------------

CHILD = """
import sys
from astropy.table import Table
from radiosynth.cutouts import download, download_cutouts
from astroquery.image_cutouts.first import FirstClass
from radiosynth.surveys import First
folder, FirstClass.URL, table, backoff = sys.argv[1:]
download.BACKOFF = float(backoff)
survey = First(timeout=1)
print("begun", flush=True)
download_cutouts(Table.read(table), folder, survey=survey, rate=100, retries=4, concurrency=6)
"""


def start(folder, server, table, backoff="0.02"):
    arguments = [str(folder), f"{server}/cgi-bin/firstcutout", str(table), backoff]
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert child.stdout is not None
    child.stdout.readline()
    return child


def wait_for(folder, number, child):
    while len(list(folder.glob("[!.]*.fits"))) < number:
        assert child.poll() is None, child.communicate()[1].decode()
        time.sleep(0.01)


def test_two_hundred_cutouts_with_faults_and_two_kills(tmp_path, sky, server):
    """Nothing is lost, what is listed is not fetched twice, every source ends as it should."""
    table, folder = sources(200), tmp_path / "cutouts"
    table.write(tmp_path / "table.ecsv")
    rng = np.random.default_rng(8)
    faults = ["500", "html", "slow", "cut", "short", "wrong field", "disconnect", "text"]
    faulty = rng.permutation(200)[:40]
    for n, i in enumerate(faulty):
        sky.faults[keys(table)[i]] = {38: ["outside"], 39: ["nan"]}.get(
            n, [faults[n % len(faults)]] * (1 + n % 2)
        )
    sky.slow, sky.pause = 1.2, 0.01
    listed: list[set[str]] = []
    asked: list[int] = []
    for number in (50, 120):
        child = start(folder, server, tmp_path / "table.ecsv")
        wait_for(folder, number, child)
        child.kill()
        assert child.wait() == -signal.SIGKILL
        child.communicate()
        time.sleep(0.3)  # until the server has noticed
        before = Table.read(folder / MANIFEST)
        listed.append(set(before["name"][before["status"] == "ok"]))
        asked.append(len(sky.requests()))
    child = start(folder, server, tmp_path / "table.ecsv")
    assert child.wait(60) == 0, child.communicate()[1].decode()
    child.communicate()

    manifest = Table.read(folder / MANIFEST)
    # Nothing is lost.
    assert manifest["name"].tolist() == table["name"].tolist()
    states = Counter(manifest["status"])
    assert states == {"ok": 198, "outside survey": 1, "nan edge": 1}
    for row in manifest[manifest["status"] == "ok"]:
        np.testing.assert_array_equal(
            fits.getdata(folder / row["file"]), sky.image(row["ra"], row["dec"], 150)
        )
    # What the manifest of a killed process, written every second, listed was not asked for again.
    name_of = dict(zip(keys(table), table["name"], strict=True))
    for names, number in zip(listed, asked, strict=True):
        # The server logs what it was slow about when it is done, perhaps long after the next attempt.
        assert not names & {name_of[key] for key, outcome in sky.requests()[number:] if outcome == "ok"}
    assert read_cutouts(folder).counts() == dict(
        Counter(manifest["class"][manifest["status"] == "ok"].tolist())
    )


def test_interrupted_from_the_keyboard(tmp_path, sky, server):
    table, folder = sources(200), tmp_path / "cutouts"
    table.write(tmp_path / "table.ecsv")
    sky.pause = 0.02
    child = start(folder, server, tmp_path / "table.ecsv")
    wait_for(folder, 20, child)
    child.send_signal(signal.SIGINT)
    child.wait(10)
    assert b"KeyboardInterrupt" in child.communicate()[1]
    manifest = Table.read(folder / MANIFEST)
    states = Counter(manifest["status"])
    assert states.keys() == {"ok", "not tried"}
    assert states["ok"] == len(list(folder.glob("[!.]*.fits"))) == len(sky.served()) < 200


def test_interrupted_while_it_waits_to_ask_again(tmp_path, sky, server):
    table = sources(20)
    table.write(tmp_path / "table.ecsv")
    sky.faults = {key: ["500"] * 9 for key in keys(table)}
    child = start(tmp_path / "cutouts", server, tmp_path / "table.ecsv", backoff="60")
    until = time.monotonic() + 30
    while len(sky.requests()) < 6:
        assert time.monotonic() < until
        time.sleep(0.05)
    child.send_signal(signal.SIGINT)
    child.wait(10)
    assert b"KeyboardInterrupt" in child.communicate()[1]


def test_the_twenty_lines_of_the_how_to(tmp_path, sky, server, monkeypatch, project):
    """The page's code as it stands there, from a list to a training set; only the address is ours."""
    text = (project / "docs" / "howto" / "own_survey.rst").read_text("utf-8")
    code = textwrap.dedent(re.search(r":name: own-survey\n\n(.*?)\n\n(?=\S)", text, re.DOTALL)[1])
    assert 15 <= len([line for line in code.splitlines() if line.strip() and line[0] != "#"]) <= 22
    sources(9)["name", "ra", "dec", "class"].write(tmp_path / "my_sources.csv")
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "own_survey.rst", "exec"), {})
    classes = Table.read("my_classes.csv")
    assert classes["name"].tolist() == [f"S{i:03d}" for i in range(9)]
    assert set(classes["predicted"]) <= set(CLASS_NAMES)
    training = Sample.load("my_training_set.npz")
    assert training.counts() == dict.fromkeys(CLASS_NAMES, 200)
    assert training.table.colnames.count("sky_group") == 1


def test_the_how_to_of_mosaics(tmp_path, sky, server, images, monkeypatch, project, capsys):
    """The page's code as it stands there, and its commands; only the address is ours."""
    from radiosynth.cli import main

    text = (project / "docs" / "howto" / "mosaic.rst").read_text("utf-8")
    codes = {
        name: textwrap.dedent(re.search(rf":name: {name}\n\n(.*?)\n\n(?=\S)", text, re.DOTALL)[1])
        for name in ("mosaic", "survey-by-name")
    }
    monkeypatch.chdir(tmp_path)
    content = fits_file(np.tile(images[0], (1, 2)), 150, 30, BMAJ=0.0015, BMIN=0.0015)
    (tmp_path / "mosaic.fits").write_bytes(content)
    wcs = WCS(fits.getheader(io.BytesIO(content.replace(b"\t", b" "))))
    places = wcs.pixel_to_world([74.5, 224.5, 290, 900], [74.5] * 4).icrs
    table = Table({"name": list("abcd"), "ra": places.ra.deg, "dec": places.dec.deg})
    table.write("sources.csv")
    found = {}
    exec(codes["mosaic"], found)
    assert found["table"]["name"].tolist() == ["a", "b"]
    assert found["table"].meta["skipped"] == [("d", "the position lies outside of the image")]
    assert [name for name, _ in found["table"].meta["left_out"]] == ["c"]
    capsys.readouterr()

    command = ["classify", "--mosaic", "mosaic.fits", "--positions", "sources.csv"]
    assert main([*command, "--out", "classes.csv"]) == 0
    err = capsys.readouterr().err
    assert "cut out of mosaic.fits: 150×150 pixels" in err
    assert "skipped d: the position lies outside of the image" in err
    classes = Table.read("classes.csv")
    assert classes["name", "class"].as_array().tolist() == found["table"]["name", "class"].as_array().tolist()
    assert main(["cutouts", "sources.csv", "my_cutouts", "--mosaic", "mosaic.fits"]) == 0
    assert "3 of 4 cutouts in my_cutouts" in capsys.readouterr().out
    np.testing.assert_array_equal(read_cutouts("my_cutouts").images, found["sample"].images[:2])
    assert main([*command, "--beam", "45"]) == 1
    assert "mosaic.fits: its beam of 45×45 arcsec is coarser than FIRST's" in capsys.readouterr().err
    for wrong, said in (
        (["classify", "--mosaic", "mosaic.fits"], "--mosaic needs --positions"),
        (["classify"], "give the files to classify, or --mosaic and --positions"),
        (
            ["classify", "mosaic.fits", "--positions", "sources.csv"],
            "--positions has no effect without --mosaic",
        ),
        ([*command, "--skip"], "--skip has no effect with --mosaic"),
        (
            ["cutouts", "sources.csv", "x", "--mosaic", "mosaic.fits", "--survey", "first"],
            "--survey has no effect",
        ),
    ):
        assert main(wrong) == 1
        assert said in capsys.readouterr().err

    sky.images = np.pad(sky.images, ((0, 0), (80, 80), (80, 80)), mode="wrap")
    table[:2].write("sources.csv", overwrite=True)
    exec(codes["survey-by-name"], found)
    assert len(found["table"]) == 2
    steps = ["cut out of a.fits: 150×150 pixels", "convolved from a beam of 2.5×2.5 to 5.4×5.4 arcsec"]
    assert found["parts"][0].history == [*steps, "resampled from pixels of 1 to 1.8 arcsec"]
    # Without that, classes of files of other beams are doubted by name.
    classifier = found["radiosynth"].load_classifier()
    assert "a beam of 2.5 arcsec, sharper than FIRST's" in classifier.classify("vlass").meta["notes"][0][1]
    y, x = np.indices((18, 18)) - 8.5
    noise = np.random.default_rng(1).normal(0, 1e-3, (1, 18, 18))
    sky.images = (np.exp(-(x**2 + y**2) / 8) + noise).astype("f4")
    download_cutouts(table[:1], "nvss", survey=Hips("NVSS"), **QUICK)
    notes = classifier.classify(read_cutouts("nvss")).meta["notes"]
    assert "a beam of 45 arcsec, coarser than FIRST's: it hides the structure" in notes[0][1]


# Real files, and the real services ------------------------------------------------------------------------


@pytest.mark.shared
def test_real_first_files_through_the_server(tmp_path, sky, first):
    files = sorted((SHARED / "data" / "first_fits").glob("*.fits"))
    if not files:
        pytest.skip(f"no {SHARED / 'data' / 'first_fits'}")
    table = read_cutouts(files, size=150).table["name", "ra", "dec"]
    for path, key in zip(files, keys(table), strict=True):
        sky.files[key] = path.read_bytes()
    manifest = download_cutouts(table, tmp_path, survey=first, width=9, **QUICK)
    assert Counter(manifest["status"]) == {"ok": 41, "nan edge": 4}
    for path, row in zip(files, manifest, strict=True):
        np.testing.assert_array_equal(fits.getdata(tmp_path / row["file"]), fits.getdata(path))
    assert read_cutouts(tmp_path, size=150).images.shape == (41, 150, 150)


@pytest.mark.network
def test_first_and_skyview_answer(tmp_path):
    south = Table({"name": ["LMC"], "ra": [80.0], "dec": [-69.0]})
    assert download_cutouts(south, tmp_path / "south", survey=First())["status"].tolist() == [
        "outside survey"
    ]
    galaxy = Table({"name": ["NGC 3862"], "ra": [176.2709], "dec": [19.6063]})
    for survey in (First(), SkyView()):
        assert download_cutouts(galaxy, tmp_path / survey.name, survey=survey)["status"].tolist() == ["ok"]
