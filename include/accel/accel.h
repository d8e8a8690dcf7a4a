/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Running CPUs: one thread each, started once the machine is built.
 *
 * A CPU thread is either parked (waiting for permission to run, waiting for the machine lock, or
 * asleep) or inside CpuType.run(). Changes that must not happen while a CPU uses its caches of the
 * guest are made inside cpus_exclusive() (hw/core/cpu.h).
 */
#ifndef ACCEL_ACCEL_H
#define ACCEL_ACCEL_H

#include "hw/core/cpu.h"

/* Start a thread for each CPU in m->cpus. They run guest code while the machine's state is
 * RUN_RUNNING, now and after each change. Once per machine, never under -accel qtest. False and a
 * message if the host has no resources for it; then nothing was started. Lock. */
bool accel_start(Machine *m, GError **err);
/* End every CPU thread and wait for it. No effect if none was started. Lock held (it is released
 * while waiting); the context of the main loop must still exist. Called before machine_free(). */
void accel_stop(Machine *m);

/* The machine lock for a CPU's own thread: the CPU counts as parked while it waits. False,
 * without the lock: the CPU was stopped, reset or loaded meanwhile; the access must be abandoned
 * and run() left, with the instruction not executed. */
bool cpu_lock_machine(Cpu *cpu);
void cpu_unlock_machine(Cpu *cpu);

/* Called before and after a device access, with that lock held: count it in cpu->device_accesses,
 * and measure the time of one access in CPU_DEVICE_SAMPLE, a prime number, so that no pattern of a
 * driver coincides with the samples. */
#define CPU_DEVICE_SAMPLE 61
int64_t cpu_device_enter(Cpu *cpu); /* returns the start for cpu_device_leave() */
void cpu_device_leave(Cpu *cpu, int64_t start);

/* The pending word, as the CPU's own thread sees it. */
static inline uint32_t cpu_pending(const Cpu *cpu)
{
    return __atomic_load_n(&cpu->pending, __ATOMIC_RELAXED);
}
/* Clear bits. Everything that was published before they were raised is seen afterwards. */
static inline void cpu_clear_pending(Cpu *cpu, uint32_t bits)
{
    __atomic_fetch_and(&cpu->pending, ~bits, __ATOMIC_SEQ_CST);
}

#endif
