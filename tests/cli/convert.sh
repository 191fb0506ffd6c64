#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Packaging: the file appears whole or not at all, and translates as its origin does.
. "$(dirname -- "$0")/common.sh"

text='A man is riding a bike in front of two red houses.'
expect 0 "$HEED" translate --format json --model "$model" "$text"
cp "$work/out" "$work/wanted"

for type in f16 f32; do
    expect 0 "$HEED" convert "$model" -o "$work/$type.gguf" --type $type
    says_nothing
    expect 0 "$HEED" translate --format json --model "$work/$type.gguf" "$text"
    same "$work/out" "$work/wanted"
    expect 0 "$HEED" inspect --format json "$work/$type.gguf"
    grep -q "\"type\":[[:space:]]*\"$type\"" "$work/out" || wrong "no tensor is $type"
done
[ "$(wc -c <"$work/f32.gguf")" -gt "$(wc -c <"$work/f16.gguf")" ] || wrong "f32 is not larger"

# quantised: smaller still, and running in 8 bits
for type in int8 q8_0; do
    stored=$type
    [ $type = int8 ] && stored=i8
    expect 0 "$HEED" convert "$model" -o "$work/$type.gguf" --type $type
    says_nothing
    [ "$(wc -c <"$work/$type.gguf")" -lt "$(wc -c <"$work/f16.gguf")" ] ||
        wrong "$type is not smaller than f16"
    expect 0 "$HEED" translate --model "$work/$type.gguf" "$text"
    gives 'Ein Mann fährt auf einem Fahrrad vor zwei roten Haus.
'
    expect 0 "$HEED" inspect --format json "$work/$type.gguf"
    grep -q "\"type\":[[:space:]]*\"$stored\"" "$work/out" || wrong "no tensor is $stored"
    tr -d '\n\t ' <"$work/out" |
        grep -q "\"model.shared.weight\",\"type\":\"$stored\",\"dims\":\[4001,128\]" ||
        wrong "the embedding is not $stored [4001, 128]"
    # what is lost cannot come back; the same type is a copy
    expect 1 "$HEED" convert "$work/$type.gguf" -o "$work/back.gguf" --type f16
    says "is quantised to $stored" 'convert the model that it was made from'
    absent "$work/back.gguf"
    expect 0 "$HEED" convert "$work/$type.gguf" -o "$work/same.gguf"
    same "$work/same.gguf" "$work/$type.gguf"
done
grep -q '"model.shared.weight.scale"' "$work/out" && wrong "q8_0 has scales of its own"

# packaging is repeatable to the bit, and replaces an old file
echo old >"$work/again.gguf"
expect 0 "$HEED" convert "$work/f16.gguf" -o "$work/again.gguf"
same "$work/again.gguf" "$work/f16.gguf"

# where nothing can be written, nothing is left
expect 5 "$HEED" convert "$model" -o "$work/missing/file.gguf"
says "$work/missing/file.gguf"
mkdir "$work/folder"
expect 5 "$HEED" convert "$model" -o "$work/folder"
says "$work/folder"
[ -z "$(ls -A "$work/folder")" ] || wrong "something is left in the folder"
if [ "$(id -u)" -eq 0 ] && mkdir "$work/disk" &&
    mount -t tmpfs -o size=64k none "$work/disk" 2>/dev/null; then
    echo precious >"$work/disk/old.gguf"
    expect 5 "$HEED" convert "$model" -o "$work/disk/old.gguf"
    says "$work/disk/old.gguf" 'No space left on device'
    [ "$(ls -A "$work/disk")" = old.gguf ] && [ "$(cat "$work/disk/old.gguf")" = precious ] ||
        wrong "a full disk: something is left, or the old file is gone"
    umount "$work/disk"
else
    echo "SKIP: a small file system cannot be mounted here; convert on a full disk is not tried"
fi
absent "$work"/*.tmp.* "$work"/*.part
finish
