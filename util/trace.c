/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Trace events (contract in util/trace.h).
 */
#include "util/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "util/log.h"
#include "util/suggest.h"
#include "util/error.h"

enum { EVENTS_FILE_MAX = 64 * 1024 };

static const struct {
    const char *name, *doc;
} events[TRACE_EVENTS] = {
    [TRACE_PCI_BAR] = { "pci_bar", "a BAR is mapped, moved or unmapped" },
    [TRACE_PCI_CFG_READ] = { "pci_cfg_read", "the guest reads config space" },
    [TRACE_PCI_CFG_WRITE] = { "pci_cfg_write", "the guest writes config space" },
    [TRACE_PCI_MSI] = { "pci_msi", "a function sends a message-signalled interrupt" },
    [TRACE_PCI_MSIX] = { "pci_msix", "an MSI-X vector becomes pending, or its mask is cleared" },
    [TRACE_PCI_SLOT] = { "pci_slot", "a hot-plug slot processes an event" },
    [TRACE_REG_READ] = { "reg_read", "the guest reads a register described by a table" },
    [TRACE_REG_WRITE] = { "reg_write", "the guest writes a register described by a table" },
    [TRACE_DEVICE_RESET] = { "device_reset", "a device is reset" },
    [TRACE_DEVICE_IRQ] = { "device_irq", "an interrupt input changes its level" },
    [TRACE_VIRTIO_NOTIFY] = { "virtio_notify", "the driver notifies a queue" },
    [TRACE_VIRTIO_STATUS] = { "virtio_status", "the driver writes the device status" },
    [TRACE_RUN_STATE] = { "run_state", "the machine changes its run state" },
    [TRACE_QMP_COMMAND] = { "qmp_command", "a QMP command is executed" },
};

/* One per process, as the header states. */
uint8_t trace_state[TRACE_EVENTS];
static int trace_fd = -1;

const char *trace_name(TraceEvent event)
{
    return events[event].name;
}

void trace_line(TraceEvent event, const char *fmt, ...)
{
    g_autofree char *text = NULL, *line = NULL;
    va_list ap;

    va_start(ap, fmt);
    text = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    if (trace_fd < 0) {
        log_line("%s %s", events[event].name, text);
        return;
    }
    line = g_strdup_printf("%s %s\n", events[event].name, text);
    if (write(trace_fd, line, strlen(line)) < 0) {
        return; /* a full disk must not stop the guest */
    }
}

static const char *trace_name_at(const void *table, size_t i)
{
    return events[i].name;
}

bool trace_set(const char *pattern, unsigned by, GError **err)
{
    bool off = *pattern == '-', any = false;
    const char *glob = pattern + off;
    g_autofree char *hint = NULL;

    for (size_t i = 0; i < TRACE_EVENTS; i++) {
        if (!g_pattern_match_simple(glob, events[i].name)) {
            continue;
        }
        any = true;
        if (off && by) {
            __atomic_store_n(&trace_state[i], 0, __ATOMIC_RELAXED);
        } else if (by) {
            __atomic_or_fetch(&trace_state[i], (uint8_t)by, __ATOMIC_RELAXED);
        }
    }
    if (any) {
        return true;
    }
    hint = suggest_hint_of(glob, trace_name_at, NULL, TRACE_EVENTS);
    return error_set(err, ERROR_USER, "no trace event matches '%s'%s; -trace help lists the events",
                     glob, hint);
}

void trace_clear(unsigned by)
{
    for (size_t i = 0; i < TRACE_EVENTS; i++) {
        __atomic_and_fetch(&trace_state[i], (uint8_t)~by, __ATOMIC_RELAXED);
    }
}

/* A regular file of limited size: a pipe or device could block or have no end. */
static char *trace_read_small_file(const char *path, GError **err)
{
    char *text = g_malloc(EVENTS_FILE_MAX + 1);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t n = fd < 0 ? -1 : read(fd, text, EVENTS_FILE_MAX + 1);

    if (n < 0) {
        error_set(err, ERROR_USER, "trace events file '%s' cannot be read: %s", path,
                  g_strerror(errno));
    } else if (n > EVENTS_FILE_MAX) {
        error_set(err, ERROR_USER, "trace events file '%s' has more than %d bytes", path,
                  EVENTS_FILE_MAX);
        n = -1;
    }
    if (fd >= 0) {
        close(fd);
    }
    if (n < 0) {
        g_clear_pointer(&text, g_free);
    } else {
        text[n] = '\0';
    }
    return text;
}

bool trace_events_from(const char *path, GError **err)
{
    g_autofree char *text = trace_read_small_file(path, err);
    g_auto(GStrv) lines = text ? g_strsplit(text, "\n", -1) : NULL;

    for (size_t i = 0; lines && lines[i]; i++) {
        char *pattern = g_strstrip(lines[i]);

        if (*pattern && *pattern != '#' && !trace_set(pattern, TRACE_BY_USER, err)) {
            g_prefix_error(err, "%s, line %zu: ", path, i + 1);
            return false;
        }
    }
    return lines != NULL;
}

bool trace_to_file(const char *path, GError **err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0644);

    if (fd < 0) {
        return error_set(err, ERROR_USER, "trace file '%s' cannot be written: %s", path,
                         g_strerror(errno));
    }
    if (trace_fd >= 0) {
        close(trace_fd);
    }
    trace_fd = fd;
    return true;
}

char *trace_help(void)
{
    GString *out = g_string_new("Trace events (wildcards * and ? match several):\n");

    for (size_t i = 0; i < TRACE_EVENTS; i++) {
        g_string_append_printf(out, "%-15s %s\n", events[i].name, events[i].doc);
    }
    return g_string_free(out, FALSE);
}
