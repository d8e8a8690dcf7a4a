/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Advanced Core Local Interruptor: software interrupts and the machine timer.
 *
 * Reference: RISC-V ACLINT specification 1.0-rc4. The SiFive CLINT is an MSWI at offset 0 and an
 * MTIMER at 0x4000 of the same window. The board creates it from these two devices.
 *
 * The registers are not RegDesc rows: all have the same layout for each hart, up to hundreds of
 * times, and mtime is derived from the virtual clock.
 */
#include "hw/core/sysdev.h"
#include "hw/intc/cpu_input.h"
#include "util/log.h"

enum { SWI_SIZE = 0x4000, MTIMER_SIZE = 0x8000, MTIME = 0x7ff8 };
#define NS_PER_S 1000000000u

/* --- MSWI and SSWI: one word for each hart, with bit 0 --- */

typedef struct AclintSwi {
    SysDevice sys;
    bool supervisor;
    uint32_t num_harts, hart_base;
    uint32_t msip[CPU_INPUT_MAX_HARTS];
} AclintSwi;

static uint64_t swi_read(void *opaque, uint64_t offset, unsigned size)
{
    const AclintSwi *s = opaque;

    return !s->supervisor && offset / 4 < s->num_harts ? s->msip[offset / 4] : 0;
}

/* SETSSIP reads as zero and is an edge: SSIP stays set until the hart clears it (4.1). */
static void swi_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    AclintSwi *s = opaque;
    unsigned hart = offset / 4;

    if (hart >= s->num_harts) {
        guest_error("aclint", "write of 0x%x at 0x%x: no hart has a register there",
                    (unsigned)value, (unsigned)offset);
    } else if (!s->supervisor) {
        s->msip[hart] = value & 1;
        cpu_drive(s->sys.dev.machine, s->hart_base + hart, INPUT_MSIP, value & 1);
    } else if (value & 1) {
        cpu_drive(s->sys.dev.machine, s->hart_base + hart, INPUT_SSIP, true);
    }
}

static const MemOps swi_ops = {
    .read = swi_read, .write = swi_write, .valid_min = 4, .valid_max = 4, .impl_min = 4
};

static void swi_reset(void *dev, ResetKind kind)
{
    AclintSwi *s = dev;

    memset(s->msip, 0, sizeof(s->msip));
}

static void swi_drive(void *dev)
{
    AclintSwi *s = dev;

    for (unsigned i = 0; i < s->num_harts && !s->supervisor; i++)
        cpu_drive(s->sys.dev.machine, s->hart_base + i, INPUT_MSIP, s->msip[i]);
}

/* Drive the outputs. A reset also clears SSIP of harts that have not processed an edge. */
static void swi_reset_exit(void *dev)
{
    AclintSwi *s = dev;

    for (unsigned i = 0; i < s->num_harts && s->supervisor; i++)
        cpu_drive(s->sys.dev.machine, s->hart_base + i, INPUT_SSIP, false);
    swi_drive(s);
}

static bool swi_post_load(void *obj, GError **err)
{
    swi_drive(obj);
    return true;
}

static const VmField swi_fields[] = {
    VM_U32_GROWING(AclintSwi, msip, CPU_INPUT_SAVED_HARTS, num_harts, .max = 1),
};

static const VmState swi_vmstate = {
    .name = "riscv_aclint_swi",
    .version = 1,
    .fields = swi_fields,
    .n_fields = G_N_ELEMENTS(swi_fields),
    .post_load = swi_post_load,
};

static const PlanProp swi_props[] = {
    PROP_BOOL(AclintSwi, supervisor, "sswi", false, "supervisor instead of machine level"),
    PROP_U32(AclintSwi, num_harts, "num-harts", 1, 1, CPU_INPUT_MAX_HARTS, "harts"),
    PROP_HART_BASE(AclintSwi),
};

static const SysRegionDesc swi_regions[] = {
    { .name = "riscv.aclint.swi", .size = SWI_SIZE, .ops = &swi_ops },
};

static const SysDeviceType aclint_swi_type = {
    .base = {
        .name = "riscv.aclint.swi",
        .doc = "software interrupt registers of an ACLINT or CLINT",
        .kind = &sys_device_kind,
        .size = sizeof(AclintSwi),
        .props = swi_props, .n_props = G_N_ELEMENTS(swi_props),
        .vmstate = &swi_vmstate,
        .internal = true,
        .reset = swi_reset,
        .reset_exit = swi_reset_exit,
    },
    .regions = swi_regions, .n_regions = G_N_ELEMENTS(swi_regions),
};
SYS_DEVICE_TYPE(aclint_swi_type);

/* --- MTIMER: mtimecmp of each hart, then mtime --- */

typedef struct AclintMtimer {
    SysDevice sys;
    uint32_t num_harts, hart_base, frequency;
    uint64_t mtimecmp[CPU_INPUT_MAX_HARTS];
    uint64_t delta; /* mtime minus the ticks of the virtual clock */
    Timer next;     /* the earliest compare value in the future */
} AclintMtimer;

static uint64_t mtimer_ticks(const AclintMtimer *s)
{
    uint64_t now = clock_now_any(s->sys.dev.machine, CLOCK_KIND_VIRTUAL);

    return (unsigned __int128)now * s->frequency / NS_PER_S;
}

/* Return the virtual time at which the tick counter reaches `ticks`; CLOCK_NEVER beyond its range.
 */
static int64_t mtimer_ns_of(const AclintMtimer *s, unsigned __int128 ticks)
{
    unsigned __int128 ns = (ticks * NS_PER_S + s->frequency - 1) / s->frequency;

    return ns < CLOCK_NEVER ? (int64_t)ns : CLOCK_NEVER;
}

/* Drive MTIP of every hart and arm the timer for the next change. */
static void mtimer_update(void *dev)
{
    AclintMtimer *s = dev;
    uint64_t ticks = mtimer_ticks(s), mtime = ticks + s->delta;
    int64_t deadline = CLOCK_NEVER;

    for (unsigned i = 0; i < s->num_harts; i++) {
        uint64_t cmp = s->mtimecmp[i];

        cpu_drive(s->sys.dev.machine, s->hart_base + i, INPUT_MTIP, mtime >= cmp);
        if (mtime < cmp) {
            unsigned __int128 at = (unsigned __int128)ticks + (cmp - mtime);

            deadline = MIN(deadline, mtimer_ns_of(s, at));
        }
    }
    if (deadline == CLOCK_NEVER)
        timer_cancel(&s->next);
    else
        timer_arm_at(&s->next, deadline);
}

static uint64_t mtimer_value(const AclintMtimer *s, uint64_t offset)
{
    if (offset / 8 == MTIME / 8)
        return mtimer_ticks(s) + s->delta;
    return offset / 8 < s->num_harts ? s->mtimecmp[offset / 8] : 0;
}

static uint64_t mtimer_read(void *opaque, uint64_t offset, unsigned size)
{
    uint64_t v = mtimer_value(opaque, offset) >> offset % 8 * 8;

    return size == 8 ? v : (uint32_t)v;
}

static void mtimer_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    AclintMtimer *s = opaque;
    uint64_t v = value;

    if (size == 4) { /* the other half does not change */
        uint64_t mask = 0xffffffffull << offset % 8 * 8;

        v = (mtimer_value(s, offset) & ~mask) | (value << offset % 8 * 8 & mask);
    }
    if (offset / 8 == MTIME / 8)
        s->delta = v - mtimer_ticks(s);
    else if (offset / 8 < s->num_harts)
        s->mtimecmp[offset / 8] = v;
    mtimer_update(s);
}

static const MemOps mtimer_ops = { .read = mtimer_read,
                                   .write = mtimer_write,
                                   .valid_min = 4,
                                   .valid_max = 8,
                                   .impl_min = 4,
                                   .impl_max = 8 };

static bool mtimer_realize(void *dev, GError **err)
{
    AclintMtimer *s = dev;

    timer_setup(&s->next, mtimer_update, s);
    return true;
}

static void mtimer_reset(void *dev, ResetKind kind)
{
    AclintMtimer *s = dev;

    for (unsigned i = 0; i < CPU_INPUT_MAX_HARTS; i++)
        s->mtimecmp[i] = UINT64_MAX; /* not specified: no interrupt before software sets it */
    timer_cancel(&s->next);
}

static void mtimer_unrealize(void *dev)
{
    AclintMtimer *s = dev;

    timer_cancel(&s->next);
}

/* The clock determines the levels, but it may not be loaded yet. The row of the timer re-arms the
 * timer, and a deadline in the past drives the line at the first turn of the main loop. */
static const VmField mtimer_fields[] = {
    VM_U64_GROWING(AclintMtimer, mtimecmp, CPU_INPUT_SAVED_HARTS, num_harts),
    VM_U64(AclintMtimer, delta),
    VM_TIMER(AclintMtimer, next),
};

static const VmState mtimer_vmstate = {
    .name = "riscv_aclint_mtimer",
    .version = 1,
    .fields = mtimer_fields,
    .n_fields = G_N_ELEMENTS(mtimer_fields),
};

static const PlanProp mtimer_props[] = {
    PROP_U32(AclintMtimer, num_harts, "num-harts", 1, 1, CPU_INPUT_MAX_HARTS, "harts"),
    PROP_HART_BASE(AclintMtimer),
    PROP_U32(AclintMtimer, frequency, "timebase-freq", 10000000, 1, 1000000000,
             "ticks of mtime per second"),
};

static const SysRegionDesc mtimer_regions[] = {
    { .name = "riscv.aclint.mtimer", .size = MTIMER_SIZE, .ops = &mtimer_ops },
};

static const SysDeviceType aclint_mtimer_type = {
    .base = {
        .name = "riscv.aclint.mtimer",
        .doc = "machine timer of an ACLINT or CLINT",
        .kind = &sys_device_kind,
        .size = sizeof(AclintMtimer),
        .props = mtimer_props, .n_props = G_N_ELEMENTS(mtimer_props),
        .vmstate = &mtimer_vmstate,
        .internal = true,
        .realize = mtimer_realize,
        .reset = mtimer_reset,
        .reset_exit = mtimer_update,
        .unrealize = mtimer_unrealize,
    },
    .regions = mtimer_regions, .n_regions = G_N_ELEMENTS(mtimer_regions),
};
SYS_DEVICE_TYPE(aclint_mtimer_type);
