/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * QMP requests: the handshake, checks of keys and arguments against the tables, dispatch and
 * responses.
 */
#include "internal.h"
#include "qmp-commands.h"

#include <stdarg.h>
#include <string.h>

#include "util/suggest.h"
#include "util/trace.h"

static const char *const qmp_class_names[] = {
    [QMP_GENERIC_ERROR] = "GenericError",
    [QMP_COMMAND_NOT_FOUND] = "CommandNotFound",
    [QMP_DEVICE_NOT_FOUND] = "DeviceNotFound",
    [QMP_DEVICE_NOT_ACTIVE] = "DeviceNotActive",
};

void qmp_set_error(GError **err, QmpErrorClass cls, const char *fmt, ...)
{
    va_list ap;

    if (err) {
        va_start(ap, fmt);
        *err = g_error_new_valist(QMP_ERROR, cls, fmt, ap);
        va_end(ap);
    }
}

struct json_object *qmp_error_response(GError *err)
{
    struct json_object *o = json_object_new_object(), *e = json_object_new_object();
    int cls = err->domain == QMP_ERROR ? err->code : QMP_GENERIC_ERROR;
    g_autofree char *text = g_utf8_make_valid(err->message, -1);

    json_object_object_add(e, "class", json_object_new_string(qmp_class_names[cls]));
    json_object_object_add(e, "desc", json_object_new_string(text));
    json_object_object_add(o, "error", e);
    g_error_free(err);
    return o;
}

struct json_object *qmp_call(Machine *m, const QmpCommand *c, struct json_object *args,
                             GError **err)
{
    struct json_object *none = args ? NULL : json_object_new_object();
    struct json_object *result = NULL;
    GError *local = NULL;

    if (qmp_schema_check(c->args, args ? args : none, "", &local)) {
        result = c->run(m, args ? args : none, &local);
    }
    if (local) {
        g_propagate_error(err, local);
    }
    json_object_put(none);
    return result;
}

/* --- the request object --- */

typedef struct QmpRequest {
    const char *name;
    bool oob;
    struct json_object *args, *id; /* borrowed */
    bool has_id;
} QmpRequest;

static bool qmp_parse_member(QmpRequest *r, const char *key, struct json_object *v, GError **err)
{
    bool oob = strcmp(key, "exec-oob") == 0;

    if (oob || strcmp(key, "execute") == 0) {
        if (!json_object_is_type(v, json_type_string)) {
            qmp_set_error(err, QMP_GENERIC_ERROR, "QMP input member '%s' must be a string", key);
            return false;
        }
        if (r->name) {
            qmp_set_error(err, QMP_GENERIC_ERROR,
                          "QMP input has both 'execute' and 'exec-oob': use one");
            return false;
        }
        r->name = json_object_get_string(v);
        r->oob = oob;
    } else if (strcmp(key, "arguments") == 0) {
        if (!json_object_is_type(v, json_type_object)) {
            qmp_set_error(err, QMP_GENERIC_ERROR, "QMP input member 'arguments' must be an object");
            return false;
        }
        r->args = v;
    } else if (strcmp(key, "id") == 0) {
        r->id = v;
        r->has_id = true;
    } else {
        qmp_set_error(err, QMP_GENERIC_ERROR, "QMP input member '%s' is unexpected", key);
        return false;
    }
    return true;
}

static bool qmp_parse_request(struct json_object *o, QmpRequest *r, GError **err)
{
    *r = (QmpRequest){ 0 };
    if (!json_object_is_type(o, json_type_object)) {
        qmp_set_error(err, QMP_GENERIC_ERROR, "QMP input must be a JSON object");
        return false;
    }
    r->has_id = json_object_object_get_ex(o, "id", &r->id); /* errors contain it, too */
    json_object_object_foreach(o, key, value)
    {
        if (!qmp_parse_member(r, key, value, err)) {
            return false;
        }
    }
    if (!r->name) {
        qmp_set_error(err, QMP_GENERIC_ERROR, "QMP input lacks member 'execute'");
        return false;
    }
    return true;
}

bool qmp_is_oob(struct json_object *request)
{
    return json_object_is_type(request, json_type_object) &&
           json_object_object_get_ex(request, "exec-oob", NULL);
}

/* --- the handshake --- */

static struct json_object *qmp_negotiate(Monitor *mon, const QmpRequest *r, GError **err)
{
    struct json_object *list = NULL;
    bool oob = false;

    if (r->args && !qmp_schema_check(qmp_find(r->name)->args, r->args, "", err)) {
        return NULL;
    }
    if (r->args) {
        json_object_object_get_ex(r->args, "enable", &list);
    }
    oob = list && json_object_array_length(list) > 0; /* the only value of QMPCapability */
    __atomic_store_n(&mon->negotiated, true, __ATOMIC_RELAXED);
    __atomic_store_n(&mon->oob, oob, __ATOMIC_RELAXED);
    return json_object_new_object();
}

static const char *qmp_command_name(const void *table, size_t i)
{
    return qmp_commands[i].name;
}

static bool qmp_may_run(Monitor *mon, const QmpRequest *r, const QmpCommand *c, GError **err)
{
    if (!__atomic_load_n(&mon->negotiated, __ATOMIC_RELAXED)) {
        qmp_set_error(err, QMP_COMMAND_NOT_FOUND,
                      "Expecting capabilities negotiation with 'qmp_capabilities'");
        return false;
    }
    if (!c) {
        g_autofree char *hint = suggest_hint_of(r->name, qmp_command_name, NULL, qmp_n_commands);

        qmp_set_error(err, QMP_COMMAND_NOT_FOUND, "The command %s has not been found%s", r->name,
                      hint);
        return false;
    }
    if (strcmp(r->name, "qmp_capabilities") == 0) {
        qmp_set_error(err, QMP_COMMAND_NOT_FOUND,
                      "Capabilities negotiation is already complete, command ignored");
        return false;
    }
    if (r->oob && !__atomic_load_n(&mon->oob, __ATOMIC_RELAXED)) {
        qmp_set_error(err, QMP_GENERIC_ERROR,
                      "exec-oob was not negotiated: enable the capability oob");
        return false;
    }
    if (monitor_in_preconfig(mon->machine) && !(c->flags & QMP_PRECONFIG)) {
        qmp_set_error(err, QMP_GENERIC_ERROR,
                      "The command %s requires the machine, which x-exit-preconfig creates",
                      r->name);
        return false;
    }
    if (r->oob && !(c->flags & QMP_OOB)) {
        qmp_set_error(err, QMP_GENERIC_ERROR, "The command %s does not support OOB", r->name);
        return false;
    }
    return true;
}

struct json_object *qmp_response(struct json_object *result, GError *err, bool has_id,
                                 struct json_object *id)
{
    struct json_object *response;

    if (result) {
        response = json_object_new_object();
        json_object_object_add(response, "return", result);
    } else {
        response = qmp_error_response(err);
    }
    if (has_id) {
        json_object_object_add(response, "id", json_object_get(id));
    }
    return response;
}

struct json_object *qmp_answer(Monitor *mon, struct json_object *request, unsigned generation,
                               bool in_thread)
{
    struct json_object *result = NULL;
    GError *err = NULL;
    QmpRequest r;

    if (qmp_parse_request(request, &r, &err)) {
        const QmpCommand *c = qmp_find(r.name);

        if (c && !__atomic_load_n(&mon->negotiated, __ATOMIC_RELAXED) &&
            strcmp(r.name, "qmp_capabilities") == 0) {
            result = qmp_negotiate(mon, &r, &err);
        } else if (qmp_may_run(mon, &r, c, &err)) {
            MonitorSet *set = in_thread ? NULL : mon->machine->monitors;
            QmpDeferred *deferred;

            if (set) {
                monitor_command_begin(set, mon, generation, false);
            }
            trace(TRACE_QMP_COMMAND, "%s", r.name);
            result = qmp_call(mon->machine, c, r.args, &err);
            deferred = set ? monitor_command_end(set) : NULL;
            if (deferred) {
                json_object_put(result); /* the {} of a command without a result */
                monitor_deferred_set_id(deferred, r.has_id, r.id);
                return NULL;
            }
        }
    }
    return qmp_response(result, err, r.has_id, r.id);
}

/* --- commands about the protocol --- */

bool qmp_capabilities(Machine *m, const QmpQmpCapabilitiesArgs *args, GError **err)
{
    return true; /* not reached in a session: qmp_negotiate() handles the command */
}

struct json_object *qmp_query_commands(Machine *m, GError **err)
{
    struct json_object *list = json_object_new_array();

    for (size_t i = 0; i < qmp_n_commands; i++) {
        QmpCommandInfo info = { .name = qmp_commands[i].name };

        json_object_array_add(list, qmp_make_command_info(&info));
    }
    return list;
}

struct json_object *qmp_query_qmp_schema(Machine *m, GError **err)
{
    return qmp_schema();
}

struct json_object *
qmp_query_command_line_options(Machine *m, const QmpQueryCommandLineOptionsArgs *args, GError **err)
{
    return monitor_host(m)->command_line_options(m, args->option, err);
}

struct json_object *qmp_human_monitor_command(Machine *m, const QmpHumanMonitorCommandArgs *args,
                                              GError **err)
{
    MonitorSet *set = m->monitors;
    g_autofree char *text = NULL, *valid = NULL;
    g_autoptr(GString) lines = g_string_new(NULL);

    if (set) {
        set->human = true;
    }
    text = hmp_run(m, args->command_line);
    if (set) {
        set->human = false;
    }
    valid = g_utf8_make_valid(text, -1);
    hmp_emit_lines(lines, valid); /* CR LF, as on a terminal */
    return json_object_new_string(lines->str);
}
