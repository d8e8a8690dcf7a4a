/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Counting instructions (-icount): virtual time is the number of instructions that the CPUs
 * retired, times 2^shift ns, instead of the time of the host.
 *
 * One thread executes the CPUs in turn. It also calls the functions of timers of the virtual clock,
 * and after each device access of a CPU the work that the access started is completed
 * (MachineHooks.settle), so that the same machine with the same inputs behaves identically. Inputs
 * from outside (consoles, networks, monitors) arrive on the main loop at any time; they are the
 * only events that are not determined.
 */
#ifndef HW_CORE_ICOUNT_H
#define HW_CORE_ICOUNT_H

#include <stdbool.h>

#define ICOUNT_MAX_SHIFT 10

typedef struct IcountConfig {
    unsigned shift; /* an instruction takes 2^shift ns; with `automatic`, the initial value */
    bool automatic; /* adapt the shift to the speed of the host; not deterministic */
    bool sleep;     /* wait in real time while all CPUs are idle; else virtual time jumps */
    bool align;     /* delay the guest while its time is ahead of the host's */
} IcountConfig;

#endif
