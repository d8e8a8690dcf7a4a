/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The CPU types with their properties, and the extensions of a hart in the device tree.
 */
#include <libfdt.h>
#include <string.h>

#include "target/riscv/features_internal.h"
#include "util/error.h"

/* CPU types, for the column `types` of ext.def. */
enum { T_RV64 = 1, T_MAX = 2, T_RVA22U = 4, T_RVA22S = 8, T_U54 = 16 };
#define T_RVA22 (T_RVA22U | T_RVA22S)
#define T_ALL   (T_RV64 | T_MAX | T_RVA22 | T_U54)

/* Description of an extension in the device tree. */
typedef enum ExtWhere { EXT_IN_DT, EXT_IN_LETTER, EXT_IN_HIDDEN } ExtWhere;

typedef struct ExtRow {
    const char *name;
    IsaExt ext;
    ExtWhere where;
} ExtRow;

#define EXT(text, id, place, types, doc) { text, EXT_##id, EXT_IN_##place },
#define COUNT(text, value, top, doc)
#define FIXED(text, value, doc)
#define MASK(text, doc)
#define ALIAS(text, of)
static const ExtRow ext_rows[] = {
#include "target/riscv/ext.def"
};
#undef EXT
#undef COUNT
#undef FIXED
#undef MASK
#undef ALIAS

#define EXT(text, id, place, types, words)                                                         \
    { .name = text, .kind = PLAN_PROP_BOOL, .def = ((types)&TYPE) != 0, .doc = words },
#define COUNT(text, value, top, words)                                                             \
    { .name = text, .kind = PLAN_PROP_U32, .def = value, .max = top, .doc = words },
#define FIXED(text, value, words)                                                                  \
    { .name = text, .kind = PLAN_PROP_BOOL, .flags = PLAN_PROP_FIXED, .def = value, .doc = words },
#define MASK(text, words)                                                                          \
    { .name = text,                                                                                \
      .kind = PLAN_PROP_U32,                                                                       \
      .def = UINT64_MAX,                                                                           \
      .max = UINT32_MAX & ~7u,                                                                     \
      .doc = words },
#define ALIAS(text, of)                                                                            \
    { .name = text, .kind = PLAN_PROP_BOOL, .same_as = of, .doc = "QEMU's name of " of },
#define TYPE T_RV64
const PlanProp rv_props_type[] = {
#include "target/riscv/ext.def"
};
#undef TYPE
#define TYPE T_MAX
const PlanProp rv_props_max[] = {
#include "target/riscv/ext.def"
};
#undef TYPE
#define TYPE T_RVA22U
const PlanProp rv_props_rva22u64[] = {
#include "target/riscv/ext.def"
};
#undef TYPE
#define TYPE T_RVA22S
const PlanProp rv_props_rva22s64[] = {
#include "target/riscv/ext.def"
};
#undef TYPE
#define TYPE T_U54
const PlanProp rv_props_u54[] = {
#include "target/riscv/ext.def"
};
#undef TYPE
#undef EXT
#undef COUNT
#undef FIXED
#undef MASK
#undef ALIAS

/* --- combinations --- */

static const struct {
    IsaExt ext, needs;
} ext_requirements[] = {
    { EXT_D, EXT_F },     { EXT_ZFH, EXT_F },   { EXT_ZFHMIN, EXT_F },   { EXT_ZFA, EXT_F },
    { EXT_ZACAS, EXT_A }, { EXT_ZAWRS, EXT_A }, { EXT_ZFH, EXT_ZFHMIN },
};

static const char *features_name(IsaExt ext)
{
    for (size_t i = 0; i < G_N_ELEMENTS(ext_rows); i++) {
        if (ext_rows[i].ext == ext) {
            return ext_rows[i].name;
        }
    }
    g_assert_not_reached();
}

/* Check that everything that an extension requires is on. One message names all that is missing of
 * the first extension that is off. */
static bool features_complete(const CpuType *t, uint64_t features, GError **err)
{
    IsaExt missing = EXT_COUNT;
    g_autoptr(GString) list = g_string_new(NULL);

    for (size_t i = 0; i < G_N_ELEMENTS(ext_requirements); i++) {
        IsaExt ext = ext_requirements[i].ext, needs = ext_requirements[i].needs;

        if (!(features & ISA_BIT(ext)) || (features & ISA_BIT(needs)) ||
            (missing != EXT_COUNT && missing != needs)) {
            continue;
        }
        missing = needs;
        g_string_append_printf(list, "%s%s=off", list->len ? "," : "", features_name(ext));
    }
    return missing == EXT_COUNT || error_set(err, ERROR_USER, "CPU %s: %s=off also requires %s",
                                             t->name, features_name(missing), list->str);
}

/* Return the value of a numeric property in canonical items; NULL: it has its default. */
static const char *features_number(char **items, const char *name)
{
    for (size_t i = 0; items[i]; i++) {
        if (g_str_has_prefix(items[i], name) && items[i][strlen(name)] == '=') {
            return items[i] + strlen(name) + 1;
        }
    }
    return NULL;
}

/* Set *counters from pmu-mask or pmu-num in canonical items, or by default. */
static bool features_counters(const CpuType *t, char **items, uint32_t *counters, GError **err)
{
    const char *mask = features_number(items, "pmu-mask"), *num = features_number(items, "pmu-num");
    guint64 n = num ? g_ascii_strtoull(num, NULL, 10)
                    : plan_find_prop(t->props, t->n_props, "pmu-num")->def;

    if (mask && num) {
        return error_set(err, ERROR_USER, "CPU %s: pmu-mask and pmu-num exclude each other",
                         t->name);
    }
    *counters =
        mask ? (uint32_t)g_ascii_strtoull(mask, NULL, 10) : ((UINT32_C(1) << n) - 1) << PMU_FIRST;
    return !(*counters & 7) ||
           error_set(err, ERROR_USER,
                     "CPU %s: pmu-mask is 0x%x; bits 0 to 2, which are cycle, time and instret, "
                     "must be 0",
                     t->name, *counters);
}

bool rv_features_parse(const CpuType *t, const char *text, RvFeatures *out, GError **err)
{
    g_autofree char *model = g_strdup_printf("%s,%s", t->name, text ? text : "");
    g_autofree char *canonical = cpu_model_canonical(model, NULL, err);
    uint64_t set = ISA_BIT(EXT_I) | ISA_BIT(EXT_C);

    if (!canonical) {
        return false;
    }
    g_auto(GStrv) items = g_strsplit(canonical, ",", -1);
    for (size_t i = 0; i < G_N_ELEMENTS(ext_rows); i++) {
        g_autofree char *on = g_strdup_printf("%s=on", ext_rows[i].name);
        g_autofree char *off = g_strdup_printf("%s=off", ext_rows[i].name);
        bool def = plan_find_prop(t->props, t->n_props, ext_rows[i].name)->def;

        /* The canonical form contains only what differs from the default. */
        if (g_strv_contains((const char *const *)items, def ? off : on) ? !def : def) {
            set |= ISA_BIT(ext_rows[i].ext);
        }
    }
    /* zfh includes zfhmin, unless zfhmin was turned off. */
    if ((set & ISA_BIT(EXT_ZFH)) && !plan_find_prop(t->props, t->n_props, "zfhmin")->def) {
        set |= ISA_BIT(EXT_ZFHMIN);
    }
    if (!features_complete(t, set, err)) {
        return false;
    }
    if (!features_counters(t, items, &out->counters, err)) {
        return false;
    }
    out->extensions = isa_features(set);
    if ((set & ISA_BIT(EXT_SSCOFPMF)) && !out->counters) {
        return error_set(err, ERROR_USER,
                         "CPU %s: no counters (pmu-num, pmu-mask) also requires sscofpmf=off",
                         t->name);
    }
    return true;
}

/* --- device tree --- */

static void features_append(GByteArray *list, const char *name)
{
    g_byte_array_append(list, (const guint8 *)name, strlen(name) + 1);
}

/* Append the names of the extensions of a place to both forms of the list. */
static void features_list(uint64_t features, ExtWhere where, GString *isa, GByteArray *list)
{
    for (size_t i = 0; i < G_N_ELEMENTS(ext_rows); i++) {
        if (ext_rows[i].where == where && (features & ISA_BIT(ext_rows[i].ext))) {
            g_string_append_printf(isa, "%s%s", where == EXT_IN_LETTER ? "" : "_",
                                   ext_rows[i].name);
            features_append(list, ext_rows[i].name);
        }
    }
}

static void features_block_sizes(uint64_t features, void *fdt, int node)
{
    static const struct {
        IsaExt ext;
        const char *prop;
    } sizes[] = {
        { EXT_ZICBOM, "riscv,cbom-block-size" },
        { EXT_ZICBOP, "riscv,cbop-block-size" },
        { EXT_ZICBOZ, "riscv,cboz-block-size" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
        if (features & ISA_BIT(sizes[i].ext)) {
            fdt_setprop_u32(fdt, node, sizes[i].prop, CBO_BLOCK);
        }
    }
}

void rv_features_fdt(uint64_t features, void *fdt, int node)
{
    static const char *const always[] = { "c", "zicntr", "zicsr", "zifencei" };
    g_autoptr(GString) isa = g_string_new("rv64i");
    g_autoptr(GByteArray) list = g_byte_array_new();

    features_append(list, "i");
    features_list(features, EXT_IN_LETTER, isa, list);
    for (size_t i = 0; i < G_N_ELEMENTS(always); i++) {
        g_string_append_printf(isa, "%s%s", i ? "_" : "", always[i]);
        features_append(list, always[i]);
    }
    features_list(features, EXT_IN_DT, isa, list);
    fdt_setprop_string(fdt, node, "riscv,isa", isa->str);
    fdt_setprop_string(fdt, node, "riscv,isa-base", "rv64i");
    fdt_setprop(fdt, node, "riscv,isa-extensions", list->data, list->len);
    fdt_setprop_string(fdt, node, "mmu-type",
                       features & ISA_BIT(EXT_SV48) ? "riscv,sv48" : "riscv,sv39");
    features_block_sizes(features, fdt, node);
}
