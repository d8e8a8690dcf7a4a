/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Debugging of a hart: registers by their numbers in gdb, the target description, breakpoints,
 * watchpoints and single steps (contract in hw/core/cpu_debug.h).
 *
 * A step executes a block that contains one instruction and no breakpoint. CPU_PENDING_DEBUG is
 * pending meanwhile, so that the end of the block leads to rv_debug_service(). A hart that stopped
 * at a watchpoint executes that instruction in the same way before it continues.
 */
#include <string.h>

#include "target/riscv/block_internal.h"
#include "target/riscv/csr_internal.h"

/* Register numbers of gdb for RISC-V. */
enum {
    REG_X0 = 0,
    REG_PC = 32,
    REG_F0 = 33,
    REG_CSR0 = 65, /* plus the number of the CSR */
    REG_PRIV = REG_CSR0 + 4096,
};

/* --- CSRs --- */

bool rv_debug_csr(RiscvCpu *cpu, unsigned number, bool write, uint64_t *value)
{
    uint64_t old;

    cpu->in_debug = true;
    bool ok = csr_access(cpu, number, CSR_OP_WRITE, true, write, *value, &old);
    cpu->in_debug = false;
    if (ok && !write) {
        *value = old;
    }
    return ok;
}

/* fflags, frm and fcsr belong to the description of the floating-point registers. */
static bool debug_csr_is_fp(unsigned number)
{
    return number >= 1 && number <= 3;
}

/* --- target description --- */

static void debug_append_reg(GString *out, const char *name, unsigned bits, const char *type,
                             unsigned number)
{
    g_string_append_printf(out, "<reg name=\"%s\" bitsize=\"%u\" type=\"%s\" regnum=\"%u\"/>\n",
                           name, bits, type, number);
}

static void debug_describe_general(GString *out)
{
    static const struct {
        unsigned x;
        const char *type;
    } pointers[] = { { 1, "code_ptr" },
                     { 2, "data_ptr" },
                     { 3, "data_ptr" },
                     { 4, "data_ptr" },
                     { 8, "data_ptr" } };

    g_string_append(out, "<feature name=\"org.gnu.gdb.riscv.cpu\">\n");
    for (unsigned i = 0; i < 32; i++) {
        const char *type = "int";
        for (unsigned k = 0; k < G_N_ELEMENTS(pointers); k++) {
            type = pointers[k].x == i ? pointers[k].type : type;
        }
        debug_append_reg(out, isa_x_names[i], 64, type, REG_X0 + i);
    }
    debug_append_reg(out, "pc", 64, "code_ptr", REG_PC);
    g_string_append(out, "</feature>\n");
}

static void debug_describe_fp(GString *out)
{
    g_string_append(out, "<feature name=\"org.gnu.gdb.riscv.fpu\">\n"
                         "<union id=\"riscv_double\">\n"
                         "<field name=\"float\" type=\"ieee_single\"/>\n"
                         "<field name=\"double\" type=\"ieee_double\"/>\n"
                         "</union>\n");
    for (unsigned i = 0; i < 32; i++) {
        debug_append_reg(out, isa_f_names[i], 64, "riscv_double", REG_F0 + i);
    }
    debug_append_reg(out, "fflags", 32, "int", REG_CSR0 + 1);
    debug_append_reg(out, "frm", 32, "int", REG_CSR0 + 2);
    debug_append_reg(out, "fcsr", 32, "int", REG_CSR0 + 3);
    g_string_append(out, "</feature>\n");
}

static void debug_describe_csrs(RiscvCpu *cpu, GString *out)
{
    g_string_append(out, "<feature name=\"org.gnu.gdb.riscv.csr\">\n");
    for (size_t i = 0; i < csr_n_rows; i++) {
        const CsrRow *row = &csr_rows[i];

        for (unsigned n = 0; n < row->count; n++) {
            g_autoptr(GString) name = g_string_new(NULL);

            if (has_ext(cpu, row->ext) && !debug_csr_is_fp(row->number)) {
                csr_append_name(name, row, n);
                debug_append_reg(out, name->str, 64, "int", REG_CSR0 + row->number + n);
            }
        }
    }
    g_string_append(out, "</feature>\n");
}

static char *debug_description(Cpu *c)
{
    GString *out = g_string_new("<?xml version=\"1.0\"?>\n"
                                "<!DOCTYPE target SYSTEM \"gdb-target.dtd\">\n"
                                "<target version=\"1.0\">\n"
                                "<architecture>riscv:rv64</architecture>\n");

    debug_describe_general(out);
    debug_describe_fp(out);
    g_string_append(out, "<feature name=\"org.gnu.gdb.riscv.virtual\">\n");
    debug_append_reg(out, "priv", 64, "int", REG_PRIV);
    g_string_append(out, "</feature>\n");
    debug_describe_csrs(riscv_cpu(c), out);
    g_string_append(out, "</target>\n");
    return g_string_free(out, FALSE);
}

/* --- registers --- */

static bool debug_reg_read(Cpu *c, unsigned reg, uint64_t *value, unsigned *bytes)
{
    RiscvCpu *cpu = riscv_cpu(c);

    if (bytes) {
        *bytes = reg >= REG_CSR0 && debug_csr_is_fp(reg - REG_CSR0) ? 4 : 8;
    }
    if (reg < REG_PC) {
        *value = cpu->x[reg - REG_X0];
    } else if (reg == REG_PC) {
        *value = cpu->pc;
    } else if (reg < REG_CSR0) {
        *value = cpu->f[reg - REG_F0];
    } else if (reg == REG_PRIV) {
        *value = cpu->priv;
    } else {
        return reg < REG_PRIV && rv_debug_csr(cpu, reg - REG_CSR0, false, value);
    }
    return true;
}

static bool debug_set_priv(RiscvCpu *cpu, uint64_t value)
{
    if (value != PRIV_U && value != PRIV_S && value != PRIV_M) {
        return false;
    }
    cpu->priv = value;
    mmu_update_contexts(cpu);
    rv_pmu_priv_changed(cpu);
    rv_check_interrupts(cpu);
    return true;
}

static bool debug_reg_write(Cpu *c, unsigned reg, uint64_t value)
{
    RiscvCpu *cpu = riscv_cpu(c);

    if (reg == REG_X0) {
        return true; /* gdb writes all general registers together */
    }
    if (reg < REG_PC) {
        cpu->x[reg - REG_X0] = value;
    } else if (reg == REG_PC) {
        cpu->pc = value & ~UINT64_C(1);
    } else if (reg < REG_CSR0) {
        cpu->f[reg - REG_F0] = value;
        cpu->mstatus |= cpu->mstatus & MSTATUS_FS ? MSTATUS_FS : 0;
    } else if (reg == REG_PRIV) {
        return debug_set_priv(cpu, value);
    } else {
        return reg < REG_PRIV && rv_debug_csr(cpu, reg - REG_CSR0, true, &value);
    }
    return true;
}

/* --- steps --- */

void rv_debug_enter(RiscvCpu *cpu)
{
    cpu->one = false;
    cpu->pass = cpu->pass && cpu->pc == cpu->pass_pc;
    if (cpu->cpu.debug.step || cpu->pass) {
        __atomic_fetch_or(&cpu->cpu.pending, CPU_PENDING_DEBUG, __ATOMIC_SEQ_CST);
    } else {
        cpu_clear_pending(&cpu->cpu, CPU_PENDING_DEBUG);
    }
}

/* The instruction was executed, or a trap or an interrupt was taken instead. */
static bool debug_step_done(RiscvCpu *cpu)
{
    cpu->one = false;
    cpu->pass = false;
    cpu_clear_pending(&cpu->cpu, CPU_PENDING_DEBUG);
    if (cpu->cpu.debug.step) {
        cpu_debug_stop(&cpu->cpu, CPU_STOP_STEP, NULL, 0);
        return false;
    }
    return true;
}

bool rv_debug_service(RiscvCpu *cpu)
{
    const CpuDebug *d = &cpu->cpu.debug;

    if (cpu->one) {
        return debug_step_done(cpu);
    }
    if (d->step && !d->mask_interrupts) {
        rv_update_mip(cpu);
        if (rv_take_interrupt(cpu)) {
            return debug_step_done(cpu);
        }
    }
    cpu->one = true;
    return true;
}

/* --- points --- */

bool rv_debug_break(RiscvCpu *cpu)
{
    const CpuPoints *points = cpu->cpu.machine->points;
    const CpuPoint *p = points && !cpu->one ? cpu_point_at(points, cpu->pc) : NULL;

    if (!p) {
        return rv_trigger_execute(cpu);
    }
    cpu_debug_stop(&cpu->cpu, CPU_STOP_POINT, p, cpu->pc);
    return true;
}

bool rv_debug_watch(RiscvCpu *cpu, uint64_t va, unsigned size, bool read, bool write)
{
    const CpuPoints *points = cpu->cpu.machine->points;
    const CpuPoint *p = points ? cpu_point_watch(points, va, size, read, write) : NULL;

    if (!p || cpu->pass) {
        return rv_trigger_access(cpu, va, size, read, write);
    }
    cpu->one = false;
    cpu->pass = true;
    cpu->pass_pc = cpu->pc;
    cpu_clear_pending(&cpu->cpu, CPU_PENDING_DEBUG);
    cpu_debug_stop(&cpu->cpu, CPU_STOP_POINT, p, MAX(va, p->addr));
    rv_fail(cpu, CAUSE_DEBUG, va);
    return true;
}

/* @point is NULL when the hart is created. */
static void debug_point_changed(Cpu *c, const CpuPoint *point)
{
    RiscvCpu *cpu = riscv_cpu(c);
    const CpuPoints *points = c->machine->points;

    if (point && point->kind <= CPU_POINT_HW_BREAK) {
        rv_blocks_drop_va(cpu, point->addr);
        return;
    }
    cpu->watching = points && cpu_point_watch(points, 0, 0, true, true);
    if (point) {
        mmu_flush(cpu); /* the direct entries of watched pages */
    }
}

static bool debug_mappings(Cpu *c, uint64_t max_entries, bool *complete,
                           bool (*fn)(void *opaque, const CpuMapping *map), void *opaque)
{
    return mmu_mappings(riscv_cpu(c), max_entries, complete, fn, opaque);
}

static unsigned debug_disassemble(Cpu *c, const uint8_t *code, unsigned available, uint64_t pc,
                                  char *buf, size_t size)
{
    unsigned len = available >= 2 ? len_at(code) : 0;
    Insn insn;

    if (len == 0 || len > available) {
        return 0;
    }
    uint32_t word = word_at(code, len);
    if (decode(word, riscv_cpu(c)->features, &insn)) {
        disassemble(&insn, pc, buf, size);
    } else {
        g_snprintf(buf, size, ".%ubyte 0x%x", len, word);
    }
    return len;
}

const CpuDebugOps riscv_debug_ops = {
    .n_general = REG_PC + 1,
    .pc = REG_PC,
    .description = debug_description,
    .read = debug_reg_read,
    .write = debug_reg_write,
    .point_changed = debug_point_changed,
    .mappings = debug_mappings,
    .disassemble = debug_disassemble,
};
