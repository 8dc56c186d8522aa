"""Everything of Everfit that knows Airflow."""
