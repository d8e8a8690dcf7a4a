/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Platform-Level Interrupt Controller: sources with priorities, contexts with enables, a
 * threshold and claim/complete.
 *
 * Reference: RISC-V Platform-Level Interrupt Controller specification 1.0.0. Context 2h is
 * M mode of hart h of the controller, context 2h+1 its S mode. Gateways are level-triggered. A
 * forwarded request is not retracted, and no further request is forwarded before its completion.
 *
 * plic_decode() computes the register at an offset, instead of RegDesc rows. The registers are
 * arrays whose lengths and writable bits follow from the properties num-sources and num-harts, up
 * to thousands of registers, while rows are const and describe one register each.
 */
#include "hw/core/sysdev.h"
#include "hw/intc/cpu_input.h"
#include "util/error.h"
#include "util/log.h"

enum { MAX_CONTEXTS = 2 * CPU_INPUT_MAX_HARTS, MAX_SOURCES = 127, WORDS = 4 };
enum { PRIORITY_MASK = 7 };
enum {
    PRIORITY_BASE = 0x0,
    PENDING_BASE = 0x1000,
    ENABLE_BASE = 0x2000,
    ENABLE_STRIDE = 0x80,
    CONTEXT_BASE = 0x200000,
    CONTEXT_STRIDE = 0x1000,
    THRESHOLD = 0,
    CLAIM = 4,
    PLIC_SIZE = 0x600000,
};

typedef struct PlicContext {
    uint32_t enable[WORDS], threshold;
} PlicContext;

typedef struct Plic {
    SysDevice sys;
    uint32_t num_sources, num_harts, hart_base, num_contexts;
    uint32_t priority[MAX_SOURCES + 1];
    uint32_t pending[WORDS], claimed[WORDS], level[WORDS];
    PlicContext ctx[MAX_CONTEXTS];
} Plic;

static bool plic_get_bit(const uint32_t *words, unsigned n)
{
    return words[n / 32] >> n % 32 & 1;
}

static void plic_put_bit(uint32_t *words, unsigned n, bool v)
{
    words[n / 32] = (words[n / 32] & ~(1u << n % 32)) | (uint32_t)v << n % 32;
}

/* Return the source for a context that has the highest priority above `floor`, then the lowest
 * number; 0: none. Priority 0 never interrupts. */
static unsigned plic_best_source(const Plic *s, const PlicContext *c, uint32_t floor)
{
    unsigned best = 0;

    for (unsigned w = 0; w < WORDS; w++) {
        uint32_t bits = s->pending[w] & c->enable[w];

        for (; bits; bits &= bits - 1) {
            unsigned n = w * 32 + __builtin_ctz(bits);

            if (s->priority[n] > floor) {
                floor = s->priority[n];
                best = n;
            }
        }
    }
    return best;
}

static void plic_update_outputs(Plic *s)
{
    for (unsigned i = 0; i < s->num_contexts; i++) {
        bool level = plic_best_source(s, &s->ctx[i], s->ctx[i].threshold) != 0;

        cpu_drive(s->sys.dev.machine, s->hart_base + i / 2, i % 2 ? INPUT_SEIP : INPUT_MEIP, level);
    }
}

/* Forward a request of source n if its line is high and no request is outstanding. */
static void plic_gateway(Plic *s, unsigned n)
{
    if (plic_get_bit(s->level, n) && !plic_get_bit(s->claimed, n))
        plic_put_bit(s->pending, n, true);
}

static void plic_input(void *opaque, unsigned n, bool level)
{
    Plic *s = opaque;

    if (n == 0)
        return;
    plic_put_bit(s->level, n, level);
    plic_gateway(s, n);
    plic_update_outputs(s);
}

static uint32_t plic_claim(Plic *s, PlicContext *c)
{
    unsigned n = plic_best_source(s, c, 0);

    if (n) {
        plic_put_bit(s->pending, n, false);
        plic_put_bit(s->claimed, n, true);
        plic_update_outputs(s);
    }
    return n;
}

static void plic_complete(Plic *s, PlicContext *c, uint32_t n)
{
    if (n == 0 || n > s->num_sources || !plic_get_bit(c->enable, n) ||
        !plic_get_bit(s->claimed, n)) {
        guest_error("plic", "completion of source %u, which the context has not claimed", n);
        return;
    }
    plic_put_bit(s->claimed, n, false);
    plic_gateway(s, n);
    plic_update_outputs(s);
}

/* The register at an offset. The pointers are NULL if there is none. */
typedef struct PlicReg {
    uint32_t *word;
    uint32_t mask; /* writable bits */
    PlicContext *claim;
} PlicReg;

static uint32_t plic_source_mask(const Plic *s, unsigned word)
{
    uint32_t mask = word == 0 ? ~1u : ~0u;
    unsigned top = s->num_sources;

    if (word * 32 > top)
        return 0;
    return word == top / 32 && top % 32 != 31 ? mask & ((2u << top % 32) - 1) : mask;
}

static PlicReg plic_decode(Plic *s, uint64_t offset)
{
    unsigned i, word;

    if (offset < PENDING_BASE) {
        i = (offset - PRIORITY_BASE) / 4;
        return i >= 1 && i <= s->num_sources ? (PlicReg){ &s->priority[i], PRIORITY_MASK, NULL }
                                             : (PlicReg){ 0 };
    }
    if (offset < ENABLE_BASE) {
        word = (offset - PENDING_BASE) / 4;
        return word < WORDS ? (PlicReg){ &s->pending[word], 0, NULL } : (PlicReg){ 0 };
    }
    if (offset < CONTEXT_BASE) {
        i = (offset - ENABLE_BASE) / ENABLE_STRIDE;
        word = (offset - ENABLE_BASE) % ENABLE_STRIDE / 4;
        return i < s->num_contexts && word < WORDS
                   ? (PlicReg){ &s->ctx[i].enable[word], plic_source_mask(s, word), NULL }
                   : (PlicReg){ 0 };
    }
    i = (offset - CONTEXT_BASE) / CONTEXT_STRIDE;
    if (i >= s->num_contexts)
        return (PlicReg){ 0 };
    switch (offset % CONTEXT_STRIDE) {
    case THRESHOLD:
        return (PlicReg){ &s->ctx[i].threshold, PRIORITY_MASK, NULL };
    case CLAIM:
        return (PlicReg){ NULL, 0, &s->ctx[i] };
    }
    return (PlicReg){ 0 };
}

static uint64_t plic_read(void *opaque, uint64_t offset, unsigned size)
{
    Plic *s = opaque;
    PlicReg r = plic_decode(s, offset);

    if (r.claim)
        return plic_claim(s, r.claim);
    return r.word ? *r.word : 0;
}

static void plic_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    Plic *s = opaque;
    PlicReg r = plic_decode(s, offset);

    if (r.claim) {
        plic_complete(s, r.claim, value);
    } else if (r.mask) {
        *r.word = value & r.mask;
        plic_update_outputs(s);
    } else {
        guest_error("plic", "write of 0x%x at 0x%x: no writable register there", (unsigned)value,
                    (unsigned)offset);
    }
}

static const MemOps plic_ops = {
    .read = plic_read, .write = plic_write, .valid_min = 4, .valid_max = 4, .impl_min = 4
};

static bool plic_realize(void *dev, GError **err)
{
    Plic *s = dev;

    s->num_contexts = 2 * s->num_harts;
    s->sys.dev.n_irq_in = s->num_sources + 1;
    s->sys.dev.irq_in = g_new0(IrqPin, s->sys.dev.n_irq_in);
    irq_init(s->sys.dev.irq_in, s->sys.dev.n_irq_in, plic_input, s);
    return true;
}

static void plic_reset(void *dev, ResetKind kind)
{
    Plic *s = dev;

    memset(s->priority, 0, sizeof(s->priority));
    memset(s->pending, 0, sizeof(s->pending));
    memset(s->claimed, 0, sizeof(s->claimed));
    memset(s->ctx, 0, sizeof(s->ctx));
}

static void plic_reset_exit(void *dev)
{
    Plic *s = dev;

    for (unsigned n = 1; n <= s->num_sources; n++)
        plic_gateway(s, n);
    plic_update_outputs(s);
}

static bool plic_check(void *obj, GError **err)
{
    Plic *s = obj;

    for (unsigned w = 0; w < WORDS; w++) {
        uint32_t bad = (s->pending[w] | s->claimed[w] | s->level[w]) & ~plic_source_mask(s, w);

        for (unsigned i = 0; i < MAX_CONTEXTS; i++)
            bad |= s->ctx[i].enable[w] & ~plic_source_mask(s, w);
        if (bad) {
            return error_set(err, ERROR_GUEST, "plic: bits 0x%x of word %u name sources beyond %u",
                             bad, w, s->num_sources);
        }
    }
    return true;
}

static bool plic_post_load(void *obj, GError **err)
{
    Plic *s = obj;

    for (unsigned n = 1; n <= s->num_sources; n++)
        s->sys.dev.irq_in[n].level = plic_get_bit(s->level, n);
    plic_update_outputs(s);
    return true;
}

static const VmField plic_context_fields[] = {
    VM_U32_ARRAY(PlicContext, enable),
    VM_U32(PlicContext, threshold, .mask = PRIORITY_MASK),
};

static const VmState plic_context_vmstate = {
    .name = "plic_context",
    .version = 1,
    .fields = plic_context_fields,
    .n_fields = G_N_ELEMENTS(plic_context_fields),
};

static const VmField plic_fields[] = {
    VM_U32_ARRAY(Plic, priority, .mask = PRIORITY_MASK),
    VM_U32_ARRAY(Plic, pending),
    VM_U32_ARRAY(Plic, claimed),
    VM_U32_ARRAY(Plic, level),
    VM_STRUCT_GROWING(Plic, ctx, &plic_context_vmstate, 2 * CPU_INPUT_SAVED_HARTS, num_contexts),
};

static const VmState plic_vmstate = {
    .name = "riscv_sifive_plic",
    .version = 1,
    .fields = plic_fields,
    .n_fields = G_N_ELEMENTS(plic_fields),
    .check = plic_check,
    .post_load = plic_post_load,
};

static const PlanProp plic_props[] = {
    PROP_U32(Plic, num_sources, "num-sources", 96, 1, MAX_SOURCES, "interrupt sources, from 1"),
    PROP_U32(Plic, num_harts, "num-harts", 1, 1, CPU_INPUT_MAX_HARTS, "harts, two contexts each"),
    PROP_HART_BASE(Plic),
};

static const SysRegionDesc plic_regions[] = {
    { .name = "riscv.sifive.plic", .size = PLIC_SIZE, .ops = &plic_ops },
};

static const SysDeviceType plic_type = {
    .base = {
        .name = "riscv.sifive.plic",
        .doc = "platform-level interrupt controller",
        .kind = &sys_device_kind,
        .size = sizeof(Plic),
        .props = plic_props, .n_props = G_N_ELEMENTS(plic_props),
        .vmstate = &plic_vmstate,
        .internal = true,
        .realize = plic_realize,
        .reset = plic_reset,
        .reset_exit = plic_reset_exit,
    },
    .regions = plic_regions, .n_regions = G_N_ELEMENTS(plic_regions),
};
SYS_DEVICE_TYPE(plic_type);
