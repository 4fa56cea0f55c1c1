# dnajax for TPU nodes of Kubernetes, from the root of the repository:
#   docker build --file=launch/tpu.Dockerfile --tag=dnajax:tpu .
FROM python:3.12-slim
WORKDIR /dnajax
COPY . .
RUN python -m pip install --no-cache-dir '.[tpu,gcs]' && python -c "import dnajax.main"
ENTRYPOINT ["python", "-m", "dnajax.main"]
