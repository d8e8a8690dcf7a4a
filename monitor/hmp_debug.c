/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands of the human monitor for debugging a guest: the gdb server and address translation.
 */
#include "internal.h"

#include <inttypes.h>
#include <string.h>

#include "hw/core/cpu.h"

#define HMP_MEM_ENTRIES (1u << 22) /* page table entries that info mem visits */
#define HMP_MEM_LINES   8192       /* ranges that info mem shows */
#define HMP_GDB_DEVICE  "tcp:127.0.0.1:1234"

static void hmp_gdbserver(Machine *m, const char *args, GString *out)
{
    const char *device = *args ? args : HMP_GDB_DEVICE;
    g_autoptr(GError) err = NULL;

    if (!monitor_host(m)->gdbserver(m, device, &err)) {
        g_string_append_printf(out, "Error: %s\n", err->message);
    } else if (strcmp(device, "none") == 0) {
        g_string_append(out, "Disabled gdbserver\n");
    } else {
        g_string_append_printf(out, "Waiting for gdb connection on device '%s'\n", device);
    }
}

/* --- info mem --- */

typedef struct HmpMappings {
    GString *out;
    Cpu *cpu;
    CpuMapping range; /* leaves that are contiguous and have equal rights; size 0: none */
    unsigned lines;
} HmpMappings;

static void hmp_show_range(HmpMappings *s)
{
    static const char letters[] = "rwxugad";
    char rights[sizeof(letters)];

    if (s->range.size == 0) {
        return;
    }
    for (unsigned i = 0; i < sizeof(letters); i++) {
        rights[i] = letters[i] && !(s->range.rights >> i & 1) ? '-' : letters[i];
    }
    g_string_append_printf(s->out, "%016" PRIx64 " %016" PRIx64 " %016" PRIx64 " %s\n", s->range.va,
                           s->range.pa, s->range.size, rights);
    s->lines++;
}

static bool hmp_add_mapping(void *opaque, const CpuMapping *map)
{
    HmpMappings *s = opaque;
    CpuMapping *r = &s->range;

    if (r->size > 0 && map->va == r->va + r->size && map->pa == r->pa + r->size &&
        map->rights == r->rights) {
        r->size += map->size;
        return true;
    }
    hmp_show_range(s);
    *r = *map;
    return s->lines < HMP_MEM_LINES;
}

/* Called while every CPU is parked. */
static void hmp_show_mappings(void *opaque)
{
    HmpMappings *s = opaque;
    Cpu *cpu = s->cpu;
    bool complete = true;

    g_string_append(s->out, "vaddr            paddr            size             attr\n"
                            "---------------- ---------------- ---------------- -------\n");
    if (!cpu->type->debug->mappings(cpu, HMP_MEM_ENTRIES, &complete, hmp_add_mapping, s)) {
        g_string_truncate(s->out, 0);
        g_string_append(s->out, "No translation or protection\n");
        return;
    }
    if (s->lines < HMP_MEM_LINES) {
        hmp_show_range(s);
    }
    if (!complete || s->lines >= HMP_MEM_LINES) {
        g_string_append_printf(s->out,
                               "(incomplete: at most %u ranges of %u table entries are shown)\n",
                               HMP_MEM_LINES, HMP_MEM_ENTRIES);
    }
}

static void hmp_info_mem(Machine *m, const char *args, GString *out)
{
    Cpu *cpu = m->cpus->len ? g_ptr_array_index(m->cpus, 0) : NULL;

    if (!cpu || !cpu->type->debug) {
        g_string_append(out, "No CPU available\n");
        return;
    }
    cpus_exclusive(m, hmp_show_mappings, &(HmpMappings){ .out = out, .cpu = cpu });
}

static const HmpCommand hmp_commands[] = {
    { "gdbserver", "[DEVICE]", "wait for gdb on a device (default " HMP_GDB_DEVICE "); none: stop",
      hmp_gdbserver },
    { "info mem", "", "show the virtual memory that the first CPU maps", hmp_info_mem },
};

const HmpTable debug_table = { LIST(hmp_commands) };
