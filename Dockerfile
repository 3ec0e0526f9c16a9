# The page is built by Node, the packages are installed and made small by a builder; the image holds neither's tools. docs/image.md says what
# takes its room, and which build arguments there are.
FROM node:22-bookworm-slim AS web
WORKDIR /src/web
COPY web/package.json web/package-lock.json web/.npmrc ./
RUN --mount=type=cache,target=/root/.npm npm ci --no-audit --no-fund --loglevel=error
COPY web/ ./
RUN npm run build

FROM python:3.11-slim-bookworm AS packages
# The index of torch's builds: .../whl/cpu, or one of CUDA's such as .../whl/cu126 (with its libraries, 5 GB). Where it cannot be reached, the
# ordinary index's torch is taken.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
# hadolint ignore=DL3008
RUN apt-get update && apt-get install -y --no-install-recommends binutils && rm -rf /var/lib/apt/lists/* \
 && python -m venv --without-pip /opt/venv
COPY requirements.lock deploy/image/install.sh /tmp/
RUN --mount=type=cache,target=/root/.cache/pip sh /tmp/install.sh /opt/venv /tmp/requirements.lock "$TORCH_INDEX"
COPY deploy/image/shrink.sh deploy/image/smoke.py /tmp/image/
RUN sh /tmp/image/shrink.sh /opt/venv/lib/python3.11/site-packages && /opt/venv/bin/python /tmp/image/smoke.py \
 && echo /opt/autodubber >/opt/venv/lib/python3.11/site-packages/autodubber.pth \
 && printf '#!/opt/venv/bin/python\nimport sys\n\nfrom app.cli.main import main\n\nsys.exit(main())\n' >/opt/venv/bin/autodubber \
 && chmod 755 /opt/venv/bin/autodubber

FROM packages AS application
COPY app /opt/autodubber/app
RUN /opt/venv/bin/python -m compileall -q --invalidation-mode unchecked-hash /opt/autodubber/app \
 && /opt/venv/bin/autodubber version && /opt/venv/bin/autodubber openapi -o /dev/null

FROM python:3.11-slim-bookworm
# Python's own modules come without bytecode; without this, every process would compile them anew.
RUN python -m compileall -q -x '/(site-packages|test|tests|idlelib|lib2to3|tkinter|turtledemo|ensurepip|distutils)/' /usr/local/lib/python3.11 \
 && groupadd --gid 1000 autodubber && useradd --uid 1000 --gid autodubber --no-create-home --home-dir /tmp autodubber \
 && install -d -o autodubber -g autodubber -m 1777 /data
COPY --from=packages /opt/venv /opt/venv
COPY LICENSE entrypoint.sh supervisord.conf /opt/autodubber/
COPY --from=web /src/web/build /opt/autodubber/web/build
COPY --from=application /opt/autodubber/app /opt/autodubber/app
ENV PATH=/opt/venv/bin:$PATH HOME=/tmp PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    AUTODUBBER_DATA=/data AUTODUBBER_HOST=0.0.0.0 AUTODUBBER_PORT=8000
WORKDIR /data
USER 1000:1000
EXPOSE 8000
VOLUME /data
HEALTHCHECK --interval=30s --timeout=6s --start-period=60s --start-interval=1s --retries=3 CMD ["autodubber", "health"]
ENTRYPOINT ["/opt/autodubber/entrypoint.sh"]
CMD ["serve"]
ARG VERSION=dev
ARG REVISION=unknown
ARG CREATED=1970-01-01T00:00:00Z
LABEL org.opencontainers.image.title="AutoDubber" \
      org.opencontainers.image.description="Re-voice and dub videos on a machine of your own" \
      org.opencontainers.image.source="https://github.com/autodubber/autodubber" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION" \
      org.opencontainers.image.created="$CREATED"
