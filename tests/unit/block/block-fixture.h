/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A machine without devices and an image of SIZE bytes, for tests of block nodes.
 */
#ifndef TESTS_BLOCK_FIXTURE_H
#define TESTS_BLOCK_FIXTURE_H

#include <fcntl.h>
#include <glib/gstdio.h>
#include <json-c/json.h>
#include <unistd.h>

#include "../hw/core/fake-types.h"
#include "block/block.h"

enum { SIZE = 1 << 20 };

typedef struct Fixture {
    Machine *m;
    char *path;    /* the image */
    int result;    /* of the last request */
    unsigned done; /* completed requests */
    char *device;  /* a loop device on the image; NULL: none */
    int loop;      /* its descriptor; -1: none */
} Fixture;

enum { RW = BLOCK_PERM_CONSISTENT_READ | BLOCK_PERM_WRITE };
enum { READ_SHARED = BLOCK_PERM_ALL & ~BLOCK_PERM_WRITE };
static const BlockUser writer = { .perm = RW, .shared = READ_SHARED };
static const BlockUser reader = { .perm = BLOCK_PERM_CONSISTENT_READ, .shared = READ_SHARED };

static inline void setup(Fixture *f, gconstpointer data)
{
    int fd = g_file_open_tmp("test-block-XXXXXX", &f->path, NULL);

    g_assert_cmpint(ftruncate(fd, SIZE), ==, 0);
    close(fd);
    f->loop = -1;
    f->m = machine_new();
    machine_lock(f->m);
}

static inline void teardown(Fixture *f, gconstpointer data)
{
    block_free_all(f->m);
    machine_free(f->m);
    if (f->loop >= 0) {
        close(f->loop); /* the last user: the device detaches the file */
    }
    g_unlink(f->path);
    g_free(f->path);
    g_free(f->device);
}

/* Parse the options in which %s stands for the path of the image, if it occurs. */
static inline struct json_object *options_of(const Fixture *f, const char *line)
{
    g_auto(GStrv) parts = g_strsplit(line, "%s", -1);
    g_autofree char *text = g_strjoinv(f->path, parts);
    struct json_object *o = json_tokener_parse(text);

    g_assert_nonnull(o);
    return o;
}

/* Return n. A test without err requires a node: end it with the reason if there is none. */
static inline BlockNode *node_or_reason(BlockNode *n, GError *reason, GError **err)
{
    if (!n && !err) {
        g_test_message("%s", reason->message);
    }
    g_assert_true(n || err);
    if (reason) {
        g_propagate_error(err, reason);
    }
    return n;
}

static inline BlockNode *node(Fixture *f, const char *line, bool inactive, GError **err)
{
    struct json_object *o = options_of(f, line);
    GError *reason = NULL;
    BlockNode *n = block_node_new(f->m, o, inactive, &reason);

    json_object_put(o);
    return node_or_reason(n, reason, err);
}

static inline BlockNode *drive(Fixture *f, const char *line, GError **err)
{
    struct json_object *o = options_of(f, line);
    GError *reason = NULL;
    BlockNode *n = block_drive_new(f->m, o, false, &reason);

    json_object_put(o);
    return node_or_reason(n, reason, err);
}

static inline void on_done(BlockRequest *req, int result)
{
    Fixture *f = req->opaque;

    f->result = result;
    f->done++;
}

/* Submit one request and wait for it. It never completes within block_submit(). */
static inline int submit(Fixture *f, BlockNode *n, BlockRequest *req)
{
    req->done = on_done;
    req->opaque = f;
    f->done = 0;
    block_submit(n, req);
    g_assert_cmpuint(f->done, ==, 0);
    block_drain(n);
    g_assert_cmpuint(f->done, ==, 1);
    return f->result;
}

/* Perform a request in two segments. */
static inline int io(Fixture *f, BlockNode *n, BlockOp op, uint64_t at, void *buf, size_t len)
{
    struct iovec iov[2] = { { buf, len / 2 },
                            { buf ? (uint8_t *)buf + len / 2 : NULL, len - len / 2 } };
    BlockRequest req = { .op = op, .offset = at, .len = len, .iov = iov, .n_iov = 2 };

    return submit(f, n, &req);
}

/* Submit one request for each of count successive sectors. Odd requests have the operation `odd`.
 */
static inline void submit_sectors(Fixture *f, BlockNode *n, BlockOp even, BlockOp odd, uint64_t at,
                                  uint8_t *data, unsigned count, BlockRequest *reqs,
                                  struct iovec *iov)
{
    f->done = 0;
    for (unsigned i = 0; i < count; i++) {
        iov[i] = (struct iovec){ data + i * 512, 512 };
        reqs[i] = (BlockRequest){ .op = i & 1 ? odd : even,
                                  .offset = at + i * 512,
                                  .len = 512,
                                  .iov = &iov[i],
                                  .n_iov = 1,
                                  .done = on_done,
                                  .opaque = f };
        block_submit(n, &reqs[i]);
    }
}

static inline void put_file(const Fixture *f, uint64_t at, const void *data, size_t len)
{
    int fd = g_open(f->path, O_RDWR);

    g_assert_cmpint(pwrite(fd, data, len, at), ==, (ssize_t)len);
    close(fd);
}

#endif
