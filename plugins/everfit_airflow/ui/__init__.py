"""What people see in Airflow: the run's tab, links and report pages."""
