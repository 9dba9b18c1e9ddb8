"""What the examples of training libraries learn: handwritten digits, 1,200 for the training and 597 for the test."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.datasets import load_digits


def digits_parts() -> tuple[Any, Any, Any, Any]:
    """Return the pixels (between 0 and 1) and the digits of both parts."""
    pixels, labels = load_digits(return_X_y=True)
    pixels, labels = (pixels / 16).astype("float32"), labels.astype(np.int64)
    return pixels[:1200], labels[:1200], pixels[1200:], labels[1200:]
