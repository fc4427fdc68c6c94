"""Every file of a run, damaged in every way: one message that names the file, and what to do."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from samples import TINY, simulated_survey

from radiosynth import cli, datasets, generators, training
from radiosynth.reproduction import presets, recipes, runs, studies
from radiosynth.reproduction.comparisons import StudyResult

SMALL = {"per_class": 32, "epochs": 2, "width": 0.05, "size": 24, "test_per_class": 6}

DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "emptied": lambda whole: b"",
    "cut": lambda whole: whole[: len(whole) // 2],
    "cut at the end": lambda whole: whole[:-2],
    "a list": lambda whole: b"[1, 2]\n",
    "null": lambda whole: b"null\n",
    "an empty object": lambda whole: b"{}\n",
    "a page": lambda whole: b"<html>503</html>\n",
    "not text": lambda whole: bytes(range(256)),
    "nested": lambda whole: b"[" * 100_000,
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Make one run of each kind that has files of its own, and a study."""
    root = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(datasets, "load_report_sample", simulated_survey)
        patch.setenv("RADIOSYNTH_RUNS", str(root))
        config = presets.classifier_config("real", "smoke", **TINY)
        for name, each in {
            "classifier": config,
            "gan": presets.gan_config("all", "smoke", **SMALL),
            "vae": presets.vae_config("smoke", **SMALL),
        }.items():
            (root / name).symlink_to(recipes.run(each).folder)
        _study()
        (root / "study").symlink_to(studies.study_folder("damage", "smoke"))
        _train(root / "begun", epochs=1)
        yield root


def _model() -> Any:
    import keras

    model = keras.Sequential([keras.Input((24, 24, 1)), keras.layers.Flatten(), keras.layers.Dense(4)])
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True), jit_compile=False)
    return model


def _train(folder: Path, epochs: int = 2) -> Any:
    batches = training.Batches((np.zeros((8, 24, 24, 1), "f4"), np.zeros(8, int)), 4, seed=0)
    return training.fit(_model(), batches, epochs=epochs, folder=folder, fingerprint="a")


def _found(folder: Path) -> runs.Run[Any]:
    return runs.find_run(folder)


def _study(folder: Path | None = None) -> StudyResult:
    folds = [presets.classifier_config("real", "smoke", **TINY, folds=3, fold=fold) for fold in (0, 1)]
    return studies.run_conditions("damage", "smoke", {"real": folds}, {})


def _reconstruct(folder: Path) -> Any:
    return generators.reconstruct(folder, np.zeros((1, 24, 24), "f4"), np.zeros(1, int))


FILES: dict[tuple[str, str], Callable[[Path], Any]] = {
    ("classifier", "config.json"): _found,
    ("classifier", "provenance.json"): lambda folder: _found(folder).provenance,
    ("classifier", "history.csv"): lambda folder: _found(folder).history,
    ("classifier", "predictions.npz"): lambda folder: _found(folder).predictions,
    ("classifier", "model.npz"): lambda folder: _found(folder).model(),
    ("gan", "provenance.json"): lambda folder: _found(folder).provenance["diversity"],
    ("gan", "frames.npz"): lambda folder: _found(folder).frames,
    ("gan", "generator.json"): generators.load_generator,
    ("gan", "generator.npz"): generators.load_generator,
    ("vae", "generator.json"): _reconstruct,
    ("vae", "encoder.npz"): _reconstruct,
    ("study", "study.json"): _study,
    ("study", "sources.csv"): _study,
    ("study", "histories.csv"): _study,
    ("begun", "checkpoint.npz"): _train,
}


@pytest.fixture
def copied(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    def copy(kind: str) -> Path:
        monkeypatch.setenv("RADIOSYNTH_RUNS", str(tmp_path))
        source = (made / kind).resolve()
        return Path(shutil.copytree(source, tmp_path / source.name))

    return copy


@pytest.mark.parametrize(("kind", "file"), FILES, ids=lambda value: value)
def test_a_damaged_file_is_named_with_what_to_do(copied: Callable[[str], Path], kind: str, file: str) -> None:
    folder, use = copied(kind), FILES[kind, file]
    use(folder)  # whole, it is read
    whole = (folder / file).read_bytes()
    for name, damage in DAMAGE.items():
        (folder / file).write_bytes(damage(whole))
        with pytest.raises(ValueError, match=r"damaged|no readable|does not describe|no weights") as refused:
            use(folder)
        assert file in str(refused.value), name
        assert "again" in str(refused.value), name
    (folder / file).unlink()
    if (kind, file) not in {("begun", "checkpoint.npz"), ("study", "study.json")}:  # then it starts again
        with pytest.raises((ValueError, FileNotFoundError)):
            use(folder)


@settings(max_examples=60, deadline=None)
@given(place=st.floats(0, 1, exclude_max=True), byte=st.integers(0, 255), cut=st.booleans(), data=st.data())
def test_a_changed_byte_gives_no_traceback(
    made: Path, tmp_path_factory: pytest.TempPathFactory, place: float, byte: int, cut: bool, data: Any
) -> None:
    source = (made / "classifier").resolve()
    file = data.draw(st.sampled_from(["config.json", "provenance.json", "history.csv", "predictions.npz"]))
    folder = shutil.copytree(source, tmp_path_factory.mktemp("changed") / source.name)
    whole = (folder / file).read_bytes()
    at = int(place * len(whole))
    (folder / file).write_bytes(whole[:at] + (b"" if cut else bytes([byte]) + whole[at + 1 :]))
    try:
        run = runs.find_run(folder)
        assert len(run.history) == 2
        assert len(run.predictions["labels"]) == 48
    except ValueError as error:
        assert source.name in str(error)  # noqa: PT017 - what is not damaged by it may be read


def test_a_saved_run_in_a_read_only_folder_is_loaded(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def locked(*arguments: object) -> None:
        raise PermissionError(30, "Read-only file system")

    monkeypatch.setattr(recipes, "FileLock", locked)
    config = presets.classifier_config("real", "smoke", **TINY)
    assert recipes.run(config, root=made).loaded
    monkeypatch.setenv("RADIOSYNTH_RUNS", str(made))
    assert cli.main(["runs"]) == 0


@pytest.mark.parametrize(
    ("kind", "file", "change"),
    [
        ("classifier", "predictions.npz", {"plain": np.ones(48)}),
        ("classifier", "predictions.npz", {"probabilities": np.full((48, 4), np.nan, "f4")}),
        ("classifier", "predictions.npz", {"labels": np.zeros((48, 1), int)}),
        ("classifier", "model.npz", {"w0": np.array(["1"])}),
        ("classifier", "history.csv", (b"\n2,", b"\n3,")),
        ("classifier", "history.csv", (b"\n2,", b"\n2,nan,")),
        ("gan", "generator.json", (b'"class_names": [', b'"class_names": ["x",')),
        ("study", "sources.csv", (b",0.2", b",nan")),
    ],
)
def test_numbers_of_another_kind_are_damage(
    copied: Callable[[str], Path], kind: str, file: str, change: Any
) -> None:
    path = copied(kind) / file
    if isinstance(change, dict):
        np.savez(path, **{**np.load(path), **change})
    else:
        whole = path.read_bytes()
        path.write_bytes(whole.replace(*change))
        assert path.read_bytes() != whole
    with pytest.raises(ValueError, match=f"{file} (is damaged|holds no weights|does not describe)"):
        FILES[kind, file](path.parent)


def test_weights_of_a_checkpoint_that_are_no_numbers(copied: Callable[[str], Path]) -> None:
    folder = copied("begun")
    stored = dict(np.load(folder / "checkpoint.npz"))
    np.savez(folder / "checkpoint.npz", **{**stored, "v0": stored["v0"] * np.nan})
    with pytest.raises(ValueError, match=r"checkpoint\.npz is damaged.*not finite.*starts again"):
        _train(folder)


def test_more_images_than_there_is_memory_for(made: Path) -> None:
    with pytest.raises(ValueError, match="GB: ask for fewer images"):
        generators.sample_generators([(made / "gan").resolve()], 10**9, rng=np.random.default_rng(0))
