/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Semihosting: calls of a guest program to the host (Arm, "Semihosting for AArch32 and AArch64",
 * and the RISC-V specification of that name). A CPU recognises a call and passes it on; debug/
 * carries it out.
 */
#ifndef HW_CORE_SEMIHOST_H
#define HW_CORE_SEMIHOST_H

#include <stdbool.h>
#include <stdint.h>

typedef struct Cpu Cpu;
typedef struct Semihost Semihost;

typedef enum SemihostStep {
    SEMIHOST_DONE,  /* the result is returned, and the CPU continues */
    SEMIHOST_AGAIN, /* the CPU waits for a short time and executes the call again, unless it takes
                     * an interrupt: the call waits for the host, or was carried out in part */
} SemihostStep;

struct Semihost {
    bool userspace; /* calls in user mode are accepted */
    /* Carry out a call, or the next part of it. @number: operation; @arg: its parameter; @result:
     * set with SEMIHOST_DONE. Called by the thread of the CPU with the machine lock. */
    SemihostStep (*call)(Semihost *s, Cpu *cpu, uint64_t number, uint64_t arg, uint64_t *result);
};

#endif
