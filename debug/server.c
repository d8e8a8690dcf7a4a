/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The gdb server: its connection, the acknowledgement of packets, and stop replies (contract in
 * debug/gdb.h).
 */
#include "internal.h"

#include <string.h>

#include "util/error.h"
#include "util/log.h"

#define GDB_BAD_MAX                                                                                \
    16 /* packets with a wrong checksum in a row until the client is disconnected                  \
        */
#define GDB_FLUSH_MS 100

/* --- output --- */

static void gdb_write(GdbServer *g, const char *text, size_t len)
{
    /* A client that does not read its replies is disconnected. */
    if (chardev_write(g->c, text, len) < len) {
        g->closing = true;
    }
}

void gdb_send(GdbServer *g, const char *data, size_t len)
{
    if (g->packet) {
        g_string_free(g->packet, TRUE);
    }
    g->packet = gdb_packet_new(data, len);
    gdb_write(g, g->packet->str, g->packet->len);
}

/* --- stop replies --- */

/* Signals of the gdb remote protocol by run state. */
static unsigned gdb_signal(RunState state)
{
    static const uint8_t signals[RUN_STATES] = {
        [RUN_PRELAUNCH] = 5,       /* SIGTRAP */
        [RUN_DEBUG] = 5,           /* SIGTRAP */
        [RUN_PAUSED] = 2,          /* SIGINT */
        [RUN_SHUTDOWN] = 3,        /* SIGQUIT */
        [RUN_INTERNAL_ERROR] = 6,  /* SIGABRT */
        [RUN_GUEST_PANICKED] = 6,  /* SIGABRT */
        [RUN_WATCHDOG] = 14,       /* SIGALRM */
        [RUN_IO_ERROR] = 23,       /* SIGIO */
        [RUN_FINISH_MIGRATE] = 24, /* SIGXCPU */
        [RUN_POSTMIGRATE] = 24,
    };

    return signals[state];
}

static void gdb_append_reason(const GdbServer *g, const Cpu *cpu, GString *out)
{
    static const char *const watch[] = {
        [CPU_POINT_WRITE] = "watch", [CPU_POINT_READ] = "rwatch", [CPU_POINT_ACCESS] = "awatch"
    };
    const CpuDebug *d = &cpu->debug;

    if (d->stop != CPU_STOP_POINT) {
        return;
    }
    if (d->point == CPU_POINT_BREAK && g->swbreak) {
        g_string_append(out, "swbreak:;");
    } else if (d->point == CPU_POINT_HW_BREAK && g->hwbreak) {
        g_string_append(out, "hwbreak:;");
    } else if (d->point >= CPU_POINT_WRITE) {
        g_string_append_printf(out, "%s:%" G_GINT64_MODIFIER "x;", watch[d->point], d->addr);
    }
}

Cpu *gdb_cpu(const GdbServer *g, unsigned index)
{
    return index < g->m->cpus->len ? g_ptr_array_index(g->m->cpus, index) : NULL;
}

/* Select the CPU that stopped for the debugger, if any. */
static void gdb_select_stopped(GdbServer *g)
{
    const Cpu *cpu;

    for (unsigned i = 0; g->m->state == RUN_DEBUG && (cpu = gdb_cpu(g, i)); i++) {
        if (cpu->debug.stop != CPU_STOP_NONE) {
            g->cpu_g = g->cpu_c = i;
            return;
        }
    }
}

void gdb_append_stop(GdbServer *g, GString *out)
{
    const Cpu *cpu;

    gdb_select_stopped(g);
    cpu = gdb_cpu(g, g->cpu_g);
    g_string_append_printf(out, "T%02xthread:%02x;", gdb_signal(g->m->state), g->cpu_g + 1);
    if (cpu && g->m->state == RUN_DEBUG) {
        gdb_append_reason(g, cpu, out);
    }
}

static gboolean gdb_report(gpointer opaque)
{
    GdbServer *g = opaque;
    g_autoptr(GString) out = NULL;

    g->report_source = 0;
    if (g->awaited && g->connected && !machine_running(g->m)) {
        g->awaited = false;
        out = g_string_new(NULL);
        gdb_append_stop(g, out);
        gdb_send(g, out->str, out->len);
    }
    return G_SOURCE_REMOVE;
}

/* A reply is due when the machine no longer runs, except between the passes of a migration. The
 * main loop sends it, after the CPUs have parked. */
void gdb_run_state_changed(Machine *m)
{
    GdbServer *g = m->gdb;

    if (!g || machine_running(m) || m->state == RUN_FINISH_MIGRATE) {
        return;
    }
    for (unsigned i = 0; i < m->cpus->len; i++) {
        Cpu *cpu = gdb_cpu(g, i);

        cpu->debug.hold = cpu->debug.step = false;
    }
    if (g->awaited && !g->report_source) {
        g->report_source = g_idle_add_full(G_PRIORITY_HIGH, gdb_report, g, NULL);
    }
}

/* Stop the machine, as a client that sends Ctrl-C expects. */
static void gdb_interrupt(GdbServer *g)
{
    if (machine_running(g->m)) {
        machine_set_state(g->m, RUN_PAUSED);
    }
}

bool gdb_resume(GdbServer *g, const GdbRun *runs)
{
    g_autoptr(GError) err = NULL;

    for (unsigned i = 0; i < g->m->cpus->len; i++) {
        CpuDebug *d = &gdb_cpu(g, i)->debug;

        d->hold = runs[i] == GDB_RUN_HOLD;
        d->step = runs[i] == GDB_RUN_STEP;
        d->mask_interrupts = g->step_flags & GDB_STEP_NOIRQ;
    }
    g->awaited = true;
    if (!g->host->cont(g->m, &err) || !machine_running(g->m)) {
        g->awaited = false;
        log_line("gdb: the machine cannot continue: %s", err ? err->message : "it is not running");
        return false;
    }
    return true;
}

/* --- input --- */

static void gdb_acknowledge(GdbServer *g, char c)
{
    if (!g->no_ack) {
        gdb_write(g, &c, 1);
    }
}

/* A machine that runs although the client does not wait was started by another client. */
static void gdb_on_packet(GdbServer *g)
{
    gdb_acknowledge(g, '+');
    g->bad = 0;
    if (machine_running(g->m)) {
        gdb_interrupt(g);
        gdb_report(g);
    }
    g_string_truncate(g->reply, 0);
    g->busy = true;
    if (gdb_execute(g)) {
        gdb_send(g, g->reply->str, g->reply->len);
    }
    g->busy = false;
}

static void gdb_on_byte(GdbServer *g, uint8_t byte)
{
    switch (gdb_parser_feed(&g->parser, byte)) {
    case GDB_INPUT_MORE:
    case GDB_INPUT_ACK:
        break;
    case GDB_INPUT_PACKET:
        gdb_on_packet(g);
        break;
    case GDB_INPUT_NACK:
        if (g->packet && !g->no_ack) {
            gdb_write(g, g->packet->str, g->packet->len);
        }
        break;
    case GDB_INPUT_BREAK:
        gdb_interrupt(g);
        break;
    case GDB_INPUT_BAD_SUM:
        gdb_acknowledge(g, '-');
        g->closing = ++g->bad >= GDB_BAD_MAX;
        break;
    case GDB_INPUT_INVALID:
        /* The bytes of another protocol may contain packets by intent: a web page can send a
         * request to a local port. */
        g->closing = true;
        break;
    }
}

static void gdb_on_input(void *opaque, const uint8_t *buf, size_t len)
{
    GdbServer *g = opaque;

    for (size_t i = 0; i < len && !g->closing; i++) {
        gdb_on_byte(g, buf[i]);
    }
    if (g->closing) {
        g->closing = false;
        log_line("gdb: the client on %s sent data that are not packets, or read no replies",
                 chardev_describe(g->c));
        chardev_disconnect(g->c);
    }
}

/* --- connections --- */

static void gdb_forget_connection(GdbServer *g)
{
    g->connected = g->no_ack = g->physical = g->awaited = false;
    g->swbreak = g->hwbreak = false;
    g->bad = 0;
    g->cpu_g = g->cpu_c = g->thread_next = 0;
    g->step_flags = GDB_STEP_ALL;
    g->parser.state = GDB_PARSER_IDLE;
    g_clear_pointer(&g->description, g_free);
    if (g->packet) {
        g_string_free(g_steal_pointer(&g->packet), TRUE);
    }
    cpu_points_clear(g->m);
}

static void gdb_on_event(void *opaque, ChardevEvent event)
{
    GdbServer *g = opaque;

    switch (event) {
    case CHARDEV_OPENED:
        gdb_forget_connection(g);
        g->connected = true;
        gdb_interrupt(g);
        break;
    case CHARDEV_CLOSED:
        gdb_forget_connection(g);
        break;
    case CHARDEV_BREAK:
        gdb_interrupt(g);
        break;
    default:
        break;
    }
}

bool gdb_start(Machine *m, Chardev *c, const GdbHost *host, GError **err)
{
    GdbServer *g = g_new0(GdbServer, 1);

    g_assert(!m->gdb);
    g->m = m;
    g->c = c;
    g->host = host;
    g->step_flags = GDB_STEP_ALL;
    g->reply = g_string_new(NULL);
    g->front = (ChardevFront){ .read = gdb_on_input, .event = gdb_on_event, .opaque = g };
    m->gdb = g;
    if (!chardev_attach(c, &g->front, err)) {
        m->gdb = NULL;
        g_string_free(g->reply, TRUE);
        g_free(g);
        return false;
    }
    return true;
}

void gdb_stop(Machine *m, int exit_status)
{
    GdbServer *g = m->gdb;

    if (!g) {
        return;
    }
    if (g->connected) {
        g_autofree char *text = g_strdup_printf("W%02x", exit_status & 0xff);

        gdb_send(g, text, strlen(text));
        chardev_flush(g->c, GDB_FLUSH_MS);
    }
    chardev_detach(g->c, &g->front);
    gdb_forget_connection(g);
    if (g->report_source) {
        g_source_remove(g->report_source);
    }
    g_string_free(g->reply, TRUE);
    g_free(g);
    m->gdb = NULL;
}

bool gdb_is_busy(const Machine *m)
{
    return m->gdb && m->gdb->busy;
}
