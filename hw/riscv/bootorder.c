/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The file "bootorder" of fw_cfg: one line for each device with bootindex=, lowest first, with the
 * path of the device in the form of IEEE 1275 (Open Firmware) that QEMU uses.
 */
#include <stdlib.h>
#include <string.h>

#include "hw/misc/fw_cfg.h"
#include "hw/pci/pci.h"
#include "hw/riscv/virt.h"
#include "hw/virtio/virtio_mmio.h"
#include "util/error.h"

/* QEMU does not set the unit address of this host bridge. */
#define ROOT_PATH "/pci@ffffffffffffffff"

typedef struct BootEntry {
    int64_t index;
    Device *dev;
} BootEntry;

/* Return a property as a number; @absent if the device does not have it. */
static int64_t bootorder_number(const Device *dev, const char *prop, int64_t absent)
{
    g_autofree char *text = device_prop_text(dev, prop);

    return text ? g_ascii_strtoll(text, NULL, 0) : absent;
}

static bool bootorder_collect(void *opaque, Device *dev)
{
    BootEntry e = { bootorder_number(dev, "bootindex", -1), dev };

    if (e.index >= 0)
        g_array_append_val((GArray *)opaque, e);
    return true;
}

static gint bootorder_compare(gconstpointer a, gconstpointer b)
{
    const BootEntry *x = a, *y = b;

    return x->index < y->index ? -1 : x->index > y->index;
}

/* Append the node of a PCI function: a name derived from its class, slot and function. */
static void bootorder_pci_node(GString *out, const PCIDevice *d)
{
    static const struct {
        uint16_t class;
        const char *name;
    } names[] = {
        { 0x0100, "scsi" }, { 0x0101, "ide" }, { 0x0200, "ethernet" }, { 0x0604, "pci-bridge" }
    };
    const PCIDeviceType *t = (const PCIDeviceType *)d->dev.type;
    const char *name = NULL;

    for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
        name = names[i].class == t->class_code >> 8 ? names[i].name : name;
    if (name)
        g_string_append_printf(out, "/%s", name);
    else
        g_string_append_printf(out, "/pci%04x,%04x", pci_config_get(&d->config, 0, 2),
                               pci_config_get(&d->config, 2, 2));
    g_string_append_printf(out, "@%x", d->devfn >> 3);
    if (d->devfn & 7)
        g_string_append_printf(out, ",%x", d->devfn & 7);
}

/* Append the nodes from the root to a device. */
static void bootorder_path(GString *out, const Device *dev)
{
    const Device *owner = dev->bus ? dev->bus->owner : NULL;

    if (dev->type->kind == &pci_device_kind) {
        if (owner && owner->type->kind == &pci_device_kind)
            bootorder_path(out, owner);
        else
            g_string_append(out, ROOT_PATH);
        bootorder_pci_node(out, (const PCIDevice *)dev);
    } else if (dev->type->kind == &virtio_mmio_device_kind && owner) {
        const char *at = strchr(owner->plan_id ? owner->plan_id : "", '@');

        g_string_append_printf(out, "/virtio-mmio@%016" G_GINT64_MODIFIER "x",
                               at ? g_ascii_strtoull(at + 1, NULL, 16) : 0);
    } else if (owner) { /* a disk of a controller */
        bootorder_path(out, owner);
    }
}

/* Append the node of the disk or of the network interface. */
static void bootorder_unit(GString *out, const Device *dev)
{
    const char *type = dev->type->name;
    int64_t target = bootorder_number(dev, "scsi-id", -1);

    if (target >= 0)
        g_string_append_printf(
            out,
            "/channel@%" G_GINT64_MODIFIER "x/disk@%" G_GINT64_MODIFIER "x,%" G_GINT64_MODIFIER "x",
            bootorder_number(dev, "channel", 0), target, bootorder_number(dev, "lun", 0));
    else if (g_str_has_prefix(type, "virtio-blk"))
        g_string_append(out, "/disk@0,0");
    else if (g_str_has_prefix(type, "virtio-net"))
        g_string_append(out, "/ethernet-phy@0");
    else if (g_str_has_prefix(type, "nvme"))
        g_string_append_printf(out, "/namespace@%" G_GINT64_MODIFIER "x,%" G_GINT64_MODIFIER "x",
                               bootorder_number(dev, "nsid", 1), bootorder_number(dev, "eui64", 0));
}

bool virt_set_bootorder(Virt *v, GError **err)
{
    g_autoptr(GArray) entries = g_array_new(FALSE, FALSE, sizeof(BootEntry));
    g_autoptr(GString) out = g_string_new(NULL);
    const BootOptions *options = v->board.machine->boot_options;

    device_visit(v->board.machine->root, bootorder_collect, entries);
    g_array_sort(entries, bootorder_compare);
    for (guint i = 0; i < entries->len; i++) {
        const BootEntry *e = &g_array_index(entries, BootEntry, i);

        if (i && e->index == e[-1].index)
            return error_set(err, ERROR_USER,
                             "%s and %s: bootindex=%" G_GINT64_MODIFIER
                             "d is used twice; each device needs its own number",
                             device_name(e[-1].dev), device_name(e->dev), e->index);
        if (i)
            g_string_append_c(out, '\n');
        bootorder_path(out, e->dev);
        bootorder_unit(out, e->dev);
    }
    if (entries->len && options && options->strict)
        g_string_append(out, "\nHALT"); /* firmware stops after the last device */
    fw_cfg_set_bootorder(v->fw_cfg, out->str, out->len ? out->len + 1 : 0);
    return true;
}
