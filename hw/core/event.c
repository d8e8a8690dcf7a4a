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
