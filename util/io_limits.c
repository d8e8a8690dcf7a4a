/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Limits of I/O rates (contract in util/io_limits.h).
 */
#include "util/io_limits.h"

#include "util/error.h"

enum { IO_LIMIT_WAIT_MAX = 3600 };

const char *const io_limit_names[IO_LIMIT_KINDS] = { "bps-total",  "bps-read",  "bps-write",
                                                     "iops-total", "iops-read", "iops-write" };

bool io_limits_any(const IoLimits *l)
{
    for (unsigned i = 0; i < IO_LIMIT_KINDS; i++) {
        if (l->of[i].avg) {
            return true;
        }
    }
    return false;
}

/* --- checks --- */

static bool io_limit_check_one(const char *name, const struct IoLimit *l, GError **err)
{
    if (l->avg > IO_LIMIT_MAX || l->max > IO_LIMIT_MAX) {
        return error_set(err, ERROR_USER, "%s%s must be within [0, %" G_GUINT64_FORMAT "]", name,
                         l->avg > IO_LIMIT_MAX ? "" : "-max", (guint64)IO_LIMIT_MAX);
    }
    if (l->max && !l->avg) {
        return error_set(err, ERROR_USER, "%s-max requires %s", name, name);
    }
    if (l->max && l->max < l->avg) {
        return error_set(err, ERROR_USER, "%s-max cannot be lower than %s", name, name);
    }
    if (l->max_length > 1 && !l->max) {
        return error_set(err, ERROR_USER, "%s-max-length requires %s-max", name, name);
    }
    if (l->max && l->max_length > IO_LIMIT_MAX / l->max) {
        return error_set(err, ERROR_USER,
                         "%s-max-length=%" G_GUINT64_FORMAT " is too high for this burst rate",
                         name, l->max_length);
    }
    return true;
}

/* A total excludes limits of the directions, for rates and for burst rates. */
static bool io_limit_check_total(const IoLimits *l, IoLimitKind total, GError **err)
{
    const struct IoLimit *t = &l->of[total];

    if ((t[0].avg && (t[1].avg || t[2].avg)) || (t[0].max && (t[1].max || t[2].max))) {
        return error_set(err, ERROR_USER, "%s cannot be used together with %s or %s",
                         io_limit_names[total], io_limit_names[total + 1],
                         io_limit_names[total + 2]);
    }
    return true;
}

bool io_limits_check(const IoLimits *l, GError **err)
{
    if (!io_limit_check_total(l, IO_LIMIT_BPS_TOTAL, err) ||
        !io_limit_check_total(l, IO_LIMIT_OPS_TOTAL, err)) {
        return false;
    }
    for (unsigned i = 0; i < IO_LIMIT_KINDS; i++) {
        if (!io_limit_check_one(io_limit_names[i], &l->of[i], err)) {
            return false;
        }
    }
    if (l->op_size > IO_LIMIT_MAX) {
        return error_set(err, ERROR_USER, "iops-size must be within [0, %" G_GUINT64_FORMAT "]",
                         (guint64)IO_LIMIT_MAX);
    }
    if (l->op_size && !l->of[IO_LIMIT_OPS_TOTAL].avg && !l->of[IO_LIMIT_OPS_READ].avg &&
        !l->of[IO_LIMIT_OPS_WRITE].avg) {
        return error_set(err, ERROR_USER, "iops-size requires a limit of requests per second");
    }
    return true;
}

/* --- buckets --- */

void io_limiter_set(IoLimiter *t, const IoLimits *l, int64_t now_ns)
{
    *t = (IoLimiter){ .limits = *l, .last_ns = now_ns };
}

static void io_limiter_leak(IoLimiter *t, int64_t now_ns)
{
    double seconds = (double)(now_ns - t->last_ns) / 1e9;

    if (now_ns <= t->last_ns) {
        return;
    }
    t->last_ns = now_ns;
    for (unsigned i = 0; i < IO_LIMIT_KINDS; i++) {
        t->level[i] = MAX(t->level[i] - (double)t->limits.of[i].avg * seconds, 0);
        t->burst[i] = MAX(t->burst[i] - (double)t->limits.of[i].max * seconds, 0);
    }
}

/* Return whether the limit applies to requests of this direction. */
static bool io_limit_covers(unsigned kind, bool write)
{
    unsigned direction = kind % 3;

    return direction == 0 || direction == (write ? 2 : 1);
}

/* The seconds until a bucket does not overflow. */
static double io_limiter_bucket_wait(const IoLimiter *t, unsigned i)
{
    const struct IoLimit *l = &t->limits.of[i];
    double length = l->max_length ? (double)l->max_length : 1, wait;

    if (!l->avg) {
        return 0;
    }
    if (!l->max) {
        return (t->level[i] - (double)l->avg / 10) / (double)l->avg;
    }
    wait = (t->level[i] - (double)l->max * length) / (double)l->avg;
    return wait > 0 || length <= 1 ? wait : (t->burst[i] - (double)l->max / 10) / (double)l->max;
}

int64_t io_limiter_wait(IoLimiter *t, bool write, int64_t now_ns)
{
    double wait = 0;

    io_limiter_leak(t, now_ns);
    for (unsigned i = 0; i < IO_LIMIT_KINDS; i++) {
        if (io_limit_covers(i, write)) {
            wait = MAX(wait, io_limiter_bucket_wait(t, i));
        }
    }
    return wait <= 0 ? 0 : (int64_t)(MIN(wait, IO_LIMIT_WAIT_MAX) * 1e9) + 1;
}

void io_limiter_count(IoLimiter *t, bool write, uint64_t bytes)
{
    double ops = t->limits.op_size ? (double)bytes / (double)t->limits.op_size : 1;

    for (unsigned i = 0; i < IO_LIMIT_KINDS; i++) {
        double units = i < IO_LIMIT_OPS_TOTAL ? (double)bytes : MAX(ops, 1);

        if (io_limit_covers(i, write)) {
            t->level[i] += units;
            t->burst[i] += units;
        }
    }
}
