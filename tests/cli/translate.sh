#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# One line out per line in, in order, whatever the lines come from and how they end.
. "$(dirname -- "$0")/common.sh"

dogs='Two dogs are running in the snow.'
bike='A man is riding a bike.'
expect 0 "$HEED" translate "$dogs"
says_nothing
hunde=$(cat "$work/out")
[ -n "$hunde" ] && [ "$hunde" != "$dogs" ] || wrong "nothing was translated"
expect 0 "$HEED" translate "$bike"
rad=$(cat "$work/out")
[ "$hunde" != "$rad" ] || wrong "two sentences have one translation"
both="$hunde
$rad
"

expect 0 "$HEED" translate "$dogs" "$bike"
gives "$both"
expect 0 "$HEED" translate -- "$dogs" '' "$bike"
gives "$hunde

$rad
"
expect 0 "$HEED" translate </dev/null
gives ''

printf '%s\n%s\n' "$dogs" "$bike" >"$work/unix"
printf '%s\r\n%s\r\n' "$dogs" "$bike" >"$work/dos"
printf '\357\273\277%s\n%s' "$dogs" "$bike" >"$work/marked"
for form in unix dos marked; do
    expect 0 "$HEED" translate <"$work/$form"
    gives "$both"
    expect 0 "$HEED" translate --input "$work/$form"
    gives "$both"
done
expect 0 "$HEED" translate -i "$work/unix" --input="$work/marked" -i "$work/dos"
gives "$both$both$both"
expect 0 "$HEED" translate -i "$work/marked" -i - <"$work/dos"
gives "$both$both"
printf '\n\n%s\n\n  \n%s\n\n' "$dogs" "$bike" >"$work/empty_lines"
expect 0 "$HEED" translate -i "$work/empty_lines"
gives "

$hunde


$rad

"
printf '\n' >"$work/newline"
expect 0 "$HEED" translate -i "$work/newline"
gives '
'
: >"$work/nothing"
expect 0 "$HEED" translate -i "$work/nothing"
gives ''

# more lines than fit into one batch, long and short mixed: as many out as in, in order
i=0
while [ $i -lt 80 ]; do
    printf '%s\n%s\n' "$dogs" "$bike"
    i=$((i + 1))
done >"$work/many"
i=0
while [ $i -lt 80 ]; do
    printf '%s\n%s\n' "$hunde" "$rad"
    i=$((i + 1))
done >"$work/wanted"
expect 0 "$HEED" translate --threads 1 -i "$work/many"
same "$work/out" "$work/wanted"
expect 0 "$HEED" translate --threads 3 -i "$work/many"
same "$work/out" "$work/wanted"

# JSON
printf '%s\nA\377"B\\\n\n' "$dogs" >"$work/mixed"
expect 4 "$HEED" translate --format json -i "$work/mixed"
says 'input line 2' 'UTF-8'
[ "$(wc -l <"$work/out")" -eq 3 ] || wrong "json: three lines"
sed -n 1p "$work/out" | grep -qF "{\"text\":\"$dogs\",\"translation\":\"$hunde\",\"score\":-" ||
    wrong "json: the first line"
sed -n 1p "$work/out" | grep -qE '"tokens":\[[0-9]+(,[0-9]+)*\],"error":null\}$' ||
    wrong "json: tokens"
replacement=$(printf '\357\277\275')
sed -n 2p "$work/out" | grep -qF "{\"text\":\"A$replacement\\\"B\\\\\",\"translation\":\"\",\"score\":null,\"tokens\":[],\"error\":\"" ||
    wrong "json: the second line"
sed -n 3p "$work/out" | grep -qF '{"text":"","translation":""' || wrong "json: the third line"

# a bound on the length cuts, it does not fail
expect 0 "$HEED" translate --max-length 2 "$dogs"

# what the other options show
expect 0 "$HEED" translate --verbose "$dogs"
gives "$hunde
"
says ' on ' memory
expect 0 "$HEED" translate --profile "$work/trace.json" "$dogs"
grep -q 'traceEvents\|^\[' "$work/trace.json" || wrong "--profile: no trace"
expect 5 "$HEED" translate --profile "$work/missing/trace.json" "$dogs"
says "$work/missing/trace.json"
gives "$hunde
"

# nothing is drawn where standard error is not a terminal
expect 0 "$HEED" translate -i "$work/unix" -o "$work/file"
says_nothing
finish
