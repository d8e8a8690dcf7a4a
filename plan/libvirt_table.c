/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The correspondence of libvirt's elements and device types, as tables.
 */
#include "plan/internal.h"
#include "plan/libvirt_internal.h"

/* The first row that matches an element applies, and so does the first row of a type. */
static const LibvirtType libvirt_types[] = {
    { "controller", "@type=pci;@model=pcie-root", NULL },
    { "controller", "@type=pci;@model=pci-root", NULL },
    { "controller", "@type=pci;@model=pcie-root-port;model@name=ioh3420", "ioh3420" },
    { "controller", "@type=pci;@model=pcie-root-port", "pcie-root-port" },
    { "controller", "@type=pci;@model=pcie-switch-upstream-port", "x3130-upstream" },
    { "controller", "@type=pci;@model=pcie-switch-downstream-port", "xio3130-downstream" },
    { "controller", "@type=pci;@model=pcie-to-pci-bridge", "pcie-pci-bridge" },
    { "controller", "@type=pci;@model=dmi-to-pci-bridge", "i82801b11-bridge" },
    { "controller", "@type=pci;@model=pci-bridge", "pci-bridge" },
    { "controller", "@type=pci;@model=pcie-expander-bus", "pxb-pcie" },
    { "controller", "@type=pci;@model=pci-expander-bus", "pxb" },
    { "controller", "@type=usb;@model=none", NULL },
    { "controller", "@type=usb;@model=qemu-xhci", "qemu-xhci" },
    { "controller", "@type=usb;@model=nec-xhci", "nec-usb-xhci" },
    { "controller", "@type=usb;@model=piix3-uhci", "piix3-usb-uhci" },
    { "controller", "@type=usb;@model=piix4-uhci", "piix4-usb-uhci" },
    { "controller", "@type=usb;@model=ich9-ehci1", "ich9-usb-ehci1" },
    { "controller", "@type=usb;@model=ich9-uhci1", "ich9-usb-uhci1" },
    { "controller", "@type=usb;@model=ich9-uhci2", "ich9-usb-uhci2" },
    { "controller", "@type=usb;@model=ich9-uhci3", "ich9-usb-uhci3" },
    { "controller", "@type=usb;@model=ehci", "usb-ehci" },
    { "controller", "@type=usb;@model=pci-ohci", "pci-ohci" },
    { "controller", "@type=usb;@model=", "piix3-usb-uhci" },
    { "controller", "@type=scsi;@model=virtio-scsi", "virtio-scsi-pci" },
    { "controller", "@type=scsi;@model=virtio-transitional", "virtio-scsi-pci-transitional" },
    { "controller", "@type=scsi;@model=virtio-non-transitional",
      "virtio-scsi-pci-non-transitional" },
    { "controller", "@type=scsi;@model=lsilogic", "lsi53c895a" },
    { "controller", "@type=scsi;@model=lsisas1078", "megasas" },
    { "controller", "@type=scsi;@model=lsisas1068", "mptsas1068" },
    { "controller", "@type=scsi;@model=vmpvscsi", "pvscsi" },
    { "controller", "@type=scsi;@model=am53c974", "am53c974" },
    { "controller", "@type=scsi;@model=dc390", "dc390" },
    { "controller", "@type=sata", "ich9-ahci" },
    { "controller", "@type=ide", "piix3-ide" },
    { "controller", "@type=virtio-serial;@model=virtio-transitional",
      "virtio-serial-pci-transitional" },
    { "controller", "@type=virtio-serial;@model=virtio-non-transitional",
      "virtio-serial-pci-non-transitional" },
    { "controller", "@type=virtio-serial", "virtio-serial-pci" },
    { "controller", "@type=fdc", NULL },
    { "controller", "@type=isa", NULL },
    { "controller", "@type=ccid", NULL },
    { "disk", "@device=disk;target@bus=virtio;@model=virtio-transitional",
      "virtio-blk-pci-transitional" },
    { "disk", "@device=disk;target@bus=virtio;@model=virtio-non-transitional",
      "virtio-blk-pci-non-transitional" },
    { "disk", "@device=disk;target@bus=virtio", "virtio-blk-pci" },
    { "disk", "@device=;target@bus=virtio", "virtio-blk-pci" },
    { "disk", "@device=cdrom;target@bus=scsi", "scsi-cd" },
    { "disk", "@device=lun;target@bus=scsi", "scsi-block" },
    { "disk", "@device=disk;target@bus=scsi", "scsi-hd" },
    { "disk", "@device=;target@bus=scsi", "scsi-hd" },
    { "disk", "@device=cdrom;target@bus=sata", "ide-cd" },
    { "disk", "@device=disk;target@bus=sata", "ide-hd" },
    { "disk", "@device=;target@bus=sata", "ide-hd" },
    { "disk", "@device=cdrom;target@bus=ide", "ide-cd" },
    { "disk", "@device=disk;target@bus=ide", "ide-hd" },
    { "disk", "@device=;target@bus=ide", "ide-hd" },
    { "disk", "target@bus=usb", "usb-storage" },
    { "disk", "target@bus=fdc", NULL },
    { "interface", "model@type=virtio-transitional", "virtio-net-pci-transitional" },
    { "interface", "model@type=virtio-non-transitional", "virtio-net-pci-non-transitional" },
    { "interface", "model@type=virtio", "virtio-net-pci" },
    { "interface", "model@type=e1000e", "e1000e" },
    { "interface", "model@type=e1000", "e1000" },
    { "interface", "model@type=rtl8139", "rtl8139" },
    { "interface", "model@type=igb", "igb" },
    { "interface", "model@type=vmxnet3", "vmxnet3" },
    { "interface", "model@type=pcnet", "pcnet" },
    { "interface", "model@type=ne2k_pci", "ne2k_pci" },
    { "interface", "model@type=i82559er", "i82559er" },
    { "interface", "model@type=usb-net", "usb-net" },
    { "interface", "model@type=", "rtl8139" },
    { "memballoon", "@model=none", NULL },
    { "memballoon", "@model=virtio-transitional", "virtio-balloon-pci-transitional" },
    { "memballoon", "@model=virtio-non-transitional", "virtio-balloon-pci-non-transitional" },
    { "memballoon", "@model=virtio", "virtio-balloon-pci" },
    { "rng", "@model=virtio-transitional", "virtio-rng-pci-transitional" },
    { "rng", "@model=virtio-non-transitional", "virtio-rng-pci-non-transitional" },
    { "rng", "@model=virtio", "virtio-rng-pci" },
    { "video", "model@type=none", NULL },
    { "video", "model@type=vga", "VGA" },
    { "video", "model@type=cirrus", "cirrus-vga" },
    { "video", "model@type=vmvga", "vmware-svga" },
    { "video", "model@type=bochs", "bochs-display" },
    { "video", "model@type=qxl;model@primary=no", "qxl" },
    { "video", "model@type=qxl", "qxl-vga" },
    { "video", "model@type=virtio;model@primary=no", "virtio-gpu-pci" },
    { "video", "model@type=virtio", "virtio-vga" },
    { "input", "@type=tablet;@bus=virtio", "virtio-tablet-pci" },
    { "input", "@type=mouse;@bus=virtio", "virtio-mouse-pci" },
    { "input", "@type=keyboard;@bus=virtio", "virtio-keyboard-pci" },
    { "input", "@type=passthrough;@bus=virtio", "virtio-input-host-pci" },
    { "input", "@type=tablet;@bus=usb", "usb-tablet" },
    { "input", "@type=mouse;@bus=usb", "usb-mouse" },
    { "input", "@type=keyboard;@bus=usb", "usb-kbd" },
    { "input", "@bus=ps2", NULL },
    { "sound", "@model=ich9", "ich9-intel-hda" },
    { "sound", "@model=ich6", "intel-hda" },
    { "sound", "@model=ac97", "AC97" },
    { "sound", "@model=es1370", "ES1370" },
    { "sound", "@model=usb", "usb-audio" },
    { "sound", "@model=sb16", NULL },
    { "sound", "@model=pcspk", NULL },
    { "watchdog", "@model=i6300esb", "i6300esb" },
    { "watchdog", "@model=ib700", NULL },
    { "watchdog", "@model=itco", NULL },
    { "vsock", "@model=virtio", "vhost-vsock-pci" },
    { "vsock", "@model=virtio-non-transitional", "vhost-vsock-pci-non-transitional" },
    { "filesystem", "driver@type=virtiofs", "vhost-user-fs-pci" },
    { "filesystem", "", "virtio-9p-pci" },
    { "hostdev", "@type=pci", "vfio-pci" },
    { "hostdev", "@type=usb", "usb-host" },
    { "shmem", "model@type=ivshmem-doorbell", "ivshmem-doorbell" },
    { "shmem", "model@type=ivshmem-plain", "ivshmem-plain" },
    { "iommu", "@model=virtio", "virtio-iommu-pci" },
    { "iommu", "@model=intel", "intel-iommu" },
    { "crypto", "@model=virtio", "virtio-crypto-pci" },
    { "channel", "target@type=virtio", "virtserialport" },
    { "channel", "target@type=guestfwd", NULL },
    { "console", "target@type=virtio", "virtconsole" },
    { "console", "", NULL },
    { "serial", "target@type=pci-serial", "pci-serial" },
    { "serial", "", NULL },
    { "hub", "@type=usb", "usb-hub" },
    { "redirdev", "@bus=usb", "usb-redir" },
    { "panic", "", NULL },
    { "tpm", "", NULL },
};

static const LibvirtProp libvirt_props[] = {
    { "", "address@multifunction", "multifunction", "" },
    { "", "boot@order", "bootindex", "" },
    { "", "driver@iommu", "iommu_platform", "virtio-" },
    { "", "driver@ats", "ats", "virtio-" },
    { "", "driver@packed", "packed", "virtio-" },
    { "", "driver@page_per_vq", "page-per-vq", "virtio-" },
    { "", "driver@ioeventfd", "ioeventfd", "virtio-" },
    { "", "driver@event_idx", "event_idx", "virtio-" },
    { "", "rom@bar", "rombar", "" },
    { "controller", "target@chassis", "chassis", "" },
    { "controller", "target@port", "port", "" },
    { "controller", "target@chassisNr", "chassis_nr", "" },
    { "controller", "target@busNr", "bus_nr", "" },
    { "controller", "target@hotplug", "hotplug", "" },
    { "controller", "target/node", "numa_node", "" },
    { "controller", "@ports", "max_ports", "virtio-serial" },
    { "controller", "@ports", "p2", "qemu-xhci" },
    { "controller", "@ports", "p2", "nec-usb-xhci" },
    { "controller", "@vectors", "vectors", "virtio-serial" },
    { "controller", "driver@queues", "num_queues", "virtio-scsi" },
    { "controller", "driver@cmd_per_lun", "cmd_per_lun", "virtio-scsi" },
    { "controller", "driver@max_sectors", "max_sectors", "virtio-scsi" },
    { "controller", "master@startport", "firstport", "ich9-usb-uhci" },
    { "disk", "serial", "serial", "" },
    { "disk", "wwn", "wwn", "" },
    { "disk", "driver@queues", "num-queues", "virtio-blk" },
    { "disk", "driver@queue_size", "queue-size", "virtio-blk" },
    { "disk", "blockio@logical_block_size", "logical_block_size", "" },
    { "disk", "blockio@physical_block_size", "physical_block_size", "" },
    { "disk", "target@removable", "removable", "usb-storage" },
    { "interface", "mac@address", "mac", "" },
    { "interface", "mtu@size", "host_mtu", "virtio-net" },
    { "interface", "driver@rx_queue_size", "rx_queue_size", "virtio-net" },
    { "interface", "driver@tx_queue_size", "tx_queue_size", "virtio-net" },
    { "memballoon", "@autodeflate", "deflate-on-oom", "" },
    { "memballoon", "@freePageReporting", "free-page-reporting", "" },
    { "vsock", "cid@address", "guest-cid", "" },
    { "filesystem", "target@dir", "mount_tag", "virtio-9p" },
    { "filesystem", "target@dir", "tag", "vhost-user-fs" },
    { "channel", "target@name", "name", "" },
};

static const LibvirtName libvirt_names[] = {
    { "interface", "net" },  { "memballoon", "balloon" }, { "filesystem", "fs" },
    { "redirdev", "redir" }, { "disk", "disk" },          { "controller", "controller" },
};

/* Elements of <devices> that have no address on a bus of the guest. */
static const char *const libvirt_host_elements[] = { "emulator",    "graphics", "audio",
                                                     "redirfilter", "lease",    "memory",
                                                     "nvram",       "parallel", NULL };

/* Check the condition "path=value" at the begin of @text. */
static bool libvirt_condition(const PlanXml *x, const char *text)
{
    enum { PATH = 32 };
    size_t len = strcspn(text, "="), end = strcspn(text, ";");
    char path[PATH];
    const char *value;

    g_strlcpy(path, text, MIN(len + 1, PATH));
    value = plan_xml_get(x, path);
    value = value ? value : "";
    return strncmp(value, text + len + 1, end - len - 1) == 0 && !value[end - len - 1];
}

static bool libvirt_matches(const LibvirtType *row, const PlanXml *x)
{
    const char *condition = row->conditions;
    bool ok = strcmp(row->element, x->name) == 0;

    while (ok && *condition) {
        ok = libvirt_condition(x, condition);
        condition += strcspn(condition, ";");
        condition += *condition == ';';
    }
    return ok;
}

const LibvirtType *plan_libvirt_type(const PlanXml *x)
{
    for (size_t i = 0; i < G_N_ELEMENTS(libvirt_types); i++) {
        if (libvirt_matches(&libvirt_types[i], x)) {
            return &libvirt_types[i];
        }
    }
    return NULL;
}

const LibvirtType *plan_libvirt_type_named(const char *type)
{
    for (size_t i = 0; i < G_N_ELEMENTS(libvirt_types); i++) {
        if (libvirt_types[i].type && strcmp(libvirt_types[i].type, type) == 0) {
            return &libvirt_types[i];
        }
    }
    return NULL;
}

void plan_libvirt_apply(const LibvirtType *row, PlanXml *x)
{
    g_auto(GStrv) conditions = g_strsplit(row->conditions, ";", -1);

    for (char **condition = conditions; *condition; condition++) {
        char *equals = strchr(*condition, '=');

        if (equals && equals[1]) {
            *equals = '\0';
            plan_xml_set(x, *condition, equals + 1);
        }
    }
}

const LibvirtProp *plan_libvirt_prop(size_t i)
{
    return i < G_N_ELEMENTS(libvirt_props) ? &libvirt_props[i] : NULL;
}

bool plan_libvirt_prop_applies(const LibvirtProp *row, const char *element, const char *type)
{
    return (!*row->element || strcmp(row->element, element) == 0) &&
           g_str_has_prefix(type, row->types);
}

const char *plan_libvirt_word(const char *element)
{
    for (size_t i = 0; i < G_N_ELEMENTS(libvirt_names); i++) {
        if (strcmp(libvirt_names[i].element, element) == 0) {
            return libvirt_names[i].word;
        }
    }
    return element;
}

bool plan_libvirt_is_host(const char *element)
{
    return g_strv_contains(libvirt_host_elements, element);
}
