/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * throttle-group: I/O limits that several disks share (block/throttle.c applies them).
 */
#include "hw/core/host_object.h"

typedef struct HostThrottle {
    HostObject o;
    IoLimits limits, older; /* as limits.NAME, and as x-NAME until open() */
} HostThrottle;

static void host_throttle_merge(struct IoLimit *l, const struct IoLimit *older)
{
    l->avg = l->avg ? l->avg : older->avg;
    l->max = l->max ? l->max : older->max;
    l->max_length = l->max_length ? l->max_length : older->max_length;
}

static bool host_throttle_open(HostObject *o, GError **err)
{
    HostThrottle *t = (HostThrottle *)o;

    for (unsigned i = 0; i < IO_LIMIT_KINDS; i++) {
        host_throttle_merge(&t->limits.of[i], &t->older.of[i]);
    }
    t->limits.op_size = t->limits.op_size ? t->limits.op_size : t->older.op_size;
    t->older = t->limits; /* both names report the value */
    return io_limits_check(&t->limits, err);
}

static void host_throttle_close(HostObject *o)
{
}

const IoLimits *host_throttle_limits(const HostObject *o)
{
    return o->kind == &host_throttle ? &((const HostThrottle *)o)->limits : NULL;
}

/* Each value has two names: that of the structure `limits`, which takes precedence, and an older
 * one. */
#define LIMIT_PROP(field, name, doc)                                                               \
    PROP_SIZE(HostThrottle, limits.field, "limits." name, 0, 0, UINT64_MAX, doc),                  \
        PROP_SIZE(HostThrottle, older.field, "x-" name, 0, 0, UINT64_MAX, doc)
#define LIMIT_PROPS(kind, name, what)                                                              \
    LIMIT_PROP(of[kind].avg, name, what " per second; 0: no limit"),                               \
        LIMIT_PROP(of[kind].max, name "-max", what " per second during a burst"),                  \
        LIMIT_PROP(of[kind].max_length, name "-max-length", "seconds that a burst may last")

static const PlanProp host_throttle_props[] = {
    LIMIT_PROPS(IO_LIMIT_BPS_TOTAL, "bps-total", "bytes"),
    LIMIT_PROPS(IO_LIMIT_BPS_READ, "bps-read", "bytes read"),
    LIMIT_PROPS(IO_LIMIT_BPS_WRITE, "bps-write", "bytes written"),
    LIMIT_PROPS(IO_LIMIT_OPS_TOTAL, "iops-total", "requests"),
    LIMIT_PROPS(IO_LIMIT_OPS_READ, "iops-read", "reads"),
    LIMIT_PROPS(IO_LIMIT_OPS_WRITE, "iops-write", "writes"),
    LIMIT_PROP(op_size, "iops-size", "bytes that count as one request; 0: any"),
};
const HostObjectKind host_throttle = {
    .name = "throttle-group",
    .doc = "I/O limits of one or more disks",
    .size = sizeof(HostThrottle),
    .props = LIST(host_throttle_props),
    .open = host_throttle_open,
    .close = host_throttle_close,
};
