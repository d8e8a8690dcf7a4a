/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Watching descriptors that are often ready.
 */
#ifndef UTIL_WATCH_H
#define UTIL_WATCH_H

#include <glib-unix.h>

/**
 * watch_fd() - As g_unix_fd_add(), for a function that may be called recursively.
 *
 * A nested turn of the main loop may call @fn while @fn runs. GLib removes the descriptors of other
 * sources from its poll set while they are dispatched and adds them again, which wakes the loop and
 * costs four system calls for each event.
 *
 * Return: the id of the source, for g_source_remove().
 */
guint watch_fd(int fd, GIOCondition condition, GUnixFDSourceFunc fn, void *opaque);

#endif
