# The stage `build` installs the locked packages and the wheel. The stage `gateway`, which is also the
# default, runs the gateway; it contains no build tools, and no package to serve: the Dockerfile that
# `lockgate new` writes extends it. The stage `demo` adds the demo shop. `make lock` updates the lock
# files with their hashes.

FROM python:3.13-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1
WORKDIR /build
RUN python -m venv --without-pip /opt/lockgate
COPY requirements.lock requirements-dev.lock ./
RUN pip --python /opt/lockgate/bin/python install --require-hashes --requirement requirements.lock
# hatchling builds the wheel. It and its dependencies are taken from the development lock.
RUN awk '/^[a-z]/ { keep = /^(hatchling|packaging|pathspec|pluggy|tomlkit|trove-classifiers)==/ } keep' \
        requirements-dev.lock > build.lock \
 && pip install --require-hashes --requirement build.lock
COPY pyproject.toml README.md ./
COPY gateway gateway
RUN hatchling build -t wheel \
 && pip --python /opt/lockgate/bin/python install --no-deps --no-index dist/*.whl

FROM python:3.13-slim AS gateway
ENV PATH=/opt/lockgate/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
RUN groupadd --gid 10001 lockgate \
 && useradd --uid 10001 --gid lockgate --no-create-home --shell /usr/sbin/nologin lockgate
COPY --from=build /opt/lockgate /opt/lockgate
USER 10001:10001
EXPOSE 8000
STOPSIGNAL SIGTERM
# The address is that of the settings of process 1: its options, its variables and its file.
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
    CMD ["python", "-m", "gateway.cli.health", "--pid", "1"]
ENTRYPOINT ["lockgate"]
CMD ["serve"]

FROM gateway AS demo
COPY clients /opt/lockgate/lib/python3.13/site-packages/clients
COPY config /opt/lockgate/lib/python3.13/site-packages/config
COPY gateway/composites /opt/lockgate/lib/python3.13/site-packages/gateway/composites
COPY gateway/demo /opt/lockgate/lib/python3.13/site-packages/gateway/demo

FROM gateway
