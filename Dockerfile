# The product's own image: `docker build -t fast-flow .`
# BASE_IMAGE: any image with Python 3.11 or newer and glibc. WITH_GIT=0 leaves git out, where the base image has it.
ARG BASE_IMAGE=python:3.13-slim-bookworm

FROM ${BASE_IMAGE} AS build
ENV UV_PROJECT_ENVIRONMENT=/opt/fastflow UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1 UV_PYTHON_DOWNLOADS=never
RUN command -v uv >/dev/null \
    || { python3 -m venv /opt/uv && /opt/uv/bin/pip install --quiet --no-cache-dir uv && ln -s /opt/uv/bin/uv /usr/local/bin/uv; }
WORKDIR /src
# first what the lock names, which seldom changes, then the product
COPY pyproject.toml uv.lock README.md LICENSE NOTICE ./
RUN uv sync --frozen --no-dev --extra postgres --extra otel --no-install-project
COPY src ./src
RUN uv sync --frozen --no-dev --extra postgres --extra otel --no-editable

FROM ${BASE_IMAGE}
ARG WITH_GIT=1
RUN if [ "$WITH_GIT" = 1 ]; then \
      apt-get update -qq \
      && apt-get install -qq -y --no-install-recommends git ca-certificates \
      && rm -rf /var/lib/apt/lists/*; \
    fi
COPY --from=build /opt/fastflow /opt/fastflow
ENV PATH=/opt/fastflow/bin:$PATH HOST=0.0.0.0 DATA_DIR=/var/lib/fastflow/data LOGS_DIR=/var/lib/fastflow/logs \
    PIPELINES_DIR=/pipelines
VOLUME /var/lib/fastflow
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 \
  CMD ["python3", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/ready?for=requests', timeout=4)"]
ENTRYPOINT ["fastflow"]
CMD ["serve"]
