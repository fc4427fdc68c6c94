"""One function a kind of figure: each takes axes and returns artists. And how figures are kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import numpy as np
from astropy.table import Table
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.image import AxesImage
from matplotlib.patheffects import withStroke
from matplotlib.ticker import LogLocator, MaxNLocator
from mpl_toolkits.axes_grid1.anchored_artists import AnchoredSizeBar
from numpy.typing import ArrayLike

from radiosynth._io import check
from radiosynth.taxonomy import CLASSES

if TYPE_CHECKING:
    import keras
    from sklearn.metrics import ConfusionMatrixDisplay

COLOUR_MAP = "inferno"


TRAINING, VALIDATION = "#0072B2", "#D55E00"


CONVOLUTION, POOLING, DENSE = "#56B4E9", "#F0E442", "#009E73"


SHADES = ("#0B3C5D", "#D98E04", "#F6E3BA")
"""Three colours that are also three shades of grey."""


def use_style() -> None:
    """Set one style for all figures: sans-serif, small, thin lines, no LaTeX needed."""
    plt.style.use(Path(__file__).parent / "data" / "figures.mplstyle")


def set_label(training_set: str) -> str:
    """Return a training set's name as typeset in figures, such as "real + GAN"."""
    return training_set.replace("+", " + ").replace("gan", "GAN").replace("vae", "VAE")


def show_image(
    axes: Axes, image: ArrayLike, title: str = "", *, pixel_scale: float | None = None, **options: Any
) -> AxesImage:
    """Draw one image with south at the bottom and, given the pixel scale, a bar of one arcminute.

    Parameters
    ----------
    axes : ~matplotlib.axes.Axes
        Where to draw.
    image : array_like, shape (size, size)
        Image, row 0 in the south.
    title : str
        Text above it.
    pixel_scale : float, optional
        Arcseconds per pixel; no bar if not given.
    **options
        Passed on to `~matplotlib.axes.Axes.imshow`.

    Returns
    -------
    ~matplotlib.image.AxesImage
        The drawn image.
    """
    options = {"origin": "lower", "cmap": COLOUR_MAP, "interpolation": "nearest", **options}
    artist = axes.imshow(np.asarray(image), **options)
    axes.set(xticks=[], yticks=[], title=title)
    if pixel_scale is not None:
        place: dict[str, Any] = {"loc": "lower left", "label_top": True, "pad": 0.9, "sep": 1.5}
        look = {"color": "white", "frameon": False, "fontproperties": FontProperties(size=7)}
        width = {"size_vertical": len(np.asarray(image)) / 100}
        axes.add_artist(AnchoredSizeBar(axes.transData, 60 / pixel_scale, "1′", **place, **look, **width))
    return artist


def image_grid(
    images: ArrayLike,
    rows: int,
    columns: int,
    *,
    titles: Sequence[str] = (),
    pixel_scale: float | None = None,
    panel: float = 1.1,
) -> Figure:
    """Draw images in rows and columns, the bar of one arcminute on the first.

    Parameters
    ----------
    images : array_like, shape (n, size, size)
        At most ``rows * columns`` images, drawn row by row.
    rows, columns : int
        Numbers of rows and columns.
    titles : sequence of str
        A text above each image.
    pixel_scale : float, optional
        Arcseconds per pixel.
    panel : float
        Width of one panel in inches.

    Returns
    -------
    ~matplotlib.figure.Figure
        The figure.

    Raises
    ------
    ValueError
        If there are more images than panels, or not a title for each.
    """
    images = np.asarray(images)
    fits = len(images) <= rows * columns and len(titles) in (0, len(images))
    fault = f"{len(images)} images and {len(titles)} titles for {rows} × {columns} panels"
    check(fits, f"{fault}: give no more images than panels, and a title for each image or none")
    size = panel * columns, panel * rows * (1.18 if len(titles) else 1.02)
    bare = {"frame_on": False, "xticks": [], "yticks": []}
    figure, axes = plt.subplots(rows, columns, figsize=size, squeeze=False, subplot_kw=bare)
    for i, (image, panel_axes) in enumerate(zip(images, axes.flat, strict=False)):
        title = titles[i] if len(titles) else ""
        show_image(panel_axes, image, title, pixel_scale=None if i else pixel_scale)
    return figure


def training_curve(axes: Axes, history: Table, quantity: str = "loss") -> list[Any]:
    """Draw a quantity per epoch, training in blue and validation in red (report, figure 12).

    Parameters
    ----------
    axes : ~matplotlib.axes.Axes
        Where to draw.
    history : ~astropy.table.Table
        History of a run.
    quantity : {"loss", "accuracy"}
        What to draw.

    Returns
    -------
    list of ~matplotlib.lines.Line2D
        The two curves.
    """
    epoch, judged = history["epoch"], history[f"val_{quantity}"]
    lines = axes.plot(epoch, history[quantity], color=TRAINING, label="training")
    lines += axes.plot(epoch, judged, color=VALIDATION, ls="--", label="validation")
    axes.set(xlabel="epoch", ylabel=quantity, xlim=(1, max(2, len(history))))
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.grid(alpha=0.25, lw=0.5)
    return lines


def confusion(axes: Axes, matrix: ArrayLike, title: str = "") -> ConfusionMatrixDisplay:
    """Draw a normalised confusion matrix (report, figure 13).

    Parameters
    ----------
    axes : ~matplotlib.axes.Axes
        Where to draw.
    matrix : array_like, shape (4, 4)
        Rows are true classes; see `radiosynth.confusion_matrix`.
    title : str
        Text above it.

    Returns
    -------
    ~sklearn.metrics.ConfusionMatrixDisplay
        The drawn matrix.
    """
    from sklearn.metrics import ConfusionMatrixDisplay

    labels = [morphology.label.replace("-tailed", "") for morphology in CLASSES]
    display = ConfusionMatrixDisplay(np.asarray(matrix), display_labels=labels)
    limits = {"vmin": 0, "vmax": 1, "origin": "upper"}
    display.plot(ax=axes, cmap="Blues", colorbar=False, values_format=".3f", im_kw=limits)
    # The darkest cell of a pale matrix is still pale: choose the colour of each number by its own value.
    for number, value in zip(display.text_.flat, np.asarray(matrix).flat, strict=True):
        number.set_color("white" if value > 0.5 else "black")
    axes.set(xlabel="predicted class", ylabel="true class", title=title)
    return display


def probability_bars(axes: Axes, probabilities: ArrayLike, truth: int) -> Any:
    """Draw class probabilities as horizontal bars; the true class is printed bold.

    Parameters
    ----------
    axes : ~matplotlib.axes.Axes
        Where to draw.
    probabilities : array_like, shape (4,)
        Class probabilities.
    truth : int
        Code of the true class.

    Returns
    -------
    ~matplotlib.container.BarContainer
        The bars.
    """
    values = np.asarray(probabilities)
    bars = axes.barh(range(len(values)), values, color=[morphology.colour for morphology in CLASSES])
    axes.set(xlim=(0, 1), yticks=range(len(values)), xticks=[0, 0.5, 1])
    axes.set_yticklabels([morphology.label for morphology in CLASSES], fontsize=7)
    axes.tick_params(axis="x", labelsize=7)
    axes.invert_yaxis()
    axes.get_yticklabels()[truth].set_fontweight("bold")
    return bars


def boxes(axes: Axes, values: Mapping[str, ArrayLike], *, log: bool = False) -> Any:
    """Draw the distributions of a quantity side by side; values that are not finite are left out.

    Parameters
    ----------
    axes : ~matplotlib.axes.Axes
        Where to draw.
    values : mapping of str to array_like
        At most three sets of values, by name. Boxes hold the middle half, whiskers nine tenths.
    log : bool
        Draw on a logarithmic axis.

    Returns
    -------
    dict
        The artists, as `~matplotlib.axes.Axes.boxplot` returns them.
    """
    sets = [np.asarray(each, float) for each in values.values()]
    look: dict[str, Any] = {"widths": 0.7, "whis": (5, 95), "showfliers": False, "patch_artist": True}
    # Panels that share an axis would each add their own ticks.
    drawn = axes.boxplot([each[np.isfinite(each)] for each in sets], manage_ticks=False, **look)
    for box, line, colour in zip(drawn["boxes"], drawn["medians"], SHADES, strict=False):
        box.set_facecolor(colour)
        line.set_color("white" if colour == SHADES[0] else "black")
        line.set_path_effects([withStroke(linewidth=2.4, foreground="black")])
    axes.set(xlim=(0.5, len(sets) + 0.5))
    if log:
        axes.set_yscale("log", subs=[])
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter("{x:g}")
    axes.set_xticks(range(1, len(sets) + 1), list(values), fontsize=7)
    return drawn


def differences(axes: Axes, names: Sequence[str], intervals: Mapping[str, Sequence[ArrayLike]]) -> None:
    """Draw by how much each condition of a comparison differs from its reference, with intervals.

    Parameters
    ----------
    axes : ~matplotlib.axes.Axes
        Where to draw; conditions run downwards.
    names : sequence of str, n of them
        Names of the conditions.
    intervals : dict of str to three array_like of shape (n,)
        By the label of the legend: differences as fractions, and the ends of their intervals, which are drawn
        in percentage points. The first have filled symbols, others smaller open ones below them.
    """
    rows = np.arange(len(names))
    for below, (label, ends) in enumerate(intervals.items()):
        value, low, high = (100 * np.asarray(each, float) for each in ends)
        look: dict[str, Any] = {"capsize": 4} if not below else {"mfc": "white", "ms": 4, "elinewidth": 0.8}
        error = value - low, high - value
        axes.errorbar(value, rows + 0.2 * below, xerr=error, fmt="D", color=TRAINING, label=label, **look)
    axes.axvline(0, color="0.6", lw=0.8, zorder=0)
    axes.set_yticks(rows, [set_label(str(name)) for name in names])
    axes.set(ylim=(len(rows) - 0.4, -0.6))


def layer_table(model: keras.Model) -> Table:
    """Return the layers of a network with their shapes and parameters (report, tables A1, A2 and B1).

    Parameters
    ----------
    model : keras.Model
        Any network.

    Returns
    -------
    ~astropy.table.Table
        One row per layer, then the sum. Where not all parameters are learned, a last row counts those
        that are.
    """
    rows = [
        (layer.name, type(layer).__name__, "×".join(map(str, layer.output.shape[1:])), layer.count_params())
        for layer in model.layers
    ]
    rows.append(("total", "", "", model.count_params()))
    learned = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
    if learned != model.count_params():
        rows.append(("of these trainable", "", "", learned))
    return Table(rows=rows, names=["layer", "kind", "output", "parameters"])
