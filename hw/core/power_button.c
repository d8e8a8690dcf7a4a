/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Power buttons (contract in hw/core/power_button.h).
 */
#include "hw/core/power_button.h"

#include "machine-events.h"
#include "util/error.h"

typedef struct PowerButton {
    void (*press)(void *opaque);
    void *opaque;
} PowerButton;

void power_button_add(Machine *m, void (*press)(void *opaque), void *opaque)
{
    PowerButton b = { press, opaque };

    if (!m->power_buttons)
        m->power_buttons = g_array_new(FALSE, FALSE, sizeof(b));
    g_array_append_val(m->power_buttons, b);
}

void power_button_remove(Machine *m, void (*press)(void *opaque), void *opaque)
{
    for (guint i = 0; m->power_buttons && i < m->power_buttons->len; i++) {
        const PowerButton *b = &g_array_index(m->power_buttons, PowerButton, i);

        if (b->press == press && b->opaque == opaque) {
            g_array_remove_index(m->power_buttons, i);
            break;
        }
    }
    if (m->power_buttons && m->power_buttons->len == 0)
        g_clear_pointer(&m->power_buttons, g_array_unref);
}

bool power_button_press(Machine *m, GError **err)
{
    if (!machine_active(m))
        return error_set(err, ERROR_USER,
                         "system_powerdown: the guest does not run (state %s); use cont first",
                         run_state_name(m->state));
    event_powerdown(m);
    for (guint i = 0; m->power_buttons && i < m->power_buttons->len; i++) {
        const PowerButton *b = &g_array_index(m->power_buttons, PowerButton, i);

        b->press(b->opaque);
    }
    return true;
}
