/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The state of one RISC-V hart and the functions of its files.
 *
 * Only the thread of the hart calls these functions, or another thread while the hart is parked,
 * except where stated otherwise. Any thread may call a function whose name ends in _any.
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
enum {
    IRQ_SSI = 1,
    IRQ_MSI = 3,
    IRQ_STI = 5,
    IRQ_MTI = 7,
    IRQ_SEI = 9,
    IRQ_MEI = 11,
    IRQ_LCOFI = 13
};
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
    CAUSE_NONE = -1,    /* no trap */
    CAUSE_ABANDON = -2, /* not a trap: leave the block, the instruction was not executed */
    CAUSE_DEBUG = -3    /* as CAUSE_ABANDON, because of a watchpoint; the state is unchanged */
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
#define ENVCFG_CBIE  (UINT64_C(3) << 4)
#define ENVCFG_CBCFE (UINT64_C(1) << 6)
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
#define X_DUMP           32 /* element of x[] that receives writes to x0 */
#define RAM_CHUNKS       64
#define CHUNK_BITS       21
#define EDGE_BLOCKS      64
#define PMU_FIRST        3 /* number of the first performance counter */
#define PMU_COUNTERS     29
#define TRIGGERS         2
#define JIT_GROUPS       16 /* groups of accesses in a translated block */
#define DEVICE_PAGES     16
#define CODE_PAGE_STORES 64 /* stores in a row after which a code page becomes a data page */

/* The RAM in a 2 MiB chunk of the physical address space. */
typedef struct RamChunk {
    uint64_t number; /* chunk number + 1; 0: empty */
    RamBlock *block;
    uint64_t offset;
} RamChunk;

/* The translation of a page that is not RAM. It is valid as long as the entries of the TLB. */
typedef struct DevicePage {
    uint64_t tag; /* as in the TLB */
    uint64_t epoch;
    uint64_t pa;
    MemMemo memo; /* of the region that was accessed last in the page */
} DevicePage;

typedef struct RiscvCpu {
    Cpu cpu;
    uint64_t x[33];
    uint64_t f[32];
    uint64_t pc;
    uint64_t retired;      /* retired instructions; exact after a block is left */
    uint64_t data_context; /* as wide as a tag of the TLB, for translated code */
    uint32_t fetch_context;
    uint64_t fetch_unique; /* tlb_unique() of fetch_context */
    uint64_t context_satp; /* satp for which the contexts were found */
    bool context_private;  /* a shared context has an entry that is valid with this satp only */
    uint8_t priv;
    uint8_t fflags, frm;
    bool stip;          /* time had reached stimecmp when it was last checked */
    bool in_debug;      /* access by a debugger: neither the privilege of CSRs nor the PMP rights of
                         * page tables are checked */
    int32_t trap_cause; /* set by functions that return false */
    uint64_t trap_tval;
    uint64_t features; /* ISA_BIT(), from isa_features() */
    uint32_t log_seen; /* log_mask with which the cached blocks were built */
    bool watching;     /* the machine has watchpoints */
    bool one;          /* the block of one instruction is being executed (debug.c) */
    bool pass;         /* execute one instruction without watchpoints: the CPU stopped at it */
    uint64_t pass_pc;  /* its address */
    Block *one_block;  /* that block; NULL until the first step */
    const int32_t *handlers; /* of the interpreter, by OpId */

    /* The translator, and where its code was left (jit_internal.h); NULL: none. */
    struct RvJit *jit;
    uint32_t exit_block,
        exit_op; /* offset of the block in the arena / 16, number of an operation */
    Block *exit_to;
    uint64_t group_host[JIT_GROUPS + 1]; /* host addresses of groups of accesses (jit_group.c) */

    /* Reservation of lr: host address (0: none), the value read, and its size in bytes. */
    uint64_t lr_host, lr_value;
    unsigned lr_size;
    unsigned pauses; /* number of pause instructions */

    /* CSRs: legal bits of the values written. */
    uint64_t mstatus, medeleg, mideleg, mie, mtvec, mcounteren, menvcfg, mcountinhibit;
    uint64_t mscratch, mepc, mcause, mtval;
    uint64_t stvec, scounteren, senvcfg, sscratch, sepc, scause, stval, satp, stimecmp;
    uint64_t mip_soft; /* SSIP, STIP, SEIP, LCOFIP as written; an overflow also sets LCOFIP */
    uint64_t mip_in;   /* atomic: levels of the interrupt inputs */
    uint64_t mip_own;  /* mip_soft, stip and the interrupt files */
    uint64_t miselect, siselect;
    unsigned topei_read; /* identity that the current CSR instruction read from xtopei */
    uint64_t cycle_base, instret_base; /* counter minus its source; the counter if inhibited */
    uint64_t mstateen[4];
    uint64_t tselect, tdata1[TRIGGERS], tdata2[TRIGGERS];
    uint64_t hpm_event[PMU_COUNTERS];
    uint64_t hpm_base[PMU_COUNTERS]; /* as cycle_base; the counter if it does not count */
    uint64_t hpm_last[PMU_COUNTERS]; /* value at the last comparison */
    uint64_t tlb_misses[3];          /* by Access */
    uint64_t pmpcfg[2], pmpaddr[PMP_ENTRIES];
    ImsicFile file[MSI_FILES];

    uint32_t pmu_mask;      /* bits 3 to 31: performance counters that exist */
    uint8_t pmu_priv;       /* privilege mode for which hpm_base is stored */
    bool triggering;        /* a trigger is armed */
    bool pmu_filtered;      /* a counter does not count in all privilege modes */
    bool pmu_counts_misses; /* compare the counters at each TLB miss */
    bool pmu_counts_insns;  /* a counter of instructions exists: wfi changes the deadline */
    bool pmu_halted;        /* in wfi: no deadlines of counters of instructions */
    int64_t pmu_deadline;   /* virtual time of the next comparison of counters */

    Pmp pmp; /* compiled from pmpcfg and pmpaddr */
    RamChunk chunk[RAM_CHUNKS];
    DevicePage device_page[2][DEVICE_PAGES]; /* for loads, for stores */
    MemListener listener;
    bool listening;
    CodePages *pages;
    BlockCache blocks;
    Block *edge[EDGE_BLOCKS]; /* one instruction each, compared by content; see block_find.c */
    uint64_t edge_epoch;
    uint64_t stored_page;    /* host address of the code page of the last store */
    unsigned stores_to_page; /* number of stores in a row to that page */
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
/* Return the handler offsets of the interpreter, by OpId. */
const int32_t *rv_handlers(void);

/* --- block.c --- */

/* Return the block at cpu->pc, decoded if necessary; during a step, one that contains only the
 * instruction at cpu->pc. NULL: the fetch trapped (trap_cause). */
Block *rv_block(RiscvCpu *cpu);
/* A breakpoint at an address changed: drop the blocks that contain it. */
void rv_blocks_drop_va(RiscvCpu *cpu, uint64_t va);

void rv_blocks_free(RiscvCpu *cpu);

/* Process a store of the hart to RAM without a direct TLB entry. Called only with several harts. */
void rv_code_page_stored(RiscvCpu *cpu, RamBlock *ram, uint64_t offset);

/* --- mem.c: accesses that missed the TLB. They return false if the access trapped (trap_cause).
 * --- */
bool rv_load(RiscvCpu *cpu, uint64_t va, unsigned size, uint64_t *value);
bool rv_store(RiscvCpu *cpu, uint64_t va, unsigned size, uint64_t value);
/* Return the host address for an atomic access to an aligned address; NULL: the access trapped.
 * After the access the caller passes *block (NULL: nothing to do) and *offset to rv_stored(). lr
 * requires only read rights, sc does not read. */
typedef enum AmoAccess { AMO_READ = 1, AMO_WRITE = 2, AMO_BOTH_WAYS = 3 } AmoAccess;
void *rv_amo(RiscvCpu *cpu, uint64_t va, unsigned size, AmoAccess how, RamBlock **block,
             uint64_t *offset);
/* Mark the bytes of a store without a direct TLB entry as written, and drop the blocks of them. */
void rv_stored(RiscvCpu *cpu, RamBlock *block, uint64_t offset, uint64_t len);
/* Zero the aligned block of CBO_BLOCK bytes that contains va. */
bool rv_zero_block(RiscvCpu *cpu, uint64_t va);
/* Check the rights of cbo.inval, cbo.clean or cbo.flush for the block of CBO_BLOCK bytes that
 * contains va: those of a load or of a store suffice. */
bool rv_manage_block(RiscvCpu *cpu, uint64_t va);
/* Compare the 16 aligned bytes at p with old[], and replace them by src[] if they are equal, in one
 * atomic access. Sets old[] to the previous value. Return whether they were equal. */
bool rv_compare_swap_16(void *p, uint64_t old[2], const uint64_t src[2]);
/* Return the host address of the RAM at a physical address, valid up to the end of the page; NULL:
 * no RAM. */
uint8_t *rv_ram(RiscvCpu *cpu, uint64_t pa, RamBlock **block, uint64_t *offset);
/* Return the host address of the code at va, and fill the TLB where possible. NULL: the fetch
 * trapped.
 */
uint8_t *rv_fetch(RiscvCpu *cpu, uint64_t va, RamBlock **block, uint64_t *offset);
void rv_forget_ram(RiscvCpu *cpu);
void rv_mem_attach(RiscvCpu *cpu);
void rv_mem_detach(RiscvCpu *cpu);

/* --- mmu.c --- */
typedef enum Access { ACCESS_READ, ACCESS_WRITE, ACCESS_FETCH } Access;
typedef struct Translation {
    uint64_t pa;
    uint8_t leaf_bits; /* log2 of the size of the leaf */
    bool global;       /* valid in all address spaces */
} Translation;
/* Translate an address. Return CAUSE_NONE, or the cause of a page or access fault. The PMP rights
 * of the result are not checked. */
int mmu_translate(RiscvCpu *cpu, uint64_t va, Access access, unsigned priv, Translation *out);
/* Translate an address for a debugger, without side effects and without checking rights. */
bool mmu_debug_translate(RiscvCpu *cpu, uint64_t va, uint64_t *pa);
/* Visit the leaves of the current page tables: see CpuDebugOps.mappings. */
bool mmu_mappings(RiscvCpu *cpu, uint64_t max_entries, bool *complete,
                  bool (*fn)(void *opaque, const CpuMapping *map), void *opaque);
/* Return the privilege of data accesses, which depends on MPRV. */
unsigned mmu_data_priv(const RiscvCpu *cpu);
/* Recompute the TLB contexts after a change of privilege, satp or mstatus. The contexts of S-mode
 * are shared by all address spaces, because the entries of a kernel are global. */
void mmu_update_contexts(RiscvCpu *cpu);
/* A translation for an access with a privilege is cached in the data or the fetch context. */
void mmu_context_used(RiscvCpu *cpu, const Translation *t, Access access, unsigned priv);
void mmu_flush(RiscvCpu *cpu);
void mmu_sfence(RiscvCpu *cpu, bool by_va, uint64_t va, bool by_asid, uint64_t asid);
/* Return the cause of an access fault. */
int mmu_access_fault(Access access);

/* --- trap.c --- */

/* Record a trap, which the caller raises. Return false. */
static inline bool rv_fail(RiscvCpu *cpu, int cause, uint64_t tval)
{
    cpu->trap_cause = cause;
    cpu->trap_tval = tval;
    return false;
}
/* Take an exception at cpu->pc. */
void rv_trap(RiscvCpu *cpu, uint64_t cause, uint64_t tval);
/* Take the enabled interrupt with the highest priority. Return false if there is none. */
bool rv_take_interrupt(RiscvCpu *cpu);
/* Set the pending word if an interrupt can be taken now. Called after any change that may enable
 * one.
 */
void rv_check_interrupts(RiscvCpu *cpu);
/* Return the interrupt of a mode with the highest priority that is pending and enabled in mie; the
 * global enables have no effect. 0: none. */
unsigned rv_top_interrupt(RiscvCpu *cpu, unsigned priv);
bool rv_mret(RiscvCpu *cpu, uint32_t word); /* false: illegal instruction */
bool rv_sret(RiscvCpu *cpu, uint32_t word);
/* Recompute mip_own from stimecmp, the interrupt files and the software bits. */
void rv_update_mip(RiscvCpu *cpu);
static inline uint64_t rv_mip(const RiscvCpu *cpu)
{
    return __atomic_load_n(&cpu->mip_in, __ATOMIC_ACQUIRE) | cpu->mip_own;
}
void rv_set_input_any(Cpu *cpu, unsigned input, bool level);
void rv_deliver_any(Cpu *cpu, MsiFile file, uint32_t id);
void rv_wfi(RiscvCpu *cpu);
void rv_wrs(RiscvCpu *cpu, bool bounded);
/* Sleep for a short time, or until something is pending. */
void rv_nap(RiscvCpu *cpu);
void rv_pause(RiscvCpu *cpu);

/* --- debug.c --- */
extern const CpuDebugOps riscv_debug_ops;
/* Prepare a step before the hart runs. */
void rv_debug_enter(RiscvCpu *cpu);
/* Continue or complete a step, with CPU_PENDING_DEBUG pending. Return false if rv_run() must
 * return. */
bool rv_debug_service(RiscvCpu *cpu);
/* Stop at the breakpoint at cpu->pc, or take the exception of a trigger. Return false if there is
 * neither: execute the instruction. */
bool rv_debug_break(RiscvCpu *cpu);
/* Return true if a watchpoint stops the access of the instruction at cpu->pc (CAUSE_DEBUG), or a
 * trigger matches it. */
bool rv_debug_watch(RiscvCpu *cpu, uint64_t va, unsigned size, bool read, bool write);
/* Access a CSR as a debugger. Return false if it does not exist or the access is not possible. */
bool rv_debug_csr(RiscvCpu *cpu, unsigned number, bool write, uint64_t *value);

/* --- trigger.c --- */
/* Return the value of tdata1[] after a write of v to tdata1. 0: the trigger is disabled. */
uint64_t rv_trigger_legal(uint64_t v);
/* Return true if a trigger matches the execution of pc, or a data access in a page, in some mode.
 */
bool rv_trigger_at(const RiscvCpu *cpu, uint64_t pc);
bool rv_trigger_page(const RiscvCpu *cpu, uint64_t page);
/* Take the exception of a trigger that matches the instruction at cpu->pc. False: none matches. */
bool rv_trigger_execute(RiscvCpu *cpu);
/* Return true, with CAUSE_BREAKPOINT, if a trigger matches an access. */
bool rv_trigger_access(RiscvCpu *cpu, uint64_t va, unsigned size, bool read, bool write);
/* The triggers changed: drop blocks and translations. */
void rv_trigger_changed(RiscvCpu *cpu);

/* --- pmu.c --- */
/* The privilege changed while pmu_filtered. */
void rv_pmu_priv_changed(RiscvCpu *cpu);
/* Compare the counters if pmu_deadline was reached. */
void rv_pmu_poll(RiscvCpu *cpu);
/* A TLB miss was counted while pmu_counts_misses. */
void rv_pmu_missed(RiscvCpu *cpu);
/* The hart waits in wfi, or no longer waits: no instruction is retired meanwhile. */
void rv_pmu_halt(RiscvCpu *cpu);
void rv_pmu_resume(RiscvCpu *cpu);
/* Determine when the counters are compared next. */
void rv_pmu_arm(RiscvCpu *cpu);
/* Recompute derived state after a load, when the clock may not be loaded yet, or a reset. */
void rv_pmu_loaded(RiscvCpu *cpu);
/* Set mcountinhibit. */
void rv_pmu_set_inhibit(RiscvCpu *cpu, uint64_t value);
/* Return the value of counter i, from 3 to 31. */
uint64_t rv_pmu_read(const RiscvCpu *cpu, unsigned i);
/* Return the bits of mhpmevent that this hart implements. */
uint64_t rv_pmu_event_legal(const RiscvCpu *cpu);
/* Add the node of the counters in `mask` to a device tree. */
void rv_pmu_fdt(uint32_t mask, void *fdt);

/* --- timer.c --- */
uint64_t rv_time(const RiscvCpu *cpu);
/* Request a wake-up after a change of stimecmp or menvcfg.STCE. */
void rv_timer_update(RiscvCpu *cpu);
/* Return the time of the next event of stimecmp or of the performance counters. */
int64_t rv_deadline(const RiscvCpu *cpu);
/* Request a wake-up for it. */
void rv_timer_arm(RiscvCpu *cpu);
uint64_t rv_cycle(const RiscvCpu *cpu);

/* --- cpu.c --- */
/* The type "rv64", and the others. */
extern const CpuType riscv_cpu_type, riscv_cpu_max, riscv_cpu_rva22u64, riscv_cpu_rva22s64,
    riscv_cpu_u54;

/* --- state.c --- */
extern const VmState riscv_cpu_vmstate;
/* Recompute or drop all state that is derived from architectural values. */
void rv_state_changed(RiscvCpu *cpu);
void rv_reset(Cpu *cpu, uint64_t pc);

#endif
