/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * aio=io_uring with a kernel that refuses entries: io_uring_submit() of liburing is replaced here.
 */
#include "config-host.h"

#include "block-fixture.h"

#ifdef CONFIG_IO_URING
#include <errno.h>
#include <liburing.h>

static unsigned refusals; /* the next calls that fail */

/* As the function of liburing. io_uring_submit_and_wait() with 0 is the same system call. */
int io_uring_submit(struct io_uring *ring)
{
    if (refusals > 0) {
        refusals--;
        return -EAGAIN;
    }
    return io_uring_submit_and_wait(ring, 0);
}

static void check_request(Fixture *f, BlockNode *n, unsigned i)
{
    uint8_t out[512], in[512];

    memset(out, (int)i + 1, sizeof(out));
    g_assert_cmpint(io(f, n, BLOCK_WRITE, 512 * (i % 64), out, sizeof(out)), ==, 0);
    g_assert_cmpint(io(f, n, BLOCK_READ, 512 * (i % 64), in, sizeof(in)), ==, 0);
    g_assert_cmpmem(in, sizeof(in), out, sizeof(out));
}

/* A refused request completes, also if no other request follows, and more often than the ring has
 * entries. */
static void test_refused(Fixture *f, gconstpointer data)
{
    g_autoptr(GError) err = NULL;
    BlockNode *n = node(f,
                        "{'driver':'file','node-name':'n','aio':'io_uring','cache':"
                        "{'direct':false},'filename':'%s'}",
                        false, &err);

    if (!n) {
        g_test_skip(err->message); /* no io_uring on this host */
        return;
    }
    g_assert_true(block_attach(n, &writer, "disk", NULL));
    for (unsigned i = 0; i < 600; i++) {
        refusals = i < 580 ? 2 : 0;
        check_request(f, n, i);
    }
    block_detach(n, &writer);
    g_assert_true(block_node_del(f->m, "n", NULL));
}

#else

static void test_refused(Fixture *f, gconstpointer data)
{
    g_test_skip("this build lacks liburing");
}

#endif

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add("/block/uring/refused", Fixture, NULL, setup, test_refused, teardown);
    return g_test_run();
}
