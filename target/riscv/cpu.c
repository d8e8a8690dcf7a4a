/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The CPU type "rv64": creation and configuration of harts, and their interface for boards and
 * monitors.
 */
#include <libfdt.h>
#include <stdlib.h>
#include <string.h>

#include "target/riscv/jit_internal.h"
#include "target/riscv/csr_internal.h"

/* Extensions with their names for users and the device tree, in the canonical order of an ISA
 * string.
 */
typedef struct ExtName {
    const char *name;
    IsaExt ext;
    bool isa; /* listed in riscv,isa-extensions */
    const char *doc;
} ExtName;

static const ExtName ext_names[] = {
    { "zicboz", EXT_ZICBOZ, true, "cbo.zero" },
    { "zicond", EXT_ZICOND, true, "conditional zeroing" },
    { "zihintpause", EXT_ZIHINTPAUSE, true, "pause" },
    { "zawrs", EXT_ZAWRS, true, "wait on reservation set" },
    { "zba", EXT_ZBA, true, "address generation" },
    { "zbb", EXT_ZBB, true, "basic bit manipulation" },
    { "zbs", EXT_ZBS, true, "single-bit instructions" },
    { "smaia", EXT_SMAIA, true, "advanced interrupts, machine level" },
    { "ssaia", EXT_SSAIA, true, "advanced interrupts, supervisor level" },
    { "sstc", EXT_SSTC, true, "stimecmp" },
    { "svadu", EXT_SVADU, true, "hardware updating of A and D bits" },
    { "svinval", EXT_SVINVAL, true, "fine-grained invalidation" },
    { "svnapot", EXT_SVNAPOT, true, "64 KiB translations" },
    { "svpbmt", EXT_SVPBMT, true, "page-based memory types" },
    { "svvptc", EXT_SVVPTC, true, "new valid entries are seen in bounded time" },
    { "sv48", EXT_SV48, false, "48-bit virtual addresses beside 39-bit ones" },
};

#define FEATURE(n, text)                                                                           \
    {                                                                                              \
        .name = n, .kind = PLAN_PROP_BOOL, .def = 1, .doc = text                                   \
    }
#define FIXED(n, value, text)                                                                      \
    {                                                                                              \
        .name = n, .kind = PLAN_PROP_BOOL, .flags = PLAN_PROP_FIXED, .def = value, .doc = text     \
    }
static const PlanProp props[] = {
    FEATURE("zicboz", "cbo.zero"),
    FEATURE("zicond", "conditional zeroing"),
    FEATURE("zihintpause", "pause"),
    FEATURE("zawrs", "wait on reservation set"),
    FEATURE("zba", "address generation"),
    FEATURE("zbb", "basic bit manipulation"),
    FEATURE("zbs", "single-bit instructions"),
    FEATURE("smaia", "advanced interrupts, machine level"),
    FEATURE("ssaia", "advanced interrupts, supervisor level"),
    FEATURE("sstc", "stimecmp"),
    FEATURE("svadu", "hardware updating of A and D bits"),
    FEATURE("svinval", "fine-grained invalidation"),
    FEATURE("svnapot", "64 KiB translations"),
    FEATURE("svpbmt", "page-based memory types"),
    FEATURE("svvptc", "new valid entries are seen in bounded time"),
    FEATURE("sv48", "48-bit virtual addresses beside 39-bit ones"),
    FIXED("i", true, "always on: base integer instructions"),
    FIXED("m", true, "always on: multiplication and division"),
    FIXED("a", true, "always on: atomic instructions"),
    FIXED("f", true, "always on: single-precision floating point"),
    FIXED("d", true, "always on: double-precision floating point"),
    FIXED("c", true, "always on: compressed instructions"),
    FIXED("Zicsr", true, "always on: CSR instructions"),
    FIXED("Zifencei", true, "always on: fence.i"),
    FIXED("u", true, "always on: user mode"),
    FIXED("s", true, "always on: supervisor mode"),
    FIXED("mmu", true, "always on: address translation"),
    FIXED("pmp", true, "always on: physical memory protection"),
    FIXED("v", false, "always off: vectors"),
    FIXED("h", false, "always off: hypervisor"),
};

#define FEATURES_BASE                                                                              \
    (1u << EXT_I | 1u << EXT_M | 1u << EXT_A | 1u << EXT_F | 1u << EXT_D | 1u << EXT_C)

static const ExtName *find_ext(const char *name)
{
    for (size_t i = 0; i < G_N_ELEMENTS(ext_names); i++) {
        if (g_str_equal(ext_names[i].name, name)) {
            return &ext_names[i];
        }
    }
    return NULL;
}

/* Return 1 for on, 0 for off, -1 for other text. */
static int cpu_parse_bool(const char *text)
{
    static const char *const words[] = { "off", "on", "false", "true", "no", "yes" };

    for (unsigned i = 0; i < G_N_ELEMENTS(words); i++) {
        if (g_str_equal(words[i], text)) {
            return i & 1;
        }
    }
    return -1;
}

static bool set_feature(uint32_t *features, const char *item, GError **err)
{
    g_auto(GStrv) pair = g_strsplit(item, "=", 2);
    const ExtName *e = pair[0] ? find_ext(pair[0]) : NULL;
    int on = pair[0] && pair[1] ? cpu_parse_bool(pair[1]) : -1;

    if (!e) {
        g_set_error(err, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                    "CPU rv64 has no property '%s' (-cpu rv64,help lists them)", item);
        return false;
    }
    if (on < 0) {
        g_set_error(err, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                    "CPU rv64: property '%s' is '%s'; on and off are accepted", e->name,
                    pair[1] ? pair[1] : "");
        return false;
    }
    *features = on ? *features | 1u << e->ext : *features & ~(1u << e->ext);
    return true;
}

static bool parse_features(const char *text, uint32_t *features, GError **err)
{
    g_auto(GStrv) items = g_strsplit(text ? text : "", ",", -1);

    *features = FEATURES_BASE;
    for (size_t i = 0; i < G_N_ELEMENTS(ext_names); i++) {
        *features |= 1u << ext_names[i].ext;
    }
    for (unsigned i = 0; items[i]; i++) {
        if (*items[i] && !set_feature(features, items[i], err)) {
            return false;
        }
    }
    return true;
}

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

static Cpu *rv_cpu_create(Machine *m, unsigned index, const char *features, GError **err)
{
    bool translate = m->translate && !m->qtest && !m->dry_run && rv_jit_supported();
    uint32_t mask;

    if (!parse_features(features, &mask, err)) {
        return NULL;
    }
    RiscvCpu *cpu = g_aligned_alloc0(1, sizeof(*cpu), 64);
    cpu->cpu = (Cpu){ .type = &riscv_cpu_type, .machine = m, .index = index };
    cpu->features = mask;
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
    rv_timer_update(riscv_cpu(c));
}

/* --- device tree --- */

static const char *const always[] = { "i", "m", "a", "f", "d", "c", "zicntr", "zicsr", "zifencei" };

static void append_item(GByteArray *list, const char *name)
{
    g_byte_array_append(list, (const guint8 *)name, strlen(name) + 1);
}

/* Set the properties of the CPU node. Old readers require the string riscv,isa, new ones the list
 * riscv,isa-extensions; Linux prefers the list. */
static void fdt_props(Cpu *c, void *fdt, int node)
{
    RiscvCpu *cpu = riscv_cpu(c);
    GString *isa = g_string_new("rv64imafdc");
    GByteArray *list = g_byte_array_new();

    for (size_t i = 0; i < G_N_ELEMENTS(always); i++) {
        append_item(list, always[i]);
    }
    g_string_append(isa, "_zicntr_zicsr_zifencei");
    for (size_t i = 0; i < G_N_ELEMENTS(ext_names); i++) {
        if (ext_names[i].isa && has_ext(cpu, ext_names[i].ext)) {
            g_string_append_printf(isa, "_%s", ext_names[i].name);
            append_item(list, ext_names[i].name);
        }
    }
    fdt_setprop_string(fdt, node, "riscv,isa", isa->str);
    fdt_setprop_string(fdt, node, "riscv,isa-base", "rv64i");
    fdt_setprop(fdt, node, "riscv,isa-extensions", list->data, list->len);
    fdt_setprop_string(fdt, node, "mmu-type", has_ext(cpu, EXT_SV48) ? "riscv,sv48" : "riscv,sv39");
    if (has_ext(cpu, EXT_ZICBOZ)) {
        fdt_setprop_u32(fdt, node, "riscv,cboz-block-size", CBO_BLOCK);
    }
    g_string_free(isa, TRUE);
    g_byte_array_free(list, TRUE);
}

static const MsiSink msi = { rv_deliver_any, IMSIC_IDS };

const CpuType riscv_cpu_type = {
    .name = "rv64",
    .props = props,
    .n_props = G_N_ELEMENTS(props),
    .msi = &msi,
    .vmstate = &riscv_cpu_vmstate,
    .create = rv_cpu_create,
    .destroy = destroy,
    .reset = rv_reset,
    .run = rv_run,
    .set_input_any = rv_set_input_any,
    .flush_translations = flush_translations,
    .flush_writes = flush_writes,
    .translate = rv_cpu_translate,
    .registers = registers,
    .csr_access = access_csr,
    .fdt_props = fdt_props,
    .describe_execution = describe_execution,
    .retired = retired,
    .post_load_arm = post_load_arm,
    .debug = &riscv_debug_ops,
};
