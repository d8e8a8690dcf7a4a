/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A hart on a small machine for unit tests: 8 MiB of RAM at its usual address, a device page that
 * records accesses, and a page that stops the hart when it is stored to. Code is assembled from the
 * rows of the instruction table.
 *
 * A run starts in M-mode at CODE and ends at the first trap to M-mode: the handler at STOP_CODE
 * stores to the exit page. The handler overwrites x31 (the value is in mscratch afterwards).
 */
#ifndef TESTS_UNIT_TARGET_RISCV_HARNESS_H
#define TESTS_UNIT_TARGET_RISCV_HARNESS_H

#include <glib.h>
#include <string.h>

#include "target/riscv/block_internal.h"
#include "target/riscv/csr_internal.h"
#include "target/riscv/jit_internal.h"

#define RAM_BASE  UINT64_C(0x80000000)
#define RAM_BYTES UINT64_C(0x800000)
#define CODE      RAM_BASE
#define STOP_CODE (RAM_BASE + 0x10000)
#define DATA      (RAM_BASE + 0x20000)
#define DEVICE    UINT64_C(0x10000000)
#define EXIT      UINT64_C(0x10001000)

/* The tests' emulator has no device types. */
const DeviceType *const *const device_type_entries[] = { NULL };
const size_t n_device_types = 0;

/* Features: every extension that is off by default. */
#define HART_ALL                                                                                   \
    "zicbom=on,zicbop=on,zihintntl=on,zimop=on,zacas=on,zfa=on,zfh=on,zcb=on,zcmop=on,zbc=on,"     \
    "zbkb=on,zbkc=on,zbkx=on,sscofpmf=on,smstateen=on,sdtrig=on"

typedef struct Hart {
    Machine *m;
    RiscvCpu *cpu;
    RamBlock *ram;
    MemRegion ram_region, device, exit;
    uint64_t device_value; /* the value that a load returns, or that a store wrote */
    unsigned device_loads, device_stores, device_size;
    uint64_t at; /* address of the next instruction that is emitted */
} Hart;

static inline uint64_t harness_read(void *opaque, uint64_t offset, unsigned size)
{
    Hart *h = opaque;
    h->device_loads++;
    h->device_size = size;
    return h->device_value;
}

static inline void harness_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    Hart *h = opaque;
    h->device_stores++;
    h->device_size = size;
    h->device_value = value;
}

static inline void harness_exit(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    Hart *h = opaque;
    cpu_raise_any(&h->cpu->cpu, CPU_PENDING_STOP);
}

static const MemOps harness_device_ops = { harness_read, harness_write, .impl_max = 8 };
static const MemOps harness_exit_ops = { harness_read, harness_exit, .impl_max = 8 };

static inline uint8_t *ram_at(Hart *h, uint64_t pa)
{
    g_assert_true(pa >= RAM_BASE && pa < RAM_BASE + RAM_BYTES);
    return h->ram->host + (pa - RAM_BASE);
}

static inline void ram_store(Hart *h, uint64_t pa, uint64_t value, unsigned size)
{
    memcpy(ram_at(h, pa), &value, size);
    ram_written_any(h->ram, pa - RAM_BASE, size);
}

static inline uint64_t ram_load(Hart *h, uint64_t pa, unsigned size)
{
    uint64_t value = 0;
    memcpy(&value, ram_at(h, pa), size);
    return value;
}

/* --- assembling --- */

static inline const IsaRow *row_of(const char *text)
{
    for (size_t i = 0; i < isa_n_rows; i++) {
        if (g_str_equal(isa_rows[i].text, text)) {
            return &isa_rows[i];
        }
    }
    g_error("no instruction '%s'", text);
}

static inline uint32_t match_of(const char *text)
{
    return row_of(text)->match;
}

static inline uint32_t r_type(const char *text, unsigned rd, unsigned rs1, unsigned rs2)
{
    return match_of(text) | rd << 7 | rs1 << 15 | rs2 << 20;
}

static inline uint32_t i_type(const char *text, unsigned rd, unsigned rs1, int32_t imm)
{
    return match_of(text) | rd << 7 | rs1 << 15 | (uint32_t)imm << 20;
}

static inline uint32_t s_type(const char *text, unsigned rs2, unsigned rs1, int32_t imm)
{
    return match_of(text) | rs1 << 15 | rs2 << 20 | ((uint32_t)imm & 31) << 7 |
           ((uint32_t)imm >> 5) << 25;
}

static inline uint32_t b_type(const char *text, unsigned rs1, unsigned rs2, int32_t imm)
{
    uint32_t u = imm;
    return match_of(text) | rs1 << 15 | rs2 << 20 | (u >> 11 & 1) << 7 | (u >> 1 & 15) << 8 |
           (u >> 5 & 63) << 25 | (u >> 12 & 1) << 31;
}

static inline uint32_t u_type(const char *text, unsigned rd, uint32_t imm)
{
    return match_of(text) | rd << 7 | (imm & 0xfffff000);
}

static inline uint32_t j_type(const char *text, unsigned rd, int32_t imm)
{
    uint32_t u = imm;
    return match_of(text) | rd << 7 | (u >> 12 & 255) << 12 | (u >> 11 & 1) << 20 |
           (u >> 1 & 1023) << 21 | (u >> 20 & 1) << 31;
}

static inline uint32_t csr_type(const char *text, unsigned rd, unsigned csr, unsigned rs1)
{
    return match_of(text) | rd << 7 | rs1 << 15 | csr << 20;
}

static inline void emit_word(Hart *h, uint32_t word)
{
    unsigned len = insn_len(word);
    ram_store(h, h->at, word, len);
    h->at += len;
}

static inline void emit_ebreak(Hart *h)
{
    emit_word(h, match_of("ebreak"));
}

/* --- life --- */

static inline void hart_stop_code(Hart *h)
{
    h->at = STOP_CODE;
    emit_word(h, csr_type("csrrw", 31, 0x340, 31)); /* x31 <-> mscratch (= EXIT) */
    emit_word(h, s_type("sb", 0, 31, 0));
    emit_word(h, j_type("jal", 0, 0));
    h->at = CODE;
}

static inline void hart_reset(Hart *h)
{
    RiscvCpu *cpu = h->cpu;

    rv_reset(&cpu->cpu, CODE);
    cpu->mtvec = STOP_CODE;
    cpu->mscratch = EXIT;
    cpu->mstatus = MSTATUS_FS;
    /* Everything is permitted, as firmware would configure it. */
    cpu->pmpaddr[0] = PMP_ADDR_MASK;
    cpu->pmpcfg[0] = 0x1f;
    rv_state_changed(cpu);
    h->at = CODE;
}

/* Create a hart. `translate`: each block is translated before it is executed. */
static inline Hart *hart_new_with(const char *features, bool translate)
{
    Hart *h = g_new0(Hart, 1);

    h->m = machine_new();
    machine_lock(h->m);
    h->m->translate = translate;
    h->ram = machine_ram_new(h->m, "ram", RAM_BYTES, NULL);
    mem_init_ram(&h->ram_region, "ram", h->ram, 0, RAM_BYTES);
    mem_map(&h->m->memory, RAM_BASE, &h->ram_region, 0, 0);
    mem_init_mmio(&h->device, "device", 0x1000, &harness_device_ops, h);
    mem_map(&h->m->memory, DEVICE, &h->device, 0, 0);
    mem_init_mmio(&h->exit, "exit", 0x1000, &harness_exit_ops, h);
    mem_map(&h->m->memory, EXIT, &h->exit, 0, 0);
    GError *err = NULL;
    Cpu *cpu = riscv_cpu_type.create(h->m, 0, features, &err);
    g_assert_no_error(err);
    g_ptr_array_add(h->m->cpus, cpu);
    h->cpu = riscv_cpu(cpu);
    if (h->cpu->jit) {
        h->cpu->jit->threshold = 1;
    }
    hart_stop_code(h);
    hart_reset(h);
    machine_unlock(h->m);
    return h;
}

/* Create a hart with the engine that the test is run for: the interpreter, or the translator if the
 * environment variable TRANSLATE is set. */
static inline Hart *hart_new(const char *features)
{
    return hart_new_with(features, g_getenv("TRANSLATE") != NULL);
}

static inline void hart_free(Hart *h)
{
    machine_lock(h->m);
    mem_fini(&h->device);
    mem_fini(&h->exit);
    mem_fini(&h->ram_region);
    machine_free(h->m);
    g_free(h);
}

/* Run from cpu->pc until the first trap to M-mode. */
static inline void hart_run(Hart *h)
{
    __atomic_store_n(&h->cpu->cpu.pending, 0, __ATOMIC_SEQ_CST);
    h->cpu->mscratch = EXIT;
    h->cpu->cpu.type->run(&h->cpu->cpu);
    g_assert_true(h->cpu->cpu.pending & CPU_PENDING_STOP);
}

/* Run the code emitted since the last reset, followed by an ebreak, which must be what stops it. */
static inline void hart_run_code(Hart *h)
{
    uint64_t end = h->at;

    emit_ebreak(h);
    h->cpu->pc = CODE;
    h->cpu->priv = PRIV_M;
    mmu_update_contexts(h->cpu);
    hart_run(h);
    g_assert_cmphex(h->cpu->mcause, ==, CAUSE_BREAKPOINT);
    g_assert_cmphex(h->cpu->mepc, ==, end);
    h->at = CODE;
}

/* Run the code and expect this trap at its last instruction. */
static inline void hart_expect_trap(Hart *h, uint64_t cause, uint64_t epc, uint64_t tval)
{
    h->cpu->pc = CODE;
    hart_run(h);
    g_assert_cmphex(h->cpu->mcause, ==, cause);
    g_assert_cmphex(h->cpu->mepc, ==, epc);
    g_assert_cmphex(h->cpu->mtval, ==, tval);
    h->at = CODE;
}

/* Values that detect errors: limits, and random ones of random width. */
static inline uint64_t interesting(GRand *rand)
{
    static const uint64_t edges[] = { 0,          1,
                                      2,          0x7f,
                                      0x80,       0xff,
                                      0x7fff,     0x8000,
                                      0x7fffffff, 0x80000000,
                                      0xffffffff, 0x100000000,
                                      INT64_MAX,  (uint64_t)INT64_MIN,
                                      UINT64_MAX, UINT64_MAX - 1 };
    uint64_t v = (uint64_t)g_rand_int(rand) << 32 | g_rand_int(rand);

    switch (g_rand_int_range(rand, 0, 4)) {
    case 0:
        return edges[g_rand_int_range(rand, 0, G_N_ELEMENTS(edges))];
    case 1:
        return v >> g_rand_int_range(rand, 0, 64);
    case 2:
        return (uint64_t)((int64_t)v >> g_rand_int_range(rand, 0, 64));
    default:
        return v;
    }
}

#endif
