"""Classifiers: trained, saved, and asked for classes."""

from radiosynth.classification.by_shape import FoldAnswers, classify_by_shape
from radiosynth.classification.classifier import Classifier, load_classifier
from radiosynth.classification.learning import (
    ClassifierSettings,
    originals,
    recalibrate,
    recalibrated,
    train_classifier,
)
from radiosynth.classification.on_the_fly import VariationSettings, train_on_variations
from radiosynth.classification.predicting import predict

__all__ = [
    "Classifier",
    "ClassifierSettings",
    "FoldAnswers",
    "VariationSettings",
    "classify_by_shape",
    "load_classifier",
    "originals",
    "predict",
    "recalibrate",
    "recalibrated",
    "train_classifier",
    "train_on_variations",
]
