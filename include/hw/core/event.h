/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Events for QMP clients as typed records.
 *
 * Code below monitor/ calls the function of an event in machine-events.h, which scripts/gen-qmp
 * generates from monitor/schema/. The function builds an Event and hands it to
 * MachineHooks.event; monitor/ turns it into JSON. Records are valid only during the call.
 */
#ifndef HW_CORE_EVENT_H
#define HW_CORE_EVENT_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct Machine Machine;
typedef struct EventField EventField;

typedef struct EventObject {
    const EventField *fields;
    size_t n_fields;
} EventObject;

typedef enum EventFieldType { EVENT_STR, EVENT_INT, EVENT_BOOL, EVENT_OBJECT } EventFieldType;

struct EventField {
    const char *name;
    EventFieldType type;
    union {
        const char *str; /* never NULL */
        int64_t number;
        bool on;
        const EventObject *object;
    };
};

typedef struct Event {
    const char *name;
    EventObject data; /* no fields: the event has no data */
} Event;

/**
 * machine_event() - send an event to the QMP clients
 * @m: the machine
 * @event: the event
 *
 * Calls MachineHooks.event if it is set. Use the typed functions of machine-events.h.
 *
 * Locking: machine lock.
 */
void machine_event(Machine *m, const Event *event);

/* The field of the data with this name; NULL if there is none. */
const EventField *event_field(const Event *event, const char *name);
/* The string or the switch of a field; NULL or false if there is no such field. */
const char *event_str(const Event *event, const char *name);
bool event_on(const Event *event, const char *name);

#endif
