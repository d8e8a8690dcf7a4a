/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Control and status registers: one table of all registers, for access, saved state, debugging and
 * documentation. An access to a number that is not in the table is an illegal instruction.
 */
#ifndef TARGET_RISCV_CSR_H
#define TARGET_RISCV_CSR_H

#include "target/riscv/hart_internal.h"

enum {
    CSR_CONTEXT = 1 << 0, /* a write may change address translation */
    CSR_IRQ = 1 << 1,     /* a write may enable or end an interrupt */
    CSR_FLUSH = 1 << 2,   /* a write changes the rights of cached translations */
    CSR_FP = 1 << 3,      /* requires mstatus.FS; a write makes it dirty */
    CSR_SAVED = 1 << 4,   /* its field is part of the saved state */
    CSR_PEEK = 1 << 5,    /* a debugger may read it without side effects */
    CSR_STATEEN = 1 << 6, /* mstateen0 controls the access of lower privileges */
};

/* A register. `value` of a write has all bits; `mask` has those that the instruction changes. */
typedef struct CsrRow {
    uint16_t number, count; /* consecutive registers */
    const char *name;
    uint16_t ext, flags;
    uint32_t field; /* offset of a uint64_t in RiscvCpu, used without functions */
    uint64_t wmask; /* legal bits of a write to the field */
    bool (*read)(RiscvCpu *cpu, unsigned n, uint64_t *value);
    bool (*write)(RiscvCpu *cpu, unsigned n, uint64_t value, uint64_t mask);
} CsrRow;

extern const CsrRow csr_rows[];
extern const size_t csr_n_rows;

/* Return the row of a register; NULL: no such register. */
const CsrRow *csr_find(unsigned number);

/* Append the name of register @n of a row. A row of several registers has the name of the first,
 * which ends with its number. */
void csr_append_name(GString *out, const CsrRow *row, unsigned n);

/* The bits of menvcfg that senvcfg has as well. */
#define SENVCFG_BITS (ENVCFG_FIOM | ENVCFG_CBIE | ENVCFG_CBCFE | ENVCFG_CBZE)

/* The operand of a CSR operation in a block: the number, and the position of its row plus one, so
 * that the row is not searched for each time. */
static inline int32_t csr_operand(unsigned number)
{
    const CsrRow *row = csr_find(number);

    return (int32_t)(number | (row ? (unsigned)(row - csr_rows) + 1 : 0) << 12);
}

static inline unsigned csr_operand_number(int32_t operand)
{
    return operand & 0xfff;
}

static inline const CsrRow *csr_operand_row(int32_t operand)
{
    return operand >> 12 ? &csr_rows[(operand >> 12) - 1] : NULL;
}

/* Return the bits of menvcfg that this hart implements. */
uint64_t riscv_menvcfg_legal(const RiscvCpu *cpu);

typedef enum CsrOp { CSR_OP_WRITE, CSR_OP_SET, CSR_OP_CLEAR } CsrOp;

/* Carry out a csrrw, csrrs or csrrc. `read` and `write` are false for the forms that do not read or
 * write. Return false with nothing changed for an illegal instruction. The caller ends its block
 * after a write. */
bool csr_access(RiscvCpu *cpu, unsigned number, CsrOp op, bool read, bool write, uint64_t operand,
                uint64_t *old);
/* Like csr_access(), with the row of the register. */
bool csr_access_row(RiscvCpu *cpu, const CsrRow *row, unsigned number, CsrOp op, bool read,
                    bool write, uint64_t operand, uint64_t *old);

/* pmu.c */
bool csr_read_mhpmevent(RiscvCpu *cpu, unsigned n, uint64_t *v);
bool csr_write_mhpmevent(RiscvCpu *cpu, unsigned n, uint64_t v, uint64_t mask);
bool csr_read_mhpmcounter(RiscvCpu *cpu, unsigned n, uint64_t *v);
bool csr_write_mhpmcounter(RiscvCpu *cpu, unsigned n, uint64_t v, uint64_t mask);
bool csr_read_scountovf(RiscvCpu *cpu, unsigned n, uint64_t *v);

/* trigger.c */
bool csr_write_tselect(RiscvCpu *cpu, unsigned n, uint64_t v, uint64_t mask);
bool csr_read_tdata1(RiscvCpu *cpu, unsigned n, uint64_t *v);
bool csr_write_tdata1(RiscvCpu *cpu, unsigned n, uint64_t v, uint64_t mask);
bool csr_read_tdata2(RiscvCpu *cpu, unsigned n, uint64_t *v);
bool csr_write_tdata2(RiscvCpu *cpu, unsigned n, uint64_t v, uint64_t mask);
bool csr_read_tinfo(RiscvCpu *cpu, unsigned n, uint64_t *v);

/* csr_stateen.c */
/* Return the bits of mstateen n that this hart implements. */
uint64_t riscv_mstateen_legal(const RiscvCpu *cpu, unsigned n);
/* Return true if mstateen0 denies the access to a CSR in the current privilege mode. */
bool csr_stateen_denies(const RiscvCpu *cpu, unsigned number);
bool csr_read_mstateen(RiscvCpu *cpu, unsigned n, uint64_t *v);
bool csr_write_mstateen(RiscvCpu *cpu, unsigned n, uint64_t v, uint64_t mask);
bool csr_read_sstateen(RiscvCpu *cpu, unsigned n, uint64_t *v);
bool csr_write_sstateen(RiscvCpu *cpu, unsigned n, uint64_t v, uint64_t mask);

/* csr_aia.c */
bool csr_read_mireg(RiscvCpu *cpu, unsigned n, uint64_t *v);
bool csr_write_mireg(RiscvCpu *cpu, unsigned n, uint64_t v, uint64_t mask);
bool csr_read_sireg(RiscvCpu *cpu, unsigned n, uint64_t *v);
bool csr_write_sireg(RiscvCpu *cpu, unsigned n, uint64_t v, uint64_t mask);
bool csr_read_mtopei(RiscvCpu *cpu, unsigned n, uint64_t *v);
bool csr_write_mtopei(RiscvCpu *cpu, unsigned n, uint64_t v, uint64_t mask);
bool csr_read_stopei(RiscvCpu *cpu, unsigned n, uint64_t *v);
bool csr_write_stopei(RiscvCpu *cpu, unsigned n, uint64_t v, uint64_t mask);
bool csr_read_mtopi(RiscvCpu *cpu, unsigned n, uint64_t *v);
bool csr_read_stopi(RiscvCpu *cpu, unsigned n, uint64_t *v);

#endif
