"""Classifiers: trained, saved, and asked for classes."""

from radiosynth.classification.classifier import Classifier, load_classifier
from radiosynth.classification.learning import (
    ClassifierSettings,
    OnTheFlySettings,
    recalibrate,
    recalibrated,
    train_classifier,
    train_on_the_fly,
    unaugmented,
)
from radiosynth.classification.predicting import predict

__all__ = [
    "Classifier",
    "ClassifierSettings",
    "OnTheFlySettings",
    "load_classifier",
    "predict",
    "recalibrate",
    "recalibrated",
    "train_classifier",
    "train_on_the_fly",
    "unaugmented",
]
