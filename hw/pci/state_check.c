/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Checks of the saved record of a PCI function: its capability lists, entry by entry, and every bit
 * that the guest cannot change. All differences are collected and reported together.
 */
#include "hw/pci/names.h"
#include "state_internal.h"
#include "util/error.h"

enum { RECORD_MAX_REPORTED = 64 };

void pci_record_wrong(PCIRecord *r, const char *fmt, ...)
{
    va_list ap;

    if (++r->n_wrong > RECORD_MAX_REPORTED) {
        return;
    }
    if (r->wrong->len) {
        g_string_append(r->wrong, "; ");
    }
    va_start(ap, fmt);
    g_string_append_vprintf(r->wrong, fmt, ap);
    va_end(ap);
}

bool pci_record_report(const PCIRecord *r, GError **err)
{
    if (r->n_wrong > RECORD_MAX_REPORTED) {
        g_string_append_printf(r->wrong, "; and %u more", r->n_wrong - RECORD_MAX_REPORTED);
    }
    return error_set(err, ERROR_GUEST, "%s: %s", r->path, r->wrong->str);
}

/* --- walking the lists of a record --- */

static uint32_t record_le32(const uint8_t *p)
{
    return p[0] | p[1] << 8 | p[2] << 16 | (uint32_t)p[3] << 24;
}

static bool record_entry_seen(const PCIFound *found, unsigned n, unsigned offset)
{
    for (unsigned i = 0; i < n; i++) {
        if (found[i].offset == offset) {
            return true;
        }
    }
    return false;
}

static unsigned record_walk_conventional(PCIRecord *r, const uint8_t *config, PCIFound *found)
{
    unsigned n = 0, at = config[PCI_CAPABILITY_LIST];

    if (!(config[PCI_STATUS] & PCI_STATUS_CAP_LIST) != (at == 0)) {
        pci_record_wrong(r,
                         "Capabilities List of Status is %u while Capabilities Pointer is 0x%02x",
                         at == 0, at);
        return 0;
    }
    if (!(config[PCI_STATUS] & PCI_STATUS_CAP_LIST)) {
        return 0;
    }
    while (at) {
        if (at < PCI_HEADER_SIZE || at % 4) {
            pci_record_wrong(
                r, "the capability list points to 0x%x, which is not a valid offset of an entry",
                at);
            break;
        }
        if (record_entry_seen(found, n, at)) {
            pci_record_wrong(r, "the capability list loops at 0x%x", at);
            break;
        }
        found[n++] = (PCIFound){ .offset = at, .id = config[at] };
        at = config[at + 1];
    }
    return n;
}

static unsigned record_walk_extended(PCIRecord *r, const uint8_t *config, PCIFound *found,
                                     unsigned n)
{
    unsigned at = PCI_EXT_CAP_BASE;

    while (at) {
        uint32_t header = record_le32(config + at);

        if (record_entry_seen(found, n, at)) {
            pci_record_wrong(r, "the extended capability list loops at 0x%x", at);
            break;
        }
        if (header & 0xffff) { /* id 0: the null head */
            found[n++] = (PCIFound){ .offset = at, .id = header & 0xffff, .extended = true };
        } else if (at != PCI_EXT_CAP_BASE) {
            pci_record_wrong(r, "the extended capability list has a null entry at 0x%x", at);
            break;
        }
        at = header >> 20;
        /* record_entry_seen() does not find the null head, so a pointer to 100h is rejected here.
         */
        if (at && (at <= PCI_EXT_CAP_BASE || at % 4)) {
            pci_record_wrong(r,
                             "the extended capability list points to 0x%x, which is not a valid "
                             "offset of an entry",
                             at);
            break;
        }
    }
    return n;
}

unsigned pci_record_walk(PCIRecord *r, const uint8_t *config, PCIFound *found)
{
    unsigned n = record_walk_conventional(r, config, found);

    return r->d->config.size > PCI_CONFIG_SIZE ? record_walk_extended(r, config, found, n) : n;
}

/* Entry k with the id of `like`, in list order; NULL: there are fewer. */
static PCIFound *record_nth_entry(PCIFound *found, unsigned n, const PCIFound *like, unsigned k)
{
    for (unsigned i = 0; i < n; i++) {
        if (found[i].id == like->id && found[i].extended == like->extended && k-- == 0) {
            return &found[i];
        }
    }
    return NULL;
}

static unsigned record_entry_rank(const PCIFound *found, unsigned i)
{
    unsigned k = 0;

    for (unsigned j = 0; j < i; j++) {
        k += found[j].id == found[i].id && found[j].extended == found[i].extended;
    }
    return k;
}

static bool record_entry_fits(const PCIRecord *r, const PCIFound *f)
{
    return (unsigned)f->offset + f->own->size <=
           (f->extended ? r->d->config.size : PCI_CONFIG_SIZE);
}

static void record_check_overlap(PCIRecord *r, const PCIFound *found, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        if (!found[i].own || !record_entry_fits(r, &found[i])) {
            continue;
        }
        for (unsigned j = 0; j < n; j++) {
            if (j != i && found[j].own && found[j].offset > found[i].offset &&
                found[j].offset < found[i].offset + found[i].own->size) {
                pci_record_wrong(r, "the %s capability at 0x%x overlaps the %s capability at 0x%x",
                                 pci_cap_name(found[i].id, found[i].extended), found[i].offset,
                                 pci_cap_name(found[j].id, found[j].extended), found[j].offset);
            }
        }
    }
}

void pci_record_match(PCIRecord *r, PCIFound *found, unsigned n)
{
    g_autofree PCIFound *own = g_new0(PCIFound, PCI_RECORD_ENTRIES);
    unsigned n_own = pci_record_walk(r, r->d->config.bytes, own);

    for (unsigned i = 0; i < n_own; i++) {
        PCIFound *f = record_nth_entry(found, n, &own[i], record_entry_rank(own, i));
        const char *name = pci_cap_name(own[i].id, own[i].extended);

        if (!f) {
            pci_record_wrong(r, "the %s capability is not in the list", name);
            continue;
        }
        f->own = pci_config_entry_at(&r->d->config, own[i].offset);
        if (!record_entry_fits(r, f)) {
            pci_record_wrong(r, "the %s capability at 0x%x extends beyond the end of config space",
                             name, f->offset);
        }
    }
    for (unsigned i = 0; i < n; i++) {
        if (r->version < PCI_RECORD_PRESENT && pci_record_is_msix(&found[i])) {
            pci_record_wrong(r, "an MSI-X capability at 0x%x: a record of version %u has none",
                             found[i].offset, r->version);
        } else if (!found[i].own) {
            pci_record_wrong(r, "the %s capability (id 0x%x) at 0x%x does not exist on this device",
                             pci_cap_name(found[i].id, found[i].extended), found[i].id,
                             found[i].offset);
        }
    }
    record_check_overlap(r, found, n);
}

/* --- comparing --- */

/* The property that determines a byte of config space; NULL: none. */
static const char *record_deciding_property(const PCIDevice *d, unsigned addr)
{
    const PCIDeviceType *type = pci_type(d);
    const PCICapEntry *e = pci_config_entry_at(&d->config, addr);
    int row = e ? pci_cap_row_at(d, e->offset) : -1;

    if (row >= 0) {
        return pci_cap_value_prop(&type->caps[row]);
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

static uint8_t record_compared_bits(const PCIConfig *c, unsigned addr)
{
    return pci_config_mask(c, PCI_CMASK, addr) & ~pci_config_mask(c, PCI_WMASK, addr) &
           ~pci_config_mask(c, PCI_W1CMASK, addr);
}

/* Report a difference in the register that contains byte `addr` of the device; `theirs` points to
 * the byte in the record. Returns the number of bytes that the report covers. */
static unsigned record_report_register(PCIRecord *r, unsigned addr, const uint8_t *theirs)
{
    const PCIConfig *c = &r->d->config;
    g_autofree char *name = pci_register_name(c, addr);
    const char *prop = record_deciding_property(r->d, addr);
    uint32_t bits = 0, got = 0, want = 0;
    unsigned n = 0;

    while (n < 4 && addr + n < c->size) {
        g_autofree char *other = pci_register_name(c, addr + n);

        if (!g_str_equal(name, other)) {
            break;
        }
        bits |= (uint32_t)((theirs[n] ^ c->bytes[addr + n]) & record_compared_bits(c, addr + n))
                << 8 * n;
        got |= (uint32_t)theirs[n] << 8 * n;
        want |= (uint32_t)c->bytes[addr + n] << 8 * n;
        n++;
    }
    pci_record_wrong(r, "%s (0x%x) is 0x%x in the record and 0x%x here, different in bits 0x%x%s%s",
                     name, addr, got, want, bits, prop ? "; set by property " : "",
                     prop ? prop : "");
    return n;
}

static void record_compare_range(PCIRecord *r, unsigned addr, const uint8_t *theirs, unsigned n)
{
    const PCIConfig *c = &r->d->config;

    for (unsigned i = 0; i < n; i++) {
        if ((theirs[i] ^ c->bytes[addr + i]) & record_compared_bits(c, addr + i)) {
            i += record_report_register(r, addr + i, theirs + i) - 1;
        }
    }
}

/* Extended space outside all entries reads as zero, except for the next pointer of the null head.
 */
static void record_compare_unallocated(PCIRecord *r, const PCIFound *found, unsigned n)
{
    g_autofree uint8_t *held = g_malloc0(PCIE_CONFIG_SIZE);

    memset(held + PCI_EXT_CAP_BASE, 1, 4);
    for (unsigned i = 0; i < n; i++) {
        if (found[i].own && record_entry_fits(r, &found[i])) {
            memset(held + found[i].offset, 1, found[i].own->size);
        }
    }
    for (unsigned at = PCI_EXT_CAP_BASE; at < r->d->config.size; at++) {
        if (!held[at] && r->config[at]) {
            pci_record_wrong(r, "unallocated byte 0x%x is 0x%02x in the record: zero is accepted",
                             at, r->config[at]);
        }
    }
}

void pci_record_compare(PCIRecord *r, const PCIFound *found, unsigned n)
{
    record_compare_range(r, 0, r->config, PCI_HEADER_SIZE);
    for (unsigned i = 0; i < n; i++) {
        if (found[i].own && record_entry_fits(r, &found[i])) {
            record_compare_range(r, found[i].own->offset, r->config + found[i].offset,
                                 found[i].own->size);
        }
    }
    record_compare_unallocated(r, found, n);
}
