/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Boards: const descriptors, built from a resolved description.
 */
#ifndef HW_CORE_BOARD_H
#define HW_CORE_BOARD_H

#include "hw/core/cpu.h"

/* What of the command line concerns the board beside the description (host side). */
typedef struct BoardBoot {
    const char *kernel, *initrd, *append, *dtb, *bios, *dumpdtb; /* NULL: not given */
    const char *rtc; /* "base=utc|localtime|DATE,clock=host|rt|vm" */
    bool remember;   /* an incoming machine: a stream brings RAM; only know what a reset loads */
} BoardBoot;

typedef struct BoardType {
    const PlanMachineType plan; /* name, alias, properties, limits */
    /* Create RAM, CPUs, interrupt controllers, board devices and host bridges on an empty
     * machine. The description is resolved. Lock. */
    bool (*build)(Machine *m, const PlanMachine *plan, GError **err);
    /* All devices of the description are plugged: load firmware and kernel, make the device
     * tree; with boot->remember leave RAM alone. Lock. */
    bool (*boot)(Machine *m, const BoardBoot *boot, GError **err);
    /* System reset of what is no device: CPUs and boot ROM state. */
    void (*reset)(Machine *m);
    void (*free)(Machine *m);
} BoardType;

/* Boards of this build, NULL-terminated (hw/riscv/boards.c). */
extern const BoardType *const board_types[];
/* Property defaults of older machine versions (hw/riscv/compat.c,
 * docs/devel/machine-versions.md). */
extern const PlanCompat board_compats[];
extern const size_t n_board_compats;

#endif
