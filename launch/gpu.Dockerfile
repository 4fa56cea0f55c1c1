# NVIDIA's JAX image with dnajax, from the root of the repository:
#   docker build --file=launch/gpu.Dockerfile --tag=dnajax:gpu .
ARG JAX_IMAGE=nvcr.io/nvidia/jax:26.06-py3
FROM ${JAX_IMAGE}
WORKDIR /dnajax
COPY . .
# The image's own build of JAX stays; should it be too old, pip says so and the build ends.
RUN python -c "from importlib.metadata import version as v; \
    print(*(f'{name}=={v(name)}' for name in ('jax', 'jaxlib')), sep='\n')" > /tmp/jax.txt \
    && python -m pip install --no-cache-dir --constraint=/tmp/jax.txt '.[gcs,s3]' \
    && python -c "import dnajax.main"
ENTRYPOINT ["python", "-m", "dnajax.main"]
