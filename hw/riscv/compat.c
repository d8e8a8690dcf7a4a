/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Defaults of older versions of `virt`
 * (docs/devel/machine-versions.md explains how to add a row).
 */
#include "hw/riscv/virt.h"

const PlanCompat board_compats[] = {
    /* The machine has flash memory, fw_cfg and a power button. */
    { "virt-0.2", NULL, "x-boot-devices", "off" },
    /* The PLIC became the default, as in QEMU. */
    { "virt-0.1", NULL, "aia", "aplic-imsic" },
    /* Capabilities have the offsets of QEMU, and virtio functions on a root bus are not Express.
     */
    { "virt-0.1", "edu", "qemu-layout", "off" },
    { "virt-0.1", "pci-testdev", "qemu-layout", "off" },
    { "virt-0.1", "ticker", "qemu-layout", "off" },
    { "virt-0.1", "pcie-root-port", "qemu-layout", "off" },
    { "virt-0.1", "x3130-upstream", "qemu-layout", "off" },
    { "virt-0.1", "xio3130-downstream", "qemu-layout", "off" },
    { "virt-0.1", "pci-bridge", "qemu-layout", "off" },
    { "virt-0.1", "pcie-pci-bridge", "qemu-layout", "off" },
    { "virt-0.1", "virtio-blk-pci", "qemu-layout", "off" },
    { "virt-0.1", "virtio-blk-pci-transitional", "qemu-layout", "off" },
    { "virt-0.1", "virtio-blk-pci-non-transitional", "qemu-layout", "off" },
    { "virt-0.1", "virtio-net-pci", "qemu-layout", "off" },
    { "virt-0.1", "virtio-net-pci-transitional", "qemu-layout", "off" },
    { "virt-0.1", "virtio-net-pci-non-transitional", "qemu-layout", "off" },
    { "virt-0.1", "virtio-balloon-pci", "qemu-layout", "off" },
    { "virt-0.1", "virtio-balloon-pci-transitional", "qemu-layout", "off" },
    { "virt-0.1", "virtio-balloon-pci-non-transitional", "qemu-layout", "off" },
    { "virt-0.1", "virtio-rng-pci", "qemu-layout", "off" },
    { "virt-0.1", "virtio-rng-pci-transitional", "qemu-layout", "off" },
    { "virt-0.1", "virtio-rng-pci-non-transitional", "qemu-layout", "off" },
    { "virt-0.1", "virtio-scsi-pci", "qemu-layout", "off" },
    { "virt-0.1", "virtio-scsi-pci-transitional", "qemu-layout", "off" },
    { "virt-0.1", "virtio-scsi-pci-non-transitional", "qemu-layout", "off" },
    { "virt-0.1", "virtio-serial-pci", "qemu-layout", "off" },
    { "virt-0.1", "virtio-serial-pci-transitional", "qemu-layout", "off" },
    { "virt-0.1", "virtio-serial-pci-non-transitional", "qemu-layout", "off" },
    { "virt-0.1", "virtio-keyboard-pci", "qemu-layout", "off" },
    { "virt-0.1", "nvme", "qemu-layout", "off" },
    { "virt-0.1", "qemu-xhci", "qemu-layout", "off" },
    { "virt-0.1", "bochs-display", "qemu-layout", "off" },
    /* Read-only bits of Express functions, and FLR only for endpoints. */
    { "virt-0.1", "*", "x-strict-express", "off" },
};
const size_t n_board_compats = G_N_ELEMENTS(board_compats);
