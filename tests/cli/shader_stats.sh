#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# AMD's compiler takes every shader that the default model uses, for three generations of chips, and
# spills no registers.
. "$(dirname -- "$0")/common.sh"

HEED=$HEED sh "$(dirname -- "$0")/../../tools/shader-stats" >"$work/out" 2>"$work/err"
code=$?
if [ "$code" -eq 77 ]; then
    cat "$work/out"
    exit 77
fi
what='tools/shader-stats'
[ "$code" -eq 0 ] || wrong "$what: exit code $code"
for chip in VEGA10 NAVI21; do
    for kernel in matmul matmul_skinny attention layer_norm softmax top_k matmul_norm \
        matmul_skinny_norm matmul_skinny_choice attention_step; do
        grep -qE "^$chip +$kernel " "$work/out" || wrong "$what: nothing of $kernel for $chip"
    done
done
grep -qE '^[0-9]+ kernels, 0 of them spill$' "$work/out" || wrong "$what: the last line"
finish
