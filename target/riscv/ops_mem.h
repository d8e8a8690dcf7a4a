/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Loads and stores: part of the dispatch function (interp.c has the macros).
 */

/* The TLB's answer, or the slow way, into `dst` as the C type says. */
#define LOAD_AT(address, ctype, dst, on_fault)                                                     \
    do {                                                                                           \
        uint64_t va_ = (address);                                                                  \
        const TlbEntry *e_ = tlb_at(&cpu->tlb, TLB_READ, va_);                                     \
        if (LIKELY(e_->tag == tlb_tag(va_, sizeof(ctype), cpu->data_context))) {                   \
            ctype v_;                                                                              \
            __builtin_memcpy(&v_, (void *)(uintptr_t)(va_ + e_->addend), sizeof(v_));              \
            dst = v_;                                                                              \
        } else {                                                                                   \
            uint64_t v_;                                                                           \
            cpu->pc = OP_PC;                                                                       \
            if (!rv_load(cpu, va_, sizeof(ctype), &v_)) {                                          \
                on_fault;                                                                          \
                goto raise;                                                                        \
            }                                                                                      \
            dst = (ctype)v_;                                                                       \
        }                                                                                          \
    } while (0)

#define STORE_AT(address, ctype, value)                                                            \
    do {                                                                                           \
        uint64_t va_ = (address);                                                                  \
        const TlbEntry *e_ = tlb_at(&cpu->tlb, TLB_WRITE, va_);                                    \
        if (LIKELY(e_->tag == tlb_tag(va_, sizeof(ctype), cpu->data_context))) {                   \
            ctype v_ = (value);                                                                    \
            __builtin_memcpy((void *)(uintptr_t)(va_ + e_->addend), &v_, sizeof(v_));              \
        } else {                                                                                   \
            cpu->pc = OP_PC;                                                                       \
            if (!rv_store(cpu, va_, sizeof(ctype), (ctype)(value))) {                              \
                goto raise;                                                                        \
            }                                                                                      \
        }                                                                                          \
    } while (0)

#define LOAD(id, ctype)                                                                            \
    CASE(id)                                                                                       \
    {                                                                                              \
        LOAD_AT(RS1 + IMM, ctype, RD, );                                                           \
        NEXT;                                                                                      \
    }

#define STORE(id, ctype)                                                                           \
    CASE(id)                                                                                       \
    {                                                                                              \
        STORE_AT(RS1 + IMM, ctype, RS2);                                                           \
        NEXT;                                                                                      \
    }

/* auipc first: its result stays if the load faults. */
#define LOAD_PC(id, ctype)                                                                         \
    CASE(id)                                                                                       \
    {                                                                                              \
        LOAD_AT(b->va + IMM, ctype, RD,                                                            \
                if (cpu->trap_cause != CAUSE_ABANDON) RD =                                         \
                    b->va + IMM - (uint64_t)(int16_t)op->aux);                                     \
        NEXT;                                                                                      \
    }

LOAD(LB, int8_t)
LOAD(LH, int16_t)
LOAD(LW, int32_t)
LOAD(LD, int64_t)
LOAD(LBU, uint8_t)
LOAD(LHU, uint16_t)
LOAD(LWU, uint32_t)
LOAD_PC(LD_PC, int64_t)
LOAD_PC(LW_PC, int32_t)

STORE(SB, uint8_t)
STORE(SH, uint16_t)
STORE(SW, uint32_t)
STORE(SD, uint64_t)

CASE(FLW)
{
    uint32_t single;
    LOAD_AT(RS1 + IMM, uint32_t, single, );
    FD = fp_box(single);
    NEXT;
}
CASE(FLD)
{
    LOAD_AT(RS1 + IMM, uint64_t, FD, );
    NEXT;
}
CASE(FSW)
{
    STORE_AT(RS1 + IMM, uint32_t, (uint32_t)FS2);
    NEXT;
}
CASE(FSD)
{
    STORE_AT(RS1 + IMM, uint64_t, FS2);
    NEXT;
}

CASE(CBO_ZERO)
{
    cpu->pc = OP_PC;
    if (!cbo_zero_allowed(cpu)) {
        TRAP(CAUSE_ILLEGAL, 0x0040200f | (uint32_t)op->rs1 << 15);
    }
    if (!rv_zero_block(cpu, RS1)) {
        goto raise;
    }
    NEXT;
}
