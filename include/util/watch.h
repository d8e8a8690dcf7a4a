/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Watching descriptors that are often ready.
 */
#ifndef UTIL_WATCH_H
#define UTIL_WATCH_H

#include <glib-unix.h>

/* g_unix_fd_add() for a function that may be called from inside itself, by a nested turn of the
 * main loop. GLib takes other descriptors out of its set while they are dispatched and puts them in
 * again, which wakes the loop up and costs four system calls for each event. Returns the source's
 * id, for g_source_remove(). */
guint watch_fd(int fd, GIOCondition condition, GUnixFDSourceFunc fn, void *opaque);

#endif
