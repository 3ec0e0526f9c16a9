#!/bin/sh
# Known vulnerabilities: `scan.sh SBOM_FOLDER [IMAGE]`. Runs every scanner that is installed and says which are not; all of them ask the network.
# Exit status: 0 nothing critical (npm, pip: nothing at all) was found, 1 something was, 2 no scanner could be run to its end.
set -u
sboms=$1 image=${2:-} ran=0 found=0
here=$(cd "$(dirname "$0")/../.." && pwd)

try() { # try PROGRAM WHAT COMMAND...
  program=$1 what=$2
  shift 2
  if ! command -v "$program" >/dev/null; then
    echo "-- $program: not installed, so not: $what"
    return
  fi
  echo "== $what"
  if "$@"; then ran=$((ran + 1)); else ran=$((ran + 1)) found=1; fi
}

try pip-audit "Python packages (PyPI's advisories)" pip-audit --requirement "$here/requirements.lock" --no-deps --disable-pip
try npm "web packages (npm's advisories)" npm --prefix "$here/web" audit --package-lock-only
for sbom in "$sboms"/*.cdx.json; do
  try grype "$sbom" grype --fail-on critical "sbom:$sbom"
  try trivy "$sbom" trivy sbom --quiet --exit-code 1 --severity CRITICAL "$sbom"
done
if [ -n "$image" ]; then
  try grype "the image $image" grype --fail-on critical --only-fixed "$image"
  try trivy "the image $image, secrets too" trivy image --quiet --exit-code 1 --severity CRITICAL --ignore-unfixed --scanners vuln,secret "$image"
fi
[ "$ran" -gt 0 ] || exit 2
exit "$found"
