from .classifiers import (
    build_classifier as build_classifier,
    build_ensemble as build_ensemble,
    build_foveated_classifier as build_foveated_classifier,
    build_network as build_network,
    build_regressor as build_regressor,
    build_residual_classifier as build_residual_classifier,
)
from .generators import (
    build_discriminator as build_discriminator,
    build_encoder as build_encoder,
    build_generator as build_generator,
)
from .kinds import CLASSIFIERS as CLASSIFIERS
