/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-blk on a disk that fails on demand and counts its requests. Errors are reported, ignored,
 * or the requests are kept until the machine runs again, including errors that occur inside an
 * access, during a reset, a save or an unplug. Writes are durable where the driver requires it.
 */
#include <json-c/json.h>

#include <errno.h>

#include "blk-driver.h"
#include "block/internal.h"
#include "tests/lib/ok.h"

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
                    "/machine/peripheral/dut/virtio-backend");
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
    ASSERT_OK(load_state(v.d, saved, &failure));
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
    g_test_add_func("/blk-faults/report", test_report);
    g_test_add_func("/blk-faults/ignore", test_ignore);
    g_test_add_func("/blk-faults/stop", test_stop);
    g_test_add_func("/blk-faults/enospc-only", test_enospc_only);
    g_test_add_func("/blk-faults/stop-inside-access", test_stop_inside_access);
    g_test_add_func("/blk-faults/kept-saved", test_kept_saved);
    g_test_add_func("/blk-faults/unplug", test_unplug);
    g_test_add_func("/blk-faults/write-cache", test_write_cache);
    g_test_add_func("/blk-faults/no-flush", test_no_flush);
    g_test_add_func("/blk-faults/default-policy", test_default_policy);
    g_test_add_func("/blk-faults/dirty", test_dirty);
    return g_test_run();
}
