"""What Airflow and the components agree on: values only, pydantic and the standard library only."""
