from .classifier import predict as predict
from .classifier import train_classifier as train_classifier
from .cutouts import read_cutouts as read_cutouts
from .datasets import (
    citations as citations,
)
from .datasets import (
    load_first_dataset as load_first_dataset,
)
from .datasets import (
    load_report_candidates as load_report_candidates,
)
from .datasets import (
    load_report_sample as load_report_sample,
)
from .experiments import run as run
from .gan import generate as generate
from .gan import load_generator as load_generator
from .gan import train_gan as train_gan
from .geometric import (
    Population as Population,
)
from .geometric import (
    render as render,
)
from .geometric import (
    report_population as report_population,
)
from .geometric import (
    simulate as simulate,
)
from .metrics import confusion_matrix as confusion_matrix
from .networks import (
    build_classifier as build_classifier,
)
from .networks import (
    build_discriminator as build_discriminator,
)
from .networks import (
    build_generator as build_generator,
)
from .preprocessing import (
    augment as augment,
)
from .preprocessing import (
    center_crop as center_crop,
)
from .preprocessing import (
    noise_threshold as noise_threshold,
)
from .preprocessing import (
    preprocess as preprocess,
)
from .preprocessing import (
    resize as resize,
)
from .preprocessing import (
    rotate_flip as rotate_flip,
)
from .preprocessing import (
    scale as scale,
)
from .preprocessing import (
    split as split,
)
from .preprocessing import (
    stratified_folds as stratified_folds,
)
from .sample import Sample as Sample
from .sample import concatenate as concatenate
from .taxonomy import CLASS_NAMES as CLASS_NAMES
from .taxonomy import CLASSES as CLASSES

__version__: str
