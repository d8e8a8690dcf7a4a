/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * I/O limits of drives and of the filter `throttle`. Only lower bounds of durations are checked.
 */
#include <errno.h>
#include <string.h>

#include "../hw/core/host-objects.h"

#include "block-fixture.h"
#include "hw/core/clock.h"
#include "tests/lib/wait.h"

enum { REQUESTS = 40 };

typedef struct Batch {
    uint8_t data[REQUESTS * 512];
    BlockRequest reqs[REQUESTS];
    struct iovec iov[REQUESTS];
} Batch;

static void setup_timers(Fixture *f, gconstpointer data)
{
    setup(f, data);
    clocks_attach(f->m->clocks);
}

static void wait_for(Fixture *f, unsigned done)
{
    WAIT_MAIN(f->done >= done, 30);
}

static IoLimits requests_per_second(uint64_t n)
{
    return (IoLimits){ .of = { [IO_LIMIT_OPS_TOTAL] = { .avg = n } } };
}

static BlockNode *limited_drive(Fixture *f, const char *limits)
{
    g_autofree char *line = g_strdup_printf("{'id':'d','file':'%%s','format':'raw',%s}", limits);
    BlockNode *n = drive(f, line, NULL);

    g_assert_nonnull(n);
    g_assert_true(block_attach(n, &writer, "disk", NULL));
    return n;
}

static void test_drive(Fixture *f, gconstpointer data)
{
    BlockNode *n = limited_drive(f, "'throttling':{'iops-total':'20'}");
    gint64 start = g_get_monotonic_time();
    Batch b;

    /* a tenth of a second may start immediately, and the request that exceeds it */
    submit_sectors(f, n, BLOCK_WRITE, BLOCK_READ, 0, b.data, 7, b.reqs, b.iov);
    wait_for(f, 7);
    g_assert_cmpint(f->result, ==, 0);
    g_assert_cmpint(g_get_monotonic_time() - start, >=, 4 * 1000000 / 20 - 10000);
    block_detach(n, &writer);
}

/* A stop, a reset and an unplug do not wait for the limits. */
static void test_drain(Fixture *f, gconstpointer data)
{
    BlockNode *n = limited_drive(f, "'iops_rd':'1','iops_wr':'1','iops_rd_max':'2'");
    IoLimits slow = requests_per_second(1), none = { 0 };
    Batch b;

    submit_sectors(f, n, BLOCK_WRITE, BLOCK_READ, 0, b.data, REQUESTS, b.reqs, b.iov);
    g_assert_cmpuint(f->done, ==, 0);
    block_drain(n);
    g_assert_cmpuint(f->done, ==, REQUESTS);
    /* also if the limits are removed, or those of the group change */
    g_assert_true(block_set_limits(f->m, "d", NULL, &slow, "other", NULL));
    submit_sectors(f, n, BLOCK_WRITE, BLOCK_READ, 0, b.data, REQUESTS, b.reqs, b.iov);
    g_assert_true(block_set_limits(f->m, "d", NULL, &none, NULL, NULL));
    wait_for(f, REQUESTS);
    g_assert_true(block_set_limits(f->m, "d", NULL, &slow, NULL, NULL));
    submit_sectors(f, n, BLOCK_WRITE, BLOCK_READ, 0, b.data, REQUESTS, b.reqs, b.iov);
    slow = requests_per_second(100000);
    g_assert_true(block_set_limits(f->m, "d", NULL, &slow, NULL, NULL));
    wait_for(f, REQUESTS);
    block_detach(n, &writer);
}

static void test_filter(Fixture *f, gconstpointer data)
{
    static const char line[] = "{'driver':'throttle','node-name':'t','throttle-group':'g',"
                               "'file':{'driver':'file','filename':'%s'}}";
    g_autoptr(GError) err = NULL;
    gint64 start;
    BlockNode *n;
    Batch b;

    g_assert_null(node(f, line, false, &err));
    g_assert_nonnull(strstr(err->message, "-object throttle-group,id=g"));
    object(f->m, "throttle-group,id=g,limits.iops-total=20");
    n = node(f, line, false, NULL);
    g_assert_true(block_attach(n, &writer, "disk", NULL));
    start = g_get_monotonic_time();
    submit_sectors(f, n, BLOCK_WRITE, BLOCK_READ, 0, b.data, 7, b.reqs, b.iov);
    wait_for(f, 7);
    g_assert_cmpint(g_get_monotonic_time() - start, >=, 4 * 1000000 / 20 - 10000);
    submit_sectors(f, n, BLOCK_WRITE, BLOCK_FLUSH, 0, b.data, REQUESTS, b.reqs, b.iov);
    block_detach(n, &writer);
    g_assert_cmpuint(f->done, ==, REQUESTS);
    g_assert_false(host_object_del(f->m, "g", NULL)); /* in use */
    g_assert_true(block_node_del(f->m, "t", NULL));
    g_assert_true(host_object_del(f->m, "g", NULL));
    refused(f->m, "throttle-group,id=h,x-bps-total=5,x-bps-read=5", "bps-read");
    g_assert_cmpuint(
        host_throttle_limits(object(f->m, "throttle-group,id=h,x-iops-size=4k,x-iops-read=9"))
            ->of[IO_LIMIT_OPS_READ]
            .avg,
        ==, 9);
}

static int64_t reported(Fixture *f, const char *key)
{
    struct json_object *list = block_query(f->m, true);
    struct json_object *last = json_object_array_get_idx(list, json_object_array_length(list) - 1);
    int64_t v = json_object_get_int64(json_object_object_get(last, key));

    json_object_put(list);
    return v;
}

static void test_query(Fixture *f, gconstpointer data)
{
    g_autoptr(GError) err = NULL;
    IoLimits l = { .of = { [IO_LIMIT_BPS_READ] = { .avg = 5000, .max = 7000, .max_length = 2 } } };
    BlockNode *n = limited_drive(f, "'bps_wr':'1M','iops':'30','iops_size':'4k'");

    g_assert_cmpint(reported(f, "bps_wr"), ==, 1 << 20);
    g_assert_cmpint(reported(f, "iops"), ==, 30);
    g_assert_cmpint(reported(f, "iops_size"), ==, 4096);
    g_assert_true(block_set_limits(f->m, "d", NULL, &l, NULL, NULL));
    g_assert_cmpint(reported(f, "bps_wr"), ==, 0);
    g_assert_cmpint(reported(f, "bps_rd_max"), ==, 7000);
    g_assert_cmpint(reported(f, "bps_rd_max_length"), ==, 2);
    l.of[IO_LIMIT_BPS_TOTAL].avg = 1;
    g_assert_false(block_set_limits(f->m, "d", NULL, &l, NULL, &err));
    g_clear_error(&err);
    g_assert_false(block_set_limits(f->m, "e", NULL, &l, NULL, &err));
    g_assert_nonnull(strstr(err->message, "'e'"));
    g_clear_error(&err);
    g_assert_false(block_set_limits(f->m, NULL, NULL, &l, NULL, &err));
    block_detach(n, &writer);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add("/block/throttle/drive", Fixture, NULL, setup_timers, test_drive, teardown);
    g_test_add("/block/throttle/drain", Fixture, NULL, setup_timers, test_drain, teardown);
    g_test_add("/block/throttle/filter", Fixture, NULL, setup_timers, test_filter, teardown);
    g_test_add("/block/throttle/query", Fixture, NULL, setup_timers, test_query, teardown);
    return g_test_run();
}
