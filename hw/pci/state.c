/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The saved record of a PCI function: format, saving and loading. state_check.c has the checks.
 *
 * The record is big-endian:
 *   version 1: {1, config}
 *   version 2: {2, config, irq[4]}
 *   version 3: {3, cap_present, config, irq[4]}; this is the version that is written
 * config has 256 bytes, or 4096 bytes of an Express function. In a device's section the version 3
 * record of an Express function is preceded by its length, and the zeros at the end of config are
 * omitted. The smallest length is larger than any version, so that the first word distinguishes the
 * two forms and both load everywhere. The record is followed by the states of the capabilities in
 * the order of the type's rows and, if the type has several interrupt sources, by their levels.
 *
 * cap_present has one bit for each capability that a description can switch. It takes precedence
 * over the description of the target. Versions 1 and 2 do not contain MSI-X; the capability list in
 * their bytes determines which other capabilities are present. Capabilities are located through the
 * loaded list and may be at other offsets than on the target. Bits that the guest cannot change
 * must agree, relative to the capability. All differences are reported together, and a load that
 * fails changes nothing.
 */
#include <string.h>

#include "state_internal.h"
#include "util/error.h"

enum { BESIDE_CONFIG = 4 + 4 + 4 * PCI_NUM_PINS /* bytes of a version 3 record */ };

/* --- capabilities that a stream may switch --- */

static const PCICapClass *record_row_class(const PCIDevice *d, unsigned row)
{
    const PCICapDesc *desc = &pci_type(d)->caps[row];

    return pci_cap_class(desc->id, desc->extended);
}

/* A record cannot add or remove the Express capability: it determines the size of config space. */
static bool record_row_fixed(const PCIDevice *d, unsigned row)
{
    const PCICapDesc *desc = &pci_type(d)->caps[row];

    return desc->required || !desc->prop || record_row_class(d, row)->present_bit < 0 ||
           (!desc->extended &&
            (desc->id == PCI_CAP_ID_EXP || (desc->id == PCI_CAP_ID_PM && d->express)));
}

static uint32_t record_row_bit(const PCIDevice *d, unsigned row)
{
    return record_row_fixed(d, row) ? 0 : 1u << record_row_class(d, row)->present_bit;
}

static uint32_t record_present_word(const PCIDevice *d)
{
    uint32_t word = 0;

    for (size_t row = 0; row < pci_type(d)->n_caps; row++) {
        word |= d->cap_pos[row] ? record_row_bit(d, row) : 0;
    }
    return word;
}

/* --- saving --- */

static unsigned record_levels_size(const PCIDevice *d)
{
    return pci_type(d)->n_irqs > 1 ? 8 : 0;
}

static bool record_is_extended(const PCIDevice *d)
{
    return d->config.size > PCI_CONFIG_SIZE;
}

/* Bytes of config space up to the last one that is not zero, rounded up to registers of 4 bytes. */
static unsigned record_lean_size(const PCIDevice *d)
{
    unsigned n = d->config.size;

    while (n > PCI_CONFIG_SIZE && d->config.bytes[n - 1] == 0) {
        n--;
    }
    return (n + 3) & ~3u;
}

static void record_put(const PCIDevice *d, unsigned config_size, ByteWriter *w)
{
    put_be32(w, PCI_RECORD_PRESENT);
    put_be32(w, record_present_word(d));
    put_bytes(w, d->config.bytes, config_size);
    for (unsigned pin = 0; pin < PCI_NUM_PINS; pin++) {
        put_be32(w, pin + 1 == d->pin && pci_intx_asserted(d));
    }
}

/* The state that follows the record. */
static void record_put_caps(const PCIDevice *d, ByteWriter *w)
{
    for (size_t row = 0; row < pci_type(d)->n_caps; row++) {
        const PCICapClass *cls = record_row_class(d, row);

        if (d->cap_pos[row] && cls->save) {
            cls->save((PCIDevice *)d, row, w);
        }
    }
    if (record_levels_size(d)) {
        put_be64(w, d->levels);
    }
}

void pci_device_save(const PCIDevice *d, ByteWriter *w)
{
    record_put(d, d->config.size, w);
    record_put_caps(d, w);
}

static void record_save(void *field, ByteWriter *w)
{
    const PCIDevice *d = field;
    unsigned n = record_lean_size(d);

    if (record_is_extended(d)) {
        put_be32(w, BESIDE_CONFIG + n);
    }
    record_put(d, n, w);
    record_put_caps(d, w);
}

static VmDescription *record_describe(void *field)
{
    VmDescription *out = vm_description_new("PCIDevice", PCI_RECORD_PRESENT);
    g_autoptr(GByteArray) caps = g_byte_array_new();
    const PCIDevice *d = field;
    ByteWriter w = { caps };

    record_put_caps(d, &w);
    if (record_is_extended(d)) {
        vm_description_add(out, "length", "uint32", 4);
    }
    vm_description_add(out, "version_id", "uint32", 4);
    vm_description_add(out, "cap_present", "uint32", 4);
    vm_description_add(out, "config", "pci config", record_lean_size(d));
    vm_description_add(out, "irq_state", "uint32", 4)->array_len = PCI_NUM_PINS;
    if (caps->len) {
        vm_description_add(out, "caps", "pci capability state", caps->len);
    }
    return out;
}

/* --- the trial copy receives the contents of the record --- */

typedef struct RecordMove {
    PCICapEntry to;
    int row;
    uint16_t from;
    uint8_t *masks; /* pci_config_save_masks() */
} RecordMove;

static void record_put_entry(PCIRecord *r, const RecordMove *m)
{
    PCIDevice *d = r->d;
    PCIConfig *c = &d->config;
    PCICapEntry *e;
    unsigned size = m->to.size;
    int ret = m->to.extended ? pcie_reserve_ext_capability(d, m->to.offset, size)
                             : pci_reserve_capability(d, m->to.offset, size);

    g_assert(ret == 0); /* range and overlap of the record are checked before */
    pci_config_restore_masks(c, m->to.offset, size, m->masks);
    e = pci_config_entry_at(c, m->to.offset);
    e->tables = m->to.tables;
    e->selected = m->to.selected;
    if (m->row < 0) {
        return;
    }
    d->cap_pos[m->row] = m->to.offset;
    if (m->from != m->to.offset) {
        r->cap_prop[m->row] = m->to.offset; /* for the description of the machine */
    }
}

/* Set bytes, entries and masks to those of the record, which has been checked. */
static void record_apply(PCIRecord *r, const PCIFound *found, unsigned n)
{
    PCIDevice *d = r->d;
    g_autofree RecordMove *moves = g_new0(RecordMove, n + 1);

    for (unsigned i = 0; i < n; i++) {
        const PCICapEntry *e = found[i].own;

        moves[i] = (RecordMove){ .to = *e, .row = pci_cap_row_at(d, e->offset), .from = e->offset };
        moves[i].masks = pci_config_save_masks(&d->config, e->offset, e->size);
        moves[i].to.offset = found[i].offset;
    }
    pci_config_forget(&d->config);
    memcpy(d->config.bytes, r->config, d->config.size);
    for (unsigned i = 0; i < n; i++) {
        record_put_entry(r, &moves[i]);
        g_free(moves[i].masks);
    }
}

/* --- loading --- */

/* If the first word is a length, read the version after it and derive the size of config. */
static bool record_read_length(PCIRecord *r, ByteReader *in, unsigned *config_size)
{
    uint32_t size = r->version - BESIDE_CONFIG;

    if (!record_is_extended(r->d) || r->version < BESIDE_CONFIG + PCI_CONFIG_SIZE ||
        size > r->d->config.size) {
        return true;
    }
    r->version = get_be32(in);
    if (reader_ok(in) && (size % 4 || r->version != PCI_RECORD_PRESENT)) {
        pci_record_wrong(r,
                         "a record of version %u with %u bytes of config space: version 3 with a "
                         "multiple of 4 is accepted",
                         r->version, size);
        return false;
    }
    *config_size = size;
    return true;
}

static void record_read_config(PCIRecord *r, ByteReader *in, unsigned size)
{
    r->config = get_view(in, size);
    if (r->config && size < r->d->config.size) {
        r->filled = g_malloc0(r->d->config.size);
        memcpy(r->filled, r->config, size);
        r->config = r->filled;
    }
}

static bool record_read(PCIRecord *r, ByteReader *in)
{
    unsigned size = r->d->config.size;

    r->version = get_be32(in);
    if (!record_read_length(r, in, &size)) {
        return false;
    }
    if (reader_ok(in) && (r->version < PCI_RECORD_CONFIG || r->version > PCI_RECORD_PRESENT)) {
        pci_record_wrong(r, "record version %u: 1 to 3 are accepted", r->version);
        return false;
    }
    r->present = r->version >= PCI_RECORD_PRESENT ? get_be32(in) : 0;
    record_read_config(r, in, size);
    for (unsigned pin = 0; r->version >= PCI_RECORD_IRQ && pin < PCI_NUM_PINS; pin++) {
        r->irq[pin] = get_be32(in);
    }
    if (!reader_ok(in)) {
        pci_record_wrong(r, "the record is cut short: %u bytes of config space are expected", size);
        return false;
    }
    return true;
}

static void record_check_irq(PCIRecord *r)
{
    for (unsigned pin = 0; pin < PCI_NUM_PINS; pin++) {
        if (r->irq[pin] > 1) {
            pci_record_wrong(r, "the level of pin INT%c is %u: 0 or 1 is accepted", 'A' + pin,
                             r->irq[pin]);
        } else if (r->irq[pin] && pin + 1u != r->d->pin) {
            pci_record_wrong(r, "pin INT%c is asserted, which this device does not have",
                             'A' + pin);
        }
    }
}

/* Versions 1 and 2 have no cap_present: derive it from the capability list. */
static uint32_t record_present_in_list(const PCIRecord *r, const PCIFound *found, unsigned n)
{
    uint32_t word = 0;

    for (size_t row = 0; row < pci_type(r->d)->n_caps; row++) {
        const PCICapDesc *desc = &pci_type(r->d)->caps[row];

        for (unsigned i = 0; i < n; i++) {
            if (found[i].id == desc->id && found[i].extended == desc->extended &&
                !pci_record_is_msix(&found[i])) {
                word |= record_row_bit(r->d, row);
            }
        }
    }
    return word;
}

static void record_check_present(PCIRecord *r)
{
    uint32_t known = 0;

    for (size_t row = 0; row < pci_type(r->d)->n_caps; row++) {
        known |= record_row_bit(r->d, row);
    }
    if (r->present & ~known) {
        pci_record_wrong(r,
                         "cap_present has bits 0x%x of capabilities that this device does not have",
                         r->present & ~known);
    }
}

/* Add and remove capabilities so that they agree with cap_present of the record. */
static void record_switch_rows(PCIRecord *r)
{
    PCIDevice *d = r->d;

    for (size_t row = 0; row < pci_type(d)->n_caps; row++) {
        uint32_t bit = record_row_bit(d, row);

        if (bit && d->cap_pos[row] && !(r->present & bit)) {
            pci_cap_drop_row(d, row);
            r->cap_prop[row] = PLAN_CAP_OFF;
        }
    }
    for (size_t row = 0; row < pci_type(d)->n_caps; row++) {
        uint32_t bit = record_row_bit(d, row);
        g_autoptr(GError) err = NULL;

        if (bit && !d->cap_pos[row] && (r->present & bit)) {
            if (!pci_cap_place_row(d, row, 0, &err)) {
                pci_record_wrong(r, "%s", err->message);
            } else {
                r->cap_prop[row] = PLAN_CAP_ANYWHERE;
            }
        }
    }
}

static bool record_parse_levels(PCIRecord *r, ByteReader *in, GError **err)
{
    const PCIDevice *d = r->d;
    unsigned n = pci_type(d)->n_irqs;
    bool irq = d->pin && r->irq[d->pin - 1];
    uint64_t legal = n >= 64 ? UINT64_MAX : (1ull << n) - 1;

    r->levels = irq;
    if (r->version >= PCI_RECORD_PRESENT && record_levels_size(d)) {
        r->levels = get_be64(in);
        if (!reader_ok(in) || (r->levels & ~legal) || (r->levels != 0) != irq) {
            return error_set(err, ERROR_GUEST,
                             "%s: the levels of the interrupt sources (0x%" PRIx64
                             ") do not agree with the pin",
                             r->path, r->levels);
        }
    }
    return true;
}

static bool record_parse_caps(PCIRecord *r, ByteReader *in, GError **err)
{
    const PCIDevice *d = r->d;

    for (size_t row = 0; row < pci_type(d)->n_caps; row++) {
        const PCICapClass *cls = record_row_class(d, row);

        if (d->cap_pos[row] && cls->parse &&
            !cls->parse(d, row, in, &r->state[row], r->path, err)) {
            return false;
        }
    }
    for (size_t row = 0; row < pci_type(d)->n_caps; row++) {
        const PCICapClass *cls = record_row_class(d, row);

        if (d->cap_pos[row] && cls->check && !cls->check(d, row, r->path, err)) {
            return false;
        }
    }
    return true;
}

static bool record_parse_config(PCIRecord *r, ByteReader *in, GError **err)
{
    g_autofree PCIFound *found = g_new0(PCIFound, PCI_RECORD_ENTRIES);
    unsigned n;

    if (!record_read(r, in)) {
        return pci_record_report(r, err);
    }
    n = pci_record_walk(r, r->config, found);
    if (r->version < PCI_RECORD_PRESENT) {
        r->present = record_present_in_list(r, found, n);
    }
    record_check_irq(r);
    record_check_present(r);
    record_switch_rows(r);
    pci_record_match(r, found, n);
    pci_record_compare(r, found, n);
    if (r->n_wrong) {
        return pci_record_report(r, err);
    }
    record_apply(r, found, n);
    return true;
}

/* The checks work on a copy of config space, so that a load that fails leaves the device unchanged.
 */
static void record_begin_trial(PCIRecord *r)
{
    PCIDevice *d = r->d;

    r->own_config = d->config;
    memcpy(r->own_pos, d->cap_pos, sizeof(r->own_pos));
    memcpy(r->cap_prop, d->cap_prop, sizeof(r->cap_prop));
    pci_config_copy(&d->config, &r->own_config);
}

static void record_end_trial(PCIRecord *r)
{
    PCIDevice *d = r->d;

    pci_config_fini(&d->config);
    d->config = r->own_config;
    memcpy(d->cap_pos, r->own_pos, sizeof(r->own_pos));
}

/* Let the state outside config space follow a capability that was added, removed or moved. */
static void record_accept_row(PCIRecord *r, unsigned row)
{
    PCIDevice *d = r->d;
    const PCICapClass *cls = record_row_class(d, row);
    bool had = r->own_pos[row], has = d->cap_pos[row];

    if (had && !has && cls->remove) {
        cls->remove(d, row);
    }
    if (has && !had && cls->create) {
        cls->create(d, row);
    }
    if ((had || has) && cls->placed) {
        cls->placed(d, row);
    }
}

static void record_accept(PCIRecord *r)
{
    PCIDevice *d = r->d;

    pci_config_fini(&r->own_config);
    memcpy(d->cap_prop, r->cap_prop, sizeof(r->cap_prop));
    for (size_t row = 0; row < pci_type(d)->n_caps; row++) {
        record_accept_row(r, row);
    }
    for (size_t row = 0; row < pci_type(d)->n_caps; row++) {
        const PCICapClass *cls = record_row_class(d, row);

        if (d->cap_pos[row] && cls->loaded) {
            cls->loaded(d, row, r->state[row]);
        }
    }
    d->levels = r->levels;
    pci_resync(d);
    if (pci_bridge_of(d) && pci_bridge_in_reset(pci_bridge_of(d))) {
        pci_bus_power(&pci_bridge_of(d)->sec, false, RESET_HOT);
    }
}

bool pci_device_load(PCIDevice *d, ByteReader *in, const char *path, GError **err)
{
    PCIRecord r = { .d = d, .path = path, .wrong = g_string_new(NULL) };
    bool ok;

    record_begin_trial(&r);
    ok = record_parse_config(&r, in, err) && record_parse_caps(&r, in, err) &&
         record_parse_levels(&r, in, err);
    if (ok) {
        record_accept(&r);
    } else {
        record_end_trial(&r);
    }
    g_string_free(r.wrong, TRUE);
    g_free(r.filled);
    return ok;
}

static bool record_load(void *field, ByteReader *r, const char *path, GError **err)
{
    return pci_device_load(field, r, path, err);
}

const VmOps pci_record_ops = {
    .type = "pci config", .save = record_save, .load = record_load, .describe = record_describe
};
