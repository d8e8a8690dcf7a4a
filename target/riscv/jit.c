/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The translator of a hart: common code, and the translation of a block (contract in
 * jit_internal.h).
 */
#include "target/riscv/jit_emit_internal.h"

/* No block requires more; what does is not translated. */
#define JIT_BLOCK_BYTES (48u << 10)

static const uint8_t jit_saved[] = { RBP, RBX, R12, R13, R14, R15 };

bool rv_jit_supported(void)
{
    return true; /* only instructions of every x86-64 host are used */
}

/* --- common code --- */

/* Emit `opcode host, x` for each x register that has a host register. */
static void jit_all_x(Jit *j, unsigned opcode)
{
    for (unsigned x = 0; x < 32; x++) {
        int host = jit_host_reg(x);
        if (host >= 0) {
            jit_field(j, opcode, true, host, jit_x_disp(x));
        }
    }
}

static void jit_push(Asm *a, unsigned reg)
{
    x86_opcode(a, 0x50 | (reg & 7), false, 0, reg);
}

static void jit_pop(Asm *a, unsigned reg)
{
    x86_opcode(a, 0x58 | (reg & 7), false, 0, reg);
}

/* enter(cpu, code): rsp is a multiple of 16 in translated code. */
static JitEnter *jit_emit_enter(Jit *j)
{
    Asm *a = &j->a;
    const uint8_t *start = x86_here(a);

    for (unsigned i = 0; i < G_N_ELEMENTS(jit_saved); i++) {
        jit_push(a, jit_saved[i]);
    }
    x86_imm(a, G_SUB, true, RSP, 8);
    x86_rm(a, X_LEA, true, RBP, RDI, JIT_BASE_OFFSET);
    x86_mov(a, RAX, RSI);
    jit_all_x(j, X_MOV);
    x86_rr(a, 0xff, false, 4, RAX); /* jmp rax */
    return (JitEnter *)(uintptr_t)start;
}

/* Return from enter() with eax. The x registers are in memory. */
static const uint8_t *jit_emit_return(Jit *j)
{
    Asm *a = &j->a;
    const uint8_t *start = x86_here(a);

    x86_imm(a, G_ADD, true, RSP, 8);
    for (unsigned i = G_N_ELEMENTS(jit_saved); i-- > 0;) {
        jit_pop(a, jit_saved[i]);
    }
    x86_u8(a, 0xc3);
    return start;
}

static void jit_leave(Jit *j, JitExit why, const uint8_t *ret)
{
    jit_all_x(j, X_STORE);
    x86_const(&j->a, RAX, why);
    x86_jmp_to(&j->a, ret);
}

/* Leave with the numbers of the block and the operation in eax and ecx. */
static const uint8_t *jit_emit_leave_op(Jit *j, JitExit why, const uint8_t *ret)
{
    const uint8_t *start = x86_here(&j->a);

    jit_field(j, X_STORE, false, RAX, JIT_FIELD(exit_block));
    jit_field(j, X_STORE, false, RCX, JIT_FIELD(exit_op));
    jit_leave(j, why, ret);
    return start;
}

/* Leave with a block, or with the pc, in rax. */
static const uint8_t *jit_emit_leave_rax(Jit *j, JitExit why, int32_t field, const uint8_t *ret)
{
    const uint8_t *start = x86_here(&j->a);

    jit_field(j, X_STORE, true, RAX, field);
    jit_leave(j, why, ret);
    return start;
}

/* Call rv_jit_op() with the numbers of the block and the operation in eax and ecx. */
static const uint8_t *jit_emit_call_code(Jit *j, const uint8_t *ret)
{
    Asm *a = &j->a;
    const uint8_t *start = x86_here(a);

    jit_field(j, X_STORE, false, RAX, JIT_FIELD(exit_block));
    jit_field(j, X_STORE, false, RCX, JIT_FIELD(exit_op));
    jit_all_x(j, X_STORE);
    x86_rm(a, X_LEA, true, RDI, RBP, -JIT_BASE_OFFSET);
    x86_const(a, RAX, (uintptr_t)rv_jit_op);
    x86_imm(a, G_SUB, true, RSP, 8);
    x86_rr(a, 0xff, false, 2, RAX); /* call rax */
    x86_imm(a, G_ADD, true, RSP, 8);
    x86_rr(a, 0x84 | X_BYTE, false, RAX, RAX); /* test al, al */
    uint8_t *failed = x86_jcc(a, CC_E);
    jit_all_x(j, X_MOV);
    x86_u8(a, 0xc3);
    x86_land(a, failed);
    x86_imm(a, G_ADD, true, RSP, 8); /* the return address */
    x86_const(a, RAX, JIT_EXIT_RAISE);
    x86_jmp_to(a, ret);
    return start;
}

static void jit_start(Jit *j, RiscvCpu *cpu, Block *b)
{
    CodeBuf *c = &cpu->jit->code;
    size_t end = MIN(c->size, c->used + JIT_BLOCK_BYTES);

    j->cpu = cpu;
    j->jit = cpu->jit;
    j->b = b;
    j->n_tails = 0;
    j->alone = false;
    j->loop = 0;
    jit_forget_hosts(j);
    j->a = (Asm){ c->write + c->used, c->write + end, c->exec - c->write, false };
}

static void jit_finish(Jit *j)
{
    CodeBuf *c = &j->cpu->jit->code;

    c->used = ((j->a.p - c->write) + 15) & ~(size_t)15;
}

static void jit_common(RiscvCpu *cpu)
{
    RvJit *jit = cpu->jit;
    Jit j;

    jit_start(&j, cpu, NULL);
    jit->enter = jit_emit_enter(&j);
    const uint8_t *ret = jit_emit_return(&j);
    jit->cold = jit_emit_leave_rax(&j, JIT_EXIT_BLOCK, JIT_FIELD(exit_to), ret);
    jit->lookup = jit_emit_leave_rax(&j, JIT_EXIT_LOOKUP, JIT_FIELD(pc), ret);
    jit->link = jit_emit_leave_op(&j, JIT_EXIT_LINK, ret);
    jit->op = jit_emit_leave_op(&j, JIT_EXIT_OP, ret);
    jit->call = jit_emit_call_code(&j, ret);
    g_assert(!j.a.full);
    jit_finish(&j);
    jit->first = jit->code.used;
    cpu->blocks.cold = jit->cold;
}

bool rv_jit_init(RiscvCpu *cpu, GError **err)
{
    RvJit *jit = g_new0(RvJit, 1);

    if (!codebuf_init(&jit->code, cpu->blocks.arena + ARENA_BYTES, JIT_BYTES, err)) {
        g_free(jit);
        return false;
    }
    jit->threshold = JIT_THRESHOLD;
    jit->host_fma = __builtin_cpu_supports("fma");
    cpu->jit = jit;
    jit_common(cpu);
    return true;
}

void rv_jit_free(RiscvCpu *cpu)
{
    if (cpu->jit) {
        codebuf_fini(&cpu->jit->code);
        g_free(cpu->jit);
        cpu->jit = NULL;
    }
}

/* --- blocks --- */

static uint32_t jit_block_number(const Jit *j)
{
    return ((const uint8_t *)j->b - j->cpu->blocks.arena) / 16;
}

static void jit_numbers(Jit *j, unsigned op)
{
    x86_const(&j->a, RAX, jit_block_number(j));
    x86_const(&j->a, RCX, op);
}

void jit_emit_call(Jit *j, unsigned op)
{
    jit_numbers(j, op);
    x86_call_to(&j->a, j->jit->call);
}

static bool jit_exit_is_near(unsigned id)
{
    return (id >= OP_BEQ && id <= OP_BGEU) || id == OP_JAL || id == OP_END;
}

/* Continue with the block of a link while it is valid and nothing is pending (LEAVE in interp.c).
 */
void jit_emit_exit(Jit *j, unsigned index)
{
    const Op *op = &j->b->ops[index];
    const Link *link = block_link(j->b, jit_exit_link(op));
    Asm *a = &j->a;
    uint8_t *invalid;

    x86_imm_m(a, G_ADD, true, RBP, JIT_FIELD(retired), op->aux);
    x86_imm_m(a, G_CMP, false, RBP, JIT_FIELD(cpu.pending), 0);
    uint8_t *pending = x86_jcc(a, CC_NE);
    if (jit_exit_is_near(op->id)) {
        x86_rip(a, X_MOV, true, RAX, &link->to);
        x86_rr(a, X_TEST, true, RAX, RAX);
        invalid = x86_jcc(a, CC_E);
    } else {
        x86_rip(a, X_MOV, true, RAX, &link->context);
        jit_field(j, X_CMP, true, RAX, JIT_FIELD(fetch_unique));
        invalid = x86_jcc(a, CC_NE);
        x86_rip(a, X_MOV, true, RAX, &link->to);
    }
    x86_rm(a, 0xff, false, 4, RAX, offsetof(Block, code)); /* jmp [rax + code] */
    x86_land(a, pending);
    x86_land(a, invalid);
    jit_numbers(j, index);
    x86_jmp_to(a, j->jit->link);
}

static void jit_emit_tail(Jit *j, const JitTail *t)
{
    for (unsigned i = 0; i < t->n_jumps; i++) {
        x86_land_at(&j->a, t->jump[i], t->leader ? j->alone_at[t->op] : x86_here(&j->a));
    }
    if (t->leader) {
        return;
    }
    j->op = &j->b->ops[t->op];
    if (t->again) {
        jit_emit_loop_again(j, t);
    } else if (t->resume) {
        jit_emit_call(j, t->op);
        jit_load_floats(j, t->leaves ? 0 : t->f_valid);
        x86_jmp_to(&j->a, t->leaves ? j->alone_at[t->op + 1] : t->resume);
    } else {
        jit_emit_exit(j, t->op);
    }
}

static bool jit_emit_op(Jit *j)
{
    unsigned id = j->op->id;
    JitEmit *emit = jit_emit_int(id);

    emit = emit ? emit : jit_emit_mem(id);
    emit = emit ? emit : jit_emit_amo(id);
    emit = emit ? emit : jit_emit_fp(id);
    emit = emit ? emit : jit_emit_sys(id);
    if (emit && emit(j, j->op)) {
        return true;
    }
    if (rv_jit_has_op(id)) {
        jit_emit_call(j, jit_op_index(j));
        j->f_valid = 0;
        return true;
    }
    jit_numbers(j, jit_op_index(j));
    x86_jmp_to(&j->a, j->jit->op);
    return false;
}

/* Translate an operation. Return false if the code leaves the block for the interpreter. */
static bool jit_one(Jit *j)
{
    unsigned n = j->n_tails;
    bool ok = jit_emit_op(j);

    jit_f_forget(j, j->op);
    for (; n < j->n_tails; n++) {
        j->tails[n].f_valid = j->f_valid;
    }
    return ok;
}

/* Return whether an operation can be translated. */
static bool jit_can(unsigned id)
{
    return jit_emit_int(id) || jit_emit_mem(id) || jit_emit_sys(id) || rv_jit_has_op(id);
}

static bool jit_is_leader(const Jit *j, unsigned i)
{
    return j->groups.of[i] && j->groups.group[j->groups.of[i]].leader == i;
}

/* Make the second translation contain all operations that follow FP_CHECK, or all of a loop. */
static void jit_open_floats(Jit *j)
{
    for (unsigned i = j->loop ? 1 : j->f_check; j->f_check && i < j->b->n_ops; i++) {
        j->groups.open[i] = true;
    }
}

/* The second translation: emit the operations between the leaders and the last members of groups
 * once more, without groups, and those for which FP_CHECK checks. The others are not repeated. */
static void jit_emit_alone(Jit *j, unsigned n)
{
    j->alone = true;
    j->f_valid = 0;
    for (unsigned i = 1; i < n; i++) {
        j->op = &j->b->ops[i];
        if (!j->groups.open[i] && !jit_is_leader(j, i)) {
            continue;
        }
        j->alone_at[i] = x86_here(&j->a);
        jit_one(j);
        if (!j->groups.open[i + 1] || i + 1 == n) {
            x86_jmp_to(&j->a, j->at[i + 1]);
        }
    }
}

/* Return whether the code of an operation does not change rax and rdx, or records it: accesses, and
 * the usual steps of pointers. */
static bool jit_keeps_hosts(const Op *op)
{
    bool to_host = jit_host_reg(op->rd) >= 0;

    return jit_is_access(op->id) || (op->id == OP_ADDI && (to_host || op->rd == op->rs1)) ||
           (op->id == OP_MV && jit_host_reg(op->rs1) >= 0);
}

static bool jit_block(Jit *j)
{
    unsigned n;

    j->op = &j->b->ops[1];
    j->loop = jit_find_loop(j->b);
    jit_find_groups(&j->groups, j->b);
    jit_find_floats(j);
    jit_open_floats(j);
    if (j->loop) {
        jit_emit_loop_start(j);
    }
    for (n = 1; n < j->b->n_ops; n++) {
        j->op = &j->b->ops[n];
        j->at[n] = x86_here(&j->a);
        if (!jit_keeps_hosts(j->op)) {
            jit_forget_hosts(j);
        }
        if (!jit_one(j)) {
            break;
        }
    }
    j->alone_at[n] = j->at[n]; /* where the code leaves the block for the interpreter */
    jit_emit_alone(j, n);
    for (unsigned i = 0; i < j->n_tails; i++) {
        jit_emit_tail(j, &j->tails[i]);
    }
    return !j->a.full;
}

static void jit_set_first(RiscvCpu *cpu, Block *b, unsigned id)
{
    b->ops[0].id = id;
    b->ops[0].handler = cpu->handlers[id];
}

/* The code of an earlier epoch may belong to blocks that are still linked to the caller's. */
static bool jit_same_epoch(RiscvCpu *cpu)
{
    RvJit *jit = cpu->jit;

    if (jit->epoch == cpu->blocks.epoch) {
        return true;
    }
    jit->epoch = cpu->blocks.epoch;
    jit->code.used = jit->first;
    return false;
}

bool rv_jit_translate(RiscvCpu *cpu, Block *b)
{
    RvJit *jit = cpu->jit;
    Jit j;

    if (!jit_same_epoch(cpu)) {
        return false;
    }
    if (jit->code.size - jit->code.used < JIT_BLOCK_BYTES) {
        blockcache_drop_all(&cpu->blocks);
        jit->n_full++;
        jit_same_epoch(cpu);
        return false;
    }
    jit_set_first(cpu, b, OP_PLAIN);
    if (!jit_can(b->ops[1].id)) {
        return true;
    }
    jit_start(&j, cpu, b);
    const uint8_t *code = x86_here(&j.a);
    if (jit_block(&j)) {
        jit_finish(&j);
        b->code = code;
        jit_set_first(cpu, b, OP_TRANSLATED);
        jit->n_blocks++;
    }
    return true;
}

void rv_jit_describe(const RiscvCpu *cpu, GString *out)
{
    const RvJit *jit = cpu->jit;

    if (!jit) {
        g_string_append_printf(out, "CPU %u: interpreter\n", cpu->cpu.index);
        return;
    }
    g_string_append_printf(out,
                           "CPU %u: %zu of %zu KiB of code in use, %" PRIu64
                           " blocks translated, buffer discarded %" PRIu64 " times\n",
                           cpu->cpu.index, jit->code.used >> 10, jit->code.size >> 10,
                           jit->n_blocks, jit->n_full);
}
