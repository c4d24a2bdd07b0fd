"""The supervised local stack: Airflow and Redline's own processes, on loopback, in one folder."""
