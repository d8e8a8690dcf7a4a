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
        [ "$(sed 's/^[^:]*: //; s/^-device: //; s/backplane-plan types lists/-device help lists/' "$dir/b")" = "$(sed 's/^[^:]*: //' "$dir/a")" ] ||
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
"$tool" machine "$@" >"$dir/tool-machine"
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

# --- editing a file ---
vm=$dir/vm.json
"$tool" new "$vm" -policy none -M virt -device pcie-root-port,id=rp -device edu,id=e,addr=9 && "$tool" check "$vm"
check "new and check"
[ "$("$tool" add "$vm" virtio-net-pci,id=nic,bus=rp)" = "nic: virtio-net-pci at rp/00.0" ] &&
    [ "$("$tool" add "$vm" virtio-rng-pci,id=rng)" = "rng: virtio-rng-pci at pcie.0/02.0" ] &&
    [ "$("$tool" add "$vm" ticker)" = "pcie.0/03.0: ticker at pcie.0/03.0" ]
check "add at the lowest free address"
"$tool" remove "$vm" rng && [ "$("$tool" add "$vm" edu,id=e2)" = "e2: edu at pcie.0/02.0" ] &&
    "$tool" slots "$vm" >"$dir/slots" && grep -q "03.0  *ticker" "$dir/slots"
check "remove moves nothing"
"$tool" explain "$vm" e2 >"$dir/out" && grep -q "chosen-by: planner" "$dir/out" &&
    grep -q "01 held by rp" "$dir/out" && "$tool" explain "$vm" e | grep -q "chosen-by: user"
check "explain"
"$tool" freeze "$vm" e2 >/dev/null && "$tool" explain "$vm" e2 | grep -q "chosen-by: user" &&
    "$tool" thaw "$vm" >/dev/null && "$tool" explain "$vm" e -json | grep -q '"chosen-by": "planner"'
check "freeze and thaw"
[ "$("$tool" move "$vm" e2 0c)" = "e2: edu at pcie.0/0c.0" ] &&
    [ "$("$tool" move "$vm" e2 pcie.0/)" = "e2: edu at pcie.0/02.0" ]
check "move"
"$tool" new "$dir/m.json" -policy none -M virt -device pcie-root-port,id=rp -device virtio-rng-pci,id=r &&
    "$tool" args "$dir/m.json" -for qemu >"$dir/one" && "$tool" move "$dir/m.json" r rp/00 >/dev/null &&
    "$tool" args "$dir/m.json" -for qemu | grep -q 'virtio-rng-pci,id=r,bus=rp,addr=00.0$' &&
    "$tool" move "$dir/m.json" r pcie.0/02 >/dev/null && "$tool" args "$dir/m.json" -for qemu | cmp "$dir/one" -
check "move to another bus and back changes no other property"
chmod 600 "$dir/m.json" && ln -s m.json "$dir/link.json" && "$tool" add "$dir/link.json" edu >/dev/null &&
    [ "$(stat -c %a "$dir/m.json")" = 600 ] && [ -L "$dir/link.json" ] && "$tool" args "$dir/m.json" | grep -q edu
check "the mode of the file and a symbolic link stay"
"$tool" add "$vm" nothing 2>&1 | grep -q 'backplane-plan types lists the types'
check "messages name the commands of the program"
"$tool" set "$vm" nic vectors=5 >/dev/null &&
    "$tool" args "$vm" | grep -q "id=nic,bus=rp,addr=00.0,vectors=5" && "$tool" set "$vm" nic vectors >/dev/null &&
    ! "$tool" args "$vm" | grep -q vectors=
check "set and restore a property"
"$tool" args "$vm" >"$dir/args" && eval "\"$emulator\" $(cat "$dir/args") -show machine" >"$dir/one" &&
    guest <"$dir/one" >"$dir/guest" && guest <"$vm" | cmp "$dir/guest" -
check "the emulator builds the same machine from args"
"$emulator" -M virt -drive file=/dev/null,if=none,id=d0,format=raw,file.locking=off -device virtio-blk-pci,drive=d0 \
    -netdev user,id=n0,hostfwd=tcp::2222-:22,hostfwd=tcp::0-:23 -object rng-random,id=r0,filename=/dev/urandom \
    -chardev socket,id=c0,path=/tmp/x,server=on,wait=off -name a,,b -global edu.dma_mask=0xff \
    -show machine >"$dir/two" && "$tool" args "$dir/two" >"$dir/args" &&
    eval "\"$emulator\" $(cat "$dir/args") -show machine" | cmp "$dir/two" -
check "args of host parts"
"$emulator" -show catalog >"$dir/catalog" && "$tool" types -json >"$dir/types" &&
    "$tool" types -json -catalog "$dir/catalog" | cmp "$dir/types" - &&
    "$tool" machine -catalog "$dir/catalog" "$@" | cmp - "$dir/tool-machine"
check "a catalogue that is read is equal to the built-in one"
for bad in '[]' '{' '{"backplane-catalog": 2}' '{"backplane-catalog": 1, "types": 3}' \
    '{"backplane-catalog": 1, "types": [{"name": "a", "properties": [{"name": "p", "kind": "x"}]}]}' \
    '{"backplane-catalog": 1, "types": [{"name": "a", "bars": [{"size-prop": "q"}]}]}' \
    '{"backplane-catalog": 1, "buses": []}'; do
    echo "$bad" >"$dir/catalog"
    "$tool" types -catalog "$dir/catalog" >/dev/null 2>"$dir/err"
    [ $? = 1 ] && [ "$(wc -l <"$dir/err")" = 1 ] && grep -q "^backplane-plan: -catalog: catalogue '" "$dir/err"
    check "refused: catalogue $bad"
done
cp "$vm" "$dir/before"
for bad in "add $vm nothing" "add $vm edu,id=e" "add $vm edu,addr=9" "remove $vm none" "remove $vm rp" "remove $vm pcie.0/00.0" \
    "set $vm nic nothing=1" "set $vm nic vectors=x" "move $vm nic pcie.0/9" "move $vm nic nowhere/" "move $vm nic zz" \
    "move $vm pcie.0/00.0 4" "freeze $vm none" "thaw $vm pcie.0/00.0" "explain $vm none" "new $vm" "args $vm -for x" \
    "check /nonexistent" "args"; do
    # shellcheck disable=SC2086
    "$tool" $bad >/dev/null 2>"$dir/err"
    [ $? = 1 ] && [ "$(wc -l <"$dir/err")" = 1 ] && cmp "$vm" "$dir/before"
    check "refused, file unchanged: backplane-plan ${bad#*"$dir"}"
done
for bad in "" nonsense "types x" "types x y" "diff a" "machine x" "machine -device" "machine -what" \
    "machine -m 0" "machine -smp x" "machine -machine-config /nonexistent"; do
    # shellcheck disable=SC2086
    "$tool" $bad >/dev/null 2>"$dir/err"
    [ $? = 1 ] && [ "$(wc -l <"$dir/err")" = 1 ]
    check "one line: backplane-plan $bad"
done
echo "1..$n"
