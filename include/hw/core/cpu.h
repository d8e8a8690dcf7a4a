/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Interface between CPUs and the rest of the machine.
 *
 * A board names a CPU type and uses it only through this header: interrupt inputs, message sink,
 * device-tree properties, saved state. accel/ runs CPUs, one thread each (none under -accel qtest);
 * target/ implements CpuType.
 *
 * The pending word is the only state of a running CPU that other threads write. A CPU tests it at
 * the end of each block and before it sleeps. Bits are set with cpu_raise_any(), which also wakes
 * the CPU.
 */
#ifndef HW_CORE_CPU_H
#define HW_CORE_CPU_H

#include "hw/core/cpu_debug.h"
#include "hw/core/device.h"
#include "hw/core/msi_sink.h"
#include "hw/core/semihost.h"

/* Bits of Cpu.pending */
enum {
    CPU_PENDING_INTERRUPT = 1 << 0, /* an interrupt input changed */
    CPU_PENDING_EXCLUSIVE = 1 << 1, /* cpus_exclusive() was called */
    CPU_PENDING_STOP = 1 << 2,      /* run() returns */
    CPU_PENDING_COUNT = 1 << 4,     /* always set while instructions are counted, so that the end
                                     * of each block is noticed: run() returns once `count_limit`
                                     * instructions are retired */
    CPU_PENDING_DEBUG = 1 << 3,     /* private to target/: one instruction is executed, then the
                                     * word is tested again */
};

typedef struct CpuType CpuType;
struct Cpu {
    const CpuType *type;
    Machine *machine;
    unsigned index;
    uint32_t pending;         /* atomic; CPU_PENDING_* */
    uint64_t count_limit;     /* see CPU_PENDING_COUNT; of the CPU's own thread */
    bool halted;              /* waiting for an interrupt (wfi); atomic */
    Device *device;           /* its node in the tree */
    void *accel;              /* private to accel/ (thread, condition) */
    int thread_id;            /* host's id of the CPU's thread; atomic; 0: none yet */
    uint64_t device_accesses; /* accesses outside RAM; lock */
    int64_t device_ns;        /* CPU time in them, estimated from a sample; lock */
    CpuDebug debug;
    Semihost *semihost; /* carries out semihosting calls; NULL: there are none */
};

typedef struct CpuReg {
    const char *name;
    uint64_t value;
} CpuReg;

struct CpuType {
    const char *name;      /* "rv64" */
    const PlanProp *props; /* -cpu rv64,zba=off: all BOOL or ENUM */
    size_t n_props;
    const MsiSink *msi;     /* NULL: receives no messages */
    const VmState *vmstate; /* over the Cpu structure */

    /* Create a CPU, reset and not running. `features` is the text after "rv64," or NULL. NULL with
     * an ERROR_USER for an unknown feature. Lock. */
    Cpu *(*create)(Machine *m, unsigned index, const char *features, GError **err);
    void (*destroy)(Cpu *cpu); /* its thread has ended */
    /* Reset to the state that the architecture defines, with the first pc. Lock, CPU not running.
     */
    void (*reset)(Cpu *cpu, uint64_t pc);
    /* Run until CPU_PENDING_STOP or CPU_PENDING_EXCLUSIVE; sleeps inside through
     * cpu_sleep_any(). Called by the CPU's thread without the lock. */
    void (*run)(Cpu *cpu);
    /* Drive an interrupt input (RISC-V: the bit number in mip: 3 MSIP, 7 MTIP, 9 SEIP, 11 MEIP).
     * Any thread. */
    void (*set_input_any)(Cpu *cpu, unsigned input, bool level);
    /* Flush all cached translations. Only while the CPU is parked (cpus_exclusive) or from its own
     * thread. */
    void (*flush_translations)(Cpu *cpu);
    /* Remove direct write entries, for dirty tracking and code pages. Same condition. */
    void (*flush_writes)(Cpu *cpu);
    /* Translate a virtual address for debuggers, without side effects. False: not mapped. Lock, CPU
     * parked or own thread. */
    bool (*translate)(Cpu *cpu, uint64_t va, uint64_t *pa);
    /* Read up to `max` registers for `info registers`; names are borrowed. Returns their number. */
    size_t (*registers)(Cpu *cpu, CpuReg *regs, size_t max);
    /* Access a CSR for qtest. False: the CSR does not exist. Lock, CPU not running. */
    bool (*csr_access)(Cpu *cpu, unsigned csr, bool write, uint64_t *value);
    /* Add the properties of /cpus/cpu@N (riscv,isa and others) to a libfdt blob, which is in the
     * state, sequential-write or read-write, that the board uses. */
    void (*fdt_props)(Cpu *cpu, void *fdt, int node);
    /* Add nodes that describe all CPUs of a machine whose first CPU is @cpu. NULL: none. */
    void (*fdt_machine)(Cpu *cpu, void *fdt);
    /* Describe how guest code is executed, one line, for `info jit`. Lock. NULL: nothing to
     * describe. */
    void (*describe_execution)(const Cpu *cpu, GString *out);
    /* Number of retired instructions, approximate while the CPU runs. */
    uint64_t (*retired)(Cpu *cpu);
    /* Arm the timers whose deadlines were loaded. Lock, CPU not running. */
    void (*post_load_arm)(Cpu *cpu);
    const CpuDebugOps *debug; /* NULL: the CPU cannot be debugged */
};

/* The CPU types of this build, NULL-terminated; defined by target/ (system/ links it in). */
extern const CpuType *const cpu_types[];
/* Write the registers to the log if its category cpu_reset is enabled. A board calls it before each
 * reset of a CPU. Lock, CPU not running. */
void cpu_log_reset(Cpu *cpu);
/* The CPU type with a name; NULL: none. */
const CpuType *cpu_type_find(const char *name);
/**
 * cpu_model_canonical() - Check the argument of -cpu and bring it into its canonical form.
 * @model:    "TYPE[,feature=on|off...]"; of a feature that is given twice the last value counts
 * @defaults: features that the machine sets unless @model names them, in the same form; NULL: none
 * @err:      set on failure
 *
 * The canonical form is the type, then the features whose value differs from that of @defaults or
 * of the type, each once, as on, off or a number, in the order of the type's properties. Two models
 * with the same canonical form are the same CPU.
 *
 * Return: the canonical form, freed by the caller; NULL if the type or a feature is unknown, or a
 * value is not accepted.
 */
char *cpu_model_canonical(const char *model, const char *defaults, GError **err);

/* --- provided by hw/core/cpu.c and accel/ --- */

/* Set bits in the pending word and wake the CPU if it sleeps. Any thread. */
void cpu_raise_any(Cpu *cpu, uint32_t bits);
/* Sleep until pending is not zero or the virtual clock reaches `deadline` in ns (CLOCK_NEVER:
 * none). Called by the CPU's own thread without the machine lock. */
void cpu_sleep_any(Cpu *cpu, int64_t deadline);
/* Raise CPU_PENDING_INTERRUPT when the virtual clock reaches `deadline` in ns. Replaces the earlier
 * request of the CPU; CLOCK_NEVER cancels it. For timer compare registers. Any thread. */
void cpu_set_deadline_any(Cpu *cpu, int64_t deadline);

/**
 * cpus_exclusive() - Call a function while every CPU is parked outside guest code.
 *
 * The CPUs finish their current block first. A CPU that waits for the machine lock counts as
 * parked. The caller holds the machine lock and may be a CPU thread in an MMIO access. Calls can be
 * nested.
 */
void cpus_exclusive(Machine *m, void (*fn)(void *opaque), void *opaque);
/* Keep every CPU outside guest code until the matching cpus_release(). Does not wait for the CPUs.
 * The machine remains running and its clocks continue. Lock. */
void cpus_hold(Machine *m);
void cpus_release(Machine *m);

#endif
