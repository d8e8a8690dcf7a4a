/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The host of semihosting calls: console, files below one folder, time, arguments and exit.
 *
 * The operations are those of version 3 of the specification; SYS_SYSTEM always fails. A call is
 * carried out in parts of at most 64 KiB, so that no length that a guest chooses delays the
 * monitor. Operations on names and the opening of files happen on the main loop.
 *
 * Locking: machine lock, main loop.
 */
#ifndef DEBUG_SEMIHOST_H
#define DEBUG_SEMIHOST_H

#include "chardev/chardev.h"
#include "hw/core/semihost.h"

typedef struct SemihostConfig {
    bool userspace;
    Chardev *console;    /* NULL: standard input, output and error of the process */
    const char *folder;  /* files below it are accessible; NULL: none */
    const char *cmdline; /* copied */
} SemihostConfig;

typedef struct SemihostHost SemihostHost;

/**
 * semihost_new() - Create a host.
 * @err: names the folder or the chardev that cannot be used
 *
 * semihost_free() undoes it. Return: NULL on failure.
 */
SemihostHost *semihost_new(Machine *m, const SemihostConfig *config, GError **err);
/* Accept the calls of all CPUs of the machine, before they run. May be called again when a stream
 * has created the CPUs. */
void semihost_start(SemihostHost *h);
/* Close all files and end all calls, after a reset of the machine or the load of a snapshot. NULL:
 * no effect. */
void semihost_reset(SemihostHost *h);
/* The CPUs are stopped. NULL: no effect. */
void semihost_free(SemihostHost *h);

#endif
