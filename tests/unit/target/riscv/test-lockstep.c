/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The translator in lock step with the interpreter: two harts execute one random block after
 * another with the same state, and everything that the architecture defines is compared after each.
 * Registers, memory, faults, pc and the number of retired instructions must be equal.
 *
 *   test-lockstep [--first N] [--count N] [--state FILE]
 *
 * Block N depends on N only, so that a difference can be repeated with --first N --count 1. --state
 * names a file with the number of the next block, so that a long run can be done in shares. Each
 * block is executed EXECUTIONS times with different registers. It is in a random page at a random
 * offset (also across pages), in M-mode with physical addresses or in S- or U-mode with page tables
 * whose entries change. It may overwrite itself, and it may jump into its own instructions.
 * Performance counters are inhibited, because their values depend on time and on the TLB; in one
 * block of 8, triggers are armed.
 */
#include "harness.h"

#include <pthread.h>
#include <time.h>

#include "tests/lib/wait.h"
#include "target/riscv/sem_fp_internal.h"

#define EXECUTIONS  10
#define ENDLESS_NS  30000000 /* CPU time of a run; others require microseconds */
#define CODE_PAGES  512
#define CODE_AREA   (RAM_BASE + 0x200000) /* CODE_PAGES pages */
#define DATA_PAGES  4
#define TABLE_ROOT  (RAM_BASE + 0x40000) /* page tables: Sv39 */
#define TABLE_MID   (RAM_BASE + 0x41000)
#define TABLE_LOW   (RAM_BASE + 0x42000)
#define WINDOW      UINT64_C(0x40000000) /* virtual: data pages, then code pages, 4 KiB each */
#define WINDOW_CODE 16                   /* number of the first code page of the window */
#define MAX_INSNS   28
#define FREE_OFFSET 0xe80 /* no block contains it */

/* x29 counts iterations, x30 points at ebreak instructions, x31 belongs to the harness. */
enum { LOOP_REG = 29, STOP_REG = 30, HARNESS_REG = 31 };

typedef struct Pair {
    Hart *h[2]; /* interpreter, translator */
    GRand *rand;
    uint64_t number;
    uint64_t page;  /* physical address of the code page */
    unsigned start; /* offset of the block in it */
    unsigned at;    /* offset of the next instruction */
    bool copies;    /* most instructions are those of a loop that copies */
    bool floats;    /* most instructions are operations on doubles, or load or store them */
    uint64_t tdata1[TRIGGERS], tdata2[TRIGGERS]; /* before each execution */
    uint64_t enabled;                            /* mstatus: interrupts, which triggers require */
    uint64_t medeleg, stateen;
    uint8_t data[DATA_PAGES * RAM_PAGE_SIZE];
    GMutex lock;   /* of runs and stopped: the watchdog stops only the run that it has timed */
    unsigned runs; /* number of runs of a hart */
    bool stopped;  /* the watchdog ended a run */
    bool quit;     /* atomic */
    uint64_t n_stopped;
    GThread *watch;
    pthread_t main; /* the thread that runs the harts */
} Pair;

static unsigned lock_below(Pair *p, unsigned limit)
{
    return g_rand_int_range(p->rand, 0, limit);
}

/* --- memory of both harts --- */

static void lock_write(Pair *p, uint64_t pa, const void *bytes, size_t n)
{
    for (unsigned i = 0; i < 2; i++) {
        memcpy(ram_at(p->h[i], pa), bytes, n);
        ram_written_any(p->h[i]->ram, pa - RAM_BASE, n);
    }
}

static void lock_pte(Pair *p, uint64_t at, uint64_t pa, unsigned bits)
{
    uint64_t pte = pa >> 12 << 10 | bits;

    lock_write(p, at, &pte, 8);
}

/* Everything at its physical address, for all modes (bits: D A U X W R V), and the window. */
static void lock_tables(Pair *p, bool user)
{
    unsigned all = user ? 0xdf : 0xcf;

    lock_pte(p, TABLE_ROOT + 0 * 8, 0, all);
    lock_pte(p, TABLE_ROOT + 1 * 8, TABLE_MID, 1);
    lock_pte(p, TABLE_ROOT + 2 * 8, UINT64_C(0x80000000), all);
    lock_pte(p, TABLE_MID, TABLE_LOW, 1);
    for (unsigned i = 0; i < WINDOW_CODE; i++) {
        static const uint8_t rights[] = { 0xcf, 0xcf, 0xcf, 0xc3, 0xc9, 0, 0xc7 };
        unsigned bits = rights[lock_below(p, G_N_ELEMENTS(rights))] | (user ? 0x10 : 0);
        lock_pte(p, TABLE_LOW + i * 8, DATA + lock_below(p, DATA_PAGES) * RAM_PAGE_SIZE, bits);
    }
    for (unsigned i = 0; i < 8; i++) {
        uint64_t page = i == 0 ? p->page : CODE_AREA + lock_below(p, CODE_PAGES) * RAM_PAGE_SIZE;
        unsigned bits = lock_below(p, 8) ? all : 0;
        lock_pte(p, TABLE_LOW + (WINDOW_CODE + i) * 8, page, i == 0 ? all : bits);
    }
}

/* --- instructions --- */

static void lock_emit(Pair *p, uint32_t word)
{
    lock_write(p, p->page + p->at, &word, insn_len(word));
    p->at += insn_len(word);
}

static bool lock_ends_block(unsigned op)
{
    return op >= OP_BEQ && op <= OP_SFENCE_INVAL_IR;
}

/* An instruction of any row that neither branches nor writes to a reserved register. */
static uint32_t lock_plain_word(Pair *p)
{
    for (;;) {
        const IsaRow *row = &isa_rows[lock_below(p, isa_n_rows)];
        uint32_t word = row->match | (g_rand_int(p->rand) & ~row->mask);
        Insn insn;

        if (!decode(word, p->h[0]->cpu->features, &insn)) {
            continue;
        }
        if (!lock_ends_block(insn.op) && (insn.op != OP_AMOCAS_Q || insn.rd < LOOP_REG - 1) &&
            (insn.rd < LOOP_REG || isa_rows[insn.row].format == FMT_S ||
             isa_rows[insn.row].format == FMT_FS)) {
            return word;
        }
    }
}

/* A load or a store. */
static uint32_t lock_access_word(Pair *p, unsigned base, unsigned other)
{
    static const char *const loads[] = { "lb",  "lh",  "lw",  "ld",  "lbu",
                                         "lhu", "lwu", "flw", "fld", "flh" };
    static const char *const stores[] = { "sb", "sh", "sw", "sd", "fsw", "fsd", "fsh" };
    int32_t offset = (int32_t)lock_below(p, 64) - 32;

    if (lock_below(p, 2)) {
        return i_type(loads[lock_below(p, G_N_ELEMENTS(loads))], other, base, offset & 0xfff);
    }
    return s_type(stores[lock_below(p, G_N_ELEMENTS(stores))], other, base, offset);
}

/* A load or store with a pointer: often one of two, so that accesses share a lookup in the TLB. */
static uint32_t lock_memory_word(Pair *p)
{
    unsigned base = lock_below(p, 2) ? 8 + lock_below(p, 2) * 6 : 2 + lock_below(p, 14);

    return lock_access_word(p, base, lock_below(p, LOOP_REG));
}

/* An instruction of a loop that copies: an access, or a step of a pointer. Two of the pointers are
 * in host registers. */
static uint32_t lock_copy_word(Pair *p)
{
    static const uint8_t pointers[] = { 5, 7, 8, 14 };
    unsigned base = pointers[lock_below(p, G_N_ELEMENTS(pointers))];

    if (lock_below(p, 32) == 0) { /* changes a pair of registers, of which one is a pointer */
        return r_type("amocas.q", 6, base, 16);
    }
    if (lock_below(p, 4)) {
        return lock_access_word(p, base, 16 + lock_below(p, LOOP_REG - 16));
    }
    int32_t step = lock_below(p, 3) ? (int32_t)lock_below(p, 32) - 16 : 0; /* 0: mv */
    return i_type("addi", pointers[lock_below(p, G_N_ELEMENTS(pointers))], base, step & 0xfff);
}

/* An instruction on doubles with few registers, so that most operands are results; some are of
 * another format, and some have a rounding mode of their own. */
static uint32_t lock_float_word(Pair *p)
{
    static const char *const names[] = {
        "fadd.d",   "fsub.d",   "fmul.d",   "fdiv.d",   "fsqrt.d",   "fmadd.d",  "fmsub.d",
        "fnmadd.d", "fnmsub.d", "feq.d",    "flt.d",    "fle.d",     "fsgnj.d",  "fsgnjn.d",
        "fsgnjx.d", "fmv.x.d",  "fmv.d.x",  "fcvt.d.w", "fcvt.d.wu", "fcvt.w.d", "fcvt.l.d",
        "fmin.d",   "fadd.s",   "fcvt.d.s", "fcvt.s.d", "fcvt.d.l",  "fclass.d", "fmv.w.x",
    };
    static const uint8_t modes[] = { 7, 7, 7, 7, 0, 0, 1, 5 };
    static const uint8_t bases[] = { 5, 7, 8, 14 };
    bool usual = lock_below(p, 8) != 0;
    unsigned f = (usual ? 8 : 0) + lock_below(p, usual ? 6 : 32);

    if (lock_below(p, 4) == 0) {
        unsigned base = bases[lock_below(p, G_N_ELEMENTS(bases))];
        int32_t offset = ((int32_t)lock_below(p, 16) - 8) * 8;
        return lock_below(p, 2) ? i_type("fld", f, base, offset & 0xfff)
                                : s_type("fsd", f, base, offset);
    }
    const char *name = names[lock_below(p, lock_below(p, 4) ? 21 : G_N_ELEMENTS(names))];
    uint32_t random = g_rand_int(p->rand);
    const IsaRow *row = row_of(name);
    uint32_t numbers = f << 7 | (8 + (random >> 8 & 3)) << 15 | (8 + (random >> 16) % 6) << 20 |
                       (8 + (random >> 24) % 6) << 27;
    if (random & 1) { /* fmv, fneg, fabs */
        numbers = (numbers & ~(31u << 20)) | (numbers >> 15 & 31) << 20;
    }
    return row->match | (~row->mask & (numbers | (uint32_t)modes[random >> 4 & 7] << 12));
}

static uint32_t lock_csr_word(Pair *p)
{
    static const uint16_t csrs[] = {
        0x001, 0x002, 0x003, 0x140, 0x143, 0x343, 0xb02, 0xc02, 0x301, 0xf14,
        0x7c0, 0x323, 0x324, 0x33f, 0xb03, 0xb04, 0xb1f, 0xc03, 0xc04, 0xda0, /* counters */
        0x30c, 0x30d, 0x30f, 0x10a, 0x10c, 0x10d, 0x10f,                      /* Smstateen */
        0x7a0, 0x7a1, 0x7a2, 0x7a3, 0x7a4,                                    /* triggers */
    };
    static const char *const ops[] = { "csrrw", "csrrs", "csrrc", "csrrwi", "csrrsi", "csrrci" };

    return csr_type(ops[lock_below(p, G_N_ELEMENTS(ops))], lock_below(p, LOOP_REG),
                    csrs[lock_below(p, G_N_ELEMENTS(csrs))], lock_below(p, LOOP_REG));
}

/* An instruction that may leave the block: forwards, so that it ends. */
static uint32_t lock_exit_word(Pair *p)
{
    static const char *const branches[] = { "beq", "bne", "blt", "bge", "bltu", "bgeu" };
    static const char *const others[] = { "ecall",      "ebreak",  "fence.i",
                                          "sfence.vma", "wrs.nto", "sinval.vma",
                                          "mret",       "sret",    "wfi" };
    int32_t target = 2 * (int32_t)lock_below(p, 40);
    unsigned kind = lock_below(p, 16);

    if (kind < 11) {
        return b_type(branches[lock_below(p, 6)], lock_below(p, 32), lock_below(p, 32),
                      target ? target : 4);
    }
    if (kind < 13) { /* inside the block, or to ebreak instructions of the next page */
        int32_t far = RAM_PAGE_SIZE + FREE_OFFSET - (int32_t)(p->at & ~3u);
        return j_type("jal", lock_below(p, LOOP_REG), kind == 11 ? target + 4 : far);
    }
    if (kind < 15) {
        return i_type("jalr", lock_below(p, LOOP_REG), lock_below(p, 4) ? STOP_REG : 0,
                      (int32_t)lock_below(p, 16));
    }
    return match_of(others[lock_below(p, G_N_ELEMENTS(others))]);
}

static void lock_any(Pair *p)
{
    if (p->copies && lock_below(p, 8)) {
        lock_emit(p, lock_copy_word(p));
        return;
    }
    if (p->floats && lock_below(p, 8)) {
        lock_emit(p, lock_below(p, 8) ? lock_float_word(p) : lock_copy_word(p));
        return;
    }
    switch (lock_below(p, 16)) {
    case 0:
    case 1:
        lock_emit(p, lock_exit_word(p));
        break;
    case 2:
        lock_emit(p, lock_csr_word(p));
        break;
    case 3:
    case 4:
    case 5:
    case 6:
        lock_emit(p, lock_memory_word(p));
        break;
    default:
        lock_emit(p, lock_plain_word(p));
    }
}

/* Choose the triggers of a block, near its code and its data, and the state that CSRs depend on. */
static void lock_triggers(Pair *p)
{
    static const unsigned matches[] = { 0, 0, 2, 3 };
    bool armed = lock_below(p, 8) == 0;

    for (unsigned i = 0; i < TRIGGERS; i++) {
        uint64_t type = lock_below(p, 2) ? 2 : 6, match = matches[lock_below(p, 4)];
        uint64_t at[] = { p->page + p->start + lock_below(p, 64),
                          WINDOW + RAM_PAGE_SIZE * WINDOW_CODE + p->start + lock_below(p, 64),
                          DATA + lock_below(p, DATA_PAGES * RAM_PAGE_SIZE),
                          WINDOW + lock_below(p, WINDOW_CODE * RAM_PAGE_SIZE) };

        p->tdata1[i] = armed ? rv_trigger_legal(type << 60 | match << 7 | lock_below(p, 128)) : 0;
        p->tdata2[i] = at[lock_below(p, G_N_ELEMENTS(at))];
    }
    p->enabled = lock_below(p, 4) ? MSTATUS_MIE | MSTATUS_SIE : 0;
    p->medeleg = lock_below(p, 4) ? 0 : UINT64_C(1) << CAUSE_BREAKPOINT;
    p->stateen = lock_below(p, 2) ? UINT64_MAX : 0;
}

/* A page of c.ebreak with the block, which is a loop in one case of eight, or of two if it is of
 * floating point. */
static void lock_block(Pair *p)
{
    uint8_t fill[RAM_PAGE_SIZE];
    unsigned n = 1 + lock_below(p, MAX_INSNS);

    for (unsigned i = 0; i < sizeof(fill); i += 2) {
        fill[i] = 0x02;
        fill[i + 1] = 0x90;
    }
    p->copies = lock_below(p, 4) == 0;
    p->floats = lock_below(p, 4) == 0;
    p->page = CODE_AREA + lock_below(p, CODE_PAGES) * RAM_PAGE_SIZE;
    lock_write(p, p->page, fill, sizeof(fill));
    p->start = lock_below(p, 16) ? lock_below(p, 0x700) * 2 : 0xff0 + lock_below(p, 8) * 2;
    p->at = p->start;
    bool loop = lock_below(p, p->floats ? 2 : 8) == 0 && p->start < 0xe00;
    if (loop) {
        lock_emit(p, i_type("addi", LOOP_REG, LOOP_REG, 0xfff));
    }
    for (unsigned i = 0; i < n && p->at < RAM_PAGE_SIZE - 4; i++) {
        lock_any(p);
    }
    if (loop && p->floats && lock_below(p, 4) == 0) { /* left before its end, which is a jump */
        lock_emit(p, b_type("beq", LOOP_REG, 0, 8));
        lock_emit(p, j_type("jal", 0, (int32_t)p->start - (int32_t)p->at));
    } else if (loop) {
        lock_emit(p, b_type("bne", LOOP_REG, 0, (int32_t)p->start - (int32_t)p->at));
    }
    if (p->start >= 0xff0) { /* the second half of an instruction that crosses the page */
        uint32_t word = lock_plain_word(p);
        lock_write(p, p->page + 0xffe, &word, 2);
    }
}

/* --- state of both harts --- */

static uint64_t lock_pointer(Pair *p, bool paged)
{
    unsigned offset =
        lock_below(p, 2) ? lock_below(p, RAM_PAGE_SIZE) : lock_below(p, RAM_PAGE_SIZE / 8) * 8;

    switch (lock_below(p, paged ? 8 : 6)) {
    case 0:
        return interesting(p->rand);
    case 1:
        return DEVICE + offset;
    case 2:
        return p->page + p->start + lock_below(p, 96);
    case 3:
        return DATA + RAM_PAGE_SIZE * (1 + lock_below(p, 2)) + lock_below(p, 16) - 8;
    case 6:
    case 7:
        return WINDOW + RAM_PAGE_SIZE * lock_below(p, WINDOW_CODE) + offset;
    default:
        return DATA + RAM_PAGE_SIZE * lock_below(p, DATA_PAGES) + offset;
    }
}

static uint64_t lock_float(Pair *p)
{
    static const uint64_t values[] = { 0x3ff0000000000000, 0xbff8000000000000, 0x7ff0000000000000,
                                       0x7ff8000000000000, 0x7ff0000000000001, 0x0000000000000001,
                                       0x0010000000000000, 0x8000000000000000 };
    switch (lock_below(p, 4)) {
    case 0:
        return values[lock_below(p, G_N_ELEMENTS(values))];
    case 1: /* close to one, so that sums and products are ordinary */
        return UINT64_C(0x3f) << 56 | ((uint64_t)g_rand_int(p->rand) << 24);
    case 2:
        return fp_box(g_rand_boolean(p->rand) ? 0x3f800000u | (g_rand_int(p->rand) >> 8)
                                              : g_rand_int(p->rand));
    default:
        return interesting(p->rand);
    }
}

/* Set the registers of counters, Smstateen and triggers. */
static void lock_extensions(const Pair *p, RiscvCpu *c)
{
    bool same = memcmp(c->tdata1, p->tdata1, sizeof(c->tdata1)) == 0 &&
                memcmp(c->tdata2, p->tdata2, sizeof(c->tdata2)) == 0;

    c->tselect = 0;
    memcpy(c->tdata1, p->tdata1, sizeof(c->tdata1));
    memcpy(c->tdata2, p->tdata2, sizeof(c->tdata2));
    if (!same) {
        rv_trigger_changed(c);
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(c->mstateen); i++) {
        c->mstateen[i] = p->stateen & riscv_mstateen_legal(c, i);
    }
    c->mcountinhibit = c->pmu_mask;
    c->mcounteren = c->scounteren = p->stateen & (7 | c->pmu_mask);
    for (unsigned i = 0; i < PMU_COUNTERS; i++) {
        c->hpm_event[i] = 0;
        c->hpm_base[i] = c->hpm_last[i] = i < 2 ? p->number : 0;
    }
    rv_pmu_loaded(c);
}

static void lock_state(Pair *p, unsigned mode)
{
    uint64_t x[32], f[32], base = p->page;
    unsigned flags = lock_below(p, 32), frm = lock_below(p, 3) ? 0 : lock_below(p, 8);
    static const uint8_t fs_values[] = { 0, 1, 1, 1, 2, 3, 3, 3 };
    uint64_t fs = lock_below(p, 4) ? fs_values[1 + lock_below(p, 7)] : fs_values[lock_below(p, 8)];
    bool window = mode && lock_below(p, 2);
    uint64_t menvcfg = lock_below(p, 8) ? ENVCFG_CBZE : 0, senvcfg = lock_below(p, 8) ? menvcfg : 0;
    uint64_t loops = 1 + lock_below(p, lock_below(p, 4) ? 4 : 40);

    if (window) {
        base = WINDOW + RAM_PAGE_SIZE * WINDOW_CODE;
    }
    for (unsigned i = 0; i < 32; i++) {
        x[i] = lock_below(p, 2) || (i >= 2 && i < 16) ? lock_pointer(p, mode != 0)
                                                      : interesting(p->rand);
        f[i] = lock_float(p);
    }
    for (unsigned i = 0; i < 2; i++) {
        RiscvCpu *c = p->h[i]->cpu;

        memcpy(&c->x[1], &x[1], sizeof(x) - 8);
        memcpy(c->f, f, sizeof(f));
        c->x[LOOP_REG] = loops;
        c->x[STOP_REG] = base + (p->start > 0x800 ? 0x100 : 0xf00);
        c->fflags = flags;
        c->frm = frm;
        c->mstatus = fs << 13 | p->enabled;
        c->mepc = c->sepc = c->x[STOP_REG];
        c->mcause = c->mtval = c->sscratch = c->scause = c->stval = 0;
        c->mscratch = EXIT;
        c->mtvec = STOP_CODE;
        c->medeleg = p->medeleg;
        c->stvec = STOP_CODE;
        c->mideleg = c->mie = c->mip_soft = 0;
        c->satp = mode ? UINT64_C(8) << 60 | TABLE_ROOT >> 12 : 0;
        c->priv = mode == 0 ? PRIV_M : mode == 1 ? PRIV_S : PRIV_U;
        c->menvcfg = menvcfg;
        c->senvcfg = senvcfg;
        c->lr_host = 0;
        c->retired = 0;
        c->pc = base + p->start;
        p->h[i]->device_value = x[5];
        p->h[i]->device_loads = p->h[i]->device_stores = 0;
        lock_extensions(p, c);
        mmu_update_contexts(c);
    }
}

/* --- comparison --- */

static bool lock_same_value(const Pair *p, const char *name, unsigned i, uint64_t a, uint64_t b)
{
    if (a != b) {
        g_printerr("block %" PRIu64 ": %s%u is 0x%" PRIx64 " after the interpreter and 0x%" PRIx64
                   " after the translator\n",
                   p->number, name, i, a, b);
    }
    return a == b;
}

static bool lock_same_registers(const Pair *p)
{
    const RiscvCpu *a = p->h[0]->cpu, *b = p->h[1]->cpu;
    bool same = true;

    for (unsigned i = 0; i < 32; i++) {
        same &= lock_same_value(p, "x", i, a->x[i], b->x[i]);
        same &= lock_same_value(p, "f", i, a->f[i], b->f[i]);
    }
    const struct {
        const char *name;
        uint64_t a, b;
    } rest[] = {
        { "pc", a->pc, b->pc },
        { "priv", a->priv, b->priv },
        { "fflags", a->fflags, b->fflags },
        { "frm", a->frm, b->frm },
        { "mstatus", a->mstatus, b->mstatus },
        { "mcause", a->mcause, b->mcause },
        { "mepc", a->mepc, b->mepc },
        { "mtval", a->mtval, b->mtval },
        { "mscratch", a->mscratch, b->mscratch },
        { "sscratch", a->sscratch, b->sscratch },
        { "sepc", a->sepc, b->sepc },
        { "stval", a->stval, b->stval },
        { "retired", a->retired, b->retired },
        { "reservation", a->lr_host != 0, b->lr_host != 0 },
        { "device loads", p->h[0]->device_loads, p->h[1]->device_loads },
        { "device stores", p->h[0]->device_stores, p->h[1]->device_stores },
        { "device value", p->h[0]->device_value, p->h[1]->device_value },
    };
    for (unsigned i = 0; i < G_N_ELEMENTS(rest); i++) {
        same &= lock_same_value(p, rest[i].name, 0, rest[i].a, rest[i].b);
    }
    same &= lock_same_value(p, "tselect", 0, a->tselect, b->tselect);
    for (unsigned i = 0; i < TRIGGERS; i++) {
        same &= lock_same_value(p, "tdata1 of trigger ", i, a->tdata1[i], b->tdata1[i]);
        same &= lock_same_value(p, "tdata2 of trigger ", i, a->tdata2[i], b->tdata2[i]);
    }
    for (unsigned i = 0; i < PMU_COUNTERS; i++) {
        same &= lock_same_value(p, "event ", i, a->hpm_event[i], b->hpm_event[i]);
        same &= lock_same_value(p, "counter ", i, a->hpm_base[i], b->hpm_base[i]);
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(a->mstateen); i++) {
        same &= lock_same_value(p, "mstateen", i, a->mstateen[i], b->mstateen[i]);
    }
    return same;
}

static bool lock_same_page(const Pair *p, uint64_t pa)
{
    bool same = memcmp(ram_at(p->h[0], pa), ram_at(p->h[1], pa), RAM_PAGE_SIZE) == 0;

    if (!same) {
        g_printerr("block %" PRIu64 ": the page at 0x%" PRIx64 " differs\n", p->number, pa);
    }
    return same;
}

static bool lock_same(const Pair *p)
{
    bool same = lock_same_registers(p) && lock_same_page(p, p->page);

    for (unsigned i = 0; same && i < DATA_PAGES; i++) {
        same = lock_same_page(p, DATA + i * RAM_PAGE_SIZE);
    }
    return same;
}

static void lock_print(const Pair *p)
{
    for (unsigned off = p->start; off < p->at && off < RAM_PAGE_SIZE;) {
        uint32_t word = (uint32_t)ram_load(p->h[0], p->page + off, 4);
        char text[80] = "illegal";
        Insn insn;

        if (decode(word, p->h[0]->cpu->features, &insn)) {
            disassemble(&insn, p->page + off, text, sizeof(text));
        }
        g_printerr("  %" PRIx64 ": %s\n", p->page + off, text);
        off += insn.len;
    }
}

/* A block that overwrote itself may be an endless loop, which only a stop from outside ends. Its
 * state is not compared then. */
static gpointer lock_watch(gpointer opaque)
{
    Pair *p = opaque;
    unsigned last = 0;
    struct timespec t;
    clockid_t clock;
    int64_t since = 0;

    g_assert_cmpint(pthread_getcpuclockid(p->main, &clock), ==, 0);
    while (!__atomic_load_n(&p->quit, __ATOMIC_SEQ_CST)) {
        clock_gettime(clock, &t);
        int64_t used = (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
        g_mutex_lock(&p->lock);
        if (p->runs != last) {
            last = p->runs;
            since = used;
        } else if (used - since > ENDLESS_NS) {
            p->stopped = true;
            cpu_raise_any(&p->h[0]->cpu->cpu, CPU_PENDING_STOP);
            cpu_raise_any(&p->h[1]->cpu->cpu, CPU_PENDING_STOP);
        }
        g_mutex_unlock(&p->lock);
        wait_elapse(5000, "the next check of a run");
    }
    return NULL;
}

/* Run both harts. Return false if the watchdog ended a run. */
static bool lock_run_both(Pair *p)
{
    bool stopped = false;

    for (unsigned i = 0; i < 2; i++) {
        g_mutex_lock(&p->lock);
        __atomic_store_n(&p->h[i]->cpu->cpu.pending, 0, __ATOMIC_SEQ_CST);
        p->stopped = false;
        p->runs++;
        g_mutex_unlock(&p->lock);
        rv_run(&p->h[i]->cpu->cpu);
        g_mutex_lock(&p->lock);
        stopped |= p->stopped;
        g_mutex_unlock(&p->lock);
    }
    return !stopped;
}

/* Make all memory equal. The harts were stopped at different places. */
static void lock_equalize(Pair *p)
{
    for (uint64_t pa = RAM_BASE; pa < RAM_BASE + RAM_BYTES; pa += RAM_PAGE_SIZE) {
        const void *page = ram_at(p->h[0], pa);
        if (memcmp(page, ram_at(p->h[1], pa), RAM_PAGE_SIZE) != 0) {
            memcpy(ram_at(p->h[1], pa), page, RAM_PAGE_SIZE);
            ram_written_any(p->h[1]->ram, pa - RAM_BASE, RAM_PAGE_SIZE);
        }
    }
}

/* The block may have written to any CSR, and to the code that ends a run. */
static void lock_restore(Pair *p)
{
    lock_equalize(p);
    for (unsigned i = 0; i < 2; i++) {
        hart_stop_code(p->h[i]);
        hart_reset(p->h[i]);
    }
}

/* Execute block @p->number on both harts. Return false after a difference. */
static bool lock_run(Pair *p)
{
    unsigned mode = lock_below(p, 3);

    lock_block(p);
    lock_triggers(p);
    for (unsigned n = 0; n < EXECUTIONS; n++) {
        if (n % 4 == 0) {
            for (unsigned i = 0; i < sizeof(p->data); i += 4) {
                uint32_t v = (uint32_t)(n * 0x9e3779b9u + i * 0x85ebca6bu);
                memcpy(p->data + i, &v, 4);
            }
            lock_write(p, DATA, p->data, sizeof(p->data));
            lock_tables(p, mode == 2);
        }
        lock_state(p, mode);
        if (n % 4 == 0) {
            mmu_flush(p->h[0]->cpu);
            mmu_flush(p->h[1]->cpu);
        }
        if (!lock_run_both(p)) {
            p->n_stopped++;
            lock_restore(p);
            return true;
        }
        if (!lock_same(p)) {
            g_printerr("execution %u, mode %u\n", n, mode);
            lock_print(p);
            return false;
        }
    }
    return true;
}

/* --- runs --- */

static uint64_t lock_first(const char *state, uint64_t first)
{
    g_autofree char *text = NULL;

    if (state && g_file_get_contents(state, &text, NULL, NULL)) {
        return g_ascii_strtoull(text, NULL, 10);
    }
    return first;
}

static bool lock_save(const char *state, uint64_t next)
{
    g_autofree char *text = g_strdup_printf("%" PRIu64 "\n", next);

    return !state || g_file_set_contents(state, text, -1, NULL);
}

static bool lock_share(Pair *p, uint64_t first, uint64_t count, const char *state)
{
    for (uint64_t n = first; n < first + count; n++) {
        p->number = n;
        g_rand_set_seed_array(p->rand, (guint32[]){ (guint32)n, (guint32)(n >> 32), 1 }, 3);
        if (!lock_run(p)) {
            return false;
        }
        if (n % 65536 == 65535 && !lock_save(state, n + 1)) {
            return false;
        }
    }
    return lock_save(state, first + count);
}

int main(int argc, char **argv)
{
    gint64 first = 0, count = 40000;
    g_autofree char *state = NULL;
    const GOptionEntry entries[] = {
        { "first", 0, 0, G_OPTION_ARG_INT64, &first, "number of the first block", "N" },
        { "count", 0, 0, G_OPTION_ARG_INT64, &count, "number of blocks", "N" },
        { "state", 0, 0, G_OPTION_ARG_FILENAME, &state, "file with the next number", "FILE" },
        { NULL },
    };
    g_autoptr(GOptionContext) options = g_option_context_new("");
    g_autoptr(GError) err = NULL;

    g_option_context_add_main_entries(options, entries, NULL);
    if (!g_option_context_parse(options, &argc, &argv, &err)) {
        g_printerr("%s\n", err->message);
        return 2;
    }
    Pair *p = g_new0(Pair, 1);
    p->rand = g_rand_new_with_seed(0);
    p->h[0] = hart_new_with(HART_ALL, false);
    p->h[1] = hart_new_with(HART_ALL, true);
    g_print("1..1\n");
    if (!p->h[1]->cpu->jit) {
        g_print("ok 1 # SKIP the translator does not support this host\n");
    } else {
        uint64_t from = lock_first(state, first);
        p->main = pthread_self();
        p->watch = g_thread_new("watchdog", lock_watch, p);
        bool ok = lock_share(p, from, count, state) && p->n_stopped <= (uint64_t)count / 100 + 1;
        g_print("%s 1 - blocks %" PRIu64 " to %" PRIu64 ", %" PRIu64 " endless\n",
                ok ? "ok" : "not ok", from, p->number, p->n_stopped);
        __atomic_store_n(&p->quit, true, __ATOMIC_SEQ_CST);
        g_thread_join(p->watch);
    }
    hart_free(p->h[0]);
    hart_free(p->h[1]);
    g_rand_free(p->rand);
    g_free(p);
    return 0;
}
