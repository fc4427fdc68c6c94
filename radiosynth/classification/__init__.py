"""Classifiers: trained, saved, and asked for classes."""

from radiosynth.classification.by_shape import (
    FoldAnswers as FoldAnswers,
    classify_by_shape as classify_by_shape,
)
from radiosynth.classification.chunks import (
    classify_in_chunks as classify_in_chunks,
    in_chunks as in_chunks,
    join_chunks as join_chunks,
)
from radiosynth.classification.classifier import Classifier as Classifier, load_classifier as load_classifier
from radiosynth.classification.learning import (
    ClassifierSettings as ClassifierSettings,
    OnTheFlySettings as OnTheFlySettings,
    recalibrate as recalibrate,
    recalibrated as recalibrated,
    train_classifier as train_classifier,
    train_on_the_fly as train_on_the_fly,
    unaugmented as unaugmented,
)
from radiosynth.classification.predicting import predict as predict
