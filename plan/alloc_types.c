/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The built-in address types, and the addresses that controllers provide.
 */
#include "plan/address_types.h"
#include "plan/alloc_internal.h"

/* A port path has no gap: each port in front of the last one is a hub. */
static bool usb_check(const PlanAddrType *t, uint64_t addr, GError **err)
{
    bool ended = false;

    for (unsigned i = 1; i < t->n_dims; i++) {
        bool zero = plan_address_value(t, addr, i) == 0;

        if (zero ? i == 1 : ended) {
            g_autofree char *text = plan_address_format(t, addr);

            return plan_fail(err, "usb address %s must have a port path whose ports count from 1",
                             text);
        }
        ended = zero;
    }
    return true;
}

#define USB_PORT(number, text)                                                                     \
    {                                                                                              \
        .name = "port" number, .before = text, .width = 8,                                         \
        .flags = PLAN_DIM_END_BEFORE | PLAN_DIM_HIDE_ZERO                                          \
    }

static const PlanAddrType address_types[] = {
    {
        .name = "pci", .n_dims = 4,
        .dim = {
            { "domain", "", PLAN_NOTATION_HEX, 16, 4, PLAN_DIM_START_AFTER },
            { "bus", ":", PLAN_NOTATION_HEX, 8, 2, PLAN_DIM_START_AFTER },
            { "slot", ":", PLAN_NOTATION_HEX, 5, 2, 0 },
            { "function", ".", PLAN_NOTATION_HEX, 3, 1, PLAN_DIM_END_BEFORE },
        },
        .group_dims = 3, .group_name = "slot",
    },
    {
        .name = "pci-controller", .n_dims = 1,
        .dim = { { "controller", "pci.", PLAN_NOTATION_DECIMAL, 16, 0, 0 } },
    },
    {
        .name = "virtio-serial", .n_dims = 2,
        .dim = {
            { "controller", "", PLAN_NOTATION_DECIMAL, 16, 0, 0 },
            { "port", ".", PLAN_NOTATION_DECIMAL, 9, 0, 0 }, /* a controller has up to 511 */
        },
    },
    {
        .name = "scsi", .n_dims = 4,
        .dim = {
            { "controller", "", PLAN_NOTATION_DECIMAL, 16, 0, 0 },
            { "bus", ":", PLAN_NOTATION_DECIMAL, 8, 0, 0 },
            { "target", ":", PLAN_NOTATION_DECIMAL, 16, 0, 0 },
            { "unit", ":", PLAN_NOTATION_DECIMAL, 14, 0, 0 },
        },
    },
    {
        .name = "ide", .n_dims = 3,
        .dim = {
            { "controller", "", PLAN_NOTATION_DECIMAL, 16, 0, 0 },
            { "bus", ":", PLAN_NOTATION_DECIMAL, 5, 0, 0 }, /* AHCI: up to 32 ports */
            { "unit", ":", PLAN_NOTATION_DECIMAL, 1, 0, 0 },
        },
    },
    {
        .name = "usb", .n_dims = 7,
        .dim = {
            { "bus", "", PLAN_NOTATION_DECIMAL, 8, 0, 0 },
            /* Five hubs in a row at most (USB 2.0, 4.1.1). */
            { "port1", "-", PLAN_NOTATION_DECIMAL, 8, 0, 0 },
            USB_PORT("2", "."), USB_PORT("3", "."), USB_PORT("4", "."), USB_PORT("5", "."),
            USB_PORT("6", "."),
        },
        .check = usb_check,
    },
    {
        .name = "virtio-mmio", .n_dims = 1,
        .dim = { { "slot", "virtio-mmio-bus.", PLAN_NOTATION_DECIMAL, 16, 0, 0 } },
    },
    {
        .name = "disk", .n_dims = 1,
        .dim = { { "index", "sd", PLAN_NOTATION_LETTERS, 32, 0, 0 } },
    },
};

const PlanAddrType *plan_address_type(const char *name)
{
    for (size_t i = 0; name && i < G_N_ELEMENTS(address_types); i++) {
        if (strcmp(address_types[i].name, name) == 0) {
            return &address_types[i];
        }
    }
    return NULL;
}

const char *plan_address_type_name(size_t i)
{
    return i < G_N_ELEMENTS(address_types) ? address_types[i].name : NULL;
}

/* --- controllers --- */

/* In the text of ranges, # is the number of the controller. */
static const struct ControllerModel {
    const char *model, *type, *range;
} controller_models[] = {
    { "pcie-root", "pci", "0:#:*.*" },
    { "pci-root", "pci", "0:#:*.*" },
    { "pci-bridge", "pci", "0:#:{1..1f}.*" }, /* slot 0 is reserved for the hot-plug controller */
    { "pcie-pci-bridge", "pci", "0:#:{1..1f}.*" },
    { "pcie-root-port", "pci", "0:#:0.*" },
    { "xio3130-downstream", "pci", "0:#:0.*" },
    { "x3130-upstream", "pci", "0:#:*.*" },
    { "virtio-serial-pci", "virtio-serial", "#.{0..30}" },
    { "virtio-scsi-pci", "scsi", "#:0:{0..255}:*" },
    { "lsi53c895a", "scsi", "#:0:{0..6}:0" }, /* target 7 is the controller */
    { "lsi53c810", "scsi", "#:0:{0..6}:0" },
    { "am53c974", "scsi", "#:0:{0..6}:{0..7}" },
    { "dc390", "scsi", "#:0:{0..6}:{0..7}" },
    { "megasas", "scsi", "#:0:{0..63}:{0..255}" },
    { "megasas-gen2", "scsi", "#:0:{0..63}:{0..255}" },
    { "mptsas1068", "scsi", "#:0:{0..7}:{0..1}" },
    { "pvscsi", "scsi", "#:0:{0..63}:0" },
    { "piix3-ide", "ide", "#:{0..1}:{0..1}" },
    { "piix4-ide", "ide", "#:{0..1}:{0..1}" },
    { "ich9-ahci", "ide", "#:{0..5}:0" },
    { "piix3-usb-uhci", "usb", "#-{1..2}" },
    { "ich9-usb-ehci1", "usb", "#-{1..6}" },
    { "usb-ehci", "usb", "#-{1..6}" },
    { "pci-ohci", "usb", "#-{1..3}" },
    { "qemu-xhci", "usb", "#-{1..4}" },
    { "nec-usb-xhci", "usb", "#-{1..4}" },
};

static const char *controller_name(const void *table, size_t i)
{
    return ((const struct ControllerModel *)table)[i].model;
}

static bool controller_range(const struct ControllerModel *row, const PlanAddrType *type,
                             unsigned index, PlanAddrRange *range, GError **err)
{
    bool hex = type->dim[0].notation == PLAN_NOTATION_HEX;
    g_autofree char *number = g_strdup_printf(hex ? "%x" : "%u", index);
    g_auto(GStrv) parts = g_strsplit(row->range, "#", 2);
    g_autofree char *text = g_strconcat(parts[0], number, parts[1], NULL);

    return plan_range_parse(type, text, range, err);
}

bool plan_controller_pool(const char *model, unsigned index, const PlanAddrType **type,
                          PlanAddrRange *range, GError **err)
{
    g_autofree char *quoted = plan_quote(model ? model : ""), *hint = NULL;

    for (size_t i = 0; model && i < G_N_ELEMENTS(controller_models); i++) {
        const struct ControllerModel *row = &controller_models[i];
        const PlanAddrType *t = plan_address_type(row->type);
        PlanAddrRange found;

        if (strcmp(row->model, model) != 0) {
            continue;
        }
        if (!controller_range(row, t, index, &found, err)) {
            return false;
        }
        if (type) {
            *type = t;
        }
        if (range) {
            *range = found;
        }
        return true;
    }
    hint = suggest_hint_of(model ? model : "", controller_name, controller_models,
                           G_N_ELEMENTS(controller_models));
    return plan_fail(err, "unknown controller model %s%s", quoted, hint);
}

const char *plan_controller_model(size_t i)
{
    return i < G_N_ELEMENTS(controller_models) ? controller_models[i].model : NULL;
}
