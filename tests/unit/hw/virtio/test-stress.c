/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A disk with known contents under random I/O, while the guest resets, unplugs, reconfigures,
 * saves and loads the device and stops the machine at any moment, through changing faces and
 * ring formats. Whatever happened to the device, a block holds what was last acknowledged or
 * something that was written after it, whole; and in the end the file says the same.
 */
#include <glib/gstdio.h>
#include <unistd.h>

#include "virtio-driver.h"

enum { BLOCKS = 256, BLOCK = 4096, SLOTS = 16, VERSIONS = 64, ROUNDS = 30000 };
enum { HEADS = DRV_DATA, STATUSES = DRV_DATA + 0x1000, BUFFERS = DRV_DATA + 0x2000 };
enum { T_IN = 0, T_OUT = 1, T_FLUSH = 4 };

/* What a block may hold: versions, the acknowledged one first. */
typedef struct Block {
    uint32_t may[VERSIONS];
    unsigned n;
    bool busy; /* a request is under way */
} Block;

typedef struct Slot {
    bool used;
    unsigned block;
    uint32_t type, version;
} Slot;

typedef struct Stress {
    Fixture f;
    Drv v;
    char *path;
    Block blocks[BLOCKS];
    Slot slots[SLOTS];
    GQueue order; /* slots as they were offered (packed rings give no more than an order back) */
    uint32_t version;
    unsigned acknowledged, checked, disturbed;
    bool running; /* the driver has it set up */
} Stress;

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

/* The version that a block's bytes are; it must be one that they may be. */
static uint32_t identify(const Stress *s, unsigned block, const uint8_t *p)
{
    const Block *b = &s->blocks[block];

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

static void submit(Stress *s)
{
    unsigned n = g_test_rand_int_range(0, SLOTS), block = g_test_rand_int_range(0, BLOCKS);
    Slot *slot = &s->slots[n];
    Block *b = &s->blocks[block];
    uint64_t sector = block * (BLOCK / 512), buffer = BUFFERS + n * BLOCK;
    DrvSeg segs[] = { { RAM + HEADS + n * 16, 16, false },
                      { RAM + buffer, BLOCK, false },
                      { RAM + STATUSES + n, 1, true } };

    if (slot->used || b->busy || b->n == VERSIONS) {
        return;
    }
    *slot = (Slot){ true, block, g_test_rand_int_range(0, 3) ? T_OUT : T_IN, ++s->version };
    b->busy = true;
    if (slot->type == T_OUT) {
        b->may[b->n++] = slot->version;
        fill(drv_ram(&s->v, buffer), block, slot->version);
    }
    segs[1].write = slot->type == T_IN;
    memcpy(drv_ram(&s->v, segs[0].addr - RAM), &slot->type, 4);
    memset(drv_ram(&s->v, segs[0].addr - RAM + 4), 0, 4);
    memcpy(drv_ram(&s->v, segs[0].addr - RAM + 8), &sector, 8);
    *drv_ram(&s->v, STATUSES + n) = 0xff;
    drv_offer(&s->v, 0, segs, 3);
    g_queue_push_tail(&s->order, slot);
}

static void finish(Stress *s, Slot *slot)
{
    unsigned n = slot - s->slots;
    Block *b = &s->blocks[slot->block];

    g_assert_cmpuint(*drv_ram(&s->v, STATUSES + n), ==, 0);
    if (slot->type == T_OUT) {
        settle_on(b, slot->version);
        s->acknowledged++;
    } else {
        settle_on(b, identify(s, slot->block, drv_ram(&s->v, BUFFERS + n * BLOCK)));
        s->checked++;
    }
    b->busy = slot->used = false;
    g_queue_remove(&s->order, slot);
}

/* Every request whose status is there has ended; the ring must give as many back. */
static void collect(Stress *s)
{
    unsigned used = 0, ended = 0;

    while (drv_collect(&s->v, 0, 3) >= 0) {
        used++;
    }
    for (unsigned n = 0; n < SLOTS && used; n++) {
        if (s->slots[n].used && *drv_ram(&s->v, STATUSES + n) != 0xff) {
            finish(s, &s->slots[n]);
            ended++;
        }
    }
    g_assert_cmpuint(used, ==, ended);
}

/* What was under way when the device went is neither done nor undone. */
static void forget(Stress *s)
{
    Slot *slot;

    while ((slot = g_queue_pop_head(&s->order))) {
        s->blocks[slot->block].busy = slot->used = false;
    }
    s->running = false;
}

static void set_up(Stress *s)
{
    uint64_t features = F_BIT(VIRTIO_F_RING_RESET);

    drv_find(&s->v, &s->f, s->v.d, g_test_rand_bit());
    drv_msix(&s->v, g_test_rand_bit());
    features |= g_test_rand_bit() ? F_BIT(VIRTIO_F_RING_PACKED) : 0;
    features |= g_test_rand_bit() ? F_BIT(VIRTIO_F_RING_INDIRECT_DESC) : 0;
    features |= g_test_rand_bit() ? F_BIT(VIRTIO_F_RING_EVENT_IDX) : 0;
    drv_start(&s->v, features, 1);
    s->running = true;
}

static void main_loop(Stress *s, unsigned turns)
{
    for (unsigned i = 0; i < turns; i++) {
        g_main_context_iteration(NULL, FALSE);
    }
}

/* --- what may happen at any moment --- */

static void plug_disk(Stress *s)
{
    s->v.d = plug(&s->f, drv_type("virtio-blk-pci"), "pcie.0", "dut", DRV_DEVFN,
                  g_test_rand_bit() ? "drive=d0,packed=on,disable-legacy=off,num-queues=2"
                                    : "drive=d0,packed=on,disable-legacy=off");
}

static void unplug(Stress *s)
{
    device_unplug(&s->v.d->dev);
    forget(s);
    plug_disk(s);
}

static void driver_reset(Stress *s)
{
    drv_set_status(&s->v, 0);
    forget(s);
}

static void queue_reset(Stress *s)
{
    if (!s->v.legacy) {
        set_com(&s->v, C_SELECT, 2, 0);
        set_com(&s->v, C_RESET, 2, 1);
        forget(s);
        drv_queue(&s->v, 0, 0, 1);
        s->running = true;
    }
}

static void function_reset(Stress *s)
{
    static const ResetKind kinds[] = { RESET_FUNCTION, RESET_HOT, RESET_COLD, RESET_D3HOT };

    pci_device_reset(s->v.d, kinds[g_test_rand_int_range(0, 4)]);
    forget(s);
}

static void machine_hot_reset(Stress *s)
{
    machine_reset(s->f.m, RESET_HOT);
    forget(s);
}

/* Bus Master Enable goes and comes: what ended meanwhile could not be told. */
static void master_off(Stress *s)
{
    set_cfg(&s->f, DRV_DEVFN, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_IO);
    drv_kick(&s->v, 0);
    main_loop(s, 3);
    forget(s);
}

static void bars_off(Stress *s)
{
    set_cfg(&s->f, DRV_DEVFN, PCI_COMMAND, 2, PCI_COMMAND_MASTER);
    drv_kick(&s->v, 0);
    set_cfg(&s->f, DRV_DEVFN, PCI_COMMAND, 2,
            PCI_COMMAND_MEMORY | PCI_COMMAND_IO | PCI_COMMAND_MASTER);
}

static void resize(Stress *s)
{
    BlockNode *n = block_find(s->f.m, "d0");

    g_assert_true(block_resize(n, (BLOCKS + g_test_rand_int_range(0, 64)) * BLOCK, NULL));
}

/* Stopped, saved, reset as another machine would be, loaded, and on. */
static void move_on(Stress *s)
{
    g_autoptr(GByteArray) saved = NULL;
    g_autoptr(GError) err = NULL;

    machine_set_state(s->f.m, RUN_PAUSED);
    drv_kick(&s->v, 0); /* looked at when it runs again */
    saved = drv_save(s->v.d);
    pci_device_reset(s->v.d, RESET_COLD);
    drv_load(s->v.d, saved, &err);
    g_assert_no_error(err);
    machine_set_state(s->f.m, RUN_RUNNING);
}

static void break_ring(Stress *s)
{
    DrvSeg bad = { MMIO64, 512, true };

    drv_offer(&s->v, 0, &bad, 1);
    drv_kick(&s->v, 0);
    main_loop(s, 3);
    forget(s);
}

static void disturb(Stress *s)
{
    static void (*const events[])(
        Stress * s) = { unplug,     driver_reset, queue_reset, function_reset, machine_hot_reset,
                        master_off, bars_off,     resize,      move_on,        break_ring };

    events[g_test_rand_int_range(0, G_N_ELEMENTS(events))](s);
    s->disturbed++;
}

/* --- start and end --- */

static void start(Stress *s)
{
    g_autofree char *drive = NULL;
    uint8_t p[BLOCK];
    int fd = g_file_open_tmp("test-stress-XXXXXX", &s->path, NULL);

    for (unsigned i = 0; i < BLOCKS; i++) {
        settle_on(&s->blocks[i], ++s->version);
        fill(p, i, s->version);
        g_assert_cmpint(write(fd, p, BLOCK), ==, BLOCK);
    }
    close(fd);
    drive = g_strdup_printf("{'id':'d0','file':'%s'}", s->path);
    drv_machine(&s->f, drive, NULL);
    plug_disk(s);
}

static void check_file(Stress *s)
{
    g_autofree char *content = NULL;
    gsize len;

    g_assert_true(g_file_get_contents(s->path, &content, &len, NULL));
    g_assert_cmpuint(len, >=, BLOCKS * BLOCK);
    for (unsigned i = 0; i < BLOCKS; i++) {
        identify(s, i, (uint8_t *)content + i * BLOCK);
    }
    g_unlink(s->path);
    g_free(s->path);
}

static void test_disk(void)
{
    Stress *s = g_new0(Stress, 1);

    start(s);
    for (unsigned round = 0; round < ROUNDS; round++) {
        if (!s->running) {
            set_up(s);
        }
        for (int i = g_test_rand_int_range(0, 4); i > 0; i--) {
            submit(s);
        }
        drv_kick(&s->v, 0);
        main_loop(s, g_test_rand_int_range(0, 3));
        collect(s);
        if (g_test_rand_int_range(0, 16) == 0) {
            disturb(s);
        }
    }
    main_loop(s, 10);
    g_assert_cmpuint(s->acknowledged, >, ROUNDS / 20);
    g_assert_cmpuint(s->checked, >, ROUNDS / 40);
    g_assert_cmpuint(s->disturbed, >, ROUNDS / 20);
    g_test_message("%u writes acknowledged, %u reads checked, %u disturbances", s->acknowledged,
                   s->checked, s->disturbed);
    drv_finish(&s->f);
    check_file(s);
    g_free(s);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/stress/disk", test_disk);
    return g_test_run();
}
