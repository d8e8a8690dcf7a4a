/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Control and status registers: one table of all that exist, which access, saving, debugging
 * and documentation share. A number not in it raises an illegal instruction.
 */
#ifndef TARGET_RISCV_CSR_H
#define TARGET_RISCV_CSR_H

#include "target/riscv/hart_internal.h"

enum {
    CSR_CONTEXT = 1 << 0, /* a write may change what addresses mean */
    CSR_IRQ = 1 << 1,     /* a write may enable or end an interrupt */
    CSR_FLUSH = 1 << 2,   /* a write changes rights of cached translations */
    CSR_FP = 1 << 3,      /* needs mstatus.FS; a write makes it dirty */
    CSR_SAVED = 1 << 4,   /* its field is part of the saved state */
    CSR_PEEK = 1 << 5,    /* a debugger may read it without side effects */
};

/* `value` of a write has all bits; `mask` tells those that the instruction touches. */
typedef struct CsrRow {
    uint16_t number, count; /* consecutive registers */
    const char *name;
    uint16_t ext, flags;
    uint32_t field; /* offset of a uint64_t in RiscvCpu, when there are no functions */
    uint64_t wmask; /* legal bits of a write to the field */
    bool (*read)(RiscvCpu *cpu, unsigned n, uint64_t *value);
    bool (*write)(RiscvCpu *cpu, unsigned n, uint64_t value, uint64_t mask);
} CsrRow;

extern const CsrRow csr_rows[];
extern const size_t csr_n_rows;

/* NULL: no such register. */
const CsrRow *csr_find(unsigned number);

/* The bits of menvcfg that this hart has. */
uint64_t riscv_menvcfg_legal(const RiscvCpu *cpu);

typedef enum CsrOp { CSR_OP_WRITE, CSR_OP_SET, CSR_OP_CLEAR } CsrOp;

/* One csrrw/csrrs/csrrc. `read` and `write` false for the forms that do not. False: illegal
 * instruction; nothing changed. The caller ends its block after a write. */
bool csr_access(RiscvCpu *cpu, unsigned number, CsrOp op, bool read, bool write, uint64_t operand,
                uint64_t *old);

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
