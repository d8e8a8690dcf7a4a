/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Guest code to blocks of operations, and the way from an address to its block.
 *
 * A block goes on behind conditional branches, so that the likely way through a function is one
 * block; it ends with a jump, with what may change the meaning of what follows, or at the end of
 * the page. An instruction that lies across two pages is a block of its own that is never cached
 * by address: its bytes are compared each time. So is one in a page that PMP cuts.
 */
#include "target/riscv/block.h"

#include <string.h>

#include "util/log.h"

#define MAX_INSNS 64
#define MAX_BYTES 480 /* Op.off counts half-words in a byte */

typedef struct Builder {
    RiscvCpu *cpu;
    uint64_t va;
    const uint8_t *host;
    unsigned off; /* of the instruction at hand */
    unsigned n_ops, n_links, n_insns;
    unsigned address_op; /* index + 1 of the lui or auipc just before, else 0 */
    bool fp_checked, done, once;
    Op ops[BLOCK_MAX_OPS + 8];
} Builder;

static Op *emit(Builder *b, unsigned id)
{
    Op *op = &b->ops[b->n_ops++];

    *op = (Op){ .id = id, .off = b->off / 2, .handler = b->cpu->handlers[id] };
    return op;
}

static void set_id(Builder *b, Op *op, unsigned id)
{
    op->id = id;
    op->handler = b->cpu->handlers[id];
}

static uint8_t dest(unsigned rd)
{
    return rd ? rd : X_DUMP;
}

/* Does an exit to va + rel stay in the page? One-time blocks are checked like the far ones. */
static bool near(const Builder *b, int64_t rel)
{
    return !b->once && ((b->va ^ (b->va + rel)) & TLB_PAGE_MASK) == 0;
}

/* --- pairs --- */

static Op *address_before(Builder *b, unsigned id, const Insn *i)
{
    Op *op = b->address_op ? &b->ops[b->address_op - 1] : NULL;

    return op && op->id == id && op->rd == i->rs1 ? op : NULL;
}

static bool fits(int64_t v)
{
    return v == (int32_t)v;
}

/* lui or auipc, then addi or addiw to the same register. */
static bool fuse_address(Builder *b, const Insn *i)
{
    Op *li = address_before(b, OP_LI, i), *la = address_before(b, OP_LA, i);

    if (i->rd != i->rs1) {
        return false;
    }
    if (li && i->op == OP_ADDIW) {
        li->imm = (int32_t)((uint32_t)li->imm + (uint32_t)i->imm);
        return true;
    }
    if (li && i->op == OP_ADDI && fits((int64_t)li->imm + i->imm)) {
        li->imm += i->imm;
        return true;
    }
    if (la && i->op == OP_ADDI && fits((int64_t)la->imm + i->imm)) {
        la->imm += i->imm;
        return true;
    }
    return false;
}

static bool fuse_load(Builder *b, const Insn *i)
{
    Op *la = address_before(b, OP_LA, i);

    if (!la || i->rd != i->rs1 || !fits((int64_t)la->imm + i->imm)) {
        return false;
    }
    la->imm += i->imm;
    la->aux = (uint16_t)i->imm;
    la->off = b->off / 2; /* a fault is the load's */
    set_id(b, la, i->op == OP_LD ? OP_LD_PC : OP_LW_PC);
    return true;
}

/* --- exits --- */

static void emit_jump(Builder *b, const Insn *i, int64_t target)
{
    Op *op = emit(b, near(b, target) ? OP_JAL : OP_JAL_FAR);

    op->rd = dest(i->rd);
    op->rs1 = b->n_links++;
    op->rs2 = i->len;
    op->imm = target;
    op->aux = b->n_insns;
    b->done = true;
}

static void emit_jalr(Builder *b, const Insn *i)
{
    Op *la = address_before(b, OP_LA, i);

    if (la && fits((int64_t)la->imm + i->imm)) {
        int32_t target = (la->imm + i->imm) & ~1;
        if (i->rd == i->rs1) {
            b->n_ops--; /* the jump overwrites what auipc computed */
        }
        emit_jump(b, i, target);
        return;
    }
    Op *op = emit(b, OP_JALR);
    op->rd = dest(i->rd);
    op->rs1 = i->rs1;
    op->rs2 = i->len;
    op->imm = i->imm;
    op->aux = b->n_insns;
    b->done = true;
}

static void emit_branch(Builder *b, const Insn *i)
{
    int64_t target = (int64_t)b->off + i->imm;
    Op *op = emit(b, near(b, target) ? i->op : i->op - OP_BEQ + OP_BEQ_FAR);

    op->rd = b->n_links++;
    op->rs1 = i->rs1;
    op->rs2 = i->rs2;
    op->imm = target;
    op->aux = b->n_insns;
}

static void emit_end(Builder *b)
{
    Op *op = emit(b, near(b, b->off) ? OP_END : OP_END_FAR);

    op->rs2 = b->n_links++;
    op->imm = b->off;
    op->aux = b->n_insns;
}

static void emit_csr(Builder *b, const Insn *i)
{
    Op *op = emit(b, i->op);

    op->rd = dest(i->rd);
    op->rs1 = i->rs1;
    op->rs2 = b->n_links++;
    op->imm = i->imm;
    op->aux = b->n_insns;
    b->done = true;
}

/* Instructions after which nothing is as it was: the handler goes on at the next address. */
static void emit_system(Builder *b, const Insn *i)
{
    Op *op = emit(b, i->op);

    op->rs1 = i->rs1;
    op->rs2 = i->rs2;
    op->imm = i->word;
    op->aux = b->n_insns;
    op->rd = i->len;
    b->done = true;
}

/* --- the rest --- */

static bool is_fp(const Insn *i)
{
    unsigned format = isa_rows[i->row].format;

    return i->op == OP_FLW || i->op == OP_FLD || i->op == OP_FSW || i->op == OP_FSD ||
           format == FMT_FR || format == FMT_FRM || format == FMT_FR4;
}

static bool fp_dest_is_x(unsigned op)
{
    switch (op) {
    case OP_FCVT_W_S:
    case OP_FCVT_WU_S:
    case OP_FCVT_L_S:
    case OP_FCVT_LU_S:
    case OP_FCVT_W_D:
    case OP_FCVT_WU_D:
    case OP_FCVT_L_D:
    case OP_FCVT_LU_D:
    case OP_FMV_X_W:
    case OP_FMV_X_D:
    case OP_FCLASS_S:
    case OP_FCLASS_D:
    case OP_FEQ_S:
    case OP_FLT_S:
    case OP_FLE_S:
    case OP_FEQ_D:
    case OP_FLT_D:
    case OP_FLE_D:
        return true;
    default:
        return false;
    }
}

static void emit_fp(Builder *b, const Insn *i)
{
    if (!b->fp_checked) {
        emit(b, OP_FP_CHECK)->imm = i->word;
        b->fp_checked = true;
    }
    Op *op = emit(b, i->op);
    op->rd = fp_dest_is_x(i->op) ? dest(i->rd) : i->rd;
    op->rs1 = i->rs1;
    op->rs2 = i->rs2;
    op->imm = i->imm;
    if (isa_rows[i->row].format == FMT_FRM || isa_rows[i->row].format == FMT_FR4) {
        op->aux = i->rm | i->rs3 << 3;
        op->imm = i->word; /* for the trap if the dynamic mode is a reserved one */
    }
}

static void emit_plain(Builder *b, const Insn *i)
{
    Op *op = emit(b, i->op);

    op->rd = dest(i->rd);
    op->rs1 = i->rs1;
    op->rs2 = i->rs2;
    op->imm = i->imm;
}

static void emit_addi(Builder *b, const Insn *i)
{
    if (i->rd == 0 || fuse_address(b, i)) {
        return;
    }
    emit_plain(b, i);
    Op *op = &b->ops[b->n_ops - 1];
    if (i->rs1 == 0) {
        set_id(b, op, OP_LI);
    } else if (i->imm == 0) {
        set_id(b, op, OP_MV);
    }
}

static void emit_upper(Builder *b, const Insn *i)
{
    Op *op;

    if (i->op == OP_AUIPC && !fits((int64_t)b->off + i->imm)) {
        emit_plain(b, i);
        return;
    }
    op = emit(b, i->op == OP_LUI ? OP_LI : OP_LA);
    op->rd = dest(i->rd);
    op->imm = i->op == OP_LUI ? i->imm : (int32_t)b->off + i->imm;
    if (i->rd) {
        b->address_op = b->n_ops;
    }
}

static void emit_insn(Builder *b, const Insn *i)
{
    switch (i->op) {
    case OP_ADDI:
        emit_addi(b, i);
        break;
    case OP_ADDIW:
        if (!fuse_address(b, i)) {
            emit_plain(b, i);
        }
        break;
    case OP_ADD:
        emit_plain(b, i);
        if (i->rs1 == 0) {
            b->ops[b->n_ops - 1].rs1 = i->rs2;
            set_id(b, &b->ops[b->n_ops - 1], OP_MV);
        }
        break;
    case OP_LD:
    case OP_LW:
        if (!fuse_load(b, i)) {
            emit_plain(b, i);
        }
        break;
    case OP_BEQ:
    case OP_BNE:
    case OP_BLT:
    case OP_BGE:
    case OP_BLTU:
    case OP_BGEU:
        emit_branch(b, i);
        break;
    case OP_JAL:
        emit_jump(b, i, (int64_t)b->off + i->imm);
        break;
    case OP_JALR:
        emit_jalr(b, i);
        break;
    case OP_CSRRW:
    case OP_CSRRS:
    case OP_CSRRC:
    case OP_CSRRWI:
    case OP_CSRRSI:
    case OP_CSRRCI:
        emit_csr(b, i);
        break;
    case OP_ECALL:
    case OP_EBREAK:
    case OP_SRET:
    case OP_MRET:
    case OP_WFI:
    case OP_WRS_NTO:
    case OP_WRS_STO:
    case OP_SFENCE_VMA:
    case OP_SINVAL_VMA:
    case OP_SFENCE_W_INVAL:
    case OP_SFENCE_INVAL_IR:
    case OP_FENCE_I:
        emit_system(b, i);
        break;
    case OP_PAUSE:
        break;
    default:
        if (is_fp(i)) {
            emit_fp(b, i);
        } else {
            emit_plain(b, i);
        }
        break;
    }
}

/* Decode one instruction; lui and auipc are remembered for the one after them. */
static void add_insn(Builder *b, uint32_t word)
{
    Insn insn;
    bool legal = decode(word, b->cpu->features, &insn);
    unsigned before = b->address_op;

    b->n_insns++;
    if (log_on(LOG_EXEC) || (log_on(LOG_CPU) && b->off == 0)) {
        emit(b, OP_LOG)->imm = insn.word;
        b->address_op = 0;
    }
    if (!legal) {
        emit(b, OP_UNDEF)->imm = insn.word;
        b->done = true;
    } else if (insn.op == OP_LUI || insn.op == OP_AUIPC) {
        emit_upper(b, &insn);
        before = 0;
    } else {
        emit_insn(b, &insn);
    }
    if (before) {
        b->address_op = 0;
    }
    if (log_on(LOG_IN_ASM)) {
        char text[80] = "illegal";
        if (legal) {
            disassemble(&insn, b->va + b->off, text, sizeof(text));
        }
        log_line("0x%016" PRIx64 ": %0*x  %s", b->va + b->off, insn.len * 2, insn.word, text);
    }
    b->off += insn.len;
}

static uint32_t word_at(const uint8_t *p, unsigned len)
{
    uint16_t low, high = 0;

    memcpy(&low, p, 2);
    if (len == 4) {
        memcpy(&high, p + 2, 2);
    }
    return low | (uint32_t)high << 16;
}

static unsigned len_at(const uint8_t *p)
{
    uint16_t low;

    memcpy(&low, p, 2);
    return insn_len(low);
}

static void add_insns(Builder *b)
{
    unsigned page_left = RAM_PAGE_SIZE - (b->va & (RAM_PAGE_SIZE - 1));

    while (!b->done) {
        /* An instruction makes at most three operations. */
        if (b->n_insns >= MAX_INSNS || b->off >= MAX_BYTES || b->n_ops >= BLOCK_MAX_OPS - 4 ||
            b->n_links >= BLOCK_MAX_LINKS - 2 || b->off + 2 > page_left ||
            b->off + len_at(b->host + b->off) > page_left) {
            break;
        }
        add_insn(b, word_at(b->host + b->off, len_at(b->host + b->off)));
    }
    if (!b->done) {
        emit_end(b);
    }
}

static void finish(Builder *b, Block *block)
{
    block->va = b->va;
    block->len = b->off;
    memcpy(block->ops, b->ops, b->n_ops * sizeof(Op));
}

static bool sole(const RiscvCpu *cpu)
{
    return cpu->cpu.machine->cpus->len <= 1;
}

static void drop_writes(void *opaque)
{
    RiscvCpu *cpu = opaque;

    for (unsigned i = 0; i < cpu->cpu.machine->cpus->len; i++) {
        RiscvCpu *other = riscv_cpu(g_ptr_array_index(cpu->cpu.machine->cpus, i));
        tlb_flush_writes(&other->tlb);
    }
}

/* From here on writes to the bytes are seen: mark first, then take the rights, then read. */
static bool protect(RiscvCpu *cpu, RamBlock *ram, uint64_t offset, uint64_t len)
{
    if (!codepages_mark(cpu->blocks.pages, ram, offset, len)) {
        return true;
    }
    if (sole(cpu)) {
        tlb_drop_writes_to(&cpu->tlb,
                           (uintptr_t)ram->host + (offset & ~(uint64_t)(RAM_PAGE_SIZE - 1)));
        return true;
    }
    if (!cpu_lock_machine(&cpu->cpu)) {
        return rv_fail(cpu, CAUSE_ABANDON, 0);
    }
    cpus_exclusive(cpu->cpu.machine, drop_writes, cpu);
    cpu_unlock_machine(&cpu->cpu);
    return true;
}

static Block *build(RiscvCpu *cpu, uint64_t va, const uint8_t *host)
{
    Builder b = { .cpu = cpu, .va = va, .host = host };
    unsigned page_left = RAM_PAGE_SIZE - (va & (RAM_PAGE_SIZE - 1));
    RamBlock *ram;
    uint64_t offset;

    if (!rv_fetch(cpu, va, &ram, &offset) ||
        !protect(cpu, ram, offset, MIN(page_left, MAX_BYTES + 4))) {
        return NULL;
    }
    add_insns(&b);
    Block *block = blockcache_new(&cpu->blocks, b.n_ops, b.n_links);
    finish(&b, block);
    block->host = (uintptr_t)host;
    blockcache_commit(&cpu->blocks, block);
    return block;
}

/* --- one instruction, by content --- */

static void clear_edges(RiscvCpu *cpu)
{
    for (unsigned i = 0; i < EDGE_BLOCKS; i++) {
        if (cpu->edge[i]) {
            cpu->edge[i]->va = 1; /* no instruction has an odd address */
        }
    }
    cpu->edge_epoch = cpu->blocks.epoch;
}

static Block *edge_slot(RiscvCpu *cpu, uint64_t va)
{
    unsigned i = (va >> 1 ^ va >> 12) % EDGE_BLOCKS;

    if (!cpu->edge[i]) {
        size_t size = 2 * sizeof(Link) + sizeof(Block) + 8 * sizeof(Op);
        uint8_t *p = g_aligned_alloc0(1, size, 16);
        cpu->edge[i] = (Block *)(p + 2 * sizeof(Link));
        cpu->edge[i]->va = 1;
    }
    return cpu->edge[i];
}

void rv_blocks_free(RiscvCpu *cpu)
{
    for (unsigned i = 0; i < EDGE_BLOCKS; i++) {
        if (cpu->edge[i]) {
            g_aligned_free((uint8_t *)cpu->edge[i] - 2 * sizeof(Link));
            cpu->edge[i] = NULL;
        }
    }
}

static Block *build_once(RiscvCpu *cpu, uint64_t va, uint32_t word)
{
    Block *block = edge_slot(cpu, va);
    Builder b = { .cpu = cpu, .va = va, .once = true };

    if (block->va == va && block->host == word && !log_mask) {
        return block;
    }
    add_insn(&b, word);
    if (!b.done) {
        emit_end(&b);
    }
    memset((Link *)block - 2, 0, 2 * sizeof(Link));
    finish(&b, block);
    block->host = word;
    block->dead = BLOCK_ONCE;
    return block;
}

static uint8_t *fetch(RiscvCpu *cpu, uint64_t va, bool *cached)
{
    const TlbEntry *e = tlb_at(&cpu->tlb, TLB_EXEC, va);
    RamBlock *ram;
    uint64_t offset;
    uint8_t *host;

    *cached = true;
    if (e->tag == tlb_tag(va, 1, cpu->fetch_context)) {
        return (uint8_t *)(uintptr_t)(va + e->addend);
    }
    host = rv_fetch(cpu, va, &ram, &offset);
    *cached = host && e->tag == tlb_tag(va, 1, cpu->fetch_context);
    return host;
}

/* An instruction whose second half may be on another page, or behind a PMP boundary. */
static Block *block_once(RiscvCpu *cpu, uint64_t va, const uint8_t *host)
{
    uint32_t word = word_at(host, 2);
    bool cached;

    if (insn_len(word) == 4) {
        const uint8_t *second = fetch(cpu, va + 2, &cached);
        if (!second) {
            return NULL; /* trap_tval is the second half's address */
        }
        word |= word_at(second, 2) << 16;
    }
    return build_once(cpu, va, word);
}

Block *rv_block(RiscvCpu *cpu)
{
    uint64_t va = cpu->pc;
    uint32_t context = cpu->fetch_unique;
    Block *block = blockcache_jump(&cpu->blocks, va, context);
    bool cached;

    if (block && block->dead == BLOCK_LIVE) {
        return block;
    }
    blockcache_sync(&cpu->blocks, sole(cpu));
    if (cpu->edge_epoch != cpu->blocks.epoch) {
        clear_edges(cpu);
    }
    uint8_t *host = fetch(cpu, va, &cached);
    if (!host) {
        return NULL;
    }
    bool last = (va & (RAM_PAGE_SIZE - 1)) == RAM_PAGE_SIZE - 2;
    if (!cached || (last && len_at(host) == 4)) {
        return block_once(cpu, va, host);
    }
    block = blockcache_find(&cpu->blocks, va, (uintptr_t)host);
    if (!block) {
        block = build(cpu, va, host);
        if (!block) {
            return NULL;
        }
    }
    blockcache_jump_set(&cpu->blocks, block, context);
    return block;
}
