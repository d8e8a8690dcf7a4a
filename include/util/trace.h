/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Trace events: one line of text for each occurrence, switched on by name or pattern.
 *
 * trace_on() is one load and a test, so that call sites may be on warm paths. Lines are written
 * whole, to the file given with -trace file=, else to the log (util/log.h). Any thread, except
 * trace_to_file(), which is called before the machine starts. The state is one per process, like
 * the log's.
 */
#ifndef UTIL_TRACE_H
#define UTIL_TRACE_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef enum TraceEvent {
    TRACE_PCI_BAR,
    TRACE_PCI_CFG_READ,
    TRACE_PCI_CFG_WRITE,
    TRACE_PCI_MSI,
    TRACE_PCI_MSIX,
    TRACE_PCI_SLOT,
    TRACE_REG_READ,
    TRACE_REG_WRITE,
    TRACE_DEVICE_RESET,
    TRACE_DEVICE_IRQ,
    TRACE_VIRTIO_NOTIFY,
    TRACE_VIRTIO_STATUS,
    TRACE_RUN_STATE,
    TRACE_QMP_COMMAND,
    TRACE_EVENTS
} TraceEvent;

/* Who switched an event on; an event is on while any bit is set. */
enum { TRACE_BY_LOG = 1 << 0, TRACE_BY_USER = 1 << 1 };

extern uint8_t trace_state[TRACE_EVENTS]; /* atomic access only */

static inline bool trace_on(TraceEvent event)
{
    return __atomic_load_n(&trace_state[event], __ATOMIC_RELAXED) != 0;
}

/* Write "NAME TEXT". Callers test trace_on() first. */
void trace_line(TraceEvent event, const char *fmt, ...) G_GNUC_PRINTF(2, 3);
#define trace(event, ...)                                                                          \
    do {                                                                                           \
        if (trace_on(event)) {                                                                     \
            trace_line(event, __VA_ARGS__);                                                        \
        }                                                                                          \
    } while (0)

const char *trace_name(TraceEvent event);
/* Switch the events that match the pattern (wildcards * and ?) on, or off if the pattern starts
 * with '-'. `by`: TRACE_BY_*, or 0 to check the pattern only. False and a sentence if nothing
 * matches. */
bool trace_set(const char *pattern, unsigned by, GError **err);
/* Switch off everything that `by` switched on. */
void trace_clear(unsigned by);
/* A file with one pattern in each line; empty lines and lines starting with '#' are skipped. At
 * most 64 KiB. False and a sentence that names the file. */
bool trace_events_from(const char *path, GError **err);
/* Write to this file (created or truncated) instead of the log. */
bool trace_to_file(const char *path, GError **err);
/* "name  what" lines for -trace help; g_free. */
char *trace_help(void);

#endif
