# SPDX-License-Identifier: GPL-2.0-or-later
"""The XML elements and attributes that elements.py starts and observes.

An observation is a function of the running domain that returns a problem, or None. prop() reads a
property of a device, machine() one of the machine, query() the answer to a QMP command, arg() the
command line, and host() the host. `@BASE@` is the folder with the files of the test.
"""

import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from waiting import scaled, until

Observation = Callable[[object], str | None]
MIB = 1 << 20


@dataclass
class Row:
    """An element or attribute, and how its effect is observed."""

    name: str
    place: str
    xml: str
    observe: list[Observation] = field(default_factory=list)
    refused: str = ""
    more: dict[str, str] = field(default_factory=dict)


ROWS: list[Row] = []


def row(name: str, place: str, xml: str, *observe: Observation, refused: str = "", **more: str) -> None:
    """Add a row."""
    ROWS.append(Row(name, place, xml, list(observe), refused, more))


# --- observations ---

def prop(device: str, name: str, value: object) -> Observation:
    """A property of a device has a value."""
    def observe(domain: object) -> str | None:
        found = domain.qmp("qom-get", path=f"/machine/peripheral/{device}", property=name)
        return None if found == value else f"{device}.{name} is {found!r}, not {value!r}"
    return observe


def machine(name: str, value: object) -> Observation:
    """A property of the machine has a value."""
    def observe(domain: object) -> str | None:
        found = domain.qmp("qom-get", path="/machine", property=name)
        return None if found == value else f"machine.{name} is {found!r}, not {value!r}"
    return observe


def query(command: str, holds: Callable[[object], object], **arguments: object) -> Observation:
    """The answer to a QMP command has a property."""
    def observe(domain: object) -> str | None:
        found = domain.qmp(command, **arguments)
        return None if holds(found) else f"{command}: {found}"
    return observe


def arg(option: str, *texts: str) -> Observation:
    """One value of an option contains all the texts."""
    def observe(domain: object) -> str | None:
        values = domain.option(option)
        return None if any(all(text in value for text in texts) for value in values) else \
            f"{option}: {values} does not contain {texts}"
    return observe


def word(text: str) -> Observation:
    """The command line contains a word."""
    return lambda domain: None if text in domain.words else f"{text}: {domain.words}"


def host(name: str, holds: Callable[[Path], object]) -> Observation:
    """A file of the host has a property."""
    def observe(domain: object) -> str | None:
        path = Path(name.replace("@BASE@", str(domain.base)).replace("@PID@", str(domain.pid)))
        return None if holds(path) else f"{path}: {path.exists()}"
    return observe


def drive(key: str, value: object) -> Observation:
    """A member of the first disk in query-block has a value; the key may have two parts."""
    def holds(answer: list) -> bool:
        node = answer[0]
        for part in key.split("."):
            node = node.get(part)
        return node == value
    return query("query-block", holds)


def node(driver: str, key: str, value: object) -> Observation:
    """A block node of a driver has a value."""
    return query("query-named-block-nodes",
                 lambda r: any(n["drv"] == driver and n.get(key) == value for n in r))


def chardev(label: str, holds: Callable[[str], object]) -> Observation:
    """The file name of a character device has a property."""
    return query("query-chardev",
                 lambda r: any(c["label"] == label and holds(c["filename"]) for c in r))


def greeting(port: int) -> Observation:
    """A client of a telnet server receives the options that the server offers."""
    def observe(domain: object) -> str | None:
        with socket.create_connection(("127.0.0.1", port), scaled(20)) as client:
            found = client.recv(3)
        return None if found == b"\xff\xfb\x01" else f"port {port}: {found}"
    return observe


def slot(device: str, number: int, function: int = 0, bus: int = 0) -> Observation:
    """A device has a place on a PCI bus."""
    def places(devices: list, bus_number: int) -> list:
        found = []
        for each in devices:
            found.append((each["qdev_id"], each["slot"], each["function"], bus_number))
            bridge = each.get("pci_bridge")
            if bridge:
                found += places(bridge.get("devices", []), 1)
        return found
    return query("query-pci", lambda r: (device, number, function, bus) in places(r[0]["devices"], 0))


# --- XML ---

def disk(inner: str = "", driver: str = "", target: str = "dev='vda' bus='virtio'",
         attrs: str = "type='file' device='disk'",
         source: str = "<source file='@BASE@/a.img'/>", type: str = "raw") -> str:  # noqa: A002
    """Return a disk."""
    return (f"<disk {attrs}><driver name='qemu' type='{type}' {driver}/>{source}<target {target}/>{inner}"
            "</disk>")


def scsi(inner: str = "", driver: str = "", attrs: str = "type='file' device='disk'",
         target: str = "dev='sda' bus='scsi'", controller: str = "") -> str:
    """Return a SCSI disk and its controller."""
    return (f"<controller type='scsi' index='0' model='virtio-scsi'>{controller}</controller>" +
            disk(inner, driver, target, attrs))


def nic(inner: str = "", driver: str = "", type: str = "user", model: str = "virtio") -> str:  # noqa: A002
    """Return a network device of the user network."""
    return (f"<interface type='{type}'><mac address='52:54:00:01:02:03'/><model type='{model}'/>"
            f"<driver {driver}>{inner if inner.startswith(('<host', '<guest')) else ''}</driver>"
            f"{'' if inner.startswith(('<host', '<guest')) else inner}<norom/></interface>").replace(
                "<norom/>", "" if "<rom" in inner else "<norom/>")


def ports(number: int = 1, inner: str = "") -> str:
    """Return root ports."""
    return "<controller type='pci' index='0' model='pcie-root'/>" + "".join(
        f"<controller type='pci' index='{n + 1}' model='pcie-root-port'>{inner}</controller>"
        for n in range(number))


def rng(inner: str = "<backend model='random'>/dev/urandom</backend>") -> str:
    """Return a random source."""
    return f"<rng model='virtio'>{inner}</rng>"


USB = "<controller type='usb' index='0' model='qemu-xhci'/>"


def memory(inner: str) -> str:
    """Return memoryBacking."""
    return f"<memoryBacking>{inner}</memoryBacking>"


def ends_on_reset(domain: object) -> str | None:
    """A reset of the machine ends the domain."""
    domain.qmp("system_reset")
    until("the domain to end", lambda: "elements" not in domain.daemon.virsh("list", "--name"))


def ram_flag(flag: str, present: bool) -> Observation:
    """The mapping of the guest's memory has or lacks a flag of /proc/PID/smaps."""
    def observe(domain: object) -> str | None:
        size, found = 0, []
        for line in Path(f"/proc/{domain.pid}/smaps").read_text().splitlines():
            if line.startswith("Size:"):
                size = int(line.split()[1])
            elif line.startswith("VmFlags:") and size == 64 << 10:
                found.append(line.split()[1:])
        return None if any((flag in flags) == present for flags in found) else f"flags: {found}"
    return observe


def pc_ram(key: str, value: object) -> Observation:
    """The memory backend of the machine has a value."""
    return query("query-memdev", lambda r: any(m.get(key) == value for m in r))


# --- the domain ---

row("name", "domain", "", query("query-name", lambda r: r["name"] == "elements"))
row("uuid", "domain", "<uuid>6b1b3c40-5d2c-4d4b-9a3e-0123456789ab</uuid>",
    query("query-uuid", lambda r: r["UUID"] == "6b1b3c40-5d2c-4d4b-9a3e-0123456789ab"))
row("title", "domain", "<title>the title</title>", word("-name"))
row("memory", "memory", "<memory unit='MiB'>80</memory>",
    query("query-memory-size-summary", lambda r: r["base-memory"] == 80 * MIB))
row("memory unit KiB", "memory", "<memory unit='KiB'>98304</memory>",
    query("query-memory-size-summary", lambda r: r["base-memory"] == 96 * MIB))
row("memory dumpCore", "memory", "<memory unit='MiB' dumpCore='off'>64</memory>",
    arg("-machine", "dump-guest-core=off"), ram_flag("dd", True))
row("currentMemory", "memory", "<memory unit='MiB'>64</memory><currentMemory unit='MiB'>48</currentMemory>",
    query("query-balloon", lambda r: r["actual"] == 64 * MIB), balloon="<memballoon model='virtio'/>")
row("memory maxMemory", "memory", "<maxMemory slots='2' unit='MiB'>256</maxMemory><memory unit='MiB'>64</memory>",
    refused="numa node")
row("vcpu", "vcpu", "<vcpu>2</vcpu>", query("query-cpus-fast", lambda r: len(r) == 2))
row("vcpu current", "vcpu", "<vcpu current='1'>2</vcpu>", query("query-cpus-fast", lambda r: len(r) == 1))
row("vcpu placement", "vcpu", "<vcpu placement='static'>1</vcpu>", query("query-cpus-fast", lambda r: len(r) == 1))
row("vcpu cpuset", "vcpu", "<vcpu cpuset='0'>1</vcpu>",
    host("/proc/@PID@/status", lambda p: "Cpus_allowed_list:\t0\n" in p.read_text()))
row("cputune vcpupin", "domain", "<cputune><vcpupin vcpu='0' cpuset='0'/></cputune>",
    query("query-cpus-fast", lambda r: "Cpus_allowed_list:\t0\n" in
          Path(f"/proc/{r[0]['thread-id']}/status").read_text()))
row("cputune emulatorpin", "domain", "<cputune><emulatorpin cpuset='1'/></cputune>",
    host("/proc/@PID@/status", lambda p: "Cpus_allowed_list:\t1\n" in p.read_text()))
row("cputune vcpusched", "domain", "<cputune><vcpusched vcpus='0' scheduler='batch'/></cputune>",
    query("query-cpus-fast", lambda r: Path(f"/proc/{r[0]['thread-id']}/stat").read_text().rsplit(")")[1].split()[38] == "3"))
row("cpu topology", "vcpu", "<vcpu>4</vcpu><cpu><topology sockets='2' cores='2' threads='1'/></cpu>",
    refused="CPU driver")
row("cpu mode maximum", "domain", "<cpu mode='maximum'/>", refused="CPU")
row("cpu mode host-model", "domain", "<cpu mode='host-model'/>", refused="CPU")
row("cpu numa", "domain", "<cpu><numa><cell id='0' cpus='0' memory='64' unit='MiB'/></numa></cpu>", refused="CPU driver")
row("iothreads", "domain", "<iothreads>2</iothreads>", query("query-iothreads", lambda r: len(r) == 2))
row("iothreadids", "domain", "<iothreads>1</iothreads><iothreadids><iothread id='7'/></iothreadids>",
    query("query-iothreads", lambda r: r[0]["id"] == "iothread7"))
row("iothreadids poolsize", "domain",
    "<iothreads>1</iothreads><iothreadids><iothread id='1' thread_pool_min='2' thread_pool_max='8'/></iothreadids>",
    refused="thread_pool")
row("defaultiothread", "domain", "<defaultiothread thread_pool_min='1' thread_pool_max='8'/>",
    refused="thread_pool")
row("cputune iothreadpin", "domain", "<iothreads>1</iothreads><cputune><iothreadpin iothread='1' cpuset='1'/></cputune>",
    query("query-iothreads", lambda r: "Cpus_allowed_list:\t1\n" in
          Path(f"/proc/{r[0]['thread-id']}/status").read_text()))
row("memoryBacking source anonymous", "domain", memory("<source type='anonymous'/>"), pc_ram("size", 64 * MIB))
row("memoryBacking source memfd", "domain", memory("<source type='memfd'/><access mode='shared'/>"),
    pc_ram("share", True), arg("-object", "memory-backend-memfd"))
row("memoryBacking source file", "domain", memory("<source type='file'/>"), arg("-object", "memory-backend-file"),
    pc_ram("size", 64 * MIB))
row("memoryBacking access shared", "domain", memory("<source type='file'/><access mode='shared'/>"), pc_ram("share", True))
row("memoryBacking access private", "domain", memory("<source type='file'/><access mode='private'/>"), pc_ram("share", False))
row("memoryBacking allocation immediate", "domain",
    memory("<source type='memfd'/><allocation mode='immediate'/>"), pc_ram("prealloc", True))
row("memoryBacking allocation threads", "domain",
    memory("<source type='memfd'/><allocation mode='immediate' threads='2'/>"), pc_ram("prealloc", True),
    arg("-object", '"prealloc-threads":2'))
row("memoryBacking discard", "domain", memory("<source type='file'/><access mode='shared'/><discard/>"),
    arg("-object", '"discard-data":true'))
row("numatune memory strict", "domain", memory("<source type='memfd'/>") +
    "<numatune><memory mode='strict' nodeset='0'/></numatune>", pc_ram("policy", "bind"), pc_ram("host-nodes", [0]))
row("numatune memory preferred", "domain", memory("<source type='memfd'/>") +
    "<numatune><memory mode='preferred' nodeset='0'/></numatune>", pc_ram("policy", "preferred"))
row("numatune memory interleave", "domain", memory("<source type='memfd'/>") +
    "<numatune><memory mode='interleave' nodeset='0'/></numatune>", pc_ram("policy", "interleave"))
row("numatune memory of a missing node", "domain", memory("<source type='memfd'/>") +
    "<numatune><memory mode='strict' nodeset='7'/></numatune>", refused="NUMA node 7|node.*unavailable|host-nodes")
row("memoryBacking nosharepages", "domain", memory("<nosharepages/>"), arg("-machine", "mem-merge=off"))
row("os kernel", "os", "<kernel>@BASE@/kernel</kernel>", host("/proc/@PID@/cmdline", lambda p: b"-kernel" in p.read_bytes()))
row("os initrd", "os", "<kernel>@BASE@/kernel</kernel><initrd>@BASE@/initrd</initrd>", arg("-initrd", "/initrd"))
row("os cmdline", "os", "<kernel>@BASE@/kernel</kernel><cmdline>a=1 b</cmdline>", arg("-append", "a=1 b"))
row("os dtb", "os", "<kernel>@BASE@/kernel</kernel><dtb>@BASE@/missing.dtb</dtb>", refused="missing.dtb")
row("os loader rom", "os", "<loader type='rom'>@BASE@/missing.bin</loader>", refused="missing.bin")
row("os loader pflash", "os", "<loader type='pflash' readonly='yes'>@BASE@/a.img</loader>", refused="master var store")
row("os boot dev", "os", "<boot dev='hd'/>", prop("virtio-disk0", "bootindex", 1), devices=disk())
row("os bootmenu", "os", "<boot dev='hd'/><bootmenu enable='yes' timeout='10'/>", arg("-boot", "menu=on", "splash-time=10"),
    devices=disk())
row("os bios rebootTimeout", "os", "<bios rebootTimeout='5'/>", arg("-boot", "reboot-timeout=5"))
row("machine version", "machine", "virt-0.3", query("query-machines", lambda r: any(m["name"] == "virt-0.3" for m in r)))
row("features acpi", "features", "<acpi/>", arg("-machine", "virt"))
row("on_reboot destroy", "lifecycle", "<on_poweroff>destroy</on_poweroff><on_reboot>destroy</on_reboot>"
    "<on_crash>destroy</on_crash>", ends_on_reset)
row("on_poweroff preserve", "lifecycle", "<on_poweroff>preserve</on_poweroff>", refused="preserve")
row("on_poweroff restart", "lifecycle", "<on_poweroff>restart</on_poweroff>", word("-no-shutdown"))
row("on_crash restart", "lifecycle", "<on_crash>restart</on_crash>", query("query-status", lambda r: r["running"]))
row("clock utc", "clock", "<clock offset='utc'/>", arg("-rtc", "base=utc"))
row("clock localtime", "clock", "<clock offset='localtime'/>", arg("-rtc", "base=localtime"))
row("clock variable", "clock", "<clock offset='variable' adjustment='3600' basis='utc'/>", arg("-rtc", "base=20"))
row("clock absolute", "clock", "<clock offset='absolute' start='86400'/>", arg("-rtc", "base=1970-01-02T00:00:00"))
row("clock timezone", "clock", "<clock offset='timezone' timezone='Europe/Berlin'/>", arg("-rtc", "base=localtime"))
row("clock timer rtc catchup", "clock", "<clock offset='utc'><timer name='rtc' tickpolicy='catchup'/></clock>",
    refused="driftfix")
row("clock timer rtc track guest", "clock", "<clock offset='utc'><timer name='rtc' track='guest'/></clock>",
    arg("-rtc", "clock=vm"))
row("sysinfo", "domain", "<sysinfo type='smbios'><bios><entry name='vendor'>V</entry></bios></sysinfo>",
    query("query-status", lambda r: r["running"]))
row("sysinfo fwcfg", "domain", "<sysinfo type='fwcfg'><entry name='opt/org.test/a'>value</entry></sysinfo>", arg("-fw_cfg", "opt/org.test/a"))
row("seclabel none", "domain", "<seclabel type='none'/>", query("query-status", lambda r: r["running"]))
row("perf", "domain", "<perf><event name='cmt' enabled='no'/></perf>", query("query-status", lambda r: r["running"]))

# --- disks ---

row("disk", "devices", disk(), drive("inserted.image.virtual-size", 16 * MIB))
row("disk source file", "devices", disk(), drive("inserted.ro", False),
    query("query-named-block-nodes", lambda r: any(n["file"].endswith("/a.img") for n in r)))
row("disk target dev vdc", "devices", disk(target="dev='vdc' bus='virtio'"), prop("virtio-disk2", "drive", "libvirt-1-format"))
row("disk readonly", "devices", disk("<readonly/>"), drive("inserted.ro", True))
row("disk shareable", "devices", disk("<shareable/>"), prop("virtio-disk0", "share-rw", True))
row("disk serial", "devices", disk("<serial>SN0001</serial>"), prop("virtio-disk0", "serial", "SN0001"))
row("disk boot order", "devices", disk("<boot order='3'/>"), prop("virtio-disk0", "bootindex", 3))
row("disk alias", "devices", disk("<alias name='ua-mine'/>"), prop("ua-mine", "drive", "libvirt-1-format"))
row("disk address", "devices", disk("<address type='pci' domain='0' bus='0' slot='9' function='0'/>"),
    slot("virtio-disk0", 9))
row("disk address multifunction", "devices",
    disk("<address type='pci' domain='0' bus='0' slot='9' function='0' multifunction='on'/>"),
    prop("virtio-disk0", "multifunction", True))
row("disk address function", "devices",
    disk("<address type='pci' domain='0' bus='0' slot='9' function='0' multifunction='on'/>") +
    disk("<address type='pci' domain='0' bus='0' slot='9' function='5'/>", target="dev='vdb' bus='virtio'",
         source="<source file='@BASE@/b.img'/>"), slot("virtio-disk1", 9, 5))
row("disk blockio logical", "devices", disk("<blockio logical_block_size='4096' physical_block_size='4096'/>"),
    prop("virtio-disk0", "logical_block_size", 4096))
row("disk blockio physical", "devices", disk("<blockio physical_block_size='4096'/>"),
    prop("virtio-disk0", "physical_block_size", 4096))
row("disk geometry", "devices", disk("<geometry cyls='20' heads='16' secs='63'/>"),
    prop("virtio-disk0", "cyls", 20), prop("virtio-disk0", "heads", 16), prop("virtio-disk0", "secs", 63))
for mode, (direct, flush, cache) in {"none": (True, False, "on"), "writeback": (False, False, "on"),
                                     "writethrough": (False, False, "off"), "unsafe": (False, True, "on"),
                                     "directsync": (True, False, "off")}.items():
    row(f"disk cache {mode}", "devices", disk(driver=f"cache='{mode}'"), drive("inserted.cache.direct", direct),
        drive("inserted.cache.no-flush", flush), arg("-device", f'"write-cache":"{cache}"'))
row("disk io threads", "devices", disk(driver="io='threads'"), arg("-blockdev", '"aio":"threads"'))
row("disk io native", "devices", disk(driver="io='native' cache='none'"), arg("-blockdev", '"aio":"native"'))
row("disk io io_uring", "devices", disk(driver="io='io_uring'"), arg("-blockdev", '"aio":"io_uring"'))
for mode in ("stop", "report", "ignore", "enospace"):
    row(f"disk error_policy {mode}", "devices", disk(driver=f"error_policy='{mode}'"),
        prop("virtio-disk0", "werror", {"enospace": "enospc"}.get(mode, mode)))
row("disk rerror_policy", "devices", disk(driver="rerror_policy='stop'"), prop("virtio-disk0", "rerror", "stop"))
row("disk copy_on_read", "devices", disk(driver="copy_on_read='on'"), refused="copy-on-read")
row("disk discard unmap", "devices", disk(driver="discard='unmap'"), arg("-blockdev", '"discard":"unmap"'))
row("disk discard ignore", "devices", disk(driver="discard='ignore'"), arg("-blockdev", '"discard":"ignore"'))
row("disk detect_zeroes on", "devices", disk(driver="detect_zeroes='on'"), node("raw", "detect_zeroes", "on"))
row("disk detect_zeroes unmap", "devices", disk(driver="detect_zeroes='unmap' discard='unmap'"),
    node("raw", "detect_zeroes", "unmap"))
row("disk iothread", "devices", disk(driver="iothread='1'"), prop("virtio-disk0", "iothread", "iothread1"),
    domain="<iothreads>1</iothreads>")
row("disk queues", "devices", disk(driver="queues='3'"), prop("virtio-disk0", "num-queues", 3))
row("disk queue_size", "devices", disk(driver="queue_size='128'"), prop("virtio-disk0", "queue-size", 128))
row("disk ioeventfd", "devices", disk(driver="ioeventfd='off'"), prop("virtio-disk0", "ioeventfd", "off"))
row("disk event_idx", "devices", disk(driver="event_idx='off'"), prop("virtio-disk0", "event_idx", False))
row("disk iommu", "devices", disk(driver="iommu='on'"), prop("virtio-disk0", "iommu_platform", True))
row("disk ats", "devices", disk(driver="ats='on'"), prop("virtio-disk0", "ats", "on"))
row("disk packed", "devices", disk(driver="packed='on'"), prop("virtio-disk0", "packed", True))
row("disk page_per_vq", "devices", disk(driver="page_per_vq='on'"), prop("virtio-disk0", "page-per-vq", True))
row("disk model virtio-non-transitional", "devices",
    disk(attrs="type='file' device='disk' model='virtio-non-transitional'"),
    query("qom-get", lambda r: r == "virtio-blk-pci-non-transitional", path="/machine/peripheral/virtio-disk0",
          property="type"))
row("disk model virtio-transitional", "devices",
    disk(attrs="type='file' device='disk' model='virtio-transitional'"),
    query("qom-get", lambda r: r == "virtio-blk-pci-transitional", path="/machine/peripheral/virtio-disk0",
          property="type"))
row("disk type volume", "devices", disk(attrs="type='volume' device='disk'", source="<source pool='p' volume='v'/>"), refused="pool")
row("disk type network nbd", "devices", disk(attrs="type='network' device='disk'",
    source="<source protocol='nbd' name='x'><host transport='unix' socket='@BASE@/none.sock'/></source>"),
    refused="none.sock|nbd")
row("disk type qcow2", "devices", disk(type="qcow2", source="<source file='@BASE@/a.qcow2'/>"),
    drive("inserted.drv", "qcow2"), drive("inserted.image.virtual-size", MIB))
row("disk type qcow2 of a raw file", "devices", disk(type="qcow2"), refused="not in qcow2 format")
row("disk backingStore", "devices", disk(type="qcow2", source="<source file='@BASE@/a.qcow2'/><backingStore type='file'>"
    "<format type='raw'/><source file='@BASE@/b.img'/></backingStore>"), drive("inserted.backing_file_depth", 1))
row("disk slices", "devices",
    disk(source="<source file='@BASE@/a.img'><slices><slice type='storage' offset='1048576' size='4194304'/></slices></source>"),
    drive("inserted.image.virtual-size", 4 * MIB))
row("disk source startupPolicy", "devices",
    disk(attrs="type='file' device='cdrom'", target="dev='sda' bus='scsi'",
         source="<source file='@BASE@/missing.iso' startupPolicy='optional'/>"),
    query("query-block", lambda r: "inserted" not in r[0]))
for name, member in (("total_bytes_sec", "bps"), ("read_bytes_sec", "bps_rd"), ("write_bytes_sec", "bps_wr"),
                     ("total_iops_sec", "iops"), ("read_iops_sec", "iops_rd"), ("write_iops_sec", "iops_wr")):
    row(f"disk iotune {name}", "devices", disk(f"<iotune><{name}>1000000</{name}></iotune>"),
        drive(f"inserted.{member}", 1000000))
for name, base, member in (("total_bytes_sec", "total_bytes_sec", "bps_max"),
                           ("read_bytes_sec", "read_bytes_sec", "bps_rd_max"),
                           ("write_bytes_sec", "write_bytes_sec", "bps_wr_max"),
                           ("total_iops_sec", "total_iops_sec", "iops_max"),
                           ("read_iops_sec", "read_iops_sec", "iops_rd_max"),
                           ("write_iops_sec", "write_iops_sec", "iops_wr_max")):
    row(f"disk iotune {name}_max", "devices",
        disk(f"<iotune><{base}>1000000</{base}><{name}_max>2000000</{name}_max></iotune>"),
        drive(f"inserted.{member}", 2000000))
row("disk iotune size_iops_sec", "devices",
    disk("<iotune><total_iops_sec>100</total_iops_sec><size_iops_sec>4096</size_iops_sec></iotune>"),
    drive("inserted.iops_size", 4096))
row("disk iotune group_name", "devices",
    disk("<iotune><total_iops_sec>100</total_iops_sec><group_name>g</group_name></iotune>"), drive("inserted.group", "g"))
row("disk iotune total_iops_sec_max_length", "devices",
    disk("<iotune><total_iops_sec>100</total_iops_sec><total_iops_sec_max>200</total_iops_sec_max>"
         "<total_iops_sec_max_length>5</total_iops_sec_max_length></iotune>"), drive("inserted.iops_max_length", 5))

# --- SCSI ---

row("scsi controller", "devices", scsi(), prop("scsi0-0-0-0", "drive", "libvirt-1-format"))
row("scsi controller queues", "devices", scsi(controller="<driver queues='3'/>"), prop("scsi0", "num_queues", 3))
row("scsi controller cmd_per_lun", "devices", scsi(controller="<driver cmd_per_lun='50'/>"), prop("scsi0", "cmd_per_lun", 50))
row("scsi controller max_sectors", "devices", scsi(controller="<driver max_sectors='512'/>"), prop("scsi0", "max_sectors", 512))
row("scsi controller ioeventfd", "devices", scsi(controller="<driver ioeventfd='off'/>"), prop("scsi0", "ioeventfd", "off"))
row("scsi controller iothread", "devices", scsi(controller="<driver iothread='1'/>"),
    prop("scsi0", "iothread", "iothread1"), domain="<iothreads>1</iothreads>")
row("scsi controller packed", "devices", scsi(controller="<driver packed='on'/>"), prop("scsi0", "packed", True))
row("scsi disk serial", "devices", scsi("<serial>S2</serial>"), prop("scsi0-0-0-0", "serial", "S2"))
row("scsi disk vendor", "devices", scsi("<vendor>ACME</vendor>"), prop("scsi0-0-0-0", "vendor", "ACME"))
row("scsi disk product", "devices", scsi("<product>DISK 1</product>"), prop("scsi0-0-0-0", "product", "DISK 1"))
row("scsi disk wwn", "devices", scsi("<wwn>5000c50015ea71ac</wwn>"), prop("scsi0-0-0-0", "wwn", 0x5000c50015ea71ac))
row("scsi disk rotation_rate", "devices", scsi(target="dev='sda' bus='scsi' rotation_rate='7200'"),
    prop("scsi0-0-0-0", "rotation_rate", 7200))
row("scsi disk address", "devices", scsi("<address type='drive' controller='0' bus='0' target='3' unit='2'/>"),
    prop("scsi0-0-3-2", "scsi-id", 3), prop("scsi0-0-3-2", "lun", 2))
row("scsi disk boot order", "devices", scsi("<boot order='2'/>"), prop("scsi0-0-0-0", "bootindex", 2))
row("scsi disk error_policy", "devices", scsi(driver="error_policy='stop'"), prop("scsi0-0-0-0", "werror", "stop"))
row("cdrom", "devices", scsi(attrs="type='file' device='cdrom'"), drive("removable", True), drive("inserted.ro", True))
row("cdrom empty", "devices",
    "<controller type='scsi' model='virtio-scsi'/><disk type='file' device='cdrom'><target dev='sda' bus='scsi'/></disk>",
    query("query-block", lambda r: "inserted" not in r[0] and r[0]["removable"]))
row("cdrom tray open", "devices", scsi(attrs="type='file' device='cdrom'", target="dev='sda' bus='scsi' tray='open'"),
    query("query-block", lambda r: r[0]["removable"]))
row("disk device floppy", "devices", disk(attrs="type='file' device='floppy'", target="dev='fda' bus='fdc'"), refused="floppy")
row("disk bus sata", "devices", disk(target="dev='sda' bus='sata'"), refused="[sS][aA][tT][aA]|ahci|AHCI")
row("disk bus usb", "devices", disk(target="dev='sda' bus='usb'"), refused="[uU][sS][bB]")

# --- controllers ---

row("pcie-root-port", "devices", ports(3), slot("pci.3", 1, 2))
row("pcie-root-port chassis", "devices", ports(inner="<target chassis='9'/>"), prop("pci.1", "chassis", 9))
row("pcie-root-port port", "devices", ports(inner="<target port='0x1f'/>"), prop("pci.1", "port", 0x1f))
row("pcie-root-port hotplug", "devices", ports(inner="<target hotplug='off'/>"), prop("pci.1", "hotplug", False))
row("pcie-root-port busNr", "devices", ports(inner="<alias name='ua-port'/>"), prop("ua-port", "chassis", 1))
row("pcie-switch", "devices", ports() + "<controller type='pci' index='2' model='pcie-switch-upstream-port'/>"
    "<controller type='pci' index='3' model='pcie-switch-downstream-port'/>", prop("pci.3", "chassis", 3),
    slot("pci.2", 0, 0, 1))
row("pcie-switch-downstream-port hotplug", "devices",
    ports() + "<controller type='pci' index='2' model='pcie-switch-upstream-port'/>"
    "<controller type='pci' index='3' model='pcie-switch-downstream-port'><target hotplug='off'/></controller>",
    prop("pci.3", "hotplug", False))
row("pcie-to-pci-bridge", "devices", ports() + "<controller type='pci' index='2' model='pcie-to-pci-bridge'/>",
    slot("pci.2", 0, 0, 1))
row("pci-bridge chassisNr", "devices", ports() + "<controller type='pci' index='2' model='pcie-to-pci-bridge'/>"
    "<controller type='pci' index='3' model='pci-bridge'><target chassisNr='7'/></controller>", prop("pci.3", "chassis_nr", 7))
row("dmi-to-pci-bridge", "devices", ports() + "<controller type='pci' index='2' model='dmi-to-pci-bridge'/>",
    refused="dmi-to-pci-bridge|i82801b11")
row("pcie-expander-bus", "devices", ports() + "<controller type='pci' index='2' model='pcie-expander-bus'/>", refused="pcie-expander-bus|pxb")
row("virtio-serial ports", "devices", "<controller type='virtio-serial' ports='5'/>", prop("virtio-serial0", "max_ports", 5))
row("virtio-serial vectors", "devices", "<controller type='virtio-serial' vectors='3'/>", prop("virtio-serial0", "vectors", 3))
row("virtio-serial driver packed", "devices", "<controller type='virtio-serial'><driver packed='on'/></controller>",
    prop("virtio-serial0", "packed", True))
row("usb controller none", "devices", "<controller type='usb' model='none'/>", arg("-machine", "usb=off"))
row("usb controller", "devices", "<controller type='usb' model='qemu-xhci'/>", prop("usb", "p2", 4))
row("usb controller ports", "devices", "<controller type='usb' model='qemu-xhci' ports='5'/>", prop("usb", "p2", 5))

# --- network ---

row("interface mac", "devices", nic(), prop("net0", "mac", "52:54:00:01:02:03"))
row("interface type user", "devices", nic(), prop("net0", "netdev", "hostnet0"))
row("interface type mcast", "devices",
    nic(type="mcast", inner="<source address='230.0.0.1' port='5558'/>"), refused="mcast")
row("interface type server", "devices", nic(type="server", inner="<source address='127.0.0.1' port='45571'/>"),
    prop("net0", "netdev", "hostnet0"))
row("interface type udp", "devices",
    nic(type="udp", inner="<source address='127.0.0.1' port='45572'><local address='127.0.0.1' port='45573'/></source>"),
    refused="udp")
row("interface type ethernet", "devices", nic(type="ethernet", inner="<target dev='bptest0' managed='yes'/>"),
    host("/sys/class/net/bptest0/address", Path.exists))
row("interface driver name qemu", "devices",
    nic(type="ethernet", driver="name='qemu'", inner="<target dev='bptest2' managed='yes'/>"), prop("net0", "netdev", "hostnet0"))
row("interface ip address", "devices", nic("<ip family='ipv4' address='172.17.2.0' prefix='24'/>"),
    arg("-netdev", '"net":"172.17.2.0/24"'))
row("interface link down", "devices", nic("<link state='down'/>"),
    query("query-name", lambda r: True))
row("interface boot order", "devices", nic("<boot order='4'/>"), prop("net0", "bootindex", 4))
row("interface mtu", "devices", nic(type="ethernet", inner="<target dev='bptest1' managed='yes'/><mtu size='1400'/>"), prop("net0", "host_mtu", 1400))
row("interface alias", "devices", nic("<alias name='ua-nic'/>"), prop("ua-nic", "mac", "52:54:00:01:02:03"))
row("interface rom file", "devices", nic("<rom bar='on' file='@BASE@/rom.bin'/>"),
    query("qom-get", lambda r: r.endswith("/rom.bin"), path="/machine/peripheral/net0", property="romfile"))
row("interface rom enabled", "devices", nic("<rom enabled='no'/>"), prop("net0", "romfile", ""))
row("interface rom bar", "devices", nic("<rom bar='off' file='@BASE@/rom.bin'/>"), prop("net0", "rombar", 0))
row("interface driver rx_queue_size", "devices", nic(driver="rx_queue_size='512'"), prop("net0", "rx_queue_size", 512))
row("interface driver tx_queue_size", "devices", nic(driver="tx_queue_size='256'"), prop("net0", "tx_queue_size", 256))
row("interface driver ioeventfd", "devices", nic(driver="ioeventfd='off'"), prop("net0", "ioeventfd", "off"))
row("interface driver event_idx", "devices", nic(driver="event_idx='off'"), prop("net0", "event_idx", False))
row("interface driver txmode iothread", "devices", nic(driver="txmode='iothread'"), prop("net0", "tx", "bh"))
row("interface driver txmode timer", "devices", nic(driver="txmode='timer'"), refused="'tx' does not accept 'timer'")
row("interface driver iommu", "devices", nic(driver="iommu='on'"), prop("net0", "iommu_platform", True))
row("interface driver packed", "devices", nic(driver="packed='on'"), prop("net0", "packed", True))
row("interface driver ats", "devices", nic(driver="ats='on'"), prop("net0", "ats", "on"))
row("interface driver page_per_vq", "devices", nic(driver="page_per_vq='on'"), prop("net0", "page-per-vq", True))
for name in ("csum", "mrg_rxbuf"):
    row(f"interface driver host {name}", "devices", nic(f"<host {name}='off'/>"), prop("net0", name, False))
for side, names in (("host", ("gso", "tso4", "tso6", "ecn", "ufo")), ("guest", ("csum", "tso4", "tso6", "ecn", "ufo"))):
    for name in names:
        row(f"interface driver {side} {name}", "devices", nic(f"<{side} {name}='off'/>"),
            refused="gso" if name == "gso" else f"{side}_{name}")
row("interface model virtio-non-transitional", "devices", nic(model="virtio-non-transitional"),
    query("qom-get", lambda r: r == "virtio-net-pci-non-transitional", path="/machine/peripheral/net0", property="type"))
row("interface model e1000e", "devices", nic(model="e1000e"), refused="e1000e")
row("interface acpi index", "devices", nic("<acpi index='5'/>"), refused="ACPI index")
row("interface address", "devices", nic("<address type='pci' domain='0' bus='0' slot='0xa' function='0'/>"), slot("net0", 10))

# --- random sources, balloon, input ---

row("rng backend random", "devices", rng(), arg("-object", "rng-random", "/dev/urandom"),
    query("qom-get", lambda r: r == "/dev/urandom", path="/objects/objrng0", property="filename"))
row("rng backend builtin", "devices", rng("<backend model='builtin'/>"),
    query("qom-get", lambda r: r == "rng-builtin", path="/objects/objrng0", property="type"))
row("rng rate bytes", "devices", rng("<rate bytes='1024' period='500'/><backend model='random'>/dev/urandom</backend>"),
    prop("rng0", "max-bytes", 1024), prop("rng0", "period", 500))
row("rng driver packed", "devices", rng("<backend model='builtin'/><driver packed='on'/>"), prop("rng0", "packed", True))
row("rng driver iommu", "devices", rng("<backend model='builtin'/><driver iommu='on'/>"), prop("rng0", "iommu_platform", True))
row("rng model virtio-non-transitional", "devices",
    "<rng model='virtio-non-transitional'><backend model='builtin'/></rng>",
    query("qom-get", lambda r: r == "virtio-rng-pci-non-transitional", path="/machine/peripheral/rng0", property="type"))
row("rng backend egd", "devices",
    rng("<backend model='egd' type='unix'><source mode='connect' path='@BASE@/egd'/></backend>"), refused="egd")
row("memballoon", "balloon", "<memballoon model='virtio'/>", query("query-balloon", lambda r: r["actual"] == 64 * MIB))
row("memballoon none", "balloon", "<memballoon model='none'/>", query("query-status", lambda r: r["running"]))
row("memballoon autodeflate", "balloon", "<memballoon model='virtio' autodeflate='on'/>",
    prop("balloon0", "deflate-on-oom", True))
row("memballoon freePageReporting", "balloon", "<memballoon model='virtio' freePageReporting='on'/>",
    prop("balloon0", "free-page-reporting", True))
row("memballoon stats period", "balloon", "<memballoon model='virtio'><stats period='5'/></memballoon>",
    query("qom-get", lambda r: r == 5, path="/machine/peripheral/balloon0", property="guest-stats-polling-interval"))
row("memballoon driver packed", "balloon", "<memballoon model='virtio'><driver packed='on'/></memballoon>",
    prop("balloon0", "packed", True))
row("input keyboard", "devices", "<input type='keyboard' bus='virtio'/>",
    query("qom-list", lambda r: any(p["name"] == "input0" for p in r), path="/machine/peripheral"))
row("input keyboard driver packed", "devices", "<input type='keyboard' bus='virtio'><driver packed='on'/></input>",
    prop("input0", "packed", True))
row("input tablet usb", "devices", USB + "<input type='tablet' bus='usb'/>", prop("input0", "port", 1))
row("input mouse usb", "devices", USB + "<input type='mouse' bus='usb'/>", prop("input0", "port", 1))
row("input keyboard usb, port", "devices",
    USB + "<input type='keyboard' bus='usb'><address type='usb' bus='0' port='3'/></input>", prop("input0", "port", 3))
row("input tablet", "devices", "<input type='tablet' bus='virtio'/>", refused="virtio-tablet|tablet")
row("input mouse", "devices", "<input type='mouse' bus='virtio'/>", refused="virtio-mouse|mouse")

# --- character devices ---

row("serial pty", "devices", "<serial type='pty'/>", chardev("charserial0", lambda f: f.startswith("pty:/dev/pts/")))
row("serial null", "devices", "<serial type='null'/>", chardev("charserial0", lambda f: f == "null"))
row("serial file", "devices", "<serial type='file'><source path='@BASE@/serial.txt'/></serial>",
    host("@BASE@/serial.txt", Path.exists))
row("serial file append", "devices", "<serial type='file'><source path='@BASE@/serial.txt' append='on'/></serial>",
    host("@BASE@/serial.txt", Path.exists), arg("-chardev", "append=on"))
row("serial log", "devices", "<serial type='null'><log file='@BASE@/serial.log' append='off'/></serial>",
    host("@BASE@/serial.log", Path.exists), arg("-chardev", "logfile="))
row("serial pipe", "devices", "<serial type='pipe'><source path='@BASE@/pipe'/></serial>",
    chardev("charserial0", lambda f: "pipe" in f))
row("serial unix bind", "devices", "<serial type='unix'><source mode='bind' path='@BASE@/serial.sock'/></serial>",
    host("@BASE@/serial.sock", Path.is_socket))
row("serial unix connect refused", "devices",
    "<serial type='unix'><source mode='connect' path='@BASE@/none.sock'/></serial>", refused="none.sock")
row("serial unix reconnect", "devices",
    "<serial type='unix'><source mode='connect' path='@BASE@/none.sock'><reconnect enabled='yes' timeout='3'/></source></serial>",
    chardev("charserial0", lambda f: "none.sock" in f), arg("-chardev", "reconnect=3"))
row("serial tcp raw", "devices",
    "<serial type='tcp'><source mode='bind' host='127.0.0.1' service='45581'/><protocol type='raw'/></serial>",
    chardev("charserial0", lambda f: "45581" in f and "telnet" not in f))
row("serial tcp telnet", "devices",
    "<serial type='tcp'><source mode='bind' host='127.0.0.1' service='45582'/><protocol type='telnet'/></serial>",
    chardev("charserial0", lambda f: f.startswith("telnet:") and "45582" in f), greeting(45582))
row("serial udp", "devices",
    "<serial type='udp'><source mode='bind' host='127.0.0.1' service='45583'/>"
    "<source mode='connect' host='127.0.0.1' service='45584'/></serial>",
    chardev("charserial0", lambda f: f == "udp:127.0.0.1:45584@127.0.0.1:45583"))
row("serial stdio", "devices", "<serial type='stdio'/>", chardev("charserial0", lambda f: f == "stdio" or "stdio" in f))
row("serial dev", "devices", "<serial type='dev'><source path='/dev/null'/></serial>", refused="'serial'")
row("serial target model", "devices", "<serial type='null'><target type='system-serial' port='0'><model name='16550a'/></target></serial>",
    chardev("charserial0", lambda f: f == "null"))
row("serial alias", "devices", "<serial type='null'><alias name='ua-tty'/></serial>",
    chardev("charua-tty", lambda f: f == "null"))
row("console virtio", "devices",
    "<serial type='null'/><console type='null'><target type='serial' port='0'/></console>"
    "<console type='pty'><target type='virtio' port='1'/></console>",
    prop("console1", "chardev", "charconsole1"))
row("channel unix", "devices",
    "<channel type='unix'><source mode='bind' path='@BASE@/ch.sock'/><target type='virtio' name='org.test.0'/></channel>",
    prop("channel0", "name", "org.test.0"), host("@BASE@/ch.sock", Path.is_socket))
row("channel address port", "devices",
    "<channel type='null'><target type='virtio' name='org.test.1'/><address type='virtio-serial' controller='0' bus='0' port='4'/></channel>",
    prop("channel0", "nr", 4))
row("channel pty", "devices", "<channel type='pty'><target type='virtio' name='a'/></channel>",
    chardev("charchannel0", lambda f: f.startswith("pty:")))
row("channel file", "devices",
    "<channel type='file'><source path='@BASE@/ch.txt'/><target type='virtio' name='a'/></channel>",
    host("@BASE@/ch.txt", Path.exists))
row("channel spicevmc", "devices", "<channel type='spicevmc'><target type='virtio' name='a'/></channel>", refused="spice")
row("parallel", "devices", "<parallel type='null'/>", refused="parallel")

# --- unavailable devices, and displays ---

VIDEO = "<video><model type='bochs'/></video>"

row("video", "devices", "<video><model type='virtio'/></video>", refused="virtio")
row("graphics vnc", "devices", "<graphics type='vnc'/>" + VIDEO, query("query-vnc", lambda r: r["host"] == "127.0.0.1"),
    arg("-device", "bochs-display", "video0"))
row("graphics vnc passwd", "devices", "<graphics type='vnc' passwd='secret'/>" + VIDEO,
    query("query-vnc", lambda r: r["auth"] == "vnc"))
row("graphics vnc default video", "devices", "<graphics type='vnc'/>", refused="video")
row("graphics spice", "devices", "<graphics type='spice'/>" + VIDEO, refused="spice|SPICE")
row("sound", "devices", "<sound model='ich9'/>", refused="ich9")
row("watchdog i6300esb", "devices", "<watchdog model='i6300esb'/>",
    query("qom-get", lambda r: r == "i6300esb", path="/machine/peripheral/watchdog0", property="type"))
row("watchdog action", "devices", "<watchdog model='i6300esb' action='pause'/>",
    query("qom-list", lambda r: any(p["name"] == "watchdog0" for p in r), path="/machine/peripheral"))
row("vsock", "devices", "<vsock model='virtio'><cid auto='no' address='3'/></vsock>", refused="vsock")
row("tpm", "devices", "<tpm model='tpm-tis'><backend type='emulator' version='2.0'/></tpm>", refused="TPM")
row("panic", "devices", "<panic model='isa'/>", refused="panic")
row("iommu", "devices", "<iommu model='virtio'/>", refused="IOMMU")
row("shmem", "devices", "<shmem name='s'><model type='ivshmem-plain'/><size unit='M'>4</size></shmem>", refused="ivshmem|shmem")
row("filesystem", "devices", "<filesystem type='mount'><source dir='@BASE@'/><target dir='tag'/></filesystem>", refused="9p")

# --- elements of the QEMU name space ---

row("qemu:arg", "qemu", "<qemu:commandline><qemu:arg value='-name'/><qemu:arg value='other'/></qemu:commandline>",
    query("query-name", lambda r: r["name"] == "other"))
row("qemu:env", "qemu", "<qemu:commandline><qemu:env name='BP_TEST' value='1'/></qemu:commandline>",
    host("/proc/@PID@/environ", lambda p: b"BP_TEST=1" in p.read_bytes()))
row("qemu:arg fw_cfg", "qemu",
    "<qemu:commandline><qemu:arg value='-fw_cfg'/><qemu:arg value='name=opt/org.test/a,string=b'/></qemu:commandline>",
    arg("-fw_cfg", "opt/org.test/a"))
row("qemu:arg watchdog-action", "qemu",
    "<qemu:commandline><qemu:arg value='-watchdog-action'/><qemu:arg value='pause'/></qemu:commandline>",
    arg("-watchdog-action", "pause"))
row("qemu:arg numa", "qemu",
    "<qemu:commandline><qemu:arg value='-numa'/><qemu:arg value='node,cpus=0,mem=64M'/></qemu:commandline>",
    query("query-cpus-fast", lambda r: r[0]["props"]["node-id"] == 0),
    query("x-query-numa", lambda r: "node 0 size: 64 MB" in r["human-readable-text"]))
row("qemu:override", "qemu",
    "<qemu:override><qemu:device alias='virtio-disk0'><qemu:frontend><qemu:property name='num-queues' type='unsigned' value='2'/>"
    "</qemu:frontend></qemu:device></qemu:override>", prop("virtio-disk0", "num-queues", 2), devices=disk())
row("qemu:capabilities del", "qemu", "<qemu:capabilities><qemu:del capability='device.json+hotplug'/></qemu:capabilities>",
    arg("-device", "virtio-blk-pci,"), devices=disk())
