# The page is built by Node, the packages are installed by a builder, the image holds neither's tools.
FROM node:22-bookworm-slim AS web
WORKDIR /src/web
COPY web/package.json web/package-lock.json web/.npmrc* ./
RUN npm ci --no-audit --no-fund --loglevel=error
COPY web/ ./
RUN npm run build

FROM python:3.11-slim-bookworm AS packages
# Where torch's CPU builds are; where it cannot be reached, the ordinary index's torch is taken.
ARG TORCH_CPU_INDEX=https://download.pytorch.org/whl/cpu
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
RUN python -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH
COPY requirements.lock /tmp/
RUN pip install --no-deps $(grep -E '^setuptools==' /tmp/requirements.lock) \
 && pip install --no-deps --retries 0 --timeout 15 --extra-index-url "$TORCH_CPU_INDEX" $(grep -oE '^torch==[^ ]+' /tmp/requirements.lock) \
 && pip install --no-deps --no-build-isolation -r /tmp/requirements.lock \
 && python -c 'import torch, whisper' \
 && rm -rf /opt/venv/lib/python3.11/site-packages/torch/include /opt/venv/lib/python3.11/site-packages/torch/test \
 && find /opt/venv -name '*.pyc' -delete
COPY pyproject.toml README.md LICENSE /opt/autodubber/
COPY app /opt/autodubber/app
RUN pip install --no-deps --no-build-isolation --editable /opt/autodubber \
 && python -m compileall -q /opt/autodubber/app

FROM python:3.11-slim-bookworm
RUN groupadd --gid 1000 autodubber && useradd --uid 1000 --gid autodubber --no-create-home --home-dir /tmp autodubber \
 && install -d -o autodubber -g autodubber -m 1777 /data
COPY --from=packages /opt/venv /opt/venv
COPY --from=packages /opt/autodubber /opt/autodubber
COPY --from=web /src/web/build /opt/autodubber/web/build
COPY entrypoint.sh supervisord.conf /opt/autodubber/
ENV PATH=/opt/venv/bin:$PATH HOME=/tmp PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 NUMBA_CACHE_DIR=/tmp/numba \
    AUTODUBBER_DATA=/data AUTODUBBER_HOST=0.0.0.0 AUTODUBBER_PORT=8000
WORKDIR /data
USER autodubber
EXPOSE 8000
VOLUME /data
HEALTHCHECK --interval=30s --timeout=6s --start-period=60s --start-interval=1s --retries=3 CMD ["autodubber", "health"]
ENTRYPOINT ["/opt/autodubber/entrypoint.sh"]
CMD ["serve"]
