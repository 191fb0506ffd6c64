#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Models that are missing, damaged or unknown: a message with the file's name, exit code 3.
. "$(dirname -- "$0")/common.sh"

text='A man is riding a bike.'

# refused WHAT PATH TEXT...: by every verb that opens a model
refused() {
    refused_path=$2
    refused_what=$1
    shift 2
    expect 3 "$HEED" translate --model "$refused_path" "$text"
    what="$refused_what (translate)"
    gives ''
    says "$refused_path" "$@"
    expect 3 "$HEED" inspect "$refused_path"
    what="$refused_what (inspect)"
    says "$refused_path" "$@"
    expect 3 "$HEED" convert "$refused_path" -o "$work/converted.gguf"
    what="$refused_what (convert)"
    says "$refused_path" "$@"
    absent "$work"/converted.gguf*
}

# overwritten OFFSET BYTES: a copy of the default model with bytes (octal escapes) overwritten
overwritten() {
    cp "$model" "$work/patched.gguf"
    # shellcheck disable=SC2059 # the bytes are escapes
    printf "$2" | dd of="$work/patched.gguf" bs=1 seek="$1" conv=notrunc 2>/dev/null
}

refused "a missing file" "$work/none.gguf"
refused "a missing folder" "$work/none/model"
mkdir "$work/folder"
refused "an empty folder" "$work/folder" config.json
: >"$work/empty.gguf"
refused "an empty file" "$work/empty.gguf"
echo 'this is a letter, not a model' >"$work/letter.gguf"
refused "another kind of file" "$work/letter.gguf"

size=$(wc -c <"$model")
for bytes in 3 10 24 1000 $((size / 2)) $((size - 1)); do
    head -c "$bytes" "$model" >"$work/cut.gguf"
    refused "a model cut after $bytes bytes" "$work/cut.gguf"
done
overwritten 0 'GGUX'
refused "a wrong magic" "$work/patched.gguf"
overwritten 4 '\011\000\000\000'
refused "a version of the future" "$work/patched.gguf" 9
overwritten 8 '\000\000\000\000\000\000\000\020' # 2^60 tensors
refused "absurdly many tensors" "$work/patched.gguf"
overwritten 16 '\000\000\000\000\000\000\000\020'
refused "absurdly many keys" "$work/patched.gguf"

# value_of KEY: where the value of a key of the default model is (behind its name and type)
value_of() {
    at=$(LC_ALL=C grep -abo "$1" "$model" | head -n 1 | cut -d : -f 1)
    echo $((at + ${#1} + 4))
}

overwritten $(($(value_of general.architecture) + 8)) 'martha'
refused "an unknown architecture" "$work/patched.gguf" martha
overwritten "$(value_of marian.d_model)" '\200\001\000\000' # 384
refused "a config that disagrees with the tensors" "$work/patched.gguf" 384 128
overwritten "$(value_of marian.vocab_size)" '\377\377\377\177'
refused "an absurd vocabulary" "$work/patched.gguf"
overwritten "$(value_of marian.encoder_layers)" '\011\000\000\000'
refused "more layers than there are tensors" "$work/patched.gguf" 4
overwritten "$(value_of marian.encoder_attention_heads)" '\000\000\000\000'
refused "no heads" "$work/patched.gguf"

# Hugging Face folders
config() {
    rm -rf "$work/folder"
    mkdir "$work/folder"
    printf '%s' "$1" >"$work/folder/config.json"
}
config '{"model_type": "bert", "architectures": ["BertModel"]}'
refused "a folder of another architecture" "$work/folder" config.json bert
config '{"model_type": "marian", "d_model": '
refused "a config that is cut" "$work/folder" config.json
config '{"model_type": "marian", "d_model": "many"}'
refused "a config with a word for a number" "$work/folder" config.json d_model
config '[]'
refused "a config that is no object" "$work/folder" config.json

# rights: root may read everything, so another user tries
cp "$model" "$work/secret.gguf"
chmod 000 "$work/secret.gguf"
if [ "$(id -u)" -ne 0 ]; then
    refused "a file without the right to read it" "$work/secret.gguf" 'Permission denied'
elif setpriv --reuid=65534 --regid=65534 --clear-groups "$HEED" --version >/dev/null 2>&1; then
    expect 3 setpriv --reuid=65534 --regid=65534 --clear-groups \
        "$HEED" translate --model "$work/secret.gguf" "$text"
    says "$work/secret.gguf" 'Permission denied'
    mkdir -m 700 "$work/private"
    cp "$model" "$work/private/model.gguf"
    expect 3 setpriv --reuid=65534 --regid=65534 --clear-groups \
        "$HEED" inspect "$work/private/model.gguf"
    says "$work/private/model.gguf" 'Permission denied'
else
    echo "SKIP: the program cannot be run as another user here; rights are not tried"
fi

# the default model, named by the environment
expect 3 env HEED_DEFAULT_MODEL="$work/none.gguf" "$HEED" translate "$text"
says "$work/none.gguf"
expect 0 "$HEED" translate "$text"
cp "$work/out" "$work/wanted"
mkdir "$work/a folder"
cp "$model" "$work/a folder/a model.gguf"
expect 0 env HEED_DEFAULT_MODEL="$work/a folder/a model.gguf" "$HEED" translate "$text"
same "$work/out" "$work/wanted"
finish
