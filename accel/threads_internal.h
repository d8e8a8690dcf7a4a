/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The threads of CPUs (threads.c), and the one thread that executes all CPUs while instructions are
 * counted (icount.c).
 */
#ifndef ACCEL_THREADS_H
#define ACCEL_THREADS_H

#include "accel/accel.h"

typedef struct Accel {
    Machine *machine;
    GMutex lock;
    GCond parked;       /* some CPU parked */
    unsigned exclusive; /* number of nested cpus_exclusive() and cpus_hold() in progress */
    bool running, quit;
    int timer_fd; /* one for all CPUs: the earliest deadline */
    guint timer_source;
    guint debug_source; /* a CPU stopped for the debugger: the main loop stops the machine; or 0 */
    bool device_wrote;  /* to the watched address device_addr, not reported yet. Machine lock */
    uint64_t device_addr;
    GPtrArray *threads;
    bool hold;             /* instructions are counted: no CPU runs before the run state changes,
                            * or the CPUs were parked for a reset */
    struct Icount *icount; /* private to icount.c; NULL: instructions are not counted */
} Accel;

typedef struct CpuThread {
    Accel *accel;
    Cpu *cpu;
    GThread *thread;
    GCond wake;
    bool parked;
    uint32_t sleeping; /* atomic */
    int64_t deadline;
    bool idle; /* instructions are counted: it sleeps, until idle_until */
    int64_t idle_until;
    int64_t clock_cost; /* duration of reading the thread's CPU clock, ns */
} CpuThread;

/* --- threads.c; each requires Accel.lock --- */

/* Wake the thread of a CPU. While instructions are counted, the first CPU's thread executes all. */
void cpu_thread_wake(CpuThread *t);
void cpu_set_parked(CpuThread *t, bool parked);
/* Return true if the thread may execute guest code. */
bool cpu_thread_may_run(const CpuThread *t);
/* Request the stop of the machine if the CPU stopped for the debugger. */
void cpu_thread_debug_report(CpuThread *t);

/* --- icount.c --- */

/* Prepare counting if the machine has it, before the threads are created. */
void icount_start(Accel *a);
void icount_free(Accel *a);
/* The function of the thread; the argument is the first CpuThread. */
gpointer icount_thread(gpointer opaque);
/* Return the CPU that the calling thread executes; NULL: none. */
Cpu *icount_current(const Accel *a);
/* The CPU waits for an interrupt, or for a time: it ends its share. */
void icount_sleep(CpuThread *t, int64_t deadline);
/* CpuThread.deadline changed: the CPU that runs ends its share in time for it. Accel.lock. */
void icount_deadline_changed(CpuThread *t);
/* A CPU accessed a device: complete the work that this started. Lock. */
void icount_device_access(CpuThread *t);

#endif
