/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The CPU type: properties, registers for monitors, device-tree properties, translation.
 */
#include <libfdt.h>

#include "util/error.h"
#include "harness.h"

/* Return what must be off as well if a property is off. */
static const char *test_needs(const char *name)
{
    return g_str_equal(name, "f") ? ",d=off" : g_str_equal(name, "a") ? ",zawrs=off" : "";
}

static void test_features(void)
{
    static const struct {
        const char *text, *says;
    } bad[] = {
        { "zzz=on", "zzz" },
        { "zba", "zba" },
        { "zba=maybe", "maybe" },
        { "=on", "no property ''" },
        { "h=on", "property 'h' is always off" },
        { "v=true", "property 'v' is always off" },
        { "pmu-num=30", "property 'pmu-num' is '30'; accepted: 0 to 29" },
        { "sscofpmf=on,pmu-num=0", "also requires sscofpmf=off" },
        { "sscofpmf=on,pmu-mask=0", "also requires sscofpmf=off" },
        { "pmu-mask=0x1f", "pmu-mask is 0x1f; bits 0 to 2" },
        { "pmu-mask=0xffffffff", "property 'pmu-mask' is '0xffffffff'; accepted: 0 to 4294967288" },
        { "pmu-mask=8,pmu-num=4", "exclude each other" },
        { "mmu=off", "property 'mmu' is always on" },
        { "f=off", "CPU rv64: f=off also requires d=off" },
        { "f=off,zfh=on", "f=off also requires d=off,zfh=off" },
        { "a=off", "a=off also requires zawrs=off" },
        { "a=off,f=off", "also requires" },
    };
    Machine *m = machine_new();

    machine_lock(m);
    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
        GError *err = NULL;
        g_assert_null(riscv_cpu_type.create(m, 0, bad[i].text, &err));
        g_assert_nonnull(strstr(err->message, bad[i].says));
        g_error_free(err);
    }
    machine_free(m);
    Hart *masked = hart_new("pmu-mask=0x80000030"), *none = hart_new("pmu-mask=0");
    g_assert_cmphex(masked->cpu->pmu_mask, ==, 0x80000030);
    g_assert_cmphex(none->cpu->pmu_mask, ==, 0);
    hart_free(masked);
    hart_free(none);
    /* Every property of the table that can change is accepted, both ways. */
    for (size_t i = 0; i < riscv_cpu_type.n_props; i++) {
        const PlanProp *p = &riscv_cpu_type.props[i];
        if ((p->flags & PLAN_PROP_FIXED) || p->kind != PLAN_PROP_BOOL) {
            continue;
        }
        const char *name = riscv_cpu_type.props[i].name;
        g_autofree char *off = g_strdup_printf("%s=off%s", name, test_needs(name));
        g_autofree char *on = g_strdup_printf("%s=on", name);
        Hart *h = hart_new(off), *all = hart_new(on);
        g_assert_cmphex(h->cpu->features, !=, all->cpu->features);
        hart_free(h);
        hart_free(all);
    }
}

/* A property that can have only one value is accepted with this value and rejected with the other.
 * It is not part of the canonical form. */
static void test_fixed(void)
{
    for (size_t i = 0; i < riscv_cpu_type.n_props; i++) {
        const PlanProp *p = &riscv_cpu_type.props[i];
        g_autofree char *good = g_strdup_printf("rv64,%s=%s", p->name, p->def ? "on" : "off");
        g_autofree char *bad = g_strdup_printf("rv64,%s=%s", p->name, p->def ? "off" : "on");
        g_autofree char *canonical = NULL;
        g_autoptr(GError) err = NULL;

        if (!(p->flags & PLAN_PROP_FIXED)) {
            continue;
        }
        canonical = cpu_model_canonical(good, NULL, &err);
        g_assert_no_error(err);
        g_assert_cmpstr(canonical, ==, "rv64");
        g_assert_null(cpu_model_canonical(bad, NULL, &err));
        g_assert_error(err, BACKPLANE_ERROR, (int)ERROR_USER);
        g_assert_nonnull(strstr(err->message, p->def ? "is always on" : "is always off"));
    }
}

/* Return the canonical form of a model. */
static char *canonical_of(const char *model)
{
    GError *err = NULL;
    char *text = cpu_model_canonical(model, NULL, &err);

    g_assert_no_error(err);
    return text;
}

/* Names have the upper and lower case of any version of QEMU; the profiles have their extensions.
 */
static void test_types(void)
{
    static const struct {
        const CpuType *type;
        uint64_t has, lacks;
    } types[] = {
        { &riscv_cpu_type, ISA_BIT(EXT_ZBA) | ISA_BIT(EXT_SSTC), ISA_BIT(EXT_ZFH) },
        { &riscv_cpu_max, ISA_BIT(EXT_ZFH) | ISA_BIT(EXT_ZACAS) | ISA_BIT(EXT_ZIMOP), 0 },
        { &riscv_cpu_rva22u64,
          ISA_BIT(EXT_ZBS) | ISA_BIT(EXT_ZICBOM) | ISA_BIT(EXT_ZICBOP) | ISA_BIT(EXT_ZFHMIN),
          ISA_BIT(EXT_ZFH) | ISA_BIT(EXT_SVPBMT) | ISA_BIT(EXT_SV48) },
        { &riscv_cpu_rva22s64, ISA_BIT(EXT_SVADE) | ISA_BIT(EXT_SVPBMT) | ISA_BIT(EXT_SVINVAL),
          ISA_BIT(EXT_SVADU) | ISA_BIT(EXT_ZICOND) },
        { &riscv_cpu_u54, ISA_BIT(EXT_D) | ISA_BIT(EXT_C),
          ISA_BIT(EXT_ZBA) | ISA_BIT(EXT_SSTC) | ISA_BIT(EXT_SV48) },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(types); i++) {
        Machine *m = machine_new();
        GError *err = NULL;

        machine_lock(m);
        Cpu *cpu = types[i].type->create(m, 0, NULL, &err);
        g_assert_no_error(err);
        uint64_t features = riscv_cpu(cpu)->features;
        g_assert_cmphex(features & types[i].has, ==, types[i].has);
        g_assert_cmphex(features & types[i].lacks, ==, 0);
        g_assert_true(cpu->type == types[i].type);
        g_assert_true(cpu_type_find(cpu->type->name) == cpu->type);
        cpu->type->destroy(cpu);
        machine_free(m);
    }
    Machine *m = machine_new();
    GError *err = NULL;
    machine_lock(m);
    g_assert_null(riscv_cpu_max.create(m, 0, "zfhmin=off", &err));
    g_assert_cmpstr(err->message, ==, "CPU max: zfhmin=off also requires zfh=off");
    g_error_free(err);
    machine_free(m);
    g_autofree char *upper = canonical_of("rv64,Zfh=on,ZBA=off,Counters=on,zba=on");
    g_assert_cmpstr(upper, ==, "rv64,zfh=on");
    g_autofree char *counters = canonical_of("rv64,pmu-num=8");
    g_autofree char *same = canonical_of("rv64,pmu-num=16");
    g_autofree char *u54 = canonical_of("sifive-u54,zba=on,h=off");
    g_assert_cmpstr(u54, ==, "sifive-u54,zba=on");
    g_assert_cmpstr(counters, ==, "rv64,pmu-num=8");
    g_assert_cmpstr(same, ==, "rv64");
}

static const char *isa_string(const char *features, char *blob, size_t size, int *len)
{
    Hart *h = hart_new(features);

    g_assert_cmpint(fdt_create_empty_tree(blob, size), ==, 0);
    int node = fdt_add_subnode(blob, 0, "cpu");
    riscv_cpu_type.fdt_props(&h->cpu->cpu, blob, node);
    hart_free(h);
    return fdt_getprop(blob, fdt_path_offset(blob, "/cpu"), "riscv,isa-extensions", len);
}

static bool has_item(const char *list, int len, const char *item)
{
    for (int at = 0; at < len; at += strlen(list + at) + 1) {
        if (g_str_equal(list + at, item)) {
            return true;
        }
    }
    return false;
}

static void test_device_tree(void)
{
    static char blob[4096];
    int len;
    const char *list = isa_string("zba=off", blob, sizeof(blob), &len);
    int node = fdt_path_offset(blob, "/cpu");

    g_assert_true(has_item(list, len, "zbb"));
    g_assert_true(has_item(list, len, "ssaia"));
    g_assert_true(has_item(list, len, "zicsr"));
    g_assert_false(has_item(list, len, "zba"));
    g_assert_false(has_item(list, len, "sv48"));
    g_assert_cmpstr(fdt_getprop(blob, node, "mmu-type", NULL), ==, "riscv,sv48");
    g_assert_cmpstr(fdt_getprop(blob, node, "riscv,isa-base", NULL), ==, "rv64i");
    const char *isa = fdt_getprop(blob, node, "riscv,isa", NULL);
    g_assert_true(g_str_has_prefix(isa, "rv64imafdc_"));
    g_assert_null(strstr(isa, "zba"));
    g_assert_nonnull(fdt_getprop(blob, node, "riscv,cboz-block-size", NULL));
    g_assert_null(fdt_getprop(blob, node, "riscv,cbom-block-size", NULL));
    list = isa_string("zfh=on,zicbom=on,zicbop=on,m=off", blob, sizeof(blob), &len);
    node = fdt_path_offset(blob, "/cpu");
    g_assert_true(has_item(list, len, "zfh") && has_item(list, len, "zfhmin"));
    g_assert_true(has_item(list, len, "a") && !has_item(list, len, "m"));
    isa = fdt_getprop(blob, node, "riscv,isa", NULL);
    g_assert_true(g_str_has_prefix(isa, "rv64iafdc_"));
    g_assert_nonnull(strstr(isa, "_zicbom_zicbop_zicboz"));
    g_assert_nonnull(fdt_getprop(blob, node, "riscv,cbom-block-size", NULL));
    g_assert_nonnull(fdt_getprop(blob, node, "riscv,cbop-block-size", NULL));
    isa_string("sv48=off,zicboz=off", blob, sizeof(blob), &len);
    node = fdt_path_offset(blob, "/cpu");
    g_assert_cmpstr(fdt_getprop(blob, node, "mmu-type", NULL), ==, "riscv,sv39");
    g_assert_null(fdt_getprop(blob, node, "riscv,cboz-block-size", NULL));
}

static void test_registers(void)
{
    Hart *h = hart_new(NULL);
    CpuReg regs[256];

    h->cpu->x[10] = 77;
    h->cpu->mepc = 88;
    size_t n = riscv_cpu_type.registers(&h->cpu->cpu, regs, G_N_ELEMENTS(regs));
    g_assert_cmpuint(n, >, 64);
    g_assert_cmpuint(n, <=, G_N_ELEMENTS(regs));
    g_assert_cmpuint(riscv_cpu_type.registers(&h->cpu->cpu, regs, 3), ==, n);
    riscv_cpu_type.registers(&h->cpu->cpu, regs, G_N_ELEMENTS(regs));
    unsigned seen = 0;
    for (size_t i = 0; i < n; i++) {
        seen += g_str_equal(regs[i].name, "a0") && regs[i].value == 77;
        seen += g_str_equal(regs[i].name, "mepc") && regs[i].value == 88;
    }
    g_assert_cmpuint(seen, ==, 2);
    uint64_t v = 99;
    g_assert_true(riscv_cpu_type.csr_access(&h->cpu->cpu, 0x340, true, &v));
    v = 0;
    g_assert_true(riscv_cpu_type.csr_access(&h->cpu->cpu, 0x340, false, &v));
    g_assert_cmpuint(v, ==, 99);
    g_assert_false(riscv_cpu_type.csr_access(&h->cpu->cpu, 0x7a0, false, &v));
    g_assert_true(riscv_cpu_type.translate(&h->cpu->cpu, DATA, &v));
    g_assert_cmphex(v, ==, DATA);
    hart_free(h);
}

/* Flushes from outside: code that ran before runs again. */
static void test_flush(void)
{
    Hart *h = hart_new(NULL);

    for (unsigned i = 0; i < 3; i++) {
        h->cpu->x[5] = DATA;
        emit_word(h, s_type("sd", 5, 5, 0));
        emit_word(h, i_type("ld", 6, 5, 0));
        hart_run_code(h);
        g_assert_cmphex(h->cpu->x[6], ==, DATA);
        riscv_cpu_type.flush_translations(&h->cpu->cpu);
        riscv_cpu_type.flush_writes(&h->cpu->cpu);
    }
    g_assert_cmpuint(riscv_cpu_type.retired(&h->cpu->cpu), >, 6);
    hart_free(h);
}

/* Tracking: a store to a clean page marks it, a second one is direct. */
static void test_dirty_tracking(void)
{
    Hart *h = hart_new(NULL);
    uint64_t page = (DATA - RAM_BASE) / RAM_PAGE_SIZE;
    unsigned long bitmap[RAM_BYTES / RAM_PAGE_SIZE / (8 * sizeof(long))];

    machine_lock(h->m);
    ram_dirty_track(h->ram, true);
    ram_dirty_fetch(h->ram, 0, RAM_BYTES / RAM_PAGE_SIZE, bitmap);
    riscv_cpu_type.flush_writes(&h->cpu->cpu);
    machine_unlock(h->m);
    h->cpu->x[5] = DATA;
    emit_word(h, s_type("sd", 5, 5, 0));
    emit_word(h, s_type("sd", 5, 5, 8));
    hart_run_code(h);
    g_assert_true(h->ram->pages[page] & RAM_PAGE_DIRTY);
    g_assert_false(h->ram->pages[page + 1] & RAM_PAGE_DIRTY);
    g_assert_cmphex(tlb_at(&h->cpu->tlb, TLB_WRITE, DATA)->tag & TLB_PAGE_MASK, ==, DATA);
    hart_free(h);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/cpu/fixed", test_fixed);
    g_test_add_func("/cpu/types", test_types);
    g_test_add_func("/cpu/features", test_features);
    g_test_add_func("/cpu/device-tree", test_device_tree);
    g_test_add_func("/cpu/registers", test_registers);
    g_test_add_func("/cpu/flush", test_flush);
    g_test_add_func("/cpu/dirty-tracking", test_dirty_tracking);
    return g_test_run();
}
