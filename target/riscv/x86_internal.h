/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An assembler for the x86-64 instructions that the translator emits (Intel SDM volume 2; AMD64
 * APM volume 3).
 *
 * An opcode is a number: bits 7:0 are the opcode byte, X_0F selects the two-byte map, and X_66,
 * X_F2 and X_F3 are mandatory prefixes. Code is written at `p` and executed at `p + delta`. If the
 * space is used up, `full` is set and nothing more is written.
 */
#ifndef TARGET_RISCV_X86_H
#define TARGET_RISCV_X86_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15 };

#define X_0F   0x100u
#define X_66   0x660000u
#define X_F2   0xf20000u
#define X_F3   0xf30000u
#define X_BYTE 0x200u /* operands are bytes: spl, bpl, sil and dil require a prefix */

/* Opcodes "register, register or memory". */
#define X_ADD     0x03u
#define X_OR      0x0bu
#define X_AND     0x23u
#define X_SUB     0x2bu
#define X_XOR     0x33u
#define X_CMP     0x3bu
#define X_MOV     0x8bu
#define X_MOVSXD  0x63u
#define X_LEA     0x8du
#define X_TEST    0x85u
#define X_STORE   0x89u
#define X_STORE8  (0x88u | X_BYTE)
#define X_IMUL    (0xafu | X_0F)
#define X_MOVZX8  (0xb6u | X_0F | X_BYTE)
#define X_MOVZX16 (0xb7u | X_0F)
#define X_MOVSX8  (0xbeu | X_0F | X_BYTE)
#define X_MOVSX16 (0xbfu | X_0F)
#define X_CMOV    (0x40u | X_0F) /* plus a condition */
#define X_SETCC   (0x90u | X_0F | X_BYTE)

/* Opcodes with SSE registers. */
#define X_TO_XMM   (0x6eu | X_0F | X_66) /* movd, movq from a register */
#define X_FROM_XMM (0x7eu | X_0F | X_66) /* movd, movq to a register */
#define X_PXOR     (0xefu | X_0F | X_66)

/* Numbers of the operations of the opcodes 0x81 and 0x83 (arithmetic with an immediate), 0xc1 and
 * 0xd3 (shifts), and 0xf7. */
enum { G_ADD, G_OR, G_ADC, G_SBB, G_AND, G_SUB, G_XOR, G_CMP };
enum { G_ROL = 0, G_ROR = 1, G_SHL = 4, G_SHR = 5, G_SAR = 7 };
enum { G_NOT = 2, G_NEG = 3, G_MUL = 4, G_IMUL = 5, G_DIV = 6, G_IDIV = 7 };

/* Conditions. */
enum {
    CC_B = 2,
    CC_AE = 3,
    CC_E = 4,
    CC_NE = 5,
    CC_BE = 6,
    CC_A = 7,
    CC_P = 10,
    CC_L = 12,
    CC_GE = 13,
    CC_LE = 14,
    CC_G = 15
};

typedef struct Asm {
    uint8_t *p, *end;
    ptrdiff_t delta;
    bool full;
} Asm;

static inline void x86_bytes(Asm *a, const void *data, size_t n)
{
    if ((size_t)(a->end - a->p) < n) {
        a->full = true;
        return;
    }
    memcpy(a->p, data, n);
    a->p += n;
}

static inline void x86_u8(Asm *a, unsigned v)
{
    uint8_t byte = (uint8_t)v;
    x86_bytes(a, &byte, 1);
}

static inline void x86_u32(Asm *a, uint32_t v)
{
    x86_bytes(a, &v, 4);
}

/* Return the address at which the next byte is executed. */
static inline const uint8_t *x86_here(const Asm *a)
{
    return a->p + a->delta;
}

/* Emit prefixes and opcode. `wide`: 64-bit operands. */
static inline void x86_opcode(Asm *a, unsigned opcode, bool wide, unsigned reg, unsigned base)
{
    unsigned rex = (wide ? 8 : 0) | (reg >> 3 & 1) << 2 | (base >> 3 & 1);

    if (opcode >> 16) {
        x86_u8(a, opcode >> 16);
    }
    if (rex || (opcode & X_BYTE)) {
        x86_u8(a, 0x40 | rex);
    }
    if (opcode & X_0F) {
        x86_u8(a, 0x0f);
    }
    x86_u8(a, opcode & 0xff);
}

/* Operands: register `reg` (or the number of a group) and register `rm`. */
static inline void x86_rr(Asm *a, unsigned opcode, bool wide, unsigned reg, unsigned rm)
{
    x86_opcode(a, opcode, wide, reg, rm);
    x86_u8(a, 0xc0 | (reg & 7) << 3 | (rm & 7));
}

/* Operands: register `reg` and memory at [base + disp]. */
static inline void x86_rm(Asm *a, unsigned opcode, bool wide, unsigned reg, unsigned base,
                          int32_t disp)
{
    bool small = disp == (int8_t)disp;
    unsigned mod = disp == 0 && (base & 7) != RBP ? 0 : small ? 0x40 : 0x80;

    x86_opcode(a, opcode, wide, reg, base);
    x86_u8(a, mod | (reg & 7) << 3 | (base & 7));
    if ((base & 7) == RSP) {
        x86_u8(a, 0x24);
    }
    if (mod == 0x40) {
        x86_u8(a, (unsigned)disp);
    } else if (mod == 0x80) {
        x86_u32(a, (uint32_t)disp);
    }
}

/* Operands: register `reg` and memory at [base + (index << scale) + disp], base and index among the
 * first eight registers. */
static inline void x86_rmi(Asm *a, unsigned opcode, bool wide, unsigned reg, unsigned base,
                           unsigned index, unsigned scale, int32_t disp)
{
    x86_opcode(a, opcode, wide, reg, 0);
    x86_u8(a, 0x84 | (reg & 7) << 3);
    x86_u8(a, scale << 6 | index << 3 | base);
    x86_u32(a, (uint32_t)disp);
}

/* Operands: register `reg` and memory at an address near the code. No immediate follows. */
static inline void x86_rip(Asm *a, unsigned opcode, bool wide, unsigned reg, const void *address)
{
    x86_opcode(a, opcode, wide, reg, 0);
    x86_u8(a, 0x05 | (reg & 7) << 3);
    x86_u32(a, (uint32_t)((const uint8_t *)address - (x86_here(a) + 4)));
}

/* Arithmetic with an immediate on a register. */
static inline void x86_imm(Asm *a, unsigned group, bool wide, unsigned rm, int32_t imm)
{
    bool small = imm == (int8_t)imm;

    x86_rr(a, small ? 0x83 : 0x81, wide, group, rm);
    if (small) {
        x86_u8(a, (unsigned)imm);
    } else {
        x86_u32(a, (uint32_t)imm);
    }
}

/* Arithmetic with an immediate on memory. */
static inline void x86_imm_m(Asm *a, unsigned group, bool wide, unsigned base, int32_t disp,
                             int32_t imm)
{
    bool small = imm == (int8_t)imm;

    x86_rm(a, small ? 0x83 : 0x81, wide, group, base, disp);
    if (small) {
        x86_u8(a, (unsigned)imm);
    } else {
        x86_u32(a, (uint32_t)imm);
    }
}

static inline void x86_shift(Asm *a, unsigned group, bool wide, unsigned rm, unsigned count)
{
    x86_rr(a, 0xc1, wide, group, rm);
    x86_u8(a, count);
}

static inline void x86_mov(Asm *a, unsigned to, unsigned from)
{
    if (to != from) {
        x86_rr(a, X_MOV, true, to, from);
    }
}

/* Load a constant. The flags are unchanged. */
static inline void x86_const(Asm *a, unsigned reg, uint64_t v)
{
    if (v == (uint32_t)v) {
        x86_opcode(a, 0xb8 | (reg & 7), false, 0, reg);
        x86_u32(a, (uint32_t)v);
    } else if (v == (uint64_t)(int64_t)(int32_t)v) {
        x86_rr(a, 0xc7, true, 0, reg);
        x86_u32(a, (uint32_t)v);
    } else {
        x86_opcode(a, 0xb8 | (reg & 7), true, 0, reg);
        x86_bytes(a, &v, 8);
    }
}

/* Jumps to a known address. */
static inline void x86_jump_to(Asm *a, unsigned opcode, const uint8_t *target)
{
    x86_u8(a, opcode);
    x86_u32(a, (uint32_t)(target - (x86_here(a) + 4)));
}
#define x86_jmp_to(a, target)  x86_jump_to(a, 0xe9, target)
#define x86_call_to(a, target) x86_jump_to(a, 0xe8, target)

static inline void x86_jcc_to(Asm *a, unsigned cc, const uint8_t *target)
{
    x86_u8(a, 0x0f);
    x86_jump_to(a, 0x80 | cc, target);
}

/* Emit a jump whose target is not known, and return the place for x86_land(). */
static inline uint8_t *x86_jcc(Asm *a, unsigned cc)
{
    x86_jcc_to(a, cc, x86_here(a));
    return a->p;
}

static inline uint8_t *x86_jmp(Asm *a)
{
    x86_jmp_to(a, x86_here(a));
    return a->p;
}

/* Make a jump lead to an address, or to the next byte. */
static inline void x86_land_at(Asm *a, uint8_t *place, const uint8_t *target)
{
    int32_t rel = (int32_t)(target - (place + a->delta));

    if (!a->full) {
        memcpy(place - 4, &rel, 4);
    }
}

static inline void x86_land(Asm *a, uint8_t *place)
{
    x86_land_at(a, place, x86_here(a));
}

#endif
