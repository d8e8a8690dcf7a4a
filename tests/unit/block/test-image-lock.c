/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Permissions of references to block nodes and the locks of the images below: conflicts inside one
 * process and with another one, and hand-over.
 */
#include <errno.h>
#include <string.h>

#include "block-fixture.h"

static const BlockUser sharer = { .perm = RW, .shared = BLOCK_PERM_ALL };

/* Return the bytes of the image that open files of this process have locked, as "100 101 201". */
static char *locked_bytes(const char *path)
{
    GString *out = g_string_new(NULL);
    int fd = g_open(path, O_RDWR);

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

static void assert_locked(const char *path, const char *bytes)
{
    g_autofree char *held = locked_bytes(path);

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
            assert_locked(f->path, rows[i].bytes);
            block_detach(n, rows[i].user);
        } else {
            assert_locked(f->path, rows[i].bytes);
        }
        g_assert_true(block_node_del(f->m, "d", NULL));
        assert_locked(f->path, "");
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
    assert_locked(f->path, "");
    g_assert_true(block_attach(a, &writer, "one", NULL));
    g_assert_false(block_attach(b, &writer, "two", &err));
    g_assert_nonnull(strstr(err->message, "Failed to get \"write\" lock: node 'a' and node 'b' of "
                                          "this machine both use the image ["));
    g_assert_false(block_attach(b, &reader, "two", &again));
    g_assert_nonnull(strstr(again->message, "Failed to get shared \"write\" lock"));
    assert_locked(f->path, "100 101 201");
    /* hand-over: a target opens it inactive, the source releases it, the target activates it */
    g_assert_true(block_attach(c, &writer, "three", NULL));
    assert_locked(f->path, "100 101 201");
    g_assert_cmpint(io(f, c, BLOCK_READ, 0, buf, 512), ==, -EIO);
    g_assert_false(block_activate_all(f->m, NULL));
    g_assert_cmpint(io(f, c, BLOCK_READ, 0, buf, 512), ==, -EIO);
    block_detach(c, &writer);
    g_assert_true(block_inactivate_all(f->m, NULL));
    assert_locked(f->path, "");
    g_assert_cmpint(io(f, a, BLOCK_WRITE, 0, buf, 512), ==, -EIO);
    g_assert_true(block_activate_all(f->m, NULL));
    assert_locked(f->path, "100 101 201");
    g_assert_cmpint(io(f, a, BLOCK_WRITE, 0, buf, 512), ==, 0);
    block_detach(a, &writer);
    assert_locked(f->path, "");
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
    assert_locked(other, "");
    close(fd);
    g_assert_true(block_activate_all(f->m, NULL));
    assert_locked(f->path, "100 101 201");
    block_detach(a, &writer);
    block_detach(b, &writer);
    g_unlink(other);
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
    assert_locked(f->path, "100 101");
    block_detach(a, &two);
    block_detach(a, &sharer);
    assert_locked(f->path, "");
    g_assert_true(block_attach(b, &reader, "one", NULL));
    g_assert_true(block_attach(p, &reader, "two", NULL));
    block_detach(p, &reader);
    block_detach(b, &reader);
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
    assert_locked(f->path, "100 201 203");
    block_detach(n, &writer);
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
    assert_locked(f->path, "100");
    fd = open_again(f->path);
    g_assert_cmpint(fd, >=, 0);
    g_assert_true(block_node_del(f->m, "d", NULL));
    assert_locked(f->path, "");
    close(fd);
}

#define ADD(name, fn) g_test_add("/image-lock/" name, Fixture, NULL, setup, fn, teardown)
int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("lock-bytes", test_lock_bytes);
    ADD("locks", test_locks);
    ADD("activate-all-or-none", test_activate_all_or_none);
    ADD("permissions", test_permissions);
    ADD("overlay-stays", test_overlay_stays);
    ADD("lock-ends-with-node", test_lock_ends_with_node);
    return g_test_run();
}
