/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Deterministic execution: -icount and -seed, and the completion of the work that devices started.
 */
#include "block/block.h"
#include "hw/core/bottom_half.h"
#include "hw/core/clock.h"
#include "hw/core/random.h"

#include "options_internal.h"

#define ICOUNT_AUTO_SHIFT 3    /* the first shift of shift=auto */
#define SETTLE_ROUNDS     1000 /* work that continues longer is left to the main loop */

bool opt_icount(Session *s, const char *arg, GError **err)
{
    const char *shift = s->icount_shift ? s->icount_shift : "auto";
    bool automatic = g_str_equal(shift, "auto");
    guint64 value = ICOUNT_AUTO_SHIFT;

    if (!automatic && !g_ascii_string_to_unsigned(shift, 10, 0, ICOUNT_MAX_SHIFT, &value, NULL)) {
        return error_set(err, ERROR_USER, "-icount shift=%s: use auto or a number from 0 to %u",
                         shift, ICOUNT_MAX_SHIFT);
    }
    if (automatic && !s->icount_sleep) {
        return error_set(err, ERROR_USER, "-icount %s: sleep=off requires a fixed shift (shift=N)",
                         arg);
    }
    if (s->icount_align && (automatic || !s->icount_sleep)) {
        return error_set(err, ERROR_USER,
                         "-icount %s: align=on requires a fixed shift (shift=N) and sleep=on", arg);
    }
    s->icount = (IcountConfig){ (unsigned)value, automatic, s->icount_sleep, s->icount_align };
    s->icount_given = true;
    return true;
}

bool opt_seed(Session *s, const char *arg, GError **err)
{
    if (!g_ascii_string_to_unsigned(arg, 10, 0, UINT64_MAX, &s->seed, NULL)) {
        return error_set(err, ERROR_USER, "-seed %s: use a number from 0 to %" G_GUINT64_FORMAT,
                         arg, (guint64)UINT64_MAX);
    }
    s->seed_given = true;
    return true;
}

bool icount_choose(Session *s, bool qtest, GError **err)
{
    if (s->seed_given) {
        machine_seed(s->m, s->seed);
    }
    if (!s->icount_given) {
        return true;
    }
    if (qtest) {
        return error_set(err, ERROR_USER,
                         "-icount: no instructions are executed under -accel qtest; use -accel tcg "
                         "or interp");
    }
    s->m->icount = &s->icount;
    clocks_set_stepped(s->m->clocks);
    return true;
}

bool icount_settle(void *opaque)
{
    const Session *s = opaque;
    Machine *m = s->m;

    for (unsigned n = 0; n < SETTLE_ROUNDS; n++) {
        block_drain_all(m);
        if (!bottom_halves_run(m)) {
            break;
        }
    }
    return !s->shutdown_wanted && !s->reset_wanted;
}

const PlanProp icount_keys[] = {
    { .name = "shift",
      .kind = PLAN_PROP_STRING,
      .field = offsetof(Session, icount_shift),
      .doc = "an instruction takes 2^N ns (N from 0 to 10); auto follows the host" },
    { .name = "sleep",
      .kind = PLAN_PROP_BOOL,
      .field = offsetof(Session, icount_sleep),
      .def = 1,
      .doc = "wait in real time while all CPUs are idle; off: virtual time jumps" },
    { .name = "align",
      .kind = PLAN_PROP_BOOL,
      .field = offsetof(Session, icount_align),
      .doc = "delay the guest while its time is ahead of the host's" },
};
const size_t n_icount_keys = G_N_ELEMENTS(icount_keys);
