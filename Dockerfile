# Shilu itself: the recorder and its command line. What is installed is what requirements.lock names, by hash, as wheels.

FROM python:3.11-slim-bookworm AS build
WORKDIR /src
RUN python -m venv /opt/shilu
COPY requirements.lock ./
RUN /opt/shilu/bin/pip install --no-cache-dir --require-hashes --only-binary :all: --requirement requirements.lock
COPY pyproject.toml ./
COPY api api
COPY evidence_store evidence_store
COPY recorder recorder
COPY shilu shilu
RUN /opt/shilu/bin/pip install --no-cache-dir --no-deps --no-build-isolation .

FROM python:3.11-slim-bookworm
COPY --from=build /opt/shilu /opt/shilu
ENV PATH=/opt/shilu/bin:$PATH PYTHONUNBUFFERED=1
# Nobody's number on the host: the folders that it may write are given to it there (deploy/README.md).
USER 10002:10002
ENTRYPOINT ["shilu"]
CMD ["--help"]
