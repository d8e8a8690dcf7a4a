/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of control and status registers and access through it (privileged ISA, chapter
 * "Control and Status Registers").
 */
#include <string.h>

#include "target/riscv/csr_internal.h"

#include <stddef.h>

#include "util/log.h"

#define MSTATUS_WRITE                                                                              \
    (MSTATUS_SIE | MSTATUS_MIE | MSTATUS_SPIE | MSTATUS_MPIE | MSTATUS_SPP | MSTATUS_MPP |         \
     MSTATUS_FS | MSTATUS_MPRV | MSTATUS_SUM | MSTATUS_MXR | MSTATUS_TVM | MSTATUS_TW |            \
     MSTATUS_TSR)
#define SSTATUS_WRITE                                                                              \
    (MSTATUS_SIE | MSTATUS_SPIE | MSTATUS_SPP | MSTATUS_FS | MSTATUS_SUM | MSTATUS_MXR)
#define SSTATUS_READ (SSTATUS_WRITE | MSTATUS_UXL | MSTATUS_SD)
#define COUNTER_CY   1u
#define COUNTER_TM   2u
#define COUNTER_IR   4u
#define COUNTERS_ALL (COUNTER_CY | COUNTER_TM | COUNTER_IR)

static uint64_t csr_merge(uint64_t old, uint64_t value, uint64_t mask)
{
    return (old & ~mask) | (value & mask);
}

/* --- floating point --- */

static bool read_fflags(RiscvCpu *cpu, unsigned n, uint64_t *v)
{
    *v = cpu->fflags;
    return true;
}

static bool write_fflags(RiscvCpu *cpu, unsigned n, uint64_t v, uint64_t mask)
{
    cpu->fflags = v & 0x1f;
    return true;
}

static bool read_frm(RiscvCpu *cpu, unsigned n, uint64_t *v)
{
    *v = cpu->frm;
    return true;
}

static bool write_frm(RiscvCpu *cpu, unsigned n, uint64_t v, uint64_t mask)
{
    cpu->frm = v & 7;
    return true;
}

static bool read_fcsr(RiscvCpu *cpu, unsigned n, uint64_t *v)
{
    *v = cpu->fflags | cpu->frm << 5;
    return true;
}

static bool write_fcsr(RiscvCpu *cpu, unsigned n, uint64_t v, uint64_t mask)
{
    cpu->fflags = v & 0x1f;
    cpu->frm = v >> 5 & 7;
    return true;
}

/* --- status --- */

/* Return the bits of mstatus that can be written: FS is zero without floating point. */
static uint64_t status_writable(const RiscvCpu *cpu, uint64_t mask)
{
    return has_ext(cpu, EXT_F) ? mask : mask & ~MSTATUS_FS;
}

static uint64_t status_read(const RiscvCpu *cpu)
{
    uint64_t s = cpu->mstatus | MSTATUS_UXL | MSTATUS_SXL;
    return (s & MSTATUS_FS) == MSTATUS_FS ? s | MSTATUS_SD : s;
}

static bool read_mstatus(RiscvCpu *cpu, unsigned n, uint64_t *v)
{
    *v = status_read(cpu);
    return true;
}

static bool write_mstatus(RiscvCpu *cpu, unsigned n, uint64_t v, uint64_t mask)
{
    uint64_t s = csr_merge(cpu->mstatus, v, status_writable(cpu, MSTATUS_WRITE));

    if ((s & MSTATUS_MPP) >> 11 == 2) {
        s = csr_merge(s, cpu->mstatus, MSTATUS_MPP);
    }
    cpu->mstatus = s;
    return true;
}

static bool read_sstatus(RiscvCpu *cpu, unsigned n, uint64_t *v)
{
    *v = status_read(cpu) & SSTATUS_READ;
    return true;
}

static bool write_sstatus(RiscvCpu *cpu, unsigned n, uint64_t v, uint64_t mask)
{
    cpu->mstatus = csr_merge(cpu->mstatus, v, status_writable(cpu, SSTATUS_WRITE));
    return true;
}

static bool read_misa(RiscvCpu *cpu, unsigned n, uint64_t *v)
{
    static const struct {
        char letter;
        IsaExt ext;
    } letters[] = { { 'I', EXT_I }, { 'M', EXT_M }, { 'A', EXT_A },
                    { 'F', EXT_F }, { 'D', EXT_D }, { 'C', EXT_C } };

    *v = UINT64_C(2) << 62 | 1u << ('S' - 'A') | 1u << ('U' - 'A');
    for (unsigned i = 0; i < G_N_ELEMENTS(letters); i++) {
        *v |= has_ext(cpu, letters[i].ext) ? 1u << (letters[i].letter - 'A') : 0;
    }
    return true;
}

/* Ignore a write: misa, and the counters of a machine without a PMU, have only one legal value. */
static bool write_ignored(RiscvCpu *cpu, unsigned n, uint64_t v, uint64_t mask)
{
    return true;
}

static bool csr_read_zero(RiscvCpu *cpu, unsigned n, uint64_t *v)
{
    *v = 0;
    return true;
}

static bool read_mhartid(RiscvCpu *cpu, unsigned n, uint64_t *v)
{
    *v = cpu->cpu.index;
    return true;
}

/* --- interrupts --- */

/* Return the interrupts that can be delegated to S-mode. */
static uint64_t csr_s_interrupts(const RiscvCpu *cpu)
{
    return MIP_S_ALL | (has_ext(cpu, EXT_SSCOFPMF) ? MIP(LCOFI) : 0);
}

static bool write_mideleg(RiscvCpu *cpu, unsigned n, uint64_t v, uint64_t mask)
{
    cpu->mideleg = v & csr_s_interrupts(cpu);
    return true;
}

static bool write_mie(RiscvCpu *cpu, unsigned n, uint64_t v, uint64_t mask)
{
    cpu->mie = v & (csr_s_interrupts(cpu) | MIP_M_ALL);
    return true;
}

static bool read_mip(RiscvCpu *cpu, unsigned n, uint64_t *v)
{
    rv_update_mip(cpu);
    *v = rv_mip(cpu);
    return true;
}

static void set_soft(RiscvCpu *cpu, uint64_t v, uint64_t mask)
{
    cpu->mip_soft = csr_merge(cpu->mip_soft, v, mask);
    /* The write also clears a software interrupt that an input raised. */
    __atomic_fetch_and(&cpu->mip_in, ~(mask & ~v & MIP(SSI)), __ATOMIC_SEQ_CST);
    rv_update_mip(cpu);
}

static bool write_mip(RiscvCpu *cpu, unsigned n, uint64_t v, uint64_t mask)
{
    uint64_t legal = csr_s_interrupts(cpu) & ~(cpu->menvcfg & ENVCFG_STCE ? MIP(STI) : 0);
    set_soft(cpu, v, mask & legal);
    return true;
}

static bool read_mvip(RiscvCpu *cpu, unsigned n, uint64_t *v)
{
    *v = cpu->mip_soft & (MIP(SSI) | MIP(SEI) | (cpu->menvcfg & ENVCFG_STCE ? 0 : MIP(STI)));
    return true;
}

/* mvip has no bit LCOFIP, so a write keeps it. */
static bool write_mvip(RiscvCpu *cpu, unsigned n, uint64_t v, uint64_t mask)
{
    return write_mip(cpu, n, v, mask & MIP_S_ALL);
}

static bool read_sip(RiscvCpu *cpu, unsigned n, uint64_t *v)
{
    rv_update_mip(cpu);
    *v = rv_mip(cpu) & cpu->mideleg;
    return true;
}

static bool write_sip(RiscvCpu *cpu, unsigned n, uint64_t v, uint64_t mask)
{
    set_soft(cpu, v, mask & cpu->mideleg & (MIP(SSI) | MIP(LCOFI)));
    return true;
}

static bool read_sie(RiscvCpu *cpu, unsigned n, uint64_t *v)
{
    *v = cpu->mie & cpu->mideleg;
    return true;
}

static bool write_sie(RiscvCpu *cpu, unsigned n, uint64_t v, uint64_t mask)
{
    cpu->mie = csr_merge(cpu->mie, v, cpu->mideleg);
    return true;
}

/* --- address translation and environment --- */

static bool tvm_denies(const RiscvCpu *cpu)
{
    return cpu->priv == PRIV_S && (cpu->mstatus & MSTATUS_TVM) && !cpu->in_debug;
}

static bool read_satp(RiscvCpu *cpu, unsigned n, uint64_t *v)
{
    *v = cpu->satp;
    return !tvm_denies(cpu);
}

static bool write_satp(RiscvCpu *cpu, unsigned n, uint64_t v, uint64_t mask)
{
    unsigned mode = SATP_MODE(v);

    if (tvm_denies(cpu)) {
        return false;
    }
    if (mode == SATP_BARE || mode == SATP_SV39 || (mode == SATP_SV48 && has_ext(cpu, EXT_SV48))) {
        cpu->satp = v;
    }
    return true;
}

uint64_t riscv_menvcfg_legal(const RiscvCpu *cpu)
{
    uint64_t legal = ENVCFG_FIOM;

    legal |= has_ext(cpu, EXT_ZICBOZ) ? ENVCFG_CBZE : 0;
    legal |= has_ext(cpu, EXT_ZICBOM) ? ENVCFG_CBIE | ENVCFG_CBCFE : 0;
    legal |= has_ext(cpu, EXT_SVADU) ? ENVCFG_ADUE : 0;
    legal |= has_ext(cpu, EXT_SVPBMT) ? ENVCFG_PBMTE : 0;
    legal |= has_ext(cpu, EXT_SSTC) ? ENVCFG_STCE : 0;
    return legal;
}

/* Return the value of a write to menvcfg or senvcfg. The value 2 of CBIE is reserved: it keeps the
 * field. */
static uint64_t envcfg_write(uint64_t old, uint64_t v, uint64_t legal)
{
    if ((v & ENVCFG_CBIE) == (UINT64_C(2) << 4)) {
        v = csr_merge(v, old, ENVCFG_CBIE);
    }
    return v & legal;
}

static bool write_menvcfg(RiscvCpu *cpu, unsigned n, uint64_t v, uint64_t mask)
{
    cpu->menvcfg = envcfg_write(cpu->menvcfg, v, riscv_menvcfg_legal(cpu));
    rv_timer_update(cpu);
    return true;
}

static bool write_senvcfg(RiscvCpu *cpu, unsigned n, uint64_t v, uint64_t mask)
{
    cpu->senvcfg = envcfg_write(cpu->senvcfg, v, riscv_menvcfg_legal(cpu) & SENVCFG_BITS);
    return true;
}

/* --- counters --- */

static bool counter_allowed(const RiscvCpu *cpu, unsigned bit)
{
    if (cpu->priv == PRIV_M || cpu->in_debug) {
        return true;
    }
    if (!(cpu->mcounteren >> bit & 1)) {
        return false;
    }
    return cpu->priv == PRIV_S || (cpu->scounteren >> bit & 1);
}

static uint64_t counter_source(const RiscvCpu *cpu, unsigned bit)
{
    return bit == 0 ? rv_cycle(cpu) : cpu->retired;
}

static uint64_t counter_value(const RiscvCpu *cpu, unsigned bit)
{
    uint64_t base = bit == 0 ? cpu->cycle_base : cpu->instret_base;
    return cpu->mcountinhibit >> bit & 1 ? base : base + counter_source(cpu, bit);
}

static void counter_set(RiscvCpu *cpu, unsigned bit, uint64_t v)
{
    uint64_t *base = bit == 0 ? &cpu->cycle_base : &cpu->instret_base;
    *base = cpu->mcountinhibit >> bit & 1 ? v : v - counter_source(cpu, bit);
}

static bool read_counter(RiscvCpu *cpu, unsigned n, uint64_t *v)
{
    unsigned bit = n & 31;

    if (bit == 1) {
        *v = rv_time(cpu);
    } else {
        *v = bit > 2 ? rv_pmu_read(cpu, bit) : counter_value(cpu, bit);
    }
    return counter_allowed(cpu, bit);
}

static bool read_mcounter(RiscvCpu *cpu, unsigned n, uint64_t *v)
{
    *v = counter_value(cpu, n & 31);
    return true;
}

static bool write_mcounter(RiscvCpu *cpu, unsigned n, uint64_t v, uint64_t mask)
{
    counter_set(cpu, n & 31, v);
    return true;
}

static bool write_mcountinhibit(RiscvCpu *cpu, unsigned n, uint64_t v, uint64_t mask)
{
    uint64_t cycle = counter_value(cpu, 0), instret = counter_value(cpu, 2);

    rv_pmu_set_inhibit(cpu, v & (COUNTER_CY | COUNTER_IR | cpu->pmu_mask));
    counter_set(cpu, 0, cycle);
    counter_set(cpu, 2, instret);
    return true;
}

static bool write_mcounteren(RiscvCpu *cpu, unsigned n, uint64_t v, uint64_t mask)
{
    cpu->mcounteren = v & (COUNTERS_ALL | cpu->pmu_mask);
    return true;
}

static bool write_scounteren(RiscvCpu *cpu, unsigned n, uint64_t v, uint64_t mask)
{
    cpu->scounteren = v & (COUNTERS_ALL | cpu->pmu_mask);
    return true;
}

static bool stimecmp_allowed(const RiscvCpu *cpu)
{
    return cpu->priv == PRIV_M || cpu->in_debug ||
           ((cpu->menvcfg & ENVCFG_STCE) && (cpu->mcounteren & COUNTER_TM));
}

static bool read_stimecmp(RiscvCpu *cpu, unsigned n, uint64_t *v)
{
    *v = cpu->stimecmp;
    return stimecmp_allowed(cpu);
}

static bool write_stimecmp(RiscvCpu *cpu, unsigned n, uint64_t v, uint64_t mask)
{
    if (!stimecmp_allowed(cpu)) {
        return false;
    }
    cpu->stimecmp = v;
    rv_timer_update(cpu);
    return true;
}

/* --- physical memory protection --- */

static bool read_pmpcfg(RiscvCpu *cpu, unsigned n, uint64_t *v)
{
    *v = cpu->pmpcfg[(n & 15) / 2];
    return true;
}

static bool write_pmpcfg(RiscvCpu *cpu, unsigned n, uint64_t v, uint64_t mask)
{
    unsigned reg = (n & 15) / 2;

    cpu->pmpcfg[reg] = pmp_cfg_write(cpu->pmpcfg, reg, v);
    pmp_compile(&cpu->pmp, cpu->pmpcfg, cpu->pmpaddr);
    return true;
}

static bool read_pmpaddr(RiscvCpu *cpu, unsigned n, uint64_t *v)
{
    *v = cpu->pmpaddr[n - 0x3b0];
    return true;
}

static bool write_pmpaddr(RiscvCpu *cpu, unsigned n, uint64_t v, uint64_t mask)
{
    unsigned i = n - 0x3b0;

    cpu->pmpaddr[i] = pmp_addr_write(cpu->pmpcfg, cpu->pmpaddr, i, v);
    pmp_compile(&cpu->pmp, cpu->pmpcfg, cpu->pmpaddr);
    return true;
}

/* --- the table: ascending numbers --- */

#define FIELD_ROW(number, name, ext, flags, member, wmask)                                         \
    {                                                                                              \
        number, 1, name, EXT_##ext, (flags) | CSR_PEEK, offsetof(RiscvCpu, member), wmask          \
    }
/* A field that is read directly and written by a function. */
#define FIELD_FN_ROW(number, name, ext, flags, member, write)                                      \
    {                                                                                              \
        number, 1, name, EXT_##ext, (flags) | CSR_PEEK, offsetof(RiscvCpu, member), ALL_ONES,      \
            NULL, write                                                                            \
    }
#define FN_ROW(number, count, name, ext, flags, read, write)                                       \
    {                                                                                              \
        number, count, name, EXT_##ext, (flags) | CSR_PEEK, 0, 0, read, write                      \
    }

#define ALL_ONES             UINT64_MAX
#define TVEC_MASK            (~UINT64_C(2))
#define EPC_MASK             (~UINT64_C(1))
#define EXCEPTIONS_DELEGABLE UINT64_C(0xb3ff)

const CsrRow csr_rows[] = {
    FN_ROW(0x001, 1, "fflags", F, CSR_FP, read_fflags, write_fflags),
    FN_ROW(0x002, 1, "frm", F, CSR_FP, read_frm, write_frm),
    FN_ROW(0x003, 1, "fcsr", F, CSR_FP, read_fcsr, write_fcsr),
    FN_ROW(0x100, 1, "sstatus", I, CSR_CONTEXT | CSR_IRQ, read_sstatus, write_sstatus),
    FN_ROW(0x104, 1, "sie", I, CSR_IRQ, read_sie, write_sie),
    FIELD_ROW(0x105, "stvec", I, CSR_SAVED, stvec, TVEC_MASK),
    FIELD_FN_ROW(0x106, "scounteren", I, CSR_SAVED, scounteren, write_scounteren),
    FIELD_FN_ROW(0x10a, "senvcfg", I, CSR_SAVED | CSR_STATEEN, senvcfg, write_senvcfg),
    FN_ROW(0x10c, 4, "sstateen0", SMSTATEEN, CSR_STATEEN, csr_read_sstateen, csr_write_sstateen),
    FIELD_ROW(0x140, "sscratch", I, CSR_SAVED, sscratch, ALL_ONES),
    FIELD_ROW(0x141, "sepc", I, CSR_SAVED, sepc, EPC_MASK),
    FIELD_ROW(0x142, "scause", I, CSR_SAVED, scause, ALL_ONES),
    FIELD_ROW(0x143, "stval", I, CSR_SAVED, stval, ALL_ONES),
    FN_ROW(0x144, 1, "sip", I, CSR_IRQ, read_sip, write_sip),
    FN_ROW(0x14d, 1, "stimecmp", SSTC, CSR_IRQ, read_stimecmp, write_stimecmp),
    FIELD_ROW(0x150, "siselect", SSAIA, CSR_SAVED | CSR_STATEEN, siselect, UINT64_C(0x1ff)),
    FN_ROW(0x151, 1, "sireg", SSAIA, CSR_IRQ | CSR_STATEEN, csr_read_sireg, csr_write_sireg),
    FN_ROW(0x15c, 1, "stopei", SSAIA, CSR_IRQ | CSR_STATEEN, csr_read_stopei, csr_write_stopei),
    FN_ROW(0x180, 1, "satp", I, CSR_CONTEXT, read_satp, write_satp),
    FN_ROW(0x300, 1, "mstatus", I, CSR_CONTEXT | CSR_IRQ, read_mstatus, write_mstatus),
    FN_ROW(0x301, 1, "misa", I, 0, read_misa, write_ignored),
    FIELD_ROW(0x302, "medeleg", I, CSR_SAVED, medeleg, EXCEPTIONS_DELEGABLE),
    FIELD_FN_ROW(0x303, "mideleg", I, CSR_SAVED | CSR_IRQ, mideleg, write_mideleg),
    FIELD_FN_ROW(0x304, "mie", I, CSR_SAVED | CSR_IRQ, mie, write_mie),
    FIELD_ROW(0x305, "mtvec", I, CSR_SAVED, mtvec, TVEC_MASK),
    FIELD_FN_ROW(0x306, "mcounteren", I, CSR_SAVED, mcounteren, write_mcounteren),
    FN_ROW(0x308, 1, "mvien", SMAIA, 0, csr_read_zero, write_ignored),
    FN_ROW(0x309, 1, "mvip", SMAIA, CSR_IRQ, read_mvip, write_mvip),
    FIELD_FN_ROW(0x30a, "menvcfg", I, CSR_SAVED | CSR_FLUSH | CSR_IRQ, menvcfg, write_menvcfg),
    FN_ROW(0x30c, 4, "mstateen0", SMSTATEEN, 0, csr_read_mstateen, csr_write_mstateen),
    FIELD_FN_ROW(0x320, "mcountinhibit", I, CSR_SAVED, mcountinhibit, write_mcountinhibit),
    FN_ROW(0x323, 29, "mhpmevent3", I, CSR_IRQ, csr_read_mhpmevent, csr_write_mhpmevent),
    FIELD_ROW(0x340, "mscratch", I, CSR_SAVED, mscratch, ALL_ONES),
    FIELD_ROW(0x341, "mepc", I, CSR_SAVED, mepc, EPC_MASK),
    FIELD_ROW(0x342, "mcause", I, CSR_SAVED, mcause, ALL_ONES),
    FIELD_ROW(0x343, "mtval", I, CSR_SAVED, mtval, ALL_ONES),
    FN_ROW(0x344, 1, "mip", I, CSR_IRQ, read_mip, write_mip),
    FIELD_ROW(0x350, "miselect", SMAIA, CSR_SAVED, miselect, UINT64_C(0x1ff)),
    FN_ROW(0x351, 1, "mireg", SMAIA, CSR_IRQ, csr_read_mireg, csr_write_mireg),
    FN_ROW(0x35c, 1, "mtopei", SMAIA, CSR_IRQ, csr_read_mtopei, csr_write_mtopei),
    FN_ROW(0x3a0, 1, "pmpcfg0", I, CSR_FLUSH, read_pmpcfg, write_pmpcfg),
    FN_ROW(0x3a2, 1, "pmpcfg2", I, CSR_FLUSH, read_pmpcfg, write_pmpcfg),
    FN_ROW(0x3b0, PMP_ENTRIES, "pmpaddr0", I, CSR_FLUSH, read_pmpaddr, write_pmpaddr),
    FIELD_FN_ROW(0x7a0, "tselect", SDTRIG, CSR_SAVED, tselect, csr_write_tselect),
    FN_ROW(0x7a1, 1, "tdata1", SDTRIG, CSR_IRQ, csr_read_tdata1, csr_write_tdata1),
    FN_ROW(0x7a2, 1, "tdata2", SDTRIG, CSR_IRQ, csr_read_tdata2, csr_write_tdata2),
    FN_ROW(0x7a3, 1, "tdata3", SDTRIG, 0, csr_read_zero, write_ignored),
    FN_ROW(0x7a4, 1, "tinfo", SDTRIG, 0, csr_read_tinfo, write_ignored),
    FN_ROW(0xb00, 1, "mcycle", I, 0, read_mcounter, write_mcounter),
    FN_ROW(0xb02, 1, "minstret", I, 0, read_mcounter, write_mcounter),
    FN_ROW(0xb03, 29, "mhpmcounter3", I, CSR_IRQ, csr_read_mhpmcounter, csr_write_mhpmcounter),
    FN_ROW(0xc00, 1, "cycle", I, 0, read_counter, NULL),
    FN_ROW(0xc01, 1, "time", I, 0, read_counter, NULL),
    FN_ROW(0xc02, 1, "instret", I, 0, read_counter, NULL),
    FN_ROW(0xc03, 29, "hpmcounter3", I, 0, read_counter, NULL),
    FN_ROW(0xda0, 1, "scountovf", SSCOFPMF, 0, csr_read_scountovf, NULL),
    FN_ROW(0xdb0, 1, "stopi", SSAIA, CSR_STATEEN, csr_read_stopi, NULL),
    FN_ROW(0xf11, 1, "mvendorid", I, 0, csr_read_zero, NULL),
    FN_ROW(0xf12, 1, "marchid", I, 0, csr_read_zero, NULL),
    FN_ROW(0xf13, 1, "mimpid", I, 0, csr_read_zero, NULL),
    FN_ROW(0xf14, 1, "mhartid", I, 0, read_mhartid, NULL),
    FN_ROW(0xf15, 1, "mconfigptr", I, 0, csr_read_zero, NULL),
    FN_ROW(0xfb0, 1, "mtopi", SMAIA, 0, csr_read_mtopi, NULL),
};
const size_t csr_n_rows = G_N_ELEMENTS(csr_rows);

const CsrRow *csr_find(unsigned number)
{
    unsigned low = 0, high = G_N_ELEMENTS(csr_rows);

    while (high - low > 1) {
        unsigned mid = (low + high) / 2;
        if (csr_rows[mid].number <= number) {
            low = mid;
        } else {
            high = mid;
        }
    }
    const CsrRow *row = &csr_rows[low];
    return number >= row->number && number < row->number + row->count ? row : NULL;
}

void csr_append_name(GString *out, const CsrRow *row, unsigned n)
{
    size_t stem = strlen(row->name);

    while (row->count > 1 && stem > 0 && g_ascii_isdigit(row->name[stem - 1])) {
        stem--;
    }
    g_string_append_len(out, row->name, stem);
    if (row->count > 1) {
        guint64 first = g_ascii_strtoull(row->name + stem, NULL, 10);
        g_string_append_printf(out, "%" G_GUINT64_FORMAT, first + n);
    }
}

/* --- access --- */

static bool csr_allowed(const RiscvCpu *cpu, const CsrRow *row, unsigned number, bool write)
{
    if (!has_ext(cpu, row->ext)) {
        return false;
    }
    if (write && number >> 10 == 3) {
        return false;
    }
    if (cpu->in_debug) {
        return true;
    }
    if (cpu->priv < (number >> 8 & 3)) {
        return false;
    }
    if ((row->flags & CSR_STATEEN) && csr_stateen_denies(cpu, number)) {
        return false;
    }
    return !(row->flags & CSR_FP) || (cpu->mstatus & MSTATUS_FS);
}

static bool row_write(RiscvCpu *cpu, const CsrRow *row, unsigned n, uint64_t v, uint64_t mask)
{
    if (row->write) {
        return row->write(cpu, n, v, mask);
    }
    uint64_t *field = (uint64_t *)((char *)cpu + row->field);
    *field = v & row->wmask;
    return true;
}

/* The bits of mstatus on which address translation depends. */
#define STATUS_CONTEXT (MSTATUS_MPRV | MSTATUS_MPP | MSTATUS_SUM | MSTATUS_MXR)

/* @status: mstatus before the write. */
static void effects(RiscvCpu *cpu, const CsrRow *row, uint64_t status)
{
    if (row->flags & CSR_FP) {
        cpu->mstatus |= MSTATUS_FS;
    }
    if (row->flags & CSR_FLUSH) {
        mmu_flush(cpu);
    } else if ((row->flags & CSR_CONTEXT) &&
               (((cpu->mstatus ^ status) & STATUS_CONTEXT) || cpu->satp != cpu->context_satp)) {
        mmu_update_contexts(cpu);
    }
    if (row->flags & CSR_IRQ) {
        if (row->ext == EXT_SMAIA || row->ext == EXT_SSAIA) {
            rv_update_mip(cpu);
        }
        rv_check_interrupts(cpu);
    }
}

bool csr_access_row(RiscvCpu *cpu, const CsrRow *row, unsigned number, CsrOp op, bool read,
                    bool write, uint64_t operand, uint64_t *old)
{
    uint64_t status = cpu->mstatus, value, mask = op == CSR_OP_WRITE ? UINT64_MAX : operand;

    *old = 0;
    if (!row || !csr_allowed(cpu, row, number, write)) {
        return false;
    }
    /* Reading a register has no side effect, so a write without a read can read it as well. */
    if (!row->read) {
        *old = *(uint64_t *)((char *)cpu + row->field);
    } else if (!row->read(cpu, number, old)) {
        return false;
    }
    if (!write) {
        return true;
    }
    value = op == CSR_OP_WRITE ? operand : op == CSR_OP_SET ? *old | operand : *old & ~operand;
    if (!row_write(cpu, row, number, value, mask)) {
        return false;
    }
    effects(cpu, row, status);
    return true;
}

bool csr_access(RiscvCpu *cpu, unsigned number, CsrOp op, bool read, bool write, uint64_t operand,
                uint64_t *old)
{
    return csr_access_row(cpu, csr_find(number), number, op, read, write, operand, old);
}
