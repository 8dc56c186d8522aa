"""Models on disk and in use: canonical skops bytes out, verified bytes in, scores and classes."""

from __future__ import annotations

from .class_names import class_codes, class_texts
from .load import load_model
from .predict import predict_scores
from .save import save_model

__all__ = ["class_codes", "class_texts", "load_model", "predict_scores", "save_model"]
