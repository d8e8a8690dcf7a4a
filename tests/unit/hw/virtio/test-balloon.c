/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-balloon: pages that the driver gives or reports read as zero and are dirty; no other page
 * changes; the work of a turn is bounded; statistics, the size that the host requests and the guest
 * reports, saved state, and the limit of one balloon.
 */
#include <linux/virtio_balloon.h>

#include "hw/virtio/balloon.h"
#include "virtio-driver.h"

enum { INFLATE, DEFLATE, STATS, REPORTING, PAGE = 4096, FIRST = 0x110000, PAGES = 16 };
enum { C_NUM_PAGES = 0, C_ACTUAL = 4, C_POISON = 12 };

typedef struct Balloon {
    Fixture f;
    Drv v;
    VirtioBalloon *b;
    unsigned events;
    int64_t actual; /* of the last event */
} Balloon;

static void note_event(void *opaque, const Event *event)
{
    Balloon *t = opaque;

    if (g_str_equal(event->name, "BALLOON_CHANGE")) {
        t->events++;
        t->actual = event_field(event, "actual")->number;
    }
}

static void balloon_start(Balloon *t, const char *settings, bool legacy, uint64_t features,
                          unsigned queues)
{
    *t = (Balloon){ 0 };
    drv_machine(&t->f, NULL, NULL);
    t->f.m->hooks = (MachineHooks){ .opaque = t, .event = note_event };
    drv_plug(&t->v, &t->f, "virtio-balloon-pci", settings, legacy);
    t->b = virtio_balloon_find(t->f.m);
    g_assert_nonnull(t->b);
    drv_start(&t->v, features, queues);
    memset(drv_ram(&t->v, FIRST), 0xaa, PAGES * PAGE);
}

static void balloon_finish(Balloon *t)
{
    t->f.m->hooks = (MachineHooks){ 0 };
    drv_finish(&t->f);
}

/* Return whether page i of the area is zero; otherwise it must have its bytes. */
static bool page_is_zero(Balloon *t, unsigned i)
{
    const uint8_t *at = drv_ram(&t->v, FIRST + i * PAGE);

    for (unsigned n = 1; n < PAGE; n++) {
        g_assert_cmphex(at[n], ==, at[0]);
    }
    g_assert_true(at[0] == 0 || at[0] == 0xaa);
    return at[0] == 0;
}

static void check_zero_pages(Balloon *t, uint32_t expected)
{
    for (unsigned i = 0; i < PAGES; i++) {
        g_assert_cmpint(page_is_zero(t, i), ==, expected >> i & 1);
    }
}

/* Page i of the area as a page number. */
static uint32_t pfn(unsigned i)
{
    return (uint32_t)((RAM + FIRST) / PAGE + i);
}

static void offer(Balloon *t, unsigned q, const void *bytes, uint32_t len)
{
    DrvSeg s = { RAM + DRV_DATA, len, false };

    memcpy(drv_ram(&t->v, DRV_DATA), bytes, len);
    drv_offer(&t->v, q, &s, 1);
    drv_kick(&t->v, q);
}

static void check_inflate(bool legacy)
{
    const uint32_t pfns[] = { pfn(1),     pfn(2),      pfn(7), pfn(6), pfn(12),
                              UINT32_MAX, MMIO / PAGE, 0,      pfn(14) };
    unsigned long dirty[RAM_SIZE / PAGE / 64];
    RamBlock *block;
    Balloon t;

    balloon_start(&t, NULL, legacy, 0, 3);
    block = machine_ram_find(t.f.m, "ram");
    ram_dirty_track(block, true);
    ram_dirty_fetch(block, 0, RAM_SIZE / PAGE, dirty);
    /* the last number is incomplete, and numbers that are not RAM have no effect */
    offer(&t, INFLATE, pfns, sizeof(pfns) - 1);
    g_assert_cmpint(drv_collect(&t.v, INFLATE, 1), ==, 0);
    drv_running(&t.v);
    check_zero_pages(&t, 1 << 1 | 1 << 2 | 1 << 6 | 1 << 7 | 1 << 12);
    g_assert_cmpuint(ram_dirty_fetch(block, FIRST / PAGE, PAGES, dirty), ==, 5);
    g_assert_cmphex(dirty[0], ==, 1 << 1 | 1 << 2 | 1 << 6 | 1 << 7 | 1 << 12);
    *drv_ram(&t.v, FIRST + PAGE) = 0x55; /* the host provides memory again */
    offer(&t, DEFLATE, pfns, 8);
    g_assert_cmpint(drv_collect(&t.v, DEFLATE, 1), ==, 0);
    g_assert_cmphex(*drv_ram(&t.v, FIRST + PAGE), ==, 0x55);
    ram_dirty_track(block, false);
    balloon_finish(&t);
}

static void test_inflate(void)
{
    check_inflate(false);
    check_inflate(true);
}

/* One chain with 65536 page numbers: the first turn ends before it is processed. */
static void test_budget(void)
{
    uint32_t *pfns = g_new(uint32_t, 0x10000);
    Balloon t;

    balloon_start(&t, NULL, false, 0, 3);
    for (unsigned i = 0; i < 0x10000; i++) {
        pfns[i] = i % 2 ? pfn(3) : (uint32_t)((RAM + RAM_SIZE) / PAGE + i);
    }
    /* the area is the end of the chain's memory: use the memory after it */
    memcpy(drv_ram(&t.v, 0x180000), pfns, 0x40000);
    for (unsigned i = 0; i < 2; i++) {
        DrvSeg s = { RAM + 0x180000, 0x40000, false };

        drv_offer(&t.v, INFLATE, &s, 1);
    }
    drv_kick(&t.v, INFLATE);
    g_assert_cmpint(drv_collect(&t.v, INFLATE, 1), ==, -1);
    g_assert_cmpint(drv_wait(&t.v, INFLATE, 1), ==, 0);
    check_zero_pages(&t, 1 << 3);
    drv_set_status(&t.v, 0); /* a reset inside the second chain */
    drv_start(&t.v, 0, 3);
    offer(&t, INFLATE, &(const uint32_t){ pfn(4) }, 4);
    g_assert_cmpint(drv_collect(&t.v, INFLATE, 1), ==, 0);
    check_zero_pages(&t, 1 << 3 | 1 << 4);
    g_free(pfns);
    balloon_finish(&t);
}

/* Only complete pages of the range, and none if the guest poisons its pages. */
static void test_reporting(void)
{
    const uint64_t features =
        F_BIT(VIRTIO_BALLOON_F_REPORTING) | F_BIT(VIRTIO_BALLOON_F_PAGE_POISON);
    const DrvSeg s[2] = { { RAM + FIRST + 0x10, 3 * PAGE, true },
                          { RAM + FIRST + 8 * PAGE, PAGE, true } };
    Balloon t;

    balloon_start(&t, "free-page-reporting=on", false, features, 4);
    g_assert_cmphex(t.v.features & features, ==, features);
    drv_offer(&t.v, REPORTING, s, 2);
    drv_kick(&t.v, REPORTING);
    g_assert_cmpint(drv_wait(&t.v, REPORTING, 2), ==, 0);
    check_zero_pages(&t, 1 << 1 | 1 << 2 | 1 << 8);
    memset(drv_ram(&t.v, FIRST), 0xaa, PAGES * PAGE);
    guest_write(&t.f, t.v.config + C_POISON, 4, 0xaaaaaaaa);
    drv_offer(&t.v, REPORTING, s, 2);
    drv_kick(&t.v, REPORTING);
    g_assert_cmpint(drv_wait(&t.v, REPORTING, 2), ==, 0);
    check_zero_pages(&t, 0);
    balloon_finish(&t);
}

/* A request of statistics returns the buffer; the values are those of the last one. */
static void test_stats(void)
{
    struct virtio_balloon_stat report[] = { { VIRTIO_BALLOON_S_MEMFREE, 12345 },
                                            { 999, 1 },
                                            { VIRTIO_BALLOON_S_MEMTOT, 1 << 20 } };
    const int64_t second = 1000000000;
    Balloon t;

    balloon_start(&t, NULL, false, F_BIT(VIRTIO_BALLOON_F_STATS_VQ), 3);
    g_assert_cmpint(virtio_balloon_stats_time(t.b), ==, 0);
    g_assert_true(virtio_balloon_stat(t.b, VIRTIO_BALLOON_S_MEMFREE) == BALLOON_STAT_UNKNOWN);
    offer(&t, STATS, report, sizeof(report));
    g_assert_cmpint(drv_collect(&t.v, STATS, 1), ==, -1); /* the device keeps it */
    g_assert_cmpuint(virtio_balloon_stat(t.b, VIRTIO_BALLOON_S_MEMFREE), ==, 12345);
    g_assert_cmpuint(virtio_balloon_stat(t.b, VIRTIO_BALLOON_S_MEMTOT), ==, 1 << 20);
    g_assert_true(virtio_balloon_stat(t.b, VIRTIO_BALLOON_S_SWAP_IN) == BALLOON_STAT_UNKNOWN);
    g_assert_cmpint(virtio_balloon_stats_time(t.b), >, 0);
    virtio_balloon_set_interval(t.b, 10);
    clock_step_ns(&t.f, 1);
    g_assert_cmpint(drv_collect(&t.v, STATS, 1), ==, 0);
    report[0].val = 54321;
    offer(&t, STATS, report, sizeof(report));
    g_assert_cmpuint(virtio_balloon_stat(t.b, VIRTIO_BALLOON_S_MEMFREE), ==, 54321);
    clock_step_ns(&t.f, 9 * second);
    g_assert_cmpint(drv_collect(&t.v, STATS, 1), ==, -1);
    clock_step_ns(&t.f, second);
    g_assert_cmpint(drv_collect(&t.v, STATS, 1), ==, 0);
    offer(&t, STATS, report, sizeof(report));
    virtio_balloon_set_interval(t.b, 0);
    clock_step_ns(&t.f, 100 * second);
    g_assert_cmpint(drv_collect(&t.v, STATS, 1), ==, -1);
    drv_set_status(&t.v, 0);
    g_assert_true(virtio_balloon_stat(t.b, VIRTIO_BALLOON_S_MEMFREE) == BALLOON_STAT_UNKNOWN);
    balloon_finish(&t);
}

/* The request of the host and the report of the guest, also after a load. */
static void test_size(void)
{
    g_autoptr(GByteArray) saved = NULL;
    g_autoptr(GError) err = NULL;
    Balloon t;

    balloon_start(&t, NULL, false, 0, 3);
    g_assert_cmpuint(virtio_balloon_guest_bytes(t.b), ==, RAM_SIZE);
    virtio_balloon_set_target(t.b, RAM_SIZE / 2);
    g_assert_cmpuint(drv_config(&t.v, C_NUM_PAGES, 4), ==, RAM_SIZE / 2 / PAGE);
    guest_write(&t.f, t.v.config + C_NUM_PAGES, 4, 7); /* read-only for the driver */
    g_assert_cmpuint(drv_config(&t.v, C_NUM_PAGES, 4), ==, RAM_SIZE / 2 / PAGE);
    guest_write(&t.f, t.v.config + C_ACTUAL, 4, 100);
    guest_write(&t.f, t.v.config + C_ACTUAL, 4, 100); /* no change, no event */
    g_assert_cmpuint(t.events, ==, 1);
    g_assert_cmpint(t.actual, ==, RAM_SIZE - 100 * PAGE);
    saved = save_state(t.v.d);
    device_unplug(&t.v.d->dev);
    g_assert_null(virtio_balloon_find(t.f.m));
    drv_plug(&t.v, &t.f, "virtio-balloon-pci", NULL, false);
    t.b = virtio_balloon_find(t.f.m);
    g_assert_true(load_state(t.v.d, saved, &err));
    g_assert_cmpuint(virtio_balloon_guest_bytes(t.b), ==, RAM_SIZE - 100 * PAGE);
    g_assert_cmpuint(drv_config(&t.v, C_NUM_PAGES, 4), ==, RAM_SIZE / 2 / PAGE);
    guest_write(&t.f, t.v.config + C_ACTUAL, 4, UINT32_MAX);
    g_assert_cmpint(t.actual, ==, 0);
    virtio_balloon_set_target(t.b, UINT64_MAX);
    g_assert_cmpuint(drv_config(&t.v, C_NUM_PAGES, 4), ==, 0);
    refused(&t.f, drv_type("virtio-balloon-pci"), "pcie.0", "two", PCI_DEVFN(9, 0), NULL,
            "the machine has a balloon already, 'dut'");
    balloon_finish(&t);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/balloon/inflate", test_inflate);
    g_test_add_func("/balloon/budget", test_budget);
    g_test_add_func("/balloon/reporting", test_reporting);
    g_test_add_func("/balloon/stats", test_stats);
    g_test_add_func("/balloon/size", test_size);
    return g_test_run();
}
