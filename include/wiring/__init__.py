"""What the DAGs share: the desk that tasks work at, their stages, and Airflow's side of them."""
