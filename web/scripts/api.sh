#!/bin/sh
# Writes src/lib/api/schema.d.ts from the server's OpenAPI document. Run from web/, after `make setup`.
set -eu
python=${PYTHON:-../.venv/bin/python}
document=$(mktemp)
trap 'rm -f "$document"' EXIT
(cd .. && "${python#../}" -m app.cli openapi) > "$document"
node_modules/.bin/openapi-typescript "$document" --default-non-nullable=false --output src/lib/api/schema.d.ts
