"""The model card as a page and as Markdown."""

from everfit.reporting.model_card.markdown import card_markdown
from everfit.reporting.model_card.page import Standing, card_page, unjudged

__all__ = ["Standing", "card_markdown", "card_page", "unjudged"]
