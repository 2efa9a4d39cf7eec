#!/usr/bin/env bash
# The postgres image runs this once, on an empty volume: a role and a database for each service that
# `citywatch keys` made a password for, and no way from one into another's.
set -euo pipefail

for file in "${KEYS:-/keys}"/*; do
    service=${file##*/}
    [ "$service" = superuser ] && continue
    # From stdin: a password on a command line is seen by whoever lists processes.
    psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --username="$POSTGRES_USER" --dbname=postgres << SQL
\set service $service
\set password \`cat "$file"\`
CREATE ROLE :"service" LOGIN PASSWORD :'password';
CREATE DATABASE :"service" OWNER :"service";
REVOKE ALL ON DATABASE :"service" FROM PUBLIC;
SQL
done
