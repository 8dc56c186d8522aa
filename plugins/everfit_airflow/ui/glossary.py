"""The words of a pipeline's page, each with its one meaning."""

from __future__ import annotations

from html import escape

from everfit_airflow.ui.simple_page import simple_page

WORDS = {
    "pipeline": "one YAML file in dags/pipelines: values, never topology",
    "span": "one arrived batch of a source (a file, an object, a query window); once snapshotted "
    "it never changes, and its digest is its identity",
    "window": "the spans a candidate is trained on",
    "holdout": "the spans or rows a candidate is judged on, which neither it nor the champion has "
    "ever seen",
    "candidate": "the model this run trained",
    "champion": "the model that is serving",
    "baseline": "what a candidate is compared with: the champion, or before there is one a "
    "declared dummy",
    "slice": "a named subset of rows with a minimum count",
    "gate": "the judgement, made of checks; it ends in a verdict",
    "check": "one question of the gate, with a code, a severity and a state",
    "verdict": "promote, hold or reject; data, never a crashed task",
    "run key": "a digest of spec, spans, code, environment and seed: two runs with one key are the "
    "same run",
    "ledger": "the record of spans, runs, verdicts and promotions, which only ever grows",
    "store": "where artifacts live",
}


def glossary_page() -> str:
    """The words as a page."""
    rows = "".join(
        f"<dt>{escape(word)}</dt><dd>{escape(text)}</dd>" for word, text in WORDS.items()
    )
    return simple_page("Everfit: words", f"<h1>Words</h1><dl>{rows}</dl>")
