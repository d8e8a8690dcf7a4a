#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Check that backplane-plan and the emulator print the same output for valid and invalid machines.
# Output: TAP.
# usage: test-tool.sh EMULATOR TOOL
emulator=$1 tool=$2 n=0
dir=$(mktemp -d) && trap 'rm -rf "$dir"' EXIT

check() { # arguments: description; checks the status of the previous command
    status=$?
    n=$((n + 1))
    [ $status = 0 ] && echo "ok $n $1" || echo "not ok $n $1"
}
wrong() { # arguments: options, with which both fail with the same message and exit status 1
    "$emulator" -M virt "$@" -show machine 2>"$dir/a" >/dev/null
    a=$?
    "$tool" machine -M virt "$@" 2>"$dir/b" >/dev/null
    b=$?
    [ $a = 1 ] && [ $b = 1 ] && [ "$(wc -l <"$dir/b")" = 1 ] &&
        [ "$(sed 's/^[^:]*: //; s/^-device: //' "$dir/b")" = "$(sed 's/^[^:]*: //' "$dir/a")" ] ||
        { sed 's/^/# /' "$dir/a" "$dir/b"; false; }
    check "refused alike: $*"
}

set -- -M virt -m 256 -device pcie-root-port,id=rp -device x3130-upstream,id=up,bus=rp \
    -device xio3130-downstream,bus=up,addr=3 -device ticker,bus=up/03.0 \
    -device pcie-pci-bridge -device edu,bus=pcie.0/02.0
guest() { # print the guest section, because only the emulator has boot images and consoles
    python3 -c 'import json, sys; print(json.dumps(json.load(sys.stdin)["guest"], indent=1))'
}
"$emulator" "$@" -show machine >"$dir/one" && guest <"$dir/one" >"$dir/guest" &&
    "$tool" machine "$@" | guest | cmp "$dir/guest" -
check "equal descriptions"
"$emulator" "$@" -show pci-slots >"$dir/slots" && "$tool" slots "$@" | cmp "$dir/slots" -
check "equal slots"
"$tool" machine -machine-config "$dir/one" | cmp "$dir/one" -
check "a description reads back"
"$emulator" -machine-config "$dir/one" -show machine | cmp "$dir/one" -
check "and reads back in the emulator"
"$tool" types >"$dir/types" && "$emulator" -device help | cmp - "$dir/types"
check "equal types"
"$tool" diff "$dir/one" "$dir/one" >"$dir/diff" && [ ! -s "$dir/diff" ]
check "no difference to itself"
"$tool" machine "$@" -device edu >"$dir/two"
"$tool" diff "$dir/one" "$dir/two" >"$dir/diff"
[ $? = 2 ] && grep -q '"have": "edu"' "$dir/diff"
check "a device more is found"
"$emulator" "$@" -bios none -show machine >"$dir/two"
"$tool" diff "$dir/one" "$dir/two" >"$dir/diff"
[ $? = 2 ] && grep -q '"property": "firmware"' "$dir/diff"
check "another firmware is found"
"$tool" slots -json | python3 -c 'import json, sys; sys.exit(json.load(sys.stdin)[0]["bus"] != "pcie.0")'
check "slots as JSON"
"$tool" --help >/dev/null
check "help"
wrong -device edu,addr=0
wrong -device edu,addr=5,id=a -device edu,addr=5,id=b
wrong -device edu,bus=nope
wrong -device xio3130-downstream
wrong -device ticker,msix=0x98z
wrong -device ticker,period=3
wrong -device pcie-root-port,express=off
wrong -device nothing
wrong -device tickr,addr=0x80200000
for bad in "" nonsense "type" "type x" "diff a" "machine x" "machine -device" "machine -what" \
    "machine -m 0" "machine -smp x" "machine -machine-config /nonexistent"; do
    # shellcheck disable=SC2086
    "$tool" $bad >/dev/null 2>"$dir/err"
    [ $? = 1 ] && [ "$(wc -l <"$dir/err")" = 1 ]
    check "one sentence: backplane-plan $bad"
done
echo "1..$n"
