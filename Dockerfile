# The REST API (the default command) and the web page (authentiscan app) in one image, without torch.
# Another choice of extras: docker build --build-arg EXTRAS=api .
FROM python:3.11-slim AS build

ARG EXTRAS=api,app,heif,fast,video

WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY src ./src

RUN python -m venv /opt/authentiscan \
    && /opt/authentiscan/bin/pip install --no-cache-dir --disable-pip-version-check \
        --constraint constraints.txt ".[${EXTRAS}]" \
    && /opt/authentiscan/bin/pip uninstall --yes --quiet pip setuptools

FROM python:3.11-slim

LABEL org.opencontainers.image.title="authentiscan" \
      org.opencontainers.image.description="Tells camera photographs from AI-generated images" \
      org.opencontainers.image.licenses="Apache-2.0"

COPY --from=build /opt/authentiscan /opt/authentiscan

# Keys and jobs lie in /data; nothing else is written, so the root may be read-only (with a tmpfs at /tmp).
RUN install -d -m 700 -o 10001 -g 10001 /data

ENV PATH=/opt/authentiscan/bin:$PATH \
    AUTHENTISCAN_STATE=/data \
    HOME=/tmp \
    PYTHONDONTWRITEBYTECODE=1

USER 10001:10001
VOLUME /data
EXPOSE 8000 8501
STOPSIGNAL SIGTERM

HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/healthz', timeout=4).close()"]

ENTRYPOINT ["authentiscan"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8000"]
