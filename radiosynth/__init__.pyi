from . import (
    augmentation as augmentation,
    bending as bending,
    catalogues as catalogues,
    citing as citing,
    classification as classification,
    cli as cli,
    cutouts as cutouts,
    datasets as datasets,
    generators as generators,
    measurements as measurements,
    metrics as metrics,
    networks as networks,
    parallel as parallel,
    plotting as plotting,
    preprocessing as preprocessing,
    realism as realism,
    records as records,
    reproduction as reproduction,
    sample as sample,
    selection as selection,
    simulation as simulation,
    splitting as splitting,
    stopping as stopping,
    surveys as surveys,
    taxonomy as taxonomy,
    training as training,
    training_sets as training_sets,
)
from .augmentation import (
    augment as augment,
    augment_randomly as augment_randomly,
    rotate_flip as rotate_flip,
)
from .bending import predict_angles as predict_angles, train_regressor as train_regressor
from .catalogues import (
    load_catalogue as load_catalogue,
    load_report_sources as load_report_sources,
    read_positions as read_positions,
)
from .citing import citations as citations
from .classification import (
    Classifier as Classifier,
    load_classifier as load_classifier,
    predict as predict,
    train_classifier as train_classifier,
)
from .cutouts import (
    cutouts_from_mosaic as cutouts_from_mosaic,
    download_cutouts as download_cutouts,
    read_cutouts as read_cutouts,
    write_cutouts as write_cutouts,
)
from .datasets import (
    load_bending_sample as load_bending_sample,
    load_first_dataset as load_first_dataset,
    load_report_candidates as load_report_candidates,
    load_report_sample as load_report_sample,
)
from .generators import (
    GANSettings as GANSettings,
    VAESettings as VAESettings,
    generate as generate,
    load_generator as load_generator,
    reconstruct as reconstruct,
    sample_generators as sample_generators,
    train_generator as train_generator,
)
from .metrics import confusion_matrix as confusion_matrix
from .networks import (
    build_classifier as build_classifier,
    build_discriminator as build_discriminator,
    build_encoder as build_encoder,
    build_foveated_classifier as build_foveated_classifier,
    build_generator as build_generator,
    build_regressor as build_regressor,
    build_residual_classifier as build_residual_classifier,
)
from .preprocessing import (
    center_crop as center_crop,
    noise_threshold as noise_threshold,
    preprocess as preprocess,
    resize as resize,
    scale as scale,
)
from .reproduction.recipes import run as run
from .reproduction.runs import find_run as find_run
from .reproduction.search import tune as tune
from .sample import Sample as Sample, concatenate as concatenate
from .selection import (
    Cuts as Cuts,
    agreement as agreement,
    apply_decisions as apply_decisions,
    automatic_cuts as automatic_cuts,
    read_decisions as read_decisions,
    read_folder as read_folder,
    review_page as review_page,
)
from .simulation import (
    Observation as Observation,
    Population as Population,
    fit_population as fit_population,
    render as render,
    report_population as report_population,
    simulate as simulate,
)
from .splitting import split as split, stratified_folds as stratified_folds
from .taxonomy import CLASS_NAMES as CLASS_NAMES, CLASSES as CLASSES
from .training_sets import TrainingSet as TrainingSet

__version__: str
