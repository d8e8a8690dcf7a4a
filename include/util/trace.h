/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Trace events: one line of text for each occurrence, enabled by name or pattern.
 *
 * trace_on() is one load and a test. Lines are written by one system call to the file of -trace
 * file=, or to the log (util/log.h). All functions may be called from any thread, except
 * trace_to_file(), which is called before the machine starts. The state belongs to the process.
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

/* Sources that can enable an event. An event is enabled while any bit is set. */
enum { TRACE_BY_LOG = 1 << 0, TRACE_BY_USER = 1 << 1 };

extern uint8_t trace_state[TRACE_EVENTS]; /* atomic access only */

/** trace_on() - Return whether an event is enabled. */
static inline bool trace_on(TraceEvent event)
{
    return __atomic_load_n(&trace_state[event], __ATOMIC_RELAXED) != 0;
}

/** trace_line() - Write "NAME TEXT". Use trace(), which tests trace_on() first. */
void trace_line(TraceEvent event, const char *fmt, ...) G_GNUC_PRINTF(2, 3);
#define trace(event, ...)                                                                          \
    do {                                                                                           \
        if (trace_on(event)) {                                                                     \
            trace_line(event, __VA_ARGS__);                                                        \
        }                                                                                          \
    } while (0)

/** trace_name() - Get the name of an event. */
const char *trace_name(TraceEvent event);

/**
 * trace_set() - Enable the events that match a pattern.
 * @pattern: a name with wildcards * and ?; with a leading '-' the events are disabled
 * @by:      TRACE_BY_*; 0 only checks the pattern
 *
 * Return: false, with @err set, if no event matches.
 */
bool trace_set(const char *pattern, unsigned by, GError **err);

/** trace_clear() - Disable the events that @by enabled. */
void trace_clear(unsigned by);

/**
 * trace_events_from() - Apply the patterns of a file of at most 64 KiB.
 * @path: a file with one pattern in each line; empty lines and lines that begin with '#' are
 * skipped
 *
 * Return: false, with @err naming the file, if it cannot be read or a pattern matches no event.
 */
bool trace_events_from(const char *path, GError **err);

/** trace_to_file() - Write to a file, which is created or truncated, instead of the log. */
bool trace_to_file(const char *path, GError **err);

/** trace_help() - Get the help text of -trace: a line with name and description for each event;
 * g_free. */
char *trace_help(void);

#endif
