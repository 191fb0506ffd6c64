# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# Shared by quickstart.sh and test.sh: finds out which packages of a Debian system are missing and
# installs them. Read with '.'; defines functions only.

say() {
    printf '%s\n' "$*" >&2
}

# has_package NAME: is the Debian package installed?
has_package() {
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# need PACKAGE TEST...: puts PACKAGE on the list unless the command TEST... succeeds. What counts is
# that the thing is there, not where it came from: a compiler outside the package system is fine.
missing_packages=
need() {
    need_package=$1
    shift
    if ! "$@" >/dev/null 2>&1; then
        missing_packages="$missing_packages $need_package"
    fi
}

# The library NAME can be linked (its pkg-config file is there, or its Debian package).
has_library() {
    pkg-config --exists "$1" || has_package "$2"
}

has_c_compiler() {
    command -v cc || command -v gcc || command -v clang
}

has_cxx_compiler() {
    command -v c++ || command -v g++ || command -v clang++
}

# What building Heed needs, and no more.
need_build_packages() {
    need gcc has_c_compiler
    need libc6-dev test -e /usr/include/stdio.h
    need g++ has_cxx_compiler
    need cmake command -v cmake
    if ! command -v ninja >/dev/null 2>&1; then
        need make command -v make
    fi
    need pkg-config command -v pkg-config
    need libcjson-dev has_library libcjson libcjson-dev
    need libsentencepiece-dev has_library sentencepiece libsentencepiece-dev
}

# Installs what is missing; without anything missing, apt is not touched.
install_missing_packages() {
    [ -n "$missing_packages" ] || return 0
    if ! command -v apt-get >/dev/null 2>&1; then
        say "These Debian packages, or what they are called on this system, are missing:$missing_packages"
        say "Install them and run this again."
        return 1
    fi
    as_root=
    if [ "$(id -u)" -ne 0 ]; then
        if command -v sudo >/dev/null 2>&1 && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then
            as_root=sudo
        else
            say "Packages are missing, and neither root's rights nor sudo are at hand. As root, run:"
            say "    apt-get update && apt-get install --no-install-recommends$missing_packages"
            return 1
        fi
    fi
    say "Installing the missing packages:$missing_packages"
    # shellcheck disable=SC2086 # the list is to be split into words
    if ! apt_get update || ! apt_get -y --no-install-recommends install $missing_packages; then
        say "apt-get failed. As root, run:"
        say "    apt-get update && apt-get install --no-install-recommends$missing_packages"
        return 1
    fi
}

# apt_get ARGUMENT...: runs apt-get with root's rights ($as_root), and again for five minutes while
# another program, such as the daily update, has apt locked: DPkg::Lock::Timeout waits for two of
# apt's four locks only.
apt_get() {
    apt_waited=0
    while :; do
        { apt_errors=$($as_root env DEBIAN_FRONTEND=noninteractive LC_ALL=C \
            apt-get -q -o Dpkg::Use-Pty=0 "$@" 2>&1 >&3); } 3>&2
        apt_status=$?
        case $apt_status,$apt_errors in
        0,*) ;;
        *"Could not get lock"* | *"locked by another process"*)
            if [ "$apt_waited" -lt 300 ]; then
                [ "$apt_waited" -gt 0 ] ||
                    say "Another program is installing or updating packages; waiting for it."
                apt_waited=$((apt_waited + 5))
                sleep 5
                continue
            fi
            ;;
        esac
        [ -z "$apt_errors" ] || say "$apt_errors"
        return "$apt_status"
    done
}

# writable_folder FOLDER: makes it unless it is there; says what to do where it cannot be written.
writable_folder() {
    mkdir -p "$1" 2>/dev/null
    if [ ! -d "$1" ] || [ ! -w "$1" ]; then
        say "Cannot write to the folder $1. Name another: HEED_BUILD_DIR=/tmp/heed sh '$0'"
        return 1
    fi
}

# processors: how many jobs to run at once.
processors() {
    nproc 2>/dev/null || getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2
}

# configure SOURCE BUILD OPTION...: runs cmake; a folder that was configured for another place (a
# copied tree) is started afresh. Prints what it says only when it fails.
configure() {
    configure_source=$1
    configure_build=$2
    shift 2
    if [ -f "$configure_build/CMakeCache.txt" ] &&
        ! grep -qxF "CMAKE_HOME_DIRECTORY:INTERNAL=$configure_source" \
            "$configure_build/CMakeCache.txt"; then
        rm -rf "$configure_build/CMakeCache.txt" "$configure_build/CMakeFiles"
    fi
    if [ ! -f "$configure_build/CMakeCache.txt" ] && command -v ninja >/dev/null 2>&1; then
        set -- -G Ninja "$@"
    fi
    mkdir -p "$configure_build" || return 1
    if ! cmake -S "$configure_source" -B "$configure_build" "$@" \
        >"$configure_build/configure.log" 2>&1; then
        cat "$configure_build/configure.log" >&2
        return 1
    fi
}

# build BUILD: compiles; prints what the compiler says only when it fails.
build() {
    if ! cmake --build "$1" -j "$(processors)" >"$1/build.log" 2>&1; then
        tail -n 60 "$1/build.log" >&2
        say "The build failed; all of it is in $1/build.log"
        return 1
    fi
}
