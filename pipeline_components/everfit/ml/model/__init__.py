"""Models on disk and in use: canonical skops bytes out, verified bytes in, scores and classes."""

from __future__ import annotations

from everfit.ml.model.class_names import class_codes, class_texts
from everfit.ml.model.load import load_model
from everfit.ml.model.predict import predict_scores
from everfit.ml.model.save import save_model

__all__ = ["class_codes", "class_texts", "load_model", "predict_scores", "save_model"]
