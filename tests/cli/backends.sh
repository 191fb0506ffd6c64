#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Choosing backends: by option, by environment, by path; what is not needed is not loaded.
. "$(dirname -- "$0")/common.sh"

text='A man is riding a bike.'
expect 0 "$HEED" devices
grep -q '^scalar:0 ' "$work/out" || wrong "devices does not list scalar"
expect 0 "$HEED" devices --format json
grep -q '"backend":[[:space:]]*"scalar"' "$work/out" || wrong "devices --format json"
plugin=$(sed -n 's/.*"plugin":[[:space:]]*"\([^"]*scalar[^"]*\)".*/\1/p' "$work/out")

expect 0 "$HEED" translate "$text"
cp "$work/out" "$work/wanted"
for list in scalar scalar:0 scalar,only auto; do
    expect 0 "$HEED" translate --backend "$list" "$text"
    same "$work/out" "$work/wanted"
    says_nothing
    expect 0 env HEED_BACKEND="$list" "$HEED" translate "$text"
    same "$work/out" "$work/wanted"
    says_nothing
done
expect 0 "$HEED" translate --verbose --backend scalar "$text"
says 'on scalar'

# a backend that is not there: said aloud; with nothing to fall back to, an error
expect 0 "$HEED" translate --backend nonsense "$text"
says "backend 'nonsense' cannot be used"
same "$work/out" "$work/wanted"
expect 6 "$HEED" translate --backend nonsense,only "$text"
says nonsense
gives ''
expect 6 env HEED_BACKEND=nonsense,only "$HEED" translate "$text"
says nonsense
# the option wins over the environment
expect 0 env HEED_BACKEND=nonsense,only "$HEED" translate --backend scalar "$text"
says_nothing
expect 6 "$HEED" translate --backend scalar:7,only "$text"
says scalar 7
expect 6 "$HEED" translate --backend "$work/none.so,only" "$text"
says "$work/none.so"

if [ -n "$plugin" ]; then
    expect 0 "$HEED" translate --backend "$plugin,only" "$text"
    same "$work/out" "$work/wanted"

    # a broken plugin beside the good one is named where it is looked at, and does no harm
    mkdir "$work/plugins"
    echo 'no plugin' >"$work/plugins/heed-backend-broken.so"
    expect 0 env HEED_PLUGIN_PATH="$work/plugins" "$HEED" devices
    grep -q 'broken.*not usable' "$work/out" || wrong "devices does not name the broken plugin"
    grep -q '^scalar:0 ' "$work/out" || wrong "devices does not list scalar beside it"
    # naming one backend, or none, opens no other file
    for option in --backend=scalar --threads=1; do
        rm -f "$work"/ld.*
        expect 0 env HEED_PLUGIN_PATH="$work/plugins" LD_DEBUG=files LD_DEBUG_OUTPUT="$work/ld" \
            "$HEED" translate "$option" "$text"
        says_nothing
        if ls "$work"/ld.* >/dev/null 2>&1; then
            grep -q 'heed-backend-' "$work"/ld.* || wrong "$option: no plugin was loaded"
            grep -q 'heed-backend-broken' "$work"/ld.* && wrong "$option: an unneeded plugin was opened"
        else
            echo "SKIP: the loader tells nothing (LD_DEBUG); what is loaded is not checked"
        fi
    done
fi
finish
