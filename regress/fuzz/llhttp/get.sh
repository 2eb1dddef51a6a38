#!/bin/sh
# Fetch llhttp from the npm registry into a directory, for the differential
# tests only:
#	llhttp 1.0.1, the only one published under its own name, as the C that
#	its generator makes: llhttp_gen.c, http.c, api.c, llhttp.h
#	the current one as undici ships it, in WebAssembly: for batch.js
#	get.sh directory
set -eu
here=$(cd "$(dirname "$0")" && pwd)
dir=$1
[ ! -e "$dir/.done" ] || exit 0
mkdir -p "$dir"
cd "$dir"
echo '{ "name": "oracle", "private": true }' > package.json
npm install --silent --no-audit --no-fund --ignore-scripts \
    llhttp@1.0.1 llparse@6.0.1 undici@6.29.1 >/dev/null
node "$here/generate.js" .
cp node_modules/llhttp/src/native/http.c node_modules/llhttp/src/native/api.c .
touch .done
