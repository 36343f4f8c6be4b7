FROM denoland/deno:2.9.6

RUN apt-get update && apt-get install --yes --no-install-recommends bubblewrap git && rm -rf /var/lib/apt/lists/*
RUN mkdir /data && chown deno:deno /data
WORKDIR /isola
COPY . .

# Dependencies are fetched here, so that a container starts without a network.
USER deno
RUN deno install --frozen

# Inside the container every interface; what reaches the control plane is decided by the ports that are published.
ENV ISOLA_DATA_DIR=/data \
    ISOLA_HTTP_ADDR=0.0.0.0:8000 \
    ISOLA_CONTROL_ADDR=0.0.0.0:8001
VOLUME /data
EXPOSE 8000 8001 8443

HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
    CMD ["deno", "eval", "Deno.exit((await fetch('http://127.0.0.1:8001/healthz')).ok ? 0 : 1)"]

# tini comes with the base image: it passes signals on and reaps orphans.
ENTRYPOINT ["/tini", "--", "deno", "run", "-A", "mod.ts"]
CMD ["serve"]
