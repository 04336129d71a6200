# Serves a folder of definitions that is mounted at /project.
#
#   docker build -t metrics-api .
#   docker run --rm -v "$PWD/demo:/project" metrics-api validate
#   docker run --rm -v "$PWD/demo:/project:ro" -p 127.0.0.1:8000:8000 metrics-api serve --host 0.0.0.0 --allow-anonymous
#
# Callers cannot be told apart yet, so `serve` keeps to the container's own loopback unless it is told otherwise, as in
# the last line: there the port is published to this machine only.

FROM python:3.12-slim AS build
WORKDIR /source
COPY . .
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM python:3.12-slim
RUN useradd --system --uid 10001 --create-home metrics
COPY constraints.txt /tmp/constraints.txt
RUN --mount=from=build,source=/wheels,target=/wheels \
    pip install --no-cache-dir --constraint /tmp/constraints.txt /wheels/*.whl
ENV PYTHONUNBUFFERED=1
USER metrics
WORKDIR /project
EXPOSE 8000
ENTRYPOINT ["metrics-api"]
CMD ["serve"]
