from . import animation as animation, base as base, dcgan as dcgan, vae as vae
from .animation import write_animation as write_animation
from .base import (
    GeneratorModel as GeneratorModel,
    GeneratorRun as GeneratorRun,
    diversity as diversity,
    frame_epochs as frame_epochs,
    generate as generate,
    load_generator as load_generator,
    sample_generators as sample_generators,
    train_generator as train_generator,
)
from .dcgan import DCGAN as DCGAN
from .settings import (
    GENERATORS as GENERATORS,
    GANSettings as GANSettings,
    GeneratorSettings as GeneratorSettings,
    VAESettings as VAESettings,
)
from .vae import VAE as VAE, reconstruct as reconstruct
