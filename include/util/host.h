/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Resources of the host that may run out.
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

#endif
