"""Which networks there are, and in which precision a processor trains them fastest; without Keras."""

import re
from functools import cache
from pathlib import Path

CLASSIFIERS = {
    "report": "build_classifier",
    "residual": "build_residual_classifier",
    "stacked": "build_classifier",
    "foveated": "build_foveated_classifier",
}
"""Builders of classifiers by the name of their architecture; a stack has other arguments than the report."""

OUTPUTS = {"linear": 1, "bounded": 1, "spread": 2, "jets": 4}
"""What a regressor can say of an angle, and the length of its output."""


@cache
def has_bfloat16() -> bool:
    """Return whether the processor computes in bfloat16, according to Linux."""
    return bool(re.search(r"\b(amx_bf16|avx512_bf16|bf16)\b", _processor()))


@cache
def fastest_precision() -> str:
    """Return the precision in which the processor trains fastest, according to Linux.

    In bfloat16 1.6 times as many steps a second as in float32, with its matrix instructions (AMX, or those of
    ARM) or on AMD's processors; with AVX-512 alone on those of Intel, a quarter fewer.
    """
    said = _processor()
    fast = r"\b(amx_bf16|avx512_bf16|bf16)\b" if "AuthenticAMD" in said else r"\b(amx_bf16|bf16)\b"
    return "mixed_bfloat16" if re.search(fast, said) else "float32"


def _processor() -> str:
    try:
        return Path("/proc/cpuinfo").read_text("ascii", "replace")
    except OSError:
        return ""
