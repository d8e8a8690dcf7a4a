#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Check import, xml, args, merge and the JSON output of backplane-plan with the catalogues of QEMU.
# Output: TAP.
# usage: test-exchange.sh SOURCE TOOL
source=$1 tool=$2 n=0
dir=$(mktemp -d) && trap 'rm -rf "$dir"' EXIT
BACKPLANE_CATALOGS=$source/plan/catalogs
export BACKPLANE_CATALOGS

check() { # arguments: description; checks the status of the previous command
    status=$?
    n=$((n + 1))
    [ $status = 0 ] && echo "ok $n $1" || echo "not ok $n $1"
}
plan() { "$tool" "$@"; }
# The output of the tool contains each of the texts.
has() { # file, text...
    file=$1
    shift
    for text in "$@"; do
        grep -qF -- "$text" "$file" || { echo "# no '$text' in:"; sed 's/^/# /' "$file"; return 1; }
    done
}
wrong() { # expected message, command...
    expected=$1
    shift
    plan "$@" >"$dir/out" 2>"$dir/err"
    [ $? = 1 ] && [ "$(wc -l <"$dir/err")" = 1 ] && has "$dir/err" "$expected"
    check "refused: $expected"
}

# --- catalogues ---
for name in qemu-7.2-virt qemu-7.2-q35 qemu-7.2-pc; do
    plan types -catalog $name >"$dir/types" && has "$dir/types" 'name "virtio-blk-pci", bus PCI' &&
        plan types -json -catalog $name >"$dir/json" && plan types -json -catalog "$dir/json" | cmp "$dir/json" -
    check "the catalogue $name reads back"
done
plan types pxb-pcie -catalog qemu-7.2-q35 >"$dir/out" && has "$dir/out" bus_nr
check "pxb-pcie is in the catalogue of q35"
wrong "unknown device type 'pxb-pcie'" types pxb-pcie -catalog qemu-7.2-virt
wrong "there is no installed catalogue 'nothing' in $BACKPLANE_CATALOGS: available are qemu-7.2-pc, qemu-7.2-q35" \
    types -catalog nothing
wrong "program '/bin/false' prints no catalogue" types -catalog program:/bin/false

# --- libvirt ---
xml=$source/tests/unit/plan/exchange/q35.xml
plan import "$dir/vm.json" "$xml" -catalog qemu-7.2-q35 && plan check "$dir/vm.json" && plan args "$dir/vm.json" >"$dir/out" &&
    has "$dir/out" '-machine pc-q35-7.2' 'pcie-root-port,id=pci.2,bus=pcie.0,addr=02.1,chassis=2,port=17' \
        'virtio-blk-pci,id=virtio-disk0,bus=pci.4,addr=00.0,bootindex=1,drive=drive-virtio-disk0' \
        'virtserialport,id=channel0,bus=virtio-serial0.0,chardev=charchannel0,name=org.qemu.guest_agent.0,nr=1' \
        'ide-cd,id=sata0-0-0,bus=ide.0' 'usb-tablet,id=input0,bus=usb.0,port=1' 'edu,id=e,bus=pcie.0,addr=09.0'
check "import of a domain"
plan slots "$dir/vm.json" >"$dir/out" &&
    has "$dir/out" 'free: 03-04, 06-08, 0a-1e' '1f.2     ich9-ahci, created by the machine'
check "addresses of the domain and of the board"
plan xml "$dir/vm.json" >/dev/null 2>"$dir/err"
[ $? = 1 ] && has "$dir/err" "device 'e' (edu): libvirt cannot express this type"
check "a device that libvirt lacks"
plan remove "$dir/vm.json" e && plan xml "$dir/vm.json" >"$dir/xml" && plan import "$dir/again.json" "$dir/xml" -catalog qemu-7.2-q35 &&
    plan diff "$dir/vm.json" "$dir/again.json"
check "xml and import yield the same machine"
bad() { # sed script, expected message
    sed "$1" "$xml" >"$dir/bad.xml"
    rm -f "$dir/bad.json"
    wrong "$2" import "$dir/bad.json" "$dir/bad.xml" -catalog qemu-7.2-q35
    [ ! -e "$dir/bad.json" ]
    check "  and no file is written"
}
bad "s/bus='0x05' slot='0x00'/bus='0x0f' slot='0x00'/" \
    "domain/devices/memballoon/address@bus: there is no PCI controller with the index 15"
bad "s/slot='0x1f' function='0x2'/slot='0x2f' function='0x2'/" \
    "domain/devices/controller[2]/address@slot: '0x2f' is not a number of at most 31"
bad "s/bus='virtio'\/>/bus='nowhere'\/>/" "domain/devices/disk: no device type is known for this element"
bad "s/<\/devices>//" "domain/devices: Error on line"
bad "s/model type='virtio'/model type='none-such'/" "domain/devices/interface: no device type is known"
bad "s/arch='x86_64'/arch='sparc'/" "domain/os/type@arch: is 'sparc', but the catalogue is one of x86_64"
bad "s/pc-q35-7.2/pc-q35-99/" "domain/os/type@machine: there is no machine 'pc-q35-99'"
bad "s/unit='GiB'/unit='acres'/" "domain/memory@unit: must be b"
bad "s/edu,id=e/edv,id=e/" "domain/qemu:commandline: argument 2: -device: unknown device type 'edv'"
bad "s/<domain /<network /; s/<\/domain/<\/network/" "the document must be one element <domain>, not <network>"
bad "s/index='5'/index='4'/" "domain/devices/controller[8]@index: 4 is used twice"
bad "s/slot='0x05' function='0x0'/slot='0x01' function='0x0'/" "device 'rng0' (virtio-rng-pci): 01.0 on bus 'pcie.0' is already used"

# --- command lines ---
line() { # name, catalogue, command line, text...
    name=$1 catalogue=$2
    printf '%s\n' "$3" >"$dir/line"
    shift 3
    rm -f "$dir/line.json"
    plan import "$dir/line.json" "$dir/line" -catalog "$catalogue" && plan args "$dir/line.json" >"$dir/out" && has "$dir/out" "$@"
    check "command line: $name"
}
line "virtio-mmio disk" qemu-7.2-virt \
    'qemu-system-riscv64 -nographic -machine virt -kernel Image -append "root=/dev/vda ro console=ttyS0" \
     -drive file=busybox.img,format=raw,id=hd0 -device virtio-rng-pci' \
    'file=busybox.img,format=raw,id=hd0' 'virtio-rng-pci,bus=pcie.0,addr=01.0' 'virtio-blk-device,bus=virtio-mmio-bus.7,drive=hd0' \
    "-append 'root=/dev/vda ro console=ttyS0'" '-bios default'
line "q35 with its defaults" qemu-7.2-q35 '-M q35 -m 2G -smp sockets=2,cores=2 -hda a.img -cdrom b.iso' \
    'VGA,bus=pcie.0,addr=01.0' 'e1000e,bus=pcie.0,addr=02.0' '-smp 4' 'ide-hd,bus=ide.0' 'ide-cd,bus=ide.2' '-m 2097152k'
line "pc, -nic and -vga" qemu-7.2-pc '-M pc -vga none -nic user,model=e1000,mac=52:54:00:00:00:01 -drive file=a,if=virtio' \
    'e1000,bus=pci.0' 'mac=52:54:00:00:00:01' 'virtio-blk-pci,bus=pci.0' '-netdev type=user,id=nic0'
line "JSON devices" qemu-7.2-q35 "-nodefaults -M q35 -device '{\"driver\":\"pcie-root-port\",\"id\":\"p\",\"addr\":\"0x3\"}'" \
    'pcie-root-port,id=p,bus=pcie.0,addr=03.0'
line "a loader and semihosting" qemu-7.2-virt '-M virt -bios none -semihosting -device loader,file=a.bin,addr=0x80000000' \
    '-bios none' 'loader,addr=2147483648,file=a.bin'
badline() { # command line, expected message
    printf '%s\n' "$1" >"$dir/line"
    rm -f "$dir/line.json"
    wrong "$2" import "$dir/line.json" "$dir/line" -catalog qemu-7.2-q35
}
badline '-M q35 -devise edu' "argument 3: '-devise' is not an option that describes a machine (did you mean 'device'?)"
badline '-M q35 -device' "argument 3: -device requires a value"
badline '-M q35 -m lots' "argument 3: -m: property 'size' does not accept 'lots'"
badline "-M q35 -append 'x" "the command line is malformed"
badline '-M q35 -device edu,addr=3 -device edu,addr=3' "03.0 on bus 'pcie.0' is already used by device 'edu'"
badline '-M q35 -drive if=floppy,file=x' "-drive: if=floppy is not supported"

# --- merge and hints ---
plan new "$dir/base.json" -policy none -M virt -device edu,id=a -device edu,id=b,addr=8 &&
    plan new "$dir/hints.json" -policy none -M virt -device edu,id=a,addr=5 -device edu,id=b,addr=6 -device edu,id=zz,addr=7
[ "$(plan merge "$dir/base.json" "$dir/hints.json" -hints)" = "1 device received an address" ] &&
    plan args "$dir/base.json" >"$dir/out" && has "$dir/out" 'edu,id=a,bus=pcie.0,addr=05.0' 'edu,id=b,bus=pcie.0,addr=08.0' &&
    ! grep -q zz "$dir/out"
check "hints apply to devices without a static address, others are ignored"
echo '{"backplane-machine": 1, "guest": {"devices": [{"type": "edu", "id": "c", "bus": "pcie.0", "addr": "0a.0"}]}}' >"$dir/part.json"
plan merge "$dir/base.json" "$dir/part.json" >"$dir/out" && has "$dir/out" '"have": "edu"' &&
    plan args "$dir/base.json" | grep -q 'id=c,bus=pcie.0,addr=0a.0'
check "merge adds the devices of a partial description"
cp "$dir/base.json" "$dir/before"
echo '{"backplane-machine": 1, "guest": {"devices": [{"type": "edu", "id": "d", "addr": "0a.0"}]}}' >"$dir/part.json"
wrong "0a.0 on bus 'pcie.0' is already used by device 'c' (edu)" merge "$dir/base.json" "$dir/part.json"
cmp "$dir/before" "$dir/base.json"
check "  and the file is unchanged"

# --- JSON ---
while read -r command; do
    # shellcheck disable=SC2086
    plan $command -json >"$dir/out" 2>/dev/null
    python3 -c 'import json, sys; json.load(open(sys.argv[1]))' "$dir/out" 2>"$dir/err" && ! grep -q '"error":' "$dir/out"
    check "JSON: ${command%% *}"
done <<END
new $dir/j.json -M default -device edu,id=a
import $dir/k.json $xml -catalog qemu-7.2-q35
add $dir/j.json edu,id=b
set $dir/j.json b dma_mask=0xff
move $dir/j.json b 9
merge $dir/j.json $dir/part.json
freeze $dir/j.json
thaw $dir/j.json b
check $dir/j.json
slots $dir/j.json
diff $dir/j.json $dir/j.json
types edu
machines
explain $dir/j.json b
args $dir/j.json
xml $dir/vm.json
machine
remove $dir/j.json b
grow $dir/j.json edu,id=g 2
fit $dir/j.json edu
END
plan remove "$dir/j.json" nothing -json >"$dir/out" 2>/dev/null
[ $? = 1 ] && has "$dir/out" "\"error\": \"the machine has no device 'nothing'\""
check "JSON: an error"

# --- machine types of a site ---
cat >"$dir/acme.json" <<END
{"backplane-machine-type": 1, "name": "acme-web", "base": "pc-q35-7.2", "properties": {"smm": "off"},
 "devices": ["virtio-rng-pci,id=rng0,addr=05"], "rules": [{"types": ["virtio-net-*", "e1000*"], "number": 1, "addr": "02.0"}]}
END
plan new "$dir/site.json" -catalog qemu-7.2-q35 -policy none -machine-type "$dir/acme.json" -M acme-web -device edu,id=e \
    -device e1000,id=n0 -device virtio-net-pci,id=n1 && plan args "$dir/site.json" >"$dir/out" &&
    has "$dir/out" '-machine pc-q35-7.2,smm=off' 'e1000,id=n0,bus=pcie.0,addr=02.0' 'virtio-rng-pci,id=rng0,bus=pcie.0,addr=05.0' \
        'edu,id=e,bus=pcie.0,addr=01.0' 'virtio-net-pci,id=n1,bus=pcie.0,addr=03.0'
check "properties, devices and rules of a site's machine type"
badsite() { # definition, expected message
    echo "$1" >"$dir/bad.json"
    wrong "$2" machine -machine-type "$dir/bad.json"
}
badsite '[]' "not a machine type: \"backplane-machine-type\": 1 is required"
badsite '{"backplane-machine-type": 1, "name": "a"}' "name and base are required"
badsite '{"backplane-machine-type": 1, "name": "a", "base": "virt", "rules": [{"types": ["x"], "addr": "zz"}]}' "rules[0].addr: "
badsite '{"backplane-machine-type": 1, "name": "a", "base": "virt", "devices": [3]}' "devices[0] must be a string"
badsite '{"backplane-machine-type": 1, "name": "a", "base": "virt", "colour": 1}' "colour is an unknown key"

# --- policy and growth ---
plan new "$dir/grow.json" -catalog qemu-7.2-q35 && plan grow "$dir/grow.json" virtio-net-pci,id=nic 20 >"$dir/out" &&
    has "$dir/out" 'nic0: virtio-net-pci at rp' 'nic19: virtio-net-pci at rp' && plan check "$dir/grow.json"
check "grow adds the ports that 20 devices require"
plan explain "$dir/grow.json" nic3 >"$dir/out" && has "$dir/out" 'rule hotplug, value required, satisfied true' 'chosen-by: planner'
check "explain states the rules of the policy"
plan fit "$dir/grow.json" virtio-blk-pci,drive=d pcie-root-port,bus=nowhere >"$dir/out"
[ $? = 2 ] && has "$dir/out" 'virtio-blk-pci: rp' "pcie-root-port: no: "
check "fit: exit status 2 if a device does not fit"
plan add "$dir/grow.json" edu,id=plugged -prefer hotplug=required >"$dir/out" && has "$dir/out" 'plugged: edu at rp'
check "a preference of one device"
wrong "hotplug" add "$dir/grow.json" edu -prefer hotplug=perhaps
cp "$dir/grow.json" "$dir/before"
wrong "property 'N' does not accept '0'" grow "$dir/grow.json" edu 0
wrong "there is no policy 'nothing'" add "$dir/grow.json" edu -policy nothing
cmp "$dir/before" "$dir/grow.json"
check "  and the file is unchanged"

# --- complete descriptions ---
cat >"$dir/catalogue" <<END
{"backplane-catalog": 1, "types": [{"name": "d", "role": "endpoint", "slots": ["express"], "user-creatable": true, "properties": [
  {"name": "old", "kind": "u32", "default": 1}, {"name": "new", "kind": "u32", "default": 7, "implied": "3"}]}],
 "machines": [{"name": "m", "default": true, "root-bus": "pcie.0", "root-kind": "pcie-root"}]}
END
for complete in true false; do
    cat >"$dir/$complete.json" <<END
{"backplane-machine": 1, "guest": {"devices": [{"type": "d", "id": "x", "properties": {"old": 2}}]}, "planning": {"complete": $complete}}
END
    plan machine -machine-config "$dir/$complete.json" -catalog "$dir/catalogue" >"$dir/$complete.out"
done
has "$dir/true.out" '"new": 3' && has "$dir/false.out" '"new": 7'
check "a property that a complete description lacks has its implied value"
echo "1..$n"
