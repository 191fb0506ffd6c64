#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A line is translated as soon as it is there: this writes one, waits for its translation, and only
# then writes the next.
. "$(dirname -- "$0")/common.sh"

if ! command -v timeout >/dev/null 2>&1; then
    echo "SKIP: timeout is not installed"
    exit 77
fi
mkfifo "$work/to" "$work/from" || exit 2
timeout 120 "$HEED" translate <"$work/to" >"$work/from" 2>"$work/err" &
program=$!
exec 3>"$work/to" 4<"$work/from"
what="a conversation"
: >"$work/out"
for line in 'Two dogs are running.' '' 'A man is riding a bike.' 'A woman sings.'; do
    printf '%s\n' "$line" >&3
    if ! IFS= read -r answer <&4; then
        wrong "no answer to '$line'"
        break
    fi
    printf '%s\n' "$answer" >>"$work/out"
    if [ -n "$line" ] && [ -z "$answer" ]; then wrong "an empty answer to '$line'"; fi
    if [ -z "$line" ] && [ -n "$answer" ]; then wrong "an answer to an empty line"; fi
done
# half a line is not translated before it ends
printf 'A man is' >&3
sleep 1
printf ' riding a bike.' >&3
exec 3>&-
IFS= read -r answer <&4
[ "$answer" = "$(sed -n 3p "$work/out")" ] || wrong "a line in two pieces: '$answer'"
if IFS= read -r answer <&4; then wrong "one more line: '$answer'"; fi
wait "$program" || wrong "the program ended with $?"
finish
