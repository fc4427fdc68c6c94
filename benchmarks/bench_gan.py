"""Images per second of one DCGAN step: this package's Keras model against a loop written by hand in PyTorch.

Both train the report's networks (tables A1 and A2) with the report's loss, Adam and batch of 256 on the same
images, in the same run, on the GPU if the frameworks see one. PyTorch is compared only where it is installed.

    KERAS_BACKEND=jax python benchmarks/bench_gan.py --seconds 15
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import keras
import numpy as np

from radiosynth.generators.dcgan import DCGAN, GANSettings
from radiosynth.training import Batches


def keras_epoch(settings: GANSettings, images: np.ndarray, jit: bool) -> Callable[[], None]:
    """Return a function that trains one epoch through plain ``fit``."""
    gan = DCGAN(settings)
    gan.compile(keras.optimizers.Adam(settings.learning_rate), jit_compile=jit)
    batches = Batches((images,), settings.batch_size, seed=0, drop_last=True)
    stream = batches.stream(0)
    return lambda: gan.fit(stream, steps_per_epoch=batches.steps, shuffle=False, verbose=0) and None


def torch_epoch(settings: GANSettings, images: np.ndarray) -> Callable[[], None]:
    """Return a function that trains one epoch with the usual two steps, images already on the device."""
    import torch
    from torch import nn
    from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy

    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    torch.backends.cudnn.benchmark = True
    edge, width = settings.size // 8, settings.width_multiplier
    first, *channels = [max(1, round(width * c)) for c in (512, 256, 128, 64)]
    layers: list[nn.Module] = [
        nn.Linear(settings.latent_dim, edge * edge * first, bias=False),
        nn.BatchNorm1d(edge * edge * first),
        nn.LeakyReLU(0.3),
        nn.Unflatten(1, (first, edge, edge)),
    ]
    before = first
    for c, stride in zip(channels, (1, 2, 2), strict=True):
        layers += [
            nn.ConvTranspose2d(before, c, 5, stride, padding=2, output_padding=stride - 1, bias=False),
            nn.BatchNorm2d(c),
            nn.LeakyReLU(0.3),
        ]
        before = c
    layers += [nn.ConvTranspose2d(before, 1, 5, 2, padding=2, output_padding=1, bias=False), nn.Tanh()]
    generator = nn.Sequential(*layers).to(device)
    c1, c2 = (max(1, round(width * c)) for c in (64, 128))
    discriminator = nn.Sequential(
        nn.Conv2d(1, c1, 5, 2, padding=2),
        nn.LeakyReLU(0.3),
        nn.Dropout(0.3),
        nn.Conv2d(c1, c2, 5, 2, padding=2),
        nn.LeakyReLU(0.3),
        nn.Dropout(0.3),
        nn.Flatten(),
        nn.Linear((settings.size // 4) ** 2 * c2, 1),
    ).to(device)
    steps = [torch.optim.Adam(net.parameters(), settings.learning_rate) for net in (discriminator, generator)]
    data = torch.from_numpy(images)[:, None].to(device)
    n = settings.batch_size
    ones, zeros = torch.ones(n, 1, device=device), torch.zeros(n, 1, device=device)

    def epoch() -> None:
        order = torch.randperm(len(data), device=device)
        for start in range(0, len(data) - n + 1, n):
            real = data[order[start : start + n]]
            fake = generator(torch.randn(n, settings.latent_dim, device=device))
            steps[0].zero_grad(set_to_none=True)
            judged = cross_entropy(discriminator(real), ones) + cross_entropy(
                discriminator(fake.detach()), zeros
            )
            judged.backward()
            steps[0].step()
            steps[1].zero_grad(set_to_none=True)
            cross_entropy(discriminator(fake), ones).backward()
            steps[1].step()
        if device == "cuda":
            torch.cuda.synchronize()

    count = sum(p.numel() for net in (generator, discriminator) for p in net.parameters())
    ours = DCGAN(settings)
    assert count == sum(int(np.prod(w.shape)) for w in ours.trainable_weights), "not the same networks"
    return epoch


def rate(epoch: Callable[[], None], images: int, seconds: float) -> tuple[float, float, float]:
    """Return the time to the end of the first epoch, and median and best images/s of those after it."""
    begun = time.perf_counter()
    epoch()
    first = time.perf_counter() - begun
    speeds: list[float] = []
    begun = time.perf_counter()
    while len(speeds) < 3 or time.perf_counter() - begun < seconds:
        start = time.perf_counter()
        epoch()
        speeds.append(images / (time.perf_counter() - start))
    return first, float(np.median(speeds)), max(speeds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--width", type=float, default=1.0)
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--steps", type=int, default=100, help="steps in an epoch (2 or so on a CPU)")
    parser.add_argument("--seconds", type=float, default=15.0, help="least time for each contestant")
    options = parser.parse_args()
    settings = GANSettings(width_multiplier=options.width, batch_size=options.batch_size)
    images = np.random.default_rng(0).uniform(-1, 1, (options.steps * options.batch_size, 56, 56))
    images = images.astype(np.float32)
    backend = keras.backend.backend()
    contestants = {
        f"Keras on {backend}, jit {jit}": lambda jit=jit: keras_epoch(settings, images, jit)
        for jit in ((False, True) if backend == "tensorflow" else (True,))
    }
    try:
        import torch
    except ImportError:
        print("torch is not installed: nothing to compare with")
    else:
        contestants[f"PyTorch {torch.__version__} by hand"] = lambda: torch_epoch(settings, images)
    print(
        f"width {settings.width_multiplier:g}, batch {settings.batch_size}, {options.steps} steps in an epoch"
    )
    print(f"{'':34}{'first epoch s':>14}{'images/s':>10}{'best':>10}{'ms/step':>10}")
    for name, build in contestants.items():
        first, median, best = rate(build(), len(images), options.seconds)
        print(f"{name:34}{first:14.1f}{median:10.0f}{best:10.0f}{settings.batch_size / median * 1e3:10.2f}")


if __name__ == "__main__":
    main()
