/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Accesses of every size at every offset to devices with every combination of limits, compared with
 * an array of bytes; RAM; accesses beyond an end; the re-entrancy guard.
 */
#include <string.h>

#include "memory/memory.h"

enum { SIZE = 24, BASE = 64, SPACE = 256 };

typedef struct Dev {
    uint8_t bytes[SIZE + 8];
    MemOps ops;
    unsigned calls, min_size, max_size;
    uint64_t offsets[16];
} Dev;

static void note(Dev *d, uint64_t offset, unsigned size)
{
    g_assert_cmpuint(offset, <, SIZE);
    g_assert_cmpuint(d->calls, <, 16);
    d->offsets[d->calls++] = offset;
    d->min_size = MIN(d->min_size, size);
    d->max_size = MAX(d->max_size, size);
}

static uint64_t dev_read(void *opaque, uint64_t offset, unsigned size)
{
    Dev *d = opaque;
    uint64_t v = 0;

    note(d, offset, size);
    memcpy(&v, d->bytes + offset, size);
    return v | (size < 8 ? UINT64_C(0xee) << 56 : 0); /* garbage above the size must not be
                                                       * visible */
}

static void dev_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    Dev *d = opaque;

    note(d, offset, size);
    g_assert_true(size == 8 || value >> size * 8 == 0);
    memcpy(d->bytes + offset, &value, size);
}

typedef struct Fixture {
    MemRegion root, r;
    Dev dev;
} Fixture;

static void fill(Dev *d)
{
    for (int i = 0; i < SIZE + 8; i++) {
        d->bytes[i] = 0x40 + i;
    }
    d->calls = 0;
    d->min_size = 8;
    d->max_size = 0;
}

static void set_up(Fixture *f, MemOps ops)
{
    memset(f, 0, sizeof(*f));
    f->dev.ops = ops;
    f->dev.ops.read = dev_read;
    f->dev.ops.write = dev_write;
    fill(&f->dev);
    mem_init_container(&f->root, "root", SPACE, MEM_ONES);
    mem_init_mmio(&f->r, "dev", SIZE, &f->dev.ops, &f->dev);
    mem_map(&f->root, BASE, &f->r, 0, 0);
}

static bool ok_by_limits(const MemOps *o, uint64_t off, unsigned size)
{
    return size >= MAX(o->valid_min, 1) && size <= (o->valid_max ? o->valid_max : 8) &&
           (o->unaligned || off % size == 0);
}

/* The value of one byte of an access at root address x. */
static uint8_t byte_at(const Fixture *f, uint64_t x, bool refused)
{
    if (x < BASE || x >= BASE + SIZE) {
        return 0xff;
    }
    return refused ? 0 : 0x40 + (x - BASE);
}

static void check_read(Fixture *f, uint64_t x, unsigned size)
{
    bool over = (x < BASE && x + size > BASE) || (x < BASE + SIZE && x + size > BASE + SIZE);
    bool inside = x >= BASE && x + size <= BASE + SIZE;
    bool refused = !ok_by_limits(&f->dev.ops, x - BASE, over ? 1 : size);
    uint64_t value, want = 0;
    MemResult got;

    fill(&f->dev);
    for (unsigned i = 0; i < size; i++) {
        want |= (uint64_t)byte_at(f, x + i, refused) << i * 8;
    }
    got = mem_read(&f->root, x, size, &value);
    g_assert_cmphex(value, ==, want);
    if (inside) {
        g_assert_cmpint(got, ==, refused ? MEM_REFUSED : MEM_OK);
        g_assert_true(refused == (f->dev.calls == 0));
    } else {
        g_assert_true(got & MEM_UNMAPPED);
    }
    if (f->dev.calls) {
        g_assert_cmpuint(f->dev.min_size, >=, MAX(1, f->dev.ops.impl_min));
        g_assert_cmpuint(f->dev.max_size, <=, f->dev.ops.impl_max ? f->dev.ops.impl_max : 4);
    }
}

static void check_write(Fixture *f, uint64_t x, unsigned size)
{
    uint8_t want[SIZE];
    bool over = (x < BASE && x + size > BASE) || (x < BASE + SIZE && x + size > BASE + SIZE);
    bool refused = !ok_by_limits(&f->dev.ops, x - BASE, over ? 1 : size);
    unsigned wide = MAX(1, f->dev.ops.impl_min);

    fill(&f->dev);
    memcpy(want, f->dev.bytes, SIZE);
    for (unsigned i = 0; i < size && !refused; i++) {
        if (x + i < BASE || x + i >= BASE + SIZE) {
            continue;
        }
        if (!f->dev.ops.narrow_rmw && (over ? 1 : size) < wide && (over || i == 0)) {
            /* the rest of each touched wide word is zero */
            uint64_t from = (x + i - BASE) / wide * wide;
            uint64_t to = ((over ? x + i : x + size - 1) - BASE) / wide * wide + wide;

            memset(want + from, 0, to - from);
        }
        want[x + i - BASE] = 0x90 + i;
    }
    mem_write(&f->root, x, size, UINT64_C(0x9796959493929190));
    g_assert_cmpmem(f->dev.bytes, SIZE, want, SIZE);
}

static void test_limits(void)
{
    static const uint8_t v[] = { 0, 1, 2, 4, 8 };

    for (int c = 0; c < 5 * 5 * 5 * 5 * 4; c++) {
        MemOps ops = { .valid_min = v[c % 5],
                       .valid_max = v[c / 5 % 5],
                       .impl_min = v[c / 25 % 5],
                       .impl_max = v[c / 125 % 5],
                       .unaligned = c / 625 & 1,
                       .narrow_rmw = c / 625 & 2 };
        Fixture f;

        if (ops.impl_min > (ops.impl_max ? ops.impl_max : 4) ||
            ops.valid_min > (ops.valid_max ? ops.valid_max : 8)) {
            continue;
        }
        set_up(&f, ops);
        for (unsigned size = 1; size <= 8; size *= 2) {
            for (uint64_t x = BASE - 10; x < BASE + SIZE + 2; x++) {
                check_read(&f, x, size);
                check_write(&f, x, size);
            }
        }
        mem_fini(&f.root);
    }
}

static void test_split_order(void)
{
    Fixture f;
    uint64_t v;

    set_up(&f, (MemOps){ .impl_max = 2 });
    g_assert_cmpint(mem_read(&f.root, BASE + 8, 8, &v), ==, MEM_OK);
    g_assert_cmpuint(f.dev.calls, ==, 4);
    for (int i = 0; i < 4; i++) {
        g_assert_cmpuint(f.dev.offsets[i], ==, 8 + 2 * i);
    }
    mem_fini(&f.root);
}

static void test_buffers(void)
{
    uint8_t buf[SPACE], want[SPACE];

    for (int valid_max = 1; valid_max <= 8; valid_max *= 2) {
        Fixture f;

        set_up(&f, (MemOps){ .valid_max = valid_max, .impl_max = 8 });
        for (uint64_t x = BASE - 9; x < BASE + SIZE + 3; x++) {
            for (unsigned len = 1; len < 40; len++) {
                uint8_t seen[SIZE];

                fill(&f.dev);
                f.dev.calls = 0;
                for (unsigned i = 0; i < len; i++) {
                    want[i] = byte_at(&f, x + i, false);
                }
                for (unsigned i = 0; i < len; i += 8) { /* keep the call log short */
                    unsigned n = MIN(8, len - i);

                    f.dev.calls = 0;
                    mem_read_buf(&f.root, x + i, buf + i, n);
                }
                g_assert_cmpmem(buf, len, want, len);
                f.dev.calls = 0;
                memset(buf, 0xa5, len);
                memcpy(seen, f.dev.bytes, SIZE);
                mem_write_buf(&f.root, x, buf, MIN(len, 8));
                for (unsigned i = 0; i < MIN(len, 8); i++) {
                    if (x + i >= BASE && x + i < BASE + SIZE) {
                        seen[x + i - BASE] = 0xa5;
                    }
                }
                g_assert_cmpmem(f.dev.bytes, SIZE, seen, SIZE);
            }
        }
        mem_fini(&f.root);
    }
}

static void test_one_access(void)
{
    Fixture f;
    uint8_t buf[16];

    set_up(&f, (MemOps){ .impl_max = 8, .unaligned = true });
    mem_read_buf(&f.root, BASE + 3, buf, 8); /* unaligned, but the device accepts it */
    g_assert_cmpuint(f.dev.calls, ==, 1);
    fill(&f.dev);
    mem_read_buf(&f.root, BASE + 4, buf, 16); /* aligned pieces: 4, 8, 4 */
    g_assert_cmpuint(f.dev.calls, ==, 3);
    g_assert_cmpuint(f.dev.offsets[1], ==, 8);
    mem_fini(&f.root);
}

static void test_ram_and_ends(void)
{
    MemRegion root = { 0 }, a = { 0 }, b = { 0 };
    RamBlock *ram = ram_block_new("test", 0x2000, &(RamSource){ 0 }, NULL);
    uint8_t buf[64], zero[8] = { 0 };
    uint64_t v;

    mem_init_container(&root, "root", UINT64_MAX, MEM_ZEROES);
    mem_init_ram(&a, "a", ram, 0x1000, 0x100); /* two pieces, swapped and adjacent */
    mem_init_ram(&b, "b", ram, 0, 0x100);
    mem_map(&root, 0x100, &a, 0, 0);
    mem_map(&root, 0x200, &b, 0, 1);
    for (unsigned i = 0; i < 64; i++) {
        buf[i] = i + 1;
    }
    g_assert_cmpint(mem_write_buf(&root, 0x1e0, buf, 64), ==, MEM_OK);
    g_assert_cmpuint(ram->host[0x10ff], ==, 32);
    g_assert_cmpuint(ram->host[0], ==, 33);
    g_assert_cmpint(mem_read(&root, 0x1fc, 8, &v), ==, MEM_OK);
    g_assert_cmphex(v, ==, 0x24232221201f1e1d);
    g_assert_cmpint(mem_write(&root, 0x2fe, 4, 0x11223344), ==, MEM_UNMAPPED);
    g_assert_cmpint(mem_read(&root, 0x2fe, 4, &v), ==, MEM_UNMAPPED);
    g_assert_cmphex(v, ==, 0x3344);
    ram->read_only = true;
    g_assert_cmpint(mem_write(&root, 0x100, 4, 1), ==, MEM_OK);
    g_assert_cmpint(mem_set(&root, 0x100, 0x77, 8), ==, MEM_OK);
    g_assert_cmpmem(ram->host + 0x1000, 8, zero, 8);
    ram->read_only = false;
    g_assert_cmpint(mem_set(&root, 0x101, 0x77, 0x1fe), ==, MEM_OK);
    g_assert_cmpuint(ram->host[0x1000], ==, 0);
    g_assert_cmpuint(ram->host[0x1001], ==, 0x77);
    g_assert_cmpuint(ram->host[0xfe], ==, 0x77);
    g_assert_cmpint(mem_read_buf(&root, UINT64_MAX - 3, buf, 64), ==, MEM_UNMAPPED);
    g_assert_cmpmem(buf + 56, 8, zero, 8);
    g_assert_cmpint(mem_set(&root, UINT64_MAX - 3, 1, 64), ==, MEM_UNMAPPED);
    g_assert_cmpint(mem_read(&root, UINT64_MAX, 8, &v), ==, MEM_UNMAPPED);
    mem_fini(&root);
    ram_block_free(ram);
}

static bool refuse;
static int inside;

static bool guard_enter(void *owner)
{
    inside += !refuse;
    return !refuse;
}

static void guard_leave(void *owner)
{
    inside--;
}

static void test_guard(void)
{
    static const MemGuard guard = { guard_enter, guard_leave };
    Fixture f;
    uint64_t v = 5;

    set_up(&f, (MemOps){ 0 });
    mem_set_guard(&f.r, &guard, &f);
    g_assert_cmpint(mem_read(&f.root, BASE, 4, &v), ==, MEM_OK);
    g_assert_cmpint(inside, ==, 0);
    refuse = true;
    g_assert_cmpint(mem_read(&f.root, BASE, 4, &v), ==, MEM_REFUSED);
    g_assert_cmphex(v, ==, 0);
    g_assert_cmpint(mem_write(&f.root, BASE, 4, 0), ==, MEM_REFUSED);
    g_assert_cmpuint(f.dev.calls, ==, 1);
    g_assert_cmpuint(f.dev.bytes[0], ==, 0x40);
    mem_fini(&f.root);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/memory/access/limits", test_limits);
    g_test_add_func("/memory/access/split-order", test_split_order);
    g_test_add_func("/memory/access/buffers", test_buffers);
    g_test_add_func("/memory/access/one-access", test_one_access);
    g_test_add_func("/memory/access/ram-and-ends", test_ram_and_ends);
    g_test_add_func("/memory/access/guard", test_guard);
    return g_test_run();
}
