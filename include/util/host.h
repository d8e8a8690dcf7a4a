/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The host process: exhausted resources, and whether the caller may wait.
 */
#ifndef UTIL_HOST_H
#define UTIL_HOST_H

#include <stdbool.h>

/**
 * host_can_open() - Return whether @n more file descriptors (at most 8) can be opened now.
 *
 * GLib ends the process when it cannot create a main context, so that callers check this first.
 * Another thread may open descriptors in between; callers request a margin. Any thread.
 */
bool host_can_open(unsigned n);

/**
 * host_in_main_loop() - Return whether the caller runs on the main loop, where waiting would stop
 * the machine.
 *
 * False while the process starts, and in other threads.
 */
bool host_in_main_loop(void);

#endif
