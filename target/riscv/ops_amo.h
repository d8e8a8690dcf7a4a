/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Atomics: part of the dispatch function (interp.c has the macros). They are host atomics, so
 * that they hold against other harts and DMA alike; lr remembers the value for sc to compare.
 */

/* Host address of the naturally aligned operand at va, into p; ram and at for what must be told
 * of the write. */
#define AMO_POINTER(kind, va, size, writes, misaligned)                                            \
    RamBlock *ram = NULL;                                                                          \
    uint64_t at = 0;                                                                               \
    void *p;                                                                                       \
    if (UNLIKELY((va) & ((size)-1))) {                                                             \
        TRAP(misaligned, va);                                                                      \
    }                                                                                              \
    {                                                                                              \
        const TlbEntry *e_ = tlb_at(&cpu->tlb, kind, va);                                          \
        if (LIKELY(e_->tag == tlb_tag(va, size, cpu->data_context))) {                             \
            p = (void *)(uintptr_t)((va) + e_->addend);                                            \
        } else {                                                                                   \
            cpu->pc = OP_PC;                                                                       \
            p = rv_amo(cpu, va, size, writes, &ram, &at);                                          \
            if (!p) {                                                                              \
                goto raise;                                                                        \
            }                                                                                      \
        }                                                                                          \
    }

#define AMO(id, type, stype, expr)                                                                 \
    CASE(id)                                                                                       \
    {                                                                                              \
        uint64_t va = RS1;                                                                         \
        AMO_POINTER(TLB_WRITE, va, sizeof(type), true, CAUSE_STORE_MISALIGNED)                     \
        type old = __atomic_load_n((type *)p, __ATOMIC_RELAXED), src = RS2, result;                \
        do {                                                                                       \
            result = (expr);                                                                       \
        } while (!__atomic_compare_exchange_n((type *)p, &old, result, false, __ATOMIC_SEQ_CST,    \
                                              __ATOMIC_RELAXED));                                  \
        RD = (uint64_t)(int64_t)(stype)old; /* before rv_stored(), which may drop this block */   \
        if (ram) {                                                                                \
            rv_stored(cpu, ram, at, sizeof(type));                                                \
        }                                                                                         \
        NEXT;                                                                                      \
    }

#define AMO_BOTH(id, expr32, expr64)                                                               \
    AMO(id##_W, uint32_t, int32_t, expr32)                                                         \
    AMO(id##_D, uint64_t, int64_t, expr64)

AMO_BOTH(AMOADD, old + src, old + src)
AMO_BOTH(AMOSWAP, src, src)
AMO_BOTH(AMOXOR, old ^ src, old ^ src)
AMO_BOTH(AMOOR, old | src, old | src)
AMO_BOTH(AMOAND, old &src, old &src)
AMO_BOTH(AMOMIN, (int32_t)old < (int32_t)src ? old : src, (int64_t)old < (int64_t)src ? old : src)
AMO_BOTH(AMOMAX, (int32_t)old > (int32_t)src ? old : src, (int64_t)old > (int64_t)src ? old : src)
AMO_BOTH(AMOMINU, old < src ? old : src, old < src ? old : src)
AMO_BOTH(AMOMAXU, old > src ? old : src, old > src ? old : src)

#define LR(id, type, stype)                                                                        \
    CASE(id)                                                                                       \
    {                                                                                              \
        uint64_t va = RS1;                                                                         \
        AMO_POINTER(TLB_READ, va, sizeof(type), false, CAUSE_LOAD_MISALIGNED)                      \
        type old = __atomic_load_n((type *)p, __ATOMIC_SEQ_CST);                                   \
        cpu->lr_host = (uintptr_t)p;                                                               \
        cpu->lr_value = old;                                                                       \
        RD = (uint64_t)(int64_t)(stype)old;                                                        \
        NEXT;                                                                                      \
    }
LR(LR_W, uint32_t, int32_t)
LR(LR_D, uint64_t, int64_t)

#define SC(id, type)                                                                               \
    CASE(id)                                                                                       \
    {                                                                                              \
        uint64_t va = RS1, reserved = cpu->lr_host;                                                \
        bool done = false;                                                                         \
        AMO_POINTER(TLB_WRITE, va, sizeof(type), true, CAUSE_STORE_MISALIGNED)                     \
        cpu->lr_host = 0;                                                                          \
        if (reserved == (uintptr_t)p) {                                                            \
            type old = cpu->lr_value;                                                              \
            done = __atomic_compare_exchange_n((type *)p, &old, (type)RS2, false,                  \
                                               __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);                \
        }                                                                                          \
        RD = !done;                                                                               \
        if (done && ram) {                                                                        \
            rv_stored(cpu, ram, at, sizeof(type));                                                \
        }                                                                                         \
        NEXT;                                                                                      \
    }
SC(SC_W, uint32_t)
SC(SC_D, uint64_t)

CASE(FENCE)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    NEXT;
}
