/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The saved record of a function, and every check on loading one.
 *
 * Big-endian. Version 1: {1, config}. Version 2: {2, config, irq[4]}. Version 3, the one we
 * write: {3, cap_present, config, irq[4]}. Config is 256 bytes, 4096 of an Express function.
 * In a device's section the version 3 record of an Express function has its length in front, and
 * the zeros at the end of its config are left out: most of the 4096 bytes of nearly all functions.
 * No version is as large as the least length, so that both forms load anywhere.
 * Behind it stand the capabilities' own states in the order of the type's rows, and, if the type
 * has several interrupt sources, their levels.
 *
 * cap_present has one bit for each capability that a description can switch; its word wins over
 * ours. Entries are looked for in the loaded bytes, so they may stand at other offsets than here;
 * what the guest cannot change must agree, relative to the entry. All disagreements are
 * collected and reported together.
 */
#include <json-c/json.h>
#include <string.h>

#include "hw/pci/names.h"
#include "hw/pci/pci_int.h"

enum {
    VERSION_CONFIG = 1,
    VERSION_IRQ = 2,
    VERSION_PRESENT = 3,
    BESIDE_CONFIG = 4 + 4 + 4 * PCI_NUM_PINS, /* bytes of a version 3 record */
    MAX_FOUND = (PCIE_CONFIG_SIZE - PCI_HEADER_SIZE) / 4,
    MAX_REPORTED = 64,
};

/* What the record says, before any of it is believed. */
typedef struct Record {
    PCIDevice *d;
    const char *path;
    uint32_t version, present;
    const uint8_t *config;
    uint8_t *filled; /* config with the zeros that were left out; NULL: it was whole */
    uint32_t irq[PCI_NUM_PINS];
    GString *wrong; /* sentences, joined by "; " */
    unsigned n_wrong;
} Record;

/* An entry met on a walk of a list, and the own entry it stands for. */
typedef struct Found {
    uint16_t offset, id;
    bool extended;
    const PCICapEntry *own;
} Found;

static void wrong(Record *r, const char *fmt, ...) G_GNUC_PRINTF(2, 3);
static void wrong(Record *r, const char *fmt, ...)
{
    va_list ap;

    if (++r->n_wrong > MAX_REPORTED) {
        return;
    }
    if (r->wrong->len) {
        g_string_append(r->wrong, "; ");
    }
    va_start(ap, fmt);
    g_string_append_vprintf(r->wrong, fmt, ap);
    va_end(ap);
}

/* --- rows a stream may switch --- */

static const PCICapClass *row_class(const PCIDevice *d, unsigned row)
{
    const PCICapDesc *desc = &pci_type(d)->caps[row];

    return pci_cap_class(desc->id, desc->extended);
}

/* Express decides the size of config space, so it cannot come or go with a record. */
static bool row_fixed(const PCIDevice *d, unsigned row)
{
    const PCICapDesc *desc = &pci_type(d)->caps[row];

    return desc->required || !desc->prop || row_class(d, row)->present_bit < 0 ||
           (!desc->extended &&
            (desc->id == PCI_CAP_ID_EXP || (desc->id == PCI_CAP_ID_PM && d->express)));
}

static uint32_t row_bit(const PCIDevice *d, unsigned row)
{
    return row_fixed(d, row) ? 0 : 1u << row_class(d, row)->present_bit;
}

static uint32_t present_word(const PCIDevice *d)
{
    uint32_t word = 0;

    for (size_t row = 0; row < pci_type(d)->n_caps; row++) {
        word |= d->cap_pos[row] ? row_bit(d, row) : 0;
    }
    return word;
}

/* --- saving --- */

static unsigned saved_levels(const PCIDevice *d)
{
    return pci_type(d)->n_irqs > 1 ? 8 : 0;
}

static bool is_extended(const PCIDevice *d)
{
    return d->config.size > PCI_CONFIG_SIZE;
}

/* Bytes of config space up to the last that is not zero, in whole registers. */
static unsigned lean_size(const PCIDevice *d)
{
    unsigned n = d->config.size;

    while (n > PCI_CONFIG_SIZE && d->config.bytes[n - 1] == 0) {
        n--;
    }
    return (n + 3) & ~3u;
}

static void put_record(const PCIDevice *d, unsigned config_size, ByteWriter *w)
{
    put_be32(w, VERSION_PRESENT);
    put_be32(w, present_word(d));
    put_bytes(w, d->config.bytes, config_size);
    for (unsigned pin = 0; pin < PCI_NUM_PINS; pin++) {
        put_be32(w, pin + 1 == d->pin && pci_intx_asserted(d));
    }
}

/* The state behind the record. */
static void put_caps(const PCIDevice *d, ByteWriter *w)
{
    for (size_t row = 0; row < pci_type(d)->n_caps; row++) {
        const PCICapClass *cls = row_class(d, row);

        if (d->cap_pos[row] && cls->save) {
            cls->save((PCIDevice *)d, row, w);
        }
    }
    if (saved_levels(d)) {
        put_be64(w, d->levels);
    }
}

void pci_device_save(const PCIDevice *d, ByteWriter *w)
{
    put_record(d, d->config.size, w);
    put_caps(d, w);
}

static void record_save(void *field, ByteWriter *w)
{
    const PCIDevice *d = field;
    unsigned n = lean_size(d);

    if (is_extended(d)) {
        put_be32(w, BESIDE_CONFIG + n);
    }
    put_record(d, n, w);
    put_caps(d, w);
}

static void describe_field(struct json_object *list, const char *name, const char *type,
                           unsigned size, unsigned count)
{
    struct json_object *o = json_object_new_object();

    json_object_object_add(o, "name", json_object_new_string(name));
    if (count) {
        json_object_object_add(o, "array_len", json_object_new_int((int)count));
    }
    json_object_object_add(o, "type", json_object_new_string(type));
    json_object_object_add(o, "size", json_object_new_int((int)size));
    json_object_array_add(list, o);
}

static struct json_object *record_describe(void *field)
{
    struct json_object *o = json_object_new_object(), *list = json_object_new_array();
    g_autoptr(GByteArray) caps = g_byte_array_new();
    const PCIDevice *d = field;
    ByteWriter w = { caps };

    put_caps(d, &w);
    if (is_extended(d)) {
        describe_field(list, "length", "uint32", 4, 0);
    }
    describe_field(list, "version_id", "uint32", 4, 0);
    describe_field(list, "cap_present", "uint32", 4, 0);
    describe_field(list, "config", "pci config", lean_size(d), 0);
    describe_field(list, "irq_state", "uint32", 4, PCI_NUM_PINS);
    if (caps->len) {
        describe_field(list, "caps", "pci capability state", caps->len, 0);
    }
    json_object_object_add(o, "vmsd_name", json_object_new_string("PCIDevice"));
    json_object_object_add(o, "version", json_object_new_int(VERSION_PRESENT));
    json_object_object_add(o, "fields", list);
    return o;
}

/* --- walking the lists of a record --- */

static uint32_t le32(const uint8_t *p)
{
    return p[0] | p[1] << 8 | p[2] << 16 | (uint32_t)p[3] << 24;
}

static bool seen(const Found *found, unsigned n, unsigned offset)
{
    for (unsigned i = 0; i < n; i++) {
        if (found[i].offset == offset) {
            return true;
        }
    }
    return false;
}

static unsigned walk_conventional(Record *r, const uint8_t *config, Found *found)
{
    unsigned n = 0, at = config[PCI_CAPABILITY_LIST];

    if (!(config[PCI_STATUS] & PCI_STATUS_CAP_LIST) != (at == 0)) {
        wrong(r, "Capabilities List of Status is %u while Capabilities Pointer is 0x%02x", at == 0,
              at);
        return 0;
    }
    if (!(config[PCI_STATUS] & PCI_STATUS_CAP_LIST)) {
        return 0;
    }
    while (at) {
        if (at < PCI_HEADER_SIZE || at % 4) {
            wrong(r, "the capability list points to 0x%x, which no entry can stand at", at);
            break;
        }
        if (seen(found, n, at)) {
            wrong(r, "the capability list loops at 0x%x", at);
            break;
        }
        found[n++] = (Found){ .offset = at, .id = config[at] };
        at = config[at + 1];
    }
    return n;
}

static unsigned walk_extended(Record *r, const uint8_t *config, Found *found, unsigned n)
{
    unsigned at = PCI_EXT_CAP_BASE;

    while (at) {
        uint32_t header = le32(config + at);

        if (seen(found, n, at)) {
            wrong(r, "the extended capability list loops at 0x%x", at);
            break;
        }
        if (header & 0xffff) { /* else the null head */
            found[n++] = (Found){ .offset = at, .id = header & 0xffff, .extended = true };
        } else if (at != PCI_EXT_CAP_BASE) {
            wrong(r, "the extended capability list has a null entry at 0x%x", at);
            break;
        }
        at = header >> 20;
        /* The null head is no entry that seen() would know, so 100h is refused here. */
        if (at && (at <= PCI_EXT_CAP_BASE || at % 4)) {
            wrong(r, "the extended capability list points to 0x%x, which no entry can stand at",
                  at);
            break;
        }
    }
    return n;
}

static unsigned walk(Record *r, const uint8_t *config, Found *found)
{
    unsigned n = walk_conventional(r, config, found);

    return is_extended(r->d) ? walk_extended(r, config, found, n) : n;
}

/* The nth entry of that id, in list order. */
static Found *nth(Found *found, unsigned n, const Found *like, unsigned k)
{
    for (unsigned i = 0; i < n; i++) {
        if (found[i].id == like->id && found[i].extended == like->extended && k-- == 0) {
            return &found[i];
        }
    }
    return NULL;
}

static unsigned rank(const Found *found, unsigned i)
{
    unsigned k = 0;

    for (unsigned j = 0; j < i; j++) {
        k += found[j].id == found[i].id && found[j].extended == found[i].extended;
    }
    return k;
}

static bool fits(const Record *r, const Found *f)
{
    return (unsigned)f->offset + f->own->size <=
           (f->extended ? r->d->config.size : PCI_CONFIG_SIZE);
}

static void check_overlap(Record *r, const Found *found, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        if (!found[i].own || !fits(r, &found[i])) {
            continue;
        }
        for (unsigned j = 0; j < n; j++) {
            if (j != i && found[j].own && found[j].offset > found[i].offset &&
                found[j].offset < found[i].offset + found[i].own->size) {
                wrong(r, "the %s capability at 0x%x overlaps the %s capability at 0x%x",
                      pci_cap_name(found[i].id, found[i].extended), found[i].offset,
                      pci_cap_name(found[j].id, found[j].extended), found[j].offset);
            }
        }
    }
}

/* Pair the loaded entries with our own. */
static unsigned match_entries(Record *r, Found *found)
{
    g_autofree Found *own = g_new0(Found, MAX_FOUND);
    unsigned n = walk(r, r->config, found);
    unsigned n_own = walk(r, r->d->config.bytes, own);

    for (unsigned i = 0; i < n_own; i++) {
        Found *f = nth(found, n, &own[i], rank(own, i));
        const char *name = pci_cap_name(own[i].id, own[i].extended);

        if (!f) {
            wrong(r, "the %s capability is not in the list", name);
            continue;
        }
        f->own = pci_config_entry_at(&r->d->config, own[i].offset);
        if (!fits(r, f)) {
            wrong(r, "the %s capability at 0x%x runs over the end", name, f->offset);
        }
    }
    for (unsigned i = 0; i < n; i++) {
        if (!found[i].own) {
            wrong(r, "the %s capability (id 0x%x) at 0x%x is not one of this device",
                  pci_cap_name(found[i].id, found[i].extended), found[i].id, found[i].offset);
        }
    }
    check_overlap(r, found, n);
    return n;
}

/* --- comparing --- */

/* The property that decides about a byte of config space; NULL: none does. */
static const char *deciding_property(const PCIDevice *d, unsigned addr)
{
    const PCIDeviceType *type = pci_type(d);
    const PCICapEntry *e = pci_config_entry_at(&d->config, addr);
    int row = e ? pci_cap_row_at(d, e->offset) : -1;

    if (row >= 0) {
        return type->caps[row].count_prop ? type->caps[row].count_prop : type->caps[row].prop;
    }
    if (addr == PCI_HEADER_TYPE) {
        return "multifunction";
    }
    for (const PCIBar *bar = d->bars; bar; bar = bar->next) {
        unsigned at = bar->index == PCI_FIXED_RANGE ? 0 : pci_bar_register(d, bar->index);

        if (at && addr >= at && addr < at + (bar->is64 ? 8 : 4)) {
            return bar->rom ? "romfile" : bar->size_prop;
        }
    }
    return NULL;
}

static uint8_t compared(const PCIConfig *c, unsigned addr)
{
    return pci_config_mask(c, PCI_CMASK, addr) & ~pci_config_mask(c, PCI_WMASK, addr) &
           ~pci_config_mask(c, PCI_W1CMASK, addr);
}

/* Report the register that holds our byte `addr`; `theirs` is where that byte is in the record.
 * Returns how many bytes were covered by the report. */
static unsigned report(Record *r, unsigned addr, const uint8_t *theirs)
{
    const PCIConfig *c = &r->d->config;
    g_autofree char *name = pci_register_name(c, addr);
    const char *prop = deciding_property(r->d, addr);
    uint32_t bits = 0, got = 0, want = 0;
    unsigned n = 0;

    while (n < 4 && addr + n < c->size) {
        g_autofree char *other = pci_register_name(c, addr + n);

        if (!g_str_equal(name, other)) {
            break;
        }
        bits |= (uint32_t)((theirs[n] ^ c->bytes[addr + n]) & compared(c, addr + n)) << 8 * n;
        got |= (uint32_t)theirs[n] << 8 * n;
        want |= (uint32_t)c->bytes[addr + n] << 8 * n;
        n++;
    }
    wrong(r, "%s (0x%x) is 0x%x in the record and 0x%x here, different in bits 0x%x%s%s", name,
          addr, got, want, bits, prop ? "; set by property " : "", prop ? prop : "");
    return n;
}

static void compare_range(Record *r, unsigned addr, const uint8_t *theirs, unsigned n)
{
    const PCIConfig *c = &r->d->config;

    for (unsigned i = 0; i < n; i++) {
        if ((theirs[i] ^ c->bytes[addr + i]) & compared(c, addr + i)) {
            i += report(r, addr + i, theirs + i) - 1;
        }
    }
}

/* Extended space that no entry holds reads as zero; the null head may point on. */
static void compare_unallocated(Record *r, const Found *found, unsigned n)
{
    g_autofree uint8_t *held = g_malloc0(PCIE_CONFIG_SIZE);

    memset(held + PCI_EXT_CAP_BASE, 1, 4);
    for (unsigned i = 0; i < n; i++) {
        if (found[i].own && fits(r, &found[i])) {
            memset(held + found[i].offset, 1, found[i].own->size);
        }
    }
    for (unsigned at = PCI_EXT_CAP_BASE; at < r->d->config.size; at++) {
        if (!held[at] && r->config[at]) {
            wrong(r, "unallocated byte 0x%x is 0x%02x in the record: zero is accepted", at,
                  r->config[at]);
        }
    }
}

static void compare_all(Record *r, const Found *found, unsigned n)
{
    compare_range(r, 0, r->config, PCI_HEADER_SIZE);
    for (unsigned i = 0; i < n; i++) {
        if (found[i].own && fits(r, &found[i])) {
            compare_range(r, found[i].own->offset, r->config + found[i].offset, found[i].own->size);
        }
    }
    compare_unallocated(r, found, n);
}

/* --- taking over --- */

static const PCIMaskKind moved_masks[] = { PCI_WMASK, PCI_W1CMASK, PCI_CMASK, PCI_STICKY };

typedef struct Move {
    PCICapEntry to;
    int row;
    uint16_t from;
    uint8_t *masks; /* G_N_ELEMENTS(moved_masks) times size bytes */
} Move;

static uint8_t *copy_masks(const PCIConfig *c, const PCICapEntry *e)
{
    uint8_t *masks = g_malloc(G_N_ELEMENTS(moved_masks) * e->size);

    for (unsigned k = 0; k < G_N_ELEMENTS(moved_masks); k++) {
        for (unsigned i = 0; i < e->size; i++) {
            masks[k * e->size + i] = pci_config_mask(c, moved_masks[k], e->offset + i);
        }
    }
    return masks;
}

static void put_entry(PCIDevice *d, const Move *m)
{
    PCIConfig *c = &d->config;
    unsigned size = m->to.size;
    int ret = m->to.extended ? pcie_reserve_ext_capability(d, m->to.offset, size)
                             : pci_reserve_capability(d, m->to.offset, size);

    g_assert(ret == 0); /* range and overlap were checked on the record */
    for (unsigned k = 0; k < G_N_ELEMENTS(moved_masks); k++) {
        for (unsigned i = 0; i < size; i++) {
            pci_config_mask_set(c, moved_masks[k], m->to.offset + i, 1, m->masks[k * size + i]);
        }
    }
    if (m->row < 0) {
        return;
    }
    d->cap_pos[m->row] = m->to.offset;
    if (m->from != m->to.offset) {
        d->cap_prop[m->row] = m->to.offset; /* a description can say what a stream can contain */
    }
}

/* Bytes, entries and masks as the record has them. Everything was checked. */
static void take_over(Record *r, const Found *found, unsigned n)
{
    PCIDevice *d = r->d;
    g_autofree Move *moves = g_new0(Move, n + 1);

    for (unsigned i = 0; i < n; i++) {
        const PCICapEntry *e = found[i].own;

        moves[i] = (Move){ .to = *e, .row = pci_cap_row_at(d, e->offset), .from = e->offset };
        moves[i].masks = copy_masks(&d->config, e);
        moves[i].to.offset = found[i].offset;
    }
    pci_config_forget(&d->config);
    memcpy(d->config.bytes, r->config, d->config.size);
    for (unsigned i = 0; i < n; i++) {
        put_entry(d, &moves[i]);
        g_free(moves[i].masks);
    }
    for (size_t row = 0; row < pci_type(d)->n_caps; row++) {
        const PCICapClass *cls = row_class(d, row);

        if (d->cap_pos[row] && cls->placed) {
            cls->placed(d, row);
        }
    }
}

/* --- loading --- */

/* A length instead of a version: the version and the size of a lean config follow from it. */
static bool read_length(Record *r, ByteReader *in, unsigned *config_size)
{
    uint32_t size = r->version - BESIDE_CONFIG;

    if (!is_extended(r->d) || r->version < BESIDE_CONFIG + PCI_CONFIG_SIZE ||
        size > r->d->config.size) {
        return true;
    }
    r->version = get_be32(in);
    if (reader_ok(in) && (size % 4 || r->version != VERSION_PRESENT)) {
        wrong(r,
              "a record of version %u with %u bytes of config space: version 3 with a "
              "multiple of 4 is accepted",
              r->version, size);
        return false;
    }
    *config_size = size;
    return true;
}

static void read_config(Record *r, ByteReader *in, unsigned size)
{
    r->config = get_view(in, size);
    if (r->config && size < r->d->config.size) {
        r->filled = g_malloc0(r->d->config.size);
        memcpy(r->filled, r->config, size);
        r->config = r->filled;
    }
}

static bool read_record(Record *r, ByteReader *in)
{
    unsigned size = r->d->config.size;

    r->version = get_be32(in);
    if (!read_length(r, in, &size)) {
        return false;
    }
    if (reader_ok(in) && (r->version < VERSION_CONFIG || r->version > VERSION_PRESENT)) {
        wrong(r, "record version %u: 1 to 3 are accepted", r->version);
        return false;
    }
    r->present = r->version >= VERSION_PRESENT ? get_be32(in) : 0;
    read_config(r, in, size);
    for (unsigned pin = 0; r->version >= VERSION_IRQ && pin < PCI_NUM_PINS; pin++) {
        r->irq[pin] = get_be32(in);
    }
    if (!reader_ok(in)) {
        wrong(r, "the record is cut short: %u bytes of config space are expected", size);
        return false;
    }
    return true;
}

static void check_irq(Record *r)
{
    for (unsigned pin = 0; pin < PCI_NUM_PINS; pin++) {
        if (r->irq[pin] > 1) {
            wrong(r, "the level of pin INT%c is %u: 0 or 1 is accepted", 'A' + pin, r->irq[pin]);
        } else if (r->irq[pin] && pin + 1u != r->d->pin) {
            wrong(r, "pin INT%c is asserted, which this device does not have", 'A' + pin);
        }
    }
}

static void check_present(Record *r)
{
    uint32_t known = 0;

    for (size_t row = 0; row < pci_type(r->d)->n_caps; row++) {
        known |= row_bit(r->d, row);
    }
    if (r->present & ~known) {
        wrong(r, "cap_present has bits 0x%x that stand for capabilities this device does not have",
              r->present & ~known);
    }
}

/* The record's word wins: rows come and go to agree with it. */
static void switch_rows(Record *r)
{
    PCIDevice *d = r->d;

    for (size_t row = 0; row < pci_type(d)->n_caps; row++) {
        uint32_t bit = row_bit(d, row);

        if (bit && d->cap_pos[row] && !(r->present & bit)) {
            pci_cap_remove_row(d, row);
            d->cap_prop[row] = PLAN_CAP_OFF;
        }
    }
    for (size_t row = 0; row < pci_type(d)->n_caps; row++) {
        uint32_t bit = row_bit(d, row);
        g_autoptr(GError) err = NULL;

        if (bit && !d->cap_pos[row] && (r->present & bit)) {
            if (!pci_cap_add_row(d, row, 0, &err)) {
                wrong(r, "%s", err->message);
            } else {
                d->cap_prop[row] = PLAN_CAP_ANYWHERE;
            }
        }
    }
}

static bool load_levels(PCIDevice *d, bool irq, ByteReader *in, const char *path, GError **err)
{
    unsigned n = pci_type(d)->n_irqs;
    uint64_t levels = irq, legal = n >= 64 ? UINT64_MAX : (1ull << n) - 1;

    if (saved_levels(d)) {
        levels = get_be64(in);
        if (!reader_ok(in) || (levels & ~legal) || (levels != 0) != irq) {
            pci_error(err,
                      "%s: the levels of the interrupt sources (0x%" PRIx64
                      ") do not agree with the pin",
                      path, levels);
            return false;
        }
    }
    d->levels = levels;
    return true;
}

static bool load_caps(PCIDevice *d, ByteReader *in, const char *path, GError **err)
{
    for (size_t row = 0; row < pci_type(d)->n_caps; row++) {
        const PCICapClass *cls = row_class(d, row);

        if (d->cap_pos[row] && cls->load && !cls->load(d, row, in, path, err)) {
            return false;
        }
    }
    for (size_t row = 0; row < pci_type(d)->n_caps; row++) {
        const PCICapClass *cls = row_class(d, row);

        if (d->cap_pos[row] && cls->loaded && !cls->loaded(d, row, path, err)) {
            return false;
        }
    }
    return true;
}

static bool refuse(Record *r, GError **err)
{
    if (r->n_wrong > MAX_REPORTED) {
        g_string_append_printf(r->wrong, "; and %u more", r->n_wrong - MAX_REPORTED);
    }
    pci_error(err, "%s: %s", r->path, r->wrong->str);
    return false;
}

static bool load_config(Record *r, ByteReader *in, GError **err)
{
    g_autofree Found *found = g_new0(Found, MAX_FOUND);
    unsigned n;

    if (!read_record(r, in)) {
        return refuse(r, err);
    }
    check_irq(r);
    check_present(r);
    switch_rows(r);
    n = match_entries(r, found);
    compare_all(r, found, n);
    if (r->n_wrong) {
        return refuse(r, err);
    }
    take_over(r, found, n);
    return true;
}

bool pci_device_load(PCIDevice *d, ByteReader *in, const char *path, GError **err)
{
    Record r = { .d = d, .path = path, .wrong = g_string_new(NULL) };
    bool irq, ok = load_config(&r, in, err);

    g_string_free(r.wrong, TRUE);
    g_free(r.filled);
    if (!ok) {
        return false;
    }
    irq = d->pin && r.irq[d->pin - 1];
    if (!load_caps(d, in, path, err)) {
        return false;
    }
    if (r.version < VERSION_PRESENT) {
        d->levels = irq;
    } else if (!load_levels(d, irq, in, path, err)) {
        return false;
    }
    pci_resync(d);
    return true;
}

static bool record_load(void *field, ByteReader *r, const char *path, GError **err)
{
    return pci_device_load(field, r, path, err);
}

const VmOps pci_record_ops = {
    .type = "pci config", .save = record_save, .load = record_load, .describe = record_describe
};
