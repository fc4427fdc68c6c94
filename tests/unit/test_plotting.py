"""Figures: what is drawn is what was given, and every file says where its numbers come from."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
from astropy.table import Table
from mpl_toolkits.axes_grid1.anchored_artists import AnchoredSizeBar

from radiosynth import datasets, plotting
from radiosynth.reproduction import figures, presets, runs


@pytest.fixture(autouse=True)
def _figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RADIOSYNTH_PAPER", str(tmp_path))
    plotting.use_style()


def test_south_is_at_the_bottom_and_the_bar_is_an_arcminute() -> None:
    figure, axes = plt.subplots()
    image = np.zeros((100, 100))
    image[0] = 1
    artist = plotting.show_image(axes, image, "title", pixel_scale=1.8)
    assert artist.origin == "lower"
    (bar,) = axes.findobj(AnchoredSizeBar)
    assert bar.size_bar.get_children()[0].get_width() == pytest.approx(60 / 1.8)
    assert bar.txt_label.get_text() == "1′"
    plt.close(figure)


def test_confusion_shows_each_number_legibly() -> None:
    figure, axes = plt.subplots()
    matrix = np.array([[0.859, 0.141, 0, 0], [0, 1, 0, 0], [0, 0, 0.5, 0.5], [0.25, 0.25, 0.25, 0.25]])
    display = plotting.confusion(axes, matrix)
    assert [text.get_text() for text in display.text_[0]] == ["0.859", "0.141", "0.000", "0.000"]
    assert display.text_[1, 1].get_color() == "white"
    assert display.text_[3, 0].get_color() == "black"
    plt.close(figure)


def test_curves_and_bars_show_the_numbers_given() -> None:
    history = Table({"epoch": [1, 2, 3], "loss": [1.0, 0.5, 0.2], "val_loss": [1.1, 0.8, 0.9]})
    figure, (left, right) = plt.subplots(1, 2)
    training, validation = plotting.training_curve(left, history, "loss")
    np.testing.assert_array_equal(training.get_ydata(), history["loss"])
    np.testing.assert_array_equal(validation.get_ydata(), history["val_loss"])
    bars = plotting.probability_bars(right, [0.1, 0.2, 0.6, 0.1], truth=2)
    assert [bar.get_width() for bar in bars] == [0.1, 0.2, 0.6, 0.1]
    assert [label.get_fontweight() for label in right.get_yticklabels()] == [
        "normal",
        "normal",
        "bold",
        "normal",
    ]
    plt.close(figure)


def test_saved_figure_says_where_it_comes_from(tmp_path: Path) -> None:
    figure, axes = plt.subplots()
    axes.plot([0, 1])
    path = figures.save_figure(figure, "fig99_test", seed=7, note="x")
    plt.close(figure)
    assert {file.name for file in (tmp_path / "figures").iterdir()} == {
        f"fig99_test.{s}" for s in ("png", "pdf", "json")
    }
    assert path.stat().st_size > 1000
    record = json.loads(path.with_suffix(".json").read_text())
    assert set(record) >= {"figure", "scale", "loaded", "data", "runs", "seed", "versions", "seconds"}
    assert record["figure"] == "fig99_test"
    assert record["scale"] == "smoke"
    assert record["loaded"] is False
    assert record["seed"] == 7
    assert record["note"] == "x"
    assert datasets.DOI in record["data"]
    assert record["data_sha256"] == datasets.ARCHIVE_SHA256


def test_a_figure_of_two_scales_names_both(tmp_path: Path) -> None:
    configs = [presets.classifier_config("real", scale) for scale in ("laptop", "report", "laptop")]
    drawn = [runs.Run(tmp_path / config.name, config, loaded=True) for config in configs]
    figure, _ = plt.subplots()
    path = figures.save_figure(figure, "fig99_two", runs=drawn)
    plt.close(figure)
    assert json.loads(path.with_suffix(".json").read_text())["scale"] == "laptop and report"
    assert "scale: laptop and full, loaded from saved runs" in figure.get_supxlabel()


def test_a_figure_of_narrow_classifiers_says_so(tmp_path: Path) -> None:
    config = presets.classifier_config("real", "laptop", precision="mixed_bfloat16")
    for kind, said in (
        (config, " (classifier: 0.5 × the channels, 14 epochs, bfloat16)"),
        (presets.gan_config(), ""),
    ):
        figure, _ = plt.subplots()
        figures.save_figure(figure, "fig99_narrow", runs=[runs.Run(tmp_path, kind, loaded=False)])
        plt.close(figure)
        assert figure.get_supxlabel().endswith(f"scale: {kind.scale}{said}")


def test_saved_table_reads_back(tmp_path: Path) -> None:
    table = Table({"class": ["FRI", "FRII"], "sources": [209, 384]})
    assert figures.save_table(table, "table9_test") is table
    with (tmp_path / "tables" / "table9_test.csv").open() as stream:
        assert list(csv.DictReader(stream))[1] == {"class": "FRII", "sources": "384"}
    assert "384" in (tmp_path / "tables" / "table9_test.tex").read_text()
    assert json.loads((tmp_path / "tables" / "table9_test.json").read_text())["figure"] == "table9_test"


def test_a_grid_draws_all_images_or_none() -> None:
    images = np.zeros((5, 4, 4))
    assert len(plotting.image_grid(images, 2, 3).axes) == 6
    with pytest.raises(ValueError, match="5 images and 0 titles for 2 × 2 panels"):
        plotting.image_grid(images, 2, 2)
    with pytest.raises(ValueError, match=r"4 titles for 2 × 3 panels.* a title for each image or none"):
        plotting.image_grid(images, 2, 3, titles=list("abcd"))
