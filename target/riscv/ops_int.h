/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Integer operations and exits: part of the dispatch function (interp.c has the macros).
 */
#define INT_OP(id, expr)                                                                           \
    CASE(id)                                                                                       \
    {                                                                                              \
        RD = (expr);                                                                               \
        NEXT;                                                                                      \
    }
#define SX32(v) ((uint64_t)(int64_t)(int32_t)(v))
#define IMM     ((uint64_t)(int64_t)op->imm)
#define U32(v)  ((uint64_t)(uint32_t)(v))

INT_OP(LI, IMM)
INT_OP(LA, b->va + IMM)
INT_OP(MV, RS1)
INT_OP(LUI, IMM)
INT_OP(AUIPC, OP_PC + IMM)

INT_OP(ADDI, RS1 + IMM)
INT_OP(SLTI, (int64_t)RS1 < op->imm)
INT_OP(SLTIU, RS1 < IMM)
INT_OP(XORI, RS1 ^ IMM)
INT_OP(ORI, RS1 | IMM)
INT_OP(ANDI, RS1 &IMM)
INT_OP(SLLI, RS1 << (op->imm & 63))
INT_OP(SRLI, RS1 >> (op->imm & 63))
INT_OP(SRAI, (int64_t)RS1 >> (op->imm & 63))
INT_OP(ADDIW, SX32((uint32_t)RS1 + (uint32_t)op->imm))
INT_OP(SLLIW, SX32((uint32_t)RS1 << (op->imm & 31)))
INT_OP(SRLIW, SX32((uint32_t)RS1 >> (op->imm & 31)))
INT_OP(SRAIW, (int64_t)((int32_t)RS1 >> (op->imm & 31)))

INT_OP(ADD, RS1 + RS2)
INT_OP(SUB, RS1 - RS2)
INT_OP(SLL, RS1 << (RS2 & 63))
INT_OP(SLT, (int64_t)RS1 < (int64_t)RS2)
INT_OP(SLTU, RS1 < RS2)
INT_OP(XOR, RS1 ^ RS2)
INT_OP(SRL, RS1 >> (RS2 & 63))
INT_OP(SRA, (int64_t)RS1 >> (RS2 & 63))
INT_OP(OR, RS1 | RS2)
INT_OP(AND, RS1 &RS2)
INT_OP(ADDW, SX32((uint32_t)RS1 + (uint32_t)RS2))
INT_OP(SUBW, SX32((uint32_t)RS1 - (uint32_t)RS2))
INT_OP(SLLW, SX32((uint32_t)RS1 << (RS2 & 31)))
INT_OP(SRLW, SX32((uint32_t)RS1 >> (RS2 & 31)))
INT_OP(SRAW, (int64_t)((int32_t)RS1 >> (RS2 & 31)))

INT_OP(MUL, RS1 *RS2)
INT_OP(MULH, (uint64_t)(((__int128)(int64_t)RS1 * (int64_t)RS2) >> 64))
INT_OP(MULHSU, (uint64_t)(((__int128)(int64_t)RS1 * (__int128)RS2) >> 64))
INT_OP(MULHU, (uint64_t)(((unsigned __int128)RS1 * RS2) >> 64))
INT_OP(MULW, SX32((uint32_t)RS1 *(uint32_t)RS2))
INT_OP(DIV, div_signed(RS1, RS2))
INT_OP(DIVU, RS2 ? RS1 / RS2 : UINT64_MAX)
INT_OP(REM, rem_signed(RS1, RS2))
INT_OP(REMU, RS2 ? RS1 % RS2 : RS1)
INT_OP(DIVW, SX32(div_signed(SX32(RS1), SX32(RS2))))
INT_OP(DIVUW, (uint32_t)RS2 ? SX32((uint32_t)RS1 / (uint32_t)RS2) : UINT64_MAX)
INT_OP(REMW, SX32(rem_signed(SX32(RS1), SX32(RS2))))
INT_OP(REMUW, (uint32_t)RS2 ? SX32((uint32_t)RS1 % (uint32_t)RS2) : SX32(RS1))

/* Zba */
INT_OP(SH1ADD, (RS1 << 1) + RS2)
INT_OP(SH2ADD, (RS1 << 2) + RS2)
INT_OP(SH3ADD, (RS1 << 3) + RS2)
INT_OP(ADD_UW, U32(RS1) + RS2)
INT_OP(SH1ADD_UW, (U32(RS1) << 1) + RS2)
INT_OP(SH2ADD_UW, (U32(RS1) << 2) + RS2)
INT_OP(SH3ADD_UW, (U32(RS1) << 3) + RS2)
INT_OP(SLLI_UW, U32(RS1) << (op->imm & 63))

/* Zbb */
INT_OP(ANDN, RS1 & ~RS2)
INT_OP(ORN, RS1 | ~RS2)
INT_OP(XNOR, ~(RS1 ^ RS2))
INT_OP(CLZ, RS1 ? (uint64_t)__builtin_clzll(RS1) : 64)
INT_OP(CTZ, RS1 ? (uint64_t)__builtin_ctzll(RS1) : 64)
INT_OP(CPOP, (uint64_t)__builtin_popcountll(RS1))
INT_OP(CLZW, (uint32_t)RS1 ? (uint64_t)__builtin_clz((uint32_t)RS1) : 32)
INT_OP(CTZW, (uint32_t)RS1 ? (uint64_t)__builtin_ctz((uint32_t)RS1) : 32)
INT_OP(CPOPW, (uint64_t)__builtin_popcount((uint32_t)RS1))
INT_OP(MIN, (int64_t)RS1 < (int64_t)RS2 ? RS1 : RS2)
INT_OP(MINU, RS1 < RS2 ? RS1 : RS2)
INT_OP(MAX, (int64_t)RS1 > (int64_t)RS2 ? RS1 : RS2)
INT_OP(MAXU, RS1 > RS2 ? RS1 : RS2)
INT_OP(SEXT_B, (uint64_t)(int64_t)(int8_t)RS1)
INT_OP(SEXT_H, (uint64_t)(int64_t)(int16_t)RS1)
INT_OP(ZEXT_H, (uint64_t)(uint16_t)RS1)
INT_OP(ROL, rol64(RS1, RS2))
INT_OP(ROR, ror64(RS1, RS2))
INT_OP(RORI, ror64(RS1, op->imm))
INT_OP(ROLW, SX32(ror32(RS1, -RS2)))
INT_OP(RORW, SX32(ror32(RS1, RS2)))
INT_OP(RORIW, SX32(ror32(RS1, op->imm)))
INT_OP(ORC_B, or_combine(RS1))
INT_OP(REV8, __builtin_bswap64(RS1))

/* Zbs */
INT_OP(BCLR, RS1 & ~(UINT64_C(1) << (RS2 & 63)))
INT_OP(BEXT, RS1 >> (RS2 & 63) & 1)
INT_OP(BINV, RS1 ^ UINT64_C(1) << (RS2 & 63))
INT_OP(BSET, RS1 | UINT64_C(1) << (RS2 & 63))
INT_OP(BCLRI, RS1 & ~(UINT64_C(1) << (op->imm & 63)))
INT_OP(BEXTI, RS1 >> (op->imm & 63) & 1)
INT_OP(BINVI, RS1 ^ UINT64_C(1) << (op->imm & 63))
INT_OP(BSETI, RS1 | UINT64_C(1) << (op->imm & 63))

/* Zicond */
INT_OP(CZERO_EQZ, RS2 ? RS1 : 0)
INT_OP(CZERO_NEZ, RS2 ? 0 : RS1)

/* --- exits --- */

#define BRANCH(id, cond)                                                                           \
    CASE(id)                                                                                       \
    {                                                                                              \
        if (cond) {                                                                                \
            LEAVE_NEAR(op->rd, b->va + IMM);                                                       \
        }                                                                                          \
        NEXT;                                                                                      \
    }                                                                                              \
    CASE(id##_FAR)                                                                                 \
    {                                                                                              \
        if (cond) {                                                                                \
            LEAVE_FAR(op->rd, b->va + IMM);                                                        \
        }                                                                                          \
        NEXT;                                                                                      \
    }

BRANCH(BEQ, RS1 == RS2)
BRANCH(BNE, RS1 != RS2)
BRANCH(BLT, (int64_t)RS1 < (int64_t)RS2)
BRANCH(BGE, (int64_t)RS1 >= (int64_t)RS2)
BRANCH(BLTU, RS1 < RS2)
BRANCH(BGEU, RS1 >= RS2)

CASE(JAL)
{
    RD = OP_PC + op->rs2;
    LEAVE_NEAR(op->rs1, b->va + IMM);
}
CASE(JAL_FAR)
{
    RD = OP_PC + op->rs2;
    LEAVE_FAR(op->rs1, b->va + IMM);
}
CASE(END)
{
    LEAVE_NEAR(op->rs2, b->va + IMM);
}
CASE(END_FAR)
{
    LEAVE_FAR(op->rs2, b->va + IMM);
}
CASE(JALR)
{
    uint64_t target = (RS1 + IMM) & ~UINT64_C(1);

    RD = OP_PC + op->rs2;
    cpu->retired += op->aux;
    cpu->pc = target;
    if (UNLIKELY(cpu_pending(&cpu->cpu))) {
        goto service;
    }
    Block *to = blockcache_jump(&cpu->blocks, target, cpu->fetch_unique);
    if (LIKELY(to != NULL)) {
        ENTER(to);
    }
    goto lookup;
}
