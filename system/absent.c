/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Options and device types of QEMU that this version does not have: the missing feature, and the
 * option or type to use in its place. Error messages contain both.
 */
#include <string.h>

#include "options_internal.h"

typedef struct AbsentOption {
    const char *name, *feature, *instead;
} AbsentOption;

static const AbsentOption absent_options[] = {
    { "L", "a search path for firmware", "specify the file with -bios FILE" },
    { "acpitable", "ACPI tables", NULL },
    { "async-teardown", "asynchronous teardown", NULL },
    { "audio-help", "sound", NULL },
    { "compat", "a compatibility policy", NULL },
    { "debugcon", "a debug console", NULL },
    { "dfilter", "address filters for logs", "use -d without a filter" },
    { "dump-vmstate", "a dump of all saved state", "use -show state=TYPE" },
    { "echr", "a configurable escape character", "Ctrl-a is the escape character" },
    { "enable-kvm", "hardware virtualization (KVM)", "omit the option" },
    { "enable-sync-profile", "lock profiling", NULL },
    { "fda", "a floppy controller", "use -drive file=FILE,format=raw,if=virtio" },
    { "fdb", "a floppy controller", "use -drive file=FILE,format=raw,if=virtio" },
    { "fsdev", "a shared folder (9p)", NULL },
    { "full-screen", "windows on the host", "use -vnc ADDRESS" },
    { "iscsi", "iSCSI disks", "use -drive file=FILE,format=raw" },
    { "k", "keyboard layouts", "keys of -vnc are those of the US layout" },
    { "mtdblock", "the interface if=mtd", "use -drive file=FILE,format=raw,if=virtio" },
    { "only-migratable", "a check that all devices can migrate",
      "omit the option: all devices can migrate" },
    { "option-rom", "option ROMs", NULL },
    { "plugin", "instrumentation plugins", NULL },
    { "portrait", "rotated displays", NULL },
    { "rotate", "rotated displays", NULL },
    { "sd", "an SD card controller", "use -drive file=FILE,format=raw,if=virtio" },
    { "singlestep", "single instructions as blocks", NULL },
    { "smbios", "SMBIOS tables", NULL },
    { "spice", "a SPICE server", "use -device bochs-display and -vnc ADDRESS" },
    { "tpmdev", "a TPM", NULL },
    { "usb", "a built-in USB controller", "use -device qemu-xhci" },
    { "usbdevice", "an option that creates USB devices",
      "use -device qemu-xhci and -device usb-kbd, usb-tablet or usb-mouse" },
    { "virtfs", "a shared folder (9p)", NULL },
    { "watchdog", "an option that creates a watchdog", "use -device i6300esb" },
};

/* The first pattern that matches the name of a type applies. */
static const PlanAbsent absent_devices[] = {
    { "virtio-gpu*", "the virtio display adapter", "bochs-display" },
    { "virtio-vga*", "VGA", "bochs-display" },
    { "virtio-9p*", "a shared folder (9p)", NULL },
    { "virtio-keyboard-device", "an input device in a virtio-mmio slot", "virtio-keyboard-pci" },
    { "virtio-mouse*", "a virtio pointing device", "qemu-xhci and usb-mouse" },
    { "virtio-tablet*", "a virtio pointing device", "qemu-xhci and usb-tablet" },
    { "virtio-multitouch*", "a virtio pointing device", "qemu-xhci and usb-tablet" },
    { "virtio-input*", "an input device of the host", NULL },
    { "virtio-crypto*", "the virtio crypto device", NULL },
    { "virtio-iommu*", "an IOMMU", NULL },
    { "riscv-iommu*", "an IOMMU", NULL },
    { "virtio-mem*", "memory devices; the size of RAM is that of -m", NULL },
    { "virtio-pmem*", "memory devices; the size of RAM is that of -m", NULL },
    { "pc-dimm", "memory devices; the size of RAM is that of -m", NULL },
    { "nvdimm", "memory devices; the size of RAM is that of -m", NULL },
    { "virtio-sound*", "sound", NULL },
    { "vhost-*", "vhost and vhost-user devices", NULL },
    { "ahci", "AHCI and IDE disks", "virtio-blk-pci" },
    { "*-ahci*", "AHCI and IDE disks", "virtio-blk-pci" },
    { "ide-*", "AHCI and IDE disks", "virtio-blk-pci" },
    { "nvme-subsys", "NVMe subsystems with several controllers",
      "nvme-ns, for several namespaces" },
    { "scsi-block", "SCSI pass-through", "scsi-hd" },
    { "scsi-generic", "SCSI pass-through", "scsi-hd" },
    { "megasas*", "this SCSI controller", "virtio-scsi-pci" },
    { "mptsas*", "this SCSI controller", "virtio-scsi-pci" },
    { "lsi*", "this SCSI controller", "virtio-scsi-pci" },
    { "am53c974", "this SCSI controller", "virtio-scsi-pci" },
    { "dc390", "this SCSI controller", "virtio-scsi-pci" },
    { "pvscsi", "this SCSI controller", "virtio-scsi-pci" },
    { "sdhci-pci", "SD cards", "virtio-blk-pci" },
    { "sd-card", "SD cards", "virtio-blk-pci" },
    { "emmc", "SD cards", "virtio-blk-pci" },
    { "e1000*", "Intel network adapters", "virtio-net-pci" },
    { "igb*", "Intel network adapters", "virtio-net-pci" },
    { "i8255*", "Intel network adapters", "virtio-net-pci" },
    { "i82562", "Intel network adapters", "virtio-net-pci" },
    { "i82801", "Intel network adapters", "virtio-net-pci" },
    { "tulip", "this network adapter", "virtio-net-pci" },
    { "rocker", "an Ethernet switch", NULL },
    { "rtl8139", "Realtek network adapters", "virtio-net-pci" },
    { "ne2k_pci", "NE2000 network adapters", "virtio-net-pci" },
    { "pcnet", "PCnet network adapters", "virtio-net-pci" },
    { "vmxnet3", "VMware network adapters", "virtio-net-pci" },
    { "usb-ehci", "USB controllers besides xHCI", "qemu-xhci" },
    { "usb-storage", "USB disks", "virtio-blk-pci" },
    { "usb-*", "this USB device", NULL },
    { "*-usb-*", "USB controllers besides qemu-xhci", "qemu-xhci" },
    { "pci-ohci", "USB controllers besides xHCI", "qemu-xhci" },
    { "VGA", "VGA", "bochs-display" },
    { "*-vga", "VGA", "bochs-display" },
    { "qxl*", "this display adapter", "bochs-display" },
    { "vmware-svga", "this display adapter", "bochs-display" },
    { "ramfb", "a framebuffer in RAM", "bochs-display" },
    { "AC97", "sound", NULL },
    { "ac97", "sound", NULL },
    { "ES1370", "sound", NULL },
    { "es1370", "sound", NULL },
    { "hda-*", "sound", NULL },
    { "*-hda", "sound", NULL },
    { "ccid-*", "smart-card readers", NULL },
    { "u2f-*", "security keys", NULL },
    { "*can_pci", "CAN controllers", NULL },
    { "kvaser_pci", "CAN controllers", NULL },
    { "mioe3680_pci", "CAN controllers", NULL },
    { "pcm3680_pci", "CAN controllers", NULL },
    { "tpci200", "IndustryPack carriers", NULL },
    { "ipoctal232", "IndustryPack modules", NULL },
    { "cxl-*", "CXL", NULL },
    { "pxb-cxl", "CXL", NULL },
    { "pvrdma", "RDMA", NULL },
    { "isa-*", "an ISA bus", NULL },
    { "floppy", "a floppy controller", NULL },
    { "vmcoreinfo", "this device", NULL },
    { "pci-bridge-seat", "this bridge", "pci-bridge" },
    { "guest-loader", "the device for hypervisor guests", "loader" },
    { "pci-serial-*", "PCI serial ports with several channels", "pci-serial" },
    { "ivshmem-*", "shared memory between guests", NULL },
    { "vfio-*", "device assignment (VFIO)", NULL },
    { "tpm-*", "a TPM", NULL },
    { "pvpanic", "the pvpanic device of the ISA bus", "pvpanic-pci" },
    { "ib700", "the watchdog of the ISA bus", "i6300esb" },
    { "ioh3420", "the Intel root port", "pcie-root-port" },
    { "i82801b11-bridge", "the Intel bridge", "pcie-pci-bridge" },
};

void absent_describe_devices(PlanCatalog *c)
{
    c->absent = absent_devices;
    c->n_absent = G_N_ELEMENTS(absent_devices);
}

char *absent_option_text(const char *name)
{
    for (size_t i = 0; i < G_N_ELEMENTS(absent_options); i++) {
        const AbsentOption *o = &absent_options[i];

        if (strcmp(o->name, name) == 0) {
            return g_strdup_printf("option -%s: this version does not have %s%s%s", name,
                                   o->feature, o->instead ? "; " : "",
                                   o->instead ? o->instead : "");
        }
    }
    return NULL;
}

static void absent_append_row(GString *out, const char *name, const char *feature,
                              const char *instead)
{
    g_string_append_printf(out, "| `%s` | %s | %s |\n", name, feature, instead ? instead : "");
}

void absent_markdown(GString *out)
{
    g_string_append(out, "| option (after the dash) | missing feature | alternative |\n"
                         "|---|---|---|\n");
    for (size_t i = 0; i < G_N_ELEMENTS(absent_options); i++) {
        absent_append_row(out, absent_options[i].name, absent_options[i].feature,
                          absent_options[i].instead);
    }
    g_string_append(out, "\n| device type | missing feature | alternative |\n|---|---|---|\n");
    for (size_t i = 0; i < G_N_ELEMENTS(absent_devices); i++) {
        absent_append_row(out, absent_devices[i].pattern, absent_devices[i].feature,
                          absent_devices[i].instead);
    }
}
