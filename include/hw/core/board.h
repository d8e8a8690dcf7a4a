/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Boards: const descriptors, built from a resolved description.
 */
#ifndef HW_CORE_BOARD_H
#define HW_CORE_BOARD_H

#include "hw/core/boot_image.h"
#include "hw/core/cpu.h"

/* What a machine boots, beside its devices. */
typedef struct BoardBoot {
    const BootImages *images; /* borrowed; the board duplicates the descriptors that it keeps */
    const char *append;       /* NULL: none */
    const char *dumpdtb;      /* write the device tree there; NULL: do not */
    const char *rtc;          /* "base=utc|localtime|DATE,clock=host|rt|vm" */
    bool remember; /* a stream brings RAM: only note what a reset loads. May be called again, with
                    * the images of the stream */
} BoardBoot;

typedef struct BoardType {
    const PlanMachineType plan; /* name, alias, properties, limits */
    /* Create RAM, CPUs, interrupt controllers, board devices and host bridges on an empty
     * machine. The description is resolved. Lock. */
    bool (*build)(Machine *m, const PlanMachine *plan, GError **err);
    /* All devices of the description are plugged: load firmware and kernel, make the device
     * tree; with boot->remember leave RAM alone. Lock. */
    bool (*boot)(Machine *m, const BoardBoot *boot, GError **err);
    /* The path of the firmware that is loaded unless -bios says otherwise. NULL and a sentence if
     * the host has none. NULL: the board boots nothing. */
    const char *(*default_firmware)(GError **err);
    /* The CPU features that the machine of a description sets unless -cpu names them, as text; NULL
     * if none. The properties of the description are resolved. NULL: a machine without CPUs. */
    const char *(*cpu_features)(const PlanMachine *plan);
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
