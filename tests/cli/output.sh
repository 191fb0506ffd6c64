#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# --output: PATH.part until complete, what is no regular file directly; full disks, closed pipes,
# interruptions.
. "$(dirname -- "$0")/common.sh"

dogs='Two dogs are running in the snow.'
hunde=$("$HEED" translate "$dogs")
printf '%s\n' "$hunde" >"$work/wanted"
i=0
while [ $i -lt 3000 ]; do
    echo "A man number $i is riding a red bike in the street with two dogs."
    i=$((i + 1))
done >"$work/many"

# a file appears whole, an old one is replaced, a link is followed
expect 0 "$HEED" translate -o "$work/new" "$dogs"
gives ''
same "$work/new" "$work/wanted"
echo old >"$work/old"
ln -s old "$work/link"
expect 0 "$HEED" translate -o "$work/link" "$dogs"
same "$work/old" "$work/wanted"
[ -L "$work/link" ] || wrong "the link is gone"
absent "$work"/*.part

# lines with errors are in the file, too
expect 4 sh -c 'printf "A\377\n" | "$1" translate -o "$2"' - "$HEED" "$work/new"
printf '\n' | cmp -s - "$work/new" || wrong "a file with an empty line"

# what is not a regular file is written directly
expect 0 "$HEED" translate -o /dev/stdout "$dogs"
gives "$hunde
"
expect 0 "$HEED" translate -o - "$dogs"
gives "$hunde
"
expect 0 sh -c 'echo kept >"$3"; "$1" translate -o /dev/stdout "$2" >>"$3"' - "$HEED" "$dogs" \
    "$work/appended"
[ "$(cat "$work/appended")" = "kept
$hunde" ] || wrong "appending through /dev/stdout"
mkfifo "$work/fifo"
cat "$work/fifo" >"$work/received" &
reader=$!
expect 0 "$HEED" translate -o "$work/fifo" "$dogs"
wait "$reader"
same "$work/received" "$work/wanted"
[ -p "$work/fifo" ] || wrong "the pipe was replaced"

# where nothing can be written
expect 5 "$HEED" translate -o "$work" "$dogs"
says "$work" 'Is a directory'
expect 5 "$HEED" translate -o "$work/missing/file" "$dogs"
says "$work/missing/file" 'No such file or directory'
expect 5 "$HEED" translate -o /dev/full "$dogs"
says /dev/full 'No space left on device'
expect 5 sh -c '"$1" translate "$2" >/dev/full' - "$HEED" "$dogs"
says 'standard output' 'No space left on device'
expect 5 sh -c '"$1" devices >/dev/full' - "$HEED"
says 'standard output' 'No space left on device'
expect 5 sh -c '"$1" inspect >/dev/full' - "$HEED"
says 'standard output' 'No space left on device'

# a model or an input that cannot be opened leaves no trace of the output
echo precious >"$work/kept"
expect 3 "$HEED" translate --model "$work/none" -o "$work/kept" "$dogs"
absent "$work/kept.part"
expect 3 "$HEED" translate -i "$work/none" -o "$work/kept"
says "$work/none" 'No such file or directory'
absent "$work/kept.part"
expect 3 "$HEED" translate -i "$work" -o "$work/kept"
says "$work" 'Is a directory'
[ "$(cat "$work/kept")" = precious ] || wrong "an old file was touched"

# the reader goes away
expect 5 sh -c '{ "$1" translate -i "$2"; echo $? >"$3"; } | head -n 1 >/dev/null
    exit "$(cat "$3")"' - "$HEED" "$work/many" "$work/code"
says 'closed the pipe'

# interrupted: whole lines stay in .part, nothing else is touched
"$HEED" translate --threads 1 -i "$work/many" -o "$work/kept" 2>"$work/err" &
program=$!
what="an interruption"
waited=0
while [ ! -s "$work/kept.part" ] && [ $waited -lt 300 ]; do
    sleep 0.1
    waited=$((waited + 1))
done
kill -TERM "$program" # a shell without job control makes its children ignore SIGINT
wait "$program" 2>/dev/null && wrong "$what: exit code 0"
[ "$(cat "$work/kept")" = precious ] || wrong "$what: the old file was touched"
[ -s "$work/kept.part" ] || wrong "$what: nothing is kept"
[ "$(tail -c 1 "$work/kept.part" | od -An -c | tr -d ' ')" = '\n' ] || wrong "$what: half a line"

# a full disk
if [ "$(id -u)" -eq 0 ] && mkdir "$work/disk" &&
    mount -t tmpfs -o size=16k none "$work/disk" 2>/dev/null; then
    expect 5 "$HEED" translate --threads 1 -i "$work/many" -o "$work/disk/out"
    says 'No space left on device' 'keeps the first'
    absent "$work/disk/out"
    umount "$work/disk"
else
    echo "SKIP: a small file system cannot be mounted here; full disks were tried on /dev/full only"
fi
finish
