/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Keyboards (contract in hw/core/keyboard.h).
 */
#include "hw/core/keyboard.h"

#include "util/error.h"

typedef struct KeyboardEntry {
    KeyboardFn *fn;
    void *opaque;
} KeyboardEntry;

void keyboard_register(Machine *m, KeyboardFn *fn, void *opaque)
{
    KeyboardEntry e = { fn, opaque };

    if (!m->keyboards)
        m->keyboards = g_array_new(FALSE, FALSE, sizeof(e));
    g_array_append_val(m->keyboards, e);
}

void keyboard_unregister(Machine *m, KeyboardFn *fn, void *opaque)
{
    for (guint i = 0; m->keyboards && i < m->keyboards->len; i++) {
        const KeyboardEntry *e = &g_array_index(m->keyboards, KeyboardEntry, i);

        if (e->fn == fn && e->opaque == opaque) {
            g_array_remove_index(m->keyboards, i);
            break;
        }
    }
    if (m->keyboards && m->keyboards->len == 0)
        g_clear_pointer(&m->keyboards, g_array_unref);
}

bool keyboard_ready(const Machine *m, GError **err)
{
    if (!m->keyboards)
        return error_set(err, ERROR_USER,
                         "the machine has no keyboard; use -device virtio-keyboard-pci to add one");
    if (!machine_active(m))
        return error_set(err, ERROR_USER, "the guest does not run (state %s); use cont first",
                         run_state_name(m->state));
    return true;
}

bool keyboard_report(Machine *m, uint16_t code, bool down)
{
    const KeyboardEntry *e;

    if (!m->keyboards)
        return true;
    e = &g_array_index(m->keyboards, KeyboardEntry, 0);
    return e->fn(e->opaque, code, down);
}
