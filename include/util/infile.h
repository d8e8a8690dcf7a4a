/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading complete files, with limits of size and waiting time.
 */
#ifndef UTIL_INFILE_H
#define UTIL_INFILE_H

#include <glib.h>
#include <stdbool.h>

/**
 * in_file_read() - Read a complete file.
 * @path: the file; a pipe or character device is read to its end
 * @max:  the largest accepted size in bytes
 * @text: receives the contents with a final NUL, owned by the caller (g_free)
 * @len:  receives the number of bytes without the NUL
 * @err:  names the path, and the limit if it is exceeded
 *
 * A pipe without data is waited for while the process starts, where signals end the process, and
 * for at most 200 ms on the main loop. May be called from any thread.
 *
 * Return: false on failure; *text is then NULL.
 */
bool in_file_read(const char *path, size_t max, char **text, gsize *len, GError **err);

#endif
