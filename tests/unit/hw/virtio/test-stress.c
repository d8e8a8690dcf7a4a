/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A disk with known contents under random I/O, while the guest resets, unplugs, reconfigures, saves
 * and loads the device and stops the machine at any moment, with changing register interfaces and
 * ring formats. After any operation, a block contains what was last acknowledged or something that
 * was written after it, completely; and at the end so does the file.
 */
#include <linux/virtio_blk.h>

#include <glib/gstdio.h>
#include <unistd.h>

#include "stress.h"

enum { BLOCKS = 256, BLOCK = 4096, SLOTS = 16, VERSIONS = 64, ROUNDS = 30000 };
enum { HEADS = DRV_DATA, STATUSES = DRV_DATA + 0x1000, BUFFERS = DRV_DATA + 0x2000 };

/* The versions that a block may contain, the acknowledged one first. */
typedef struct Block {
    uint32_t may[VERSIONS];
    unsigned n;
    bool busy; /* a request is in flight */
} Block;

typedef struct Slot {
    bool used;
    unsigned block;
    uint32_t type, version;
} Slot;

typedef struct Disk {
    Stress s;
    char *path;
    Block blocks[BLOCKS];
    Slot slots[SLOTS];
    GQueue order; /* slots in the order in which they were made available (packed rings return
                   * nothing else) */
    uint32_t version;
    unsigned acknowledged, checked;
} Disk;

static void fill(uint8_t *p, unsigned block, uint32_t version)
{
    uint32_t x = version * 2654435761u + block + 1;

    for (unsigned i = 0; i < BLOCK; i += 4) {
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        memcpy(p + i, &x, 4);
    }
}

static bool holds(const uint8_t *p, unsigned block, uint32_t version)
{
    uint8_t want[BLOCK];

    fill(want, block, version);
    return memcmp(p, want, BLOCK) == 0;
}

/* Return the version of a block's bytes, which must be a permitted one. */
static uint32_t identify(const Disk *d, unsigned block, const uint8_t *p)
{
    const Block *b = &d->blocks[block];

    for (unsigned i = 0; i < b->n; i++) {
        if (holds(p, block, b->may[i])) {
            return b->may[i];
        }
    }
    g_error("block %u holds none of the %u versions that it may", block, b->n);
}

static void settle_on(Block *b, uint32_t version)
{
    b->may[0] = version;
    b->n = 1;
}

/* --- I/O --- */

static void submit(Disk *d)
{
    unsigned n = g_test_rand_int_range(0, SLOTS), block = g_test_rand_int_range(0, BLOCKS);
    Slot *slot = &d->slots[n];
    Block *b = &d->blocks[block];
    uint64_t sector = block * (BLOCK / 512), buffer = BUFFERS + n * BLOCK;
    DrvSeg segs[] = { { RAM + HEADS + n * 16, 16, false },
                      { RAM + buffer, BLOCK, false },
                      { RAM + STATUSES + n, 1, true } };

    if (slot->used || b->busy || b->n == VERSIONS) {
        return;
    }
    *slot = (Slot){ true, block, g_test_rand_int_range(0, 3) ? VIRTIO_BLK_T_OUT : VIRTIO_BLK_T_IN,
                    ++d->version };
    b->busy = true;
    if (slot->type == VIRTIO_BLK_T_OUT) {
        b->may[b->n++] = slot->version;
        fill(drv_ram(&d->s.v, buffer), block, slot->version);
    }
    segs[1].write = slot->type == VIRTIO_BLK_T_IN;
    memcpy(drv_ram(&d->s.v, segs[0].addr - RAM), &slot->type, 4);
    memset(drv_ram(&d->s.v, segs[0].addr - RAM + 4), 0, 4);
    memcpy(drv_ram(&d->s.v, segs[0].addr - RAM + 8), &sector, 8);
    *drv_ram(&d->s.v, STATUSES + n) = 0xff;
    drv_offer(&d->s.v, 0, segs, 3);
    g_queue_push_tail(&d->order, slot);
}

static void finish(Disk *d, Slot *slot)
{
    unsigned n = slot - d->slots;
    Block *b = &d->blocks[slot->block];

    g_assert_cmpuint(*drv_ram(&d->s.v, STATUSES + n), ==, 0);
    if (slot->type == VIRTIO_BLK_T_OUT) {
        settle_on(b, slot->version);
        d->acknowledged++;
    } else {
        settle_on(b, identify(d, slot->block, drv_ram(&d->s.v, BUFFERS + n * BLOCK)));
        d->checked++;
    }
    b->busy = slot->used = false;
    g_queue_remove(&d->order, slot);
}

/* Every request with a status has completed. The ring must return the same number. */
static void collect(Disk *d)
{
    unsigned used = 0, ended = 0;

    while (drv_collect(&d->s.v, 0, 3) >= 0) {
        used++;
    }
    for (unsigned n = 0; n < SLOTS && used; n++) {
        if (d->slots[n].used && *drv_ram(&d->s.v, STATUSES + n) != 0xff) {
            finish(d, &d->slots[n]);
            ended++;
        }
    }
    g_assert_cmpuint(used, ==, ended);
}

/* A request that was in flight when the device was reset may or may not have been executed. */
static void forget(Stress *stress)
{
    Disk *d = (Disk *)stress;
    Slot *slot;

    while ((slot = g_queue_pop_head(&d->order))) {
        d->blocks[slot->block].busy = slot->used = false;
    }
}

static void plug_disk(Stress *s)
{
    s->v.d = plug_function(&s->f, drv_type("virtio-blk-pci"), "pcie.0", "dut", DRV_DEVFN,
                           g_test_rand_bit() ? "drive=d0,packed=on,disable-legacy=off,num-queues=2"
                                             : "drive=d0,packed=on,disable-legacy=off");
}

static void resize(Stress *s)
{
    BlockNode *n = block_find(s->f.m, "d0");

    g_assert_true(block_resize(n, (BLOCKS + g_test_rand_int_range(0, 64)) * BLOCK, NULL));
}

/* --- start and end --- */

static void start(Disk *d)
{
    g_autofree char *drive = NULL;
    uint8_t p[BLOCK];
    int fd = g_file_open_tmp("test-stress-XXXXXX", &d->path, NULL);

    for (unsigned i = 0; i < BLOCKS; i++) {
        settle_on(&d->blocks[i], ++d->version);
        fill(p, i, d->version);
        g_assert_cmpint(write(fd, p, BLOCK), ==, BLOCK);
    }
    close(fd);
    drive = g_strdup_printf("{'id':'d0','file':'%s','format':'raw'}", d->path);
    d->s = (Stress){ .plug = plug_disk, .forget = forget, .queues = 1 };
    drv_machine(&d->s.f, drive, NULL);
    plug_disk(&d->s);
}

static void check_file(Disk *d)
{
    g_autofree char *content = NULL;
    gsize len;

    g_assert_true(g_file_get_contents(d->path, &content, &len, NULL));
    g_assert_cmpuint(len, >=, BLOCKS * BLOCK);
    for (unsigned i = 0; i < BLOCKS; i++) {
        identify(d, i, (uint8_t *)content + i * BLOCK);
    }
    g_unlink(d->path);
    g_free(d->path);
}

static void one_round(Disk *d)
{
    static StressEvent *const own[] = { resize };

    if (!d->s.running) {
        stress_set_up(&d->s, 0);
    }
    for (int i = g_test_rand_int_range(0, 4); i > 0; i--) {
        submit(d);
    }
    drv_kick(&d->s.v, 0);
    stress_main_loop(g_test_rand_int_range(0, 3));
    collect(d);
    if (g_test_rand_int_range(0, 16) == 0) {
        stress_disturb(&d->s, own, G_N_ELEMENTS(own));
    }
}

static void test_disk(void)
{
    unsigned rounds = stress_rounds(ROUNDS);
    Disk *d = g_new0(Disk, 1);

    start(d);
    for (unsigned round = 0; round < rounds; round++) {
        one_round(d);
    }
    stress_main_loop(10);
    g_assert_cmpuint(d->acknowledged, >, rounds / 20);
    g_assert_cmpuint(d->checked, >, rounds / 40);
    g_assert_cmpuint(d->s.disturbed, >, rounds / 20);
    g_test_message("%u writes acknowledged, %u reads checked, %u disturbances", d->acknowledged,
                   d->checked, d->s.disturbed);
    drv_finish(&d->s.f);
    check_file(d);
    g_free(d);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/stress/disk", test_disk);
    return g_test_run();
}
