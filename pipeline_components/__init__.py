"""Everfit's components: everything that knows data and models, and nothing of Airflow."""
