#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Check the shared library of the build: its exported functions are those of the public headers, the
# headers are valid C++, and the examples work with the installed files, outside the source tree.
# Output: TAP.
# usage: test-library.sh SOURCE BUILD LIBRARY EMULATOR CC
source=$1 build=$2 library=$3 emulator=$(realpath "$4") cc=$5 n=0
dir=$(mktemp -d) && trap 'rm -rf "$dir"' EXIT

check() { # arguments: description; checks the status of the previous command
    status=$?
    n=$((n + 1))
    [ $status = 0 ] && echo "ok $n $1" || echo "not ok $n $1"
}

nm -D --defined-only "$library" | sed -n 's/.* T \(plan_[a-z0-9_]*\)@@BACKPLANE_PLAN_.*/\1/p' |
    sort >"$dir/exported"
cat "$source"/include/plan/*.h | sed 's|/\*.*\*/||' |
    sed -n 's/^[a-zA-Z][^(]*[ *]\(plan_[a-z0-9_]*\)(.*/\1/p' | sort -u >"$dir/declared"
cmp "$dir/exported" "$dir/declared" || diff "$dir/exported" "$dir/declared" | sed 's/^/# /'
cmp -s "$dir/exported" "$dir/declared"
check "the library exports the functions of its headers, with a version"

DESTDIR=$dir/root meson install -C "$build" --no-rebuild --quiet --tags devel,runtime >"$dir/log" 2>&1
check "install"
pc=$(find "$dir/root" -name backplane-plan.pc)
sed "s|^prefix=|&$dir/root|" "$pc" >"$dir/backplane-plan.pc"
PKG_CONFIG_PATH=$dir
LD_LIBRARY_PATH=$(dirname "$(find "$dir/root" -name 'libbackplane-plan.so.0')")
export PKG_CONFIG_PATH LD_LIBRARY_PATH
cp "$source/docs/examples/plan-nics.c" "$source/docs/examples/plan_scsi.py" "$dir"
cd "$dir" || exit 1
"$emulator" -show catalog >catalog.json
# shellcheck disable=SC2046
"$cc" -Wall -Werror plan-nics.c $(pkg-config --cflags --libs backplane-plan) -o plan-nics
check "the example in C compiles"
./plan-nics catalog.json 3 backplane >out && grep -q 'nic2 is at port2/00.0' out &&
    tail -1 out >args && sed 's/.*/-show machine &/' args | xargs "$emulator" | grep -q '"id": "nic2"'
check "the emulator accepts the command line that the example prints"
! ./plan-nics catalog.json 40 backplane >/dev/null 2>err && [ "$(wc -l <err)" = 1 ]
check "a bus without room is refused in one line"
python3 plan_scsi.py lsi53c895a 15 >out && [ "$(tail -1 out)" = "disk14: 2:0:0:0" ]
check "the example in Python"
! python3 plan_scsi.py nothing 1 2>err && grep -q "unknown controller model" err
check "the example in Python is refused"
if command -v c++ >/dev/null; then
    for header in address_types alloc bus catalog catalog_json description edit exchange grow json policy site; do
        echo "#include <plan/$header.h>"
    done >all.cc
    echo 'int main() { return plan_address_type("pci") == nullptr; }' >>all.cc
    # shellcheck disable=SC2046
    c++ -Wall -Werror all.cc $(pkg-config --cflags --libs backplane-plan) -o all && ./all
    check "the headers are valid C++"
fi
echo "1..$n"
