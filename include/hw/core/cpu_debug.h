/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Debugging of CPUs: breakpoints, watchpoints, single steps, and the registers that a debugger
 * accesses.
 *
 * Break- and watchpoints belong to the machine and apply to every CPU. Guest memory is not
 * modified: a CPU compares the address of each instruction that it decodes, and removes the direct
 * TLB entries of watched pages. A machine without points runs at full speed. Points are neither
 * saved nor migrated.
 *
 * A CPU stops before it executes an instruction at a breakpoint, and before an access to a watched
 * address. Its thread then waits, and the run state of the machine becomes RUN_DEBUG.
 *
 * A watchpoint for writes also stops the machine after a device wrote to the RAM that the page
 * tables of any CPU assigned to the watched addresses when the point was added. The CPU whose
 * access started the write stops at the end of its block; if the write happened on the main loop,
 * the stop is attributed to the first CPU. Reads by devices do not stop.
 *
 * Locking: the machine lock, unless stated otherwise.
 */
#ifndef HW_CORE_CPU_DEBUG_H
#define HW_CORE_CPU_DEBUG_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct Machine Machine;
typedef struct Cpu Cpu;

#define CPU_POINTS_MAX      1024
#define CPU_POINT_WRITE_MAX (UINT64_C(1) << 20) /* bytes of a watchpoint for writes */

/* The values are those of the Z packets of the gdb remote protocol. */
typedef enum CpuPointKind {
    CPU_POINT_BREAK,    /* software breakpoint */
    CPU_POINT_HW_BREAK, /* hardware breakpoint; the same mechanism */
    CPU_POINT_WRITE,    /* watchpoints */
    CPU_POINT_READ,
    CPU_POINT_ACCESS,
    CPU_POINT_KINDS
} CpuPointKind;

/* A point at the virtual addresses [addr, addr + len) of every address space. Only the address of
 * a breakpoint is compared. */
typedef struct CpuPoint {
    CpuPointKind kind;
    uint64_t addr, len;
} CpuPoint;

/* The points of a machine. CPUs read them; they change only while every CPU is parked. */
typedef struct CpuPoints {
    unsigned n;
    CpuPoint point[CPU_POINTS_MAX];
    GArray *ram; /* private to cpu_debug.c: RAM in which writes by devices are watched */
} CpuPoints;

typedef enum CpuStop {
    CPU_STOP_NONE,
    CPU_STOP_STEP,  /* a single step is complete */
    CPU_STOP_POINT, /* CpuDebug.point was reached */
} CpuStop;

/*
 * Debugging state of a CPU. The debugger sets hold, step and mask_interrupts while the machine is
 * stopped. The thread of the CPU sets stop, point and addr before it waits, and clears step when
 * the step is complete. Starting the machine clears `stop`.
 */
typedef struct CpuDebug {
    bool hold;            /* do not run this CPU while the machine runs */
    bool step;            /* execute one instruction, then stop */
    bool mask_interrupts; /* take no interrupt during the step */
    CpuStop stop;
    CpuPointKind point; /* CPU_STOP_POINT: the type of the point, and */
    uint64_t addr;      /* the first watched address of the access, or the address of the code */
} CpuDebug;

/* A range of virtual addresses with one translation. Rights are bits of CPU_MAP_*. */
enum {
    CPU_MAP_READ = 1 << 0,
    CPU_MAP_WRITE = 1 << 1,
    CPU_MAP_EXEC = 1 << 2,
    CPU_MAP_USER = 1 << 3,
    CPU_MAP_GLOBAL = 1 << 4,
    CPU_MAP_ACCESSED = 1 << 5,
    CPU_MAP_DIRTY = 1 << 6,
};
typedef struct CpuMapping {
    uint64_t va, pa, size;
    unsigned rights;
} CpuMapping;

#define CPU_INSN_MAX 4 /* bytes of the longest instruction */

/* Functions of CpuType.debug. Every function requires the machine lock and a parked CPU. */
typedef struct CpuDebugOps {
    /* Registers have the numbers of the target description. A packet of the general registers
     * contains those below `n_general`, each of 8 bytes; `pc` is the number of the program counter.
     */
    unsigned n_general, pc;
    /* Return the target description of the gdb remote protocol (XML) with every register that the
     * CPU has; g_free(). */
    char *(*description)(Cpu *cpu);
    /* Read a register, and its size in bytes if @bytes is not NULL. False: no such register, or it
     * cannot be read. Has no side effect on the guest. */
    bool (*read)(Cpu *cpu, unsigned reg, uint64_t *value, unsigned *bytes);
    /* Write a register, with the effects and the legal values of a write by the guest. False: no
     * such register, or it is read-only. */
    bool (*write)(Cpu *cpu, unsigned reg, uint64_t value);
    /* A point was added or removed. Called by the functions below while every CPU is parked. */
    void (*point_changed)(Cpu *cpu, const CpuPoint *point);
    /* Call @fn for each leaf of the current page tables, in ascending order of addresses, until it
     * returns false. *complete is set to false if more than @max_entries entries had to be visited,
     * which a guest can cause with tables that refer to themselves. Return false, without a call,
     * if translation is off. */
    bool (*mappings)(Cpu *cpu, uint64_t max_entries, bool *complete,
                     bool (*fn)(void *opaque, const CpuMapping *map), void *opaque);
    /* Write an instruction at @pc as text to @buf, and the bytes that are not an instruction as
     * data.
     * @code has @available bytes, at most CPU_INSN_MAX. Return its length; 0 if more bytes are
     * required. */
    unsigned (*disassemble)(Cpu *cpu, const uint8_t *code, unsigned available, uint64_t pc,
                            char *buf, size_t size);
} CpuDebugOps;

/**
 * cpu_point_add() - Add a point for all CPUs.
 * @p: copied; len must be at least 1, must not wrap around the end of the address space, and must
 *     not exceed CPU_POINT_WRITE_MAX if the point watches writes
 *
 * Adding an existing point has no effect. cpu_point_remove() undoes it.
 *
 * Return: false if CPU_POINTS_MAX points exist, or @p is not valid.
 */
bool cpu_point_add(Machine *m, const CpuPoint *p);
/* Remove a point. False: it does not exist. */
bool cpu_point_remove(Machine *m, const CpuPoint *p);
/* Remove all points. */
void cpu_points_clear(Machine *m);

/* Return the breakpoint at an address; NULL: none. Any thread while its CPU is not parked. */
const CpuPoint *cpu_point_at(const CpuPoints *points, uint64_t addr);
/* Return a watchpoint that stops an access to [addr, addr + size); NULL: none. Size 0 is 2^64
 * bytes. Same condition. */
const CpuPoint *cpu_point_watch(const CpuPoints *points, uint64_t addr, uint64_t size, bool read,
                                bool write);

/**
 * cpu_debug_stop() - Stop the calling CPU for the debugger.
 *
 * Sets CpuDebug.stop and CPU_PENDING_STOP. CpuType.run must return without executing another
 * instruction. The main loop then changes the run state to RUN_DEBUG. Called by the thread of the
 * CPU without the machine lock. @point may be NULL if @why is not CPU_STOP_POINT.
 */
void cpu_debug_stop(Cpu *cpu, CpuStop why, const CpuPoint *point, uint64_t addr);

/* Stop the machine because a device wrote to a watched address. The CPU that carries out the access
 * of the calling thread stops as by cpu_debug_stop(); otherwise the main loop stops the machine. */
void cpus_debug_device_stop(Machine *m, const CpuPoint *point, uint64_t addr);

#endif
