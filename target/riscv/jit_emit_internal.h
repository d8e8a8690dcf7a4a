/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A block while it is translated, and access to guest registers.
 */
#ifndef TARGET_RISCV_JIT_EMIT_H
#define TARGET_RISCV_JIT_EMIT_H

#include "target/riscv/jit_internal.h"
#include "target/riscv/x86_internal.h"

#define JIT_X_BASE 16 /* the register that rbp points at */

/* Displacement of a field of RiscvCpu relative to rbp. */
#define JIT_FIELD(field) ((int32_t)offsetof(RiscvCpu, field) - JIT_BASE_OFFSET)
#define JIT_BASE_OFFSET  ((int32_t)(offsetof(RiscvCpu, x) + JIT_X_BASE * 8))

/* Code that is emitted after the body of the block: the path of a branch that is taken, and the
 * call for an access that is not a hit in the TLB. */
#define JIT_TAIL_JUMPS 6
typedef struct JitTail {
    uint8_t *jump[JIT_TAIL_JUMPS]; /* lead here: x86_land() */
    unsigned n_jumps;
    const uint8_t *resume; /* NULL: an exit through the link of the operation */
    uint16_t op;
    bool leader;      /* no tail: continue with the operation in the second translation */
    bool leaves;      /* resume after the operation in the second translation */
    bool again;       /* the end of a loop that may have to be left */
    uint32_t f_valid; /* f registers that are loaded before it resumes */
} JitTail;

/* Accesses that share one lookup in the TLB: see jit_group.c. */
typedef struct JitGroup {
    int32_t low, high; /* range of the bytes, relative to the root of their addresses */
    uint16_t n, leader, last;
} JitGroup;

typedef struct JitGroups {
    JitGroup group[JIT_GROUPS + 1]; /* 0: none */
    unsigned n_groups;
    uint8_t of[BLOCK_MAX_OPS + 8];     /* number of the group of an operation */
    int32_t offset[BLOCK_MAX_OPS + 8]; /* of its address from the root */
    bool open[BLOCK_MAX_OPS + 8];      /* a group has its leader before the operation, and the last
                                        * member there or after it, or the operation follows
                                        * FP_CHECK */
} JitGroups;

typedef struct Jit {
    Asm a;
    RiscvCpu *cpu;
    const RvJit *jit;
    Block *b;
    const Op *op; /* the operation that is translated */
    unsigned n_tails;
    JitTail tails[2 * BLOCK_MAX_OPS];
    JitGroups groups;
    bool alone;       /* second translation: without groups, and with all floating-point checks */
    int8_t f_reg[32]; /* xmm registers of f registers, or -1 */
    uint32_t f_all, f_valid; /* sets: those that have one, and those that are loaded */
    unsigned f_check;        /* number of FP_CHECK; 0: none */
    unsigned loop;           /* number of the operation that repeats the block; 0: none */
    const uint8_t *repeat;   /* code of a repetition */
    unsigned host[2]; /* numbers of the groups of loads and stores whose host addresses are in rax
                       * and rdx; 0: none */
    unsigned base;    /* host register: the host address of an access is this plus disp */
    int32_t disp;
    const uint8_t *at[BLOCK_MAX_OPS + 8], *alone_at[BLOCK_MAX_OPS + 8]; /* code of operations */
} Jit;

/* Return the host register of an x register, or -1. */
static inline int jit_host_reg(unsigned x)
{
    static const int8_t host[] = {
        [0] = -1,   [1] = -1,   [2] = RBX, [3] = -1,  [4] = -1,   [5] = -1,
        [6] = -1,   [7] = -1,   [8] = R12, [9] = R13, [10] = R14, [11] = R15,
        [12] = RSI, [13] = RDI, [14] = R8, [15] = R9, [16] = R10, [17] = R11,
    };

    return x < G_N_ELEMENTS(host) ? host[x] : -1;
}

#define SSE_LOAD  (0x10u | X_0F) /* movss, movsd */
#define SSE_STORE (0x11u | X_0F)
#define SSE_MOVE  (0x28u | X_0F) /* movaps */

static inline int32_t jit_f_disp(unsigned f)
{
    return JIT_FIELD(f) + (int32_t)f * 8;
}

static inline int32_t jit_x_disp(unsigned x)
{
    return ((int)x - JIT_X_BASE) * 8;
}

/* Emit `opcode reg, [field]`. */
static inline void jit_field(Jit *j, unsigned opcode, bool wide, unsigned reg, int32_t disp)
{
    x86_rm(&j->a, opcode, wide, reg, RBP, disp);
}

/* Load a guest register into a host register. */
static inline void jit_load_x(Jit *j, unsigned reg, unsigned x)
{
    int host = jit_host_reg(x);

    if (x == 0) {
        x86_rr(&j->a, X_XOR, false, reg, reg);
    } else if (host >= 0) {
        x86_mov(&j->a, reg, host);
    } else {
        jit_field(j, X_MOV, true, reg, jit_x_disp(x));
    }
}

/* Return a host register that contains a guest register and must not be changed: its own, or
 * `temporary`. */
static inline unsigned jit_source(Jit *j, unsigned x, unsigned temporary)
{
    int host = jit_host_reg(x);

    if (host >= 0) {
        return host;
    }
    jit_load_x(j, temporary, x);
    return temporary;
}

/* Store a host register to a guest register. */
static inline void jit_store_x(Jit *j, unsigned x, unsigned reg)
{
    int host = jit_host_reg(x);

    if (host >= 0) {
        x86_mov(&j->a, host, reg);
    } else if (x != 0 && x != X_DUMP) {
        jit_field(j, X_STORE, true, reg, jit_x_disp(x));
    }
}

/* Return the host register in which the result for a guest register is computed: its own, or rax.
 * jit_result_done() completes it. */
static inline unsigned jit_result(unsigned x)
{
    int host = jit_host_reg(x);

    return host >= 0 ? (unsigned)host : RAX;
}

static inline void jit_result_done(Jit *j, unsigned x, unsigned reg)
{
    jit_store_x(j, x, reg);
}

/* Emit `opcode reg, x`. */
static inline void jit_with_x(Jit *j, unsigned opcode, bool wide, unsigned reg, unsigned x)
{
    int host = jit_host_reg(x);

    if (host >= 0) {
        x86_rr(&j->a, opcode, wide, reg, host);
    } else {
        jit_field(j, opcode, wide, reg, jit_x_disp(x)); /* x[0] is zero in memory, too */
    }
}

static inline unsigned jit_op_index(const Jit *j)
{
    return j->op - j->b->ops;
}

static inline JitTail *jit_tail(Jit *j, uint8_t *jump, const uint8_t *resume)
{
    JitTail *t = &j->tails[j->n_tails++];

    *t = (JitTail){ .jump = { jump }, .n_jumps = 1, .resume = resume, .op = jit_op_index(j) };
    return t;
}

/* Add a jump to the exit of the operation, which its two translations share. */
static inline void jit_exit_tail(Jit *j, uint8_t *jump)
{
    for (unsigned i = 0; j->alone && i < j->n_tails; i++) {
        JitTail *t = &j->tails[i];
        if (t->op == jit_op_index(j) && !t->resume && !t->leader && t->n_jumps < JIT_TAIL_JUMPS) {
            t->jump[t->n_jumps++] = jump;
            return;
        }
    }
    jit_tail(j, jump, NULL);
}

/* Return the group of the operation; NULL: none. */
static inline const JitGroup *jit_group(const Jit *j)
{
    unsigned number = j->groups.of[jit_op_index(j)];

    return number && !j->alone ? &j->groups.group[number] : NULL;
}

static inline void jit_forget_hosts(Jit *j)
{
    j->host[TLB_READ] = j->host[TLB_WRITE] = 0;
}

void jit_find_groups(JitGroups *g, const Block *b);
/* Return whether an operation is a load or a store. */
bool jit_is_access(unsigned id);

/* Emit a lookup of `size` bytes at the address in rax in the TLB. A hit continues with the host
 * address in rax. Return the jump of a miss. Changes rcx and rdx. */
uint8_t *jit_emit_tlb(Jit *j, TlbKind kind, unsigned size);
/* Emit a conditional branch by its operation, to be completed with x86_land(). */
uint8_t *jit_emit_condition(Jit *j, const Op *op, bool inverted);

/* --- jit_float.c --- */

/* Determine j->f_check, and the f registers that have a vector register. */
void jit_find_floats(Jit *j);
/* Emit the check of what the block relies on; if it fails, the second translation continues with
 * operation `op`. */
void jit_emit_float_check(Jit *j, unsigned op);
void jit_load_floats(Jit *j, uint32_t set);
/* Return an xmm register that contains an f register and must not be changed: its own, or
 * `temporary`. */
unsigned jit_f_source(Jit *j, unsigned f, unsigned temporary);
/* Return the xmm register of an f register, which the caller writes, or -1. */
int jit_f_target(Jit *j, unsigned f);
/* Record that an operation wrote RiscvCpu.f, unless it is one on doubles. */
void jit_f_forget(Jit *j, const Op *op);
/* Write a double. */
void jit_f_write(Jit *j, unsigned f, unsigned xmm);

/* --- jit_loop.c --- */

/* Return the operation that repeats the block; 0: none. */
unsigned jit_find_loop(const Block *b);
void jit_emit_loop_start(Jit *j);
/* Emit the end of the loop: the operation j->loop. */
bool jit_emit_loop_end(Jit *j, const Op *op);
/* Emit the tail of the end. */
void jit_emit_loop_again(Jit *j, const JitTail *t);

/* Emit a call of rv_jit_op() for the operation. */
void jit_emit_call(Jit *j, unsigned op);
/* Emit the exit of the operation through its link. */
void jit_emit_exit(Jit *j, unsigned index);

/* The translation of an operation. It may emit nothing and return false: the operation is carried
 * out by rv_jit_op() then. */
typedef bool JitEmit(Jit *j, const Op *op);
JitEmit *jit_emit_int(unsigned id); /* NULL: none; the same for the others */
JitEmit *jit_emit_mem(unsigned id);
JitEmit *jit_emit_amo(unsigned id);
JitEmit *jit_emit_fp(unsigned id);
JitEmit *jit_emit_sys(unsigned id);
/* Emit a jump to the block at the address in rax. */
void jit_emit_jump(Jit *j);

#endif
