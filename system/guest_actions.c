/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reactions to a panic of the guest and to the expiry of a watchdog (-action, set-action).
 */
#include "internal.h"

#include "hw/core/power_button.h"
#include "machine-events.h"
#include "util/log.h"

void guest_actions_panic(Session *s)
{
    const GuestActions *a = &s->actions;
    bool pause = a->panic == PANIC_PAUSE || (a->panic == PANIC_SHUTDOWN && a->shutdown_pauses);

    if (a->panic == PANIC_NONE) {
        event_guest_panicked(s->m, QMP_GUEST_PANIC_ACTION_RUN);
        return;
    }
    event_guest_panicked(s->m,
                         pause ? QMP_GUEST_PANIC_ACTION_PAUSE : QMP_GUEST_PANIC_ACTION_POWEROFF);
    if (machine_running(s->m)) {
        machine_set_state(s->m, RUN_GUEST_PANICKED);
    }
    if (!pause) {
        machine_request(s->m, SHUTDOWN_GUEST_PANIC, a->panic == PANIC_EXIT_FAILURE);
    }
}

static void guest_actions_press_button(Session *s)
{
    g_autoptr(GError) err = NULL;

    if (!power_button_press(s->m, &err)) {
        message("%s: watchdog: %s", s->program, err->message);
    }
}

void guest_actions_watchdog(Session *s)
{
    QmpWatchdogAction action = (QmpWatchdogAction)s->actions.watchdog;

    event_watchdog(s->m, action);
    switch (action) {
    case QMP_WATCHDOG_ACTION_RESET:
        machine_request(s->m, SHUTDOWN_GUEST_RESET, 0);
        break;
    case QMP_WATCHDOG_ACTION_SHUTDOWN:
        guest_actions_press_button(s);
        break;
    case QMP_WATCHDOG_ACTION_POWEROFF:
        event_shutdown(s->m, true, QMP_SHUTDOWN_CAUSE_GUEST_SHUTDOWN);
        s->quit = true; /* also with -no-shutdown */
        break;
    case QMP_WATCHDOG_ACTION_PAUSE:
        if (machine_running(s->m)) {
            machine_set_state(s->m, RUN_WATCHDOG);
        }
        break;
    case QMP_WATCHDOG_ACTION_DEBUG:
        message("%s: watchdog: timer expired", s->program);
        break;
    case QMP_WATCHDOG_ACTION_NONE:
        break;
    }
}
