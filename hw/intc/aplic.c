/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Advanced Platform-Level Interrupt Controller: one interrupt domain.
 *
 * Reference: RISC-V Advanced Interrupt Architecture 1.0, chapter 4. A machine has a root domain at
 * machine level, which all wires are connected to, and a child domain at supervisor level, which
 * receives the sources that the root delegates. A domain either signals harts by wire (direct
 * delivery mode, with one interrupt delivery control for each hart) or writes messages to IMSIC
 * files. The mode is fixed.
 *
 * The registers are a table of blocks (aplic_blocks) and not of RegDesc rows, which describe one
 * register with one member each. A domain has blocks of up to 1023 equal registers, whose number is
 * a property; setip, clrip, setie and clrie are four views of the same two bit arrays; and
 * setipnum and its siblings act on the source whose number is written.
 */
#include "hw/intc/aplic.h"
#include "hw/core/sysdev.h"
#include "hw/intc/cpu_input.h"
#include "util/error.h"
#include "util/log.h"

enum { MAX_SOURCES = 127, WORDS = 4, APLIC_SIZE = 0x8000 };
enum { DOMAINCFG_IE = 1 << 8, DOMAINCFG_DM = 1 << 2, DOMAINCFG_FIXED = 0x80u << 24 };
enum { SOURCECFG_D = 1 << 10, SOURCECFG_SM = 7 };
enum { SM_INACTIVE, SM_DETACHED, SM_EDGE1 = 4, SM_EDGE0, SM_LEVEL1, SM_LEVEL0 };
enum { MMSIADDRCFG, MMSIADDRCFGH, SMSIADDRCFG, SMSIADDRCFGH, MSI_REGS };
#define MMSIADDRCFGH_L     (1u << 31)
#define MMSIADDRCFGH_BITS  0x9f77ffffu /* L, HHXS, LHXS, HHXW, LHXW, high PPN */
#define SMSIADDRCFGH_BITS  0x00700fffu /* LHXS, high PPN */
#define HART_INDEX(target) ((target) >> 18)
#define TARGET_EIID        0x7ff
#define TARGET_IPRIO       0xff

typedef struct AplicIdc {
    uint32_t idelivery, iforce, ithreshold;
} AplicIdc;

typedef struct Aplic Aplic;
struct Aplic {
    SysDevice sys;
    uint32_t num_sources, num_harts, hart_base;
    bool msimode, mmode;
    Aplic *child, *root; /* NULL: none */
    uint32_t domaincfg, genmsi;
    uint32_t msiaddr[MSI_REGS];
    uint32_t sourcecfg[MAX_SOURCES + 1], target[MAX_SOURCES + 1];
    uint32_t input[WORDS], ip[WORDS], ie[WORDS];
    AplicIdc idc[CPU_INPUT_MAX_HARTS];
};

static bool aplic_get_bit(const uint32_t *words, unsigned n)
{
    return words[n / 32] >> n % 32 & 1;
}

static void aplic_put_bit(uint32_t *words, unsigned n, bool v)
{
    words[n / 32] = (words[n / 32] & ~(1u << n % 32)) | (uint32_t)v << n % 32;
}

/* --- sources --- */

static unsigned aplic_source_mode(const Aplic *s, unsigned n)
{
    return s->sourcecfg[n] & SOURCECFG_D ? SM_INACTIVE : s->sourcecfg[n] & SOURCECFG_SM;
}

static bool aplic_is_active(const Aplic *s, unsigned n)
{
    return n >= 1 && n <= s->num_sources && aplic_source_mode(s, n) != SM_INACTIVE;
}

static bool aplic_is_level(const Aplic *s, unsigned n)
{
    return aplic_source_mode(s, n) >= SM_LEVEL1;
}

/* Return the aplic_rectified input: the level of the wire, inverted if the source mode requires it;
 * 1: asserted (4.5.2). */
static bool aplic_rectified(const Aplic *s, unsigned n)
{
    bool in = aplic_get_bit(s->input, n);

    switch (aplic_source_mode(s, n)) {
    case SM_EDGE1:
    case SM_LEVEL1:
        return in;
    case SM_EDGE0:
    case SM_LEVEL0:
        return !in;
    }
    return false;
}

/* Update the pending bit after a possible change of the aplic_rectified input of an active source
 * (4.7).
 */
static void aplic_input_changed(Aplic *s, unsigned n, bool before)
{
    bool now = aplic_rectified(s, n);

    if (aplic_is_level(s, n) && (!s->msimode || !now))
        aplic_put_bit(s->ip, n, now);
    else if (now && !before)
        aplic_put_bit(s->ip, n, true);
}

/* Carry out a guest's write that sets or clears a pending bit. The wire determines that of a level
 * source (4.7). */
static void aplic_set_pending(Aplic *s, unsigned n, bool v)
{
    if (!aplic_is_active(s, n) ||
        (aplic_is_level(s, n) && (!s->msimode || (v && !aplic_rectified(s, n)))))
        return;
    aplic_put_bit(s->ip, n, v);
}

static void aplic_set_enabled(Aplic *s, unsigned n, bool v)
{
    if (aplic_is_active(s, n))
        aplic_put_bit(s->ie, n, v);
}

/* --- delivery by message (4.9) --- */

static uint64_t aplic_msi_address(const Aplic *s, unsigned hart, unsigned guest)
{
    const uint32_t *cfg = s->root ? s->root->msiaddr : s->msiaddr;
    uint32_t high = cfg[MMSIADDRCFGH], mine = s->mmode ? high : cfg[SMSIADDRCFGH];
    unsigned lhxw = high >> 12 & 0xf, hhxw = high >> 16 & 7;
    unsigned lhxs = mine >> 20 & 7, hhxs = high >> 24 & 0x1f;
    uint64_t ppn = (uint64_t)(mine & 0xfff) << 32 | cfg[s->mmode ? MMSIADDRCFG : SMSIADDRCFG];
    uint64_t group = hart >> lhxw & ((1u << hhxw) - 1), in_group = hart & ((1u << lhxw) - 1);

    return (ppn | group << (hhxs + 12) | in_group << lhxs | guest) << 12;
}

static void aplic_send_msi(Aplic *s, unsigned hart, unsigned guest, unsigned eiid)
{
    uint64_t addr = aplic_msi_address(s, hart, guest);

    if (mem_write(&s->sys.dev.machine->memory, addr, 4, eiid) != MEM_OK)
        guest_error("aplic",
                    "message %u for hart %u: there is no memory at 0x%" G_GINT64_MODIFIER "x", eiid,
                    hart, addr);
}

/* Send the pending messages in one pass. A message whose side effects make a source pending starts
 * another pass, so that a guest cannot keep this loop busy with messages to this controller. */
static void aplic_send_pending(Aplic *s)
{
    for (unsigned w = 0; w < WORDS; w++) {
        uint32_t bits = s->ip[w] & s->ie[w];

        for (; bits; bits &= bits - 1) {
            unsigned n = w * 32 + __builtin_ctz(bits);

            if (!aplic_get_bit(s->ip, n))
                continue;
            aplic_put_bit(s->ip, n, false);
            aplic_send_msi(s, HART_INDEX(s->target[n]), s->target[n] >> 12 & 0x3f,
                           s->target[n] & TARGET_EIID);
        }
    }
}

/* --- direct delivery (4.8) --- */

static uint32_t aplic_topi(const Aplic *s, unsigned hart)
{
    uint32_t threshold = s->idc[hart].ithreshold, best = 0, best_prio = UINT32_MAX;

    for (unsigned w = 0; w < WORDS; w++) {
        uint32_t bits = s->ip[w] & s->ie[w];

        for (; bits; bits &= bits - 1) {
            unsigned n = w * 32 + __builtin_ctz(bits);
            uint32_t prio = s->target[n] & TARGET_IPRIO;

            if (HART_INDEX(s->target[n]) == hart && prio < best_prio &&
                (!threshold || prio < threshold)) {
                best = n;
                best_prio = prio;
            }
        }
    }
    return best ? best << 16 | best_prio : 0;
}

/* Set due[i] for each hart that has a pending and enabled interrupt that its threshold permits;
 * the threshold 0 permits all. */
static void aplic_find_due(const Aplic *s, bool *due)
{
    for (unsigned w = 0; w < WORDS; w++) {
        uint32_t bits = s->ip[w] & s->ie[w];

        for (; bits; bits &= bits - 1) {
            uint32_t target = s->target[w * 32 + __builtin_ctz(bits)], hart = HART_INDEX(target);

            if (hart < s->num_harts) {
                uint32_t threshold = s->idc[hart].ithreshold;

                due[hart] = due[hart] || !threshold || (target & TARGET_IPRIO) < threshold;
            }
        }
    }
}

static void aplic_drive_harts(Aplic *s)
{
    bool on = s->domaincfg & DOMAINCFG_IE, due[CPU_INPUT_MAX_HARTS] = { false };

    aplic_find_due(s, due);
    for (unsigned i = 0; i < s->num_harts; i++) {
        bool level = on && s->idc[i].idelivery && (s->idc[i].iforce || due[i]);

        cpu_drive(s->sys.dev.machine, s->hart_base + i, s->mmode ? INPUT_MEIP : INPUT_SEIP, level);
    }
}

static uint32_t aplic_claim(Aplic *s, unsigned hart)
{
    uint32_t top = aplic_topi(s, hart);
    unsigned n = top >> 16;

    if (!n)
        s->idc[hart].iforce = 0;
    else if (!aplic_is_level(s, n))
        aplic_put_bit(s->ip, n, false);
    aplic_drive_harts(s);
    return top;
}

static void aplic_update(Aplic *s)
{
    if (!s->msimode)
        aplic_drive_harts(s);
    else if (s->domaincfg & DOMAINCFG_IE)
        aplic_send_pending(s);
}

/* --- wires --- */

static void aplic_pass_down(Aplic *s, unsigned n)
{
    if (s->child)
        irq_set(&s->child->sys.dev.irq_in[n],
                (s->sourcecfg[n] & SOURCECFG_D) && aplic_get_bit(s->input, n));
}

static void aplic_input(void *opaque, unsigned n, bool level)
{
    Aplic *s = opaque;
    bool before;

    if (n == 0)
        return;
    before = aplic_rectified(s, n);
    aplic_put_bit(s->input, n, level);
    aplic_pass_down(s, n);
    if (aplic_is_active(s, n)) {
        aplic_input_changed(s, n, before);
        aplic_update(s);
    }
}

/* --- registers: aplic_blocks of words; `i` is the index of the word in its block --- */

typedef uint32_t AplicReadFn(Aplic *s, unsigned i);
typedef void AplicWriteFn(Aplic *s, unsigned i, uint32_t v);

static uint32_t aplic_read_zero(Aplic *s, unsigned i)
{
    return 0;
}

static uint32_t aplic_read_domaincfg(Aplic *s, unsigned i)
{
    return s->domaincfg | DOMAINCFG_FIXED | (s->msimode ? DOMAINCFG_DM : 0);
}

static void aplic_write_domaincfg(Aplic *s, unsigned i, uint32_t v)
{
    s->domaincfg = v & DOMAINCFG_IE;
}

static uint32_t aplic_read_sourcecfg(Aplic *s, unsigned i)
{
    return i + 1 <= s->num_sources ? s->sourcecfg[i + 1] : 0;
}

/* Return the legal value for a write. Reserved modes and delegation to a child that does not exist
 * make the source inactive. */
static uint32_t aplic_legal_sourcecfg(const Aplic *s, uint32_t v)
{
    if (v & SOURCECFG_D)
        return s->child && (v & 0x3ff) == 0 ? SOURCECFG_D : 0;
    v &= SOURCECFG_SM;
    return v == 2 || v == 3 ? SM_INACTIVE : v;
}

static void aplic_write_sourcecfg(Aplic *s, unsigned i, uint32_t v)
{
    unsigned n = i + 1;

    if (n > s->num_sources)
        return;
    s->sourcecfg[n] = aplic_legal_sourcecfg(s, v);
    aplic_pass_down(s, n);
    if (!aplic_is_active(s, n)) {
        aplic_put_bit(s->ip, n, false);
        aplic_put_bit(s->ie, n, false);
        s->target[n] = 0;
        return;
    }
    if (!s->msimode && (s->target[n] & TARGET_IPRIO) == 0)
        s->target[n] |= 1;    /* priority 0 is illegal (4.5.16.1) */
    if (aplic_is_level(s, n)) /* a change of mode is not an edge */
        aplic_input_changed(s, n, false);
}

static uint32_t aplic_read_msiaddr(Aplic *s, unsigned i)
{
    return s->root ? 0 : s->msiaddr[i];
}

static void aplic_write_msiaddr(Aplic *s, unsigned i, uint32_t v)
{
    static const uint32_t bits[MSI_REGS] = { UINT32_MAX, MMSIADDRCFGH_BITS, UINT32_MAX,
                                             SMSIADDRCFGH_BITS };

    if (!s->root && s->msimode && !(s->msiaddr[MMSIADDRCFGH] & MMSIADDRCFGH_L))
        s->msiaddr[i] = v & bits[i];
}

static uint32_t aplic_read_ip(Aplic *s, unsigned i)
{
    return i < WORDS ? s->ip[i] : 0;
}

static uint32_t aplic_read_in(Aplic *s, unsigned i)
{
    uint32_t v = 0;

    for (unsigned b = 0; b < 32 && i < WORDS; b++) {
        if (aplic_is_active(s, i * 32 + b))
            v |= (uint32_t)aplic_rectified(s, i * 32 + b) << b;
    }
    return v;
}

static uint32_t aplic_read_ie(Aplic *s, unsigned i)
{
    return i < WORDS ? s->ie[i] : 0;
}

static void aplic_each_bit(Aplic *s, unsigned i, uint32_t v, void (*fn)(Aplic *, unsigned, bool),
                           bool set)
{
    for (; v && i < WORDS; v &= v - 1)
        fn(s, i * 32 + __builtin_ctz(v), set);
}

static void aplic_write_setip(Aplic *s, unsigned i, uint32_t v)
{
    aplic_each_bit(s, i, v, aplic_set_pending, true);
}

static void aplic_write_clrip(Aplic *s, unsigned i, uint32_t v)
{
    aplic_each_bit(s, i, v, aplic_set_pending, false);
}

static void aplic_write_setie(Aplic *s, unsigned i, uint32_t v)
{
    aplic_each_bit(s, i, v, aplic_set_enabled, true);
}

static void aplic_write_clrie(Aplic *s, unsigned i, uint32_t v)
{
    aplic_each_bit(s, i, v, aplic_set_enabled, false);
}

static void aplic_write_setipnum(Aplic *s, unsigned i, uint32_t v)
{
    aplic_set_pending(s, v, true);
}

static void aplic_write_setipnum_be(Aplic *s, unsigned i, uint32_t v)
{
    aplic_set_pending(s, GUINT32_SWAP_LE_BE(v), true);
}

static void aplic_write_clripnum(Aplic *s, unsigned i, uint32_t v)
{
    aplic_set_pending(s, v, false);
}

static void aplic_write_setienum(Aplic *s, unsigned i, uint32_t v)
{
    aplic_set_enabled(s, v, true);
}

static void aplic_write_clrienum(Aplic *s, unsigned i, uint32_t v)
{
    aplic_set_enabled(s, v, false);
}

static uint32_t aplic_read_genmsi(Aplic *s, unsigned i)
{
    return s->genmsi;
}

static void aplic_write_genmsi(Aplic *s, unsigned i, uint32_t v)
{
    if (!s->msimode)
        return;
    s->genmsi = v & (0xfffc0000u | TARGET_EIID); /* Busy reads as 0: the message is sent now */
    aplic_send_msi(s, HART_INDEX(v), 0, v & TARGET_EIID);
}

static uint32_t aplic_read_target(Aplic *s, unsigned i)
{
    return i + 1 <= s->num_sources ? s->target[i + 1] : 0;
}

static void aplic_write_target(Aplic *s, unsigned i, uint32_t v)
{
    if (!aplic_is_active(s, i + 1))
        return;
    if (s->msimode) /* no guest files: Guest Index is zero */
        s->target[i + 1] = v & (0xfffc0000u | TARGET_EIID);
    else
        s->target[i + 1] =
            v & TARGET_IPRIO ? v & (0xfffc0000u | TARGET_IPRIO) : (v & 0xfffc0000u) | 1;
}

enum { IDC_WORDS = 8, IDELIVERY = 0, IFORCE = 1, ITHRESHOLD = 2, TOPI = 6, CLAIMI = 7 };

static uint32_t aplic_read_idc(Aplic *s, unsigned i)
{
    unsigned hart = i / IDC_WORDS;

    if (s->msimode || hart >= s->num_harts)
        return 0;
    switch (i % IDC_WORDS) {
    case IDELIVERY:
        return s->idc[hart].idelivery;
    case IFORCE:
        return s->idc[hart].iforce;
    case ITHRESHOLD:
        return s->idc[hart].ithreshold;
    case TOPI:
        return aplic_topi(s, hart);
    case CLAIMI:
        return aplic_claim(s, hart);
    }
    return 0;
}

static void aplic_write_idc(Aplic *s, unsigned i, uint32_t v)
{
    unsigned hart = i / IDC_WORDS;

    if (s->msimode || hart >= s->num_harts)
        return;
    switch (i % IDC_WORDS) {
    case IDELIVERY:
        s->idc[hart].idelivery = v & 1;
        break;
    case IFORCE:
        s->idc[hart].iforce = v & 1;
        break;
    case ITHRESHOLD:
        s->idc[hart].ithreshold = v & TARGET_IPRIO;
        break;
    }
}

typedef struct AplicBlock {
    uint32_t at, words;
    AplicReadFn *read;
    AplicWriteFn *write;
} AplicBlock;

static const AplicBlock aplic_blocks[] = {
    { 0x0000, 1, aplic_read_domaincfg, aplic_write_domaincfg },
    { 0x0004, 1023, aplic_read_sourcecfg, aplic_write_sourcecfg },
    { 0x1bc0, MSI_REGS, aplic_read_msiaddr, aplic_write_msiaddr },
    { 0x1c00, 32, aplic_read_ip, aplic_write_setip },
    { 0x1cdc, 1, aplic_read_zero, aplic_write_setipnum },
    { 0x1d00, 32, aplic_read_in, aplic_write_clrip },
    { 0x1ddc, 1, aplic_read_zero, aplic_write_clripnum },
    { 0x1e00, 32, aplic_read_ie, aplic_write_setie },
    { 0x1edc, 1, aplic_read_zero, aplic_write_setienum },
    { 0x1f00, 32, aplic_read_zero, aplic_write_clrie },
    { 0x1fdc, 1, aplic_read_zero, aplic_write_clrienum },
    { 0x2000, 1, aplic_read_zero, aplic_write_setipnum },
    { 0x2004, 1, aplic_read_zero, aplic_write_setipnum_be },
    { 0x3000, 1, aplic_read_genmsi, aplic_write_genmsi },
    { 0x3004, 1023, aplic_read_target, aplic_write_target },
    { 0x4000, CPU_INPUT_MAX_HARTS *IDC_WORDS, aplic_read_idc, aplic_write_idc },
};

static const AplicBlock *aplic_find_block(uint64_t offset)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(aplic_blocks); i++) {
        if (offset >= aplic_blocks[i].at &&
            (offset - aplic_blocks[i].at) / 4 < aplic_blocks[i].words)
            return &aplic_blocks[i];
    }
    return NULL;
}

static uint64_t aplic_read(void *opaque, uint64_t offset, unsigned size)
{
    const AplicBlock *b = aplic_find_block(offset);

    return b ? b->read(opaque, (offset - b->at) / 4) : 0;
}

static void aplic_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    const AplicBlock *b = aplic_find_block(offset);

    if (!b) {
        guest_error("aplic", "write of 0x%x at 0x%x: no register there", (unsigned)value,
                    (unsigned)offset);
        return;
    }
    b->write(opaque, (offset - b->at) / 4, value);
    aplic_update(opaque);
}

static const MemOps aplic_ops = {
    .read = aplic_read, .write = aplic_write, .valid_min = 4, .valid_max = 4, .impl_min = 4
};

/* --- creation and reset --- */

void aplic_set_child(Device *root, Device *child)
{
    Aplic *r = (Aplic *)root, *c = (Aplic *)child;

    g_assert(root->type == child->type && r->num_sources == c->num_sources);
    r->child = c;
    c->root = r;
}

static bool aplic_realize(void *dev, GError **err)
{
    Aplic *s = dev;

    s->sys.dev.n_irq_in = s->num_sources + 1;
    s->sys.dev.irq_in = g_new0(IrqPin, s->sys.dev.n_irq_in);
    irq_init(s->sys.dev.irq_in, s->sys.dev.n_irq_in, aplic_input, s);
    return true;
}

static void aplic_reset(void *dev, ResetKind kind)
{
    Aplic *s = dev;

    s->domaincfg = s->genmsi = 0;
    memset(s->msiaddr, 0, sizeof(s->msiaddr));
    memset(s->sourcecfg, 0, sizeof(s->sourcecfg));
    memset(s->target, 0, sizeof(s->target));
    memset(s->ip, 0, sizeof(s->ip));
    memset(s->ie, 0, sizeof(s->ie));
    memset(s->idc, 0, sizeof(s->idc));
}

static void aplic_reset_exit(void *dev)
{
    Aplic *s = dev;

    for (unsigned n = 1; n <= s->num_sources; n++)
        aplic_pass_down(s, n);
    aplic_update(s);
}

static bool aplic_check(void *obj, GError **err)
{
    Aplic *s = obj;

    for (unsigned n = 0; n < WORDS * 32; n++) {
        bool set = aplic_get_bit(s->ip, n) || aplic_get_bit(s->ie, n) ||
                   (n <= MAX_SOURCES && s->target[n]);
        bool there = n >= 1 && n <= s->num_sources;

        if ((!there && s->sourcecfg[n]) || (there && s->sourcecfg[n] & ~(SOURCECFG_D | 7u)) ||
            (set && !aplic_is_active(s, n)) || (!there && aplic_get_bit(s->input, n))) {
            return error_set(err, ERROR_GUEST,
                             "aplic: source %u has state (sourcecfg 0x%x) that an inactive source "
                             "cannot have",
                             n, s->sourcecfg[n]);
        }
    }
    return true;
}

static bool aplic_post_load(void *obj, GError **err)
{
    Aplic *s = obj;

    for (unsigned n = 1; n <= s->num_sources; n++)
        s->sys.dev.irq_in[n].level = aplic_get_bit(s->input, n);
    if (!s->msimode)
        aplic_drive_harts(s);
    return true;
}

static const VmField aplic_idc_fields[] = {
    VM_U32(AplicIdc, idelivery, .max = 1),
    VM_U32(AplicIdc, iforce, .max = 1),
    VM_U32(AplicIdc, ithreshold, .max = TARGET_IPRIO),
};

static const VmState aplic_idc_vmstate = {
    .name = "aplic_idc",
    .version = 1,
    .fields = aplic_idc_fields,
    .n_fields = G_N_ELEMENTS(aplic_idc_fields),
};

static const VmField aplic_fields[] = {
    VM_U32(Aplic, domaincfg, .mask = DOMAINCFG_IE),
    VM_U32(Aplic, genmsi, .mask = 0xfffc0000u | TARGET_EIID),
    VM_U32_ARRAY(Aplic, msiaddr),
    VM_U32_ARRAY(Aplic, sourcecfg),
    VM_U32_ARRAY(Aplic, target),
    VM_U32_ARRAY(Aplic, input),
    VM_U32_ARRAY(Aplic, ip),
    VM_U32_ARRAY(Aplic, ie),
    VM_STRUCT_GROWING(Aplic, idc, &aplic_idc_vmstate, CPU_INPUT_SAVED_HARTS, num_harts),
};

static const VmState aplic_vmstate = {
    .name = "riscv_aplic",
    .version = 1,
    .fields = aplic_fields,
    .n_fields = G_N_ELEMENTS(aplic_fields),
    .check = aplic_check,
    .post_load = aplic_post_load,
};

static const PlanProp aplic_props[] = {
    PROP_U32(Aplic, num_sources, "num-irqs", 96, 1, MAX_SOURCES, "interrupt sources, from 1"),
    PROP_U32(Aplic, num_harts, "num-harts", 1, 1, CPU_INPUT_MAX_HARTS, "harts"),
    PROP_HART_BASE(Aplic),
    PROP_BOOL(Aplic, msimode, "msimode", false, "deliver by messages instead of wires"),
    PROP_BOOL(Aplic, mmode, "mmode", false, "machine level instead of supervisor level"),
};

static const SysRegionDesc aplic_regions[] = {
    { .name = "riscv.aplic", .size = APLIC_SIZE, .ops = &aplic_ops },
};

static const SysDeviceType aplic_type = {
    .base = {
        .name = "riscv.aplic",
        .doc = "advanced platform-level interrupt controller (one domain)",
        .kind = &sys_device_kind,
        .size = sizeof(Aplic),
        .props = aplic_props, .n_props = G_N_ELEMENTS(aplic_props),
        .vmstate = &aplic_vmstate,
        .internal = true,
        .realize = aplic_realize,
        .reset = aplic_reset,
        .reset_exit = aplic_reset_exit,
    },
    .regions = aplic_regions, .n_regions = G_N_ELEMENTS(aplic_regions),
};
SYS_DEVICE_TYPE(aplic_type);
