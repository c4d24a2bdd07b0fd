"""Who may do what by hand in Airflow: its auth managers, with a guard before deciding DAGs."""
