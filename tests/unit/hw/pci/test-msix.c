/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * MSI-X compared with a model of masks, enables and pending bits; layout checks; table and PBA
 * accesses of every size at every offset and past the end; saved state.
 */
#include "pci-fixture.h"

typedef struct Dev {
    PCIDevice pci;
    uint32_t vectors, where;
    uint64_t bar_size;
} Dev;

static const PCIBarDesc bars[] = {
    { .index = 0, .kind = PCI_BAR_MEM32 },
    { .index = 2, .kind = PCI_BAR_MEM64, .size_prop = "bar-size" },
};
static const PCIBarDesc shared_bars[] = {
    { .index = 2, .kind = PCI_BAR_MEM64, .size_prop = "bar-size" },
    { .index = 4, .kind = PCI_BAR_IO, .size = 64 },
};
static const PlanProp props[] = {
    PROP_U32(Dev, vectors, "vectors", 5, 0, UINT32_MAX, "vectors"),
    PROP_SIZE(Dev, bar_size, "bar-size", 0x1000, 0, 0, "size of BAR 2"),
};
static const PCICapDesc caps[] = {
    { .id = PCI_CAP_ID_MSIX, .prop = "msix", .count_prop = "vectors", .msix = { 0, 0 } },
};
/* Table and PBA at the very end of a shared BAR. */
static const PCICapDesc shared_caps[] = {
    { .id = PCI_CAP_ID_MSIX,
      .prop = "msix",
      .count_prop = "vectors",
      .msix = { 0, 2, 0x1000 - 5 * 16, 0x800 } },
};
static const PCICapDesc overlapping_caps[] = { PCI_CAP_MSIX_AT(5, 2, 0, 0x40) };
static const PCICapDesc odd_table_caps[] = { PCI_CAP_MSIX_AT(5, 2, 4, 0x800) };
static const PCICapDesc odd_pba_caps[] = { PCI_CAP_MSIX_AT(5, 2, 0, 0x804) };
static const PCICapDesc io_caps[] = { PCI_CAP_MSIX(1, 4) };
static const PCICapDesc no_bar_caps[] = { PCI_CAP_MSIX(1, 1) };

#define TYPE(n, b, c)                                                                              \
    static const PCIDeviceType n = {                                                               \
        .base = { .name = #n,                                                                      \
                  .kind = &pci_device_kind,                                                        \
                  .size = sizeof(Dev),                                                             \
                  .props = LIST(props) },                                                          \
        .bars = LIST(b),                                                                           \
        .caps = LIST(c),                                                                           \
        .n_irqs = 1,                                                                               \
    }
TYPE(plain_type, bars, caps);
TYPE(shared_type, shared_bars, shared_caps);
TYPE(overlapping_type, shared_bars, overlapping_caps);
TYPE(odd_table_type, shared_bars, odd_table_caps);
TYPE(odd_pba_type, shared_bars, odd_pba_caps);
TYPE(lonely_type, bars, shared_caps);
TYPE(io_type, shared_bars, io_caps);
TYPE(no_bar_type, shared_bars, no_bar_caps);

enum { DEVFN = PCI_DEVFN(2, 0) };
#define TABLE MMIO
#define PBA   (MMIO + 2048)
#define AT(n) (RAM + 0x100 * ((n) + 1))

typedef struct Rig {
    Fixture f;
    PCIDevice *d;
    unsigned n;
    uint8_t pos;
} Rig;

static void control(Rig *r, uint16_t value)
{
    config_write(&r->f, DEVFN, r->pos + PCI_MSIX_FLAGS, 2, value);
}

static void start(Rig *r, unsigned n)
{
    g_autofree char *settings = g_strdup_printf("vectors=%u", n);

    fixture_init(&r->f);
    r->d = plug_function(&r->f, &plain_type, "pcie.0", "d", DEVFN, settings);
    r->n = n;
    r->pos = pci_find_capability(r->d, PCI_CAP_ID_MSIX);
    config_write(&r->f, DEVFN, PCI_BASE_ADDRESS_0, 4, TABLE);
    config_write(&r->f, DEVFN, PCI_BASE_ADDRESS_0 + 8, 4, MMIO + 0x100000);
    config_write(&r->f, DEVFN, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
}

static void program(Rig *r, unsigned n)
{
    guest_write(&r->f, TABLE + 16 * n, 8, AT(n));
    guest_write(&r->f, TABLE + 16 * n + 8, 4, n + 1);
}

/* Return how often each vector's message arrived since the last call. Clears the memory that
 * receives them. */
static bool arrived(Rig *r, unsigned n)
{
    bool yes = guest_read(&r->f, AT(n), 4) == n + 1;

    guest_write(&r->f, AT(n), 4, 0);
    return yes;
}

/* Random notify, mask, function mask, enable: each message is sent or pending exactly as in the
 * model. */
static void test_model(void)
{
    enum { N = 19 };
    bool masked[N], pending[N] = { 0 }, enabled = false, fmask = false;
    Rig r;

    start(&r, N);
    for (unsigned n = 0; n < N; n++) {
        program(&r, n);
        masked[n] = true; /* after reset */
    }
    for (unsigned step = 0; step < 20000; step++) {
        unsigned n = g_test_rand_int_range(0, N);
        bool notified = false;

        switch (g_test_rand_int_range(0, 8)) {
        case 0:
            enabled = g_test_rand_bit();
            fmask = g_test_rand_bit();
            control(&r,
                    (enabled ? PCI_MSIX_FLAGS_ENABLE : 0) | (fmask ? PCI_MSIX_FLAGS_MASKALL : 0));
            break;
        case 1:
        case 2:
        case 3:
            masked[n] = g_test_rand_bit();
            guest_write(&r.f, TABLE + 16 * n + 12, 4, 0xfffffffe | masked[n]);
            break;
        default:
            msix_notify(r.d, n);
            notified = enabled;
        }
        for (unsigned i = 0; i < N; i++) {
            bool live = enabled && !fmask && !masked[i];
            bool due = (notified && i == n) || pending[i];

            g_assert_true(arrived(&r, i) == (live && due));
            pending[i] = due && !live;
            g_assert_true((guest_read(&r.f, PBA + i / 8, 1) >> i % 8 & 1) == pending[i]);
        }
    }
    control(&r, PCI_MSIX_FLAGS_ENABLE);
    msix_notify(r.d, N); /* not a vector: no effect */
    msix_notify(r.d, UINT_MAX);
    fixture_fini(&r.f);
}

static void test_master_gate(void)
{
    Rig r;

    start(&r, 1);
    program(&r, 0);
    guest_write(&r.f, TABLE + 12, 4, 0);
    control(&r, PCI_MSIX_FLAGS_ENABLE);
    config_write(&r.f, DEVFN, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
    msix_notify(r.d, 0);
    g_assert_false(arrived(&r, 0));
    config_write(&r.f, DEVFN, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
    msix_notify(r.d, 0);
    g_assert_true(arrived(&r, 0));
    fixture_fini(&r.f);
}

/* Every size at every offset of the BAR: the table's writable bits change, nothing else does. */
static void test_accesses(void)
{
    static const unsigned sizes[] = { 1, 2, 4, 8 };
    static const uint8_t masks[16] = { 0xfc, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                       0xff, 0xff, 0xff, 0xff, 1,    0,    0,    0 };
    enum { N = 5, TABLE_LEN = N * 16, PBA_LEN = 8 };
    uint8_t model[TABLE_LEN] = { 0 };
    Rig r;

    start(&r, N);
    for (unsigned n = 0; n < N; n++) {
        model[16 * n + 12] = 1;
    }
    for (unsigned at = 0; at < 4096; at++) {
        for (unsigned s = 0; s < 4; s++) {
            uint64_t value = (uint64_t)g_test_rand_int() << 32 | (uint32_t)g_test_rand_int();
            uint64_t got;

            guest_write(&r.f, TABLE + at, sizes[s], value);
            for (unsigned i = 0; i < sizes[s] && at + i < TABLE_LEN; i++) {
                uint8_t w = masks[(at + i) % 16];

                model[at + i] = (model[at + i] & ~w) | (value >> 8 * i & w);
            }
            got = guest_read(&r.f, TABLE + at, sizes[s]);
            for (unsigned i = 0; i < sizes[s]; i++) {
                unsigned b = at + i;
                uint8_t want = b < TABLE_LEN                     ? model[b]
                               : b >= 2048 && b < 2048 + PBA_LEN ? 0
                                                                 : 0xff;

                g_assert_cmphex(got >> 8 * i & 0xff, ==, want);
            }
        }
    }
    fixture_fini(&r.f);
}

static void test_layout(void)
{
    Fixture f;

    fixture_init(&f);
    refused(&f, &shared_type, "pcie.0", "d", DEVFN, "vectors=6", "must lie in memory BAR 2");
    refused(&f, &shared_type, "pcie.0", "d", DEVFN, "bar-size=2048", "must lie in memory BAR 2");
    refused(&f, &shared_type, "pcie.0", "d", DEVFN, "bar-size=3000", "power of two");
    refused(&f, &shared_type, "pcie.0", "d", DEVFN, "bar-size=8", "power of two");
    refused(&f, &overlapping_type, "pcie.0", "d", DEVFN, NULL, "must not overlap");
    refused(&f, &odd_table_type, "pcie.0", "d", DEVFN, NULL, "(0x4 to 0x53)");
    refused(&f, &odd_pba_type, "pcie.0", "d", DEVFN, NULL, "(0x804 to 0x80b)");
    refused(&f, &lonely_type, "pcie.0", "d", DEVFN, NULL, "power of two"); /* BAR 0 belongs to none
                                                                            * of them */
    refused(&f, &io_type, "pcie.0", "d", DEVFN, NULL, "memory BAR 4");
    refused(&f, &no_bar_type, "pcie.0", "d", DEVFN, NULL, "memory BAR 1");
    fixture_fini(&f);
}

/* Every possible count, and both neighbours of every power of two that is not possible, up to 2^32
 * - 1. */
static void test_counts(void)
{
    Fixture f;

    fixture_init(&f);
    for (uint64_t power = 2048; power <= 1ull << 32; power *= 2) {
        for (uint64_t n = MAX(power - 1, 2049); n <= MIN(power + 1, UINT32_MAX); n++) {
            g_autofree char *settings = g_strdup_printf("vectors=%" PRIu64, n);

            refused(&f, &plain_type, "pcie.0", "d", DEVFN, settings, "2048 are accepted");
        }
    }
    for (unsigned n = 1; n <= 2048; n++) {
        g_autofree char *settings = g_strdup_printf("vectors=%u", n);
        PCIDevice *d = plug_function(&f, &plain_type, "pcie.0", "d", DEVFN, settings);
        uint8_t pos = pci_find_capability(d, PCI_CAP_ID_MSIX);

        g_assert_cmpuint(msix_vectors(d), ==, n);
        g_assert_cmphex(pci_get(d, pos + PCI_MSIX_FLAGS, 2), ==, n - 1);
        g_assert_cmpuint(pci_bar_region(d, 0)->size, >=, n * 16 + (n + 63) / 64 * 8);
        device_unplug(&d->dev);
    }
    g_assert_cmphex(
        pci_find_capability(plug_function(&f, &plain_type, "pcie.0", "d", DEVFN, "vectors=0"),
                            PCI_CAP_ID_MSIX),
        ==, 0);
    fixture_fini(&f);
}

/* The table ends with the BAR: accesses beyond the end reach only existing bytes. */
static void test_very_end(void)
{
    Fixture f;
    uint64_t end = MMIO + 0x1000;

    fixture_init(&f);
    plug_function(&f, &shared_type, "pcie.0", "d", DEVFN, NULL);
    config_write(&f, DEVFN, PCI_BASE_ADDRESS_0 + 8, 4, MMIO);
    config_write(&f, DEVFN, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
    for (unsigned back = 0; back < 9; back++) {
        for (unsigned size = 1; size <= 8; size *= 2) {
            guest_write(&f, end - back, size, 0);
            guest_read(&f, end - back, size);
        }
    }
    guest_write(&f, end - 16, 8, 0x1122334455667788);
    g_assert_cmphex(guest_read(&f, end - 16, 8), ==, 0x1122334455667788);
    g_assert_cmphex(guest_read(&f, end - 4, 4), ==, 0); /* unmasked above */
    g_assert_cmphex(guest_read(&f, MMIO + 0x800, 8), ==, 0);
    guest_write(&f, MMIO + 0x800, 8, ~0ull);
    g_assert_cmphex(guest_read(&f, MMIO + 0x800, 8), ==, 0); /* read-only */
    g_assert_cmphex(guest_read(&f, MMIO + 0x807, 4), ==, 0xffffff00);
    fixture_fini(&f);
}

/* A pending bit is cleared with its cause, and set by the next. */
static void test_cause_gone(void)
{
    Rig r;

    start(&r, 2);
    program(&r, 0);
    control(&r, PCI_MSIX_FLAGS_ENABLE);
    pci_irq_set(r.d, 0, true);
    g_assert_cmphex(guest_read(&r.f, PBA, 1), ==, 1);
    pci_irq_set(r.d, 0, false);
    g_assert_cmphex(guest_read(&r.f, PBA, 1), ==, 0);
    guest_write(&r.f, TABLE + 12, 4, 0);
    g_assert_false(arrived(&r, 0)); /* no spurious message */
    guest_write(&r.f, TABLE + 12, 4, 1);
    pci_irq_set(r.d, 0, true);
    guest_write(&r.f, TABLE + 12, 4, 0);
    g_assert_true(arrived(&r, 0));
    msix_clear_pending(r.d, 2); /* not a vector: no effect */
    msix_clear_pending(r.d, UINT_MAX);
    fixture_fini(&r.f);
}

typedef struct Heard {
    bool live[4];
    uint64_t addr[4];
    unsigned events;
} Heard;

static void heard_unmasked(void *opaque, unsigned n, uint64_t addr, uint32_t data)
{
    Heard *h = opaque;

    h->live[n] = true;
    h->addr[n] = addr;
    h->events++;
}

static void heard_masked(void *opaque, unsigned n)
{
    Heard *h = opaque;

    g_assert_true(h->live[n]);
    h->live[n] = false;
    h->events++;
}

static void test_notifier(void)
{
    static const MsixNotifier notifier = { heard_unmasked, heard_masked };
    Heard h = { 0 };
    Rig r;

    start(&r, 4);
    program(&r, 2);
    guest_write(&r.f, TABLE + 16 * 2 + 12, 4, 0);
    control(&r, PCI_MSIX_FLAGS_ENABLE);
    msix_set_notifier(r.d, &notifier, &h); /* is notified of vectors that are already enabled */
    g_assert_true(h.live[2] && h.addr[2] == AT(2) && h.events == 1);
    guest_write(&r.f, TABLE + 16 * 2, 4, AT(3)); /* moved while enabled: notified again */
    g_assert_cmphex(h.addr[2], ==, AT(3));
    control(&r, PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
    g_assert_false(h.live[2]);
    control(&r, PCI_MSIX_FLAGS_ENABLE);
    g_assert_true(h.live[2]);
    guest_write(&r.f, TABLE + 16 * 2 + 12, 4, 1);
    g_assert_false(h.live[2]);
    h.events = 0;
    guest_write(&r.f, TABLE + 16 * 2, 4, AT(1)); /* moved while masked: not notified */
    g_assert_cmpuint(h.events, ==, 0);
    guest_write(&r.f, TABLE + 16 * 2 + 12, 4, 0);
    machine_reset(r.f.m, RESET_HOT);
    g_assert_false(h.live[2]);
    h.events = 0;
    msix_set_notifier(r.d, NULL, NULL);
    device_unplug(&r.d->dev);
    r.d = plug_function(&r.f, &plain_type, "pcie.0", "d", DEVFN, "msix=off");
    msix_set_notifier(r.d, &notifier, &h); /* no vectors: no notification */
    g_assert_cmpuint(h.events, ==, 0);
    fixture_fini(&r.f);
}

static void test_state(void)
{
    g_autoptr(GByteArray) bytes = NULL, again = NULL;
    g_autoptr(GError) err = NULL;
    size_t table = 8 + 256 + 16; /* conventional here: no Express capability */
    Rig r;

    start(&r, 5);
    program(&r, 3);
    control(&r, PCI_MSIX_FLAGS_ENABLE);
    msix_notify(r.d, 3);
    bytes = save_record(r.d);
    g_assert_cmpuint(bytes->len, ==, table + 81); /* 5 entries and a byte of pending bits */
    machine_reset(r.f.m, RESET_COLD);
    g_assert_true(load_record(r.d, bytes, &err));
    again = save_record(r.d);
    g_assert_cmpmem(bytes->data, bytes->len, again->data, again->len);
    g_assert_cmphex(guest_read(&r.f, PBA, 1), ==, 8);
    guest_write(&r.f, TABLE + 16 * 3 + 12, 4, 0); /* the pending message is sent */
    g_assert_true(arrived(&r, 3));

    bytes->data[table + 80] |= 0x20; /* a vector that does not exist */
    g_assert_false(load_record(r.d, bytes, &err));
    g_assert_nonnull(strstr(err->message, "pending bits beyond vector 4"));
    g_clear_error(&err);
    bytes->data[table + 80] = 0;
    bytes->data[table + 16 * 2 + 13] = 1;
    g_assert_false(load_record(r.d, bytes, &err));
    g_assert_nonnull(strstr(err->message, "entry 2 has reserved bits"));
    fixture_fini(&r.f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/pci/msix/model", test_model);
    g_test_add_func("/pci/msix/master-gate", test_master_gate);
    g_test_add_func("/pci/msix/accesses", test_accesses);
    g_test_add_func("/pci/msix/layout", test_layout);
    g_test_add_func("/pci/msix/counts", test_counts);
    g_test_add_func("/pci/msix/very-end", test_very_end);
    g_test_add_func("/pci/msix/cause-gone", test_cause_gone);
    g_test_add_func("/pci/msix/notifier", test_notifier);
    g_test_add_func("/pci/msix/state", test_state);
    return g_test_run();
}
