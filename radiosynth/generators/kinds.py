"""Which kinds of generators there are."""

from radiosynth.generators.base import GeneratorSettings
from radiosynth.generators.dcgan import GANSettings
from radiosynth.generators.vae import VAESettings

GENERATORS: dict[str, type[GeneratorSettings]] = {
    "gan": GANSettings,
    "vae": VAESettings,
}
"""Settings of each kind of generator, by its name, which its images are named by, too."""
