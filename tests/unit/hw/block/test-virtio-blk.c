/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-blk and its driver: every request on a real file, rejected requests and their status, and
 * sizes that change.
 */
#include <json-c/json.h>

#include <errno.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "blk-driver.h"
#include "block/internal.h"
#include "tests/lib/ok.h"

enum { SIZE = 1 << 20, SECTOR = 512 };

/* --- a file --- */

typedef struct Disk {
    Fixture f;
    Drv v;
    char *path;
} Disk;

static void pattern(uint8_t *p, size_t len, unsigned seed)
{
    for (size_t i = 0; i < len; i++) {
        p[i] = (uint8_t)(i * 7 + seed);
    }
}

static void start_disk(Disk *d, const char *options, const char *settings, uint64_t features,
                       bool legacy)
{
    g_autofree uint8_t *content = g_malloc(SIZE);
    g_autofree char *drive = NULL;
    int fd = g_file_open_tmp("test-virtio-blk-XXXXXX", &d->path, NULL);

    pattern(content, SIZE, 1);
    g_assert_cmpint(write(fd, content, SIZE), ==, SIZE);
    close(fd);
    drive = g_strdup_printf("{'id':'d0','file':'%s','format':'raw'%s}", d->path, options);
    drv_machine(&d->f, drive, NULL);
    drv_plug(&d->v, &d->f, "virtio-blk-pci", settings, legacy);
    drv_start(&d->v, features, 1);
}

static void finish_disk(Disk *d)
{
    drv_finish(&d->f);
    g_unlink(d->path);
    g_free(d->path);
}

/* --- every request --- */

static void check_requests(uint64_t features, const char *settings, bool legacy)
{
    Disk d;
    uint8_t expect[4096];
    const BlockNode *n;

    start_disk(&d, ",'discard':'unmap'", settings, features, legacy);
    n = block_find(d.f.m, "d0");
    g_assert_cmpuint(drv_config(&d.v, 0, 4), ==, SIZE / SECTOR);
    g_assert_cmpuint(drv_config(&d.v, 20, 4), ==, 512);
    g_assert_cmpuint(request(&d.v, VIRTIO_BLK_T_IN, 8, 4096), ==, VIRTIO_BLK_S_OK);
    pattern(expect, sizeof(expect), 1 + (8 * SECTOR * 7) % 256);
    g_assert_cmpmem(drv_ram(&d.v, DATA), 4096, expect, 4096);
    pattern(drv_ram(&d.v, DATA), 4096, 99);
    g_assert_cmpuint(request(&d.v, VIRTIO_BLK_T_OUT, 16, 4096), ==, VIRTIO_BLK_S_OK);
    g_assert_cmpuint(request(&d.v, VIRTIO_BLK_T_FLUSH, 0, 0), ==, VIRTIO_BLK_S_OK);
    memset(drv_ram(&d.v, DATA), 0, 4096);
    g_assert_cmpuint(request(&d.v, VIRTIO_BLK_T_IN, 16, 4096), ==, VIRTIO_BLK_S_OK);
    pattern(expect, sizeof(expect), 99);
    g_assert_cmpmem(drv_ram(&d.v, DATA), 4096, expect, 4096);
    if (features >> VIRTIO_BLK_F_WRITE_ZEROES & 1) {
        memset(expect, 0, sizeof(expect));
        g_assert_cmpuint(range_request(&d.v, VIRTIO_BLK_T_WRITE_ZEROES, 16, 8, 0), ==,
                         VIRTIO_BLK_S_OK);
        g_assert_cmpuint(request(&d.v, VIRTIO_BLK_T_IN, 16, 4096), ==, VIRTIO_BLK_S_OK);
        g_assert_cmpmem(drv_ram(&d.v, DATA), 4096, expect, 4096);
        g_assert_cmpuint(range_request(&d.v, VIRTIO_BLK_T_DISCARD, 24, 8, 0), ==, VIRTIO_BLK_S_OK);
        g_assert_cmpuint(range_request(&d.v, VIRTIO_BLK_T_WRITE_ZEROES, 32, 8, 1), ==,
                         VIRTIO_BLK_S_OK);
        g_assert_cmpuint(request(&d.v, VIRTIO_BLK_T_IN, 32, 4096), ==, VIRTIO_BLK_S_OK);
        g_assert_cmpmem(drv_ram(&d.v, DATA), 4096, expect, 4096);
    }
    g_assert_cmpuint(request(&d.v, VIRTIO_BLK_T_GET_ID, 0, 20), ==, VIRTIO_BLK_S_OK);
    g_assert_cmpmem(drv_ram(&d.v, DATA), 9, "SERIAL-7\0", 9);
    g_assert_cmpuint(request(&d.v, VIRTIO_BLK_T_GET_ID, 0, 4), ==, VIRTIO_BLK_S_OK);
    g_assert_cmpuint(block_in_flight(n), ==, 0);
    drv_running(&d.v);
    finish_disk(&d);
}

static void test_requests(void)
{
    uint64_t ranges = F_BIT(VIRTIO_BLK_F_DISCARD) | F_BIT(VIRTIO_BLK_F_WRITE_ZEROES);

    check_requests(ranges, "drive=d0,serial=SERIAL-7", false);
    check_requests(ranges | F_BIT(VIRTIO_F_RING_PACKED) | F_BIT(VIRTIO_RING_F_INDIRECT_DESC) |
                       F_BIT(VIRTIO_RING_F_EVENT_IDX),
                   "drive=d0,serial=SERIAL-7,packed=on", false);
    check_requests(ranges, "drive=d0,serial=SERIAL-7", true);
    check_requests(0, "drive=d0,serial=SERIAL-7,logical_block_size=512,discard=off", false);
}

static void test_refused_requests(void)
{
    const uint64_t end = SIZE / SECTOR;
    Disk d;

    start_disk(&d, "", "drive=d0", F_BIT(VIRTIO_BLK_F_DISCARD) | F_BIT(VIRTIO_BLK_F_WRITE_ZEROES),
               false);
    g_assert_cmpuint(request(&d.v, VIRTIO_BLK_T_IN, end - 1, 1024), ==, VIRTIO_BLK_S_IOERR);
    g_assert_cmpuint(request(&d.v, VIRTIO_BLK_T_IN, end, 512), ==, VIRTIO_BLK_S_IOERR);
    g_assert_cmpuint(request(&d.v, VIRTIO_BLK_T_OUT, UINT64_MAX, 512), ==, VIRTIO_BLK_S_IOERR);
    g_assert_cmpuint(request(&d.v, VIRTIO_BLK_T_OUT, UINT64_MAX / 512 + 1, 512), ==,
                     VIRTIO_BLK_S_IOERR);
    g_assert_cmpuint(request(&d.v, VIRTIO_BLK_T_IN, 0, 100), ==, VIRTIO_BLK_S_IOERR);
    g_assert_cmpuint(request(&d.v, 2, 0, 512), ==, VIRTIO_BLK_S_UNSUPP);
    g_assert_cmpuint(request(&d.v, 0xffffffff, 0, 512), ==, VIRTIO_BLK_S_UNSUPP);
    g_assert_cmpuint(range_request(&d.v, VIRTIO_BLK_T_DISCARD, end, 1, 0), ==, VIRTIO_BLK_S_IOERR);
    g_assert_cmpuint(range_request(&d.v, VIRTIO_BLK_T_DISCARD, UINT64_MAX, 8, 0), ==,
                     VIRTIO_BLK_S_IOERR);
    g_assert_cmpuint(range_request(&d.v, VIRTIO_BLK_T_DISCARD, 0, UINT32_MAX, 0), ==,
                     VIRTIO_BLK_S_IOERR);
    g_assert_cmpuint(range_request(&d.v, VIRTIO_BLK_T_DISCARD, 0, 8, 1), ==, VIRTIO_BLK_S_UNSUPP);
    g_assert_cmpuint(range_request(&d.v, VIRTIO_BLK_T_WRITE_ZEROES, 0, 8, 2), ==,
                     VIRTIO_BLK_S_UNSUPP);
    g_assert_cmpuint(request(&d.v, VIRTIO_BLK_T_WRITE_ZEROES, 0, 8), ==, VIRTIO_BLK_S_UNSUPP);
    g_assert_cmpuint(request(&d.v, VIRTIO_BLK_T_IN, 0, 0), ==,
                     VIRTIO_BLK_S_OK); /* no data: success */
    drv_running(&d.v);
    drv_start(&d.v, 0, 1); /* not negotiated */
    g_assert_cmpuint(range_request(&d.v, VIRTIO_BLK_T_DISCARD, 0, 8, 0), ==, VIRTIO_BLK_S_UNSUPP);
    g_assert_cmpuint(range_request(&d.v, VIRTIO_BLK_T_WRITE_ZEROES, 0, 8, 0), ==,
                     VIRTIO_BLK_S_UNSUPP);
    finish_disk(&d);
}

/* Header and status may be anywhere in the chain's bytes (2.7.4.4). Without them the chain is
 * malformed. */
static void test_layouts(void)
{
    Disk d;
    uint8_t expect[1024];
    DrvSeg any[] = { { RAM + HEAD, 3, false },
                     { RAM + HEAD + 3, 13, false },
                     { RAM + DATA, 1, true },
                     { RAM + DATA + 1, 1000, true },
                     { RAM + DATA + 1001, 24, true } };
    DrvSeg short_head[] = { { RAM + HEAD, 15, false }, { RAM + STATUS, 1, true } };
    DrvSeg no_status[] = { { RAM + HEAD, 16, false } };

    start_disk(&d, "", "drive=d0", 0, false);
    put_head(&d.v, HEAD, VIRTIO_BLK_T_IN, 0);
    drv_offer(&d.v, 0, any, 5);
    drv_kick(&d.v, 0);
    g_assert_cmpint(drv_wait(&d.v, 0, 5), ==, 1025);
    pattern(expect, sizeof(expect), 1);
    g_assert_cmpmem(drv_ram(&d.v, DATA), 1024, expect, 1024);
    g_assert_cmpuint(*drv_ram(&d.v, DATA + 1024), ==, VIRTIO_BLK_S_OK);
    drv_offer(&d.v, 0, short_head, 2);
    drv_kick(&d.v, 0);
    g_assert_cmphex(drv_status(&d.v) & VIRTIO_CONFIG_S_NEEDS_RESET, !=, 0);
    drv_start(&d.v, 0, 1);
    drv_offer(&d.v, 0, no_status, 1);
    drv_kick(&d.v, 0);
    g_assert_cmphex(drv_status(&d.v) & VIRTIO_CONFIG_S_NEEDS_RESET, !=, 0);
    drv_start(&d.v, 0, 1);
    g_assert_cmpuint(request(&d.v, VIRTIO_BLK_T_IN, 0, 512), ==, VIRTIO_BLK_S_OK);
    finish_disk(&d);
}

static void test_read_only(void)
{
    Disk d;
    g_autofree char *content = NULL, *decided = NULL;
    uint8_t expect[SECTOR];
    gsize len;

    start_disk(&d, ",'readonly':'on'", "drive=d0", 0, false);
    decided = device_prop_text(&d.v.d->dev, "read-only");
    g_assert_cmpstr(decided, ==, "on");
    g_assert_cmphex(drv_offered(&d.v) & F_BIT(VIRTIO_BLK_F_RO), !=, 0);
    g_assert_cmphex(drv_offered(&d.v) &
                        (F_BIT(VIRTIO_BLK_F_DISCARD) | F_BIT(VIRTIO_BLK_F_WRITE_ZEROES)),
                    ==, 0);
    memset(drv_ram(&d.v, DATA), 0xee, SECTOR);
    g_assert_cmpuint(request(&d.v, VIRTIO_BLK_T_OUT, 0, 512), ==, VIRTIO_BLK_S_IOERR);
    g_assert_cmpuint(request(&d.v, VIRTIO_BLK_T_IN, 0, 512), ==, VIRTIO_BLK_S_OK);
    g_assert_cmpuint(request(&d.v, VIRTIO_BLK_T_FLUSH, 0, 0), ==, VIRTIO_BLK_S_OK);
    pattern(expect, SECTOR, 1);
    ASSERT_OK(g_file_get_contents(d.path, &content, &len, &failure));
    g_assert_cmpmem(content, SECTOR, expect, SECTOR);
    device_unplug(&d.v.d->dev);
    refused(&d.f, drv_type("virtio-blk-pci"), "pcie.0", "dut", DRV_DEVFN, "drive=d0,read-only=off",
            "read-only");
    finish_disk(&d);
    /* a writable disk for a guest that must not write */
    start_disk(&d, "", "drive=d0,read-only=on", 0, false);
    g_assert_cmphex(drv_offered(&d.v) & F_BIT(VIRTIO_BLK_F_RO), !=, 0);
    g_assert_cmpuint(request(&d.v, VIRTIO_BLK_T_OUT, 0, 512), ==, VIRTIO_BLK_S_IOERR);
    finish_disk(&d);
}

static void test_resize(void)
{
    Disk d;

    start_disk(&d, "", "drive=d0", 0, false);
    drv_msix(&d.v, true);
    drv_start(&d.v, 0, 1);
    g_assert_cmpuint(request(&d.v, VIRTIO_BLK_T_OUT, SIZE / SECTOR, 512), ==, VIRTIO_BLK_S_IOERR);
    ASSERT_OK(block_resize(block_find(d.f.m, "d0"), 2 * SIZE, &failure));
    g_assert_true(drv_interrupted(&d.v, 0));
    g_assert_cmpuint(drv_config(&d.v, 0, 8), ==, 2 * SIZE / SECTOR);
    g_assert_cmpuint(request(&d.v, VIRTIO_BLK_T_OUT, SIZE / SECTOR, 512), ==, VIRTIO_BLK_S_OK);
    ASSERT_OK(block_resize(block_find(d.f.m, "d0"), SIZE, &failure));
    g_assert_cmpuint(request(&d.v, VIRTIO_BLK_T_IN, SIZE / SECTOR, 512), ==, VIRTIO_BLK_S_IOERR);
    finish_disk(&d);
}

static void test_queues(void)
{
    Fixture f;
    Drv v;

    drv_machine(&f, DRV_NULL_DRIVE, NULL);
    drv_plug(&v, &f, "virtio-blk-pci", "drive=d0,num-queues=8", false);
    g_assert_cmphex(drv_offered(&v) & F_BIT(VIRTIO_BLK_F_MQ), !=, 0);
    g_assert_cmpuint(drv_config(&v, 34, 2), ==, 8);
    g_assert_cmpuint(drv_common_read(&v, C_NUM_QUEUES, 2), ==, 8);
    device_unplug(&v.d->dev);
    refused(&f, drv_type("virtio-blk-pci"), "pcie.0", "dut", DRV_DEVFN, NULL, "drive=");
    refused(&f, drv_type("virtio-blk-pci"), "pcie.0", "dut", DRV_DEVFN, "drive=nobody", "'nobody'");
    refused(&f, drv_type("virtio-blk-pci"), "pcie.0", "dut", DRV_DEVFN, "drive=d0,queue-size=100",
            "power of two");
    refused(&f, drv_type("virtio-blk-pci"), "pcie.0", "dut", DRV_DEVFN,
            "drive=d0,logical_block_size=4096,physical_block_size=512", "physical_block_size");
    drv_finish(&f);
}

/* --- files that are not what they were --- */

/* Another process truncated the file: the removed part reads as zeroes, the rest is unchanged. */
static void test_file_cut(void)
{
    Disk d;
    uint8_t expect[1024] = { 0 };

    start_disk(&d, "", "drive=d0", 0, false);
    g_assert_cmpint(truncate(d.path, SIZE / 2 + SECTOR), ==, 0);
    g_assert_cmpuint(request(&d.v, VIRTIO_BLK_T_IN, SIZE / SECTOR / 2, 1024), ==, VIRTIO_BLK_S_OK);
    pattern(expect, SECTOR, 1 + (SIZE / 2 * 7) % 256);
    g_assert_cmpmem(drv_ram(&d.v, DATA), 1024, expect, 1024);
    drv_running(&d.v);
    finish_disk(&d);
}

/* The host rejects the extension of the file: that write fails, everything else continues. */
static void check_host_limit(const char *aio)
{
    struct rlimit was, small;
    Disk d;
    uint8_t expect[SECTOR];
    g_autofree char *options = g_strdup_printf(",'aio':'%s'", aio);

    start_disk(&d, options, "drive=d0", 0, false);
    g_assert_cmpint(truncate(d.path, SIZE / 2), ==, 0);
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &was);
    small = (struct rlimit){ SIZE / 2, was.rlim_max };
    g_assert_cmpint(setrlimit(RLIMIT_FSIZE, &small), ==, 0);
    memset(drv_ram(&d.v, DATA), 0x77, SECTOR);
    g_assert_cmpuint(request(&d.v, VIRTIO_BLK_T_OUT, SIZE / SECTOR / 2, 512), ==,
                     VIRTIO_BLK_S_IOERR);
    g_assert_cmpuint(request(&d.v, VIRTIO_BLK_T_OUT, 4, 512), ==, VIRTIO_BLK_S_OK);
    g_assert_cmpuint(request(&d.v, VIRTIO_BLK_T_IN, 0, 512), ==, VIRTIO_BLK_S_OK);
    pattern(expect, SECTOR, 1);
    g_assert_cmpmem(drv_ram(&d.v, DATA), SECTOR, expect, SECTOR);
    setrlimit(RLIMIT_FSIZE, &was);
    memset(drv_ram(&d.v, DATA), 0x77, SECTOR);
    g_assert_cmpuint(request(&d.v, VIRTIO_BLK_T_OUT, SIZE / SECTOR / 2, 512), ==, VIRTIO_BLK_S_OK);
    drv_running(&d.v);
    finish_disk(&d);
}

static void test_host_limit(void)
{
    check_host_limit("threads");
    check_host_limit("io_uring");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/blk/requests", test_requests);
    g_test_add_func("/blk/refused-requests", test_refused_requests);
    g_test_add_func("/blk/layouts", test_layouts);
    g_test_add_func("/blk/read-only", test_read_only);
    g_test_add_func("/blk/resize", test_resize);
    g_test_add_func("/blk/queues", test_queues);
    g_test_add_func("/blk/file-cut", test_file_cut);
    g_test_add_func("/blk/host-limit", test_host_limit);
    return g_test_run();
}
