from .chunks import (
    AT_ONCE as AT_ONCE,
    classify_in_chunks as classify_in_chunks,
    count_images as count_images,
    in_chunks as in_chunks,
    join_chunks as join_chunks,
    without_image as without_image,
)
from .classifier import Classifier as Classifier, load_classifier as load_classifier
from .learning import (
    recalibrate as recalibrate,
    recalibrated as recalibrated,
    train_classifier as train_classifier,
    train_on_the_fly as train_on_the_fly,
    unaugmented as unaugmented,
)
from .oddness import Oddness as Oddness
from .predicting import predict as predict
from .settings import (
    ClassifierSettings as ClassifierSettings,
    OnTheFlySettings as OnTheFlySettings,
    RegressorSettings as RegressorSettings,
)
