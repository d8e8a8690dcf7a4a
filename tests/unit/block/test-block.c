/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Block nodes over real files: data, ends, read-only, the graph and its permissions, locks,
 * hand-over, probing, temporary overlays, resizing, rejected options, and requests in flight at
 * deletion.
 */
#include "block/block.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../hw/core/fake-types.h"
#include "tests/lib/wait.h"

enum { SIZE = 1 << 20 };

typedef struct Fixture {
    Machine *m;
    char *path;
    int result;
    unsigned done;
    char *other;
} Fixture;

#define SWAP(a, b)                                                                                 \
    do {                                                                                           \
        char *c_ = (a);                                                                            \
        (a) = (b);                                                                                 \
        (b) = c_;                                                                                  \
    } while (0)

static bool no_fallocate; /* as on a file system that does not support it */

/* Replaces the function of the C library. */
int fallocate(int fd, int mode, off_t at, off_t len)
{
    if (no_fallocate) {
        errno = EOPNOTSUPP;
        return -1;
    }
    return (int)syscall(SYS_fallocate, fd, mode, at, len);
}

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

/* Replace %s in the line by the name of the file, if it occurs. */
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
    struct iovec iov[2] = { { buf, len / 2 },
                            { buf ? (uint8_t *)buf + len / 2 : NULL, len - len / 2 } };
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

enum { RW = BLOCK_PERM_CONSISTENT_READ | BLOCK_PERM_WRITE };
enum { READ_SHARED = BLOCK_PERM_ALL & ~BLOCK_PERM_WRITE };
static const BlockUser writer = { .perm = RW, .shared = READ_SHARED };
static const BlockUser reader = { .perm = BLOCK_PERM_CONSISTENT_READ, .shared = READ_SHARED };
static const BlockUser sharer = { .perm = RW, .shared = BLOCK_PERM_ALL };

/* Return the bytes of the image that open files of this process have locked, as "100 101 201". */
static char *locked_bytes(const Fixture *f)
{
    GString *out = g_string_new(NULL);
    int fd = g_open(f->path, O_RDWR);

    for (int at = 0; at < 300; at++) {
        struct flock lock = { .l_type = F_WRLCK, .l_start = at, .l_len = 1 };

        g_assert_cmpint(fcntl(fd, F_OFD_GETLK, &lock), ==, 0);
        if (lock.l_type != F_UNLCK) {
            g_string_append_printf(out, "%s%d", out->len ? " " : "", at);
        }
    }
    close(fd);
    return g_string_free(out, FALSE);
}

static void assert_locked(const Fixture *f, const char *bytes)
{
    g_autofree char *held = locked_bytes(f);

    g_assert_cmpstr(held, ==, bytes);
}

/* Every way of opening in QEMU's table. */
static void test_lock_bytes(Fixture *f, gconstpointer data)
{
    static const struct {
        const char *line;
        const BlockUser *user; /* NULL: none */
        const char *bytes;
    } rows[] = {
        { "{'id':'d','file':'%s','format':'raw'}", NULL, "100" },
        { "{'id':'d','file':'%s','format':'raw'}", &writer, "100 101 201" },
        { "{'id':'d','file':'%s','format':'raw'}", &sharer, "100 101" },
        { "{'id':'d','file':'%s','format':'raw','readonly':'on'}", &reader, "100 201" },
        { "{'id':'d','file':'%s','format':'raw','media':'cdrom'}", &reader, "100 201" },
        { "{'id':'d','file':'%s','format':'raw','snapshot':'on'}", NULL, "100 201 203" },
        { "{'id':'d','file':'%s','format':'raw','snapshot':'on'}", &writer, "100 201 203" },
        { "{'id':'d','driver':'raw','file':{'filename':'%s','locking':'off'}}", &writer, "" },
        { "{'id':'d','file':'%s','format':'raw','readonly':'on','force-share':'on'}", &reader,
          "100" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) err = NULL;
        BlockNode *n = drive(f, rows[i].line, &err);

        g_assert_no_error(err);
        if (rows[i].user) {
            g_assert_true(block_attach(n, rows[i].user, "disk", &err));
            assert_locked(f, rows[i].bytes);
            block_detach(n, rows[i].user);
        } else {
            assert_locked(f, rows[i].bytes);
        }
        g_assert_true(block_node_del(f->m, "d", NULL));
        assert_locked(f, "");
    }
}

static void test_locks(Fixture *f, gconstpointer data)
{
    g_autoptr(GError) err = NULL, again = NULL;
    BlockNode *a = node(f, "{'driver':'file','node-name':'a','filename':'%s'}", false, NULL);
    BlockNode *b = node(f, "{'driver':'file','node-name':'b','filename':'%s'}", false, NULL);
    BlockNode *c = node(f, "{'driver':'file','node-name':'c','filename':'%s'}", true, NULL);
    uint8_t buf[512] = { 0 };

    /* a node alone holds no lock; two devices exclude each other in either order */
    assert_locked(f, "");
    g_assert_true(block_attach(a, &writer, "one", NULL));
    g_assert_false(block_attach(b, &writer, "two", &err));
    g_assert_nonnull(strstr(err->message, "Failed to get \"write\" lock. Is another process using "
                                          "the image ["));
    g_assert_false(block_attach(b, &reader, "two", &again));
    g_assert_nonnull(strstr(again->message, "Failed to get shared \"write\" lock"));
    assert_locked(f, "100 101 201");
    /* hand-over: a target opens it inactive, the source releases it, the target activates it */
    g_assert_true(block_attach(c, &writer, "three", NULL));
    assert_locked(f, "100 101 201");
    g_assert_cmpint(io(f, c, BLOCK_READ, 0, buf, 512), ==, -EIO);
    g_assert_false(block_activate_all(f->m, NULL));
    g_assert_cmpint(io(f, c, BLOCK_READ, 0, buf, 512), ==, -EIO);
    block_detach(c, &writer);
    g_assert_true(block_inactivate_all(f->m, NULL));
    assert_locked(f, "");
    g_assert_cmpint(io(f, a, BLOCK_WRITE, 0, buf, 512), ==, -EIO);
    g_assert_true(block_activate_all(f->m, NULL));
    assert_locked(f, "100 101 201");
    g_assert_cmpint(io(f, a, BLOCK_WRITE, 0, buf, 512), ==, 0);
    block_detach(a, &writer);
    assert_locked(f, "");
}

/* Activation acquires all locks or none. */
static void test_activate_all_or_none(Fixture *f, gconstpointer data)
{
    int fd = g_open(f->path, O_RDWR);
    struct flock lock = { .l_type = F_RDLCK, .l_start = 201, .l_len = 1 };
    g_autofree char *other = g_strconcat(f->path, "2", NULL);
    g_autoptr(GError) err = NULL;
    BlockNode *a, *b;

    g_assert_true(g_file_set_contents(other, "", 0, NULL));
    a = node(f, "{'driver':'file','node-name':'a','filename':'%s2'}", true, NULL);
    b = node(f, "{'driver':'file','node-name':'b','filename':'%s'}", true, NULL);
    g_assert_true(block_attach(a, &writer, "one", NULL));
    g_assert_true(block_attach(b, &writer, "two", NULL));
    g_assert_cmpint(fcntl(fd, F_OFD_SETLK, &lock), ==, 0);
    g_assert_false(block_activate_all(f->m, &err));
    g_assert_nonnull(strstr(err->message, "block node 'b'"));
    f->other = other;
    SWAP(f->path, f->other);
    assert_locked(f, "");
    SWAP(f->path, f->other);
    close(fd);
    g_assert_true(block_activate_all(f->m, NULL));
    assert_locked(f, "100 101 201");
    block_detach(a, &writer);
    block_detach(b, &writer);
    g_unlink(other);
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

static void test_permissions(Fixture *f, gconstpointer data)
{
    BlockNode *p = node(f, "{'driver':'file','node-name':'p','filename':'%s'}", false, NULL);
    BlockNode *a = node(f, "{'driver':'raw','node-name':'a','file':'p'}", false, NULL);
    BlockNode *b = node(f, "{'driver':'raw','node-name':'b','file':'p'}", false, NULL);
    static const BlockUser two = { .perm = RW, .shared = BLOCK_PERM_ALL };
    g_autoptr(GError) err = NULL, same = NULL;

    g_assert_true(block_attach(a, &writer, "one", NULL));
    g_assert_false(block_attach(b, &sharer, "two", &err)); /* meets at p */
    g_assert_nonnull(strstr(err->message, "Permission conflict on node 'p': 'write'"));
    g_assert_false(block_attach(a, &reader, "three", &same));
    g_assert_nonnull(strstr(same->message, "share-rw=on"));
    block_detach(a, &writer);
    g_assert_true(block_attach(a, &sharer, "one", NULL));
    g_assert_true(block_attach(a, &two, "two", NULL));
    assert_locked(f, "100 101");
    block_detach(a, &two);
    block_detach(a, &sharer);
    assert_locked(f, "");
    g_assert_true(block_attach(b, &reader, "one", NULL));
    g_assert_true(block_attach(p, &reader, "two", NULL));
    block_detach(p, &reader);
    block_detach(b, &reader);
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
    g_assert_null(node(f, "{'driver':'raw','node-name':'last','file':'n16'}", false, &err));
    g_assert_nonnull(strstr(err->message, "longer than 15"));
}

/* --- probing --- */

static void put_file(const Fixture *f, uint64_t at, const void *data, size_t len)
{
    int fd = g_open(f->path, O_RDWR);

    g_assert_cmpint(pwrite(fd, data, len, at), ==, (ssize_t)len);
    close(fd);
}

static void test_probe(Fixture *f, gconstpointer data)
{
    static const struct {
        const char *format, *magic;
        unsigned at, len;
    } rows[] = {
        { "qcow2", "QFI\xfb\0\0\0\3", 0, 8 },
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
        g_autofree char *format = g_strdup_printf("'%s'", rows[i].format);
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

/* --- snapshot=on --- */

enum { MODEL = 256 * 1024 };

static void model_write(uint8_t *model, uint64_t at, uint64_t len, int value)
{
    memset(model + at, value, len);
}

/* Random requests compared with a model. The image is unchanged. */
static void test_overlay(Fixture *f, gconstpointer data)
{
    g_autofree uint8_t *model = g_malloc(MODEL), *image = g_malloc(MODEL), *buf = g_malloc(MODEL);
    g_autofree char *after = NULL;
    BlockNode *n;

    for (unsigned i = 0; i < MODEL; i++) {
        image[i] = (uint8_t)g_test_rand_int();
    }
    memcpy(model, image, MODEL);
    put_file(f, 0, image, MODEL);
    g_assert_cmpint(truncate(f->path, MODEL), ==, 0);
    n = drive(f, "{'id':'d','file':'%s','format':'raw','snapshot':'on','discard':'unmap'}", NULL);
    for (unsigned i = 0; i < 3000; i++) {
        uint64_t at = (uint64_t)g_test_rand_int_range(0, MODEL / 512) * 512;
        uint64_t some = (uint64_t)g_test_rand_int_range(1, 40) * 512, len = MIN(MODEL - at, some);
        int value = g_test_rand_int_range(1, 256), kind = g_test_rand_int_range(0, 8);

        if (kind == 0) {
            g_assert_cmpint(io(f, n, BLOCK_WRITE_ZEROES, at, NULL, len), ==, 0);
            model_write(model, at, len, 0);
        } else if (kind == 1) { /* complete clusters of 4096 bytes are discarded, partial ones
                                 * remain */
            uint64_t from = (at + 4095) / 4096 * 4096, to = (at + len) / 4096 * 4096;

            g_assert_cmpint(io(f, n, BLOCK_DISCARD, at, NULL, len), ==, 0);
            if (to > from) {
                model_write(model, from, to - from, 0);
            }
        } else if (kind < 5) {
            memset(buf, value, len);
            g_assert_cmpint(io(f, n, BLOCK_WRITE, at, buf, len), ==, 0);
            model_write(model, at, len, value);
        } else {
            g_assert_cmpint(io(f, n, BLOCK_READ, at, buf, len), ==, 0);
            g_assert_cmpmem(buf, len, model + at, len);
        }
    }
    g_assert_cmpint(io(f, n, BLOCK_FLUSH, 0, NULL, 0), ==, 0);
    g_assert_cmpint(io(f, n, BLOCK_READ, 0, buf, MODEL), ==, 0);
    g_assert_cmpmem(buf, MODEL, model, MODEL);
    /* truncated, and extended again: zeroes */
    g_assert_true(block_resize(n, 65536, NULL));
    g_assert_true(block_resize(n, MODEL * 2, NULL));
    g_assert_cmpint(io(f, n, BLOCK_READ, 0, buf, MODEL), ==, 0);
    memset(model + 65536, 0, MODEL - 65536);
    g_assert_cmpmem(buf, MODEL, model, MODEL);
    g_assert_true(g_file_get_contents(f->path, &after, NULL, NULL));
    g_assert_cmpmem(after, MODEL, image, MODEL);
}

/* TMPDIR on a file system that cannot punch holes: zeroes are written. */
static void test_overlay_plain(Fixture *f, gconstpointer data)
{
    no_fallocate = true;
    test_overlay(f, data);
    no_fallocate = false;
}

/* A guest whose disk is in a temporary file cannot be handed over. */
static void test_overlay_stays(Fixture *f, gconstpointer data)
{
    g_autoptr(GError) err = NULL;
    BlockNode *n = drive(f, "{'id':'d','file':'%s','format':'raw','snapshot':'on'}", NULL);

    g_assert_true(block_may_hand_over(f->m, NULL)); /* no guest uses it */
    g_assert_true(block_attach(n, &writer, "disk", NULL));
    g_assert_false(block_may_hand_over(f->m, &err));
    g_assert_nonnull(strstr(err->message, "'d' has snapshot=on"));
    g_assert_false(block_inactivate_all(f->m, NULL));
    assert_locked(f, "100 201 203");
    block_detach(n, &writer);
}

/* Many parallel writes to parts of the same clusters: none is lost. */
static void test_overlay_parallel(Fixture *f, gconstpointer data)
{
    enum { N = 512 };
    BlockNode *n = drive(f, "{'id':'d','file':'%s','format':'raw','snapshot':'on'}", NULL);
    g_autofree BlockRequest *reqs = g_new0(BlockRequest, N);
    g_autofree struct iovec *iov = g_new0(struct iovec, N);
    g_autofree uint8_t *out = g_malloc(N * 512), *in = g_malloc(N * 512);

    for (unsigned i = 0; i < N; i++) {
        memset(out + i * 512, (int)(i % 255 + 1), 512);
        iov[i] = (struct iovec){ out + i * 512, 512 };
        reqs[i] = (BlockRequest){ .op = BLOCK_WRITE,
                                  .offset = i * 512,
                                  .len = 512,
                                  .iov = &iov[i],
                                  .n_iov = 1,
                                  .done = on_done,
                                  .opaque = f };
        block_submit(n, &reqs[i]);
    }
    block_drain(n);
    g_assert_cmpint(io(f, n, BLOCK_READ, 0, in, N * 512), ==, 0);
    g_assert_cmpmem(in, N * 512, out, N * 512);
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

/* Another holder of the open file: the kernel is one for a short time after the last io_uring
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
    const char *line = "{'id':'d','file':'%s','format':'raw'}";
    int fd;

    g_assert_nonnull(drive(f, line, NULL));
    assert_locked(f, "100");
    fd = open_again(f->path);
    g_assert_cmpint(fd, >=, 0);
    g_assert_true(block_node_del(f->m, "d", NULL));
    assert_locked(f, "");
    close(fd);
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
        { "{'id':'d'}", "file=" },
        { "{'file':'%s'}", "id=" },
        { "{'id':'d','file':'%s','cache':'slow'}", "cache=slow" },
        { "{'id':'d','file':'%s','if':'ide'}", "if=ide" },
        { "{'id':'d','file':'%s','format':'qcow2'}", "format 'qcow2' is not available" },
        { "{'id':'d','file':'%s','format':'rwa'}", "Unknown driver 'rwa'" },
        { "{'id':'d','file':'%s','format':'raw','driver':'raw'}",
          "Cannot specify both 'driver' and 'format'" },
        { "{'id':'d','file':'%s','werror':'panic'}", "werror=panic" },
        { "{'id':'d','file':'%s','rerror':'enospc'}", "rerror=enospc" },
        { "{'id':'d','file':'%s','speed':'9'}", "'speed'" },
        { "{'id':'d','file':'%s','aio':'magic'}", "aio=magic" },
        { "{'id':'d','file':'%s','aio':'native'}", "cache.direct=on" },
        { "{'id':'d','file':'%s','format':'raw','bps':'9'}", "I/O limits" },
        { "{'id':'d','file':'%s','throttling':{'iops-total':'9'}}", "I/O limits" },
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
    ADD("lock-bytes", test_lock_bytes);
    ADD("locks", test_locks);
    ADD("activate-all-or-none", test_activate_all_or_none);
    ADD("children", test_children);
    ADD("inline", test_inline);
    ADD("permissions", test_permissions);
    ADD("deep", test_deep);
    ADD("probe", test_probe);
    ADD("overlay", test_overlay);
    ADD("overlay-plain", test_overlay_plain);
    ADD("overlay-stays", test_overlay_stays);
    ADD("overlay-parallel", test_overlay_parallel);
    ADD("detect-zeroes", test_detect_zeroes);
    ADD("lock-ends-with-node", test_lock_ends_with_node);
    ADD("resize-and-use", test_resize_and_use);
    ADD("refusals", test_refusals);
    ADD("flood", test_flood);
    ADD("wait-inside", test_wait_inside);
    ADD("cache-modes", test_cache_modes);
    ADD("null", test_null);
    return g_test_run();
}
