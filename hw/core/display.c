/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Displays (contract in hw/core/display.h).
 */
#include "hw/core/display.h"

#include "util/error.h"

void display_add(Display *d)
{
    Machine *m = d->dev->machine;

    if (!m->displays)
        m->displays = g_ptr_array_new();
    g_ptr_array_add(m->displays, d);
}

void display_remove(Display *d)
{
    Machine *m = d->dev ? d->dev->machine : NULL;

    if (!m || !m->displays)
        return;
    g_ptr_array_remove(m->displays, d);
    if (m->displays->len == 0)
        g_clear_pointer(&m->displays, g_ptr_array_unref);
}

Display *display_first(const Machine *m)
{
    return m->displays ? g_ptr_array_index(m->displays, 0) : NULL;
}

/* Return the names of all displays: "vga0 (head 0), ..." */
static char *display_names(const Machine *m)
{
    GString *names = g_string_new(NULL);

    for (guint i = 0; m->displays && i < m->displays->len; i++) {
        const Display *d = g_ptr_array_index(m->displays, i);

        g_string_append_printf(names, "%s%s (head %u)", i ? ", " : "",
                               d->dev->id ? d->dev->id : d->dev->path, d->head);
    }
    return g_string_free(names, FALSE);
}

Display *display_find(Machine *m, const char *device, unsigned head, GError **err)
{
    g_autofree char *names = display_names(m);
    Device *dev = NULL;

    if (!m->displays) {
        error_set(err, ERROR_USER,
                  "the machine has no display; use -device bochs-display to add one");
        return NULL;
    }
    if (!device)
        return display_first(m);
    dev = device_find_id(m, device);
    if (!dev)
        dev = device_find_path(m, device);
    for (guint i = 0; dev && i < m->displays->len; i++) {
        Display *d = g_ptr_array_index(m->displays, i);

        if (d->dev == dev && d->head == head)
            return d;
    }
    if (dev)
        error_set(err, ERROR_USER, "device '%s' has no display with head %u; displays: %s", device,
                  head, names);
    else
        error_set(err, ERROR_USER, "device '%s' does not exist; displays: %s", device, names);
    return NULL;
}
