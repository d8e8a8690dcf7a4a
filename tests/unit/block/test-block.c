/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Block nodes over real files: data, ends, read-only, locks, hand-over, resizing, options that
 * are refused, and requests in flight at deletion.
 */
#include "block/block.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "../hw/core/fake-types.h"

enum { SIZE = 1 << 20 };

typedef struct Fixture {
    Machine *m;
    char *path;
    int result;
    unsigned done;
} Fixture;

static void setup(Fixture *f, gconstpointer data)
{
    int fd = g_file_open_tmp("test-block-XXXXXX", &f->path, NULL);

    g_assert_cmpint(ftruncate(fd, SIZE), ==, 0);
    close(fd);
    f->m = machine_new();
    machine_lock(f->m);
}

static void teardown(Fixture *f, gconstpointer data)
{
    block_free_all(f->m);
    machine_free(f->m);
    g_unlink(f->path);
    g_free(f->path);
}

/* The line with the file's name for %s, if it has one. */
static char *with_path(const Fixture *f, const char *line)
{
    g_auto(GStrv) parts = g_strsplit(line, "%s", -1);

    return g_strjoinv(f->path, parts);
}

static BlockNode *node(Fixture *f, const char *line, bool inactive, GError **err)
{
    g_autofree char *text = with_path(f, line);
    struct json_object *o = json_tokener_parse(text);
    BlockNode *n;

    g_assert_nonnull(o);
    n = block_node_new(f->m, o, inactive, err);
    json_object_put(o);
    return n;
}

static BlockNode *drive(Fixture *f, const char *line, GError **err)
{
    g_autofree char *text = with_path(f, line);
    struct json_object *o = json_tokener_parse(text);
    BlockNode *n = block_drive_new(f->m, o, false, err);

    json_object_put(o);
    return n;
}

static void on_done(BlockRequest *req, int result)
{
    Fixture *f = req->opaque;

    f->result = result;
    f->done++;
}

static int io(Fixture *f, BlockNode *n, BlockOp op, uint64_t at, void *buf, size_t len)
{
    struct iovec iov[2] = { { buf, len / 2 }, { (uint8_t *)buf + len / 2, len - len / 2 } };
    BlockRequest req = {
        .op = op, .offset = at, .len = len, .iov = iov, .n_iov = 2, .done = on_done, .opaque = f
    };

    f->done = 0;
    block_submit(n, &req);
    g_assert_cmpuint(f->done, ==, 0); /* never from inside the call */
    block_drain(n);
    g_assert_cmpuint(f->done, ==, 1);
    return f->result;
}

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

static void test_locks(Fixture *f, gconstpointer data)
{
    g_autoptr(GError) err = NULL;
    const char *line = "{'driver':'file','node-name':'b','filename':'%s'}";
    BlockNode *a = node(f, "{'driver':'file','node-name':'a','filename':'%s'}", false, NULL), *b;
    uint8_t buf[512] = { 0 };

    g_assert_null(node(f, line, false, &err));
    g_assert_nonnull(strstr(err->message, "another process"));
    /* hand-over: the target opens it inactive, the source gives it away, the target takes it */
    b = node(f, line, true, NULL);
    g_assert_cmpint(io(f, b, BLOCK_READ, 0, buf, 512), ==, -EIO);
    g_assert_false(block_activate_all(f->m, NULL));
    g_assert_true(block_node_del(f->m, "b", NULL));
    g_assert_true(block_inactivate_all(f->m, NULL));
    g_assert_cmpint(io(f, a, BLOCK_WRITE, 0, buf, 512), ==, -EIO);
    b = node(f, line, false, NULL);
    g_assert_nonnull(b);
    g_assert_false(block_activate_all(f->m, NULL));
}

/* Whoever else holds the open file: the kernel does so for a moment after the last io_uring
 * request. */
static int open_again(const char *path)
{
    for (int fd = 3; fd < 1024; fd++) {
        g_autofree char *name = g_strdup_printf("/proc/self/fd/%d", fd);
        g_autofree char *target = g_file_read_link(name, NULL);

        if (target && strcmp(target, path) == 0) {
            return dup(fd);
        }
    }
    return -1;
}

static void test_lock_ends_with_node(Fixture *f, gconstpointer data)
{
    const char *line = "{'driver':'file','node-name':'a','filename':'%s'}";
    int fd;

    g_assert_nonnull(node(f, line, false, NULL));
    fd = open_again(f->path);
    g_assert_cmpint(fd, >=, 0);
    g_assert_true(block_node_del(f->m, "a", NULL));
    g_assert_nonnull(node(f, line, false, NULL));
    close(fd);
}

static uint64_t resized_to;

static void on_resized(void *opaque, uint64_t size)
{
    resized_to = size;
}

static void test_resize_and_use(Fixture *f, gconstpointer data)
{
    static const BlockUser user = { .resized = on_resized };
    g_autoptr(GError) err = NULL, busy = NULL;
    BlockNode *n = drive(f, "{'id':'d','file':'%s','werror':'stop'}", NULL);

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
    block_detach(n);
    g_assert_true(block_node_del(f->m, "d", NULL));
    g_assert_null(block_find(f->m, "d"));
}

static void test_refusals(Fixture *f, gconstpointer data)
{
    static const struct {
        const char *line, *says;
    } rows[] = {
        { "{'id':'d'}", "file=" },
        { "{'file':'%s'}", "id=" },
        { "{'id':'d','file':'%s','cache':'slow'}", "cache=slow" },
        { "{'id':'d','file':'%s','if':'ide'}", "if=ide" },
        { "{'id':'d','file':'%s','format':'qcow2'}", "format=qcow2" },
        { "{'id':'d','file':'%s','werror':'panic'}", "werror=panic" },
        { "{'id':'d','file':'%s','speed':'9'}", "'speed'" },
        { "{'id':'d','file':'%s','aio':'magic'}", "aio=magic" },
        { "{'id':'d','file':'/nonexistent/disk'}", "/nonexistent/disk" },
        { "{'id':'d','file':'/dev/null'}", "neither a regular file" },
        { "{'id':'d','file':'%s','readonly':'maybe'}", "maybe" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) err = NULL;

        g_assert_null(drive(f, rows[i].line, &err));
        g_assert_nonnull(strstr(err->message, rows[i].says));
        g_assert_null(strchr(err->message, '\n'));
        g_assert_null(block_find(f->m, "d"));
    }
}

/* Many requests at once, deleted while in flight: each ends exactly once. */
static void test_flood(Fixture *f, gconstpointer data)
{
    enum { N = 600 };
    BlockNode *n = node(f, "{'driver':'file','node-name':'a','filename':'%s'}", false, NULL);
    g_autofree BlockRequest *reqs = g_new0(BlockRequest, N);
    g_autofree struct iovec *iov = g_new0(struct iovec, N);
    g_autofree uint8_t *data_buf = g_malloc0(N * 512);

    for (unsigned i = 0; i < N; i++) {
        iov[i] = (struct iovec){ data_buf + i * 512, 512 };
        reqs[i] = (BlockRequest){ .op = i & 1 ? BLOCK_WRITE : BLOCK_READ,
                                  .offset = i * 512,
                                  .len = 512,
                                  .iov = &iov[i],
                                  .n_iov = 1,
                                  .done = on_done,
                                  .opaque = f };
        block_submit(n, &reqs[i]);
    }
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

/* The first of several that finish together waits for the others from inside its callback. */
static void test_wait_inside(Fixture *f, gconstpointer data)
{
    Waiting w = { .n = node(f, "{'driver':'null-co','node-name':'z'}", false, NULL) };
    BlockRequest reqs[5];
    gint64 since = g_get_monotonic_time();

    for (unsigned i = 0; i < G_N_ELEMENTS(reqs); i++) {
        reqs[i] = (BlockRequest){ .op = BLOCK_FLUSH, .done = wait_inside, .opaque = &w };
        block_submit(w.n, &reqs[i]);
    }
    while (w.done == 0) {
        g_main_context_iteration(NULL, TRUE);
    }
    g_assert_cmpuint(w.done, ==, G_N_ELEMENTS(reqs));
    g_assert_cmpuint(block_in_flight(w.n), ==, 0);
    g_assert_cmpint(g_get_monotonic_time() - since, <, G_USEC_PER_SEC * 30);
}

/* Writes of a drive without a write cache are on the disk when they end; the mode is shown. */
static void test_cache_modes(Fixture *f, gconstpointer data)
{
    static const struct {
        const char *mode;
        bool through;
    } rows[] = { { "writeback", false }, { "writethrough", true }, { "unsafe", false } };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *line =
            g_strdup_printf("{'id':'d','file':'%%s','cache':'%s'}", rows[i].mode);
        uint8_t buf[512] = { 1 };
        struct json_object *list, *cache;
        BlockNode *n = drive(f, line, NULL);

        g_assert_nonnull(n);
        g_assert_cmpint(io(f, n, BLOCK_WRITE, 0, buf, sizeof(buf)), ==, 0);
        g_assert_cmpint(io(f, n, BLOCK_WRITE_ZEROES, 0, NULL, sizeof(buf)), ==, 0);
        list = block_query(f->m, true);
        cache = json_object_object_get(json_object_array_get_idx(list, 0), "cache");
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
    BlockNode *n = drive(f, "{'id':'d','file':'null-co://'}", NULL);

    memset(buf, 0xaa, sizeof(buf));
    g_assert_cmpint(io(f, n, BLOCK_READ, 0, buf, sizeof(buf)), ==, 0);
    g_assert_cmphex(buf[0], ==, 0xaa);
    n = node(f, "{'driver':'null-co','node-name':'z','read-zeroes':true,'size':4096}", false, NULL);
    g_assert_cmpint(io(f, n, BLOCK_READ, 0, buf, sizeof(buf)), ==, 0);
    g_assert_cmphex(buf[1023], ==, 0);
    list = block_query(f->m, true);
    g_assert_cmpuint(json_object_array_length(list), ==, 2);
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

/* Each request is counted where it belongs, failed ones apart. */
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
    ADD("locks", test_locks);
    ADD("lock-ends-with-node", test_lock_ends_with_node);
    ADD("resize-and-use", test_resize_and_use);
    ADD("refusals", test_refusals);
    ADD("flood", test_flood);
    ADD("wait-inside", test_wait_inside);
    ADD("cache-modes", test_cache_modes);
    ADD("null", test_null);
    return g_test_run();
}
