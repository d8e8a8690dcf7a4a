/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * When the source of a migration stops the guest (interface: convergence_internal.h).
 */
#include "migration/convergence_internal.h"

#define FEW_BYTES (1u << 20) /* if at most this is left, stop the guest without further passes */
#define MAX_TRIES 8          /* passes that are small enough to stop the guest for */
#define MAX_STUCK 4          /* of these, passes that left more than half of what they sent */

void convergence_init(Convergence *c, Migration *mig)
{
    c->mig = mig;
    c->throttle.machine = mig->machine;
}

void convergence_end(Convergence *c)
{
    throttle_set(&c->throttle, 0);
}

void convergence_throttle(Convergence *c, uint64_t passes, uint64_t sent, uint64_t dirty)
{
    const uint64_t *p = c->mig->params;
    unsigned *t = &c->mig->stats.throttle;

    if (!c->mig->caps[CAP_AUTO_CONVERGE] || passes < 3 ||
        dirty * 100 < sent * p[PARAM_THROTTLE_TRIGGER]) {
        return;
    }
    *t = *t ? *t + p[PARAM_THROTTLE_INCREMENT] : p[PARAM_THROTTLE_INITIAL];
    *t = MIN(*t, p[PARAM_THROTTLE_MAX]);
    throttle_set(&c->throttle, *t);
}

double migration_expected_downtime(const MigStats *s, uint64_t ram_left)
{
    double bytes = (double)ram_left + (double)s->devices.bytes;

    return bytes * 1000 / (double)s->bandwidth + (double)s->devices.ns / 1e6;
}

/* Return the accepted downtime in ms. More passes do not reduce the time for the devices. If the
 * devices alone require most of downtime-limit, a tenth of the limit is added for RAM, and a
 * message is printed once. */
static double convergence_limit(Convergence *c)
{
    double limit = (double)c->mig->params[PARAM_DOWNTIME_LIMIT];
    double devices = migration_expected_downtime(&c->mig->stats, 0);

    if (devices < limit * 0.9) {
        return limit;
    }
    if (!c->warned) {
        c->warned = true;
        g_printerr("backplane: migration: migrating the state of %u devices requires about %.0f "
                   "ms, but downtime-limit is %.0f ms\n",
                   c->mig->stats.devices.devices, devices, limit);
    }
    return devices + limit / 10;
}

/* While passes become smaller, a few more of them shorten the downtime, and may find a pause of a
 * guest that writes in bursts. */
bool convergence_reached(Convergence *c, uint64_t left, uint64_t before)
{
    if (migration_expected_downtime(&c->mig->stats, left) > convergence_limit(c)) {
        return false;
    }
    c->stuck += left > before / 2;
    return left <= FEW_BYTES || c->stuck == MAX_STUCK || ++c->tries == MAX_TRIES;
}
