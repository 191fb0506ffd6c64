#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# heed bench: what it says and writes. No figure is looked at.
. "$(dirname -- "$0")/common.sh"

expect 0 "$HEED" bench --help
grep -q -- '--translate FILE' "$work/out" || wrong "the help does not name --translate"
expect 0 "$HEED" bench --op help
grep -q '^matmul .*m x k x n' "$work/out" || wrong "--op help does not list matmul"
grep -q '1x512x58101' "$work/out" || wrong "--op help does not list shapes"

# what is wrong is said before anything is measured
expect 2 "$HEED" bench --op matmull
says "did you mean 'matmul'"
expect 2 "$HEED" bench --op transpose
says 'move no data'
expect 2 "$HEED" bench --op add --shape 3
says "shape '3' of add" 'rows x n'
expect 2 "$HEED" bench --shape 3x4
says --op
expect 2 "$HEED" bench --op add --json --csv
says exclude
expect 2 "$HEED" bench --op add --dtype f33
says f16
expect 2 "$HEED" bench --reference "$work/none"
says --translate
expect 2 "$HEED" bench --op add --backends 'scalar,,scalar'
says --backends
expect 6 "$HEED" bench --op add --backends nonsense
says nonsense
expect 3 "$HEED" bench --translate "$work/none"
says "$work/none"
: >"$work/empty"
expect 3 "$HEED" bench --translate "$work/empty"
says 'no line'
printf 'A man is riding a bike.\nThe street is wet.\n' >"$work/text"
printf 'one line\n' >"$work/short"
expect 3 "$HEED" bench --translate "$work/text" --reference "$work/short"
says '2 lines' 'has 1'
expect 3 "$HEED" bench --translate "$work/text" --model "$work/none.gguf"
says "$work/none.gguf"
expect 5 "$HEED" bench --op add --report "$work/none/page.html"
says "$work/none/page.html"
expect 5 "$HEED" bench --op add --output "$work"
says "$work"

# operators: a table and a page
small='--seconds 1 --threads 1'
# shellcheck disable=SC2086
expect 0 "$HEED" bench $small --op add,mul --shape 4x8 --shape 4x8:row --backends scalar \
    --report "$work/page.html"
says_nothing
for word in 'heed 0.' 'limits:' 'scalar:' 'add 4x8 ' 'mul 4x8:row' 'GB/s' 'measured in'; do
    grep -qF "$word" "$work/out" || wrong "the table lacks '$word'"
done
[ "$(grep -c '^  scalar ' "$work/out")" -eq 4 ] || wrong "the table has not four results"
head -n 1 "$work/page.html" | grep -qi '<!doctype html>' || wrong "the page is no HTML"
grep -q '</html>' "$work/page.html" || wrong "the page is not whole"
[ "$(grep -c '<svg' "$work/page.html")" -ge 2 ] || wrong "the page has no charts"
grep -qE 'https?:|<script|<link|@import|url\(' "$work/page.html" && wrong "the page needs more than itself"
absent "$work/page.html.part"

# the same as CSV: as many fields in every line
# shellcheck disable=SC2086
expect 0 "$HEED" bench $small --op add --shape 4x8 --backends scalar --warm-cache --csv
says_nothing
[ "$(wc -l <"$work/out")" -eq 2 ] || wrong "CSV has not two lines"
awk -F, 'NR == 1 { n = NF } NF != n { exit 1 }' "$work/out" || wrong "CSV lines differ in fields"
grep -q '^add,4x8,f32,scalar,1,1,' "$work/out" || wrong "CSV begins otherwise"

# what no operator takes is named, in the table too; nothing at all is no success
# shellcheck disable=SC2086
expect 6 "$HEED" bench $small --op softmax --shape 2x3 --dtype i8 --backends scalar
says 'softmax 2x3 i8' 'nothing could be run'
grep -q 'softmax 2x3 i8' "$work/out" || wrong "the case is not in the table"
# shellcheck disable=SC2086
expect 0 "$HEED" bench $small --op cast,relu --shape 2x3 --dtype i8 --backends scalar --csv
says 'relu 2x3 i8'
awk -F, 'NR == 1 { n = NF } NF < n { exit 1 }' "$work/out" || wrong "CSV lines differ in fields"

# a plugin that runs nothing takes part, and says so
nothing=$(dirname -- "$HEED")/../tests/plugins/heed-backend-good.so
if [ -e "$nothing" ]; then
    # shellcheck disable=SC2086
    expect 0 "$HEED" bench $small --op add --shape 4x8 --backends "scalar,$nothing" --csv
    awk -F, 'NR == 1 { n = NF } NF != n { exit 1 }' "$work/out" ||
        wrong "CSV lines differ in fields"
    grep -q '^add,4x8,f32,good.so,.*declined' "$work/out" || wrong "the reason is missing"
fi

# JSON to a file
# shellcheck disable=SC2086
expect 0 "$HEED" bench $small --op matmul --shape 2x3x4 --backends scalar --json \
    --output "$work/op.json"
gives ''
for word in '"samples"' '"share_of_ideal"' '"working_set_bytes"' '"prepare"' '"seed"'; do
    grep -qF "$word" "$work/op.json" || wrong "JSON lacks $word"
done
absent "$work/op.json.part"

# a translation that is its own reference
expect 0 "$HEED" translate --backend scalar --input "$work/text"
cp "$work/out" "$work/reference"
# shellcheck disable=SC2086
expect 0 "$HEED" bench $small --translate "$work/text" --reference "$work/reference" \
    --backends scalar --report "$work/page.html"
says_nothing
for word in tokens/s words/s p99 'cold, to the' 'peak of' 'times the ideal' 'ran on scalar'; do
    grep -qF "$word" "$work/out" || wrong "the table lacks '$word'"
done
grep -qE 'matmul +[0-9]+ ' "$work/out" || wrong "the table lacks the time by operator"
grep -q '2 lines, 10 words' "$work/out" || wrong "lines and words are counted otherwise"
grep -q 'Cold start' "$work/page.html" || wrong "the page lacks the translation"
# "The street is wet." may be shorter than four words in German, both lines together are not
grep -qE 'BLEU +100\.00' "$work/out" || wrong "a text is not equal to itself"
# shellcheck disable=SC2086
expect 0 "$HEED" bench $small --translate "$work/text" --backends scalar --json
for word in '"batch_tokens_per_s"' '"cold_start"' '"peak_bytes"' '"operators"' '"roofline"' '"commit"'; do
    grep -qF "$word" "$work/out" || wrong "JSON lacks $word"
done
# shellcheck disable=SC2086
expect 0 "$HEED" bench $small --translate "$work/text" --backends scalar --csv
awk -F, 'NR == 1 { n = NF } NF != n { exit 1 }' "$work/out" || wrong "CSV lines differ in fields"

# a bundle: everything in one file, and nothing of this machine's folders
# shellcheck disable=SC2086
expect 0 "$HEED" bench $small --op matmul --shape 2x32x8 --translate "$work/text" \
    --backends scalar --bundle "$work/bundle.json"
for word in '"heed_bundle":' '"devices":' '"unit_roundoff":' '"tuning":' '"processor":' '"f16"' \
    '"translation":' '"commit":' '"device":'; do
    grep -qF "$word" "$work/bundle.json" || wrong "the bundle lacks $word"
done
grep -qF "$work" "$work/bundle.json" && wrong "the bundle names a folder"
grep -q UUID "$work/bundle.json" && wrong "the bundle tells which card it is"
absent "$work/bundle.json.part"
if command -v python3 >/dev/null 2>&1; then
    python3 -m json.tool "$work/bundle.json" >"$work/json.out" || wrong "the bundle is no JSON"
fi
expect 5 "$HEED" bench --bundle "$work/none/bundle.json"
says "$work/none/bundle.json"
expect 6 "$HEED" bench $small --tune --backends scalar
says 'no backend here has a device that can be tuned'
expect 2 "$HEED" bench --tune --csv
says --json

# lines that cannot be translated are counted, the rest goes on
printf 'A man is riding a bike.\n\377\n' >"$work/broken"
# shellcheck disable=SC2086
expect 0 "$HEED" bench $small --translate "$work/broken" --backends scalar
grep -qE 'lines +failed +1$' "$work/out" || wrong "the failing line is not counted"
finish
