/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * MSI-X (PCI 6.8.2): the table and the Pending Bit Array in a BAR, masks of vectors and of the
 * function, delivery of pending messages when a mask is cleared, and a notifier for a component
 * that sends messages on behalf of the function.
 */
#include <string.h>

#include "internal.h"
#include "util/error.h"
#include "util/trace.h"

typedef struct PCIMsix {
    uint16_t pos; /* offset of the capability */
    uint16_t n;
    bool enabled, masked; /* MSI-X Enable and Function Mask of Message Control */
    uint8_t *table, *pba;
    uint32_t pba_bytes;
    MemRegion table_mmio, pba_mmio;
    const MsixNotifier *notifier;
    void *opaque;
} PCIMsix;

enum { MSIX_SHARED_BAR_HALF = 2048 };

static uint32_t msix_pba_size(uint64_t n)
{
    return (n + 63) / 64 * 8; /* a multiple of 8 bytes (PCI 6.8.2) */
}

/* Return the default offset of the PBA, which follows a table at offset 0. */
static uint64_t msix_default_pba(uint64_t n)
{
    return MAX(n * PCI_MSIX_ENTRY_SIZE, MSIX_SHARED_BAR_HALF);
}

uint64_t msix_bar_size(uint64_t vectors)
{
    uint64_t size = 2 * MSIX_SHARED_BAR_HALF;

    while (size < msix_default_pba(vectors) + msix_pba_size(vectors)) {
        size <<= 1;
    }
    return size;
}

unsigned msix_vectors(const PCIDevice *d)
{
    return d->msix ? d->msix->n : 0;
}

bool msix_enabled(const PCIDevice *d)
{
    return d->msix && d->msix->enabled;
}

/* --- one vector --- */

static uint8_t *msix_entry(const PCIMsix *m, unsigned n)
{
    return m->table + n * PCI_MSIX_ENTRY_SIZE;
}

static bool msix_vector_masked(const PCIMsix *m, unsigned n)
{
    return msix_entry(m, n)[PCI_MSIX_ENTRY_VECTOR_CTRL] & PCI_MSIX_ENTRY_CTRL_MASKBIT;
}

/* Return true if the vector is able to send. */
static bool msix_is_live(const PCIMsix *m, unsigned n)
{
    return m->enabled && !m->masked && !msix_vector_masked(m, n);
}

static void msix_message_of(const PCIMsix *m, unsigned n, uint64_t *addr, uint32_t *data)
{
    const uint8_t *e = msix_entry(m, n);

    memcpy(addr, e, 8);
    memcpy(data, e + PCI_MSIX_ENTRY_DATA, 4);
    *addr = GUINT64_FROM_LE(*addr);
    *data = GUINT32_FROM_LE(*data);
}

static bool msix_pending(const PCIMsix *m, unsigned n)
{
    return m->pba[n / 8] >> n % 8 & 1;
}

static void msix_send(PCIDevice *d, unsigned n)
{
    uint64_t addr;
    uint32_t data;

    msix_message_of(d->msix, n, &addr, &data);
    pci_msi_send(d, addr, data);
}

void msix_notify(PCIDevice *d, unsigned n)
{
    PCIMsix *m = d->msix;

    if (!m || !m->enabled || n >= m->n) {
        return;
    }
    if (msix_is_live(m, n)) {
        msix_send(d, n);
    } else {
        m->pba[n / 8] |= 1 << n % 8;
        trace(TRACE_PCI_MSIX, "%s vector %u pending: %s", device_name(&d->dev), n,
              m->masked ? "Function Mask is set" : "Mask Bit of Vector Control is set");
    }
}

void msix_clear_pending(PCIDevice *d, unsigned n)
{
    if (n < msix_vectors(d)) {
        d->msix->pba[n / 8] &= ~(1 << n % 8);
    }
}

/* Process a possible change of a vector's message or of its ability to send: call the notifier and
 * send a pending message. */
static void msix_vector_changed(PCIDevice *d, unsigned n, bool was_live)
{
    PCIMsix *m = d->msix;
    bool is_live = msix_is_live(m, n);
    uint64_t addr;
    uint32_t data;

    if (m->notifier && is_live) {
        msix_message_of(m, n, &addr, &data);
        m->notifier->unmasked(m->opaque, n, addr, data);
    } else if (m->notifier && was_live) {
        m->notifier->masked(m->opaque, n);
    }
    if (is_live && msix_pending(m, n)) {
        trace(TRACE_PCI_MSIX, "%s vector %u unmasked: pending message sent", device_name(&d->dev),
              n);
        msix_clear_pending(d, n);
        msix_send(d, n);
    }
}

void msix_set_notifier(PCIDevice *d, const MsixNotifier *notifier, void *opaque)
{
    PCIMsix *m = d->msix;

    if (!m) {
        return;
    }
    m->notifier = notifier;
    m->opaque = opaque;
    for (unsigned n = 0; notifier && n < m->n; n++) {
        if (msix_is_live(m, n)) {
            msix_vector_changed(d, n, true);
        }
    }
}

/* --- the table and the PBA --- */

static uint64_t msix_bytes_read(const uint8_t *bytes, uint64_t len, uint64_t offset, unsigned size)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < size && offset + i < len; i++) {
        value |= (uint64_t)bytes[offset + i] << 8 * i;
    }
    return value;
}

static uint64_t msix_table_read(void *opaque, uint64_t offset, unsigned size)
{
    const PCIMsix *m = ((PCIDevice *)opaque)->msix;

    return msix_bytes_read(m->table, m->n * PCI_MSIX_ENTRY_SIZE, offset, size);
}

/* Return the writable bits of byte `at` of a table entry. Message Address bits 1:0 and Vector
 * Control bits 31:1 are reserved. */
static uint8_t msix_writable(unsigned at)
{
    return at == PCI_MSIX_ENTRY_LOWER_ADDR    ? 0xfc
           : at == PCI_MSIX_ENTRY_VECTOR_CTRL ? PCI_MSIX_ENTRY_CTRL_MASKBIT
           : at > PCI_MSIX_ENTRY_VECTOR_CTRL  ? 0
                                              : 0xff;
}

static void msix_table_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    PCIDevice *d = opaque;
    PCIMsix *m = d->msix;
    uint64_t len = m->n * PCI_MSIX_ENTRY_SIZE;
    unsigned first = offset / PCI_MSIX_ENTRY_SIZE;
    bool was_live[2] = { first < m->n && msix_is_live(m, first),
                         first + 1u < m->n && msix_is_live(m, first + 1) };

    for (unsigned i = 0; i < size && offset + i < len; i++) {
        uint64_t at = offset + i;
        uint8_t w = msix_writable(at % PCI_MSIX_ENTRY_SIZE);

        m->table[at] = (m->table[at] & ~w) | (value >> 8 * i & w);
    }
    for (unsigned n = first; n < m->n && n * PCI_MSIX_ENTRY_SIZE < offset + size; n++) {
        msix_vector_changed(d, n, was_live[n - first]);
    }
}

static uint64_t msix_pba_read(void *opaque, uint64_t offset, unsigned size)
{
    const PCIMsix *m = ((PCIDevice *)opaque)->msix;

    return msix_bytes_read(m->pba, m->pba_bytes, offset, size);
}

/* Read-only (PCI 6.8.2.10). */
static void msix_pba_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
}

static const MemOps msix_table_ops = { .read = msix_table_read,
                                       .write = msix_table_write,
                                       .impl_min = 1,
                                       .impl_max = 8,
                                       .unaligned = true };
static const MemOps msix_pba_ops = {
    .read = msix_pba_read, .write = msix_pba_write, .impl_min = 1, .impl_max = 8, .unaligned = true
};

/* --- the capability --- */

typedef struct MsixLayout {
    uint64_t n, table, pba;
    unsigned bar;
} MsixLayout;

static MsixLayout msix_layout_of(const PCIDevice *d, const PCICapDesc *desc)
{
    MsixLayout l = { .n = pci_cap_count(d, desc),
                     .bar = desc->msix.bar,
                     .table = desc->msix.table,
                     .pba = desc->msix.pba };

    if (l.table == 0 && l.pba == 0) {
        l.pba = msix_default_pba(l.n);
    }
    return l;
}

static bool msix_check_layout(const PCIDevice *d, const PCICapDesc *desc, const MsixLayout *l,
                              GError **err)
{
    const PCIBar *bar = pci_bar(d, l->bar);
    const char *prop = desc->count_prop ? desc->count_prop : "the type";
    uint64_t table_end, pba_end;

    if (l->n > MSIX_MAX_VECTORS) {
        return error_set(err, ERROR_USER,
                         "%s: %" PRIu64 " MSI-X vectors as set by %s: 0 to %d are accepted",
                         device_name(&d->dev), l->n, prop, MSIX_MAX_VECTORS);
    }
    table_end = l->table + l->n * PCI_MSIX_ENTRY_SIZE;
    pba_end = l->pba + msix_pba_size(l->n);
    if (!bar || bar->io || table_end > bar->size || pba_end > bar->size ||
        (l->table < pba_end && l->pba < table_end) || l->table % 8 || l->pba % 8) {
        return error_set(err, ERROR_USER,
                         "%s: the MSI-X table of %" PRIu64 " vectors (0x%" PRIx64 " to 0x%" PRIx64
                         ") and its pending bits (0x%" PRIx64 " to 0x%" PRIx64
                         ") must not overlap and must lie in memory BAR %u of 0x%" PRIx64 " bytes",
                         device_name(&d->dev), l->n, l->table, table_end - 1, l->pba, pba_end - 1,
                         l->bar, bar ? bar->size : 0);
    }
    return true;
}

static bool msix_wanted(const PCIDevice *d, const PCICapDesc *desc)
{
    return pci_cap_count(d, desc) != 0;
}

static void msix_map_part(PCIDevice *d, MemRegion *r, const char *name, uint64_t size,
                          const MemOps *ops, unsigned bar, uint64_t at)
{
    mem_init_mmio(r, name, size, ops, d);
    mem_set_guard(r, &device_guard, &d->dev);
    mem_map(pci_bar_region(d, bar), at, r, 1, 0); /* above the BAR's own registers */
}

static void msix_clear(PCIMsix *m)
{
    m->enabled = m->masked = false;
    memset(m->table, 0, m->n * PCI_MSIX_ENTRY_SIZE);
    memset(m->pba, 0, m->pba_bytes);
    for (unsigned n = 0; n < m->n; n++) {
        msix_entry(m, n)[PCI_MSIX_ENTRY_VECTOR_CTRL] = PCI_MSIX_ENTRY_CTRL_MASKBIT;
    }
}

static bool msix_setup(PCIDevice *d, unsigned row, uint16_t pos, GError **err)
{
    const PCICapDesc *desc = &pci_type(d)->caps[row];
    MsixLayout l = msix_layout_of(d, desc);
    PCIConfig *c = &d->config;

    if (!msix_check_layout(d, desc, &l, err)) {
        return false;
    }
    pci_config_set(c, pos + PCI_MSIX_FLAGS, 2, l.n - 1);
    pci_config_set(c, pos + PCI_MSIX_TABLE, 4, l.table | l.bar);
    pci_config_set(c, pos + PCI_MSIX_PBA, 4, l.pba | l.bar);
    return true;
}

static void msix_create(PCIDevice *d, unsigned row)
{
    MsixLayout l = msix_layout_of(d, &pci_type(d)->caps[row]);
    PCIMsix *m;

    m = g_new0(PCIMsix, 1);
    m->n = l.n;
    m->pba_bytes = msix_pba_size(l.n);
    m->table = g_malloc(l.n * PCI_MSIX_ENTRY_SIZE);
    m->pba = g_malloc(m->pba_bytes);
    msix_clear(m);
    msix_map_part(d, &m->table_mmio, "msix-table", l.n * PCI_MSIX_ENTRY_SIZE, &msix_table_ops,
                  l.bar, l.table);
    msix_map_part(d, &m->pba_mmio, "msix-pba", m->pba_bytes, &msix_pba_ops, l.bar, l.pba);
    d->msix = m;
}

static void msix_remove(PCIDevice *d, unsigned row)
{
    PCIMsix *m = d->msix;

    mem_fini(&m->table_mmio);
    mem_fini(&m->pba_mmio);
    g_free(m->table);
    g_free(m->pba);
    g_free(m);
    d->msix = NULL;
}

static void msix_placed(PCIDevice *d, unsigned row)
{
    if (d->msix) {
        d->msix->pos = d->cap_pos[row];
    }
}

/* Process a change of Message Control, which can change every vector. */
static void msix_control_changed(PCIDevice *d)
{
    PCIMsix *m = d->msix;
    uint16_t control = pci_config_get(&d->config, m->pos + PCI_MSIX_FLAGS, 2);
    bool enabled = control & PCI_MSIX_FLAGS_ENABLE, masked = control & PCI_MSIX_FLAGS_MASKALL;
    bool could = m->enabled && !m->masked;

    if (enabled == m->enabled && masked == m->masked) {
        return;
    }
    m->enabled = enabled;
    m->masked = masked;
    if (could == (enabled && !masked)) {
        return;
    }
    for (unsigned n = 0; n < m->n; n++) {
        if (!msix_vector_masked(m, n)) {
            msix_vector_changed(d, n, could);
        }
    }
}

static uint32_t msix_control_wrote(void *dev, const RegDesc *r, uint64_t old, uint64_t new)
{
    msix_control_changed(dev);
    return (old ^ new) & PCI_MSIX_FLAGS_ENABLE ? PCI_EFFECT_INTX : 0;
}

static const RegDesc msix_rows[] = {
    REG_ROW("Message Control", PCI_MSIX_FLAGS, 2,
            .rw = PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL, .identity = REG_ALL,
            .wrote = msix_control_wrote, .doc = "enable, function mask, number of vectors minus 1"),
    REG_ROW("Table Offset/BIR", PCI_MSIX_TABLE, 4, .identity = REG_ALL,
            .doc = "BAR and offset of the vector table"),
    REG_ROW("PBA Offset/BIR", PCI_MSIX_PBA, 4, .identity = REG_ALL,
            .doc = "BAR and offset of the pending bits"),
};
static const PCIRegTable msix_tables[] = { { .rows = LIST(msix_rows) } };

static void msix_reset(PCIDevice *d, unsigned row, ResetKind kind)
{
    PCIMsix *m = d->msix;

    for (unsigned n = 0; m->notifier && n < m->n; n++) {
        if (msix_is_live(m, n)) {
            m->notifier->masked(m->opaque, n);
        }
    }
    msix_clear(m);
}

/* --- saved state: the table, then one bit for each vector --- */

static void msix_save(PCIDevice *d, unsigned row, ByteWriter *w)
{
    put_bytes(w, d->msix->table, d->msix->n * PCI_MSIX_ENTRY_SIZE);
    put_bytes(w, d->msix->pba, (d->msix->n + 7) / 8);
}

static bool msix_check_entry(const uint8_t *e, unsigned n, const char *path, GError **err)
{
    for (unsigned at = 0; at < PCI_MSIX_ENTRY_SIZE; at++) {
        if (e[at] & ~msix_writable(at)) {
            return error_set(
                err, ERROR_GUEST,
                "%s: MSI-X table entry %u has reserved bits 0x%02x set in byte %u: zero is "
                "accepted",
                path, n, e[at] & ~msix_writable(at), at);
        }
    }
    return true;
}

static bool msix_parse(const PCIDevice *d, unsigned row, ByteReader *r, const uint8_t **state,
                       const char *path, GError **err)
{
    unsigned n = msix_layout_of(d, &pci_type(d)->caps[row]).n, bits = (n + 7) / 8;
    const uint8_t *table = get_view(r, n * PCI_MSIX_ENTRY_SIZE + bits);

    if (!table) {
        return error_set(err, ERROR_GUEST,
                         "%s: the MSI-X table is cut short: %u vectors are expected", path, n);
    }
    for (unsigned i = 0; i < n; i++) {
        if (!msix_check_entry(table + i * PCI_MSIX_ENTRY_SIZE, i, path, err)) {
            return false;
        }
    }
    if (n % 8 && table[n * PCI_MSIX_ENTRY_SIZE + bits - 1] >> n % 8) {
        return error_set(err, ERROR_GUEST,
                         "%s: MSI-X pending bits beyond vector %u are set: zero is accepted", path,
                         n - 1);
    }
    *state = table;
    return true;
}

static void msix_loaded(PCIDevice *d, unsigned row, const uint8_t *state)
{
    PCIMsix *m = d->msix;
    uint16_t control = pci_config_get(&d->config, m->pos + PCI_MSIX_FLAGS, 2);

    memcpy(m->table, state, m->n * PCI_MSIX_ENTRY_SIZE);
    memset(m->pba, 0, m->pba_bytes);
    memcpy(m->pba, state + m->n * PCI_MSIX_ENTRY_SIZE, (m->n + 7) / 8);
    m->enabled = control & PCI_MSIX_FLAGS_ENABLE;
    m->masked = control & PCI_MSIX_FLAGS_MASKALL;
}

const PCICapClass pci_msix_class = {
    .id = PCI_CAP_ID_MSIX,
    .name = "MSI-X",
    .present_bit = 0,
    .doc = "MSI-X interrupts",
    .size = PCI_CAP_MSIX_SIZEOF,
    .tables = LIST(msix_tables),
    .wanted = msix_wanted,
    .setup = msix_setup,
    .create = msix_create,
    .remove = msix_remove,
    .placed = msix_placed,
    .reset = msix_reset,
    .save = msix_save,
    .parse = msix_parse,
    .loaded = msix_loaded,
};
