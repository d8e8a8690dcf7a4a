/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Limits of I/O rates: leaky buckets for bytes and requests per second, in total and for each
 * direction.
 *
 * Each request fills the buckets of its class, which leak at the configured rate. A request may
 * start while no bucket overflows. A bucket holds a tenth of a second of its rate. With a burst
 * rate
 * (`max`), it holds max_length seconds of that rate, and a second bucket limits the rate of the
 * burst.
 *
 * The functions are pure: the caller provides the time and the lock.
 */
#ifndef UTIL_IO_LIMITS_H
#define UTIL_IO_LIMITS_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef enum IoLimitKind {
    IO_LIMIT_BPS_TOTAL,
    IO_LIMIT_BPS_READ,
    IO_LIMIT_BPS_WRITE,
    IO_LIMIT_OPS_TOTAL,
    IO_LIMIT_OPS_READ,
    IO_LIMIT_OPS_WRITE,
    IO_LIMIT_KINDS
} IoLimitKind;

#define IO_LIMIT_MAX 1000000000000000ull

typedef struct IoLimits {
    struct IoLimit {
        uint64_t avg;        /* per second; 0: no limit */
        uint64_t max;        /* per second during a burst; 0: no bursts */
        uint64_t max_length; /* seconds of a burst; 0 is 1 */
    } of[IO_LIMIT_KINDS];
    uint64_t op_size; /* bytes that count as one request; 0: each request counts as one */
} IoLimits;

typedef struct IoLimiter {
    IoLimits limits;
    double level[IO_LIMIT_KINDS], burst[IO_LIMIT_KINDS];
    int64_t last_ns;
} IoLimiter;

/* Name of a limit as in "iops-total"; used for options and messages. */
extern const char *const io_limit_names[IO_LIMIT_KINDS];

/* Return whether any rate is limited. */
bool io_limits_any(const IoLimits *l);

/**
 * io_limits_check() - Check limits of a user.
 *
 * Return: false with an ERROR_USER that names the limit, if a total and a limit of one direction
 * are given together, a value is above IO_LIMIT_MAX, a burst rate lacks a rate or is below it, a
 * burst length lacks a burst rate, or op_size lacks a limit of requests.
 */
bool io_limits_check(const IoLimits *l, GError **err);

/* Set limits that io_limits_check() accepted, and empty the buckets. */
void io_limiter_set(IoLimiter *t, const IoLimits *l, int64_t now_ns);
/* Return how long a request has to wait, in ns, at most one hour. 0: it may start. */
int64_t io_limiter_wait(IoLimiter *t, bool write, int64_t now_ns);
/* Count a request that starts. */
void io_limiter_count(IoLimiter *t, bool write, uint64_t bytes);

#endif
