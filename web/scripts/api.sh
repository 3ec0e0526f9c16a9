#!/bin/sh
# Writes src/lib/api/schema.d.ts from the server's OpenAPI document; with --check, says whether the committed one is current.
# Run from web/, after `make setup`.
set -eu
python=${PYTHON:-../.venv/bin/python}
committed=src/lib/api/schema.d.ts
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
(cd .. && "${python#../}" -m app openapi) > "$work/openapi.json"
node_modules/.bin/openapi-typescript "$work/openapi.json" --default-non-nullable=false --output "$work/schema.d.ts" >/dev/null
if [ "${1:-}" != --check ]; then
  cp "$work/schema.d.ts" "$committed"
elif ! cmp -s "$work/schema.d.ts" "$committed"; then
  diff -u "$committed" "$work/schema.d.ts" | head -40 || true
  echo "web/$committed is not what the server says: run \`npm run api\` in web/" >&2
  exit 1
fi
