/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the human monitor shows of memory, CPUs and interrupts.
 */
#include "internal.h"

#include <inttypes.h>
#include <string.h>

#include "hw/core/clock.h"
#include "hw/core/cpu.h"
#include "util/log.h"

static const char *region_kind(const MemRegion *r)
{
    static const char *const names[] = {
        [MEM_CONTAINER] = "container",
        [MEM_WINDOW] = "window",
        [MEM_RAM] = "ram",
        [MEM_MMIO] = "i/o",
    };

    return r->kind == MEM_RAM && r->ram && r->ram->read_only ? "rom" : names[r->kind];
}

static void show_region(void *opaque, const MemRegion *r, uint64_t addr, unsigned depth)
{
    uint64_t last = r->size == 0 ? addr : addr + r->size - 1;

    if (r->size == UINT64_MAX) {
        last = UINT64_MAX;
    }
    g_string_append_printf(opaque, "%*s%016" PRIx64 "-%016" PRIx64 " (prio %d, %s): %s\n",
                           depth * 2 + 2, "", addr, last, r->priority, region_kind(r), r->name);
}

static void hmp_mtree(Machine *m, const char *args, GString *out)
{
    g_string_append(out, "address-space: memory\n");
    mem_visit(&m->memory, show_region, out);
    g_string_append(out, "\naddress-space: I/O\n");
    mem_visit(&m->io, show_region, out);
}

static void show_registers(const Cpu *cpu, GString *out)
{
    CpuReg regs[512];
    size_t n;

    g_string_append_printf(out, "\nCPU#%u\n", cpu->index);
    if (!cpu->type->registers) {
        return;
    }
    n = MIN(cpu->type->registers((Cpu *)cpu, regs, G_N_ELEMENTS(regs)), G_N_ELEMENTS(regs));
    for (size_t i = 0; i < n; i++) {
        g_string_append_printf(out, " %-12s %016" PRIx64 "%s", regs[i].name, regs[i].value,
                               i % 4 == 3 || i + 1 == n ? "\n" : "");
    }
}

typedef struct CpuWalk {
    Machine *m;
    GString *out;
    bool all;
} CpuWalk;

static void show_cpus(void *opaque)
{
    CpuWalk *w = opaque;

    for (guint i = 0; i < w->m->cpus->len && (w->all || i == 0); i++) {
        show_registers(w->m->cpus->pdata[i], w->out);
    }
}

static void hmp_registers(Machine *m, const char *args, GString *out)
{
    CpuWalk w = { m, out, strcmp(args, "-a") == 0 };

    if (m->qtest || !machine_running(m)) {
        show_cpus(&w);
    } else {
        cpus_exclusive(m, show_cpus, &w);
    }
}

static bool show_pins(void *opaque, Device *dev)
{
    for (unsigned i = 0; i < dev->n_irq_in; i++) {
        if (dev->irq_in[i].level) {
            g_string_append_printf(opaque, "%s: input %u is high\n", dev->path, i);
        }
    }
    return true;
}

static void hmp_irq(Machine *m, const char *args, GString *out)
{
    gsize before = out->len;

    device_visit(m->root, show_pins, out);
    if (out->len == before) {
        g_string_append(out, "no interrupt input is high\n");
    }
}

static void hmp_ramblock(Machine *m, const char *args, GString *out)
{
    for (guint i = 0; i < m->ram_blocks->len; i++) {
        const RamBlock *b = m->ram_blocks->pdata[i];

        g_string_append_printf(out, "%-32s %" PRIu64 " bytes\n", b->id, b->size);
    }
}

static void hmp_clocks(Machine *m, const char *args, GString *out)
{
    g_string_append_printf(out, "virtual %" PRIi64 " ns\nhost %" PRIi64 " ns\n",
                           clock_now_any(m, CLOCK_KIND_VIRTUAL), clock_now_any(m, CLOCK_KIND_HOST));
}

static void hmp_guest_errors(Machine *m, const char *args, GString *out)
{
    g_string_append_printf(out, "%" PRIu64 "\n", guest_error_count());
}

static void hmp_log(Machine *m, const char *args, GString *out)
{
    g_autoptr(GError) err = NULL;

    if (!log_set(args, &err)) {
        g_string_append_printf(out, "Error: %s\n", err->message);
    }
}

/* "/COUNT[FORMAT][SIZE] ADDR": x d u and b h w g. False when it is not that. */
static bool parse_dump(const char *args, uint64_t *count, unsigned *size, uint64_t *addr)
{
    char *end;

    *count = 1;
    *size = 4;
    if (*args == '/') {
        *count = g_ascii_strtoull(args + 1, &end, 10);
        for (; *end && *end != ' '; end++) {
            const char *sizes = "bhw.g", *at = strchr(sizes, *end);

            if (at) {
                *size = *end == 'g' ? 8 : 1u << (at - sizes);
            } else if (!strchr("xduoc", *end)) {
                return false;
            }
        }
        args = end;
        *count = *count ? *count : 1;
    }
    *addr = g_ascii_strtoull(args, &end, 0);
    return end != args && *end == '\0' && *count <= 65536;
}

static void hmp_xp(Machine *m, const char *args, GString *out)
{
    uint64_t count, addr;
    unsigned size, per_line;

    if (!parse_dump(args, &count, &size, &addr)) {
        g_string_append(out, "Error: use xp /COUNT[x][b|h|w|g] ADDRESS\n");
        return;
    }
    per_line = 16 / size;
    for (uint64_t i = 0; i < count; i++, addr += size) {
        uint64_t value = 0;

        if (i % per_line == 0) {
            g_string_append_printf(out, "%s%016" PRIx64 ":", i ? "\n" : "", addr);
        }
        mem_read(&m->memory, addr, size, &value);
        g_string_append_printf(out, " 0x%0*" PRIx64, size * 2, value);
    }
    g_string_append_c(out, '\n');
}

static const HmpCommand hmp_commands[] = {
    { "info mtree", "", "show the address map", hmp_mtree },
    { "info registers", "[-a]", "show the registers of the first or of all CPUs", hmp_registers },
    { "info irq", "", "show interrupt inputs that are high", hmp_irq },
    { "info ramblock", "", "show the blocks of guest RAM", hmp_ramblock },
    { "info clocks", "", "show the clocks", hmp_clocks },
    { "info guest-errors", "", "show how many guest errors were counted", hmp_guest_errors },
    { "log", "ITEM[,...]", "log to stderr or the file of -D; none: stop", hmp_log },
    { "xp", "/FORMAT ADDRESS", "show guest physical memory", hmp_xp },
};

const CommandTable info_table = { .hmp = hmp_commands, .n_hmp = G_N_ELEMENTS(hmp_commands) };
