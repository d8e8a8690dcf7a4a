/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A machine with harts that only record what is done to them, for tests of board devices.
 */
#ifndef TESTS_HW_FIXTURE_H
#define TESTS_HW_FIXTURE_H

#include <libfdt.h>

#include "hw/core/cpu.h"
#include "hw/core/sysdev.h"

typedef struct FakeCpu {
    Cpu cpu;
    uint64_t inputs; /* levels, by number */
    uint32_t last_id[MSI_FILES];
    unsigned messages[MSI_FILES];
    uint64_t pc;
} FakeCpu;

static void fake_deliver(Cpu *cpu, MsiFile file, uint32_t id)
{
    FakeCpu *f = (FakeCpu *)cpu;

    f->last_id[file] = id;
    f->messages[file]++;
}

static const MsiSink fake_sink = { fake_deliver, 255 };

static void fake_input(Cpu *cpu, unsigned input, bool level)
{
    FakeCpu *f = (FakeCpu *)cpu;

    f->inputs = (f->inputs & ~(1ull << input)) | (uint64_t)level << input;
}

static void fake_destroy(Cpu *cpu)
{
    g_free(cpu);
}

static void fake_reset(Cpu *cpu, uint64_t pc)
{
    ((FakeCpu *)cpu)->pc = pc;
}

static void fake_fdt_props(Cpu *cpu, void *fdt, int node)
{
    g_assert_cmpint(fdt_setprop_string(fdt, node, "mmu-type", "riscv,sv48"), ==, 0);
}

static Cpu *fake_create(Machine *m, unsigned index, const char *features, GError **err);

static const CpuType fake_cpu_type = {
    .name = "fake",
    .msi = &fake_sink,
    .create = fake_create,
    .destroy = fake_destroy,
    .reset = fake_reset,
    .set_input_any = fake_input,
    .fdt_props = fake_fdt_props,
};

const CpuType *const cpu_types[] = { &fake_cpu_type, NULL };

static Cpu *fake_create(Machine *m, unsigned index, const char *features, GError **err)
{
    FakeCpu *f = g_new0(FakeCpu, 1);

    f->cpu = (Cpu){ .type = &fake_cpu_type, .machine = m, .index = index };
    return &f->cpu;
}

/* A machine with a stepped clock, its lock held. */
static inline Machine *fixture_new(unsigned harts)
{
    Machine *m = machine_new();

    machine_lock(m);
    clocks_set_stepped(m->clocks);
    for (unsigned i = 0; i < harts; i++)
        g_ptr_array_add(m->cpus, fake_create(m, i, NULL, NULL));
    return m;
}

static inline FakeCpu *fixture_cpu(Machine *m, unsigned i)
{
    return g_ptr_array_index(m->cpus, i);
}

static inline bool fixture_input(Machine *m, unsigned hart, unsigned input)
{
    return fixture_cpu(m, hart)->inputs >> input & 1;
}

static inline Device *fixture_device(Machine *m, const char *type, const char *settings,
                                     uint64_t addr)
{
    g_autoptr(GError) err = NULL;
    Device *dev = device_create(m, type, settings, NULL, &err);

    g_assert_no_error(err);
    sysdev_map(dev, 0, addr);
    return dev;
}

static inline uint64_t guest_read(Machine *m, uint64_t addr, unsigned size)
{
    uint64_t v = 0;

    mem_read(&m->memory, addr, size, &v);
    return v;
}

static inline void guest_write(Machine *m, uint64_t addr, unsigned size, uint64_t v)
{
    mem_write(&m->memory, addr, size, v);
}

static inline uint32_t guest_read32(Machine *m, uint64_t addr)
{
    return guest_read(m, addr, 4);
}

static inline void guest_write32(Machine *m, uint64_t addr, uint32_t v)
{
    guest_write(m, addr, 4, v);
}

static inline void clock_step_ns(Machine *m, int64_t ns)
{
    g_assert_true(clocks_step_to(m->clocks, clock_now_any(m, CLOCK_KIND_VIRTUAL) + ns));
}

/* Save, load into the same device, save again: the bytes must be equal. */
static inline void check_state_round_trip(Device *dev)
{
    const VmState *vm = dev->type->vmstate;
    g_autoptr(GByteArray) a = g_byte_array_new(), b = g_byte_array_new();
    g_autoptr(GError) err = NULL;
    ByteWriter wa = { a }, wb = { b };
    ByteReader r;

    vm_save(vm, dev, &wa);
    for (unsigned len = 0; len < a->len; len += 7) { /* a short stream is refused */
        g_autoptr(GError) why = NULL;

        reader_init(&r, a->data, len);
        g_assert_false(vm_load(vm, dev, vm->version, &r, "dev", &why));
        g_assert_nonnull(why);
    }
    reader_init(&r, a->data, a->len);
    g_assert_true(vm_load(vm, dev, vm->version, &r, "dev", &err));
    g_assert_no_error(err);
    g_assert_cmpuint(reader_left(&r), ==, 0);
    vm_arm_timers(vm, dev);
    vm_save(vm, dev, &wb);
    g_assert_cmpmem(a->data, a->len, b->data, b->len);
}

/* Read, and write random values, with every size at every offset of [addr, addr + len). */
static inline void random_accesses(Machine *m, uint64_t addr, uint64_t len, unsigned rounds)
{
    static const unsigned sizes[] = { 1, 2, 4, 8 };

    for (uint64_t at = 0; at < len; at++) {
        for (unsigned i = 0; i < 4; i++) {
            guest_read(m, addr + at, sizes[i]);
            guest_write(m, addr + at, sizes[i],
                        (uint64_t)g_test_rand_int() << 32 | (uint32_t)g_test_rand_int());
        }
    }
    for (unsigned i = 0; i < rounds; i++)
        guest_write(m, addr + (uint32_t)g_test_rand_int() % len, sizes[g_test_rand_int_range(0, 4)],
                    (uint32_t)g_test_rand_int());
}

#endif
