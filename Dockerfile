# Serves a folder of definitions that is mounted at /project. docs/deploy.md tells more.
#
#   docker build -t metrics-api .
#   docker run --rm --read-only --tmpfs /tmp -v "$PWD/demo:/project:ro" metrics-api validate
#   docker run --rm --read-only --tmpfs /tmp -v "$PWD/demo:/project:ro" -p 127.0.0.1:8000:8000 \
#       metrics-api serve --host 0.0.0.0 --allow-anonymous
#
# Callers cannot be told apart yet, so `serve` keeps to the container's own loopback unless it is told otherwise, as in
# the last line: there the port is published to this machine only.

ARG PYTHON=3.12

FROM python:${PYTHON}-slim AS build
WORKDIR /source
# The drivers of the image's warehouses, and what else is not for everybody: `docker build --build-arg EXTRAS=...`.
ARG EXTRAS=postgres,redis
COPY . .
RUN python -m venv /opt/metrics-api \
    && /opt/metrics-api/bin/python -m pip install --no-cache-dir --disable-pip-version-check \
        --constraint constraints.txt ".[${EXTRAS}]" \
    && /opt/metrics-api/bin/python -m pip uninstall --yes --quiet pip

# What is made above is all that comes here: no compiler, no sources, no pip of its own.
FROM python:${PYTHON}-slim
RUN echo 'metrics:x:10001:10001::/tmp:/usr/sbin/nologin' >> /etc/passwd \
    && echo 'metrics:x:10001:' >> /etc/group
COPY --from=build /opt/metrics-api /opt/metrics-api
ENV PATH=/opt/metrics-api/bin:$PATH \
    HOME=/tmp \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    METRICS_API_LOG=json \
    METRICS_API_PROJECT=/project
USER 10001:10001
WORKDIR /project
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
ENTRYPOINT ["metrics-api"]
CMD ["serve"]
