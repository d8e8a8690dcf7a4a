/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The capability functions compared with a plain reference: random sequences of add, add at an
 * offset, delete, find and reserve, with every invariant checked after each step. PCI_CAP_SEQUENCES
 * sets the number of sequences (default 1,000,000).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../core/fake-types.h"

#include "hw/pci/internal.h"

enum { MAX = 512 };

typedef struct Entry {
    unsigned offset, size, id;
    bool linked;
} Entry;

/* The reference: capabilities in list order (head first), and the used bytes. */
typedef struct Model {
    bool extended;
    unsigned first, end;
    Entry list[MAX];
    unsigned n;
    uint8_t used[4096];
    uint8_t kept[4096]; /* wmask of reserved bytes */
} Model;

static const PCIDeviceType type = { .base = { .name = "thing", .size = sizeof(PCIDevice) } };

static void device_init(PCIDevice *d, unsigned size)
{
    *d = (PCIDevice){ .dev = { .type = &type.base } };
    pci_config_init(&d->config, size, 0);
}

/* --- the reference's routines --- */

static bool model_free(const Model *m, unsigned offset, unsigned size)
{
    for (unsigned i = 0; i < size; i++) {
        if (offset + i >= m->end || m->used[offset + i]) {
            return false;
        }
    }
    return true;
}

static unsigned model_space(const Model *m, unsigned size)
{
    for (unsigned at = m->first; at + size <= m->end; at += 4) {
        if (model_free(m, at, size)) {
            return at;
        }
    }
    return 0;
}

static void model_insert(Model *m, Entry e)
{
    unsigned at = 0;

    /* The extended list always starts at 100h: others are added after the first. */
    if (m->extended && e.offset != 0x100 && m->n && m->list[0].offset == 0x100) {
        at = 1;
    }
    memmove(&m->list[at + 1], &m->list[at], (m->n - at) * sizeof(Entry));
    m->list[at] = e;
    m->n++;
    memset(m->used + e.offset, 1, e.size);
}

static int model_find(const Model *m, unsigned id)
{
    for (unsigned i = 0; i < m->n; i++) {
        if (m->list[i].linked && m->list[i].id == id) {
            return i;
        }
    }
    return -1;
}

static int model_del(Model *m, unsigned id, unsigned size)
{
    int i = model_find(m, id);

    if (i < 0) {
        return 0;
    }
    if (m->list[i].size != size) {
        return -EINVAL;
    }
    memset(m->used + m->list[i].offset, 0, m->list[i].size);
    memmove(&m->list[i], &m->list[i + 1], (m->n - i - 1) * sizeof(Entry));
    m->n--;
    return 0;
}

/* --- the invariants --- */

static void check_list(const PCIDevice *d, const Model *m)
{
    const uint8_t *b = d->config.bytes;
    unsigned at = b[PCI_CAPABILITY_LIST], linked = 0;

    for (unsigned i = 0; i < m->n; i++) {
        const Entry *e = &m->list[i];

        if (!e->linked) {
            continue;
        }
        linked++;
        g_assert_cmphex(at, ==, e->offset);
        g_assert_cmphex(b[at], ==, e->id);
        g_assert_cmphex(at % 4, ==, 0);
        at = b[at + 1];
    }
    g_assert_cmphex(at, ==, 0);
    g_assert_true(!(b[PCI_STATUS] & PCI_STATUS_CAP_LIST) == !linked);
}

static void check_ext_list(const PCIDevice *d, const Model *m)
{
    unsigned i = 0, at = 0x100, header = pci_config_get(&d->config, at, 4);

    if ((header & 0xffff) == 0) {
        g_assert_true(m->n == 0 || m->list[0].offset != 0x100);
        at = header >> 20;
    }
    for (; i < m->n; i++) {
        g_assert_cmphex(at, ==, m->list[i].offset);
        header = pci_config_get(&d->config, at, 4);
        g_assert_cmphex(header & 0xffff, ==, m->list[i].id);
        g_assert_cmphex(at % 4, ==, 0);
        at = header >> 20;
    }
    g_assert_cmphex(at, ==, 0);
}

static void check_bytes(const PCIDevice *d, const Model *m)
{
    uint8_t free_wmask = m->extended ? 0 : 0xff;
    unsigned block = PCI_MASK_BLOCK;

    for (unsigned at = m->first; at < m->end; at += block) {
        const PCIMasks *k = d->config.masks[at / block];

        for (unsigned i = 0; i < block; i++) {
            uint8_t used = m->used[at + i] ? 0xff : 0;

            if (k->used[i] != used || k->wmask[i] != (used ? m->kept[at + i] : free_wmask) ||
                k->w1cmask[i]) {
                g_error("byte 0x%x: used %02x wmask %02x w1cmask %02x, the reference has %s",
                        at + i, k->used[i], k->wmask[i], k->w1cmask[i], used ? "used" : "free");
            }
        }
    }
    g_assert_cmpuint(d->config.n_entries, ==, m->n);
}

static void check(const PCIDevice *d, const Model *m)
{
    if (m->extended) {
        check_ext_list(d, m);
    } else {
        check_list(d, m);
    }
    check_bytes(d, m);
}

/* --- steps --- */

static uint32_t seed;

static unsigned rnd(unsigned below)
{
    seed ^= seed << 13;
    seed ^= seed >> 17;
    seed ^= seed << 5;
    return seed % below;
}

static unsigned rnd_id(const Model *m)
{
    return 1 + rnd(m->extended ? 24 : 12);
}

static unsigned rnd_size(const Model *m)
{
    return rnd(16) == 0 ? rnd(256) : 1 + rnd(m->extended ? 120 : 24);
}

static unsigned rnd_offset(const Model *m)
{
    return rnd(4) == 0 ? rnd(m->extended ? 0x10000 : 0x100)
                       : m->first + rnd(m->end - m->first) / 4 * 4;
}

static void step_add(PCIDevice *d, Model *m)
{
    unsigned id = rnd_id(m), size = rnd_size(m);
    unsigned want = size < (m->extended ? 4 : 2) ? 0 : model_space(m, size);
    int got =
        m->extended ? pcie_add_ext_capability(d, id, 1, size) : pci_add_capability(d, id, size);

    g_assert_cmpint(got, ==, want ? (int)want : -ENOSPC);
    if (want) {
        model_insert(m, (Entry){ want, size, id, true });
    }
}

static void step_add_at(PCIDevice *d, Model *m)
{
    unsigned id = rnd_id(m), size = rnd_size(m), at = rnd_offset(m);
    bool ok =
        size >= (m->extended ? 4 : 2) && at >= m->first && at % 4 == 0 && model_free(m, at, size);
    bool say = rnd(64) == 0;
    g_autoptr(GError) err = NULL;
    int got = m->extended ? pcie_add_ext_capability_at(d, id, 1, at, size, say ? &err : NULL)
                          : pci_add_capability_at(d, id, at, size, say ? &err : NULL);

    g_assert_cmpint(got, ==, ok ? (int)at : -EINVAL);
    g_assert_true((err != NULL) == (say && !ok));
    if (ok) {
        model_insert(m, (Entry){ at, size, id, true });
    }
}

static void step_del(PCIDevice *d, Model *m)
{
    unsigned id = rnd_id(m);
    int i = model_find(m, id);
    unsigned size = i >= 0 && rnd(8) ? m->list[i].size : rnd_size(m);
    int got = m->extended ? pcie_del_ext_capability(d, id, size) : pci_del_capability(d, id, size);

    g_assert_cmpint(got, ==, model_del(m, id, size));
}

static void step_find(const PCIDevice *d, const Model *m)
{
    unsigned id = rnd_id(m), at;
    bool ext = m->extended;

    at = ext ? pcie_find_ext_capability(d, id) : pci_find_capability(d, id);
    for (unsigned i = 0; i < m->n; i++) {
        if (m->list[i].linked && m->list[i].id == id) {
            g_assert_cmphex(at, ==, m->list[i].offset);
            at = ext ? pcie_find_next_ext_capability(d, at, id)
                     : pci_find_next_capability(d, at, id);
        }
    }
    g_assert_cmphex(at, ==, 0);
}

static bool model_has(const Model *m, unsigned offset, unsigned size)
{
    for (unsigned i = 0; i < m->n; i++) {
        if (m->list[i].offset == offset && m->list[i].size == size) {
            return true;
        }
    }
    return false;
}

/* Reserved space is in use but not in a list, and the caller sets its masks. */
static void step_reserve(PCIDevice *d, Model *m)
{
    const Entry *again = m->n && rnd(4) == 0 ? &m->list[rnd(m->n)] : NULL;
    unsigned size = again ? again->size : rnd_size(m), at = again ? again->offset : rnd_offset(m);
    bool valid = size >= 2 && at >= m->first && at % 4 == 0 && at + size <= m->end;
    bool fresh = valid && model_free(m, at, size);
    int want = fresh || (valid && model_has(m, at, size)) ? 0 : valid ? -EBUSY : -EINVAL;

    if (fresh) {
        m->list[m->n++] = (Entry){ at, size, 0, false }; /* behind: no list order */
        memset(m->used + at, 1, size);
        memset(m->kept + at, rnd(256), size);
        pci_config_mask_fill(&d->config, PCI_WMASK, at, size, m->kept[at]);
    }
    g_assert_cmpint(pci_reserve_capability(d, at, size), ==, want);
}

static void step(PCIDevice *d, Model *m)
{
    switch (rnd(10)) {
    case 0:
    case 1:
        step_add(d, m);
        break;
    case 2:
    case 3:
        step_add_at(d, m);
        break;
    case 4:
    case 5:
    case 6:
    case 7:
        step_del(d, m);
        break;
    case 8:
        step_find(d, m);
        break;
    default:
        if (!m->extended && rnd(16) == 0) {
            step_reserve(d, m);
        }
    }
}

/* A sequence has 1 to 6 steps. Some hundred sequences run on one device before the next. */
static void run(bool extended, unsigned long sequences)
{
    g_autofree Model *m = g_new(Model, 1);
    PCIDevice d;
    unsigned long steps = 0, all = sequences;

    seed = g_test_rand_int() | 1;
    while (sequences > 0) {
        unsigned long want = 1 + rnd(extended ? 1000 : 200), here = MIN(sequences, want);

        memset(m, 0, sizeof(*m));
        m->extended = extended;
        m->first = extended ? 0x100 : 0x40;
        m->end = extended ? 0x1000 : 0x100;
        device_init(&d, m->end);
        sequences -= here;
        for (; here > 0; here--) {
            for (unsigned length = 1 + rnd(6); length > 0; length--, steps++) {
                step(&d, m);
                check(&d, m);
            }
        }
        pci_config_fini(&d.config);
    }
    g_test_message("%lu sequences, %lu steps, each compared with the reference", all, steps);
}

static unsigned long sequences(unsigned long fallback)
{
    const char *text = g_getenv("PCI_CAP_SEQUENCES");

    return text ? strtoul(text, NULL, 0) : fallback;
}

static void test_model(void)
{
    run(false, sequences(1000000));
}

static void test_ext_model(void)
{
    run(true, sequences(1000000) / 50);
}

/* --- what a walk does with lists that no routine made --- */

static void test_loops(void)
{
    PCIDevice d;

    device_init(&d, 4096);
    d.config.bytes[PCI_STATUS] = PCI_STATUS_CAP_LIST;
    d.config.bytes[PCI_CAPABILITY_LIST] = 0x40;
    d.config.bytes[0x40] = 9;
    d.config.bytes[0x41] = 0x40; /* itself */
    g_assert_cmphex(pci_find_capability(&d, 5), ==, 0);
    g_assert_cmphex(pci_find_capability(&d, 9), ==, 0x40);
    g_assert_cmpint(pci_del_capability(&d, 5, 4), ==, 0);
    g_assert_cmpint(pci_del_capability(&d, 9, 4), ==, -EINVAL); /* not a capability offset */
    d.config.bytes[0x41] = 0x07;                                /* into the header */
    g_assert_cmphex(pci_find_capability(&d, 5), ==, 0);
    pci_config_set(&d.config, 0x100, 4, 0x10010007); /* itself */
    g_assert_cmphex(pcie_find_ext_capability(&d, 8), ==, 0);
    pci_config_set(&d.config, 0x100, 4, 0x00410007); /* below 100h */
    g_assert_cmphex(pcie_find_ext_capability(&d, 8), ==, 0);
    pci_config_set(&d.config, 0x100, 4, 0xffc10007);
    g_assert_cmphex(pcie_find_ext_capability(&d, 8), ==, 0);
    pci_config_fini(&d.config);
}

/* Extended capabilities that point to themselves or each other: a search for a missing one ends. */
static void test_ext_loops(void)
{
    PCIDevice d;

    device_init(&d, 4096);
    pci_config_set(&d.config, 0x100, 4, 0x20010007);
    pci_config_set(&d.config, 0x200, 4, 0x20010008);
    g_assert_cmphex(pcie_find_ext_capability(&d, 0x0b), ==, 0);
    g_assert_cmphex(pcie_find_ext_capability(&d, 0x08), ==, 0x200);
    pci_config_set(&d.config, 0x200, 4, 0x30010008);
    pci_config_set(&d.config, 0x300, 4, 0x20010009);
    g_assert_cmphex(pcie_find_ext_capability(&d, 0x0b), ==, 0);
    g_assert_cmphex(pcie_find_next_ext_capability(&d, 0x100, 0x0b), ==, 0);
    g_assert_cmphex(pcie_find_next_ext_capability(&d, 0x100, 0x08), ==, 0x200);
    pci_config_fini(&d.config);
}

/* Every pair of list bytes, from every start: all walks end. */
static void test_wild_lists(void)
{
    PCIDevice d;

    device_init(&d, 256);
    for (unsigned round = 0; round < 20000; round++) {
        for (unsigned i = 0; i < 32; i++) {
            d.config.bytes[g_test_rand_int_range(0, 256)] = g_test_rand_int();
        }
        d.config.bytes[PCI_STATUS] |= PCI_STATUS_CAP_LIST;
        pci_find_capability(&d, round);
        pci_find_next_capability(&d, g_test_rand_int(), round);
        g_assert_cmpint(pci_del_capability(&d, round, 4), <=, 0);
    }
    pci_config_fini(&d.config);
}

static void expect(int ret, GError **err, const char *word)
{
    g_assert_cmpint(ret, ==, -EINVAL);
    g_assert_nonnull(*err);
    g_assert_nonnull(strstr((*err)->message, word));
    g_clear_error(err);
}

static void test_messages(void)
{
    GError *err = NULL;
    PCIDevice d;

    device_init(&d, 256);
    g_assert_cmpint(pci_add_capability(&d, PCI_CAP_ID_MSIX, 12), ==, 0x40);
    expect(pci_add_capability_at(&d, PCI_CAP_ID_PM, 0x48, 8, &err), &err,
           "0x40 to 0x4b is used by the MSI-X capability");
    expect(pci_add_capability_at(&d, PCI_CAP_ID_PM, 0x4e, 8, &err), &err, "multiple of 4");
    expect(pci_add_capability_at(&d, PCI_CAP_ID_PM, 0x3c, 8, &err), &err, "0x40 to 0xff");
    expect(pci_add_capability_at(&d, PCI_CAP_ID_PM, 0xfc, 8, &err), &err, "0x40 to 0xff");
    expect(pcie_add_ext_capability_at(&d, PCI_EXT_CAP_ID_ERR, 1, 0x100, 0x48, &err), &err,
           "PCI Express");
    pci_config_fini(&d.config);
}

/* Removing the capability at 100h keeps the others reachable, and its space can be used again. */
static void test_ext_head(void)
{
    PCIDevice d;

    device_init(&d, 4096);
    g_assert_cmpint(pcie_add_ext_capability(&d, PCI_EXT_CAP_ID_ERR, 2, 0x48), ==, 0x100);
    g_assert_cmpint(pcie_add_ext_capability(&d, PCI_EXT_CAP_ID_DSN, 1, 12), ==, 0x148);
    g_assert_cmpint(pcie_del_ext_capability(&d, PCI_EXT_CAP_ID_ERR, 0x48), ==, 0);
    g_assert_cmphex(pci_config_get(&d.config, 0x100, 4), ==, 0x14800000);
    g_assert_cmphex(pcie_find_ext_capability(&d, PCI_EXT_CAP_ID_DSN), ==, 0x148);
    g_assert_cmpint(pcie_add_ext_capability(&d, PCI_EXT_CAP_ID_ACS, 1, 8), ==, 0x100);
    g_assert_cmphex(pci_config_get(&d.config, 0x100, 4), ==, 0x1481000d);
    g_assert_cmphex(pcie_find_ext_capability(&d, 0), ==, 0);
    pci_config_fini(&d.config);
}

/* An invalid request is rejected and changes nothing. */
static void test_ext_refused(void)
{
    PCIDevice plain, d;
    g_autoptr(GError) no_id = NULL, taken = NULL;

    device_init(&plain, 256);
    g_assert_cmpint(pcie_add_ext_capability(&plain, PCI_EXT_CAP_ID_ACS, 1, 8), ==, -ENOSPC);
    g_assert_cmpint(pcie_del_ext_capability(&plain, PCI_EXT_CAP_ID_ACS, 8), ==, 0);
    g_assert_cmpint(pcie_reserve_ext_capability(&plain, 0x100, 8), ==, -EINVAL);
    g_assert_cmphex(pcie_find_ext_capability(&plain, PCI_EXT_CAP_ID_ACS), ==, 0);
    g_assert_cmphex(pcie_find_next_ext_capability(&plain, 0x100, PCI_EXT_CAP_ID_ACS), ==, 0);
    pci_config_fini(&plain.config);

    device_init(&d, 4096);
    g_assert_cmpint(pcie_add_ext_capability(&d, 0, 1, 8), ==, -ENOSPC);
    g_assert_cmpint(pcie_add_ext_capability(&d, PCI_EXT_CAP_ID_ACS, 1, 3), ==, -ENOSPC);
    expect(pcie_add_ext_capability_at(&d, 0, 1, 0x100, 8, &no_id), &no_id, "an id");
    g_assert_cmpint(pcie_add_ext_capability(&d, PCI_EXT_CAP_ID_ACS, 1, 8), ==, 0x100);
    g_assert_cmpint(pcie_add_ext_capability(&d, PCI_EXT_CAP_ID_DSN, 1, 12), ==, 0x108);
    expect(pcie_add_ext_capability_at(&d, PCI_EXT_CAP_ID_ERR, 1, 0x10c, 8, &taken), &taken,
           "0x10c");
    g_assert_cmpint(pcie_del_ext_capability(&d, PCI_EXT_CAP_ID_DSN, 8), ==, -EINVAL);
    g_assert_cmphex(pcie_find_ext_capability(&d, PCI_EXT_CAP_ID_DSN), ==, 0x108);
    g_assert_cmpint(pcie_reserve_ext_capability(&d, 0x200, 2), ==, -EINVAL);
    g_assert_cmpint(pcie_reserve_ext_capability(&d, 0x104, 8), !=, 0);
    g_assert_cmphex(pcie_find_next_ext_capability(&d, 0x100, PCI_EXT_CAP_ID_DSN), ==, 0x108);
    g_assert_cmphex(pcie_find_next_ext_capability(&d, 0xfc, PCI_EXT_CAP_ID_DSN), ==, 0);
    g_assert_cmphex(pcie_find_next_ext_capability(&d, 0xffe, PCI_EXT_CAP_ID_DSN), ==, 0);
    pci_config_fini(&d.config);
}

static unsigned mask_at(const PCIDevice *d, PCIMaskKind kind, unsigned at)
{
    return pci_config_mask(&d->config, kind, at);
}

/* Masks that the device set before are kept. A range can be reserved once only. */
static void test_reserve(void)
{
    PCIDevice d;

    device_init(&d, 4096);
    pci_config_mask_fill(&d.config, PCI_WMASK, 0x52, 2, 0x0f);
    pci_config_mask_fill(&d.config, PCI_W1CMASK, 0x54, 1, 0xf0);
    pci_config_mask_fill(&d.config, PCI_WMASK, 0x54, 1, 0);
    pci_config_mask_fill(&d.config, PCI_CMASK, 0x50, 2, 0xff);
    for (unsigned i = 0; i < 3; i++) {
        g_assert_cmpint(pci_reserve_capability(&d, 0x50, 8), ==, 0);
        g_assert_cmphex(mask_at(&d, PCI_USED, 0x57), ==, 0xff);
        g_assert_cmphex(mask_at(&d, PCI_WMASK, 0x52), ==, 0x0f);
        g_assert_cmphex(mask_at(&d, PCI_WMASK, 0x57), ==, 0xff); /* plain space is read-write */
        g_assert_cmphex(mask_at(&d, PCI_W1CMASK, 0x54), ==, 0xf0);
        g_assert_cmphex(mask_at(&d, PCI_CMASK, 0x50), ==, 0xff);
        g_assert_cmphex(mask_at(&d, PCI_CMASK, 0x52), ==, 0);
        g_assert_cmpuint(d.config.n_entries, ==, 1);
    }
    g_assert_cmpint(pci_reserve_capability(&d, 0x50, 4), ==, -EBUSY);
    g_assert_cmpint(pci_reserve_capability(&d, 0x50, 12), ==, -EBUSY);
    g_assert_cmpint(pci_reserve_capability(&d, 0x4c, 8), ==, -EBUSY);
    g_assert_cmpint(pci_reserve_capability(&d, 0x54, 4), ==, -EBUSY);
    g_assert_cmpint(pci_add_capability(&d, PCI_CAP_ID_PM, 8), ==, 0x40);
    g_assert_cmpint(pci_reserve_capability(&d, 0x40, 8), ==, 0); /* an added one is in use, too */
    g_assert_cmphex(mask_at(&d, PCI_WMASK, 0x44), ==, 0);
    g_assert_cmphex(mask_at(&d, PCI_USED, 0x48), ==, 0);
    pci_config_mask_fill(&d.config, PCI_WMASK, 0x200, 4, 0x55);
    for (unsigned i = 0; i < 2; i++) {
        g_assert_cmpint(pcie_reserve_ext_capability(&d, 0x200, 8), ==, 0);
        g_assert_cmphex(mask_at(&d, PCI_WMASK, 0x203), ==, 0x55);
    }
    g_assert_cmpint(pcie_reserve_ext_capability(&d, 0x204, 8), ==, -EBUSY);
    g_assert_cmpint(pcie_reserve_ext_capability(&d, 0xffe, 8), ==, -EINVAL);
    g_assert_cmpuint(d.config.n_entries, ==, 3);
    pci_config_fini(&d.config);
}

/* By offset: one of two capabilities with the same id. Reserved space is in no list. */
static void test_delete_at(void)
{
    PCIDevice d;

    device_init(&d, 4096);
    g_assert_cmpint(pcie_add_ext_capability(&d, 0x000b, 1, 8), ==, 0x100);
    g_assert_cmpint(pcie_add_ext_capability(&d, 0x000b, 1, 8), ==, 0x108);
    pci_cap_delete_at(&d, 0x108);
    g_assert_cmphex(pcie_find_ext_capability(&d, 0x000b), ==, 0x100);
    g_assert_cmphex(pcie_find_next_ext_capability(&d, 0x100, 0x000b), ==, 0);
    g_assert_cmpint(pcie_reserve_ext_capability(&d, 0x300, 8), ==, 0);
    pci_cap_delete_at(&d, 0x300);
    g_assert_cmphex(pci_config_mask(&d.config, PCI_USED, 0x300), ==, 0xff);
    g_assert_cmpint(pci_reserve_capability(&d, 0x80, 8), ==, 0);
    pci_cap_delete_at(&d, 0x80);
    g_assert_cmphex(pci_config_mask(&d.config, PCI_USED, 0x80), ==, 0xff);
    pci_config_fini(&d.config);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/pci/capability/reserve", test_reserve);
    g_test_add_func("/pci/capability/model", test_model);
    g_test_add_func("/pci/capability/ext-model", test_ext_model);
    g_test_add_func("/pci/capability/loops", test_loops);
    g_test_add_func("/pci/capability/ext-loops", test_ext_loops);
    g_test_add_func("/pci/capability/wild-lists", test_wild_lists);
    g_test_add_func("/pci/capability/messages", test_messages);
    g_test_add_func("/pci/capability/ext-head", test_ext_head);
    g_test_add_func("/pci/capability/ext-refused", test_ext_refused);
    g_test_add_func("/pci/capability/delete-at", test_delete_at);
    return g_test_run();
}
