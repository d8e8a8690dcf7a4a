/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * CPUs as the rest of the machine sees them.
 *
 * A board names a CPU type and reaches it only through this header: interrupt inputs, message
 * sink, device-tree properties, saved state. accel/ runs CPUs (a thread each; none under
 * -accel qtest); target/ implements CpuType.
 *
 * The pending word is the only thing others write into a running CPU. A CPU tests it at block
 * edges and before it sleeps; whoever sets a bit calls cpu_raise_any(), which also wakes.
 */
#ifndef HW_CORE_CPU_H
#define HW_CORE_CPU_H

#include "hw/core/device.h"
#include "hw/core/msi_sink.h"

/* Bits of Cpu.pending */
enum {
    CPU_PENDING_INTERRUPT = 1 << 0, /* an interrupt input changed: look */
    CPU_PENDING_EXCLUSIVE = 1 << 1, /* somebody wants cpus_exclusive() */
    CPU_PENDING_STOP = 1 << 2,      /* return from run() */
    CPU_PENDING_DEBUG = 1 << 3,
};

typedef struct CpuType CpuType;
struct Cpu {
    const CpuType *type;
    Machine *machine;
    unsigned index;
    uint32_t pending;   /* atomic; CPU_PENDING_* */
    bool halted;        /* waiting for an interrupt (wfi); atomic */
    Device *device;     /* its node in the tree */
    void *accel;        /* private to accel/ (thread, condition) */
    int thread_id;      /* the host's, of the thread that runs it; atomic; 0: none yet */
    uint64_t device_accesses; /* that were no RAM; lock */
    int64_t device_ns;  /* CPU time inside them, from a sample of them; lock */
};

typedef struct CpuReg {
    const char *name;
    uint64_t value;
} CpuReg;

struct CpuType {
    const char *name; /* "rv64" */
    const PlanProp *props; /* -cpu rv64,zba=off: all BOOL or ENUM */
    size_t n_props;
    const MsiSink *msi; /* NULL: takes no messages */
    const VmState *vmstate; /* over the Cpu structure */

    /* A CPU, reset, not running. `features` is the text after "rv64," or NULL. Lock. */
    Cpu *(*create)(Machine *m, unsigned index, const char *features, GError **err);
    void (*destroy)(Cpu *cpu); /* its thread has ended */
    /* Reset to the architecture's state with the given first pc. Lock, CPU not running. */
    void (*reset)(Cpu *cpu, uint64_t pc);
    /* Run until CPU_PENDING_STOP or CPU_PENDING_EXCLUSIVE; sleeps inside through
     * cpu_sleep_any(). Called by the CPU's thread without the lock. */
    void (*run)(Cpu *cpu);
    /* Drive an interrupt input (RISC-V: the bit number in mip: 3 MSIP, 7 MTIP, 9 SEIP, 11 MEIP).
     * Any thread. */
    void (*set_input_any)(Cpu *cpu, unsigned input, bool level);
    /* Flush cached translations: everything, or what maps to a RAM range of the memory root.
     * Only while the CPU is parked (cpus_exclusive) or from its own thread. */
    void (*flush_translations)(Cpu *cpu);
    /* Take away direct write entries (arming of dirty tracking, code pages). As above. */
    void (*flush_writes)(Cpu *cpu);
    /* Virtual to physical for debuggers, without side effects. Lock, CPU parked or own thread. */
    bool (*translate)(Cpu *cpu, uint64_t va, uint64_t *pa);
    /* Registers for `info registers`: n values, borrowed names. Returns how many there are. */
    size_t (*registers)(Cpu *cpu, CpuReg *regs, size_t max);
    /* qtest's csr command: false if there is no such register. Lock, CPU not running. */
    bool (*csr_access)(Cpu *cpu, unsigned csr, bool write, uint64_t *value);
    /* Device-tree properties of /cpus/cpu@N (riscv,isa and so on): called with a libfdt blob in
     * sequential-write or read-write state as the board's builder wants it. */
    void (*fdt_props)(Cpu *cpu, void *fdt, int node);
    /* Guest statistics: retired instructions (approximate while running). */
    uint64_t (*retired)(Cpu *cpu);
    /* Restart timers whose deadlines were loaded. Lock, not running. */
    void (*post_load_arm)(Cpu *cpu);
};

/* The CPU types of this build, NULL-terminated; defined by target/ (system/ links it in). */
extern const CpuType *const cpu_types[];
const CpuType *cpu_type_find(const char *name);
/**
 * cpu_model_canonical() - Check the argument of -cpu and bring it into its canonical form.
 * @model:    "TYPE[,feature=on|off...]"; of a feature that is given twice the last value counts
 * @defaults: features that the machine sets unless @model names them, in the same form; NULL: none
 * @err:      set on failure
 *
 * The canonical form is the type, then the features whose value differs from that of @defaults or of
 * the type, each once, as on or off, in the order of the type's properties. Two models with the same
 * canonical form are the same CPU.
 *
 * Return: the canonical form, freed by the caller; NULL if the type or a feature is unknown, or a
 * value is not accepted.
 */
char *cpu_model_canonical(const char *model, const char *defaults, GError **err);

/* --- provided by hw/core/cpu.c and accel/, for everybody --- */

/* Set bits in the pending word and wake the CPU if it sleeps. Any thread. */
void cpu_raise_any(Cpu *cpu, uint32_t bits);
/* Sleep until pending is non-zero or the virtual clock reaches deadline (CLOCK_NEVER: no
 * deadline). The CPU's own thread, without the machine lock. */
void cpu_sleep_any(Cpu *cpu, int64_t deadline);
/* Ask that CPU_PENDING_INTERRUPT be raised when the virtual clock reaches deadline; replaces the
 * CPU's earlier request; CLOCK_NEVER cancels. Any thread. For timer compare registers. */
void cpu_set_deadline_any(Cpu *cpu, int64_t deadline);

/* Run fn with every CPU parked outside guest code (they finish their block first). Lock held
 * by the caller, who may itself be a CPU thread in an MMIO access; a CPU that waits for the
 * machine lock counts as parked. Nests. */
void cpus_exclusive(Machine *m, void (*fn)(void *opaque), void *opaque);
/* Keep every CPU out of guest code until as many cpus_release(): does not wait for them, and the
 * machine counts as running all the while (its clocks go on). Lock held. */
void cpus_hold(Machine *m);
void cpus_release(Machine *m);

#endif
