/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pointing devices (contract in hw/core/pointer.h).
 */
#include "hw/core/pointer.h"

typedef struct PointerEntry {
    const PointerOps *ops;
    void *opaque;
} PointerEntry;

void pointer_register(Machine *m, const PointerOps *ops, void *opaque)
{
    PointerEntry e = { ops, opaque };

    if (!m->pointers) {
        m->pointers = g_array_new(FALSE, FALSE, sizeof(e));
    }
    g_array_append_val(m->pointers, e);
}

void pointer_unregister(Machine *m, const PointerOps *ops, void *opaque)
{
    for (guint i = 0; m->pointers && i < m->pointers->len; i++) {
        const PointerEntry *e = &g_array_index(m->pointers, PointerEntry, i);

        if (e->ops == ops && e->opaque == opaque) {
            g_array_remove_index(m->pointers, i);
            break;
        }
    }
    if (m->pointers && m->pointers->len == 0) {
        g_clear_pointer(&m->pointers, g_array_unref);
    }
}

static const PointerEntry *pointer_find(const Machine *m, bool absolute)
{
    for (guint i = 0; m->pointers && i < m->pointers->len; i++) {
        const PointerEntry *e = &g_array_index(m->pointers, PointerEntry, i);

        if (e->ops->absolute == absolute) {
            return e;
        }
    }
    return NULL;
}

static const PointerEntry *pointer_find_any(const Machine *m)
{
    const PointerEntry *e = pointer_find(m, true);

    return e ? e : pointer_find(m, false);
}

bool pointer_exists(const Machine *m, bool absolute)
{
    return pointer_find(m, absolute) != NULL;
}

void pointer_move(Machine *m, bool absolute, PointerAxis axis, int32_t value)
{
    const PointerEntry *e = pointer_find(m, absolute);

    if (e) {
        e->ops->move(e->opaque, axis, value);
    }
}

void pointer_wheel(Machine *m, int32_t value)
{
    const PointerEntry *e = pointer_find_any(m);

    if (e) {
        e->ops->move(e->opaque, POINTER_WHEEL, value);
    }
}

void pointer_button(Machine *m, PointerButton button, bool down)
{
    const PointerEntry *e = pointer_find_any(m);

    if (e) {
        e->ops->button(e->opaque, button, down);
    }
}

void pointer_sync(Machine *m)
{
    for (guint i = 0; m->pointers && i < m->pointers->len; i++) {
        const PointerEntry *e = &g_array_index(m->pointers, PointerEntry, i);

        e->ops->sync(e->opaque);
    }
}
