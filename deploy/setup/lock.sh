#!/bin/sh
# Regenerates the lock files: make lock. Needs a package registry.
set -eu
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check uv==0.13.9
compile() { # compile LOCK SOURCE... OPTION...
    lock=$1
    shift
    # without a header and without an index: what one machine is configured with is not ours
    "$work/venv/bin/uv" --no-config pip compile --quiet --upgrade --generate-hashes --no-header \
        --no-emit-index-url --no-emit-find-links --python-version 3.11 --output-file "$work/$lock" "$@"
    mv "$work/$lock" "deploy/setup/$lock"
}
compile run.lock pyproject.toml deploy/setup/build.in --extra embedded
compile dev.lock pyproject.toml deploy/setup/build.in --extra embedded --extra dev
compile node.lock deploy/setup/node.in
# the page's packages: versions are pinned in package.json, digests come from the registry
cp deploy/web/package.json deploy/web/.npmrc "$work/"
(cd "$work" && npm install --package-lock-only --ignore-scripts --loglevel=error)
if grep -n '"resolved"' "$work/package-lock.json"; then
    echo "package-lock.json names the server it was made from" >&2
    exit 1
fi
mv "$work/package-lock.json" deploy/web/package-lock.json
