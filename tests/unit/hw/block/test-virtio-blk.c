/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-blk and its driver: every request on a real file, rejected requests and their status,
 * sizes that change, and I/O errors. Errors are reported, ignored, or the requests are kept until
 * the machine runs again, including errors that occur inside an access, during a reset, a save or
 * an unplug.
 */
#include <json-c/json.h>
#include <linux/virtio_blk.h>

#include <errno.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../virtio/virtio-driver.h"
#include "block/internal.h"

enum { SIZE = 1 << 20, SECTOR = 512 };
enum { S_NONE = 0xff }; /* no status was written */

/* --- a disk that fails on demand, and the requests it received --- */

static struct Fault {
    int result;       /* error of writes and flushes; 0: none */
    bool reads;       /* reads, too */
    unsigned seen[8]; /* requests by operation */
    unsigned durable; /* writes with the FUA flag */
    uint64_t sum;     /* the first bytes of successful writes */
} fault;

static void fault_submit(BlockNode *n, BlockRequest *req)
{
    bool fails = fault.result && (req->p.op != BLOCK_READ || fault.reads);

    fault.seen[req->p.op]++;
    fault.durable += req->p.fua;
    if (!fails && req->p.op == BLOCK_WRITE) {
        fault.sum += *(uint8_t *)req->iov[0].iov_base;
    }
    block_complete_any(req, fails ? fault.result : 0);
}

static BlockDriver faulty;

typedef struct Heard {
    unsigned events, stops;
    char *action, *operation;
    bool nospace, any_name;
} Heard;

static void on_event(void *opaque, const Event *event)
{
    Heard *h = opaque;

    if (g_str_equal(event->name, "BLOCK_IO_ERROR")) {
        h->events++;
        g_free(h->action);
        g_free(h->operation);
        h->action = g_strdup(event_str(event, "action"));
        h->operation = g_strdup(event_str(event, "operation"));
        h->nospace = event_on(event, "nospace");
        if (!h->any_name) {
            g_assert_cmpstr(event_str(event, "device"), ==, "d0");
            g_assert_cmpstr(event_str(event, "node-name"), ==, "#block-d0");
        }
    }
}

static void on_run_state(void *opaque, RunState from, RunState to)
{
    ((Heard *)opaque)->stops += to == RUN_IO_ERROR;
}

/* A machine with a disk on a faulty driver (policy: "'werror':'stop'"), whose driver runs. */
static void start_faulty(Fixture *f, Drv *v, Heard *h, const char *policy, const char *settings)
{
    g_autofree char *drive = g_strdup_printf(
        "{'id':'d0','file':{'driver':'null-co','size':1048576},'format':'raw'%s}", policy);

    fault = (struct Fault){ 0 };
    faulty = block_raw;
    faulty.submit = fault_submit;
    *h = (Heard){ 0 };
    drv_machine(f, drive, NULL);
    block_find(f->m, "d0")->drv = &faulty;
    f->m->hooks.opaque = h;
    f->m->hooks.event = on_event;
    f->m->hooks.run_state = on_run_state;
    drv_plug(v, f, "virtio-blk-pci", settings, false);
    drv_start(v, F_BIT(VIRTIO_F_RING_RESET) | F_BIT(VIRTIO_BLK_F_CONFIG_WCE), 1);
}

static void finish_faulty(Fixture *f, Heard *h)
{
    drv_finish(f);
    g_free(h->action);
    g_free(h->operation);
}

static void settle(void)
{
    for (unsigned i = 0; i < 20; i++) {
        g_main_context_iteration(NULL, FALSE);
    }
}

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

/* --- requests: header, data and status each in a place of its own --- */

enum { HEAD = DRV_DATA, DATA = DRV_DATA + 0x1000, STATUS = DRV_DATA + 0x20000 };

static void put_head(Drv *v, uint32_t at, uint32_t type, uint64_t sector)
{
    memcpy(drv_ram(v, at), &type, 4);
    memset(drv_ram(v, at + 4), 0, 4);
    memcpy(drv_ram(v, at + 8), &sector, 8);
}

/* Make a request available with its own slot of header, data and status. n must be below 32. */
static void offer(Drv *v, unsigned n, uint32_t type, uint64_t sector, uint32_t len)
{
    uint64_t head = RAM + HEAD + n * 32, data = RAM + DATA + n * 4096, status = RAM + STATUS + n;
    DrvSeg s[] = { { head, 16, false },
                   { data, len, type == VIRTIO_BLK_T_IN || type == VIRTIO_BLK_T_GET_ID },
                   { status, 1, true } };

    put_head(v, HEAD + n * 32, type, sector);
    *drv_ram(v, STATUS + n) = S_NONE;
    if (len == 0) {
        s[1] = s[2];
    }
    drv_offer(v, 0, s, len ? 3 : 2);
}

static unsigned segments(uint32_t len)
{
    return len ? 3 : 2;
}

/* Run one request. Returns its status. */
static uint8_t request(Drv *v, uint32_t type, uint64_t sector, uint32_t len)
{
    offer(v, 0, type, sector, len);
    drv_kick(v, 0);
    g_assert_cmpint(drv_wait(v, 0, segments(len)), >=, 0);
    return *drv_ram(v, STATUS);
}

static uint8_t range_request(Drv *v, uint32_t type, uint64_t sector, uint32_t sectors,
                             uint32_t flags)
{
    memcpy(drv_ram(v, DATA), &sector, 8);
    memcpy(drv_ram(v, DATA + 8), &sectors, 4);
    memcpy(drv_ram(v, DATA + 12), &flags, 4);
    return request(v, type, 0, 16);
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
    g_assert_true(g_file_get_contents(d.path, &content, &len, NULL));
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
    g_assert_true(block_resize(block_find(d.f.m, "d0"), 2 * SIZE, NULL));
    g_assert_true(drv_interrupted(&d.v, 0));
    g_assert_cmpuint(drv_config(&d.v, 0, 8), ==, 2 * SIZE / SECTOR);
    g_assert_cmpuint(request(&d.v, VIRTIO_BLK_T_OUT, SIZE / SECTOR, 512), ==, VIRTIO_BLK_S_OK);
    g_assert_true(block_resize(block_find(d.f.m, "d0"), SIZE, NULL));
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

/* --- I/O errors --- */

static void test_report(void)
{
    Fixture f;
    Drv v;
    Heard h;

    start_faulty(&f, &v, &h, ",'werror':'report'", "drive=d0");
    fault.result = -EIO;
    g_assert_cmpuint(request(&v, VIRTIO_BLK_T_OUT, 0, 512), ==, VIRTIO_BLK_S_IOERR);
    g_assert_cmpstr(h.action, ==, "report");
    g_assert_cmpstr(h.operation, ==, "write");
    g_assert_false(h.nospace);
    g_assert_cmpuint(request(&v, VIRTIO_BLK_T_FLUSH, 0, 0), ==, VIRTIO_BLK_S_IOERR);
    g_assert_cmpuint(request(&v, VIRTIO_BLK_T_IN, 0, 512), ==, VIRTIO_BLK_S_OK);
    fault.reads = true;
    g_assert_cmpuint(request(&v, VIRTIO_BLK_T_IN, 0, 512), ==, VIRTIO_BLK_S_IOERR);
    g_assert_cmpstr(h.operation, ==, "read");
    g_assert_cmpuint(h.events, ==, 3);
    g_assert_cmpuint(h.stops, ==, 0);
    finish_faulty(&f, &h);
}

static void test_ignore(void)
{
    Fixture f;
    Drv v;
    Heard h;

    start_faulty(&f, &v, &h, ",'werror':'ignore','rerror':'ignore'", "drive=d0");
    fault = (struct Fault){ .result = -EIO, .reads = true };
    g_assert_cmpuint(request(&v, VIRTIO_BLK_T_OUT, 0, 512), ==, VIRTIO_BLK_S_OK);
    g_assert_cmpuint(request(&v, VIRTIO_BLK_T_IN, 0, 512), ==, VIRTIO_BLK_S_OK);
    g_assert_cmpstr(h.action, ==, "ignore");
    finish_faulty(&f, &h);
}

static void check_io_status(Fixture *f, const char *want)
{
    struct json_object *list = block_query(f->m, false), *o = json_object_array_get_idx(list, 0);

    g_assert_cmpstr(json_object_get_string(json_object_object_get(o, "io-status")), ==, want);
    g_assert_cmpstr(json_object_get_string(json_object_object_get(o, "qdev")), ==,
                    "/machine/peripheral/dut");
    json_object_put(list);
}

/* Start n writes of one sector, all different; and check that all succeed. */
static void offer_writes(Drv *v, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        offer(v, i, VIRTIO_BLK_T_OUT, i, 512);
        *drv_ram(v, DATA + i * 4096) = i + 1;
    }
    drv_kick(v, 0);
}

static void writes_end(Drv *v, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        g_assert_cmpint(drv_wait(v, 0, 3), ==, 1);
        g_assert_cmpuint(*drv_ram(v, STATUS + i), ==, VIRTIO_BLK_S_OK);
    }
}

/* Many requests fail together. All are kept, and one stop is reported. When the machine resumes and
 * the fault is removed, each is executed once, and the guest sees no error. */
static void check_stop(const char *policy, const char *settings, int result)
{
    enum { N = 20 };
    Fixture f;
    Drv v;
    Heard h;

    start_faulty(&f, &v, &h, policy, settings);
    fault.result = result;
    offer_writes(&v, N);
    settle();
    g_assert_cmpint(f.m->state, ==, RUN_IO_ERROR);
    g_assert_cmpuint(h.stops, ==, 1);
    g_assert_cmpuint(h.events, ==, N);
    g_assert_cmpstr(h.action, ==, "stop");
    g_assert_cmpint(h.nospace, ==, result == -ENOSPC);
    g_assert_cmpint(drv_collect(&v, 0, 3), ==, -1);
    check_io_status(&f, result == -ENOSPC ? "nospace" : "failed");
    machine_set_state(f.m, RUN_RUNNING); /* too early: all fail again */
    settle();
    g_assert_cmpint(f.m->state, ==, RUN_IO_ERROR);
    g_assert_cmpint(drv_collect(&v, 0, 3), ==, -1);
    fault.result = 0;
    machine_set_state(f.m, RUN_RUNNING);
    writes_end(&v, N);
    check_io_status(&f, "ok");
    g_assert_cmpuint(fault.sum, ==, N * (N + 1) / 2);
    g_assert_cmpuint(fault.seen[BLOCK_WRITE], ==, 3 * N);
    finish_faulty(&f, &h);
}

static void test_stop(void)
{
    check_stop(",'werror':'stop'", "drive=d0", -EIO);
    check_stop("", "drive=d0", -ENOSPC); /* the default reaction to a full host disk */
    check_stop(",'werror':'report'", "drive=d0,werror=stop", -EIO);
    check_stop("", "drive=d0,werror=enospc", -ENOSPC);
}

static void test_enospc_only(void)
{
    Fixture f;
    Drv v;
    Heard h;

    start_faulty(&f, &v, &h, ",'werror':'enospc'", "drive=d0");
    fault.result = -EIO;
    g_assert_cmpuint(request(&v, VIRTIO_BLK_T_OUT, 0, 512), ==, VIRTIO_BLK_S_IOERR);
    g_assert_cmpuint(h.stops, ==, 0);
    finish_faulty(&f, &h);
}

/* Errors that occur inside an access: a queue reset waits for its requests. The errors stop the
 * machine as usual, and the kept requests are dropped by the reset. */
static void test_stop_inside_access(void)
{
    Fixture f;
    Drv v;
    Heard h;

    start_faulty(&f, &v, &h, ",'werror':'stop'", "drive=d0,num-queues=2");
    fault.result = -EIO;
    offer_writes(&v, 4);
    drv_common_write(&v, C_SELECT, 2, 1);
    drv_common_write(&v, C_RESET, 2, 1); /* the other queue's */
    g_assert_cmpint(f.m->state, ==, RUN_IO_ERROR);
    g_assert_cmpuint(h.stops, ==, 1);
    g_assert_cmpint(drv_collect(&v, 0, 3), ==, -1);
    fault.result = 0;
    machine_set_state(f.m, RUN_RUNNING);
    writes_end(&v, 4);
    fault.result = -EIO;
    offer_writes(&v, 1);
    drv_set_status(&v, 0);
    g_assert_cmpint(f.m->state, ==, RUN_IO_ERROR);
    fault.result = 0;
    fault.seen[BLOCK_WRITE] = 0;
    machine_set_state(f.m, RUN_RUNNING);
    settle();
    g_assert_cmpuint(fault.seen[BLOCK_WRITE], ==, 0);
    finish_faulty(&f, &h);
}

/* Kept requests are part of the machine state: they are executed where it is loaded. */
static void check_kept_saved(const char *settings, uint64_t features)
{
    Fixture f;
    Drv v;
    Heard h;
    g_autoptr(GByteArray) saved = NULL, again = NULL;
    g_autoptr(GError) err = NULL;

    start_faulty(&f, &v, &h, ",'werror':'stop'", settings);
    drv_start(&v, features, 1);
    fault.result = -EIO;
    offer_writes(&v, 3);
    settle();
    saved = save_state(v.d);
    drv_set_status(&v, 0);
    g_assert_true(load_state(v.d, saved, &err));
    again = save_state(v.d);
    g_assert_cmpmem(saved->data, saved->len, again->data, again->len);
    fault.result = 0;
    machine_set_state(f.m, RUN_RUNNING);
    writes_end(&v, 3);
    g_assert_cmpuint(fault.sum, ==, 1 + 2 + 3);
    finish_faulty(&f, &h);
}

static void test_kept_saved(void)
{
    check_kept_saved("drive=d0", 0);
    check_kept_saved("drive=d0", F_BIT(VIRTIO_RING_F_INDIRECT_DESC));
    check_kept_saved("drive=d0,packed=on", F_BIT(VIRTIO_F_RING_PACKED));
}

/* Unplug with requests that fail: they complete without a notification, and nothing is leaked. */
static void test_unplug(void)
{
    Fixture f;
    Drv v;
    Heard h;

    start_faulty(&f, &v, &h, ",'werror':'stop'", "drive=d0");
    fault.result = -EIO;
    offer_writes(&v, 8);
    device_unplug(&v.d->dev);
    g_assert_cmpuint(h.stops, ==, 0);
    g_assert_cmpuint(h.events, ==, 0);
    g_assert_cmpuint(block_in_flight(block_find(f.m, "d0")), ==, 0);
    /* kept ones as well */
    drv_plug(&v, &f, "virtio-blk-pci", "drive=d0", false);
    drv_start(&v, 0, 1);
    offer_writes(&v, 1);
    settle();
    g_assert_cmpuint(h.stops, ==, 1);
    device_unplug(&v.d->dev);
    finish_faulty(&f, &h);
}

/* The driver's setting of the cache, or the drive's cache mode, determines whether a write is
 * flushed. */
static void test_write_cache(void)
{
    Fixture f;
    Drv v;
    Heard h;

    start_faulty(&f, &v, &h, "", "drive=d0");
    drv_start(&v, F_BIT(VIRTIO_BLK_F_FLUSH) | F_BIT(VIRTIO_BLK_F_CONFIG_WCE), 1);
    g_assert_cmpuint(drv_config(&v, 32, 1), ==, 1);
    request(&v, VIRTIO_BLK_T_OUT, 0, 512);
    g_assert_cmpuint(fault.durable, ==, 0);
    guest_write(&f, v.config + 32, 1, 0);
    g_assert_cmpuint(drv_config(&v, 32, 1), ==, 0);
    request(&v, VIRTIO_BLK_T_OUT, 0, 512);
    g_assert_cmpuint(fault.durable, ==, 1);
    drv_start(&v, F_BIT(VIRTIO_BLK_F_FLUSH),
              1); /* reset to the initial setting of the device; now fixed */
    guest_write(&f, v.config + 32, 1, 0);
    g_assert_cmpuint(drv_config(&v, 32, 1), ==, 1);
    finish_faulty(&f, &h);
    start_faulty(&f, &v, &h, ",'cache':'writethrough'", "drive=d0");
    request(&v, VIRTIO_BLK_T_OUT, 0, 512);
    g_assert_cmpuint(fault.durable, ==, 1);
    request(&v, VIRTIO_BLK_T_IN, 0, 512);
    finish_faulty(&f, &h);
}

/* A driver that cannot flush finds the cache off: a write is durable when it completes (5.2.5.2,
 * 5.2.6.2). */
static void test_no_flush(void)
{
    Fixture f;
    Drv v;
    Heard h;
    g_autoptr(GByteArray) saved = NULL, again = NULL;
    uint8_t *writeback;

    start_faulty(&f, &v, &h, "", "drive=d0");
    drv_start(&v, 0, 1);
    g_assert_cmpuint(drv_config(&v, 32, 1), ==, 0);
    request(&v, VIRTIO_BLK_T_OUT, 0, 512);
    range_request(&v, VIRTIO_BLK_T_WRITE_ZEROES, 0, 1, 0);
    g_assert_cmpuint(fault.durable, ==, 1); /* zeroes were not negotiated */
    drv_start(&v, F_BIT(VIRTIO_BLK_F_WRITE_ZEROES), 1);
    g_assert_cmpuint(range_request(&v, VIRTIO_BLK_T_WRITE_ZEROES, 0, 1, 0), ==, VIRTIO_BLK_S_OK);
    g_assert_cmpuint(fault.durable, ==, 2);
    drv_start(&v, F_BIT(VIRTIO_BLK_F_CONFIG_WCE), 1); /* off, but the driver may enable it */
    g_assert_cmpuint(drv_config(&v, 32, 1), ==, 0);
    request(&v, VIRTIO_BLK_T_OUT, 0, 512);
    g_assert_cmpuint(fault.durable, ==, 3);
    guest_write(&f, v.config + 32, 1, 1);
    g_assert_cmpuint(drv_config(&v, 32, 1), ==, 1);
    request(&v, VIRTIO_BLK_T_OUT, 0, 512);
    g_assert_cmpuint(fault.durable, ==, 3);
    /* a legacy driver that writes no features at all */
    finish_faulty(&f, &h);
    start_faulty(&f, &v, &h, "", "drive=d0");
    v.legacy = true;
    drv_start(&v, 0, 1);
    g_assert_cmpuint(drv_config(&v, 32, 1), ==, 0);
    request(&v, VIRTIO_BLK_T_OUT, 0, 512);
    g_assert_cmpuint(fault.durable, ==, 1);
    /* the state of a build that kept the cache on; the byte is followed by the length and the count
     * of the record of kept requests */
    saved = save_state(v.d);
    writeback = &saved->data[saved->len - 9];
    g_assert_cmpuint(*writeback, ==, 0);
    *writeback = 1;
    g_assert_true(load_state(v.d, saved, NULL));
    again = save_state(v.d);
    g_assert_cmpmem(again->data, again->len, saved->data, saved->len);
    g_assert_cmpuint(drv_config(&v, 32, 1), ==, 0);
    finish_faulty(&f, &h);
}

/* By default, a disk of any origin stops the machine when the host is full, and reports other
 * errors; "cont" repeats the write. */
static void test_default_policy(void)
{
    static const char *const origins[] = { NULL, "" }; /* -blockdev, -drive */

    for (size_t i = 0; i < G_N_ELEMENTS(origins); i++) {
        Fixture f;
        Drv v;
        Heard h;

        start_faulty(&f, &v, &h, "", "drive=d0");
        if (!origins[i]) {
            struct json_object *o =
                json_tokener_parse("{'driver':'null-co','size':1048576,'node-name':'b0'}");
            g_autoptr(GError) err = NULL;

            device_unplug(&v.d->dev);
            g_assert_nonnull(block_node_new(f.m, o, false, &err));
            json_object_put(o);
            block_find(f.m, "b0")->drv = &faulty;
            h.any_name = true;
            drv_plug(&v, &f, "virtio-blk-pci", "drive=b0", false);
            drv_start(&v, 0, 1);
        }
        fault.result = -ENOSPC;
        offer_writes(&v, 1);
        settle();
        g_assert_cmpuint(h.stops, ==, 1);
        g_assert_cmpstr(h.action, ==, "stop");
        g_assert_true(h.nospace);
        g_assert_cmpint(f.m->state, ==, RUN_IO_ERROR);
        machine_set_state(f.m, RUN_RUNNING); /* still full */
        settle();
        g_assert_cmpuint(h.stops, ==, 2);
        fault.result = 0;
        machine_set_state(f.m, RUN_RUNNING);
        writes_end(&v, 1);
        fault.result = -EIO;
        g_assert_cmpuint(request(&v, VIRTIO_BLK_T_OUT, 0, 512), ==, VIRTIO_BLK_S_IOERR);
        g_assert_cmpstr(h.action, ==, "report");
        fault = (struct Fault){ .result = -ENOSPC, .reads = true };
        g_assert_cmpuint(request(&v, VIRTIO_BLK_T_IN, 0, 512), ==, VIRTIO_BLK_S_IOERR);
        g_assert_cmpuint(h.stops, ==, 2);
        finish_faulty(&f, &h);
    }
}

/* The page of the status byte of a failed read is marked dirty, however far behind the data it
 * is. */
static void test_dirty(void)
{
    Fixture f;
    Drv v;
    Heard h;
    RamBlock *ram;
    unsigned long bitmap[RAM_SIZE / RAM_PAGE_SIZE / 64] = { 0 };

    start_faulty(&f, &v, &h, ",'rerror':'report'", "drive=d0");
    ram = machine_ram_find(f.m, "ram");
    fault = (struct Fault){ .result = -EIO, .reads = true };
    ram_dirty_track(ram, true);
    offer(&v, 0, VIRTIO_BLK_T_IN, 0, 4096);
    ram_dirty_fetch(ram, 0, RAM_SIZE / RAM_PAGE_SIZE, bitmap);
    drv_kick(&v, 0);
    g_assert_cmpint(drv_wait(&v, 0, 3), >=, 0);
    ram_dirty_fetch(ram, 0, RAM_SIZE / RAM_PAGE_SIZE, bitmap);
    g_assert_true(bitmap[STATUS / 4096 / 64] >> (STATUS / 4096 % 64) & 1);
    g_assert_true(bitmap[DATA / 4096 / 64] >> (DATA / 4096 % 64) & 1);
    ram_dirty_track(ram, false);
    finish_faulty(&f, &h);
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
    g_test_add_func("/blk/report", test_report);
    g_test_add_func("/blk/ignore", test_ignore);
    g_test_add_func("/blk/stop", test_stop);
    g_test_add_func("/blk/enospc-only", test_enospc_only);
    g_test_add_func("/blk/stop-inside-access", test_stop_inside_access);
    g_test_add_func("/blk/kept-saved", test_kept_saved);
    g_test_add_func("/blk/unplug", test_unplug);
    g_test_add_func("/blk/write-cache", test_write_cache);
    g_test_add_func("/blk/no-flush", test_no_flush);
    g_test_add_func("/blk/default-policy", test_default_policy);
    g_test_add_func("/blk/dirty", test_dirty);
    return g_test_run();
}
