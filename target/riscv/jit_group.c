/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Accesses of a block that share one lookup in the TLB.
 *
 * Loads, or stores, whose addresses differ by constants form a group if their bytes are within
 * JIT_GROUP_SPAN. The addresses are known to differ by constants if their base registers are the
 * same, or were computed from the same register by addi and mv. The first access, the leader, looks
 * up the range of all and stores its host address, which the others use. The range is in one page,
 * so that a hit is valid for each of them. The address remains valid until a function is called
 * that may change the TLB or the memory map; translated code of other accesses, without groups,
 * follows such a call and a leader whose lookup missed (jit.c).
 */
#include "target/riscv/jit_emit_internal.h"

#define JIT_GROUP_SPAN 512

/* Bytes of an access; 0: none, or one whose address is a constant. */
static const struct {
    uint8_t size, kind;
} jit_accesses[OP_COUNT] = {
    [OP_LB] = { 1, TLB_READ },  [OP_LBU] = { 1, TLB_READ },  [OP_LH] = { 2, TLB_READ },
    [OP_LHU] = { 2, TLB_READ }, [OP_LW] = { 4, TLB_READ },   [OP_LWU] = { 4, TLB_READ },
    [OP_LD] = { 8, TLB_READ },  [OP_FLW] = { 4, TLB_READ },  [OP_FLD] = { 8, TLB_READ },
    [OP_SB] = { 1, TLB_WRITE }, [OP_SH] = { 2, TLB_WRITE },  [OP_SW] = { 4, TLB_WRITE },
    [OP_SD] = { 8, TLB_WRITE }, [OP_FSW] = { 4, TLB_WRITE }, [OP_FSD] = { 8, TLB_WRITE },
};

#define JIT_GROUP_OFFSET (1 << 24) /* limit of sums of immediates */
#define JIT_ROOTS        (32 + 2 * BLOCK_MAX_OPS)

/* The value of an x register: that of a root, which is a value that is not known, plus a constant.
 */
typedef struct JitValue {
    uint16_t root;
    int32_t offset;
} JitValue;

typedef struct JitGrouping {
    JitGroups *g;
    JitValue x[32];
    unsigned n_roots;
    uint8_t current[2][JIT_ROOTS]; /* number of the group of a root, for loads and stores; 0 */
} JitGrouping;

static bool jit_group_join(JitGroup *group, int32_t low, int32_t high)
{
    int32_t min = MIN(group->low, low), max = MAX(group->high, high);

    if (group->n == 0 || max - min > JIT_GROUP_SPAN) {
        return false;
    }
    group->low = min;
    group->high = max;
    return true;
}

static void jit_group_access(JitGrouping *s, unsigned index, const Op *op)
{
    const JitValue *base = &s->x[op->rs1];
    uint8_t *number = &s->current[jit_accesses[op->id].kind][base->root];
    JitGroup *group = &s->g->group[*number];
    int32_t low = base->offset + op->imm, high = low + jit_accesses[op->id].size;

    if (!jit_group_join(group, low, high)) {
        if (s->g->n_groups == JIT_GROUPS) {
            *number = 0;
            return;
        }
        *number = ++s->g->n_groups;
        group = &s->g->group[*number];
        *group = (JitGroup){ .low = low, .high = high, .leader = index };
    }
    group->n++;
    group->last = index;
    s->g->of[index] = *number;
    s->g->offset[index] = low;
}

/* Record what an operation writes to x register rd. */
static void jit_group_write(JitGrouping *s, const Op *op)
{
    JitValue *value = &s->x[op->rd];

    if ((op->id == OP_ADDI || op->id == OP_MV) && op->rs1 != 0) {
        int32_t offset = s->x[op->rs1].offset + (op->id == OP_ADDI ? op->imm : 0);
        if (ABS(offset) < JIT_GROUP_OFFSET) {
            *value = (JitValue){ s->x[op->rs1].root, offset };
            return;
        }
    }
    *value = (JitValue){ s->n_roots++, 0 };
    if (op->id == OP_AMOCAS_Q) { /* writes a pair, whose number is even */
        value[1] = (JitValue){ s->n_roots++, 0 };
    }
}

/* Return true if an operation writes its rd as an x register. */
static bool jit_writes_x(unsigned id)
{
    bool branch = (id >= OP_BEQ && id <= OP_BGEU) || (id >= OP_BEQ_FAR && id <= OP_BGEU_FAR);

    return !branch && id != OP_FLW && id != OP_FLD && jit_accesses[id].kind != TLB_WRITE &&
           (!rv_op_is_fp(id) || rv_op_fp_writes_x(id));
}

/* Return true if an operation calls a function that may change the TLB or the memory map: one of
 * the loads, stores, cache operations and atomics that have no code in jit_mem.c. Those of
 * jit_amo.c call one only after a miss. */
static bool jit_group_ends(unsigned id)
{
    bool memory = id < OP_PREFETCH_I || (id >= OP_SB && id <= OP_AMOCAS_Q);

    return memory && !jit_emit_mem(id);
}

static void jit_group_close(JitGroups *g, unsigned n)
{
    for (unsigned i = 1; i < n; i++) {
        const JitGroup *group = &g->group[g->of[i]];
        if (group->n < 2) {
            g->of[i] = 0;
            continue;
        }
        for (unsigned k = group->leader + 1; i == group->leader && k <= group->last; k++) {
            g->open[k] = true;
        }
    }
}

void jit_find_groups(JitGroups *g, const Block *b)
{
    JitGrouping s = { .g = g, .n_roots = 32 };

    memset(g, 0, sizeof(*g));
    for (unsigned i = 0; i < 32; i++) {
        s.x[i].root = i;
    }
    for (unsigned i = 1; i < b->n_ops; i++) {
        const Op *op = &b->ops[i];
        if (jit_accesses[op->id].size && op->rs1 != 0) {
            jit_group_access(&s, i, op);
        } else if (jit_group_ends(op->id)) {
            memset(s.current, 0, sizeof(s.current));
        }
        if (jit_writes_x(op->id) && op->rd < 32) {
            jit_group_write(&s, op);
        }
    }
    jit_group_close(g, b->n_ops);
}

bool jit_is_access(unsigned id)
{
    return jit_accesses[id].size || id == OP_LD_PC || id == OP_LW_PC;
}
