"""Which networks there are."""

CLASSIFIERS = {
    "report": "build_classifier",
    "residual": "build_residual_classifier",
    "stacked": "build_classifier",
    "foveated": "build_foveated_classifier",
}
"""Builders of classifiers by the name of their architecture; a stack has other arguments than the report."""

OUTPUTS = {"linear": 1, "bounded": 1, "spread": 2, "jets": 4}
"""What a regressor can say of an angle, and the length of its output."""
