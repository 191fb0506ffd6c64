#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs a build, moves the installation, and uses it from outside:
#     install.sh BUILD_DIR CMAKE CC CXX
# By pkg-config and by find_package, from C and C++, shared and static; with a plugin built against
# the installed headers alone; what the libraries export.
set -u
build=${1:?usage: install.sh BUILD_DIR CMAKE CC CXX}
cmake=${2:?}
cc=${3:?}
cxx=${4:?}
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
HEED=$build/bin/heed
HEED_MODELS=$build
. "$here/../cli/common.sh"
unset LD_LIBRARY_PATH PKG_CONFIG_PATH CMAKE_PREFIX_PATH
text='Two dogs are running in the snow.'
expect 0 "$HEED" translate "$text"
cp "$work/out" "$work/wanted"

# the installation is moved, into a folder with a space, so that nothing may remember where it was
expect 0 "$cmake" --install "$build" --prefix "$work/first"
mkdir "$work/a folder"
mv "$work/first" "$work/a folder/heed"
prefix="$work/a folder/heed"
library=$(dirname "$(find "$prefix" -name libheed.so)")

# translates COMMAND...: prints the wanted translation
translates() {
    expect 0 "$@"
    same "$work/out" "$work/wanted"
    says_nothing
}

for file in bin/heed include/heed/translate.h include/heed/backend.h include/heed/heed.h; do
    [ -f "$prefix/$file" ] || wrong "$file is not installed"
done
[ -f "$library/libheed.a" ] || wrong "libheed.a is not installed"
[ -n "$(find "$prefix/share" -name '*.gguf')" ] || wrong "no default model is installed"
[ -n "$(find "$prefix/share" -name MODEL_CARD.md)" ] || wrong "no model card is installed"
translates "$prefix/bin/heed" translate "$text"
(cd / && ln -s "$prefix/bin/heed" "$work/linked") && translates "$work/linked" translate "$text"

# pkg-config
export PKG_CONFIG_PATH="$library/pkgconfig"
expect 0 pkg-config --cflags --libs heed
# a path with a space comes out escaped, for a shell to read
eval "expect 0 $cc -std=c11 -Wall -Wextra -Werror '$here/translate.c' -o '$work/c' $(pkg-config --cflags --libs heed)"
eval "expect 0 $cxx -std=c++17 -Wall -Wextra -Werror '$here/translate.cc' -o '$work/cxx' $(pkg-config --cflags --libs heed)"
for program in c cxx; do
    translates env LD_LIBRARY_PATH="$library" "$work/$program" "$text"
done
[ "$(pkg-config --modversion heed)" = "$("$HEED" --version | cut -d ' ' -f 2)" ] ||
    wrong "heed.pc and the program differ in version"

# a static program finds plugins and model by HEED_PLUGIN_PATH and HEED_DEFAULT_MODEL
eval "expect 0 $cc -std=c11 '$here/translate.c' -o '$work/c_static' $(pkg-config --cflags heed) '$library/libheed.a' $(pkg-config --static --libs-only-l heed | sed 's/-lheed //')"
installed_model=$(find "$prefix/share" -name '*.gguf')
translates env HEED_PLUGIN_PATH="$library/heed" HEED_DEFAULT_MODEL="$installed_model" \
    "$work/c_static" "$text"

# find_package
expect 0 "$cmake" -S "$here/cmake" -B "$work/cmake" -DCMAKE_PREFIX_PATH="$prefix" \
    -DCMAKE_C_COMPILER="$cc" -DCMAKE_CXX_COMPILER="$cxx"
expect 0 "$cmake" --build "$work/cmake"
for program in c_shared cxx_shared; do
    translates "$work/cmake/$program" "$text"
done
translates env HEED_PLUGIN_PATH="$library/heed" HEED_DEFAULT_MODEL="$installed_model" \
    "$work/cmake/c_static" "$text"

# a plugin from the installed headers, by folder and by path; it takes part in the work
mkdir "$work/plugins"
expect 0 "$cc" -shared -fPIC -O1 "$here/adder.c" -I"$prefix/include" \
    -o "$work/plugins/heed-backend-adder.so"
expect 0 env HEED_PLUGIN_PATH="$work/plugins" "$prefix/bin/heed" devices
grep -q '^adder:0 ' "$work/out" || wrong "devices does not list the plugin"
translates env HEED_PLUGIN_PATH="$work/plugins" "$prefix/bin/heed" translate --backend adder "$text"
translates env HEED_BACKEND="$work/plugins/heed-backend-adder.so" "$prefix/bin/heed" translate "$text"
expect 0 env HEED_PLUGIN_PATH="$work/plugins" "$prefix/bin/heed" translate -v --backend adder "$text"
grep -q 'add .*on adder' "$work/err" || wrong "nothing was added by the plugin"
grep -q 'matmul .*on scalar' "$work/err" || wrong "nothing was left to scalar"

# what is exported: heed_ names and nothing else; of a plugin its entry alone
if command -v nm >/dev/null 2>&1; then
    what='exported symbols'
    nm -D --defined-only "$library/libheed.so" | awk '{ print $NF }' | sed 's/@.*//' |
        sort -u >"$work/exported"
    grep -v '^heed_' "$work/exported" >"$work/out" && wrong "libheed.so exports more"
    # every function declared HEED_API is there, and nothing that no header declares
    cat "$prefix"/include/heed/*.h | tr '\n' ' ' | grep -oE 'HEED_API [^;(]*\(' |
        grep -oE 'heed_[a-z0-9_]+\($' | tr -d '(' | sort -u >"$work/declared"
    [ -s "$work/declared" ] || wrong "no declaration was found"
    diff "$work/declared" "$work/exported" >"$work/out" ||
        wrong "declared (<) and exported (>) differ"
    find "$library/heed" -name 'heed-backend-*.so' >"$work/list"
    while IFS= read -r plugin; do
        [ "$(nm -D --defined-only "$plugin" | awk '{ print $NF }')" = heed_backend_entry ] ||
            wrong "$plugin exports more than its entry"
    done <"$work/list"
else
    echo "SKIP: nm is not installed; exported symbols are not checked"
fi
finish
