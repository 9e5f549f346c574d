# Airflow's own image with what Meshflow needs on top; used by docker-compose.yaml.
FROM apache/airflow:3.3.2-python3.12
COPY requirements.txt requirements-compose.txt /
RUN pip install --no-cache-dir -r /requirements.txt -r /requirements-compose.txt
