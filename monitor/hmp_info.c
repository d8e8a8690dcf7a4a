/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands of the human monitor that show memory, CPUs, interrupts and clocks, and evaluate
 * expressions.
 */
#include "hmp_expr_internal.h"
#include "internal.h"

#include <inttypes.h>
#include <string.h>

#include "debug/memory.h"
#include "hw/core/clock.h"
#include "hw/core/cpu.h"
#include "util/log.h"

#define HMP_DUMP_MAX 65536 /* values that one xp command shows */

static const char *hmp_region_kind(const MemRegion *r)
{
    static const char *const names[] = {
        [MEM_CONTAINER] = "container",
        [MEM_WINDOW] = "window",
        [MEM_RAM] = "ram",
        [MEM_MMIO] = "i/o",
    };

    if (r->kind != MEM_RAM || !r->ram || !r->ram->read_only) {
        return names[r->kind];
    }
    return r->ram->device_stores ? "romd" : "rom";
}

static void hmp_show_region(void *opaque, const MemRegion *r, uint64_t addr, unsigned depth)
{
    uint64_t last = r->size == 0 ? addr : addr + r->size - 1;

    if (r->size == UINT64_MAX) {
        last = UINT64_MAX;
    }
    g_string_append_printf(opaque, "%*s%016" PRIx64 "-%016" PRIx64 " (prio %d, %s): %s\n",
                           depth * 2 + 2, "", addr, last, r->priority, hmp_region_kind(r), r->name);
}

static void hmp_info_mtree(Machine *m, const char *args, GString *out)
{
    g_string_append(out, "address-space: memory\n");
    mem_visit(&m->memory, hmp_show_region, out);
    g_string_append(out, "\naddress-space: I/O\n");
    mem_visit(&m->io, hmp_show_region, out);
}

#define HMP_REGISTERS 512

/* Read the registers of a parked CPU. Return their number. */
static size_t hmp_read_registers(Cpu *cpu, CpuReg regs[HMP_REGISTERS])
{
    return cpu->type->registers ? MIN(cpu->type->registers(cpu, regs, HMP_REGISTERS), HMP_REGISTERS)
                                : 0;
}

static void hmp_show_registers(const Cpu *cpu, GString *out)
{
    CpuReg regs[HMP_REGISTERS];
    size_t n = hmp_read_registers((Cpu *)cpu, regs);

    g_string_append_printf(out, "\nCPU#%u\n", cpu->index);
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

static void hmp_show_cpus(void *opaque)
{
    CpuWalk *w = opaque;

    for (guint i = 0; i < w->m->cpus->len && (w->all || i == 0); i++) {
        hmp_show_registers(w->m->cpus->pdata[i], w->out);
    }
}

/* Call a function while every CPU is parked. */
static void hmp_while_parked(Machine *m, void (*fn)(void *opaque), void *opaque)
{
    if (m->qtest || !machine_running(m)) {
        fn(opaque);
    } else {
        cpus_exclusive(m, fn, opaque);
    }
}

static void hmp_info_registers(Machine *m, const char *args, GString *out)
{
    CpuWalk w = { m, out, strcmp(args, "-a") == 0 };

    hmp_while_parked(m, hmp_show_cpus, &w);
}

/* A register of the first CPU, by its name in info registers. */
typedef struct HmpLookup {
    Machine *m;
    const char *name;
    uint64_t value;
    bool found;
} HmpLookup;

static void hmp_find_register(void *opaque)
{
    HmpLookup *l = opaque;
    CpuReg regs[HMP_REGISTERS];
    size_t n = l->m->cpus->len ? hmp_read_registers(g_ptr_array_index(l->m->cpus, 0), regs) : 0;

    for (size_t i = 0; i < n && !l->found; i++) {
        l->found = strcmp(regs[i].name, l->name) == 0;
        l->value = regs[i].value;
    }
}

/* An HmpRegister of a Machine. */
static bool hmp_register(void *opaque, const char *name, uint64_t *value)
{
    HmpLookup l = { .m = opaque, .name = name };

    hmp_while_parked(l.m, hmp_find_register, &l);
    *value = l.value;
    return l.found;
}

static bool hmp_show_pins(void *opaque, Device *dev)
{
    for (unsigned i = 0; i < dev->n_irq_in; i++) {
        if (dev->irq_in[i].level) {
            g_string_append_printf(opaque, "%s: input %u is high\n", dev->path, i);
        }
    }
    return true;
}

static void hmp_info_irq(Machine *m, const char *args, GString *out)
{
    gsize before = out->len;

    device_visit(m->root, hmp_show_pins, out);
    if (out->len == before) {
        g_string_append(out, "no interrupt input is high\n");
    }
}

static void hmp_info_ramblock(Machine *m, const char *args, GString *out)
{
    for (guint i = 0; i < m->ram_blocks->len; i++) {
        const RamBlock *b = m->ram_blocks->pdata[i];

        g_string_append_printf(out, "%-32s %" PRIu64 " bytes\n", b->id, b->size);
    }
}

static void hmp_info_clocks(Machine *m, const char *args, GString *out)
{
    g_string_append_printf(out, "virtual %" PRIi64 " ns\nhost %" PRIi64 " ns\n",
                           clock_now_any(m, CLOCK_KIND_VIRTUAL), clock_now_any(m, CLOCK_KIND_HOST));
}

static void hmp_info_guest_errors(Machine *m, const char *args, GString *out)
{
    g_string_append_printf(out, "%" PRIu64 "\n", guest_error_count());
}

static void hmp_info_jit(Machine *m, const char *args, GString *out)
{
    for (unsigned i = 0; i < m->cpus->len; i++) {
        const Cpu *cpu = g_ptr_array_index(m->cpus, i);

        if (cpu->type->describe_execution) {
            cpu->type->describe_execution(cpu, out);
        }
    }
}

static void hmp_log(Machine *m, const char *args, GString *out)
{
    g_autoptr(GError) err = NULL;

    if (!log_set(args, &err)) {
        g_string_append_printf(out, "Error: %s\n", err->message);
    }
}

/* --- print and xp --- */

static void hmp_usage_error(GString *out, const char *command, const GError *err)
{
    g_string_append_printf(out, "%s: %s\nTry \"help %s\" for more information\n", command,
                           err->message, command);
}

static void hmp_print(Machine *m, const char *args, GString *out)
{
    HmpFormat format = { .count = 1, .conversion = 'x', .size = 8 };
    g_autoptr(GError) err = NULL;
    uint64_t value;

    if (!hmp_format_parse(&args, &format, &err) ||
        !hmp_expr_eval(args, hmp_register, m, &value, &err)) {
        hmp_usage_error(out, "print", err);
        return;
    }
    hmp_format_value(out, format.conversion, value, 0, sizeof(value));
    g_string_append_c(out, '\n');
}

/* Return the columns of a value of f->size bytes. The values of a line are aligned. */
static int hmp_dump_width(const HmpFormat *f)
{
    int bits = (int)f->size * 8;

    switch (f->conversion) {
    case 'x':
        return bits / 4;
    case 'o':
        return (bits + 2) / 3;
    case 'c':
        return 0;
    default:
        return (bits * 10 + 32) / 33; /* at least the decimal digits of 2^bits */
    }
}

/* x or xp. */
typedef struct HmpDump {
    Machine *m;
    Cpu *cpu; /* translates the addresses; NULL: they are physical */
    HmpFormat f;
    uint64_t addr;
    GString *out;
} HmpDump;

/* Read a value. Physical addresses without memory read as their bus does. */
static bool hmp_dump_read(const HmpDump *d, uint64_t addr, uint64_t *value)
{
    *value = 0;
    if (!d->cpu) {
        mem_read(&d->m->memory, addr, d->f.size, value);
        return true;
    }
    return debug_read(d->m, d->cpu, addr, value, d->f.size) == d->f.size;
}

/* Virtual addresses require that every CPU is parked. */
static void hmp_dump_values(void *opaque)
{
    const HmpDump *d = opaque;
    uint64_t per_line = d->f.size == 1 ? 8 : 16 / d->f.size, addr = d->addr, value;

    for (uint64_t i = 0; i < d->f.count; i++, addr += d->f.size) {
        if (i % per_line == 0) {
            g_string_append_printf(d->out, "%s%016" PRIx64 ":", i ? "\n" : "", addr);
        }
        if (!hmp_dump_read(d, addr, &value)) {
            g_string_append(d->out, " Cannot access memory");
            break;
        }
        g_string_append_c(d->out, ' ');
        hmp_format_value(d->out, d->f.conversion, value, hmp_dump_width(&d->f), d->f.size);
    }
    g_string_append(d->out, d->f.count ? "\n" : "");
}

/* Read `len` bytes of code; the bytes after an unmapped page are not read. Return the number read.
 */
static unsigned hmp_code_read(const HmpDump *d, uint64_t addr, uint8_t *code, unsigned len)
{
    return (unsigned)debug_read(d->m, d->cpu, addr, code, len);
}

/* Append a line with the columns of QEMU: address, bytes, name, operands. */
static void hmp_insn_append(GString *out, uint64_t addr, const uint8_t *code, unsigned len,
                            const char *text)
{
    g_auto(GStrv) words = g_strsplit(text, " ", 2);

    g_string_append_printf(out, "0x%016" PRIx64 ":  ", addr);
    for (unsigned k = len; k-- > 0;) {
        g_string_append_printf(out, "%02x", code[k]);
    }
    g_string_append_printf(out, "%*s", 18 - 2 * (int)len, "");
    g_string_append_printf(out, words[1] ? "%-24s%s\n" : "%s\n", words[0], words[1]);
}

/* Show instructions. Every CPU is parked. */
static void hmp_dump_code(void *opaque)
{
    const HmpDump *d = opaque;
    Cpu *cpu = d->cpu ? d->cpu : g_ptr_array_index(d->m->cpus, 0);
    uint64_t addr = d->addr;

    for (uint64_t i = 0; i < d->f.count; i++) {
        uint8_t code[CPU_INSN_MAX] = { 0 };
        char text[96];
        unsigned have = hmp_code_read(d, addr, code, 2), len;

        have += have == 2 ? hmp_code_read(d, addr + 2, code + 2, 2) : 0;
        len = cpu->type->debug->disassemble(cpu, code, have, addr, text, sizeof(text));
        if (len == 0) {
            g_string_append_printf(d->out, "0x%016" PRIx64 ": Cannot access memory\n", addr);
            break;
        }
        hmp_insn_append(d->out, addr, code, len, text);
        addr += len;
    }
}

/* Return the CPU for instructions; NULL, with a message: there is none. */
static bool hmp_dump_has_code(const HmpDump *d)
{
    const Cpu *cpu = d->m->cpus->len ? g_ptr_array_index(d->m->cpus, 0) : NULL;

    if (!cpu || !cpu->type->debug || !cpu->type->debug->disassemble) {
        g_string_append(d->out, "No CPU available\n");
        return false;
    }
    return true;
}

static bool hmp_dump_parse(HmpDump *d, const char *name, const char *args)
{
    g_autoptr(GError) err = NULL;

    d->f = (HmpFormat){ .count = 1, .conversion = 'x', .size = 4 };
    if (!hmp_format_parse(&args, &d->f, &err) ||
        !hmp_expr_eval(args, hmp_register, d->m, &d->addr, &err)) {
        hmp_usage_error(d->out, name, err);
        return false;
    }
    if (d->f.count > HMP_DUMP_MAX) {
        g_string_append_printf(
            d->out, "%s: accepted are the formats x, d, u, o, c and i and up to %d values\n", name,
            HMP_DUMP_MAX);
        return false;
    }
    d->f.size = d->f.conversion == 'c' ? 1 : d->f.size;
    return true;
}

static void hmp_xp(Machine *m, const char *args, GString *out)
{
    HmpDump d = { .m = m, .out = out };

    if (!hmp_dump_parse(&d, "xp", args)) {
        return;
    }
    if (d.f.conversion != 'i') {
        hmp_dump_values(&d);
    } else if (hmp_dump_has_code(&d)) {
        cpus_exclusive(m, hmp_dump_code, &d);
    }
}

static void hmp_x_virtual(Machine *m, const char *args, GString *out)
{
    HmpDump d = { .m = m, .out = out };

    if (m->cpus->len == 0) {
        g_string_append(out, "No CPU available\n");
    } else if (hmp_dump_parse(&d, "x", args)) {
        d.cpu = g_ptr_array_index(m->cpus, 0);
        if (d.f.conversion != 'i') {
            cpus_exclusive(m, hmp_dump_values, &d);
        } else if (hmp_dump_has_code(&d)) {
            cpus_exclusive(m, hmp_dump_code, &d);
        }
    }
}

static const HmpCommand hmp_commands[] = {
    { "info mtree", "", "show the address map", hmp_info_mtree },
    { "info registers", "[-a]", "show the registers of the first or of all CPUs",
      hmp_info_registers },
    { "info irq", "", "show interrupt inputs that are high", hmp_info_irq },
    { "info ramblock", "", "show the blocks of guest RAM", hmp_info_ramblock },
    { "info clocks", "", "show the clocks", hmp_info_clocks },
    { "info jit", "", "show how CPUs execute guest code, and the use of translated code",
      hmp_info_jit },
    { "info guest-errors", "", "show how many guest errors were counted", hmp_info_guest_errors },
    { "log", "ITEM[,...]", "log to stderr or the file of -D; none: stop", hmp_log },
    { "print|p", "/FORMAT EXPRESSION", "show the value of an expression, such as $pc+4",
      hmp_print },
    { "x", "/FORMAT ADDRESS", "show virtual memory, as the first CPU translates it",
      hmp_x_virtual },
    { "xp", "/FORMAT ADDRESS", "show guest physical memory", hmp_xp },
};

const HmpTable info_table = { LIST(hmp_commands) };
