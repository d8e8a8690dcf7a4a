/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files that the emulator writes, wherever their names lead.
 *
 * A file that is written as a whole replaces a regular file, or nothing, only when it is complete:
 * until then its data is in PATH.part, and an error leaves the old file as it was. The new file
 * has the owner, group and mode of the old one. A symbolic link stays, and the file it leads to
 * is replaced. Everything else is written into and never replaced: devices, FIFOs, files with
 * several hard links, and files in a folder that cannot be written or whose owner this process
 * cannot give to a new file.
 *
 * No function waits for a peer: a FIFO without a reader is an error for a whole file, and what a
 * log writes to one is kept by the kernel as far as it can.
 */
#ifndef UTIL_OUTFILE_H
#define UTIL_OUTFILE_H

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

typedef struct OutFile OutFile;

/* Begin to write path; mode is that of a new file, before the umask. NULL and a message that
 * names the path. */
OutFile *out_file_begin(const char *path, mode_t mode, GError **err);
/* The descriptor to write to, owned by f; non-blocking unless it is a regular file. */
int out_file_fd(const OutFile *f);
/* All is written: put it in its place, after fsync() of file and folder if `durable`. Frees f. On
 * failure the old file is as it was unless it was written into. */
bool out_file_commit(OutFile *f, bool durable, GError **err);
/* Give up and free f (NULL is allowed). */
void out_file_abort(OutFile *f);

/* All of it at once. Waits at most 200 ms for a reader that takes nothing. */
bool out_file_write(const char *path, const void *data, size_t len, GError **err);

/*
 * Open a log, which grows: the old file is emptied, or appended to. Returns the descriptor, owned
 * by the caller, close-on-exec and non-blocking unless it is a regular file; -1 with errno.
 */
int out_log_open(const char *path, bool append, mode_t mode);

#endif
