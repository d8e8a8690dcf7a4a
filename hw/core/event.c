/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Events for QMP clients as typed records (contract in hw/core/event.h).
 */
#include "hw/core/event.h"

#include <string.h>

#include "hw/core/machine.h"

void machine_event(Machine *m, const Event *event)
{
    if (m->hooks.event) {
        m->hooks.event(m->hooks.opaque, event);
    }
}

static const EventField *event_object_field(const EventObject *o, const char *name)
{
    for (size_t i = 0; i < o->n_fields; i++) {
        if (strcmp(o->fields[i].name, name) == 0) {
            return &o->fields[i];
        }
    }
    return NULL;
}

const EventField *event_field(const Event *event, const char *name)
{
    return event_object_field(&event->data, name);
}

const char *event_str(const Event *event, const char *name)
{
    const EventField *f = event_field(event, name);

    return f && f->type == EVENT_STR ? f->str : NULL;
}

bool event_on(const Event *event, const char *name)
{
    const EventField *f = event_field(event, name);

    return f && f->type == EVENT_BOOL && f->on;
}

static void event_append_object(GString *out, const EventObject *o)
{
    for (size_t i = 0; i < o->n_fields; i++) {
        const EventField *f = &o->fields[i];

        g_string_append_printf(out, "%s%s=", i ? " " : "", f->name);
        switch (f->type) {
        case EVENT_STR:
            g_string_append(out, f->str);
            break;
        case EVENT_INT:
            g_string_append_printf(out, "%" G_GINT64_FORMAT, f->number);
            break;
        case EVENT_BOOL:
            g_string_append(out, f->on ? "true" : "false");
            break;
        case EVENT_OBJECT:
            g_string_append_c(out, '{');
            event_append_object(out, f->object);
            g_string_append_c(out, '}');
            break;
        }
    }
}

char *event_text(const Event *event)
{
    GString *out = g_string_new(event->name);

    if (event->data.n_fields) {
        g_string_append_c(out, ' ');
        event_append_object(out, &event->data);
    }
    return g_string_free(out, FALSE);
}
