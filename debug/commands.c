/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Packets of the gdb remote protocol: registers, memory, points and resuming (gdb manual, "Remote
 * Protocol", "Packets").
 */
#include "internal.h"

#include <string.h>

#include "debug/memory.h"

/* Bytes of memory in one packet: two digits each, and a header in packets to this server. */
#define GDB_MEMORY_MAX ((GDB_PACKET_MAX - 64) / 2)

void gdb_error(GString *out, unsigned number)
{
    g_string_append_printf(out, "E%02u", number);
}

static void gdb_ok(GdbServer *g)
{
    g_string_append(g->reply, "OK");
}

static bool gdb_take(const char **text, char c)
{
    bool found = **text == c;

    *text += found;
    return found;
}

/* --- threads --- */

bool gdb_thread_parse(const GdbServer *g, const char **text, unsigned any, unsigned *index)
{
    uint64_t thread;

    if (g_str_has_prefix(*text, "-1")) {
        *text += 2;
        *index = any;
        return gdb_cpu(g, any) != NULL;
    }
    if (!gdb_hex_number(text, &thread) || thread > g->m->cpus->len) {
        return false;
    }
    *index = thread ? (unsigned)thread - 1 : any;
    return gdb_cpu(g, *index) != NULL;
}

static bool gdb_set_thread(GdbServer *g, const char *args, size_t len)
{
    unsigned *which = *args == 'g' ? &g->cpu_g : &g->cpu_c, index;
    const char *at = args + 1;

    if ((*args != 'g' && *args != 'c') || !gdb_thread_parse(g, &at, g->cpu_g, &index)) {
        gdb_error(g->reply, GDB_EINVAL);
    } else {
        *which = index;
        gdb_ok(g);
    }
    return true;
}

static bool gdb_thread_alive(GdbServer *g, const char *args, size_t len)
{
    unsigned index;

    if (gdb_thread_parse(g, &args, 0, &index)) {
        gdb_ok(g);
    } else {
        gdb_error(g->reply, GDB_EINVAL);
    }
    return true;
}

/* --- registers --- */

static const CpuDebugOps *gdb_ops(const Cpu *cpu)
{
    return cpu ? cpu->type->debug : NULL;
}

static bool gdb_read_general(GdbServer *g, const char *args, size_t len)
{
    Cpu *cpu = gdb_cpu(g, g->cpu_g);
    const CpuDebugOps *ops = gdb_ops(cpu);

    for (unsigned i = 0; ops && i < ops->n_general; i++) {
        uint64_t value = 0;

        ops->read(cpu, i, &value, NULL);
        gdb_hex_append(g->reply, &value, sizeof(value)); /* little-endian, as the guest */
    }
    if (!ops) {
        gdb_error(g->reply, GDB_EINVAL);
    }
    return true;
}

static bool gdb_write_general(GdbServer *g, const char *args, size_t len)
{
    Cpu *cpu = gdb_cpu(g, g->cpu_g);
    const CpuDebugOps *ops = gdb_ops(cpu);
    uint64_t values[64];

    if (!ops || ops->n_general > G_N_ELEMENTS(values) ||
        !gdb_hex_decode(args, len, (uint8_t *)values, ops->n_general * sizeof(values[0]))) {
        gdb_error(g->reply, GDB_EINVAL);
        return true;
    }
    for (unsigned i = 0; i < ops->n_general; i++) {
        ops->write(cpu, i, values[i]);
    }
    gdb_ok(g);
    return true;
}

static bool gdb_read_register(GdbServer *g, const char *args, size_t len)
{
    Cpu *cpu = gdb_cpu(g, g->cpu_g);
    const CpuDebugOps *ops = gdb_ops(cpu);
    uint64_t reg, value = 0;
    unsigned bytes = 0;

    if (!ops || !gdb_hex_number(&args, &reg) || reg > UINT_MAX ||
        !ops->read(cpu, (unsigned)reg, &value, &bytes)) {
        gdb_error(g->reply, GDB_EFAULT);
    } else {
        gdb_hex_append(g->reply, &value, bytes);
    }
    return true;
}

static bool gdb_write_register(GdbServer *g, const char *args, size_t len)
{
    Cpu *cpu = gdb_cpu(g, g->cpu_g);
    const CpuDebugOps *ops = gdb_ops(cpu);
    uint64_t reg, value = 0;
    size_t bytes;

    if (!ops || !gdb_hex_number(&args, &reg) || reg > UINT_MAX || !gdb_take(&args, '=')) {
        gdb_error(g->reply, GDB_EINVAL);
        return true;
    }
    bytes = MIN(strlen(args) / 2, sizeof(value));
    if (bytes == 0 || !gdb_hex_decode(args, strlen(args), (uint8_t *)&value, bytes) ||
        !ops->write(cpu, (unsigned)reg, value)) {
        gdb_error(g->reply, GDB_EFAULT);
    } else {
        gdb_ok(g);
    }
    return true;
}

/* --- memory --- */

/* Parse "ADDR,LEN". */
static bool gdb_range_parse(const char **args, uint64_t *addr, uint64_t *len)
{
    return gdb_hex_number(args, addr) && gdb_take(args, ',') && gdb_hex_number(args, len);
}

/* The CPU that translates addresses; NULL in physical mode. */
static Cpu *gdb_translator(const GdbServer *g)
{
    return g->physical ? NULL : gdb_cpu(g, g->cpu_g);
}

static bool gdb_read_memory(GdbServer *g, const char *args, size_t len)
{
    uint8_t bytes[GDB_MEMORY_MAX];
    uint64_t addr, n, done;

    if (!gdb_range_parse(&args, &addr, &n) || *args || !gdb_cpu(g, g->cpu_g)) {
        gdb_error(g->reply, GDB_EINVAL);
        return true;
    }
    done = debug_read(g->m, gdb_translator(g), addr, bytes, MIN(n, sizeof(bytes)));
    if (done == 0 && n > 0) {
        gdb_error(g->reply, GDB_EFAULT);
    } else {
        gdb_hex_append(g->reply, bytes, done);
    }
    return true;
}

static void gdb_store(GdbServer *g, uint64_t addr, const uint8_t *bytes, uint64_t n)
{
    if (debug_write(g->m, gdb_translator(g), addr, bytes, n) < n) {
        gdb_error(g->reply, GDB_EFAULT);
    } else {
        gdb_ok(g);
    }
}

static bool gdb_write_memory(GdbServer *g, const char *args, size_t len)
{
    uint8_t bytes[GDB_PACKET_MAX / 2];
    uint64_t addr, n;

    if (!gdb_range_parse(&args, &addr, &n) || !gdb_take(&args, ':') || n > sizeof(bytes) ||
        !gdb_hex_decode(args, strlen(args), bytes, n) || !gdb_cpu(g, g->cpu_g)) {
        gdb_error(g->reply, GDB_EINVAL);
    } else {
        gdb_store(g, addr, bytes, n);
    }
    return true;
}

/* The data of an X packet are binary. */
static bool gdb_write_binary(GdbServer *g, const char *args, size_t len)
{
    const char *begin = args;
    uint64_t addr, n;

    if (!gdb_range_parse(&args, &addr, &n) || !gdb_take(&args, ':') ||
        n != len - (size_t)(args - begin) || !gdb_cpu(g, g->cpu_g)) {
        gdb_error(g->reply, GDB_EINVAL);
    } else {
        gdb_store(g, addr, (const uint8_t *)args, n);
    }
    return true;
}

/* --- points --- */

/* "TYPE,ADDR,LEN" of a Z or z packet. An unknown type has an empty reply, as the protocol demands.
 */
static bool gdb_point(GdbServer *g, const char *args, bool add)
{
    uint64_t kind;
    CpuPoint p;

    if (!gdb_hex_number(&args, &kind) || !gdb_take(&args, ',') ||
        !gdb_range_parse(&args, &p.addr, &p.len)) {
        gdb_error(g->reply, GDB_EINVAL);
        return true;
    }
    if (kind >= CPU_POINT_KINDS) {
        return true;
    }
    p.kind = (CpuPointKind)kind;
    if (add ? !cpu_point_add(g->m, &p) : !cpu_point_remove(g->m, &p)) {
        gdb_error(g->reply, add && g->m->points && g->m->points->n == CPU_POINTS_MAX ? GDB_ENOSPC
                                                                                     : GDB_EINVAL);
    } else {
        gdb_ok(g);
    }
    return true;
}

static bool gdb_point_insert(GdbServer *g, const char *args, size_t len)
{
    return gdb_point(g, args, true);
}

static bool gdb_point_remove(GdbServer *g, const char *args, size_t len)
{
    return gdb_point(g, args, false);
}

/* --- resuming --- */

static bool gdb_run(GdbServer *g, const GdbRun *runs)
{
    if (gdb_resume(g, runs)) {
        return false;
    }
    gdb_error(g->reply, GDB_EACCESS);
    return true;
}

/* c and s: an optional address to continue at. A step runs only the selected CPU. */
static bool gdb_run_at(GdbServer *g, const char *args, bool step)
{
    unsigned n = g->m->cpus->len, chosen = gdb_cpu(g, g->cpu_c) ? g->cpu_c : 0;
    g_autofree GdbRun *runs = g_new0(GdbRun, n + 1);
    const CpuDebugOps *ops = gdb_ops(gdb_cpu(g, chosen));
    bool moved = *args;
    uint64_t addr;

    if (!ops || (moved && (!gdb_hex_number(&args, &addr) || *args))) {
        gdb_error(g->reply, GDB_EINVAL);
        return true;
    }
    if (moved) {
        ops->write(gdb_cpu(g, chosen), ops->pc, addr);
    }
    for (unsigned i = 0; i < n; i++) {
        runs[i] = !step ? GDB_RUN_CONTINUE : i == chosen ? GDB_RUN_STEP : GDB_RUN_HOLD;
    }
    return gdb_run(g, runs);
}

static bool gdb_continue(GdbServer *g, const char *args, size_t len)
{
    return gdb_run_at(g, args, false);
}

static bool gdb_step(GdbServer *g, const char *args, size_t len)
{
    return gdb_run_at(g, args, true);
}

/* C and S: a signal, which a machine does not have, then an optional address after ";". */
static bool gdb_run_signal(GdbServer *g, const char *args, bool step)
{
    uint64_t signal;

    if (!gdb_hex_number(&args, &signal) || (*args && !gdb_take(&args, ';'))) {
        gdb_error(g->reply, GDB_EINVAL);
        return true;
    }
    return gdb_run_at(g, args, step);
}

static bool gdb_continue_signal(GdbServer *g, const char *args, size_t len)
{
    return gdb_run_signal(g, args, false);
}

static bool gdb_step_signal(GdbServer *g, const char *args, size_t len)
{
    return gdb_run_signal(g, args, true);
}

/* Parse an action of vCont, ";ACTION[:THREAD]", and apply it to the CPUs that have none yet. */
static bool gdb_vcont_action(GdbServer *g, const char **args, GdbRun *runs, bool *chosen)
{
    unsigned n = g->m->cpus->len, index = UINT_MAX;
    uint64_t signal;
    GdbRun run;

    if (!gdb_take(args, ';') || !**args || !strchr("cCsS", **args)) {
        return false;
    }
    run = g_ascii_tolower(**args) == 's' ? GDB_RUN_STEP : GDB_RUN_CONTINUE;
    if (g_ascii_isupper(*(*args)++) && !gdb_hex_number(args, &signal)) {
        return false;
    }
    if (gdb_take(args, ':')) {
        if (g_str_has_prefix(*args, "-1")) {
            *args += 2;
        } else if (!gdb_thread_parse(g, args, 0, &index)) {
            return false;
        }
    }
    for (unsigned i = 0; i < n; i++) {
        if (!chosen[i] && (index == UINT_MAX || index == i)) {
            runs[i] = run;
            chosen[i] = true;
        }
    }
    return true;
}

static bool gdb_vcont(GdbServer *g, const char *args, size_t len)
{
    unsigned n = g->m->cpus->len, running = 0;
    g_autofree GdbRun *runs = g_new0(GdbRun, n + 1); /* GDB_RUN_HOLD */
    g_autofree bool *chosen = g_new0(bool, n + 1);

    while (*args) {
        if (!gdb_vcont_action(g, &args, runs, chosen)) {
            gdb_error(g->reply, GDB_EINVAL);
            return true;
        }
    }
    for (unsigned i = 0; i < n; i++) {
        running += runs[i] != GDB_RUN_HOLD;
    }
    if (running == 0) {
        gdb_error(g->reply, GDB_EINVAL);
        return true;
    }
    return gdb_run(g, runs);
}

static bool gdb_vcont_query(GdbServer *g, const char *args, size_t len)
{
    g_string_append(g->reply, "vCont;c;C;s;S");
    return true;
}

/* --- the session --- */

static bool gdb_why_stopped(GdbServer *g, const char *args, size_t len)
{
    gdb_append_stop(g, g->reply);
    return true;
}

/* D: remove all points and let the machine run. */
static bool gdb_detach(GdbServer *g, const char *args, size_t len)
{
    g_autoptr(GError) err = NULL;

    cpu_points_clear(g->m);
    if (!g->host->cont(g->m, &err)) {
        gdb_error(g->reply, GDB_EACCESS);
    } else {
        gdb_ok(g);
    }
    return true;
}

/* k and vKill: end the emulator. k has no reply. */
static bool gdb_kill(GdbServer *g, const char *args, size_t len)
{
    machine_request(g->m, SHUTDOWN_HOST_SIGNAL, 0);
    return false;
}

static bool gdb_vkill(GdbServer *g, const char *args, size_t len)
{
    machine_request(g->m, SHUTDOWN_HOST_SIGNAL, 0);
    gdb_ok(g);
    return true;
}

static bool gdb_vctrlc(GdbServer *g, const char *args, size_t len)
{
    gdb_ok(g); /* the packet itself has stopped the machine */
    return true;
}

static bool gdb_any_query(GdbServer *g, const char *args, size_t len)
{
    gdb_query(g, args - 1, len + 1);
    return true;
}

/* Packets by prefix, the longer prefixes first. Every other packet has an empty reply. */
static const struct {
    const char *prefix;
    bool (*fn)(GdbServer *g, const char *args, size_t len); /* false: no reply now */
} gdb_commands[] = {
    { "vCont?", gdb_vcont_query }, { "vCont", gdb_vcont },
    { "vCtrlC", gdb_vctrlc },      { "vKill", gdb_vkill },
    { "?", gdb_why_stopped },      { "c", gdb_continue },
    { "C", gdb_continue_signal },  { "s", gdb_step },
    { "S", gdb_step_signal },      { "g", gdb_read_general },
    { "G", gdb_write_general },    { "p", gdb_read_register },
    { "P", gdb_write_register },   { "m", gdb_read_memory },
    { "M", gdb_write_memory },     { "X", gdb_write_binary },
    { "Z", gdb_point_insert },     { "z", gdb_point_remove },
    { "H", gdb_set_thread },       { "T", gdb_thread_alive },
    { "D", gdb_detach },           { "k", gdb_kill },
    { "q", gdb_any_query },        { "Q", gdb_any_query },
};

bool gdb_execute(GdbServer *g)
{
    const char *data = g->parser.data;

    for (size_t i = 0; i < G_N_ELEMENTS(gdb_commands); i++) {
        size_t n = strlen(gdb_commands[i].prefix);

        if (strncmp(data, gdb_commands[i].prefix, n) == 0) {
            return gdb_commands[i].fn(g, data + n, g->parser.len - n);
        }
    }
    return true;
}
