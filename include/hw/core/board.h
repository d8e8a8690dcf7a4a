/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Boards: const descriptors of machine types, built from a resolved description.
 *
 * Every function of a board type is called with the machine lock held.
 */
#ifndef HW_CORE_BOARD_H
#define HW_CORE_BOARD_H

#include "hw/core/boot_image.h"
#include "hw/core/cpu.h"

/* The first member of a board's structure (Machine.board). */
typedef struct Board {
    Machine *machine;
} Board;

/* Images and options that a machine boots with, besides its devices. */
typedef struct BoardBoot {
    const BootImages *images; /* borrowed; the board duplicates the descriptors that it keeps */
    const char *append;       /* kernel command line; NULL: none */
    const char *dumpdtb;      /* file to write the device tree to; NULL: none */
    const char *rtc;          /* "base=utc|localtime|DATE,clock=host|rt|vm" */
    bool remember; /* a stream provides RAM: store only the data that a reset loads. boot() may be
                    * called again, with the images of the stream */
} BoardBoot;

typedef struct BoardType {
    const PlanMachineType plan; /* name, alias, properties, limits */
    /* Create RAM, CPUs, interrupt controllers, board devices and host bridges on an empty machine.
     * The description is resolved. False with an error: machine_clear() undoes what was created. */
    bool (*build)(Machine *m, const PlanMachine *plan, GError **err);
    /* Load firmware and kernel and create the device tree. All devices of the description are
     * plugged. RAM is not written if a stream provides it (see BoardBoot). False with an error. */
    bool (*boot)(Machine *m, const BoardBoot *boot, GError **err);
    /* Path of the firmware that is loaded without -bios; static text. NULL with an error if the
     * host has none. The entry is NULL if the board boots nothing. */
    const char *(*default_firmware)(GError **err);
    /* Text of the CPU features that the machine of a description sets unless -cpu names them; NULL:
     * none. The properties of the description are resolved. The entry is NULL for a machine without
     * CPUs. */
    const char *(*cpu_features)(const PlanMachine *plan);
    /* Reset everything that is not a device: CPUs and boot ROM. */
    void (*reset)(Machine *m);
    /* Free the board's structure. */
    void (*free)(Machine *m);
} BoardType;

/* Boards of this build, NULL-terminated (hw/riscv/boards.c). */
extern const BoardType *const board_types[];
/* Property defaults of older machine versions (hw/riscv/compat.c,
 * docs/devel/machine-versions.md). */
extern const PlanCompat board_compats[];
extern const size_t n_board_compats;

#endif
