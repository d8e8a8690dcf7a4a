/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Three clocks and their timers.
 *
 *  virtual   guest time in ns; stops while the guest is stopped; under -accel qtest only
 *            clocks_step_to() advances it; with -icount, also the instructions of a CPU
 *  host      wall clock, ns since 1970; may jump
 *  realtime  monotonic host time; never stops
 *
 * A timer belongs to one clock. Its function is called on the main loop with the machine lock held.
 * A saved timer is its absolute virtual deadline; after a load all timers are armed together.
 *
 * Every function except clock_now_any() requires the machine lock.
 */
#ifndef HW_CORE_CLOCK_H
#define HW_CORE_CLOCK_H

#include "hw/core/machine.h"

typedef enum ClockKind {
    CLOCK_KIND_VIRTUAL,
    CLOCK_KIND_HOST,
    CLOCK_KIND_REALTIME,
    CLOCK_KINDS
} ClockKind;

#define CLOCK_NEVER INT64_MAX

/* Current time of a clock in ns. Any thread, without the machine lock (it uses a seqlock). */
int64_t clock_now_any(const Machine *m, ClockKind kind);

typedef struct Timer {
    Machine *machine;
    Device *owner; /* its guard is entered for the call; NULL: none */
    void (*fn)(void *);
    void *arg;
    ClockKind kind;
    int64_t deadline;  /* CLOCK_NEVER when not armed */
    int64_t loaded;    /* private: the deadline that a load read */
    unsigned heap_pos; /* private */
} Timer;

/* Initialise a timer of a device on the virtual clock. `dev` points to a structure that starts with
 * a Device (or a PCIDevice, ...). fn(dev) is called inside the device's guard. */
void timer_setup(Timer *t, void (*fn)(void *dev), void *dev);
/* Initialise a timer that does not belong to a device. */
void timer_setup_plain(Timer *t, Machine *m, ClockKind kind, void (*fn)(void *), void *arg);

/**
 * timer_arm_ns() - Arm a timer relative to the current time of its clock.
 * @delay: ns; the deadline saturates
 *
 * Moves the deadline if the timer is armed. timer_cancel() undoes it.
 */
void timer_arm_ns(Timer *t, uint64_t delay);
/* Arm a timer at an absolute deadline in ns. A deadline in the past expires at the next turn of the
 * main loop; under qtest, at the next clock step. */
void timer_arm_at(Timer *t, int64_t deadline);
/* Disarm a timer. Safe on one that is zeroed or not armed. */
void timer_cancel(Timer *t);
static inline bool timer_armed(const Timer *t)
{
    return t->machine && t->deadline != CLOCK_NEVER;
}

/* --- for machine.c, the main loop, qtest and migration --- */
/* Create the clocks of a machine, all at rest. clocks_free() frees them. */
ClockSet *clocks_new(Machine *m);
void clocks_free(ClockSet *c);
/* Make the virtual clock a stepped one that starts at 0. Called before any timer exists. */
void clocks_set_stepped(ClockSet *c);
/* Call wake(opaque) whenever a timer becomes the earliest of the virtual clock, for a thread that
 * steps the clock; NULL: call nothing. */
void clocks_set_wake(ClockSet *c, void (*wake)(void *opaque), void *opaque);
/* Let the stepped virtual clock advance by 2^shift ns for each instruction that a CPU retires,
 * until clocks_count_end(). Called by the thread of the CPU, without the lock. */
void clocks_count_begin(ClockSet *c, const Cpu *cpu, unsigned shift);
void clocks_count_end(ClockSet *c);
/* Start or stop the virtual clock. */
void clocks_run_virtual(ClockSet *c, bool run);
/* Set the stopped virtual clock to a time in ns (a load). */
void clocks_set_virtual(ClockSet *c, int64_t now);
/* Deadline of the earliest timer of a clock in ns, or CLOCK_NEVER. */
int64_t clocks_deadline(const ClockSet *c, ClockKind kind);
/* Call the functions of the timers of all clocks that are due. At most as many are called as timers
 * were armed at the start, so that a timer which re-arms itself in the past cannot block the loop.
 * Returns the number of calls. */
unsigned clocks_dispatch(ClockSet *c);
/* Advance the stepped virtual clock to `to` ns; timers on the way expire at their own times. False
 * if `to` is in the past. */
bool clocks_step_to(ClockSet *c, int64_t to);
/* Attach a GSource that dispatches timers on the default main context. */
void clocks_attach(ClockSet *c);
/* Time in ns until a timer is due, 0 if one is due, or CLOCK_NEVER. For a loop with a finer
 * resolution than GLib's milliseconds. */
int64_t clocks_wait_ns(const ClockSet *c);

#endif
