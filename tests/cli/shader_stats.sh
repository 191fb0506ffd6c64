#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# AMD's compiler takes every shader in every shape, for three generations of chips, and spills no
# registers; so it does with what a translation makes of them.
#     shader_stats.sh [all]
# all: with every value of all constants, which takes minutes; else those of the first shape alone.
. "$(dirname -- "$0")/common.sh"

root=$(dirname -- "$0")/../..
case ${1:-some} in all) some='' ;; *) some=--some ;; esac
# shellcheck disable=SC2086 # no option where all are wanted
HEED=$HEED sh "$root/tools/shader-stats" $some >"$work/out" 2>"$work/err"
code=$?
if [ "$code" -eq 77 ]; then
    cat "$work/out"
    exit 77
fi
what='tools/shader-stats'
[ "$code" -eq 0 ] || wrong "$what: exit code $code"
says_nothing
# integer dot products are for chips that have them
for kernel in $(sed -n 's/^SHADER([A-Z0-9_]*, \([a-z0-9_]*\),.*/\1/p' "$root/backends/vulkan/kernels.inc"); do
    chips='VEGA10 NAVI21 (GFX1100|NAVI31)'
    case $kernel in
    *_dot) chips='NAVI21 (GFX1100|NAVI31)' ;;
    *_coop_*) continue ;; # cooperative matrices aside
    esac
    for chip in $chips; do
        grep -qE "^$chip +$kernel +[1-9]" "$work/out" || wrong "$what: nothing of $kernel for $chip"
    done
done
grep -qE '^[0-9]+ kernels, 0 of them spill$' "$work/out" || wrong "$what: the last line"
finish
