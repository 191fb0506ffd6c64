#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A line that cannot be translated is named, leaves an empty line, and does not stop the others.
. "$(dirname -- "$0")/common.sh"

dogs='Two dogs are running in the snow.'
hunde=$("$HEED" translate "$dogs")

# line WHAT FILE_WITH_THE_LINE PATTERN...: translated between two good ones
line() {
    { printf '%s\n' "$dogs"; cat "$2"; printf '\n%s\n' "$dogs"; } >"$work/input"
    shift 2
    expect 4 "$HEED" translate --threads 2 -i "$work/input"
    says 'input line 2' '1 of 3 lines could not be translated' "$@"
    gives "$hunde

$hunde
"
    expect 4 "$HEED" translate --threads 2 <"$work/input"
    says 'heed: input line 2: '
}

printf 'A man \377\376 rides.' >"$work/line"
line "bytes that are no UTF-8" "$work/line" UTF-8 'byte 6'
printf 'A man \303' >"$work/line"
line "a sequence that is cut" "$work/line" UTF-8
printf 'A man \300\257 rides' >"$work/line"
line "an overlong form" "$work/line" UTF-8
printf 'A man \355\240\200 rides' >"$work/line"
line "a surrogate" "$work/line" UTF-8
yes word | head -n 100000 | tr '\n' ' ' >"$work/line"
line "100,000 words" "$work/line" tokens
yes 'another word' | head -c 3000000 | tr '\n' ' ' >"$work/line"
line "a line of three million bytes" "$work/line" 'longer than 1048576 bytes'

# the same at the end of the input, where no newline follows
expect 4 "$HEED" translate -i "$work/line"
gives '
'
says 'input line 1' '1 of 1 lines'
finish
