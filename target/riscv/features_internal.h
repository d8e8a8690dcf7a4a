/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The properties of the CPU types, and the extensions of a hart (table in ext.def).
 */
#ifndef TARGET_RISCV_FEATURES_H
#define TARGET_RISCV_FEATURES_H

#include "target/riscv/hart_internal.h"

/* Number of properties, the same for all types. */
#define EXT(...)   +1
#define COUNT(...) +1
#define FIXED(...) +1
#define MASK(...)  +1
#define ALIAS(...) +1
enum {
    RV_N_PROPS = 0
#include "target/riscv/ext.def"
};
#undef EXT
#undef COUNT
#undef FIXED
#undef MASK
#undef ALIAS

/* The properties of the CPU types, with their defaults. */
extern const PlanProp rv_props_type[RV_N_PROPS], rv_props_max[RV_N_PROPS],
    rv_props_rva22u64[RV_N_PROPS], rv_props_rva22s64[RV_N_PROPS], rv_props_u54[RV_N_PROPS];

/* The extensions and counters of a hart. */
typedef struct RvFeatures {
    uint64_t extensions; /* ISA_BIT(), from isa_features() */
    uint32_t counters;   /* bits 3 to 31: performance counters */
} RvFeatures;

/* Set *out to the features of a type with the properties in `text` ("zba=off,zbc=on"; NULL:
 * none). False with an ERROR_USER for an unknown property, a bad value, or an extension without
 * another one that it requires. */
bool rv_features_parse(const CpuType *t, const char *text, RvFeatures *out, GError **err);
/* Set the properties of the CPU node. Old readers require the string riscv,isa, new ones the list
 * riscv,isa-extensions; Linux prefers the list. */
void rv_features_fdt(uint64_t features, void *fdt, int node);

#endif
