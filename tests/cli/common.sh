# SPDX-License-Identifier: Apache-2.0
# What the program's tests share; read with '.'. HEED is the program, HEED_MODELS the folder of the
# default model.
set -u
unset HEED_BACKEND HEED_PLUGIN_PATH HEED_DEFAULT_MODEL
model=$(find "$HEED_MODELS" -name '*.gguf' | head -n 1)
work=$(mktemp -d) || exit 2
# the user `nobody` takes part in some tests
chmod 755 "$work"
trap 'rm -rf "$work"' EXIT
trap 'exit 2' INT TERM
# Heed's own cache is new for each test; what Mesa has compiled stays where Mesa has it otherwise.
export MESA_SHADER_CACHE_DIR="${MESA_SHADER_CACHE_DIR:-${XDG_CACHE_HOME:-${HOME:-$work}/.cache}}"
export XDG_CACHE_HOME="$work"
failures=0

wrong() {
    failures=$((failures + 1))
    echo "WRONG: $*"
    echo "--- standard output:"
    head -c 2000 "$work/out" 2>/dev/null
    echo "--- standard error:"
    head -c 2000 "$work/err" 2>/dev/null
    echo "---"
}

# expect CODE COMMAND...: runs it with the standard input given; output in $work/out, $work/err.
expect() {
    expected_code=$1
    shift
    what=$*
    "$@" >"$work/out" 2>"$work/err"
    code=$?
    [ "$code" -eq "$expected_code" ] || wrong "$what: exit code $code, not $expected_code"
    if grep -qE 'Sanitizer|runtime error' "$work/err"; then
        wrong "$what: a sanitizer spoke"
    fi
}

# says TEXT...: each text is on standard error.
says() {
    for said in "$@"; do
        grep -qF -- "$said" "$work/err" || wrong "$what: does not say '$said'"
    done
}

says_nothing() {
    [ ! -s "$work/err" ] || wrong "$what: says something"
}

# gives TEXT: standard output is exactly this.
gives() {
    printf '%s' "$1" | cmp -s - "$work/out" || wrong "$what: the output is not '$1'"
}

# same A B: two files are equal.
same() {
    cmp -s "$1" "$2" || wrong "$what: $1 and $2 differ"
}

# absent PATTERN...: no file of this name is there.
absent() {
    for absent_file in "$@"; do
        [ ! -e "$absent_file" ] || wrong "$what: leaves $absent_file behind"
    done
}

finish() {
    [ "$failures" -eq 0 ] && exit 0
    echo "$failures checks failed"
    exit 1
}
