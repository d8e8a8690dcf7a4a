/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files that the emulator writes.
 *
 * A file is replaced by a complete file only. Its data are in PATH.part until out_file_commit(),
 * and an error leaves the old file unchanged. The new file has the owner, group and mode of the old
 * one. A symbolic link remains, and its target is replaced.
 *
 * Other files are overwritten instead: devices, FIFOs, files with several hard links, files in a
 * folder that cannot be written, and files whose owner the process cannot give to a new file.
 *
 * No function waits for a peer. A FIFO without a reader is an error, except for a log. All
 * functions may be called from any thread; an OutFile is used by one thread at a time.
 */
#ifndef UTIL_OUTFILE_H
#define UTIL_OUTFILE_H

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

typedef struct OutFile OutFile;

/**
 * out_file_begin() - Begin to write a file.
 * @path: the file
 * @mode: mode of a new file, before the umask is applied
 * @err:  names the path
 *
 * Return: the file, which out_file_commit() or out_file_abort() frees; NULL on failure.
 */
OutFile *out_file_begin(const char *path, mode_t mode, GError **err);

/** out_file_fd() - Get the descriptor to write to. Owned by @f, and non-blocking unless the file is
 * a regular one. */
int out_file_fd(const OutFile *f);

/**
 * out_file_commit() - Complete and free a file.
 * @durable: call fsync() for the file and its folder
 *
 * Return: false on failure, with the old file unchanged unless it was overwritten.
 */
bool out_file_commit(OutFile *f, bool durable, GError **err);

/** out_file_abort() - Discard and free a file. @f may be NULL. */
void out_file_abort(OutFile *f);

/**
 * out_file_write() - Write a complete file, as the functions above.
 *
 * Waits at most 200 ms for the reader of a FIFO to accept data.
 */
bool out_file_write(const char *path, const void *data, size_t len, GError **err);

/**
 * out_log_open() - Open a file that grows, without replacing it.
 * @append: keep its contents; otherwise it is truncated
 * @mode:   mode of a new file
 *
 * A FIFO may be opened before its reader; the kernel buffers some of the data.
 *
 * Return: the descriptor, owned by the caller, close-on-exec, and non-blocking unless the file is a
 * regular one; -1 with errno.
 */
int out_log_open(const char *path, bool append, mode_t mode);

#endif
