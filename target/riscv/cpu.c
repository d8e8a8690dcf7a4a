/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Creation of harts, and their interface for boards and monitors.
 */
#include "target/riscv/csr_internal.h"
#include "target/riscv/features_internal.h"
#include "target/riscv/jit_internal.h"

/* --- creation and destruction --- */

static void destroy(Cpu *c)
{
    RiscvCpu *cpu = riscv_cpu(c);

    rv_mem_detach(cpu);
    rv_blocks_free(cpu);
    rv_jit_free(cpu);
    blockcache_fini(&cpu->blocks);
    codepages_put(cpu->pages);
    g_aligned_free(cpu);
}

static CodePages *shared_pages(Machine *m)
{
    return m->cpus->len ? riscv_cpu(g_ptr_array_index(m->cpus, 0))->pages : NULL;
}

static Cpu *rv_cpu_create(const CpuType *type, Machine *m, unsigned index, const char *features,
                          GError **err)
{
    bool translate = m->translate && !m->qtest && !m->dry_run && rv_jit_supported();
    RvFeatures has;

    if (!rv_features_parse(type, features, &has, err)) {
        return NULL;
    }
    RiscvCpu *cpu = g_aligned_alloc0(1, sizeof(*cpu), 64);
    cpu->cpu = (Cpu){ .type = type, .machine = m, .index = index };
    cpu->features = has.extensions;
    cpu->pmu_mask = has.counters;
    cpu->handlers = rv_handlers();
    cpu->pages = codepages_get(m, shared_pages(m));
    tlb_init(&cpu->tlb);
    if (!blockcache_init(&cpu->blocks, cpu->pages, translate ? JIT_BYTES : 0)) {
        g_set_error(err, G_FILE_ERROR, G_FILE_ERROR_NOMEM,
                    "CPU %u: no %u MiB of address space for decoded code", index,
                    ARENA_BYTES >> 20);
        destroy(&cpu->cpu);
        return NULL;
    }
    if (translate && !rv_jit_init(cpu, err)) {
        g_prefix_error(err, "CPU %u: ", index);
        destroy(&cpu->cpu);
        return NULL;
    }
    cpu->blocks.dead_op = (Op){ .id = OP_DEAD, .handler = cpu->handlers[OP_DEAD] };
    rv_mem_attach(cpu);
    riscv_debug_ops.point_changed(&cpu->cpu, NULL);
    rv_reset(&cpu->cpu, 0);
    return &cpu->cpu;
}

static void flush_translations(Cpu *c)
{
    RiscvCpu *cpu = riscv_cpu(c);

    rv_forget_ram(cpu);
    cpu->blocks.drop_all = true;
    __atomic_fetch_or(&c->pending, CPU_PENDING_INTERRUPT, __ATOMIC_SEQ_CST);
}

static void flush_writes(Cpu *c)
{
    tlb_flush_writes(&riscv_cpu(c)->tlb);
}

static bool rv_cpu_translate(Cpu *c, uint64_t va, uint64_t *pa)
{
    return mmu_debug_translate(riscv_cpu(c), va, pa);
}

/* --- registers for monitors --- */

static void rv_cpu_put(CpuReg *regs, size_t max, size_t *n, const char *name, uint64_t value)
{
    if (*n < max) {
        regs[*n] = (CpuReg){ name, value };
    }
    ++*n;
}

static size_t registers(Cpu *c, CpuReg *regs, size_t max)
{
    RiscvCpu *cpu = riscv_cpu(c);
    size_t n = 0;

    rv_cpu_put(regs, max, &n, "pc", cpu->pc);
    rv_cpu_put(regs, max, &n, "priv", cpu->priv);
    for (unsigned i = 0; i < 32; i++) {
        rv_cpu_put(regs, max, &n, isa_x_names[i], cpu->x[i]);
    }
    for (unsigned i = 0; i < 32; i++) {
        rv_cpu_put(regs, max, &n, isa_f_names[i], cpu->f[i]);
    }
    for (size_t i = 0; i < csr_n_rows; i++) {
        uint64_t value = 0;
        if (csr_rows[i].count == 1 && rv_debug_csr(cpu, csr_rows[i].number, false, &value)) {
            rv_cpu_put(regs, max, &n, csr_rows[i].name, value);
        }
    }
    return n;
}

static bool access_csr(Cpu *c, unsigned csr, bool write, uint64_t *value)
{
    return rv_debug_csr(riscv_cpu(c), csr, write, value);
}

static uint64_t retired(Cpu *c)
{
    return __atomic_load_n(&riscv_cpu(c)->retired, __ATOMIC_RELAXED);
}

static void describe_execution(const Cpu *c, GString *out)
{
    rv_jit_describe((const RiscvCpu *)c, out);
}

static void post_load_arm(Cpu *c)
{
    rv_pmu_arm(riscv_cpu(c));
    rv_timer_update(riscv_cpu(c));
}

static void fdt_props(Cpu *c, void *fdt, int node)
{
    rv_features_fdt(riscv_cpu(c)->features, fdt, node);
}

static void rv_fdt_machine(Cpu *c, void *fdt)
{
    rv_pmu_fdt(riscv_cpu(c)->pmu_mask, fdt);
}

static const MsiSink msi = { rv_deliver_any, IMSIC_IDS };

/* --- types --- */

/* clang-format off */
#define RV_TYPE(id, text)                                                                          \
    static Cpu *rv_cpu_create_##id(Machine *m, unsigned index, const char *features, GError **err) \
    {                                                                                              \
        return rv_cpu_create(&riscv_cpu_##id, m, index, features, err);                            \
    }                                                                                              \
    const CpuType riscv_cpu_##id = {                                                               \
        .name = text, .props = rv_props_##id, .n_props = RV_N_PROPS, .msi = &msi,                  \
        .vmstate = &riscv_cpu_vmstate, .create = rv_cpu_create_##id, .destroy = destroy,           \
        .reset = rv_reset, .run = rv_run, .set_input_any = rv_set_input_any,                       \
        .flush_translations = flush_translations, .flush_writes = flush_writes,                    \
        .translate = rv_cpu_translate, .registers = registers, .csr_access = access_csr,           \
        .fdt_props = fdt_props, .fdt_machine = rv_fdt_machine,                                     \
        .describe_execution = describe_execution, .retired = retired,                              \
        .post_load_arm = post_load_arm, .debug = &riscv_debug_ops,                                 \
    };
RV_TYPE(type, "rv64")
RV_TYPE(max, "max")
RV_TYPE(rva22u64, "rva22u64")
RV_TYPE(rva22s64, "rva22s64")
RV_TYPE(u54, "sifive-u54")
/* clang-format on */
