#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# heed check: what it says, writes and returns. That it finds faults is shown in tests/check/faults.c.
. "$(dirname -- "$0")/common.sh"

expect 0 "$HEED" check --help
grep -q -- '--replay FILE' "$work/out" || wrong "the help does not name --replay"

# what is wrong is said before anything is checked
expect 2 "$HEED" check --op matmull
says "did you mean 'matmul'"
expect 2 "$HEED" check --op transpose
says view
expect 2 "$HEED" check --case 3
says '--op'
expect 2 "$HEED" check --op add --case 3 --cases 4
says '--case'
expect 2 "$HEED" check --op add --threads 1,x
says '--threads'
expect 2 "$HEED" check --op add --replay "$work/none"
says '--replay'
expect 2 "$HEED" check --backend 'scalar,,scalar'
says '--backend'
expect 6 "$HEED" check --backend nonsense
says nonsense
expect 3 "$HEED" check --backend scalar --replay "$work/none"
says "$work/none"
printf 'heed-check-case 1\nop sclae\n' >"$work/bad"
expect 3 "$HEED" check --backend scalar --replay "$work/bad"
says 'line 2' sclae

# a table, with the seed that replays it
expect 0 "$HEED" check --backend scalar --op softmax,relu --cases 12 --seed 7
grep -q '^seed 7$' "$work/out" || wrong "the seed is not printed"
grep -Eq '^softmax +f32 ' "$work/out" || wrong "there is no row for softmax in f32"
grep -Eq '^scalar: holds; 24 cases, 0 failed, 0 declined' "$work/out" || wrong "24 cases are not 24"
cp "$work/out" "$work/first"
expect 0 "$HEED" check --backend scalar --op softmax,relu --cases 12 --seed 7
sed 's/[0-9.]* s$//' "$work/first" >"$work/a"
sed 's/[0-9.]* s$//' "$work/out" | cmp -s - "$work/a" || wrong "the same seed gives another table"
expect 0 "$HEED" check --backend scalar --op softmax --case 5 --seed 7 --repeat 5 --threads 1,2,3
grep -q '^scalar: holds; 1 cases' "$work/out" || wrong "--case 5 is not one case"

# backends each by itself, in any way of naming several
expect 0 "$HEED" check --backend scalar --backend 'scalar(),scalar' --op relu --cases 3
[ "$(grep -c '^scalar.*: holds; 3 cases' "$work/out")" = 3 ] || wrong "3 backends are not 3"

# a case from a file: what is drawn is read as it was written (0.5 * 3 = 1.5)
cat >"$work/case" <<'CASE'
heed-check-case 1
# by hand
op scale
random 0
attrs 8 1056964608
operand 0 f32 input stepped 1 2 a
view 0 1 2 1 0
values 3 -8
end
CASE
expect 0 "$HEED" check --backend scalar --replay "$work/case"
grep -q '^scalar: ok scale' "$work/out" || wrong "the case does not hold"

expect 0 "$HEED" check --backend scalar --op add --cases 4 --json
grep -q '"holds":.*true' "$work/out" || wrong "the JSON does not say that all holds"
grep -q '"largest_ulp":' "$work/out" || wrong "the JSON does not say how many ULP"

# all backends beside each other
expect 0 "$HEED" check --all --backend scalar,scalar --op matmul,relu --cases 30
grep -Eq '^matmul +0\.[0-9]+ ' "$work/out" || wrong "the matrix has no row for matmul"
grep -Eq '^precision +f32 ' "$work/out" || wrong "scalar is not found to compute in f32"

# a whole model
expect 2 "$HEED" check --model default --op add
says '--model'
expect 2 "$HEED" check --against scalar
says '--model'
expect 3 "$HEED" check --model "$work/none" --backend scalar
says "$work/none"
if [ -n "$(ls "$HEED_MODELS"/*.gguf 2>/dev/null)" ]; then
    expect 0 "$HEED" check --model default --backend scalar --input 'Hello.' --tokens 1
    grep -q '^scalar against f64: holds' "$work/out" || wrong "the default model does not hold"
    grep -q 'the largest error, .* is at' "$work/out" || wrong "no node is named"
    grep -q "the other side's is the same" "$work/out" || wrong "the translations differ"
    grep -q 'as run: .* 0 beyond their tolerance' "$work/out" || wrong "whole graphs do not hold"
    expect 0 "$HEED" check --model default --backend scalar --against scalar --input 'Hello.' \
        --tokens 1 --json --report "$work/page.html"
    for member in worst_isolated worst_accumulated as_run same_choices shared_best_5 logits \
        same_translation translation path together; do
        grep -q "\"$member\":" "$work/out" || wrong "the JSON of a model has no '$member'"
    done
    for words in 'Inside a model' 'holds</span>' 'isolated' 'accumulated' 'as run' 'same best one' \
        'the same:' 'How errors grow' 'How close nodes come'; do
        grep -q "$words" "$work/page.html" || wrong "the page of a model does not say '$words'"
    done
    [ "$(tail -n 1 "$work/page.html")" = '</html>' ] || wrong "the page of a model is cut"
fi

# a page that needs nothing else
expect 5 "$HEED" check --backend scalar --op relu --cases 1 --report "$work/none/page.html"
says "$work/none/page.html"
expect 0 "$HEED" check --backend scalar --op relu,add --cases 9 --report "$work/page.html"
grep -q 'Do the backends agree? .*Yes' "$work/page.html" || wrong "the page does not say that all holds"
grep -q '<tr><td>relu<td>' "$work/page.html" || wrong "the page has no row for relu"
grep -q '<tr><td>relu<td>f32<td>' "$work/page.html" || wrong "the page has no row for relu in f32"
grep -Eq '<script|https?://|src=' "$work/page.html" && wrong "the page needs something else"
[ "$(tail -n 1 "$work/page.html")" = '</html>' ] || wrong "the page is cut"
finish
