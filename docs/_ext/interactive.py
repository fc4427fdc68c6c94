"""Everything that the interactive pages are made of, prepared before Sphinx reads the first page.

The weights of the packaged generator and classifier are written in a form that a browser reads, bundled with
TensorFlow.js by esbuild, and pictures are drawn that stand for the pages where scripts are off. Both tools
come from npm; without it, or without its registry, the build says so and the pages keep their pictures.

The processor backend of TensorFlow.js draws an image in 24 ms on one core of a server, and all of it is one
file of 3 MB that works from disk too. Its WebAssembly backend takes 12 ms, with 0.7 MB more to fetch.
"""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import tempfile
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import classify_page
import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import report_table
from matplotlib.colors import PowerNorm
from sphinx.util import logging

from radiosynth import generators, load_report_sample, plotting, preprocess, simulate
from radiosynth.reproduction import configs, presets, recipes, runs
from radiosynth.taxonomy import CLASS_NAMES, CLASSES

if TYPE_CHECKING:
    import keras
    from numpy.typing import NDArray
    from sphinx.application import Sphinx
    from sphinx.config import Config

log = logging.getLogger(__name__)

DOCS = Path(__file__).parents[1]
SCRIPTS = DOCS / "_scripts"
MADE = DOCS / "_made"
STATIC = MADE / "static"
DIRECTIONS = 6
MAX_BYTES = 15_000_000
STRETCH = PowerNorm(0.5, -1, 1)


def shown_generator() -> runs.Run[configs.GANConfig]:
    """Return the conditional generator of the largest scale that is saved, or comes with the package."""
    return recipes.largest(partial(presets.gan_config, "all"))


def export(run: runs.Run[configs.GANConfig]) -> tuple[dict[str, Any], bytes]:
    """Return a generator as a list of steps, and the numbers that the steps refer to.

    Normalisation and the scale and offset of the class become one factor and one
    summand per channel and class.
    """
    model = run.model()
    blob = bytearray()
    store = partial(classify_page.keep, blob)
    steps: list[dict[str, Any]] = []

    def affine(number: int) -> None:
        layer = model.get_layer(f"normalise_{number}")
        mean, variance = (np.asarray(w, np.float64) for w in (layer.moving_mean, layer.moving_variance))
        factor = 1 / np.sqrt(variance + layer.epsilon)
        scale, offset = (
            np.asarray(model.get_layer(f"{name}_of_class_{number}").weights[0], np.float64)
            for name in ("scale", "offset")
        )
        steps.append(
            {
                "op": "affine",
                "scale": store(scale * factor),
                "offset": store(offset - scale * factor * mean),
            }
        )
        steps.append({"op": "leaky", "slope": model.get_layer(f"leaky_{number}").negative_slope})

    steps.append({"op": "dense", "kernel": store(model.get_layer("dense").kernel)})
    affine(0)
    steps.append({"op": "reshape", "shape": list(model.get_layer("reshape").target_shape)})
    for number in (1, 2, 3):
        layer = model.get_layer(f"deconvolution_{number}")
        steps.append({"op": "deconvolution", "stride": layer.strides[0], "kernel": store(layer.kernel)})
        affine(number)
    layer = model.get_layer("image")
    steps.append({"op": "deconvolution", "stride": layer.strides[0], "kernel": store(layer.kernel)})
    steps.append({"op": "tanh"})
    if run.config.settings.stretch:
        steps.append({"op": "unstretch"})
    directions, shares = principal_directions(model, run.config.settings.latent_dim)
    topology = {
        "run": run.folder.name,
        "size": run.config.sources.size,
        "latent": run.config.settings.latent_dim,
        "classes": [{"name": m.name, "label": m.label} for m in CLASSES],
        "directions": store(directions),
        "shares": [round(float(share), 4) for share in shares],
        "steps": steps,
    }
    return topology, bytes(blob)


def principal_directions(
    model: keras.Model, latent: int, n: int = 1024
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the directions of the noise that move the image most, and the fraction that each accounts for.

    The noise z is white, so that the covariance of the image with z is the mean slope of the one against the
    other. Its singular vectors on the side of z, each class on its own mean, are what the sliders move.
    """
    rng = np.random.default_rng(0)
    covariance = 0.0
    for code in range(len(CLASS_NAMES)):
        z = rng.standard_normal((n, latent)).astype(np.float32)
        images = np.sqrt((draw(model, z, np.full(n, code)) + 1) / 2).reshape(n, -1)
        slopes = (images - images.mean(0)).T @ z / n
        covariance = covariance + slopes.T @ slopes
    values, vectors = np.linalg.eigh(covariance)
    return vectors[:, ::-1][:, :DIRECTIONS].T, values[::-1][:DIRECTIONS] / values.sum()


def draw(model: keras.Model, z: NDArray[np.float32], labels: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return the images (n, size, size) of given noise."""
    return np.asarray(model.predict([z, labels], batch_size=256, verbose=0))[..., 0]


def bundle(run: runs.Run[configs.GANConfig]) -> bool:
    """Write the scripts, with networks and library, to the static files; return whether that went well."""
    npm = shutil.which("npm")
    if npm is None:
        log.info("npm is not installed: the pages of generator and classifier show still pictures instead")
        return False
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        for script in SCRIPTS.iterdir():
            shutil.copy(script, work)
        topology, blob = export(run)
        (work / "model.json").write_text(json.dumps(topology))
        (work / "model.bin").write_bytes(blob)
        card = classify_page.write(work, STATIC)
        made = work / "made"
        commands = [[npm, "install", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts"]]
        commands += [
            [
                *(npm, "exec", "--", "esbuild", f"{name}.js", "--bundle", "--minify", "--format=iife"),
                *("--loader:.bin=binary", "--legal-comments=inline", "--log-level=warning"),
                f"--outfile={made / name}.js",
            ]
            for name in ("generator", "network", "classify")
        ]
        for command in commands:
            if command[-1].endswith("classify.js"):  # it tells how large the network is
                card["megabytes"] = round((made / "network.js").stat().st_size / 1e6, 1)
                (work / "card.json").write_text(json.dumps(card))
            done = subprocess.run(command, cwd=work, capture_output=True, text=True, check=False)
            if done.returncode:
                log.info("%s failed: the pages show still pictures instead", command[1])
                log.info("%s", done.stderr[-2000:])
                return False
        sizes = {path.name: path.stat().st_size for path in made.iterdir()}
        if max(sizes["generator.js"], sizes["network.js"] + sizes["classify.js"]) > MAX_BYTES:
            msg = f"the scripts take {sizes} bytes, of {MAX_BYTES} allowed a page: use narrower networks"
            raise ValueError(msg)
        for path in made.iterdir():
            shutil.copy(path, STATIC)
        shutil.copy(
            work / "node_modules" / "axe-core" / "axe.min.js", MADE
        )  # for tests/site, not for the site
    return True


def strip(images: NDArray[np.float32], columns: int, path: Path) -> None:
    """Write images side by side, in the colours of the figures and with nothing around them."""
    rows = math.ceil(len(images) / columns)
    edge = images.shape[-1]
    sheet = np.full((rows * (edge + 1) - 1, columns * (edge + 1) - 1), -1.0)
    for i, image in enumerate(images):
        top, left = (i // columns) * (edge + 1), (i % columns) * (edge + 1)
        sheet[top : top + edge, left : left + edge] = image[::-1]
    picture = np.kron(STRETCH(sheet), np.ones((3, 3)))
    plt.imsave(path, picture, cmap=plotting.COLOUR_MAP, vmin=0, vmax=1)


def front(run: runs.Run[configs.GANConfig], path: Path, seed: int = 8) -> None:
    """Draw the picture of the front page: the middle of real, simulated and generated images."""
    each, middle = 2, slice(7, -7)
    rng = np.random.default_rng(seed)
    ready = preprocess(load_report_sample(), 56)
    rows = {
        "real (FIRST)": ready[rng.permutation(len(ready))],
        "geometric": simulate(each, 56, rng=rng),
        "adversarial": generators.sample_generators([run.folder], each, rng=rng),
    }
    with plt.rc_context():
        plotting.use_style()
        figure, axes = plt.subplots(3, 4 * each, figsize=(8.4, 3.5))
        for panels, (kind, sample) in zip(axes, rows.items(), strict=True):
            chosen = [image for m in CLASSES for image in sample.images[sample.labels == m.code][:each]]
            for panel, image in zip(panels, chosen, strict=True):
                plotting.show_image(panel, image[middle, middle], norm=STRETCH)
            panels[0].set_ylabel(kind, fontsize=8)
        for panel, morphology in zip(axes[0, ::each], CLASSES, strict=True):
            panel.set_title(morphology.label, loc="left")
        figure.savefig(path, dpi=150)
        plt.close(figure)


def make() -> None:
    """Draw and write everything that the pages need and that no script of the gallery makes."""
    run = shown_generator()
    STATIC.mkdir(parents=True, exist_ok=True)
    colours = (
        (mpl.colormaps[plotting.COLOUR_MAP](np.linspace(0, 1, 256))[:, :3] * 255).round().astype(np.uint8)
    )
    (STATIC / "colours.js").write_text(f'window.skyColours = "{colours.tobytes().hex()}";\n')
    front(run, MADE / "front.png")
    frames, epochs = run.frames
    each = frames.shape[1] // len(CLASS_NAMES)
    shown = [each * code + i for code in range(len(CLASS_NAMES)) for i in range(8)]
    thinned = np.arange(len(frames))[::-2][::-1]  # half of them, the last included: the front page is light
    generators.write_animation(frames[thinned][:, shown], epochs[thinned], MADE / "training.gif")
    fake = generators.sample_generators([run.folder], 8, rng=np.random.default_rng(1))
    strip(fake.images, 8, STATIC / "generator.png")
    strip(simulate(8, 56, rng=np.random.default_rng(1)).images, 8, STATIC / "simulator.png")


def prepare(app: Sphinx, config: Config) -> None:
    """Make what is missing or older than its sources, and tell the pages whether the generator runs."""
    sources = [Path(m.__file__) for m in (classify_page, report_table)]
    sources += [Path(__file__), *SCRIPTS.iterdir(), shown_generator().folder, classify_page.FOLDER]
    newest = max(path.stat().st_mtime for path in sources)
    stamp = MADE / "made"
    if (
        not stamp.exists()
        or stamp.stat().st_mtime < newest
        or (not stamp.read_text() and shutil.which("npm"))
    ):
        shutil.rmtree(MADE, ignore_errors=True)
        # In a process of its own: one that has used TensorFlow cannot be forked, as Sphinx does to read.
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            pool.submit(make).result()
            stamp.write_text("generator" if pool.submit(bundle, shown_generator()).result() else "")
    if stamp.read_text():
        app.tags.add("generator")
    config.html_static_path.append(str(STATIC))


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("config-inited", prepare)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
