"""How classifiers and regressors are trained; nothing here needs Keras until a training begins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from radiosynth.networks.kinds import CLASSIFIERS, OUTPUTS
from radiosynth.sample import check_choice, check_positive

if TYPE_CHECKING:
    from keras.optimizers.schedules import LearningRateSchedule

SCHEDULES = ("constant", "cosine", "warm-up")
"""What the learning rate may do in the course of the steps."""


@dataclass(frozen=True)
class ClassifierSettings:
    """How the classifier is trained; the defaults are the report's.

    Parameters
    ----------
    epochs : int
        Passes over the training images. The report states 100, its notebook ran 30.
    batch_size : int
        Images per step.
    learning_rate : float
        Learning rate of Adam.
    width_multiplier : float
        Multiple of the architecture's number of channels.
    seed : int
        Seed of the initial weights, the dropout and the order of the images.
    precision : {"float32", "mixed_bfloat16"}
        Arithmetic; the second is faster on processors that know it. Weights and probabilities are float32.
    architecture : {"report", "residual", "stacked", "foveated"}
        Which of `radiosynth.networks.CLASSIFIERS`.
    network : str
        Further arguments of that builder, as a JSON object.
    schedule : {"constant", "cosine", "warm-up"}
        Keep the learning rate, let it fall to zero along half a cosine, or let it rise over the first
        twentieth of the steps before it falls.
    """

    epochs: int = 100
    batch_size: int = 128
    learning_rate: float = 1e-3
    width_multiplier: float = 1.0
    seed: int = 0
    precision: str = "float32"
    architecture: str = "report"
    network: str = ""
    schedule: str = "constant"

    def __post_init__(self) -> None:
        check_choice(self.schedule, "schedule", SCHEDULES)
        check_choice(self.architecture, "architecture", CLASSIFIERS)
        check_positive(self, "epochs", "batch_size", "learning_rate", "width_multiplier")

    def arguments(self) -> dict[str, Any]:
        """Return the arguments of the builder of the network, but for the size of the images."""
        names = ("architecture", "width_multiplier", "network", "seed", "precision")
        return {name: getattr(self, name) for name in names}

    def rate(self, steps_per_epoch: int) -> float | LearningRateSchedule:
        """Return the learning rate in the course of the training."""
        from keras.optimizers.schedules import CosineDecay

        rate, steps = self.learning_rate, self.epochs * steps_per_epoch
        if self.schedule == "constant":
            return rate
        if self.schedule == "cosine":
            return CosineDecay(rate, steps)
        rise = max(1, steps // 20)
        return CosineDecay(rate / 20, max(1, steps - rise), warmup_target=rate, warmup_steps=rise)


@dataclass(frozen=True)
class OnTheFlySettings(ClassifierSettings):
    """How a network is trained with on-the-fly augmentation.

    Parameters
    ----------
    epochs : int
        As many augmented images of each image are seen, on average.
    batch_size, learning_rate, width_multiplier, seed, precision, architecture, network, schedule
        As in `ClassifierSettings`; the optimiser is Adam with decoupled weight decay.
    weight_decay : float
        Fraction of the weights, times the learning rate, that is taken off at each step.
    label_smoothing : float
        Probability that is spread over all classes; not all labels are correct.
    zoom, shift : float
        As in `radiosynth.augment_randomly`.
    degrade : float
        Probability of each change of `radiosynth.simulation.degrade_randomly`.
    balance_catalogues : bool
        Draw the catalogues of a class more evenly, by the square root of their numbers, so that a class is
        not learned as the looks of one catalogue; needs the column ``catalogue``.
    """

    batch_size: int = 48
    learning_rate: float = 2e-3
    architecture: str = "foveated"
    schedule: str = "warm-up"
    weight_decay: float = 0.02
    label_smoothing: float = 0.1
    zoom: float = 0.12
    shift: float = 3.0
    degrade: float = 0.0
    balance_catalogues: bool = False


@dataclass(frozen=True)
class RegressorSettings(ClassifierSettings):
    """How the regressor is trained; the defaults are those of the report's author (repository, part A).

    Parameters
    ----------
    epochs, batch_size, learning_rate, width_multiplier, seed, precision, architecture, network, schedule
        As in `ClassifierSettings`; the optimiser is RMSprop.
    output : {"linear", "bounded", "spread", "jets"}
        As in `radiosynth.build_regressor`.
    """

    epochs: int = 50
    output: str = "linear"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice(self.output, "output", OUTPUTS)
