/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The -d log: categories switched on by name, written to stderr or to the file given with -D.
 *
 * log_on() is one load and a test, so that call sites may stand on warm paths. Lines are whole:
 * one write per call. Any thread.
 */
#ifndef UTIL_LOG_H
#define UTIL_LOG_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    LOG_IN_ASM = 1 << 0,      /* each block when it is decoded */
    LOG_EXEC = 1 << 1,        /* each instruction executed: pc and encoding */
    LOG_CPU = 1 << 2,         /* registers before each block */
    LOG_INT = 1 << 3,         /* traps and interrupts */
    LOG_MMU = 1 << 4,         /* page walks and TLB fills */
    LOG_UNIMP = 1 << 5,       /* accesses to what this machine does not have */
    LOG_GUEST_ERROR = 1 << 6, /* what a correct guest would not do */
};

extern uint32_t log_mask; /* written before the guest starts and by the monitor; atomic */

static inline bool log_on(uint32_t category)
{
    return (log_mask & category) != 0;
}

void log_line(const char *fmt, ...) G_GNUC_PRINTF(1, 2);
/* A message for the user on standard error, whatever the log does; a newline is added. */
void message(const char *fmt, ...) G_GNUC_PRINTF(1, 2);
/* What -msg asks for in front of every message and log line: the time (UTC, microseconds), and the
 * name of the guest (copied; NULL: none). Before other threads exist. */
void log_set_prefix(bool timestamp, const char *guest);
/* "in_asm,int,guest_errors"; false with a sentence that lists the categories. */
bool log_set(const char *items, GError **err);
/* The name of the i-th category; false at the end. */
bool log_item(size_t i, const char **name);
bool log_to_file(const char *path, GError **err);
/* "name  what" lines for -d help; g_free. */
char *log_help(void);

/*
 * A guest did something that only a broken or hostile guest does. Counted; at most
 * GUEST_ERROR_BURST lines a second are written per process, the rest are summed up.
 */
#define GUEST_ERROR_BURST 20
void guest_error(const char *who, const char *fmt, ...) G_GNUC_PRINTF(2, 3);
uint64_t guest_error_count(void);

#endif
