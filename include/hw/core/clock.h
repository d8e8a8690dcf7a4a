/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Three clocks and their timers.
 *
 *  virtual   guest time in ns; stands still while the guest is stopped; under -accel qtest it
 *            moves only by clock_step()
 *  host      wall clock, ns since 1970 (may jump)
 *  realtime  monotonic host time, never stops
 *
 * Timers belong to one clock and run on the main loop with the machine lock held. A saved timer
 * is its absolute virtual deadline; after a load all timers are armed together.
 */
#ifndef HW_CORE_CLOCK_H
#define HW_CORE_CLOCK_H

#include "hw/core/machine.h"

typedef enum ClockKind { CLOCK_KIND_VIRTUAL, CLOCK_KIND_HOST, CLOCK_KIND_REALTIME, CLOCK_KINDS }
    ClockKind;

#define CLOCK_NEVER INT64_MAX

/* Now, in ns. Any thread, no lock (a seqlock inside). */
int64_t clock_now_any(const Machine *m, ClockKind kind);

typedef struct Timer {
    Machine *machine;
    Device *owner;      /* entered through the guard; NULL for none */
    void (*fn)(void *);
    void *arg;
    ClockKind kind;
    int64_t deadline;   /* CLOCK_NEVER when not armed */
    int64_t loaded;     /* private: the deadline that a load found */
    unsigned heap_pos;  /* private */
} Timer;

/* A virtual-clock timer of a device: `dev` points to a structure whose first member is a Device
 * (or a PCIDevice, ...). fn runs inside the device's guard. */
void timer_setup(Timer *t, void (*fn)(void *dev), void *dev);
/* A timer of something that is not a device. */
void timer_setup_plain(Timer *t, Machine *m, ClockKind kind, void (*fn)(void *), void *arg);

/* Arm relative to now (saturates), or at an absolute deadline; re-arming moves it. A deadline in
 * the past fires at the next turn of the main loop (under qtest: at the next clock step). */
void timer_arm_ns(Timer *t, uint64_t delay);
void timer_arm_at(Timer *t, int64_t deadline);
void timer_cancel(Timer *t); /* safe on one never set up (zeroed) or not armed */
static inline bool timer_armed(const Timer *t)
{
    return t->machine && t->deadline != CLOCK_NEVER;
}

/* --- for machine.c, the main loop, qtest and migration --- */
ClockSet *clocks_new(Machine *m);
void clocks_free(ClockSet *c);
/* Use a stepped virtual clock, starting at 0. Before any timer exists. */
void clocks_set_stepped(ClockSet *c);
void clocks_run_virtual(ClockSet *c, bool run);
/* Set the virtual clock while it is stopped (a load). */
void clocks_set_virtual(ClockSet *c, int64_t now);
/* Deadline of the earliest timer of one clock, or CLOCK_NEVER. */
int64_t clocks_deadline(const ClockSet *c, ClockKind kind);
/* Run the due timers of every clock; returns how many ran. Bounded: at most as many callbacks as
 * timers were armed at the start, so that one which re-arms in the past cannot hold the loop. */
unsigned clocks_dispatch(ClockSet *c);
/* Stepped clock: move to `to` (>= now), running timers at their own times on the way. False when
 * `to` is before now. */
bool clocks_step_to(ClockSet *c, int64_t to);
/* Attach a GSource that dispatches timers on the default main context. */
void clocks_attach(ClockSet *c);
/* How long the host may wait until a timer is due: 0, nanoseconds, or CLOCK_NEVER. For a loop that
 * waits more finely than GLib, whose unit is the millisecond. */
int64_t clocks_wait_ns(const ClockSet *c);

#endif
