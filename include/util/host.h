/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The host process: resources that may run out, and whether the caller may wait.
 */
#ifndef UTIL_HOST_H
#define UTIL_HOST_H

#include <stdbool.h>

/*
 * Whether n more file descriptors can be opened now (n at most 8). GLib ends the process when it
 * cannot make a main context, so ask before. Another thread may take them in between: leave a
 * margin. Any thread.
 */
bool host_can_open(unsigned n);

/*
 * Whether the caller is on the main loop, so that waiting would stop the machine. False while the
 * process starts and in other threads.
 */
bool host_in_main_loop(void);

#endif
