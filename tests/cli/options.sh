#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The command line: help, versions, what is mistyped, numbers.
. "$(dirname -- "$0")/common.sh"

expect 0 "$HEED" --version
grep -q '^heed [0-9]*\.[0-9]*\.[0-9]* ' "$work/out" || wrong "--version"
expect 0 "$HEED" --help
for word in translate devices inspect convert 'exit codes' HEED_BACKEND HEED_PLUGIN_PATH; do
    grep -q "$word" "$work/out" || wrong "--help does not speak of $word"
done
for verb in translate devices inspect convert; do
    expect 0 "$HEED" $verb --help
    says_nothing
    cp "$work/out" "$work/help"
    grep -q "usage: heed $verb" "$work/out" || wrong "$verb --help"
    expect 0 "$HEED" help $verb
    same "$work/out" "$work/help"
done
for option in model backend threads beam max-length steps-per-submit input output format verbose profile \
    shadow shadow-rate shadow-seed; do
    "$HEED" translate -h | grep -q -- "--$option" || wrong "translate --help: --$option"
done

expect 2 "$HEED"
says 'usage: heed VERB'
expect 2 "$HEED" trnslate x
says "unknown verb 'trnslate'" "'translate'"
expect 2 "$HEED" --nonsense
says "unknown option '--nonsense'"
expect 2 "$HEED" translate --modle x
says "unknown option '--modle'" "'--model'"
expect 2 "$HEED" translate -x
says "unknown option '-x'"
expect 2 "$HEED" convert --beam 1 a -o b
says "unknown option '--beam'"
expect 2 "$HEED" translate --model
says '--model needs a value'
expect 2 "$HEED" translate --model= x
says '--model: the value is empty'
expect 2 "$HEED" translate --verbose=yes x
says '--verbose takes no value'
for number in 0 -1 x 1x 1.5 '' 99999999999999999999; do
    expect 2 "$HEED" translate --threads "$number" x
    says '--threads:'
done
expect 2 "$HEED" translate --max-length many x
says "--max-length: expected a whole number from 1 to 1000000, got 'many'"
expect 2 "$HEED" translate --steps-per-submit 65 x
says "--steps-per-submit: expected a whole number from 1 to 64, got '65'"
expect 2 "$HEED" translate --beam 4 x
says '--beam 4' 'only 1'
expect 2 "$HEED" translate --format xml x
says "--format: expected text or json, got 'xml'"
expect 2 "$HEED" translate --input f x
says 'from arguments or from --input, not from both'
expect 2 "$HEED" convert x
says '-o FILE.gguf'
expect 2 "$HEED" convert -o y
says 'an argument is missing'
expect 2 "$HEED" convert x z -o y
says "unexpected argument 'z'"
expect 2 "$HEED" convert x -o y --type q8
says "--type: expected f32, f16, int8 or q8_0, got 'q8'"
expect 2 "$HEED" devices x
says "unexpected argument 'x'"

# what looks like an option is a text behind '--'
expect 0 "$HEED" translate --beam 1 --threads=1 -- --help
[ -s "$work/out" ] || wrong "a text behind --"
expect 5 sh -c '"$1" --help >/dev/full' - "$HEED"
says 'No space left'
finish
