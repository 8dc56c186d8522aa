"""Airflow on one machine, started and stopped as a whole; only the standard library is imported."""
