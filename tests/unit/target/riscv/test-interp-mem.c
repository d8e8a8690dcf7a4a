/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Loads and stores: widths and signs, every misalignment, across pages, devices, faults.
 */
#include "harness.h"

static const struct {
    const char *text;
    unsigned size;
    bool sign;
} loads[] = { { "lb", 1, true },   { "lh", 2, true },   { "lw", 4, true },  { "ld", 8, true },
              { "lbu", 1, false }, { "lhu", 2, false }, { "lwu", 4, false } };
static const struct {
    const char *text;
    unsigned size;
} stores[] = { { "sb", 1 }, { "sh", 2 }, { "sw", 4 }, { "sd", 8 } };

static uint64_t extend(uint64_t v, unsigned size, bool sign)
{
    unsigned shift = 64 - 8 * size;
    return sign ? (uint64_t)((int64_t)(v << shift) >> shift) : v << shift >> shift;
}

static void test_loads(void)
{
    Hart *h = hart_new(NULL);

    for (unsigned i = 0; i < 64; i++) {
        ram_store(h, DATA + 0xfe0 + i, 0x80 + i * 5, 1);
    }
    for (unsigned off = 0; off < 48; off++) {
        for (unsigned i = 0; i < G_N_ELEMENTS(loads); i++) {
            emit_word(h, i_type(loads[i].text, 10 + i, 5, off));
        }
        h->cpu->x[5] = DATA + 0xfe0;
        hart_run_code(h);
        for (unsigned i = 0; i < G_N_ELEMENTS(loads); i++) {
            uint64_t raw = ram_load(h, DATA + 0xfe0 + off, loads[i].size);
            g_assert_cmphex(h->cpu->x[10 + i], ==, extend(raw, loads[i].size, loads[i].sign));
        }
    }
    hart_free(h);
}

static void test_stores(void)
{
    Hart *h = hart_new(NULL);

    for (unsigned off = 0; off < 40; off++) {
        for (unsigned i = 0; i < G_N_ELEMENTS(stores); i++) {
            uint8_t want[64];
            memset(ram_at(h, DATA + 0xfe0), 0xcc, 64);
            memset(want, 0xcc, 64);
            h->cpu->x[5] = DATA + 0xfe0;
            h->cpu->x[6] = UINT64_C(0x1122334455667788);
            memcpy(want + off, &h->cpu->x[6], stores[i].size);
            emit_word(h, s_type(stores[i].text, 6, 5, off));
            hart_run_code(h);
            g_assert_cmpmem(ram_at(h, DATA + 0xfe0), 64, want, 64);
        }
    }
    hart_free(h);
}

/* A store across a page boundary whose second page faults changes nothing. */
static void test_store_across_fault(void)
{
    Hart *h = hart_new(NULL);
    uint64_t last = RAM_BASE + RAM_BYTES - 4;

    ram_store(h, last, 0xaaaaaaaa, 4);
    h->cpu->x[5] = last;
    h->cpu->x[6] = 0;
    emit_word(h, s_type("sd", 6, 5, 0));
    h->cpu->pc = CODE;
    hart_run(h);
    /* Nothing is mapped behind RAM: the first half is in RAM, the second is an access fault. */
    g_assert_cmphex(h->cpu->mcause, ==, CAUSE_STORE_ACCESS);
    g_assert_cmphex(h->cpu->mepc, ==, CODE);
    hart_free(h);
}

static void test_device(void)
{
    Hart *h = hart_new(NULL);

    h->cpu->x[5] = DEVICE;
    for (unsigned i = 0; i < G_N_ELEMENTS(stores); i++) {
        h->cpu->x[6] = UINT64_C(0xf1f2f3f4f5f6f7f8);
        emit_word(h, s_type(stores[i].text, 6, 5, 8));
        emit_word(h, i_type(loads[i].text, 7, 5, 8));
        hart_run_code(h);
        g_assert_cmpuint(h->device_size, ==, stores[i].size);
        g_assert_cmpuint(h->device_stores, ==, i + 1);
        g_assert_cmpuint(h->device_loads, ==, i + 1);
        g_assert_cmphex(h->cpu->x[7], ==, extend(h->cpu->x[6], stores[i].size, true));
    }
    hart_free(h);
}

static void test_faults(void)
{
    Hart *h = hart_new(NULL);
    uint64_t hole = UINT64_C(0x40000000);

    h->cpu->x[5] = hole;
    emit_word(h, i_type("addi", 6, 0, 1));
    emit_word(h, i_type("lw", 7, 5, 4));
    hart_expect_trap(h, CAUSE_LOAD_ACCESS, CODE + 4, hole + 4);
    g_assert_cmpuint(h->cpu->x[6], ==, 1);
    emit_word(h, s_type("sw", 7, 5, -4));
    hart_expect_trap(h, CAUSE_STORE_ACCESS, CODE, hole - 4);
    h->cpu->x[5] = UINT64_MAX - 3; /* across the end of the address space */
    emit_word(h, i_type("ld", 7, 5, 0));
    hart_expect_trap(h, CAUSE_LOAD_ACCESS, CODE, UINT64_MAX - 3);
    h->cpu->x[5] = hole;
    emit_word(h, i_type("jalr", 1, 5, 2));
    hart_expect_trap(h, CAUSE_FETCH_ACCESS, hole + 2, hole + 2);
    /* Code in a device is not fetched. */
    h->cpu->x[5] = DEVICE;
    emit_word(h, i_type("jalr", 1, 5, 0));
    hart_expect_trap(h, CAUSE_FETCH_ACCESS, DEVICE, DEVICE);
    g_assert_cmpuint(h->device_loads, ==, 0);
    hart_free(h);
}

static void test_zero_block(void)
{
    Hart *h = hart_new(NULL);

    memset(ram_at(h, DATA), 0xff, 256);
    h->cpu->x[5] = DATA + 64 + 17;
    emit_word(h, match_of("cbo.zero") | 5u << 15);
    hart_run_code(h);
    for (unsigned i = 0; i < 256; i++) {
        g_assert_cmphex(ram_load(h, DATA + i, 1), ==, i >= 64 && i < 128 ? 0 : 0xff);
    }
    h->cpu->x[5] = UINT64_C(0x40000010);
    emit_word(h, match_of("cbo.zero") | 5u << 15);
    hart_expect_trap(h, CAUSE_STORE_ACCESS, CODE, UINT64_C(0x40000010));
    hart_free(h);
}

/* ROM ignores stores. */
static void test_read_only(void)
{
    Hart *h = hart_new(NULL);

    h->ram->read_only = true;
    ram_store(h, DATA, 5, 8);
    h->cpu->x[5] = DATA;
    h->cpu->x[6] = 9;
    emit_word(h, s_type("sd", 6, 5, 0));
    emit_word(h, i_type("ld", 7, 5, 0));
    hart_run_code(h);
    g_assert_cmpuint(h->cpu->x[7], ==, 5);
    h->ram->read_only = false;
    hart_free(h);
}

/* Removing RAM removes its cached translations. */
static void test_unmap(void)
{
    Hart *h = hart_new(NULL);
    static MemRegion other;
    RamBlock *block;

    machine_lock(h->m);
    block = machine_ram_new(h->m, "other", 0x10000, NULL);
    mem_init_ram(&other, "other", block, 0, 0x10000);
    mem_map(&h->m->memory, UINT64_C(0x60000000), &other, 0, 0);
    machine_unlock(h->m);
    memset(block->host, 0x5a, 16);
    h->cpu->x[5] = UINT64_C(0x60000000);
    emit_word(h, i_type("ld", 7, 5, 0));
    hart_run_code(h);
    g_assert_cmphex(h->cpu->x[7], ==, UINT64_C(0x5a5a5a5a5a5a5a5a));
    machine_lock(h->m);
    mem_fini(&other);
    machine_ram_free(h->m, block);
    machine_unlock(h->m);
    emit_word(h, i_type("ld", 7, 5, 0));
    hart_expect_trap(h, CAUSE_LOAD_ACCESS, CODE, UINT64_C(0x60000000));
    hart_free(h);
}

/* A device whose register, when it is written, maps other memory over a page. */
typedef struct Mapper {
    Hart *h;
    MemRegion region, over;
} Mapper;

static void map_over(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    Mapper *m = opaque;

    mem_init_ram(&m->over, "over", m->h->ram, DATA + 0x1000 - RAM_BASE, 0x1000);
    mem_map(&m->h->m->memory, DATA, &m->over, 1, 0);
}

static const MemOps mapper_ops = { harness_read, map_over, .impl_max = 8 };

/* A store to a device changes what the next load through a register reads that an earlier load of
 * the same block used as well. */
static void test_map_changes(void)
{
    Hart *h = hart_new(NULL);
    Mapper m = { .h = h };

    machine_lock(h->m);
    mem_init_mmio(&m.region, "mapper", 0x1000, &mapper_ops, &m);
    mem_map(&h->m->memory, DEVICE + 0x4000, &m.region, 0, 0);
    machine_unlock(h->m);
    ram_store(h, DATA + 8, 1, 8);
    ram_store(h, DATA + 0x1008, 2, 8);
    h->cpu->x[5] = DATA;
    emit_word(h, i_type("ld", 10, 5, 0));
    emit_word(h, i_type("ld", 11, 5, 8));
    emit_word(h, s_type("sd", 0, 6, 0));
    emit_word(h, i_type("ld", 12, 5, 8));
    for (unsigned run = 0; run < 2; run++) { /* the first one fills the TLB */
        h->cpu->x[6] = run ? DEVICE + 0x4000 : DATA + 0x2000;
        h->at = CODE + 16;
        hart_run_code(h);
    }
    g_assert_cmpuint(h->cpu->x[11], ==, 1);
    g_assert_cmpuint(h->cpu->x[12], ==, 2);
    machine_lock(h->m);
    mem_fini(&m.over);
    mem_fini(&m.region);
    machine_unlock(h->m);
    hart_free(h);
}

/* Accesses through one register whose range crosses a page, and one of which faults. */
static void test_shared_range(void)
{
    Hart *h = hart_new(NULL);

    for (int at = -24; at <= 24; at += 4) {
        hart_reset(h);
        for (unsigned i = 0; i < 16; i++) {
            ram_store(h, DATA + 0x1000 - 64 + i * 8, i + 1, 8);
        }
        h->cpu->x[5] = DATA + 0x1000 + at;
        for (unsigned i = 0; i < 4; i++) {
            emit_word(h, i_type("ld", 10 + i, 5, ((int32_t)(8 * i) - 16) & 0xfff));
            emit_word(h, s_type("sd", 10 + i, 5, (int32_t)(8 * i) - 8));
        }
        hart_run_code(h);
        uint64_t first = ram_load(h, DATA + 0x1000 + at - 16, 8);
        for (unsigned i = 0; i < 4; i++) {
            g_assert_cmphex(h->cpu->x[10 + i], ==, first);
            g_assert_cmphex(ram_load(h, h->cpu->x[5] + 8 * i - 8, 8), ==, first);
        }
    }
    hart_reset(h); /* the end of the RAM is between them */
    h->cpu->x[5] = RAM_BASE + RAM_BYTES - 8;
    h->cpu->x[6] = 7;
    ram_store(h, RAM_BASE + RAM_BYTES - 8, 1, 8);
    emit_word(h, s_type("sd", 6, 5, 0));
    emit_word(h, s_type("sd", 6, 5, 8));
    hart_expect_trap(h, CAUSE_STORE_ACCESS, CODE + 4, RAM_BASE + RAM_BYTES);
    g_assert_cmpuint(ram_load(h, RAM_BASE + RAM_BYTES - 8, 8), ==, 7);
    hart_free(h);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/interp-mem/loads", test_loads);
    g_test_add_func("/interp-mem/stores", test_stores);
    g_test_add_func("/interp-mem/store-across-fault", test_store_across_fault);
    g_test_add_func("/interp-mem/device", test_device);
    g_test_add_func("/interp-mem/faults", test_faults);
    g_test_add_func("/interp-mem/zero-block", test_zero_block);
    g_test_add_func("/interp-mem/read-only", test_read_only);
    g_test_add_func("/interp-mem/unmap", test_unmap);
    g_test_add_func("/interp-mem/map-changes", test_map_changes);
    g_test_add_func("/interp-mem/shared-range", test_shared_range);
    return g_test_run();
}
