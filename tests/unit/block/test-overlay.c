/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Temporary overlays (snapshot=on): data compared with a model, and parallel writes.
 */
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>

#include "block-fixture.h"

static bool no_fallocate; /* as on a file system that does not support it */

/* Replaces the function of the C library; the parameters have the names that it declares. */
int fallocate(int __fd, int __mode, off_t __offset, off_t __len)
{
    if (no_fallocate) {
        errno = EOPNOTSUPP;
        return -1;
    }
    return (int)syscall(SYS_fallocate, __fd, __mode, __offset, __len);
}

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
    }
    submit_sectors(f, n, BLOCK_WRITE, BLOCK_WRITE, 0, out, N, reqs, iov);
    block_drain(n);
    g_assert_cmpint(io(f, n, BLOCK_READ, 0, in, N * 512), ==, 0);
    g_assert_cmpmem(in, N * 512, out, N * 512);
}

#define ADD(name, fn) g_test_add("/overlay/" name, Fixture, NULL, setup, fn, teardown)
int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("overlay", test_overlay);
    ADD("overlay-plain", test_overlay_plain);
    ADD("overlay-parallel", test_overlay_parallel);
    return g_test_run();
}
