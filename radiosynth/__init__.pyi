from . import (
    bending as bending,
    catalogues as catalogues,
    classifier as classifier,
    cli as cli,
    comparison as comparison,
    configurations as configurations,
    cutouts as cutouts,
    datasets as datasets,
    experiments as experiments,
    gan as gan,
    geometric as geometric,
    metrics as metrics,
    networks as networks,
    plotting as plotting,
    populations as populations,
    preprocessing as preprocessing,
    records as records,
    sample as sample,
    selection as selection,
    shapes as shapes,
    stopping as stopping,
    studies as studies,
    taxonomy as taxonomy,
    training as training,
    tuning as tuning,
    vae as vae,
)
from .bending import predict_angles as predict_angles, train_regressor as train_regressor
from .catalogues import (
    load_catalogue as load_catalogue,
    load_report_sources as load_report_sources,
    read_positions as read_positions,
)
from .classifier import predict as predict, train_classifier as train_classifier
from .cutouts import (
    download_cutouts as download_cutouts,
    read_cutouts as read_cutouts,
    write_cutouts as write_cutouts,
)
from .datasets import (
    citations as citations,
    load_bending_sample as load_bending_sample,
    load_first_dataset as load_first_dataset,
    load_report_candidates as load_report_candidates,
    load_report_sample as load_report_sample,
)
from .experiments import find_run as find_run, run as run
from .gan import (
    GANSettings as GANSettings,
    generate as generate,
    load_generator as load_generator,
    sample_generators as sample_generators,
    train_gan as train_gan,
)
from .geometric import (
    Observation as Observation,
    Population as Population,
    render as render,
    report_population as report_population,
    simulate as simulate,
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
    build_stacked_classifier as build_stacked_classifier,
)
from .populations import fit_population as fit_population
from .preprocessing import (
    augment as augment,
    center_crop as center_crop,
    noise_threshold as noise_threshold,
    preprocess as preprocess,
    resize as resize,
    rotate_flip as rotate_flip,
    scale as scale,
    split as split,
    stratified_folds as stratified_folds,
    vary as vary,
)
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
from .taxonomy import CLASS_NAMES as CLASS_NAMES, CLASSES as CLASSES
from .tuning import tune as tune
from .vae import VAESettings as VAESettings, reconstruct as reconstruct, train_vae as train_vae

__version__: str
