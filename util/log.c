/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The -d log and the rate limiter of guest errors.
 */
#include "util/log.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "util/outfile.h"
#include "util/trace.h"
#include "util/error.h"

static const struct {
    const char *name;
    uint32_t bit;
    const char *doc;
} categories[] = {
    { "in_asm", LOG_IN_ASM, "each block of guest code when it is decoded" },
    { "exec", LOG_EXEC, "each instruction executed: pc and encoding" },
    { "cpu", LOG_CPU, "registers before each block" },
    { "int", LOG_INT, "traps and interrupts" },
    { "cpu_reset", LOG_CPU_RESET, "registers before each reset of a CPU" },
    { "mmu", LOG_MMU, "page walks and TLB fills" },
    { "unimp", LOG_UNIMP, "accesses to features that the machine does not implement" },
    { "guest_errors", LOG_GUEST_ERROR, "invalid accesses by the guest" },
    { "trace[:PATTERN]", 0, "trace events, all or those that match; -trace help lists them" },
    { "nochain", 0, "accepted for compatibility: no effect" },
};

/* The log belongs to the process (util/log.h). */
uint32_t log_mask;
static struct {
    GMutex lock;
    int fd; /* 0: stderr */
    uint64_t errors;
    gint64 second;      /* of the burst below */
    unsigned in_second; /* lines tried in that second */
    uint64_t held_back;
    bool timestamp; /* in front of each line, */
    char *guest;    /* and this name */
} state;

static void log_write_all(const char *s, size_t len)
{
    int fd = state.fd ? state.fd : STDERR_FILENO;

    while (len > 0) {
        ssize_t n = write(fd, s, len);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return; /* a full disk or a closed stderr must not stop the guest */
        }
        s += n;
        len -= (size_t)n;
    }
}

void log_set_prefix(bool timestamp, const char *guest)
{
    g_free(state.guest);
    state.guest = g_strdup(guest);
    state.timestamp = timestamp;
}

static void log_put_prefix(GString *line)
{
    if (state.timestamp) {
        g_autoptr(GDateTime) now = g_date_time_new_now_utc();
        g_autofree char *text = g_date_time_format(now, "%Y-%m-%dT%H:%M:%S");

        g_string_append_printf(line, "%s.%06dZ ", text, g_date_time_get_microsecond(now));
    }
    if (state.guest) {
        g_string_append_printf(line, "%s ", state.guest);
    }
}

void message(const char *fmt, ...)
{
    g_autoptr(GString) line = g_string_sized_new(160);
    va_list ap;

    log_put_prefix(line);
    va_start(ap, fmt);
    g_string_append_vprintf(line, fmt, ap);
    va_end(ap);
    g_printerr("%s\n", line->str);
}

void log_line(const char *fmt, ...)
{
    g_autoptr(GString) line = g_string_sized_new(160);
    va_list ap;

    log_put_prefix(line);
    va_start(ap, fmt);
    g_string_append_vprintf(line, fmt, ap);
    va_end(ap);
    if (line->len == 0 || line->str[line->len - 1] != '\n') {
        g_string_append_c(line, '\n');
    }
    g_mutex_lock(&state.lock);
    log_write_all(line->str, line->len);
    g_mutex_unlock(&state.lock);
}

static bool log_category(const char *name, uint32_t *bits)
{
    if (strcmp(name, "all") == 0) {
        *bits = ~0u;
        return true;
    }
    for (size_t i = 0; i < G_N_ELEMENTS(categories); i++) {
        if (strcmp(name, categories[i].name) == 0) {
            *bits = categories[i].bit;
            return true;
        }
    }
    return false;
}

/* The list has been checked. */
static void log_trace_items(char **names)
{
    trace_clear(TRACE_BY_LOG);
    for (char **n = names; *n; n++) {
        bool all = strcmp(*n, "all") == 0 || strcmp(*n, "trace") == 0;

        if (all || g_str_has_prefix(*n, "trace:")) {
            trace_set(all ? "*" : *n + 6, TRACE_BY_LOG, NULL);
        }
    }
}

bool log_set(const char *items, GError **err)
{
    g_auto(GStrv) names = g_strsplit(items, ",", 0);
    uint32_t mask = 0, bits;

    for (char **n = names; *n; n++) {
        if (**n == '\0' || strcmp(*n, "none") == 0) {
            continue;
        }
        if (strcmp(*n, "trace") == 0 || g_str_has_prefix(*n, "trace:")) {
            if (!trace_set((*n)[5] ? *n + 6 : "*", 0, err)) {
                return false;
            }
            continue;
        }
        if (!log_category(*n, &bits)) {
            g_autoptr(GString) list = g_string_new(NULL);

            for (size_t i = 0; i < G_N_ELEMENTS(categories); i++) {
                g_string_append_printf(list, "%s, ", categories[i].name);
            }
            return error_set(err, ERROR_USER, "unknown log category '%s': use %sall or none", *n,
                             list->str);
        }
        mask |= bits;
    }
    __atomic_store_n(&log_mask, mask, __ATOMIC_RELAXED);
    log_trace_items(names);
    return true;
}

bool log_item(size_t i, const char **name)
{
    if (i < G_N_ELEMENTS(categories)) {
        *name = categories[i].name;
    }
    return i < G_N_ELEMENTS(categories);
}

bool log_to_file(const char *path, GError **err)
{
    int fd = out_log_open(path, false, 0644);

    if (fd < 0) {
        return error_set_errno(err, errno, "log file '%s' cannot be written", path);
    }
    g_mutex_lock(&state.lock);
    if (state.fd > 0) {
        close(state.fd);
    }
    state.fd = fd;
    g_mutex_unlock(&state.lock);
    return true;
}

char *log_help(void)
{
    g_autoptr(GString) out = g_string_new("Log categories (comma separated):\n");

    for (size_t i = 0; i < G_N_ELEMENTS(categories); i++) {
        g_string_append_printf(out, "%-15s %s\n", categories[i].name, categories[i].doc);
    }
    return g_string_free(g_steal_pointer(&out), FALSE);
}

/* Return whether this error may be written. *missed is the number of earlier ones that were not. */
static bool log_admit_message(uint64_t *missed)
{
    gint64 second = g_get_monotonic_time() / G_USEC_PER_SEC;
    bool yes;

    g_mutex_lock(&state.lock);
    __atomic_add_fetch(&state.errors, 1, __ATOMIC_RELAXED);
    *missed = 0;
    if (second != state.second) {
        state.second = second;
        state.in_second = 0;
        *missed = state.held_back;
        state.held_back = 0;
    }
    yes = state.in_second < GUEST_ERROR_BURST;
    if (yes) {
        state.in_second++;
    } else {
        state.held_back++;
    }
    g_mutex_unlock(&state.lock);
    return yes;
}

void guest_error(const char *who, const char *fmt, ...)
{
    g_autofree char *text = NULL;
    uint64_t missed;
    va_list ap;

    if (!log_on(LOG_GUEST_ERROR)) {
        __atomic_add_fetch(&state.errors, 1, __ATOMIC_RELAXED);
        return;
    }
    if (!log_admit_message(&missed)) {
        return;
    }
    va_start(ap, fmt);
    text = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    if (missed) {
        log_line("guest error: %" G_GUINT64_FORMAT " more were not logged", missed);
    }
    log_line("guest error: %s: %s", who, text);
}

uint64_t guest_error_count(void)
{
    return __atomic_load_n(&state.errors, __ATOMIC_RELAXED);
}
