"""Training that can be stopped at any moment; real processes are killed."""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import keras
import numpy as np
import pytest

from radiosynth import _io, stopping, training
from radiosynth._io import write_atomically
from radiosynth.stopping import TrainingDiverged, TrainingStopped

SCRIPT = textwrap.dedent(
    """
    import sys, time
    from pathlib import Path
    import keras, numpy as np
    from radiosynth.networks import build_classifier
    from radiosynth.training import Batches, TrainingStopped, fit, save_weights

    folder, pause = Path(sys.argv[1]), float(sys.argv[2])
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 4, 96)
    images = rng.normal(size=(96, 16, 16, 1)).astype("f4") + labels[:, None, None, None]
    model = build_classifier(16, width_multiplier=0.1, seed=1)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"], jit_compile=False)

    class Slow(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            print("epoch", epoch, flush=True)
            time.sleep(pause)

    try:
        fit(model, Batches((images, labels), 32, seed=2), epochs=6, folder=folder, fingerprint="x",
            callbacks=[Slow()])
    except TrainingStopped as stopped:
        print(stopped)
        sys.exit(75)
    save_weights(model, folder / "weights.npz")
    """
)


def start(folder: Path, pause: float) -> subprocess.Popen[str]:
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONWARNINGS": "ignore"}
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(folder), str(pause)],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )


def weights(folder: Path) -> list[np.ndarray]:
    with np.load(folder / "weights.npz") as stored:
        return [stored[name] for name in stored.files]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_training_ends_with_the_same_numbers(tmp_path: Path, number: int) -> None:
    with start(tmp_path / "killed", 0.4) as killed:
        assert killed.stdout is not None
        for line in killed.stdout:
            if line.startswith("epoch 2"):
                killed.send_signal(number)
                break
        said = killed.stdout.read()
    assert killed.returncode == (75 if number == signal.SIGTERM else -signal.SIGKILL)
    if number == signal.SIGTERM:
        assert "SIGTERM" in said
        assert "run the same command again" in said
    for folder in ("killed", "whole"):
        with start(tmp_path / folder, 0) as process:
            output, _ = process.communicate(timeout=240)
        assert process.returncode == 0
        assert (output.split()[1] == "0") == (folder == "whole"), (
            "a killed training must resume, not begin again"
        )
    for one, other in zip(weights(tmp_path / "whole"), weights(tmp_path / "killed"), strict=True):
        np.testing.assert_array_equal(one, other)


def small_model() -> keras.Model:
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.1), "mse", jit_compile=False)
    return model


def line(seed: int = 0) -> training.Batches:
    x = np.random.default_rng(seed).normal(size=(64, 3)).astype("f4")
    return training.Batches((x, x @ np.array([[1.0], [2.0], [-1.0]], "f4")), 16, seed=seed)


def test_fit_learns_a_line_and_keeps_its_history(tmp_path: Path) -> None:
    model = small_model()
    history = training.fit(model, line(), epochs=30, folder=tmp_path, fingerprint="a")
    assert len(history["loss"]) == len(history["seconds"]) == 30
    assert history["loss"][-1] < 1e-3 < history["loss"][0]
    np.testing.assert_allclose(model.get_weights()[0][:, 0], [1, 2, -1], atol=0.05)


def test_images_are_let_go_of_after_training(tmp_path: Path) -> None:
    batches = line()
    images = weakref.ref(batches.arrays[0])
    training.fit(small_model(), batches, epochs=1, folder=tmp_path, fingerprint="a")
    del batches
    gc.collect()
    assert images() is None  # else each of many trainings in one process adds its images to the memory


def test_time_limit_stops_and_a_second_call_resumes(tmp_path: Path) -> None:
    class Slow(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: object = None) -> None:
            time.sleep(0.1)

    with pytest.raises(stopping.TrainingStopped, match=r"time limit after \d of 5 epochs"):
        training.fit(
            small_model(),
            line(),
            epochs=5,
            folder=tmp_path,
            fingerprint="a",
            time_limit=0.15,
            callbacks=[Slow()],
        )
    history = training.fit(small_model(), line(), epochs=5, folder=tmp_path, fingerprint="a")
    whole = training.fit(small_model(), line(), epochs=5, folder=tmp_path / "whole", fingerprint="a")
    assert len(history["loss"]) == 5
    assert len(whole["loss"]) == 5


class _Interrupt(keras.callbacks.Callback):
    """Ctrl-C after the first batch of all."""

    def on_train_batch_end(self, batch: int, logs: object = None) -> None:
        os.kill(os.getpid(), signal.SIGINT)


class _InterruptedEpoch(training.Batches):
    """Ctrl-C before Keras has begun to train."""

    def epoch(self, number: int) -> training.Stream:
        os.kill(os.getpid(), signal.SIGINT)
        yield from super().epoch(number)


@pytest.mark.parametrize("early", [False, True])
def test_an_interrupt_in_the_first_epoch_stops_it(tmp_path: Path, early: bool) -> None:
    whole = line()
    kind = _InterruptedEpoch if early else training.Batches
    batches = kind(whole.arrays, whole.batch_size, seed=whole.seed)
    callbacks = [] if early else [_Interrupt()]
    with pytest.raises(TrainingStopped, match="by the signal SIGINT after 0 of 20 epochs") as stopped:
        training.fit(small_model(), batches, epochs=20, folder=tmp_path, fingerprint="a", callbacks=callbacks)
    assert stopped.value.interrupted
    assert not (tmp_path / "checkpoint.npz").exists()
    assert len(training.fit(small_model(), whole, epochs=2, folder=tmp_path, fingerprint="a")["loss"]) == 2


def test_a_stop_says_how_many_epochs_the_checkpoint_holds(tmp_path: Path) -> None:
    stop = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: epoch == 3 and os.kill(os.getpid(), signal.SIGTERM)
    )
    with pytest.raises(TrainingStopped, match="after 3 of 20 epochs"):
        training.fit(small_model(), line(), epochs=20, folder=tmp_path, fingerprint="a", callbacks=[stop])
    with np.load(tmp_path / "checkpoint.npz") as stored:
        assert len(json.loads(str(stored["meta"]))["history"]["loss"]) == 3


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut off", b"text"])
def test_what_holds_no_weights_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.npz").write_bytes(content)
    with pytest.raises(ValueError, match="holds no weights, or damaged ones"):
        training.load_weights(small_model(), tmp_path / "model.npz")
    np.savez(tmp_path / "model.npz", other=np.ones(3))
    with pytest.raises(ValueError, match="holds no weights, or damaged ones"):
        training.load_weights(small_model(), tmp_path / "model.npz")


def test_two_writers_of_one_file_do_not_meet(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"

    def write(partial: Path) -> None:
        partial.write_text("whole")
        with ThreadPoolExecutor(1) as other:  # another writer comes and goes in the meantime
            other.submit(write_atomically, path, lambda theirs: theirs.write_text("theirs")).result()

    write_atomically(path, write)
    assert path.read_text() == "whole"
    assert [each.name for each in tmp_path.iterdir()] == ["file.txt"]


def test_checkpoint_of_another_training_is_refused(tmp_path: Path) -> None:
    training.fit(small_model(), line(), epochs=1, folder=tmp_path, fingerprint="a")
    with pytest.raises(ValueError, match="checkpoint of another training"):
        training.fit(small_model(), line(), epochs=2, folder=tmp_path, fingerprint="b")


@pytest.mark.parametrize("rate", [1e30, 1e4])
def test_a_loss_that_is_not_finite_stops_the_training_and_is_not_kept(tmp_path: Path, rate: float) -> None:
    model = small_model()
    model.compile(keras.optimizers.SGD(rate), "mse", jit_compile=False)
    with pytest.raises(TrainingDiverged, match=r"in epoch \d+; nothing of it was saved.*than 1e\+"):
        training.fit(model, line(), epochs=40, folder=tmp_path, fingerprint="a")
    assert (tmp_path / "checkpoint.npz").exists() == (rate < 1e10)  # the first epoch was still finite
    if rate < 1e10:
        with np.load(tmp_path / "checkpoint.npz") as stored:
            assert all(np.isfinite(stored[name]).all() for name in stored.files if name != "meta")


def test_every_image_is_seen_once_an_epoch_in_an_order_of_seed_and_epoch() -> None:
    batches = training.Batches([np.arange(10)], 4, seed=5)
    epochs = [np.concatenate([rows for (rows,) in batches.epoch(number)]) for number in (0, 1, 1)]
    assert all(sorted(epoch) == list(range(10)) for epoch in epochs)
    assert not np.array_equal(epochs[0], epochs[1])
    np.testing.assert_array_equal(epochs[1], epochs[2])


def test_no_images_are_refused() -> None:
    with pytest.raises(ValueError, match="give at least one image"):
        training.Batches([np.empty((0, 2))], 4, seed=0)


def test_write_atomically_leaves_the_old_file_if_writing_fails(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    path.write_text("old")

    def fail(partial: Path) -> None:
        partial.write_text("half")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        _io.write_atomically(path, fail)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_weights_survive_half_precision_and_other_shapes_are_refused(tmp_path: Path) -> None:
    model = small_model()
    training.save_weights(model, tmp_path / "w.npz", dtype="float16")
    other = small_model()
    training.load_weights(other, tmp_path / "w.npz")
    np.testing.assert_allclose(model.get_weights()[0], other.get_weights()[0], atol=1e-3)
    wider = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    with pytest.raises(ValueError, match="does not hold the weights"):
        training.load_weights(wider, tmp_path / "w.npz")


def test_faint_images_of_a_young_generator_are_taken_and_flux_densities_are_not() -> None:
    full = np.random.default_rng(0).uniform(-1, 1, (10, 8, 8))
    training.check_images(np.concatenate([full, np.full((40, 8, 8), -1.0), 0.1 * full - 0.9]))
    with pytest.raises(ValueError, match="each image scaled to it"):
        training.check_images(0.2 * full)


class _Enough(keras.callbacks.Callback):
    """A callback that ends the training after the second epoch."""

    def on_epoch_end(self, epoch: int, logs: object = None) -> None:
        self.model.stop_training = epoch == 1


def test_a_callback_ends_the_training(tmp_path: Path) -> None:
    how = {"folder": tmp_path, "fingerprint": "a", "callbacks": [_Enough()]}
    with pytest.raises(TrainingStopped, match="by a callback after 2 of 20 epochs"):
        training.fit(small_model(), line(), epochs=20, **how)
