#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# heed translate --shadow: the translation stays the same, and standard error says whether another
# backend agrees. HEED_TEST_PLUGINS is the folder of the plugins that are wrong on purpose.
. "$(dirname -- "$0")/common.sh"

# what is wrong with the options is said before anything else
expect 2 "$HEED" translate --shadow-rate 0.5 x
says '--shadow-rate' '--shadow B'
expect 2 "$HEED" translate --shadow-seed 3 x
says '--shadow-seed' '--shadow B'
for rate in 1.01 -0.1 nan inf 0x1 1% '' .; do
    expect 2 "$HEED" translate --shadow scalar --shadow-rate "$rate" x
    says '--shadow-rate:'
done
for seed in -1 1.5 x ''; do
    expect 2 "$HEED" translate --shadow scalar --shadow-seed "$seed" x
    says '--shadow-seed:'
done
expect 2 "$HEED" translate --shadow '' x
says '--shadow: the value is empty'
expect 2 "$HEED" translate --shadow scalar,scalar x
says '--shadow' 'does not name one backend'
expect 6 "$HEED" translate --shadow nonsense x
says '--shadow' nonsense

cat >"$work/lines" <<'LINES'
Two dogs are running in the snow.
A man is riding a bike.

A woman in a red coat is reading a book on a bench.
LINES
expect 0 "$HEED" translate --input "$work/lines"
cp "$work/out" "$work/alone"

# every sub-graph
expect 0 "$HEED" translate --shadow scalar --shadow-rate 1 --input "$work/lines"
same "$work/out" "$work/alone"
says 'shadow scalar: agrees' '(rate 1, seed 1)' ' 0 disagree, 0 dropped, 0 declined, 0 failed'
grep -q ' 0 compared' "$work/err" && wrong "nothing was compared"

# none, and a share that the seed decides
expect 0 "$HEED" translate --shadow scalar --shadow-rate 0 --input "$work/lines"
same "$work/out" "$work/alone"
says 'nothing was compared' ' 0 of '
share() {
    expect 0 "$HEED" translate --threads 1 --steps-per-submit 1 --shadow scalar --shadow-rate 0.3 \
        --shadow-seed "$1" --format json --input "$work/lines"
    sed -n 's/.* \([0-9]* of [0-9]*\) sub-graphs drawn.*/\1/p' "$work/err"
}
[ -n "$(share 5)" ] || wrong "it is not said how many were drawn"
[ "$(share 5)" = "$(share 5)" ] || wrong "the same seed draws another share"

# a plugin that multiplies as with tf32: it is seen, and named; the exit code is the translation's
faulty="$HEED_TEST_PLUGINS/heed-backend-faulty.so"
[ -e "$faulty" ] || wrong "$faulty is missing"
expect 0 "$HEED" translate --backend scalar --shadow "$faulty(fault=tf32)" --shadow-rate 1 \
    'Two dogs are running in the snow.'
head -n 1 "$work/alone" >"$work/first"
same "$work/out" "$work/first"
says 'DISAGREES' 'to blame: the shadow backend' 'encoder.0.q_proj (matmul): value:'

# on the other side
expect 0 "$HEED" translate --backend "$faulty(fault=tile),scalar" --shadow scalar --shadow-rate 1 \
    'Two dogs are running in the snow.'
says 'DISAGREES' 'to blame: the first backend' '.out_proj (matmul): value:'

finish
