/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Instructions as text, in the syntax of assemblers without pseudo-instructions, as
 * "objdump -M no-aliases" shows them (tests/isa/disassembly).
 */
#include <stdio.h>
#include <string.h>

#include "target/riscv/csr_internal.h"

/*
 * The operands of each format: d, s and t are rd, rs1 and rs2 as x registers, D, S, T and R rd,
 * rs1, rs2 and rs3 as f registers; i is the immediate, h the same in hexadecimal, j its upper 20
 * bits, p the target of a jump, c the CSR, n the number in the field rs1, r the rounding mode, o
 * the two sets of a fence. F is the operands of a floating-point operation (disas_float()).
 */
static const char *const disas_formats[] = {
    [FMT_NONE] = "",
    [FMT_R] = "d,s,t",
    [FMT_R2] = "d,s",
    [FMT_RQ] = "d,s,t",
    [FMT_RS1] = "(s)",
    [FMT_PF] = "i(s)",
    [FMT_RS12] = "s,t",
    [FMT_I] = "d,s,i",
    [FMT_SH6] = "d,s,h",
    [FMT_SH5] = "d,s,h",
    [FMT_S] = "t,i(s)",
    [FMT_B] = "s,t,p",
    [FMT_U] = "d,j",
    [FMT_J] = "d,p",
    [FMT_CSR] = "d,c,s",
    [FMT_FI] = "D,i(s)",
    [FMT_FS] = "T,i(s)",
    [FMT_FR] = "F",
    [FMT_FRM] = "Fr",
    [FMT_FR4] = "D,S,T,Rr",
    [FMT_CIW] = "d,s,i",
    [FMT_CLW] = "d,i(s)",
    [FMT_CLD] = "d,i(s)",
    [FMT_CSW] = "t,i(s)",
    [FMT_CSD] = "t,i(s)",
    [FMT_CI] = "d,i",
    [FMT_CI_RD] = "d,i",
    [FMT_CLI] = "d,i",
    [FMT_CI16SP] = "d,i",
    [FMT_CLUI] = "d,j",
    [FMT_CB_SH] = "d,h",
    [FMT_CB_IMM] = "d,i",
    [FMT_CA] = "d,t",
    [FMT_CJ] = "p",
    [FMT_CB] = "s,p",
    [FMT_CI_SH] = "d,h",
    [FMT_CI_LDSP] = "d,i(s)",
    [FMT_CI_LWSP] = "d,i(s)",
    [FMT_CI_LDSP_RD] = "d,i(s)",
    [FMT_CR_JR] = "s",
    [FMT_CR_MV] = "d,t",
    [FMT_CR_JALR] = "s",
    [FMT_CR_ADD] = "d,t",
    [FMT_CSS_SD] = "t,i(s)",
    [FMT_CSS_SW] = "t,i(s)",
    [FMT_CZ_BYTE] = "d,i(s)",
    [FMT_CZ_HALF] = "d,i(s)",
    [FMT_CZ_STORE_BYTE] = "t,i(s)",
    [FMT_CZ_STORE_HALF] = "t,i(s)",
    [FMT_CZ_UNARY] = "d",
    [FMT_CZ_ZEXT] = "d",
    [FMT_CZ_NOT] = "d",
};

/* Return the operands of an instruction. Loads, stores of f registers and atomics differ from the
 * others of their formats. */
static const char *disas_format(const Insn *i)
{
    IsaFormat format = isa_rows[i->row].format;

    if (i->len == 2 && (i->op == OP_FLD || i->op == OP_FSD)) {
        return i->op == OP_FLD ? "D,i(s)" : "T,i(s)";
    }
    if (format == FMT_I && ((i->word & 0x7f) == 0x03 || i->op == OP_JALR)) {
        return "d,i(s)";
    }
    if (i->op == OP_FENCE) {
        return "o";
    }
    if (i->op >= OP_CSRRWI && i->op <= OP_CSRRCI) {
        return "d,c,n";
    }
    if (i->op >= OP_AMOADD_W && i->op <= OP_AMOCAS_Q) {
        return i->op == OP_LR_W || i->op == OP_LR_D ? "d,(s)" : "d,t,(s)";
    }
    return disas_formats[format];
}

/* Return true if a field of a name such as "fcvt.w.s" or "fmv.w.x" is an x register. */
static bool disas_is_x(const char *field, bool moves)
{
    return field[1] == 'x' || (!moves && (field[1] == 'w' || field[1] == 'l'));
}

static bool disas_compares(const char *text)
{
    return !strncmp(text, "feq", 3) || !strncmp(text, "flt", 3) || !strncmp(text, "fle", 3) ||
           !strncmp(text, "fclass", 6);
}

/* Return the operands of a floating-point operation; a conversion or move has x registers. */
static const char *disas_float(const Insn *i)
{
    const IsaRow *row = &isa_rows[i->row];
    bool unary = (row->mask & 0x01f00000) == 0x01f00000;
    const char *from = strchr(row->text, '.'), *to = from;

    if (!strncmp(row->text, "fli", 3)) {
        return "D,n";
    }
    if (!strncmp(row->text, "fcvt", 4) || !strncmp(row->text, "fmv", 3)) {
        bool moves = row->text[1] == 'm'; /* w is a field of f registers in fmv.w.x */

        from = strchr(to + 1, '.');
        return disas_is_x(to, moves) ? "d,S" : disas_is_x(from, moves) ? "D,s" : "D,S";
    }
    if (disas_compares(row->text)) {
        return unary ? "d,S" : "d,S,T";
    }
    return unary ? "D,S" : "D,S,T";
}

/* Append text. */
static void disas_put(char *buf, size_t size, const char *text)
{
    size_t used = strlen(buf);

    snprintf(buf + used, size - used, "%s", text);
}

static void disas_number(char *buf, size_t size, bool hex, int64_t value)
{
    g_autofree char *text = hex ? g_strdup_printf("0x%" G_GINT64_MODIFIER "x", (uint64_t)value)
                                : g_strdup_printf("%" G_GINT64_FORMAT, value);

    disas_put(buf, size, text);
}

/* Append the sets of accesses before and after a fence. */
static void disas_fence(uint32_t word, char *buf, size_t size)
{
    static const char letters[] = "iorw";

    for (unsigned shift = 24; shift >= 20; shift -= 4) {
        unsigned set = word >> shift & 15;

        for (unsigned k = 0; k < 4; k++) {
            disas_put(buf, size, set & (8u >> k) ? (const char[]){ letters[k], 0 } : "");
        }
        disas_put(buf, size, set ? "" : "0");
        disas_put(buf, size, shift == 24 ? "," : "");
    }
}

static void disas_csr(unsigned number, char *buf, size_t size)
{
    const CsrRow *row = csr_find(number);
    g_autoptr(GString) name = g_string_new(NULL);

    if (row) {
        csr_append_name(name, row, number - row->number);
    } else {
        g_string_printf(name, "0x%x", number);
    }
    disas_put(buf, size, name->str);
}

static void disas_operand(char kind, const Insn *i, uint64_t pc, char *buf, size_t size)
{
    static const char *const roundings[] = { ",rne", ",rtz", ",rdn", ",rup", ",rmm", "", "", "" };

    switch (kind) {
    case 'd':
        disas_put(buf, size, isa_x_names[i->rd]);
        break;
    case 's':
        disas_put(buf, size, isa_x_names[i->rs1]);
        break;
    case 't':
        disas_put(buf, size, isa_x_names[i->rs2]);
        break;
    case 'D':
        disas_put(buf, size, isa_f_names[i->rd]);
        break;
    case 'S':
        disas_put(buf, size, isa_f_names[i->rs1]);
        break;
    case 'T':
        disas_put(buf, size, isa_f_names[i->rs2]);
        break;
    case 'R':
        disas_put(buf, size, isa_f_names[i->rs3]);
        break;
    case 'i':
        disas_number(buf, size, false, i->imm);
        break;
    case 'j':
        disas_number(buf, size, true, (uint32_t)i->imm >> 12);
        break;
    case 'n':
        disas_number(buf, size, false, i->rs1);
        break;
    case 'p':
        disas_number(buf, size, true, (int64_t)(pc + (uint64_t)(int64_t)i->imm));
        break;
    case 'h':
        disas_number(buf, size, true, i->imm);
        break;
    case 'c':
        disas_csr((unsigned)i->imm, buf, size);
        break;
    case 'o':
        disas_fence(i->word, buf, size);
        break;
    case 'r':
        disas_put(buf, size, roundings[i->rm & 7]);
        break;
    default:
        disas_put(buf, size, (const char[]){ kind, 0 });
        break;
    }
}

static void disas_operands(const char *format, const Insn *i, uint64_t pc, char *buf, size_t size)
{
    for (; *format; format++) {
        if (*format == 'F') {
            disas_operands(disas_float(i), i, pc, buf, size);
        } else {
            disas_operand(*format, i, pc, buf, size);
        }
    }
}

void disassemble(const Insn *i, uint64_t pc, char *buf, size_t size)
{
    static const char *const orders[] = { "", ".rl", ".aq", ".aqrl" };
    const char *format = disas_format(i);

    snprintf(buf, size, "%s", isa_rows[i->row].text);
    if (i->op >= OP_AMOADD_W && i->op <= OP_AMOCAS_Q) {
        disas_put(buf, size, orders[i->word >> 25 & 3]);
    }
    if (*format) {
        disas_put(buf, size, " ");
        disas_operands(format, i, pc, buf, size);
    }
}
