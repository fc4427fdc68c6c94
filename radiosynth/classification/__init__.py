"""Classifiers: trained, saved, and asked for classes."""

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
