/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files that are read as a whole: a size limit for each, and no endless wait.
 */
#ifndef UTIL_INFILE_H
#define UTIL_INFILE_H

#include <glib.h>
#include <stdbool.h>

/*
 * Read the file `path`, at most max bytes. Pipes and devices are read to their end; a pipe that
 * has nothing yet is waited for while the process starts (a signal still ends it), and for at most
 * 200 ms from the main loop.
 *
 * *text is NUL-terminated and owned by the caller (g_free), *len excludes the NUL. False and a
 * message that names the path and the limit. Any thread.
 */
bool in_file_read(const char *path, size_t max, char **text, gsize *len, GError **err);

#endif
