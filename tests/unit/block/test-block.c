/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Block nodes over real files: data, ends, read-only, the graph, probing, resizing, rejected
 * options, statistics, and requests in flight at deletion.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "block-fixture.h"
#include "tests/lib/wait.h"

static void check_data(Fixture *f, BlockNode *n)
{
    uint8_t out[8192], in[8192], zero[8192] = { 0 };

    for (size_t i = 0; i < sizeof(out); i++) {
        out[i] = i * 7;
    }
    g_assert_cmpint(io(f, n, BLOCK_WRITE, 4096, out, sizeof(out)), ==, 0);
    g_assert_cmpint(io(f, n, BLOCK_FLUSH, 0, NULL, 0), ==, 0);
    g_assert_cmpint(io(f, n, BLOCK_READ, 4096, in, sizeof(in)), ==, 0);
    g_assert_cmpmem(in, sizeof(in), out, sizeof(out));
    g_assert_cmpint(io(f, n, BLOCK_WRITE_ZEROES, 4096, NULL, 4096), ==, 0);
    g_assert_cmpint(io(f, n, BLOCK_READ, 4096, in, sizeof(in)), ==, 0);
    g_assert_cmpmem(in, 4096, zero, 4096);
    g_assert_cmpmem(in + 4096, 4096, out + 4096, 4096);
    g_assert_cmpint(io(f, n, BLOCK_DISCARD, 8192, NULL, 4096), ==, 0);
    /* the ends */
    g_assert_cmpint(io(f, n, BLOCK_WRITE, SIZE - 8192, out, 8192), ==, 0);
    g_assert_cmpint(io(f, n, BLOCK_READ, SIZE - 4096, in, 8192), ==, -EIO);
    g_assert_cmpint(io(f, n, BLOCK_READ, UINT64_MAX - 4095, in, 8192), ==, -EIO);
    g_assert_cmpint(io(f, n, BLOCK_WRITE, SIZE, out, 512), ==, -EIO);
}

static void test_threads(Fixture *f, gconstpointer data)
{
    check_data(f, node(f, "{'driver':'file','node-name':'a','filename':'%s','aio':'threads'}",
                       false, NULL));
}

static void test_uring(Fixture *f, gconstpointer data)
{
    check_data(f, node(f,
                       "{'driver':'raw','node-name':'a','file':{'driver':'file',"
                       "'filename':'%s'},'discard':'unmap'}",
                       false, NULL));
}

static void test_direct(Fixture *f, gconstpointer data)
{
    g_autoptr(GError) err = NULL;
    BlockNode *n = drive(f, "{'id':'d','file':'%s','cache':'none','format':'raw'}", &err);

    if (!n) {
        g_test_skip("the file system has no direct I/O");
        return;
    }
    check_data(f, n);
}

static void test_read_only(Fixture *f, gconstpointer data)
{
    uint8_t buf[512] = { 0 };
    BlockNode *n =
        node(f, "{'driver':'file','node-name':'a','filename':'%s','read-only':true}", false, NULL);

    g_assert_true(block_read_only(n));
    g_assert_cmpint(io(f, n, BLOCK_READ, 0, buf, 512), ==, 0);
    g_assert_cmpint(io(f, n, BLOCK_WRITE, 0, buf, 512), ==, -EPERM);
    g_assert_cmpint(io(f, n, BLOCK_DISCARD, 0, NULL, 512), ==, -EPERM);
    g_assert_cmpint(io(f, n, BLOCK_FLUSH, 0, NULL, 0), ==, 0);
    g_assert_false(block_resize(n, SIZE * 2, NULL));
}

/* --- the graph --- */

static void test_children(Fixture *f, gconstpointer data)
{
    g_autoptr(GError) err = NULL, used = NULL, below = NULL;
    BlockNode *p = node(f, "{'driver':'file','node-name':'p','filename':'%s'}", false, NULL);
    BlockNode *r = node(f, "{'driver':'raw','node-name':'r','file':'p'}", false, NULL), *part;
    uint8_t out[4096], in[4096];
    struct json_object *list;

    memset(out, 0x5a, sizeof(out));
    g_assert_null(node(f, "{'driver':'raw','node-name':'x','file':'nope'}", false, &err));
    g_assert_nonnull(strstr(err->message, "node-name='nope'"));
    part = node(f, "{'driver':'raw','node-name':'part','file':'p','offset':8192,'size':4096}",
                false, NULL);
    g_assert_cmpuint(block_size(part), ==, 4096);
    g_assert_cmpint(io(f, part, BLOCK_WRITE, 0, out, 4096), ==, 0);
    g_assert_cmpint(io(f, part, BLOCK_WRITE, 512, out, 4096), ==, -EIO);
    g_assert_cmpint(io(f, r, BLOCK_READ, 8192, in, 4096), ==, 0);
    g_assert_cmpmem(in, 4096, out, 4096);
    list = block_query(f->m, true);
    g_assert_cmpuint(json_object_array_length(list), ==, 3);
    json_object_put(list);
    /* in order: parents first */
    g_assert_true(block_node_del(f->m, "part", NULL));
    g_assert_false(block_node_del(f->m, "p", &used));
    g_assert_nonnull(strstr(used->message, "node 'r'"));
    /* a size change of a child is visible in its parent */
    g_assert_true(block_attach(r, &reader, "disk", NULL));
    g_assert_true(block_resize(p, 2 * SIZE, NULL));
    g_assert_cmpuint(block_size(r), ==, 2 * SIZE);
    g_assert_false(block_node_del(f->m, "r", &below));
    g_assert_nonnull(strstr(below->message, "device 'disk'"));
    block_detach(r, &reader);
    g_assert_true(block_node_del(f->m, "r", NULL));
    g_assert_true(block_node_del(f->m, "p", NULL));
    g_assert_null(block_find(f->m, "p"));
}

/* A child created inline ends with its parent, and inherits the settings it does not have. */
static void test_inline(Fixture *f, gconstpointer data)
{
    BlockNode *r = node(f,
                        "{'driver':'raw','node-name':'r','read-only':true,'file':{'driver':'file',"
                        "'filename':'%s','node-name':'p'}}",
                        false, NULL);
    g_autoptr(GError) err = NULL;

    g_assert_true(block_read_only(r));
    g_assert_true(block_read_only(block_find(f->m, "p")));
    g_assert_false(block_attach(r, &writer, "disk", &err));
    g_assert_nonnull(strstr(err->message, "read-only"));
    g_assert_false(block_node_del(f->m, "p", NULL));
    g_assert_true(block_node_del(f->m, "r", NULL));
    g_assert_null(block_find(f->m, "p"));
}

static void test_deep(Fixture *f, gconstpointer data)
{
    g_autoptr(GError) err = NULL;

    g_assert_nonnull(node(f, "{'driver':'null-co','node-name':'n1'}", false, NULL));
    for (unsigned i = 2; i <= BLOCK_DEPTH_MAX; i++) {
        g_autofree char *line =
            g_strdup_printf("{'driver':'raw','node-name':'n%u','file':'n%u'}", i, i - 1);

        g_assert_nonnull(node(f, line, false, NULL));
    }
    g_assert_null(node(f, "{'driver':'raw','node-name':'last','file':'n64'}", false, &err));
    g_assert_nonnull(strstr(err->message, "longer than 63"));
}

/* --- probing --- */

static void test_probe(Fixture *f, gconstpointer data)
{
    static const struct {
        const char *format, *magic;
        unsigned at, len;
    } rows[] = {
        { "qcow2", "QFI\xfb\0\0\0\5", 0, 8 },
        { "qcow", "QFI\xfb\0\0\0\1", 0, 8 },
        { "qed", "QED\0", 0, 4 },
        { "vmdk", "KDMV\1\0\0\0", 0, 8 },
        { "vhdx", "vhdxfile", 0, 8 },
        { "vdi", "\x7f\x10\xda\xbe", 64, 4 },
        { "vpc", "conectix", 0, 8 },
        { "luks", "LUKS\xba\xbe\0\1", 0, 8 },
        { "parallels", "WithoutFreeSpace", 0, 16 },
    };
    static const char line[] = "{'id':'d','file':'%s'}";
    uint8_t sector[1024], back[1024], zero[1024] = { 0 };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) err = NULL;
        const char *format = rows[i].format;
        BlockNode *n;

        put_file(f, rows[i].at, rows[i].magic, rows[i].len);
        g_assert_null(drive(f, line, &err));
        g_assert_nonnull(strstr(err->message, format));
        put_file(f, 0, zero, sizeof(zero));
        /* a probed raw disk must not become another format; other data are written */
        memset(sector, 0, sizeof(sector));
        memcpy(sector + rows[i].at, rows[i].magic, rows[i].len);
        n = drive(f, line, NULL);
        g_assert_cmpint(io(f, n, BLOCK_WRITE, 0, sector, 512), ==, -EPERM);
        g_assert_cmpint(io(f, n, BLOCK_WRITE, 0, sector, 1024), ==, -EPERM);
        g_assert_cmpint(io(f, n, BLOCK_WRITE, 512, sector, 512), ==, 0);
        memset(sector, 0x11, sizeof(sector));
        g_assert_cmpint(io(f, n, BLOCK_WRITE, 0, sector, 1024), ==, 0);
        g_assert_cmpint(io(f, n, BLOCK_READ, 0, back, 1024), ==, 0);
        g_assert_cmpmem(back, sizeof(back), sector, sizeof(sector));
        g_assert_cmpint(io(f, n, BLOCK_WRITE, 0, zero, 1024), ==, 0);
        g_assert_true(block_node_del(f->m, "d", NULL));
        memset(sector, 0, sizeof(sector));
        memcpy(sector + rows[i].at, rows[i].magic, rows[i].len);
        /* nothing is probed with a format, or by -blockdev */
        n = drive(f, "{'id':'d','file':'%s','format':'raw'}", NULL);
        g_assert_cmpint(io(f, n, BLOCK_WRITE, 0, sector, 512), ==, 0);
        g_assert_true(block_node_del(f->m, "d", NULL));
        n = node(f, "{'driver':'raw','node-name':'a','file':{'driver':'file','filename':'%s'}}",
                 false, NULL);
        g_assert_nonnull(n);
        g_assert_cmpint(io(f, n, BLOCK_WRITE, 0, zero, 1024), ==, 0);
        g_assert_true(block_node_del(f->m, "a", NULL));
    }
}

/* A write of zeroes becomes a hole in the host file. */
static void test_detect_zeroes(Fixture *f, gconstpointer data)
{
    static const char line[] = "{'id':'d','file':'%s','format':'raw','discard':'unmap',"
                               "'detect-zeroes':'unmap'}";
    g_autofree uint8_t *buf = g_malloc0(SIZE);
    GStatBuf before, after;
    BlockNode *n = drive(f, line, NULL);

    memset(buf, 1, SIZE);
    g_assert_cmpint(io(f, n, BLOCK_WRITE, 0, buf, SIZE), ==, 0);
    g_assert_cmpint(g_stat(f->path, &before), ==, 0);
    memset(buf, 0, SIZE);
    g_assert_cmpint(io(f, n, BLOCK_WRITE, 0, buf, SIZE), ==, 0);
    g_assert_cmpint(g_stat(f->path, &after), ==, 0);
    g_assert_cmpint(after.st_blocks, <, before.st_blocks);
    memset(buf, 1, SIZE);
    g_assert_cmpint(io(f, n, BLOCK_READ, 0, buf, SIZE), ==, 0);
    g_assert_cmpint(buf[0] | buf[SIZE - 1], ==, 0);
}

static uint64_t resized_to;

static void on_resized(void *opaque, uint64_t size)
{
    resized_to = size;
}

static void test_resize_and_use(Fixture *f, gconstpointer data)
{
    static const BlockUser user = { .resized = on_resized, .perm = RW, .shared = READ_SHARED };
    g_autoptr(GError) err = NULL, busy = NULL;
    BlockNode *n = drive(f, "{'id':'d','file':'%s','format':'raw','werror':'stop'}", NULL);

    g_assert_true(block_find(f->m, "d") == n);
    g_assert_true(block_find(f->m, "#block-d") == n);
    g_assert_cmpint(block_on_error(n, true), ==, BLOCK_ON_ERROR_STOP);
    g_assert_true(block_attach(n, &user, "disk0", NULL));
    g_assert_false(block_attach(n, &user, "disk1", &err));
    g_assert_nonnull(strstr(err->message, "disk0"));
    g_assert_false(block_node_del(f->m, "d", &busy));
    g_assert_false(block_resize(n, SIZE + 1, NULL));
    g_assert_true(block_resize(n, SIZE * 2, NULL));
    g_assert_cmpuint(resized_to, ==, SIZE * 2);
    g_assert_cmpuint(block_size(n), ==, SIZE * 2);
    block_detach(n, &user);
    g_assert_true(block_node_del(f->m, "d", NULL));
    g_assert_null(block_find(f->m, "d"));
}

static void test_refusals(Fixture *f, gconstpointer data)
{
    g_autofree char *fifo = g_strconcat(f->path, ".fifo", NULL);
    static const struct {
        const char *line, *says;
    } rows[] = {
        { "{'id':'d','format':'raw'}", "file=" },
        { "{'file':'%s'}", "id=" },
        { "{'id':'d','file':'%s','cache':'slow'}", "cache=slow" },
        { "{'id':'d','file':'%s','if':'ide'}", "if=ide" },
        { "{'id':'d','file':'%s','format':'qcow2'}", "not in qcow2 format" },
        { "{'id':'d','file':'%s','format':'vmdk'}", "format 'vmdk' is not available" },
        { "{'id':'d','file':'%s','format':'rwa'}", "Unknown driver 'rwa'" },
        { "{'id':'d','file':'%s','format':'raw','driver':'raw'}",
          "Cannot specify both 'driver' and 'format'" },
        { "{'id':'d','file':'%s','werror':'panic'}", "werror=panic" },
        { "{'id':'d','file':'%s','rerror':'enospc'}", "rerror=enospc" },
        { "{'id':'d','file':'%s','speed':'9'}", "'speed'" },
        { "{'id':'d','file':'%s','aio':'magic'}", "aio=magic" },
        { "{'id':'d','file':'%s','aio':'native'}", "cache.direct=on" },
        { "{'id':'d','file':'%s','format':'raw','bps':'9','bps_rd':'5'}", "bps-read" },
        { "{'id':'d','file':'%s','throttling':{'iops-tota':'9'}}", "iops-tota" },
        { "{'id':'d','file':'%s','format':'raw','iops_max':'9'}", "iops-total-max requires" },
        { "{'id':'d','file':'%s','bps':'1','throttling':{'bps-total':'9'}}", "same time" },
        { "{'id':'d','file':'%s','copy-on-read':'on'}", "copy-on-read=on" },
        { "{'id':'d','file':'%s','media':'tape'}", "media=tape" },
        { "{'id':'d','file':'%s','readonly':'on','read-only':'on'}", "alias" },
        { "{'id':'d','file':'%s','force-share':'on'}", "force-share=on" },
        { "{'id':'d','file':'%s','detect-zeroes':'unmap'}", "discard" },
        { "{'id':'d','file':'ftp://x/y'}", "Unknown protocol 'ftp'" },
        { "{'id':'d','file':'json:{'}", "JSON" },
        { "{'id':'d','file':'/nonexistent/disk','format':'raw'}", "/nonexistent/disk" },
        { "{'id':'d','file':'/dev/null','format':'raw'}", "to be a regular file" },
        { "{'id':'d','file':'%s.fifo','format':'raw','readonly':'on'}", "to be a regular file" },
        { "{'id':'d','file':'%s','readonly':'maybe'}", "maybe" },
    };

    g_assert_cmpint(mkfifo(fifo, 0600), ==, 0);
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) err = NULL;

        g_assert_null(drive(f, rows[i].line, &err));
        g_assert_nonnull(strstr(err->message, rows[i].says));
        g_assert_null(strchr(err->message, '\n'));
        g_assert_null(block_find(f->m, "d"));
    }
    g_unlink(fifo);
}

/* Many requests, deleted while in flight: each completes exactly once. */
static void test_flood(Fixture *f, gconstpointer data)
{
    enum { N = 600 };
    BlockNode *n = node(f, "{'driver':'file','node-name':'a','filename':'%s'}", false, NULL);
    g_autofree BlockRequest *reqs = g_new0(BlockRequest, N);
    g_autofree struct iovec *iov = g_new0(struct iovec, N);
    g_autofree uint8_t *data_buf = g_malloc0(N * 512);

    submit_sectors(f, n, BLOCK_READ, BLOCK_WRITE, 0, data_buf, N, reqs, iov);
    g_assert_cmpuint(block_in_flight(n), >, 0);
    g_assert_true(block_node_del(f->m, "a", NULL));
    g_assert_cmpuint(f->done, ==, N);
}

typedef struct Waiting {
    BlockNode *n;
    unsigned done;
} Waiting;

static void wait_inside(BlockRequest *req, int result)
{
    Waiting *w = req->opaque;

    w->done++;
    block_drain(w->n);
}

/* The first of several that complete together waits for the others in its callback. */
static void test_wait_inside(Fixture *f, gconstpointer data)
{
    Waiting w = { .n = node(f, "{'driver':'null-co','node-name':'z'}", false, NULL) };
    BlockRequest reqs[5];

    for (unsigned i = 0; i < G_N_ELEMENTS(reqs); i++) {
        reqs[i] = (BlockRequest){ .op = BLOCK_FLUSH, .done = wait_inside, .opaque = &w };
        block_submit(w.n, &reqs[i]);
    }
    WAIT_MAIN(w.done != 0, 20);
    g_assert_cmpuint(w.done, ==, G_N_ELEMENTS(reqs));
    g_assert_cmpuint(block_in_flight(w.n), ==, 0);
}

/* Writes to a drive without a write cache are on the disk when they complete. The mode is shown. */
static void test_cache_modes(Fixture *f, gconstpointer data)
{
    static const struct {
        const char *mode;
        bool through;
    } rows[] = { { "writeback", false }, { "writethrough", true }, { "unsafe", false } };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *line =
            g_strdup_printf("{'id':'d','file':'%%s','format':'raw','cache':'%s'}", rows[i].mode);
        uint8_t buf[512] = { 1 };
        struct json_object *list, *cache;
        BlockNode *n = drive(f, line, NULL);

        g_assert_nonnull(n);
        g_assert_cmpint(io(f, n, BLOCK_WRITE, 0, buf, sizeof(buf)), ==, 0);
        g_assert_cmpint(io(f, n, BLOCK_WRITE_ZEROES, 0, NULL, sizeof(buf)), ==, 0);
        list = block_query(f->m, true);
        cache = json_object_object_get(json_object_array_get_idx(list, 1), "cache");
        g_assert_cmpint(json_object_get_boolean(json_object_object_get(cache, "writeback")), ==,
                        !rows[i].through);
        json_object_put(list);
        g_assert_true(block_node_del(f->m, "d", NULL));
    }
}

static void test_null(Fixture *f, gconstpointer data)
{
    uint8_t buf[1024];
    struct json_object *list;
    BlockNode *n = drive(f, "{'id':'d','file':'null-co://','format':'raw'}", NULL);

    memset(buf, 0xaa, sizeof(buf));
    g_assert_cmpint(io(f, n, BLOCK_READ, 0, buf, sizeof(buf)), ==, 0);
    g_assert_cmphex(buf[0], ==, 0xaa);
    n = node(f, "{'driver':'null-co','node-name':'z','read-zeroes':true,'size':4096}", false, NULL);
    g_assert_cmpint(io(f, n, BLOCK_READ, 0, buf, sizeof(buf)), ==, 0);
    g_assert_cmphex(buf[1023], ==, 0);
    list = block_query(f->m, true);
    g_assert_cmpuint(json_object_array_length(list), ==, 3); /* one below the drive's */
    json_object_put(list);
    list = block_query(f->m, false);
    g_assert_cmpuint(json_object_array_length(list), ==, 1);
    json_object_put(list);
}

static uint64_t counted(struct json_object *list, const char *key)
{
    struct json_object *o = json_object_array_get_idx(list, 0), *v;

    g_assert_true(json_object_object_get_ex(json_object_object_get(o, "stats"), key, &v));
    return json_object_get_uint64(v);
}

/* Each request is counted at its node; failed ones separately. */
static void test_stats(Fixture *f, gconstpointer data)
{
    static const struct {
        const char *key;
        uint64_t value;
    } rows[] = {
        { "rd_operations", 2 },         { "rd_bytes", 1536 },
        { "wr_operations", 2 },         { "wr_bytes", 1024 },
        { "wr_highest_offset", 4096 },  { "flush_operations", 1 },
        { "unmap_operations", 1 },      { "unmap_bytes", 512 },
        { "failed_rd_operations", 1 },  { "failed_wr_operations", 0 },
        { "invalid_rd_operations", 0 }, { "wr_merged", 0 },
    };
    BlockNode *n = node(f, "{'driver':'null-co','node-name':'n','size':4096}", false, NULL);
    struct json_object *list;
    uint8_t buf[1024] = { 0 };

    list = block_query_stats(f->m, false);
    g_assert_cmpuint(json_object_array_length(list), ==, 0); /* no drive, no device */
    json_object_put(list);
    g_assert_cmpint(io(f, n, BLOCK_READ, 0, buf, 1024), ==, 0);
    g_assert_cmpint(io(f, n, BLOCK_READ, 512, buf, 512), ==, 0);
    g_assert_cmpint(io(f, n, BLOCK_READ, 4096, buf, 512), ==, -EIO);
    g_assert_cmpint(io(f, n, BLOCK_WRITE_ZEROES, 3584, NULL, 512), ==, 0);
    g_assert_cmpint(io(f, n, BLOCK_WRITE, 0, buf, 512), ==, 0);
    g_assert_cmpint(io(f, n, BLOCK_FLUSH, 0, NULL, 0), ==, 0);
    g_assert_cmpint(io(f, n, BLOCK_DISCARD, 0, NULL, 512), ==, 0);
    list = block_query_stats(f->m, true);
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        if (counted(list, rows[i].key) != rows[i].value) {
            g_error("%s: %" G_GUINT64_FORMAT, rows[i].key, counted(list, rows[i].key));
        }
    }
    g_assert_cmpuint(counted(list, "rd_total_time_ns"), >, 0);
    json_object_put(list);
}

#define ADD(name, fn) g_test_add("/block/" name, Fixture, NULL, setup, fn, teardown)
int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("threads", test_threads);
    ADD("stats", test_stats);
    ADD("uring", test_uring);
    ADD("direct", test_direct);
    ADD("read-only", test_read_only);
    ADD("children", test_children);
    ADD("inline", test_inline);
    ADD("deep", test_deep);
    ADD("probe", test_probe);
    ADD("detect-zeroes", test_detect_zeroes);
    ADD("resize-and-use", test_resize_and_use);
    ADD("refusals", test_refusals);
    ADD("flood", test_flood);
    ADD("wait-inside", test_wait_inside);
    ADD("cache-modes", test_cache_modes);
    ADD("null", test_null);
    return g_test_run();
}
