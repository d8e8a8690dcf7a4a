/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Turns: a driver that submits as much work as it can gets all of it processed, in parts between
 * which the main loop serves other sources, during any other operation.
 */
#include <linux/virtio_blk.h>

#include "../char/serial-driver.h"
#include "block/internal.h"
#include "chardev/ringbuf.h"

enum { MANY = 128, DATA = DRV_DATA, MIB = 1 << 20 };

/* --- another source of the main loop --- */

static gboolean count_turn(gpointer opaque)
{
    ++*(unsigned *)opaque;
    return G_SOURCE_CONTINUE;
}

/* Run the main loop until queue q returns a chain. Returns its length, and in *turns how often
 * another source of the main loop was dispatched. */
static int64_t wait_counting(Drv *v, unsigned q, unsigned n, unsigned *turns)
{
    guint source;
    int64_t len;

    *turns = 0;
    source = g_idle_add_full(G_PRIORITY_DEFAULT, count_turn, turns, NULL);
    len = drv_wait(v, q, n);
    g_source_remove(source);
    return len;
}

static void run_loop(void)
{
    while (g_main_context_iteration(NULL, FALSE)) {
    }
}

/* One chain of n segments of `len` bytes, all with the same memory. */
static void offer_big(Drv *v, unsigned q, unsigned n, uint32_t len, bool write)
{
    DrvSeg s[16];

    for (unsigned i = 0; i < n; i++) {
        s[i] = (DrvSeg){ RAM + DATA, len, write };
    }
    drv_offer(v, q, s, n);
}

/* --- rng --- */

enum { RNG_LEN = 256 << 10 };

static void start_rng(Fixture *f, Drv *v)
{
    drv_machine(f, NULL, NULL);
    drv_plug(v, f, "virtio-rng-pci", NULL, false);
    drv_start(v, 0, 1);
    offer_big(v, 0, 4, RNG_LEN, true);
    drv_kick(v, 0);
    g_assert_cmpint(drv_collect(v, 0, 4), ==, -1);
}

static void test_rng(void)
{
    Fixture f;
    Drv v;
    unsigned turns;

    start_rng(&f, &v);
    memset(drv_ram(&v, DATA + RNG_LEN - 64), 0, 64);
    g_assert_cmpint(wait_counting(&v, 0, 4, &turns), ==, 4 * RNG_LEN);
    g_assert_cmpuint(turns, >=, 4);
    for (unsigned i = 0, zeroes = 0; i < 64; i++) { /* the end of each segment is filled */
        zeroes += *drv_ram(&v, DATA + RNG_LEN - 64 + i) == 0;
        g_assert_cmpuint(zeroes, <, 16);
    }
    drv_running(&v);
    drv_finish(&f);
}

/* Reset, stopped, saved and loaded, unplugged in the middle of a chain. */
static void test_rng_interrupted(void)
{
    Fixture f;
    Drv v;
    g_autoptr(GByteArray) saved = NULL;

    start_rng(&f, &v);
    drv_set_status(&v, 0);
    run_loop();
    drv_finish(&f);

    start_rng(&f, &v);
    machine_set_state(f.m, RUN_PAUSED);
    run_loop();
    g_assert_cmpint(drv_collect(&v, 0, 4), ==, -1);
    saved = save_state(v.d);
    g_assert_true(load_state(v.d, saved, NULL));
    run_loop();
    g_assert_cmpint(drv_collect(&v, 0, 4), ==, -1);
    machine_set_state(f.m, RUN_RUNNING);
    g_assert_cmpint(drv_wait(&v, 0, 4), ==, 4 * RNG_LEN);
    drv_finish(&f);

    start_rng(&f, &v);
    device_unplug(&v.d->dev);
    run_loop();
    drv_finish(&f);
}

/* --- console --- */

static void test_console(void)
{
    static const char *const types[] = { "virtconsole", "virtserialport" };

    for (size_t i = 0; i < G_N_ELEMENTS(types); i++) {
        g_autofree char *port = g_strdup_printf("%s,id=p,bus=dut.0,nr=1,chardev=r", types[i]);
        g_autoptr(GError) err = NULL;
        g_autoptr(GByteArray) got = NULL;
        unsigned turns;
        Chardev *c;
        Sd s;

        sd_init(&s, NULL, false);
        c = sd_chardev(&s, "ringbuf,id=r,size=1048576");
        g_assert_nonnull(sd_plug_device(&s, port, &err));
        drv_start(&s.v, F_BIT(1), 6); /* MULTIPORT */
        for (unsigned j = 0; j < MIB / 2; j++) {
            *drv_ram(&s.v, DATA + j) = (uint8_t)(j * 7 + j / 256);
        }
        offer_big(&s.v, 5, 16, MIB / 2, false); /* 8 MiB */
        drv_kick(&s.v, 5);
        g_assert_cmpint(drv_collect(&s.v, 5, 16), ==, -1);
        g_assert_cmpint(wait_counting(&s.v, 5, 16, &turns), ==, 0);
        g_assert_cmpuint(turns, >=, 16);
        got = chardev_ringbuf_read(c, MIB);
        g_assert_cmpuint(got->len, ==, MIB);
        g_assert_cmpmem(got->data, MIB / 2, drv_ram(&s.v, DATA), MIB / 2);
        g_assert_cmpmem(got->data + MIB / 2, MIB / 2, drv_ram(&s.v, DATA), MIB / 2);
        sd_fini(&s);
    }
}

/* --- blk --- */

static struct Disk {
    unsigned submitted, most, in_flight;
    uint64_t next, bytes; /* offset of the next step of a large request; all bytes */
    bool hold;
} disk;

static BlockDriver counting;

static void disk_submit(BlockNode *n, BlockRequest *req)
{
    disk.submitted++;
    disk.bytes += req->len;
    if (req->len > MIB) {
        g_assert_cmpuint(req->offset, ==, disk.next);
        disk.next = req->offset + req->len;
    }
    disk.most = MAX(disk.most, block_in_flight(n));
    block_complete_any(req, 0);
}

/* The protocol node below the raw one. */
static BlockNode *disk_node(Fixture *f)
{
    return block_find(f->m, "d0")->child->node;
}

static void start_blk(Fixture *f, Drv *v)
{
    disk = (struct Disk){ 0 };
    counting = block_null;
    counting.submit = disk_submit;
    drv_machine(f, "{'id':'d0','format':'raw','file':{'driver':'null-co','size':67108864}}", NULL);
    disk_node(f)->drv = &counting;
    drv_plug(v, f, "virtio-blk-pci", "drive=d0,queue-size=1024,num-queues=2", false);
    drv_start(v, F_BIT(VIRTIO_BLK_F_FLUSH), 2);
    memset(drv_ram(v, DATA), 0, 16);
}

static void offer_reads(Drv *v, unsigned q, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        DrvSeg s[] = { { RAM + DATA, 16, false },
                       { RAM + DATA + 0x1000, 512, true },
                       { RAM + DATA + 0x2000, 1, true } };

        drv_offer(v, q, s, 3);
    }
}

static unsigned used(Drv *v, unsigned q)
{
    return guest_read(v->f, v->ring[q].device + 2, 2);
}

static void test_blk(void)
{
    Fixture f;
    Drv v;
    unsigned first;

    start_blk(&f, &v);
    offer_reads(&v, 0, 300);
    offer_reads(&v, 1, 300);
    drv_kick(&v, 0);
    first = disk.submitted;
    g_assert_cmpuint(first, >, 50);
    g_assert_cmpuint(first, <, 200);
    drv_kick(&v, 0); /* it has its turn later, independent of the driver */
    g_assert_cmpuint(disk.submitted, ==, first);
    drv_kick(&v, 1);
    while (used(&v, 0) < 300 || used(&v, 1) < 300) {
        unsigned a = used(&v, 0), b = used(&v, 1);

        g_assert_cmpint(abs((int)a - (int)b), <=, 210); /* both queues make progress */
        g_main_context_iteration(NULL, FALSE);
    }
    g_assert_cmpuint(disk.submitted, ==, 600);
    drv_running(&v);
    drv_finish(&f);
}

/* One request of 16 MiB: executed in steps, sequentially, and complete at the end. */
static void test_blk_large(void)
{
    DrvSeg s[20] = { { RAM + DATA, 16, false } };
    Fixture f;
    Drv v;

    start_blk(&f, &v);
    for (unsigned i = 1; i < 19; i++) {
        s[i] = (DrvSeg){ RAM, MIB, false };
    }
    s[1].addr += DATA + 0x1000;
    s[1].len = 0x1000;
    s[19] = (DrvSeg){ RAM + DATA + 0x800, 1, true };
    *drv_ram(&v, DATA) = 1; /* write */
    *drv_ram(&v, DATA + 0x800) = 0xff;
    drv_offer(&v, 0, s, 20);
    drv_kick(&v, 0);
    g_assert_cmpuint(disk.submitted, ==, 1);
    g_assert_cmpint(drv_wait(&v, 0, 20), ==, 1);
    g_assert_cmpuint(*drv_ram(&v, DATA + 0x800), ==, 0);
    g_assert_cmpuint(disk.bytes, ==, 17 * (uint64_t)MIB + 0x1000);
    g_assert_cmpuint(disk.submitted, ==, 9);
    /* stopped between two steps and loaded: it starts again; reset: it is dropped */
    for (unsigned reset = 0; reset < 2; reset++) {
        g_autoptr(GByteArray) saved = NULL, again = NULL;

        disk = (struct Disk){ 0 };
        drv_offer(&v, 0, s, 20);
        drv_kick(&v, 0);
        machine_set_state(f.m, RUN_PAUSED);
        run_loop();
        g_assert_cmpuint(disk.submitted, ==, 1);
        saved = save_state(v.d);
        drv_set_status(&v, 0);
        g_assert_true(load_state(v.d, saved, NULL));
        again = save_state(v.d);
        g_assert_cmpmem(saved->data, saved->len, again->data, again->len);
        if (reset) {
            drv_set_status(&v, 0);
        }
        disk.next = 0;
        machine_set_state(f.m, RUN_RUNNING);
        if (reset) {
            run_loop();
            g_assert_cmpuint(disk.submitted, ==, 1);
        } else {
            g_assert_cmpint(drv_wait(&v, 0, 20), ==, 1);
            g_assert_cmpuint(disk.submitted, ==, 1 + 9);
        }
    }
    drv_finish(&f);
}

/* Work in flight is bounded for any amount that a driver submits. */
static void held_submit(BlockNode *n, BlockRequest *req)
{
    disk.submitted++;
    disk.bytes += req->len;
    disk.in_flight++;
    if (disk.hold) {
        g_ptr_array_add(n->priv, req);
    } else {
        block_complete_any(req, 0);
    }
}

static void test_blk_in_flight(void)
{
    Fixture f;
    Drv v;
    BlockNode *n;
    GPtrArray *held = g_ptr_array_new();
    void *was;

    start_blk(&f, &v);
    n = disk_node(&f);
    counting.submit = held_submit;
    was = n->priv;
    n->priv = held;
    disk.hold = true;
    for (unsigned i = 0; i < 50; i++) { /* 1 MiB each */
        DrvSeg s[] = { { RAM + DATA, 16, false },
                       { RAM, MIB, true },
                       { RAM + DATA + 0x2000, 1, true } };

        drv_offer(&v, 0, s, 3);
        drv_kick(&v, 0);
        memset(drv_ram(&v, DATA), 0, 16);
        run_loop();
    }
    g_assert_cmpuint(disk.submitted, ==, 32);
    disk.hold = false;
    for (unsigned i = 0; i < held->len; i++) {
        block_complete_any(g_ptr_array_index(held, i), 0);
    }
    while (used(&v, 0) < 50) {
        g_main_context_iteration(NULL, FALSE);
    }
    n->priv = was;
    g_ptr_array_free(held, TRUE);
    drv_finish(&f);
}

/* A notification from inside another device's access starts no turn. */
static void test_nested(void)
{
    Fixture f;
    Drv v;

    start_blk(&f, &v);
    offer_reads(&v, 0, 1);
    f.m->entered++;
    drv_kick(&v, 0);
    g_assert_cmpuint(disk.submitted, ==, 0);
    f.m->entered--;
    g_assert_cmpint(drv_wait(&v, 0, 3), ==, 513);
    drv_finish(&f);
}

/* A device whose realize() fails immediately, and one whose realize() fails later. */
static void test_refused(void)
{
    Fixture f;

    drv_machine(&f, DRV_NULL_DRIVE, NULL);
    refused(&f, drv_type("virtio-blk-pci"), "pcie.0", "dut", DRV_DEVFN,
            "drive=d0,disable-legacy=on,disable-modern=on", "one is required");
    refused(&f, drv_type("virtio-blk-pci"), "pcie.0", "dut", DRV_DEVFN, NULL, "drive");
    machine_set_state(f.m, RUN_PAUSED);
    machine_set_state(f.m, RUN_RUNNING);
    drv_finish(&f);
}

/* ioeventfd=on: a notification only schedules a turn of the event loop. tx=bh: for transmit queues.
 */
static void test_later(void)
{
    static const struct {
        const char *type, *settings;
        unsigned queue;
        bool later;
    } cases[] = {
        { "virtio-rng-pci", NULL, 0, false },
        { "virtio-rng-pci", "ioeventfd=off", 0, false },
        { "virtio-rng-pci", "ioeventfd=on", 0, true },
        { "virtio-net-pci", NULL, 1, false },
        { "virtio-net-pci", "tx=bh", 1, true },
        { "virtio-net-pci", "tx=auto,ioeventfd=on", 1, true },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        Fixture f;
        Drv v;

        drv_machine(&f, NULL, NULL);
        drv_plug(&v, &f, cases[i].type, cases[i].settings, false);
        drv_start(&v, 0, cases[i].queue + 1);
        offer_big(&v, cases[i].queue, 1, 64, cases[i].queue == 0);
        drv_kick(&v, cases[i].queue);
        g_assert_cmpint(drv_collect(&v, cases[i].queue, 1) == -1, ==, cases[i].later);
        if (cases[i].later) {
            g_assert_cmpint(drv_wait(&v, cases[i].queue, 1), ==, cases[i].queue ? 0 : 64);
        }
        drv_finish(&f);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/turns/rng", test_rng);
    g_test_add_func("/turns/rng-interrupted", test_rng_interrupted);
    g_test_add_func("/turns/console", test_console);
    g_test_add_func("/turns/blk", test_blk);
    g_test_add_func("/turns/blk-large", test_blk_large);
    g_test_add_func("/turns/blk-in-flight", test_blk_in_flight);
    g_test_add_func("/turns/nested", test_nested);
    g_test_add_func("/turns/later", test_later);
    g_test_add_func("/turns/refused", test_refused);
    return g_test_run();
}
