# Airflow's own image with what Meshflow needs on top; used by docker-compose.yaml.
FROM apache/airflow:3.3.2-python3.12
COPY requirements.txt requirements-compose.txt /
RUN pip install --no-cache-dir -r /requirements.txt -r /requirements-compose.txt
# A new volume that is mounted here takes this folder's owner and rights: every user of group 0, as the image has it.
RUN mkdir -m 2775 /opt/airflow/home
