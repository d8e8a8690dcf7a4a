/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The state of one RISC-V hart and the functions that act on all of it.
 *
 * Everything is for the hart's own thread (or while it is parked) but what says otherwise.
 */
#ifndef TARGET_RISCV_HART_H
#define TARGET_RISCV_HART_H

#include "accel/blockcache.h"
#include "hw/core/clock.h"
#include "target/riscv/imsic_file_internal.h"
#include "target/riscv/isa_internal.h"
#include "target/riscv/pmp_internal.h"

enum { PRIV_U = 0, PRIV_S = 1, PRIV_M = 3 };

/* Interrupt numbers: bits of mip, mie, mideleg. */
enum { IRQ_SSI = 1, IRQ_MSI = 3, IRQ_STI = 5, IRQ_MTI = 7, IRQ_SEI = 9, IRQ_MEI = 11 };
#define MIP(n)    ((uint64_t)1 << IRQ_##n)
#define MIP_S_ALL (MIP(SSI) | MIP(STI) | MIP(SEI))
#define MIP_M_ALL (MIP(MSI) | MIP(MTI) | MIP(MEI))

/* Exception causes (privileged ISA, table "mcause values"). */
enum {
    CAUSE_FETCH_MISALIGNED = 0,
    CAUSE_FETCH_ACCESS = 1,
    CAUSE_ILLEGAL = 2,
    CAUSE_BREAKPOINT = 3,
    CAUSE_LOAD_MISALIGNED = 4,
    CAUSE_LOAD_ACCESS = 5,
    CAUSE_STORE_MISALIGNED = 6,
    CAUSE_STORE_ACCESS = 7,
    CAUSE_ECALL_U = 8,
    CAUSE_FETCH_PAGE = 12,
    CAUSE_LOAD_PAGE = 13,
    CAUSE_STORE_PAGE = 15,
    CAUSE_NONE = -1,   /* no trap */
    CAUSE_ABANDON = -2 /* not a trap: leave the block, the instruction was not executed */
};

#define MSTATUS_SIE  (UINT64_C(1) << 1)
#define MSTATUS_MIE  (UINT64_C(1) << 3)
#define MSTATUS_SPIE (UINT64_C(1) << 5)
#define MSTATUS_MPIE (UINT64_C(1) << 7)
#define MSTATUS_SPP  (UINT64_C(1) << 8)
#define MSTATUS_MPP  (UINT64_C(3) << 11)
#define MSTATUS_FS   (UINT64_C(3) << 13)
#define MSTATUS_MPRV (UINT64_C(1) << 17)
#define MSTATUS_SUM  (UINT64_C(1) << 18)
#define MSTATUS_MXR  (UINT64_C(1) << 19)
#define MSTATUS_TVM  (UINT64_C(1) << 20)
#define MSTATUS_TW   (UINT64_C(1) << 21)
#define MSTATUS_TSR  (UINT64_C(1) << 22)
#define MSTATUS_UXL  (UINT64_C(2) << 32)
#define MSTATUS_SXL  (UINT64_C(2) << 34)
#define MSTATUS_SD   (UINT64_C(1) << 63)

#define ENVCFG_FIOM  (UINT64_C(1) << 0)
#define ENVCFG_CBZE  (UINT64_C(1) << 7)
#define ENVCFG_ADUE  (UINT64_C(1) << 61)
#define ENVCFG_PBMTE (UINT64_C(1) << 62)
#define ENVCFG_STCE  (UINT64_C(1) << 63)

#define SATP_MODE(v) ((v) >> 60)
#define SATP_ASID(v) (((v) >> 44) & 0xffff)
#define SATP_PPN(v)  ((v) & ((UINT64_C(1) << 44) - 1))
enum { SATP_BARE = 0, SATP_SV39 = 8, SATP_SV48 = 9 };

#define TIME_NS          100 /* one tick of time and mtime: 10 MHz */
#define CBO_BLOCK        64
#define X_DUMP           32 /* where writes to x0 go */
#define RAM_CHUNKS       64
#define CHUNK_BITS       21
#define EDGE_BLOCKS      64
#define DEVICE_PAGES     16
#define CODE_PAGE_STORES 64 /* stores to one code page in a row, after which it is data again */

/* RAM found in a 2 MiB piece of the physical address space. */
typedef struct RamChunk {
    uint64_t number; /* chunk number + 1; 0: empty */
    RamBlock *block;
    uint64_t offset;
} RamChunk;

/* Where a page leads that is not RAM; as good as the TLB's entries, so it ends when they do. */
typedef struct DevicePage {
    uint64_t tag; /* as in the TLB */
    uint64_t epoch;
    uint64_t pa;
    MemMemo memo; /* of the last register in it */
} DevicePage;

typedef struct RiscvCpu {
    Cpu cpu;
    uint64_t x[33];
    uint64_t f[32];
    uint64_t pc;
    uint64_t retired; /* instructions; exact where a block is left */
    uint32_t data_context, fetch_context;
    uint64_t fetch_unique; /* tlb_unique() of fetch_context */
    uint8_t priv;
    uint8_t fflags, frm;
    bool stip;          /* time has reached stimecmp (as of the last look) */
    bool in_debug;      /* csr_access from outside: privilege is not checked */
    int32_t trap_cause; /* set by what returns false */
    uint64_t trap_tval;
    uint32_t features;       /* 1 << IsaExt */
    uint32_t log_seen;       /* log_mask that cached blocks were built under */
    const int32_t *handlers; /* of the interpreter, by OpId */

    /* reservation of lr: host address (0: none) and the value read */
    uint64_t lr_host, lr_value;

    /* CSRs: values as written, legal bits only */
    uint64_t mstatus, medeleg, mideleg, mie, mtvec, mcounteren, menvcfg, mcountinhibit;
    uint64_t mscratch, mepc, mcause, mtval;
    uint64_t stvec, scounteren, senvcfg, sscratch, sepc, scause, stval, satp, stimecmp;
    uint64_t mip_soft; /* SSIP, STIP, SEIP as software wrote them */
    uint64_t mip_in;   /* atomic: levels of the interrupt inputs */
    uint64_t mip_own;  /* mip_soft, stip and the interrupt files */
    uint64_t miselect, siselect;
    unsigned topei_read; /* identity that the instruction under way read or would have */
    uint64_t cycle_base, instret_base; /* counter minus its source; value itself if inhibited */
    uint64_t pmpcfg[2], pmpaddr[PMP_ENTRIES];
    ImsicFile file[MSI_FILES];

    Pmp pmp; /* compiled */
    RamChunk chunk[RAM_CHUNKS];
    DevicePage device_page[2][DEVICE_PAGES]; /* for loads, for stores */
    MemListener listener;
    bool listening;
    CodePages *pages;
    BlockCache blocks;
    Block *edge[EDGE_BLOCKS]; /* one instruction each, checked by content; see block.c */
    uint64_t edge_epoch;
    uint64_t stored_page;    /* host address of the code page that was stored to last */
    unsigned stores_to_page; /* stores to it in a row */
    Tlb tlb;
} RiscvCpu;

static inline RiscvCpu *riscv_cpu(Cpu *cpu)
{
    return (RiscvCpu *)cpu;
}

static inline bool has_ext(const RiscvCpu *cpu, IsaExt ext)
{
    return cpu->features >> ext & 1;
}

/* --- interp.c --- */

/* Run until STOP or EXCLUSIVE is pending (CpuType.run). */
void rv_run(Cpu *cpu);
/* The interpreter's handler offsets. */
const int32_t *rv_handlers(void);

/* --- block.c --- */

/* The block at cpu->pc, decoded if need be. NULL: fetching it trapped (trap_*). */
Block *rv_block(RiscvCpu *cpu);

void rv_blocks_free(RiscvCpu *cpu);

/* The hart stored to this RAM by the slow path. With several harts only. */
void rv_code_page_stored(RiscvCpu *cpu, RamBlock *ram, uint64_t offset);

/* --- mem.c: data accesses that missed the TLB. False: trap_* says why. --- */
bool rv_load(RiscvCpu *cpu, uint64_t va, unsigned size, uint64_t *value);
bool rv_store(RiscvCpu *cpu, uint64_t va, unsigned size, uint64_t value);
/* Host address for an atomic access (aligned by the caller), NULL on a trap. After the access the
 * caller passes *block (NULL: nothing to do) and *offset to rv_stored(). `write` false for lr,
 * which needs read rights only. */
void *rv_amo(RiscvCpu *cpu, uint64_t va, unsigned size, bool write, RamBlock **block,
             uint64_t *offset);
/* A store through no direct entry was made: mark it, and drop what was decoded there. */
void rv_stored(RiscvCpu *cpu, RamBlock *block, uint64_t offset, uint64_t len);
/* Zero the CBO_BLOCK bytes around va. */
bool rv_zero_block(RiscvCpu *cpu, uint64_t va);
/* The RAM at a physical address up to the end of its page, NULL if there is none. */
uint8_t *rv_ram(RiscvCpu *cpu, uint64_t pa, RamBlock **block, uint64_t *offset);
/* Host address of code at va, entered into the TLB where possible. NULL on a trap. */
uint8_t *rv_fetch(RiscvCpu *cpu, uint64_t va, RamBlock **block, uint64_t *offset);
void rv_forget_ram(RiscvCpu *cpu);
void rv_mem_attach(RiscvCpu *cpu);
void rv_mem_detach(RiscvCpu *cpu);

/* --- mmu.c --- */
typedef enum Access { ACCESS_READ, ACCESS_WRITE, ACCESS_FETCH } Access;
typedef struct Translation {
    uint64_t pa;
    uint8_t leaf_bits; /* log2 of the size of the leaf */
} Translation;
/* The cause of a page or access fault, or CAUSE_NONE. PMP on the result is not checked. */
int mmu_translate(RiscvCpu *cpu, uint64_t va, Access access, unsigned priv, Translation *out);
/* Without side effects and rights, for debuggers. */
bool mmu_debug_translate(RiscvCpu *cpu, uint64_t va, uint64_t *pa);
/* The privilege that data accesses have: MPRV counts. */
unsigned mmu_data_priv(const RiscvCpu *cpu);
/* Privilege, satp or mstatus changed: find the contexts again. */
void mmu_update_contexts(RiscvCpu *cpu);
void mmu_flush(RiscvCpu *cpu);
void mmu_sfence(RiscvCpu *cpu, bool by_va, uint64_t va, bool by_asid, uint64_t asid);
/* Access fault or page fault of an access. */
int mmu_access_fault(Access access);

/* --- trap.c --- */

/* Record a trap for the caller to take; returns false. */
static inline bool rv_fail(RiscvCpu *cpu, int cause, uint64_t tval)
{
    cpu->trap_cause = cause;
    cpu->trap_tval = tval;
    return false;
}
/* Take an exception at cpu->pc. */
void rv_trap(RiscvCpu *cpu, uint64_t cause, uint64_t tval);
/* Take the interrupt of the highest priority that is enabled. False: there is none. */
bool rv_take_interrupt(RiscvCpu *cpu);
/* Set the pending word if an interrupt could be taken now: after what may enable one. */
void rv_check_interrupts(RiscvCpu *cpu);
/* Interrupt pending and enabled for a mode regardless of the global enables: number or 0. */
unsigned rv_top_interrupt(RiscvCpu *cpu, unsigned priv);
bool rv_mret(RiscvCpu *cpu, uint32_t word); /* false: illegal instruction */
bool rv_sret(RiscvCpu *cpu, uint32_t word);
/* Recompute mip_own: stimecmp, interrupt files, software bits. */
void rv_update_mip(RiscvCpu *cpu);
static inline uint64_t rv_mip(const RiscvCpu *cpu)
{
    return __atomic_load_n(&cpu->mip_in, __ATOMIC_ACQUIRE) | cpu->mip_own;
}
void rv_set_input_any(Cpu *cpu, unsigned input, bool level);
void rv_deliver_any(Cpu *cpu, MsiFile file, uint32_t id);
void rv_wfi(RiscvCpu *cpu);
void rv_wrs(RiscvCpu *cpu, bool bounded);

/* --- timer.c --- */
uint64_t rv_time(const RiscvCpu *cpu);
/* stimecmp or menvcfg.STCE changed: ask for a wake-up. */
void rv_timer_update(RiscvCpu *cpu);
uint64_t rv_cycle(const RiscvCpu *cpu);

/* --- cpu.c --- */
extern const CpuType riscv_cpu_type;

/* --- state.c --- */
extern const VmState riscv_cpu_vmstate;
/* Everything derived from architectural values is stale. */
void rv_state_changed(RiscvCpu *cpu);
void rv_reset(Cpu *cpu, uint64_t pc);

#endif
