/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-blk with an I/O thread: requests start and complete in that thread and nowhere else;
 * stops, resets, unplugs and resizes in the middle of requests; what uses a thread keeps it.
 */
#include <glib/gstdio.h>
#include <unistd.h>

#include "blk-driver.h"
#include "block/internal.h"
#include "hw/core/event_loop.h"
#include "hw/core/host_object.h"
#include "tests/lib/ok.h"

enum { SIZE = 1 << 20, SECTOR = 512, REQUESTS = 16 };

typedef struct Rig {
    Fixture f;
    Drv v;
    char *path;
    BlockNode *node;
} Rig;

static void add_thread(Fixture *f, const char *text)
{
    g_autoptr(PlanDevice) plan = plan_device_parse(text, NULL);
    g_autoptr(GError) err = NULL;

    host_object_new(f->m, plan, &err);
    g_assert_no_error(err);
}

/* False: the host or the build lacks the engine. */
static bool start(Rig *r, const char *aio)
{
    g_autofree char *drive = NULL;
    struct json_object *options;
    int fd = g_file_open_tmp("test-iothread-XXXXXX", &r->path, NULL);

    g_assert_cmpint(ftruncate(fd, SIZE), ==, 0);
    close(fd);
    drive = g_strdup_printf("{'id':'d0','file':'%s','format':'raw','aio':'%s'}", r->path, aio);
    drv_machine(&r->f, NULL, NULL);
    options = json_tokener_parse(drive);
    r->node = block_drive_new(r->f.m, options, false, NULL);
    json_object_put(options);
    if (!r->node) {
        drv_finish(&r->f);
        g_unlink(r->path);
        g_free(r->path);
        return false;
    }
    add_thread(&r->f, "iothread,id=io0");
    drv_plug(&r->v, &r->f, "virtio-blk-pci", "drive=d0,iothread=io0", false);
    drv_start(&r->v, 0, 1);
    return true;
}

static void finish(Rig *r)
{
    fixture_empty(r->f.m, "peripheral");
    block_free_all(r->f.m);
    host_object_free_all(r->f.m);
    drv_finish(&r->f);
    g_unlink(r->path);
    g_free(r->path);
}

/* Let other threads take the machine lock. */
static void let_others_run(Rig *r)
{
    machine_unlock(r->f.m);
    wait_elapse(100, "another thread takes the machine lock");
    machine_lock(r->f.m);
}

static void offer_all(Rig *r, uint32_t type)
{
    for (unsigned i = 0; i < REQUESTS; i++) {
        offer(&r->v, i, type, i * 8, 4096);
    }
    drv_kick(&r->v, 0);
}

static unsigned used(Rig *r)
{
    return (unsigned)guest_read(&r->f, r->v.ring[0].device + 2, 2);
}

/* Neither the thread that notifies nor the main loop processes requests: without the lock, which
 * the I/O thread requires, none is processed. */
static void check_thread(const char *aio)
{
    Rig r;

    if (!start(&r, aio)) {
        g_test_message("aio=%s is not available", aio);
        return;
    }
    for (unsigned round = 1; round <= 3; round++) {
        offer_all(&r, round == 2 ? VIRTIO_BLK_T_IN : VIRTIO_BLK_T_OUT);
        for (unsigned i = 0; i < 200; i++) {
            g_main_context_iteration(NULL, FALSE);
        }
        g_assert_cmpuint(block_in_flight(r.node), ==, 0);
        g_assert_cmpuint(used(&r), ==, (round - 1) * REQUESTS);
        WAIT_UNTIL (used(&r) == round * REQUESTS, 20) {
            let_others_run(&r);
        }
        for (unsigned i = 0; i < REQUESTS; i++) {
            g_assert_cmpint(drv_collect(&r.v, 0, 3), >=, 0);
            g_assert_cmpuint(*drv_ram(&r.v, STATUS + i), ==, VIRTIO_BLK_S_OK);
        }
    }
    drv_running(&r.v);
    finish(&r);
}

static void test_thread(void)
{
    check_thread("threads");
    check_thread("io_uring");
}

/* Wait until the thread has started requests, of which some may have completed. */
static void start_requests(Rig *r)
{
    unsigned before = used(r);

    offer_all(r, VIRTIO_BLK_T_OUT);
    WAIT_UNTIL (block_in_flight(r->node) || used(r) != before, 20) {
        let_others_run(r);
    }
}

/* A stopped machine has no request in flight, and its memory does not change. */
static void test_stop(void)
{
    Rig r;
    unsigned before;

    g_assert_true(start(&r, "threads"));
    for (unsigned round = 1; round <= 5; round++) {
        start_requests(&r);
        machine_set_state(r.f.m, RUN_PAUSED);
        g_assert_cmpuint(block_in_flight(r.node), ==, 0);
        before = used(&r);
        for (unsigned i = 0; i < 20; i++) {
            let_others_run(&r);
        }
        g_assert_cmpuint(used(&r), ==, before);
        ASSERT_OK(block_resize(r.node, (round & 1 ? 2 : 1) * SIZE, &failure));
        machine_set_state(r.f.m, RUN_RUNNING);
        WAIT_UNTIL (used(&r) == round * REQUESTS, 20) {
            let_others_run(&r);
        }
        for (unsigned i = 0; i < REQUESTS; i++) {
            g_assert_cmpint(drv_collect(&r.v, 0, 3), >=, 0);
        }
    }
    finish(&r);
}

static void test_reset(void)
{
    Rig r;

    g_assert_true(start(&r, "threads"));
    for (unsigned round = 0; round < 5; round++) {
        start_requests(&r);
        drv_start(&r.v, 0, 1); /* begins with a reset */
        g_assert_cmpuint(block_in_flight(r.node), ==, 0);
        g_assert_cmpuint(used(&r), ==, 0);
    }
    start_requests(&r);
    device_unplug(&r.v.d->dev);
    g_assert_cmpuint(block_in_flight(r.node), ==, 0);
    finish(&r);
}

/* An object remains while a device uses it. Devices share a thread; a node has one event loop. */
static void test_users(void)
{
    const PCIDeviceType *type = drv_type("virtio-blk-pci");
    const uint8_t other = PCI_DEVFN(7, 0);
    struct json_object *options;
    g_autoptr(GError) err = NULL;
    Rig r;

    g_assert_true(start(&r, "threads"));
    add_thread(&r.f, "iothread,id=io1,poll-max-ns=1000,poll-grow=3,poll-shrink=4");
    g_assert_cmpuint(host_iothread_polling(host_object_find(r.f.m, "io1")).shrink, ==, 4);
    options = json_tokener_parse("{'id':'d1','format':'raw','file':{'driver':'null-co'}}");
    block_drive_new(r.f.m, options, false, &err);
    g_assert_no_error(err);
    json_object_put(options);
    g_assert_false(host_object_del(r.f.m, "io0", &err));
    g_assert_nonnull(strstr(err->message, "in use by 'dut'"));
    refused(&r.f, type, "pcie.0", "x", other, "drive=d1,iothread=nope", "-object iothread,id=nope");
    refused(&r.f, type, "pcie.0", "x", other, "drive=nope,iothread=io1", "'nope'");
    device_unplug(&plug_function(&r.f, type, "pcie.0", "y", other, "drive=d1,iothread=io0")->dev);
    g_assert_false(host_object_del(r.f.m, "io0", NULL));
    ASSERT_OK(host_object_del(r.f.m, "io1", &failure));
    device_unplug(&r.v.d->dev);
    ASSERT_OK(host_object_del(r.f.m, "io0", &failure));
    finish(&r);
}

/* The time of polling grows while events arrive within the limit, and shrinks otherwise. */
static void test_polling(void)
{
    EventLoop l = { .poll_max_ns = 30000 };

    event_loop_adapt(&l, 10000);
    g_assert_cmpint(l.poll_ns, ==, 4000);
    event_loop_adapt(&l, 3000); /* during the polling */
    g_assert_cmpint(l.poll_ns, ==, 4000);
    event_loop_adapt(&l, 10000);
    event_loop_adapt(&l, 10000);
    g_assert_cmpint(l.poll_ns, ==, 16000);
    event_loop_adapt(&l, 20000);
    g_assert_cmpint(l.poll_ns, ==, 30000);
    event_loop_adapt(&l, 30001);
    g_assert_cmpint(l.poll_ns, ==, 0);
    l = (EventLoop){ .poll_max_ns = INT64_MAX, .poll_grow = INT64_MAX, .poll_shrink = 2 };
    event_loop_adapt(&l, 10000);
    event_loop_adapt(&l, 10000);
    g_assert_cmpint(l.poll_ns, ==, INT64_MAX);
    l.poll_max_ns = 100;
    l.poll_ns = 90;
    event_loop_adapt(&l, 101);
    g_assert_cmpint(l.poll_ns, ==, 45);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/iothread/thread", test_thread);
    g_test_add_func("/iothread/stop", test_stop);
    g_test_add_func("/iothread/reset", test_reset);
    g_test_add_func("/iothread/users", test_users);
    g_test_add_func("/iothread/polling", test_polling);
    return g_test_run();
}
