/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Capabilities of a function: allocation from the rows of its type, and dispatch to the classes.
 */
#include "internal.h"

#include <errno.h>
#include <string.h>

#include "hw/pci/names.h"
#include "util/error.h"

static const PCICapClass *const cap_classes[] = {
    &pci_pm_class,    &pci_msi_class,  &pci_msix_class,   &pci_vendor_class, &pci_express_class,
    &pci_ssvid_class, &pci_vpd_class,  &pci_aer_class,    &pci_acs_class,    &pci_dsn_class,
    &pci_ari_class,   &pci_shpc_class, &pci_slotid_class, &pci_ea_class,     &pci_ats_class,
};

const PCICapClass *pci_cap_class_find(uint16_t id, bool extended)
{
    for (size_t i = 0; i < G_N_ELEMENTS(cap_classes); i++) {
        if (cap_classes[i]->id == id && cap_classes[i]->extended == extended) {
            return cap_classes[i];
        }
    }
    return NULL;
}

const PCICapClass *pci_cap_class(uint16_t id, bool extended)
{
    const PCICapClass *cls = pci_cap_class_find(id, extended);

    g_assert(cls); /* rows of a type have only ids that have a class */
    return cls;
}

uint16_t pci_cap_length(const PCIDeviceType *type, const PCICapDesc *desc)
{
    const PCICapClass *cls = pci_cap_class(desc->id, desc->extended);

    return cls->size ? cls->size : cls->length(type, desc);
}

int pci_cap_row(const PCIDevice *d, const PCICapClass *cls)
{
    for (size_t row = 0; row < pci_type(d)->n_caps; row++) {
        const PCICapDesc *desc = &pci_type(d)->caps[row];

        if (d->cap_pos[row] && desc->id == cls->id && desc->extended == cls->extended) {
            return row;
        }
    }
    return -1;
}

static const PCICapClass *caps_class_of(const PCICapDesc *desc)
{
    return pci_cap_class(desc->id, desc->extended);
}

uint64_t pci_prop_u64(const PCIDevice *d, const char *name)
{
    const DeviceType *type = d->dev.type;
    const PlanProp *p = plan_find_prop(type->props, type->n_props, name);
    const uint8_t *at;
    uint64_t value = 0;

    g_assert(p);
    at = (const uint8_t *)d + p->field;
    switch (p->kind) {
    case PLAN_PROP_BOOL:
        return *(const bool *)at;
    case PLAN_PROP_U8:
        return *at;
    case PLAN_PROP_U16:
        memcpy(&value, at, 2);
        return value;
    case PLAN_PROP_U32:
        memcpy(&value, at, 4);
        return value;
    default:
        g_assert(p->kind == PLAN_PROP_U64 || p->kind == PLAN_PROP_SIZE);
        memcpy(&value, at, 8);
        return value;
    }
}

uint64_t pci_cap_count(const PCIDevice *d, const PCICapDesc *desc)
{
    const PlanCount *automatic = pci_type(d)->auto_count;
    uint64_t count = desc->count_prop             ? pci_prop_u64(d, desc->count_prop)
                     : desc->id == PCI_CAP_ID_MSI ? desc->msi.messages
                                                  : desc->msix.vectors;

    if (count != PCI_AUTO_COUNT || !automatic) {
        return count;
    }
    count = automatic->base;
    for (size_t i = 0; i < G_N_ELEMENTS(automatic->prop); i++) {
        count += automatic->prop[i] ? automatic->times[i] * pci_prop_u64(d, automatic->prop[i]) : 0;
    }
    return count;
}

const char *pci_cap_value_prop(const PCICapDesc *desc)
{
    const PCICapClass *cls = caps_class_of(desc);
    const char *own = cls->value_prop ? cls->value_prop(desc) : desc->count_prop;

    return own ? own : desc->prop;
}

/* --- presence and offsets of the capabilities --- */

static bool caps_on_express_bus(const PCIDevice *d)
{
    PlanBusKind kind = d->bus->bus.kind;

    return kind == PLAN_BUS_PCIE_ROOT || kind == PLAN_BUS_PCIE_PORT ||
           kind == PLAN_BUS_PCIE_UPSTREAM;
}

bool pci_wants_express(const PCIDevice *d)
{
    const PCIDeviceType *type = pci_type(d);

    for (size_t i = 0; i < type->n_caps; i++) {
        if (caps_class_of(&type->caps[i]) == &pci_express_class && d->cap_prop[i] != PLAN_CAP_OFF) {
            return caps_on_express_bus(d);
        }
    }
    return false;
}

static const char *caps_row_name(const PCICapDesc *desc)
{
    return desc->prop ? desc->prop : pci_cap_name(desc->id, desc->extended);
}

static bool caps_row_required(const PCIDevice *d, const PCICapDesc *desc)
{
    return desc->required || (d->express && desc->id == PCI_CAP_ID_PM && !desc->extended);
}

static bool caps_check_required(const PCIDevice *d, GError **err)
{
    for (size_t row = 0; row < pci_type(d)->n_caps; row++) {
        const PCICapDesc *desc = &pci_type(d)->caps[row];

        if (d->cap_prop[row] == PLAN_CAP_OFF && caps_row_required(d, desc)) {
            return error_set(
                err, ERROR_USER,
                "%s: %s cannot be off: %s requires the %s capability; on or an offset is "
                "accepted",
                device_name(&d->dev), caps_row_name(desc),
                desc->required ? d->dev.type->name : "a PCI Express function",
                pci_cap_name(desc->id, desc->extended));
        }
    }
    return true;
}

/* Decide whether the capability of a row is instantiated. Fails if the user requested it explicitly
 * and it is not possible. */
static bool caps_row_wanted(const PCIDevice *d, unsigned row, bool *wanted, GError **err)
{
    const PCICapDesc *desc = &pci_type(d)->caps[row];
    const PCICapClass *cls = caps_class_of(desc);

    *wanted = d->cap_prop[row] != PLAN_CAP_OFF;
    if (*wanted && desc->extended && !d->express) {
        *wanted = false;
        /* On a conventional bus the capability is absent, like Express itself, unless the user
         * requested an offset. */
        if (caps_on_express_bus(d) || d->cap_prop[row] > desc->at) {
            return error_set(err, ERROR_USER,
                             "%s: %s needs PCI Express, which this function does not have here; "
                             "%s=off is accepted",
                             device_name(&d->dev), caps_row_name(desc), caps_row_name(desc));
        }
    }
    if (*wanted && cls->wanted) {
        *wanted = cls->wanted(d, desc);
    }
    return true;
}

static int caps_place(PCIDevice *d, const PCICapDesc *desc, unsigned length, uint16_t at,
                      GError **err)
{
    const PCICapClass *cls = caps_class_of(desc);
    int pos;

    if (at && desc->extended) {
        return pcie_add_ext_capability_at(d, desc->id, cls->version, at, length, err);
    }
    if (at > UINT8_MAX) {
        error_set(err, ERROR_USER,
                  "%s: the %s capability cannot be at 0x%x: its %u bytes must lie in 0x40 to "
                  "0xff",
                  device_name(&d->dev), pci_cap_name(desc->id, false), at, length);
        return -EINVAL;
    }
    if (at) {
        return pci_add_capability_at(d, desc->id, at, length, err);
    }
    pos = desc->extended ? pcie_add_ext_capability(d, desc->id, cls->version, length)
                         : pci_add_capability(d, desc->id, length);
    if (pos < 0) {
        error_set(err, ERROR_USER, "%s: no %u free bytes are left for the %s capability",
                  device_name(&d->dev), length, pci_cap_name(desc->id, desc->extended));
    }
    return pos;
}

/* Return the tables that apply to d: bit t for table t. */
static uint32_t caps_select(const PCIDevice *d, const PCICapDesc *desc, const PCIRegTable *tables,
                            size_t n)
{
    uint32_t selected = 0;

    g_assert(n <= PCI_MAX_TABLES);
    for (size_t i = 0; i < n; i++) {
        if (!tables[i].applies || tables[i].applies(d, desc)) {
            selected |= 1u << i;
        }
    }
    return selected;
}

static void caps_declare(PCIDevice *d, const PCICapDesc *desc, uint16_t pos)
{
    const PCICapClass *cls = caps_class_of(desc);
    uint32_t header = caps_select(d, desc, cls->header, cls->n_header);

    pci_config_declare_entry(&d->config, pos, cls->tables,
                             caps_select(d, desc, cls->tables, cls->n_tables));
    for (; header; header &= header - 1) {
        const PCIRegTable *t = &cls->header[__builtin_ctz(header)];

        pci_config_compile(&d->config, 0, t->rows, t->n);
    }
}

bool pci_cap_place_row(PCIDevice *d, unsigned row, uint16_t at, GError **err)
{
    const PCICapDesc *desc = &pci_type(d)->caps[row];
    const PCICapClass *cls = caps_class_of(desc);
    int pos = caps_place(d, desc, pci_cap_length(pci_type(d), desc), at, err);

    if (pos < 0) {
        return false;
    }
    d->cap_pos[row] = pos;
    caps_declare(d, desc, pos);
    if (cls->setup && !cls->setup(d, row, pos, err)) {
        d->cap_pos[row] = 0;
        pci_cap_delete_at(d, pos);
        return false;
    }
    return true;
}

void pci_cap_drop_row(PCIDevice *d, unsigned row)
{
    uint16_t pos = d->cap_pos[row];

    d->cap_pos[row] = 0;
    pci_cap_delete_at(d, pos);
}

bool pci_cap_add_row(PCIDevice *d, unsigned row, uint16_t at, GError **err)
{
    const PCICapClass *cls = caps_class_of(&pci_type(d)->caps[row]);

    if (!pci_cap_place_row(d, row, at, err)) {
        return false;
    }
    if (cls->create) {
        cls->create(d, row);
    }
    if (cls->placed) {
        cls->placed(d, row);
    }
    return true;
}

/* Add the capabilities of rows with a requested offset (placed) or of the other rows. Requested
 * offsets are allocated first. */
static bool caps_init_rows(PCIDevice *d, bool placed, GError **err)
{
    for (size_t row = 0; row < pci_type(d)->n_caps; row++) {
        bool wanted;

        if ((d->cap_prop[row] > 0) != placed || d->cap_pos[row]) {
            continue;
        }
        if (!caps_row_wanted(d, row, &wanted, err) ||
            (wanted && !pci_cap_add_row(d, row, placed ? d->cap_prop[row] : 0, err))) {
            return false;
        }
    }
    return true;
}

/* Add the capability of a row at QEMU's offset, if the offset is not requested and is free. */
static void caps_init_at_qemu_offset(PCIDevice *d, unsigned row)
{
    const PCIDeviceType *type = pci_type(d);
    uint16_t at = d->qemu_layout && type->qemu_offset ? type->qemu_offset(d, row) : 0;
    bool wanted = at != 0 && d->cap_prop[row] == PLAN_CAP_ANYWHERE && !d->cap_pos[row];

    if (wanted && caps_row_wanted(d, row, &wanted, NULL) && wanted) {
        pci_cap_add_row(d, row, at, NULL);
    }
}

/* Link the entries in QEMU's order: from the highest to the lowest offset. */
void pci_caps_relink(PCIDevice *d)
{
    uint8_t head = 0;

    for (unsigned at = PCI_HEADER_SIZE; d->qemu_layout && at < PCI_CONFIG_SIZE; at += 4) {
        const PCICapEntry *e = pci_config_entry_at(&d->config, at);

        if (e && e->offset == at) {
            d->config.bytes[at + 1] = head;
            head = (uint8_t)at;
            d->config.bytes[PCI_CAPABILITY_LIST] = head;
        }
    }
}

/* Link the entries in the order of the type's rows. The order in which they were placed has no
 * effect: a description that states every offset gives the same bytes as one that states none. */
static void caps_relink(PCIDevice *d)
{
    const PCIDeviceType *type = pci_type(d);
    uint8_t head = 0;

    for (int fixed = 1; fixed >= 0; fixed--) {
        for (size_t row = 0; row < type->n_caps; row++) {
            if (!type->caps[row].extended && d->cap_pos[row] && (type->caps[row].at > 0) == fixed) {
                d->config.bytes[d->cap_pos[row] + 1] = head;
                head = d->cap_pos[row];
            }
        }
    }
    d->config.bytes[PCI_CAPABILITY_LIST] = head;
}

bool pci_caps_init(PCIDevice *d, GError **err)
{
    g_assert(pci_type(d)->n_caps <= PCI_MAX_CAPS && !d->config.bytes[PCI_CAPABILITY_LIST]);
    if (!caps_check_required(d, err) || !caps_init_rows(d, true, err)) {
        return false;
    }
    for (size_t row = 0; row < pci_type(d)->n_caps; row++) {
        caps_init_at_qemu_offset(d, row); /* without a QEMU offset: placed below */
    }
    if (!caps_init_rows(d, false, err)) {
        return false;
    }
    caps_relink(d);
    if (!pci_type(d)->link_rows) {
        pci_caps_relink(d);
    }
    return true;
}

void pci_caps_fini(PCIDevice *d)
{
    for (size_t row = 0; row < pci_type(d)->n_caps; row++) {
        const PCICapClass *cls = caps_class_of(&pci_type(d)->caps[row]);

        if (d->cap_pos[row] && cls->remove) {
            cls->remove(d, row);
        }
        d->cap_pos[row] = 0;
    }
}

int pci_cap_row_at(const PCIDevice *d, uint16_t pos)
{
    for (size_t row = 0; row < pci_type(d)->n_caps; row++) {
        if (d->cap_pos[row] == pos) {
            return row;
        }
    }
    return -1;
}

/* --- reset --- */

void pci_caps_reset(PCIDevice *d, ResetKind kind)
{
    for (size_t row = 0; row < pci_type(d)->n_caps; row++) {
        const PCICapClass *cls = caps_class_of(&pci_type(d)->caps[row]);

        if (d->cap_pos[row] && cls->reset) {
            cls->reset(d, row, kind);
        }
    }
}

/* --- vendor-specific capabilities: a length, and registers that the device owns --- */

static uint16_t vendor_length(const PCIDeviceType *type, const PCICapDesc *desc)
{
    return desc->vendor.size;
}

static bool vendor_setup(PCIDevice *d, unsigned row, uint16_t pos, GError **err)
{
    const PCICapDesc *desc = &pci_type(d)->caps[row];

    pci_config_set(&d->config, pos + 2, 1, desc->vendor.size);
    return !desc->vendor.reserve || pci_reserve_setup(d, pos, err);
}

static bool vendor_wanted(const PCIDevice *d, const PCICapDesc *desc)
{
    return !desc->vendor.reserve || pci_reserve_wanted(d);
}

static const RegDesc vendor_rows[] = {
    REG_ROW("Length", 2, 1, .identity = REG_ALL, .doc = "bytes of the capability"),
};
static const PCIRegTable vendor_tables[] = { { .rows = LIST(vendor_rows) } };

const PCICapClass pci_vendor_class = {
    .id = PCI_CAP_ID_VNDR,
    .name = "Vendor Specific",
    .present_bit = -1,
    .doc = "vendor-specific capability",
    .tables = LIST(vendor_tables),
    .length = vendor_length,
    .wanted = vendor_wanted,
    .setup = vendor_setup,
};
