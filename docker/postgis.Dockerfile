# PostgreSQL with PostGIS from PostgreSQL's own packages, which exist for Intel and for ARM.
FROM postgres:17-trixie
COPY docker/ca-certificates/ /usr/local/share/ca-certificates/
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install --yes --no-install-recommends postgresql-17-postgis-3 postgresql-17-postgis-3-scripts \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/*
USER postgres
