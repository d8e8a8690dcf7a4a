/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The error domain of the emulator.
 *
 * Every error is one of three classes, which docs/architecture.md describes. A function that can
 * fail has the form `bool f(…, GError **err)` and ends a failing path with
 *
 *     return error_set(err, ERROR_USER, "device '%s': …", id);
 *
 * The message is one sentence without a final newline. It names the object, the rejected value and
 * what would be accepted. The plan library has a domain of its own (PLAN_ERROR), because programs
 * outside this project link it.
 *
 * All functions may be called from any thread.
 */
#ifndef UTIL_ERROR_H
#define UTIL_ERROR_H

#include <stdbool.h>

#include <glib.h>

typedef enum ErrorClass {
    ERROR_USER,  /* a command line, configuration file or monitor command cannot be carried out */
    ERROR_GUEST, /* a guest, a migration stream or an image contains something invalid */
    ERROR_HOST,  /* the host refuses a resource: a file, a socket, memory, a system call */
} ErrorClass;

#define BACKPLANE_ERROR backplane_error_quark()
GQuark backplane_error_quark(void);

/**
 * error_set() - Report an error.
 * @err:   where to store the error, or NULL if the caller does not need it. An error that it
 *         contains is kept: the first failure is the cause of the following ones
 * @class: stored as the error's code
 * @fmt:   printf() format of the message
 *
 * Return: always false, so that a caller can return the value.
 */
bool error_set(GError **err, ErrorClass class, const char *fmt, ...) G_GNUC_PRINTF(3, 4);

/**
 * error_set_errno() - Report that a system call failed.
 * @err:    as for error_set()
 * @errnum: positive error number; its description is appended to the message after ": "
 * @fmt:    printf() format of the message
 *
 * The class is ERROR_HOST.
 *
 * Return: always false.
 */
bool error_set_errno(GError **err, int errnum, const char *fmt, ...) G_GNUC_PRINTF(3, 4);

#endif
