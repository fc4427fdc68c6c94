"""Training of the classifier, the GAN and the variational autoencoder against the same by hand in PyTorch.

The networks in PyTorch get the weights of ours, and are checked by what they make of the same input. PyTorch
pads the other end of an image where a convolution has a stride: so its images and kernels are mirrored, which
costs nothing. Dropout and noise are drawn by each. On a GPU if both see one (``KERAS_BACKEND=jax``).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

with suppress(ModuleNotFoundError):
    import torch._dynamo  # loaded after TensorFlow, PyTorch 2.14 with CUDA crashes

import keras
import numpy as np
from timing import Case, comparison, difference, flop

from radiosynth import training
from radiosynth.classification.settings import ClassifierSettings
from radiosynth.generators import GANSettings, VAESettings
from radiosynth.networks import build_classifier

if TYPE_CHECKING:
    import torch
    from torch import nn

SIZE = 56
IMAGES = 256  # of an epoch, which is what one call trains
STEP = """A step is forward, backward and Adam in float32. The networks are checked without dropout, by
what they make of the same input with the same weights."""


def give(model: keras.Model, net: nn.Module, features: tuple[int, int, int]) -> None:
    """Copy the weights of a network of ours, which counts flat features by row, column and channel."""
    import torch

    order = np.arange(math.prod(features)).reshape(features)[::-1, ::-1].transpose(2, 0, 1).ravel()
    modules = [module for module in net.modules() if list(module.parameters(recurse=False))]
    for layer, module in zip((each for each in model.layers if each.weights), modules, strict=True):
        state = module.state_dict()
        for name, weights in zip(state, layer.get_weights(), strict=False):  # PyTorch also counts batches
            for axis, length in enumerate(weights.shape):
                if length == len(order):
                    weights = np.take(weights, order, axis)
            if weights.ndim == 4:
                weights = weights[::-1, ::-1].transpose(3, 2, 0, 1)
            state[name] = torch.from_numpy(np.ascontiguousarray(weights.T if weights.ndim == 2 else weights))
        module.load_state_dict(state)


def ours(model: keras.Model, arrays: tuple[np.ndarray, ...], batch: int) -> Callable[[], Any]:
    """Return a function that trains one epoch as the package does."""
    batches = training.Batches(arrays, batch, seed=0, drop_last=True)
    return lambda: model.fit(batches.epoch(0), steps_per_epoch=batches.steps, shuffle=False, verbose=0)


def by_hand(step: Callable[..., None], arrays: tuple[np.ndarray, ...], batch: int) -> Callable[[], None]:
    """Return a function that trains one epoch by a step in PyTorch, images lying where it computes."""
    import torch

    images, *labels = (torch.from_numpy(array).to(device()) for array in arrays)
    images = images.reshape(-1, 1, SIZE, SIZE)

    def epoch() -> None:
        for rows in torch.randperm(len(images)).split(batch):
            step(images[rows], *(each[rows] for each in labels))
        if device() == "cuda":
            torch.cuda.synchronize()

    return epoch


def device() -> str:
    import torch

    torch.set_num_threads(1)
    return "cuda" if torch.cuda.is_available() else "cpu"


def cases(
    quick: bool, build: Callable[[float, int, tuple[np.ndarray, ...]], tuple[Any, Any, Any, float]]
) -> Iterator[Case]:
    """Yield growing batches at a quarter of the report's width, and one at the full width."""
    rng = np.random.default_rng(0)
    for width, batch in [(0.1, 8)] if quick else [(0.25, 16), (0.25, 64), (0.25, 256), (1.0, 32)]:
        number = batch if quick else max(batch, 64 if width == 1 else IMAGES)
        images = rng.uniform(-1, 1, (number, SIZE, SIZE)).astype(np.float32)
        labels = rng.integers(0, 4, number)
        mine, theirs, check, work = build(width, batch, (images, labels))
        what = f"width {width:g}, batches of {batch}"
        memory = "alone" if batch == IMAGES else ""
        yield Case(mine, theirs, number, SIZE, check, 1e-4, what, flop=number * work, memory=memory)


def mirrored(images: np.ndarray) -> torch.Tensor:
    """Return images (n, size, size) as those networks in PyTorch see them that have our weights."""
    import torch

    return torch.from_numpy(images[:, None, ::-1, ::-1].copy()).to(device())


def made(net: nn.Module, value: torch.Tensor) -> np.ndarray:
    """Return what a network makes of its input, upright again, when it does not train."""
    import torch

    net.eval()
    with torch.no_grad():
        found = net(value).cpu().numpy()
    net.train()
    return found[:, 0, ::-1, ::-1] if found.ndim == 4 else found


def apart(model: keras.Model, net: nn.Module, images: np.ndarray | None = None) -> float:
    """Return the largest difference of two networks on the same images, or on the same noise."""
    import torch

    if images is not None:
        return difference(model(images[..., None], training=False), made(net, mirrored(images)))
    noise = np.random.default_rng(0).normal(size=(8, model.input_shape[1])).astype(np.float32)
    drawn = made(net, torch.from_numpy(noise).to(device()))
    return difference(model(noise, training=False)[..., 0], drawn)


def convolutions(
    channels: tuple[int, ...], after: Callable[[int], list[nn.Module]], bias: bool
) -> list[nn.Module]:
    """Return 5×5 convolutions of stride 2, each with what comes after it."""
    from torch import nn

    pairs = zip((1, *channels), channels, strict=False)
    parts = [[nn.Conv2d(a, b, 5, 2, padding=2, bias=bias), *after(b)] for a, b in pairs]
    return [part for each in parts for part in each]


def normalised(channels: int, kind: str = "BatchNorm2d") -> list[nn.Module]:
    from torch import nn

    return [getattr(nn, kind)(channels, eps=1e-3, momentum=0.01), nn.LeakyReLU(0.3)]


def generator(model: keras.Model, latent: int, width: float) -> nn.Module:
    """Return the report's generator (table A1) with the weights of ours."""
    from torch import nn

    edge, (first, *channels) = SIZE // 8, (max(1, round(width * c)) for c in (512, 256, 128, 64))
    flat = first * edge**2
    parts: list[nn.Module] = [nn.Linear(latent, flat, bias=False), *normalised(flat, "BatchNorm1d")]
    parts.append(nn.Unflatten(1, (first, edge, edge)))
    for a, b, stride in zip((first, *channels), channels, (1, 2, 2), strict=False):
        parts.append(nn.ConvTranspose2d(a, b, 5, stride, padding=2, output_padding=stride - 1, bias=False))
        parts += normalised(b)
    parts += [nn.ConvTranspose2d(channels[-1], 1, 5, 2, padding=2, output_padding=1, bias=False), nn.Tanh()]
    net = nn.Sequential(*parts)
    give(model, net, (edge, edge, first))
    return net.to(device())


@comparison("training: classifier", "PyTorch", f"The report's network (table B1). {STEP}")
def classifier(quick: bool) -> Iterator[Case]:
    import torch
    from torch import nn

    def build(width: float, batch: int, arrays: tuple[np.ndarray, ...]) -> tuple[Any, Any, Any, float]:
        images, labels = arrays
        settings = ClassifierSettings(width_multiplier=width)
        model = build_classifier(SIZE, width_multiplier=width, seed=0)
        training.compile_model(model, keras.optimizers.Adam(settings.learning_rate))
        c1, c2, c3, dense = (max(1, round(width * c)) for c in (32, 64, 194, 194))
        parts: list[nn.Module] = []
        for a, b in ((1, c1), (c1, c2), (c2, c3)):
            parts += [nn.Conv2d(a, b, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
        edge = SIZE // 8
        parts += [
            nn.Flatten(),
            nn.Linear(edge**2 * c3, dense),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Linear(dense, 4),
        ]
        net = nn.Sequential(*parts)
        give(model, net, (edge, edge, c3))
        net.to(device())
        adam, loss = torch.optim.Adam(net.parameters(), settings.learning_rate), nn.CrossEntropyLoss()

        def step(images: torch.Tensor, labels: torch.Tensor) -> None:
            adam.zero_grad()
            loss(net(images), labels).backward()
            adam.step()

        def check() -> float:
            logits = made(net, mirrored(images[:8]))
            odds = np.exp(logits)
            return difference(model(images[:8, ..., None], training=False), odds / odds.sum(1, keepdims=True))

        mine = ours(model, (images[..., None], labels.astype(np.int32)), batch)
        return mine, by_hand(step, arrays, batch), check, 3 * flop(model)

    yield from cases(quick, build)


@comparison("training: GAN", "PyTorch", f"The report's networks (tables A1 and A2) and loss. {STEP}")
def gan(quick: bool) -> Iterator[Case]:
    import torch
    from torch import nn
    from torch.nn.functional import softplus

    def build(width: float, batch: int, arrays: tuple[np.ndarray, ...]) -> tuple[Any, Any, Any, float]:
        images = arrays[0]
        settings = GANSettings(width_multiplier=width)
        model = settings.model()
        training.compile_model(model, model.solver(1), None, ())
        drawing = generator(model.generator, settings.latent_dim, width)
        c1, c2 = (max(1, round(width * c)) for c in (64, 128))
        seen = convolutions((c1, c2), lambda _: [nn.LeakyReLU(0.3), nn.Dropout(0.3)], bias=True)
        judging = nn.Sequential(*seen, nn.Flatten(), nn.Linear((SIZE // 4) ** 2 * c2, 1))
        give(model.discriminator, judging, (SIZE // 4, SIZE // 4, c2))
        judging.to(device())
        adams = [torch.optim.Adam(net.parameters(), settings.learning_rate) for net in (judging, drawing)]

        def step(real: torch.Tensor) -> None:
            fake = drawing(torch.randn(len(real), settings.latent_dim, device=device()))
            adams[0].zero_grad()
            (softplus(-judging(real)).mean() + softplus(judging(fake.detach())).mean()).backward()
            adams[0].step()
            adams[1].zero_grad()
            softplus(-judging(fake)).mean().backward()
            adams[1].step()

        def check() -> float:
            return max(apart(model.generator, drawing), apart(model.discriminator, judging, images[:8]))

        # Forward and backward of each network, and through the discriminator once more to the generator.
        work = 3 * flop(model.generator) + 8 * flop(model.discriminator)
        return ours(model, (images,), batch), by_hand(step, (images,), batch), check, work

    yield from cases(quick, build)


@comparison(
    "training: VAE",
    "PyTorch",
    f"Encoder, decoder and loss of radiosynth.VAESettings, without the stretch. {STEP}",
)
def vae(quick: bool) -> Iterator[Case]:
    import torch
    from torch import nn

    def build(width: float, batch: int, arrays: tuple[np.ndarray, ...]) -> tuple[Any, Any, Any, float]:
        images = arrays[0]
        settings = VAESettings(width_multiplier=width, stretch=False, rescale=False)
        model = settings.model()
        training.compile_model(model, keras.optimizers.Adam(settings.learning_rate), None, ())
        drawing = generator(model.generator, settings.latent_dim, width)
        channels = tuple(max(1, round(width * c)) for c in (64, 128, 256))
        seen, edge = convolutions(channels, normalised, bias=False), SIZE // 8
        last = nn.Linear(edge**2 * channels[-1], 2 * settings.latent_dim)
        encoding = nn.Sequential(*seen, nn.Flatten(), last)
        give(model.encoder, encoding, (edge, edge, channels[-1]))
        encoding.to(device())
        adam = torch.optim.Adam([*encoding.parameters(), *drawing.parameters()], settings.learning_rate)

        def step(images: torch.Tensor) -> None:
            mean, log_variance = encoding(images).chunk(2, 1)
            drawn = drawing(mean + torch.exp(log_variance / 2) * torch.randn_like(mean))
            divergence = (mean.square() + log_variance.exp() - log_variance - 1).sum(1).mean() / 2
            adam.zero_grad()
            ((drawn - images).square().mean() + settings.beta * divergence).backward()
            adam.step()

        def check() -> float:
            return max(apart(model.generator, drawing), apart(model.encoder, encoding, images[:8]))

        work = 3 * (flop(model.generator) + flop(model.encoder))
        return ours(model, (images,), batch), by_hand(step, (images,), batch), check, work

    yield from cases(quick, build)
