"""Documents that components, ledger and Airflow exchange."""
