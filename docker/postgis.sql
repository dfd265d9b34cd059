-- What the course needs beyond the image's own database and role.
CREATE EXTENSION IF NOT EXISTS postgis;
CREATE SCHEMA IF NOT EXISTS geopython AUTHORIZATION geopython;
ALTER ROLE geopython IN DATABASE "geopython-db" SET search_path = geopython, public;
