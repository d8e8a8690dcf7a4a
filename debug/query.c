/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Query and set packets of the gdb remote protocol (gdb manual, "General Query Packets"), and those
 * that QEMU adds (qemu.PhyMemMode, qemu.sstep).
 */
#include "internal.h"

#include <string.h>

#define GDB_ECHO 'O' /* prefix of console output */

static void gdb_append(GdbServer *g, const char *text)
{
    g_string_append(g->reply, text);
}

/* --- features --- */

static void gdb_supported(GdbServer *g, const char *args)
{
    g_auto(GStrv) features = g_strsplit(args, ";", 64);

    g->swbreak = g_strv_contains((const char *const *)features, "swbreak+");
    g->hwbreak = g_strv_contains((const char *const *)features, "hwbreak+");
    g_string_append_printf(g->reply,
                           "PacketSize=%x;QStartNoAckMode+;vContSupported+;qXfer:features:read+;"
                           "qXfer:threads:read+;swbreak+;hwbreak+",
                           GDB_PACKET_MAX);
}

static void gdb_no_ack(GdbServer *g, const char *args)
{
    g->no_ack = true;
    gdb_append(g, "OK");
}

static void gdb_attached(GdbServer *g, const char *args)
{
    gdb_append(g, "1");
}

/* --- objects --- */

/* Append the part "OFFSET,LEN" of an object: "m" and data, or "l" and the last data. */
static void gdb_append_part(GdbServer *g, const char *range, const char *object)
{
    uint64_t offset, len, size = strlen(object);

    if (!gdb_hex_number(&range, &offset) || *range != ',') {
        gdb_error(g->reply, GDB_EINVAL);
        return;
    }
    range++;
    if (!gdb_hex_number(&range, &len) || *range || offset > size) {
        gdb_error(g->reply, GDB_EINVAL);
        return;
    }
    len = MIN(MIN(len, size - offset), GDB_PACKET_MAX / 2);
    g_string_append_c(g->reply, offset + len < size ? 'm' : 'l');
    g_string_append_len(g->reply, object + offset, (gssize)len);
}

static void gdb_features(GdbServer *g, const char *args)
{
    Cpu *cpu = gdb_cpu(g, g->cpu_g);

    if (!cpu || !cpu->type->debug || !g_str_has_prefix(args, "target.xml:")) {
        gdb_append(g, "E00"); /* the annex does not exist */
        return;
    }
    if (!g->description) {
        g->description = cpu->type->debug->description(cpu);
    }
    gdb_append_part(g, args + strlen("target.xml:"), g->description);
}

static const char *gdb_thread_state(const Cpu *cpu)
{
    return __atomic_load_n(&cpu->halted, __ATOMIC_RELAXED) ? "halted" : "running";
}

static void gdb_threads(GdbServer *g, const char *args)
{
    g_autoptr(GString) xml = g_string_new("<?xml version=\"1.0\"?>\n<threads>\n");

    for (unsigned i = 0; gdb_cpu(g, i); i++) {
        g_string_append_printf(xml, "<thread id=\"%x\" core=\"%u\" name=\"CPU#%u\">%s</thread>\n",
                               i + 1, i, i, gdb_thread_state(gdb_cpu(g, i)));
    }
    g_string_append(xml, "</threads>\n");
    gdb_append_part(g, args, xml->str);
}

/* --- threads --- */

/* As many threads as fit into a packet. */
static void gdb_thread_list(GdbServer *g)
{
    if (!gdb_cpu(g, g->thread_next)) {
        gdb_append(g, "l");
        return;
    }
    for (char mark = 'm'; gdb_cpu(g, g->thread_next) && g->reply->len < GDB_PACKET_MAX - 16;
         mark = ',') {
        g_string_append_printf(g->reply, "%c%02x", mark, ++g->thread_next);
    }
}

static void gdb_threads_first(GdbServer *g, const char *args)
{
    g->thread_next = 0;
    gdb_thread_list(g);
}

static void gdb_threads_next(GdbServer *g, const char *args)
{
    gdb_thread_list(g);
}

static void gdb_thread_info(GdbServer *g, const char *args)
{
    g_autofree char *text = NULL;
    unsigned index;

    if (!gdb_thread_parse(g, &args, 0, &index)) {
        gdb_error(g->reply, GDB_EINVAL);
        return;
    }
    text = g_strdup_printf("CPU#%u [%s]", index, gdb_thread_state(gdb_cpu(g, index)));
    gdb_hex_append(g->reply, text, strlen(text));
}

static void gdb_current_thread(GdbServer *g, const char *args)
{
    g_string_append_printf(g->reply, "QC%02x", g->cpu_g + 1);
}

/* --- monitor commands --- */

/* Send the output in packets of console output, before the reply. */
static void gdb_console(GdbServer *g, const char *text)
{
    size_t len = strlen(text), n;

    for (; len > 0; text += n, len -= n) {
        g_autoptr(GString) packet = g_string_new(NULL);

        n = MIN(len, (GDB_PACKET_MAX - 1) / 2);
        g_string_append_c(packet, GDB_ECHO);
        gdb_hex_append(packet, text, n);
        gdb_send(g, packet->str, packet->len);
    }
}

static void gdb_command(GdbServer *g, const char *args)
{
    size_t n = strlen(args) / 2;
    g_autofree char *line = g_malloc0(n + 1), *output = NULL;

    if (!gdb_hex_decode(args, strlen(args), (uint8_t *)line, n) ||
        !g_utf8_validate(line, -1, NULL)) {
        gdb_error(g->reply, GDB_EINVAL);
        return;
    }
    output = g->host->command(g->m, line);
    gdb_console(g, output);
    gdb_append(g, "OK");
}

/* --- packets of QEMU --- */

static void gdb_qemu_supported(GdbServer *g, const char *args)
{
    gdb_append(g, "sstepbits;sstep;PhyMemMode");
}

static void gdb_step_bits(GdbServer *g, const char *args)
{
    g_string_append_printf(g->reply, "ENABLE=%x,NOIRQ=%x", GDB_STEP_ENABLE, GDB_STEP_NOIRQ);
}

static void gdb_step_flags(GdbServer *g, const char *args)
{
    g_string_append_printf(g->reply, "0x%x", g->step_flags);
}

static void gdb_set_step_flags(GdbServer *g, const char *args)
{
    uint64_t flags;

    if (!gdb_hex_number(&args, &flags) || *args || (flags & ~(uint64_t)GDB_STEP_ALL) ||
        !(flags & GDB_STEP_ENABLE)) {
        gdb_error(g->reply, GDB_EINVAL);
        return;
    }
    g->step_flags = (unsigned)flags;
    gdb_append(g, "OK");
}

static void gdb_physical(GdbServer *g, const char *args)
{
    gdb_append(g, g->physical ? "1" : "0");
}

static void gdb_set_physical(GdbServer *g, const char *args)
{
    uint64_t on;

    if (!gdb_hex_number(&args, &on) || *args || on > 1) {
        gdb_error(g->reply, GDB_EINVAL);
        return;
    }
    g->physical = on;
    gdb_append(g, "OK");
}

/* The text after the prefix is the argument; a row without a final ":" or "," has none. */
static const struct {
    const char *prefix;
    void (*fn)(GdbServer *g, const char *args);
} gdb_queries[] = {
    { "qSupported:", gdb_supported },
    { "qSupported", gdb_supported },
    { "QStartNoAckMode", gdb_no_ack },
    { "qAttached", gdb_attached },
    { "qXfer:features:read:", gdb_features },
    { "qXfer:threads:read::", gdb_threads },
    { "qfThreadInfo", gdb_threads_first },
    { "qsThreadInfo", gdb_threads_next },
    { "qThreadExtraInfo,", gdb_thread_info },
    { "qC", gdb_current_thread },
    { "qRcmd,", gdb_command },
    { "qqemu.Supported", gdb_qemu_supported },
    { "qqemu.sstepbits", gdb_step_bits },
    { "qqemu.sstep", gdb_step_flags },
    { "Qqemu.sstep:", gdb_set_step_flags },
    { "Qqemu.sstep=", gdb_set_step_flags },
    { "qqemu.PhyMemMode", gdb_physical },
    { "Qqemu.PhyMemMode:", gdb_set_physical },
};

void gdb_query(GdbServer *g, const char *packet, size_t len)
{
    for (size_t i = 0; i < G_N_ELEMENTS(gdb_queries); i++) {
        size_t n = strlen(gdb_queries[i].prefix);
        bool has_args = strchr(":,=", gdb_queries[i].prefix[n - 1]) != NULL;

        if (strncmp(packet, gdb_queries[i].prefix, n) == 0 &&
            (has_args || !packet[n] || packet[n] == ':')) {
            gdb_queries[i].fn(g, packet + n);
            return;
        }
    }
}
