/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Goldfish real-time clock: nanoseconds since 1970 in two 32-bit registers, and an alarm with an
 * interrupt.
 *
 * Reference: the register list of Linux's drivers/rtc/rtc-goldfish.c binding and Android's
 * "Goldfish virtual hardware" document. The time is the sum of a clock of the machine, by default
 * the host's, and an offset that is saved.
 */
#include "hw/rtc/goldfish.h"

#include <string.h>

#include "hw/core/sysdev.h"
#include "util/error.h"

typedef struct Goldfish {
    SysDevice sys;
    int64_t offset; /* RTC time minus the clock, in ns */
    uint32_t clock; /* property: index into clock_names */
    uint64_t base;  /* property: time at start, ns since 1970; 0: the host's */
    uint32_t time_low, time_high, alarm_low, alarm_high, irq_enabled, alarm_status, irq_pending;
    Timer alarm;
    /* Saved state. The clocks of two hosts have only the time of day in common. */
    uint32_t saved_clock;
    int64_t saved_time;   /* offset from the host's time of day; for other clocks the RTC time */
    uint64_t saved_alarm; /* RTC time of the armed alarm; 0: none */
} Goldfish;

static const char *const clock_names[] = { "host", "rt", "vm", NULL };
static const ClockKind clock_kinds[] = { CLOCK_KIND_HOST, CLOCK_KIND_REALTIME, CLOCK_KIND_VIRTUAL };

static uint64_t goldfish_clock_now(const Goldfish *s)
{
    return clock_now_any(s->sys.dev.machine, clock_kinds[s->clock]);
}

static uint64_t goldfish_now(const Goldfish *s)
{
    return goldfish_clock_now(s) + s->offset;
}

static void goldfish_update_irq(Goldfish *s)
{
    sysdev_irq_set(&s->sys, 0, s->irq_enabled && s->irq_pending);
}

static void goldfish_alarm_fired(void *dev)
{
    Goldfish *s = dev;

    s->alarm_status = 0;
    s->irq_pending = 1;
    goldfish_update_irq(s);
}

static uint64_t goldfish_alarm_time(const Goldfish *s)
{
    return (uint64_t)s->alarm_high << 32 | s->alarm_low;
}

/* Arm the timer for an RTC time. A time in the past fires immediately. */
static void goldfish_arm_alarm(Goldfish *s, uint64_t at)
{
    uint64_t deadline = at - (uint64_t)s->offset;

    timer_cancel(&s->alarm);
    s->alarm_status = 1;
    if (at <= goldfish_now(s))
        goldfish_alarm_fired(s);
    else
        timer_arm_at(&s->alarm, deadline < CLOCK_NEVER ? (int64_t)deadline : CLOCK_NEVER - 1);
}

static uint64_t goldfish_read_time_low(void *dev, const RegDesc *r)
{
    Goldfish *s = dev;
    uint64_t now = goldfish_now(s);

    s->time_high = now >> 32;
    return (uint32_t)now;
}

static uint32_t goldfish_wrote_time_low(void *dev, const RegDesc *r, uint64_t old, uint64_t new)
{
    Goldfish *s = dev;
    uint64_t t = (uint64_t)s->time_high << 32 | s->time_low;

    s->offset = t - goldfish_clock_now(s);
    if (s->alarm_status)
        goldfish_arm_alarm(s, goldfish_alarm_time(s));
    return 0;
}

static uint32_t goldfish_wrote_alarm_low(void *dev, const RegDesc *r, uint64_t old, uint64_t new)
{
    goldfish_arm_alarm(dev, goldfish_alarm_time(dev));
    return 0;
}

static uint32_t goldfish_wrote_irq_enabled(void *dev, const RegDesc *r, uint64_t old, uint64_t new)
{
    goldfish_update_irq(dev);
    return 0;
}

static uint32_t goldfish_wrote_clear_alarm(void *dev, const RegDesc *r, uint64_t old, uint64_t new)
{
    Goldfish *s = dev;

    timer_cancel(&s->alarm);
    s->alarm_status = 0;
    return 0;
}

static uint32_t goldfish_wrote_clear_interrupt(void *dev, const RegDesc *r, uint64_t old,
                                               uint64_t new)
{
    Goldfish *s = dev;

    s->irq_pending = 0;
    goldfish_update_irq(s);
    return 0;
}

#define ALL32 UINT32_MAX
static const RegDesc goldfish_regs[] = {
    REG32(Goldfish, time_low, 0x00, .rw = ALL32, .read = goldfish_read_time_low,
          .wrote = goldfish_wrote_time_low),
    REG32(Goldfish, time_high, 0x04, .rw = ALL32),
    REG32(Goldfish, alarm_low, 0x08, .rw = ALL32, .wrote = goldfish_wrote_alarm_low),
    REG32(Goldfish, alarm_high, 0x0c, .rw = ALL32),
    REG32(Goldfish, irq_enabled, 0x10, .rw = 1, .wrote = goldfish_wrote_irq_enabled),
    { .offset = 0x14,
      .width = 4,
      .name = "clear_alarm",
      .field = REG_NO_FIELD,
      .wrote = goldfish_wrote_clear_alarm },
    REG32_RO(Goldfish, alarm_status, 0x18),
    { .offset = 0x1c,
      .width = 4,
      .name = "clear_interrupt",
      .field = REG_NO_FIELD,
      .wrote = goldfish_wrote_clear_interrupt },
};

/* Use the selected clock, beginning with `base` ns since 1970. */
static void goldfish_set_clock(Goldfish *s, uint64_t base)
{
    timer_cancel(&s->alarm);
    timer_setup_plain(&s->alarm, s->sys.dev.machine, clock_kinds[s->clock], goldfish_alarm_fired,
                      s);
    s->offset = base - goldfish_clock_now(s);
}

static bool goldfish_realize(void *dev, GError **err)
{
    Goldfish *s = dev;

    goldfish_set_clock(s, s->base ? s->base
                                  : (uint64_t)clock_now_any(s->sys.dev.machine, CLOCK_KIND_HOST));
    return true;
}

/* --- -rtc --- */

static bool goldfish_parse_base(const char *text, Machine *m, uint64_t *base)
{
    uint64_t now = clock_now_any(m, CLOCK_KIND_HOST);
    g_autoptr(GTimeZone) utc = g_time_zone_new_utc();
    g_autofree char *full = g_strdup_printf("%s%s", text, strchr(text, 'T') ? "" : "T00:00:00");
    g_autoptr(GDateTime) date = g_date_time_new_from_iso8601(full, utc);
    g_autoptr(GDateTime) local = g_date_time_new_now_local();

    if (g_str_equal(text, "utc"))
        *base = now;
    else if (g_str_equal(text, "localtime"))
        *base = now + g_date_time_get_utc_offset(local) * 1000;
    else if (date && g_date_time_to_unix(date) >= 0)
        *base = (uint64_t)g_date_time_to_unix(date) * 1000000000;
    else
        return false;
    return true;
}

static bool goldfish_parse_clock(const char *text, uint32_t *clock)
{
    for (uint32_t i = 0; clock_names[i]; i++) {
        if (g_str_equal(text, clock_names[i])) {
            *clock = i;
            return true;
        }
    }
    return false;
}

bool goldfish_set(Device *dev, const char *options, GError **err)
{
    Goldfish *s = (Goldfish *)dev;
    uint64_t base = goldfish_now(s);
    g_auto(GStrv) parts = g_strsplit(options, ",", -1);

    for (unsigned i = 0; parts[i]; i++) {
        bool ok = g_str_equal(parts[i], "driftfix=none");

        if (g_str_has_prefix(parts[i], "base="))
            ok = goldfish_parse_base(parts[i] + 5, dev->machine, &base);
        else if (g_str_has_prefix(parts[i], "clock="))
            ok = goldfish_parse_clock(parts[i] + 6, &s->clock);
        if (!ok) {
            return error_set(err, ERROR_USER,
                             "-rtc %s: use base=utc|localtime|YYYY-MM-DD[Thh:mm:ss] or "
                             "clock=host|rt|vm",
                             parts[i]);
        }
    }
    goldfish_set_clock(s, base);
    return true;
}

/* A reset does not change the time. */
static void goldfish_reset(void *dev, ResetKind kind)
{
    Goldfish *s = dev;

    timer_cancel(&s->alarm);
    s->irq_pending = 0;
}

static void goldfish_reset_exit(void *dev)
{
    goldfish_update_irq(dev);
}

static void goldfish_unrealize(void *dev)
{
    Goldfish *s = dev;

    timer_cancel(&s->alarm);
}

static void goldfish_pre_save(void *obj)
{
    Goldfish *s = obj;
    bool host = clock_kinds[s->clock] == CLOCK_KIND_HOST;

    s->saved_clock = s->clock;
    s->saved_time = host ? s->offset : (int64_t)goldfish_now(s);
    s->saved_alarm = s->alarm_status ? (uint64_t)s->alarm.deadline + (uint64_t)s->offset : 0;
}

/* The RTC time when the state was saved. For the host clock, time has passed since then. */
static uint64_t goldfish_loaded_now(const Goldfish *s)
{
    uint64_t host = clock_now_any(s->sys.dev.machine, CLOCK_KIND_HOST);

    return clock_kinds[s->saved_clock] == CLOCK_KIND_HOST ? host + (uint64_t)s->saved_time
                                                          : (uint64_t)s->saved_time;
}

static bool goldfish_post_load(void *obj, GError **err)
{
    Goldfish *s = obj;
    bool same = s->clock == s->saved_clock && clock_kinds[s->clock] == CLOCK_KIND_HOST;

    s->offset = same ? s->saved_time : (int64_t)(goldfish_loaded_now(s) - goldfish_clock_now(s));
    timer_cancel(&s->alarm);
    if (s->alarm_status) {
        goldfish_arm_alarm(s, s->saved_alarm);
    }
    goldfish_update_irq(s);
    return true;
}

static const VmField goldfish_fields[] = {
    VM_U32(Goldfish, saved_clock, .max = G_N_ELEMENTS(clock_kinds) - 1),
    VM_I64(Goldfish, saved_time),
    VM_U64(Goldfish, saved_alarm),
    VM_U32(Goldfish, time_low),
    VM_U32(Goldfish, time_high),
    VM_U32(Goldfish, alarm_low),
    VM_U32(Goldfish, alarm_high),
    VM_U32(Goldfish, irq_enabled, .max = 1),
    VM_U32(Goldfish, alarm_status, .max = 1),
    VM_U32(Goldfish, irq_pending, .max = 1),
};

static const VmState goldfish_vmstate = {
    .name = "goldfish_rtc",
    .version = 1,
    .fields = goldfish_fields,
    .n_fields = G_N_ELEMENTS(goldfish_fields),
    .pre_save = goldfish_pre_save,
    .post_load = goldfish_post_load,
};

static const PlanProp goldfish_props[] = {
    PROP_U64(Goldfish, base, "base", 0, 0, INT64_MAX,
             "time at power-on in ns since 1970; 0 is the host's clock"),
    PROP_ENUM(Goldfish, clock, "clock", 0, clock_names, "the clock that the time is based on"),
};

static const SysRegionDesc goldfish_regions[] = {
    { .name = "goldfish_rtc",
      .size = 0x1000,
      .regs = goldfish_regs,
      .n_regs = G_N_ELEMENTS(goldfish_regs) },
};

static const SysDeviceType goldfish_type = {
    .base = {
        .name = "goldfish_rtc",
        .doc = "Goldfish real-time clock",
        .kind = &sys_device_kind,
        .size = sizeof(Goldfish),
        .props = goldfish_props, .n_props = G_N_ELEMENTS(goldfish_props),
        .vmstate = &goldfish_vmstate,
        .internal = true,
        .realize = goldfish_realize,
        .reset = goldfish_reset,
        .reset_exit = goldfish_reset_exit,
        .unrealize = goldfish_unrealize,
    },
    .regions = goldfish_regions, .n_regions = G_N_ELEMENTS(goldfish_regions),
    .n_irqs = 1,
};
SYS_DEVICE_TYPE(goldfish_type);
