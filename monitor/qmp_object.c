/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands about host objects: memory back ends, I/O threads, entropy sources, secrets.
 */
#include "internal.h"

#include "hw/core/host_object.h"

static struct json_object *object_add(Machine *m, struct json_object *args, GError **err)
{
    if (host_object_check_types(args, err)) {
        monitor_host(m)->host_add(m, "object", args, err);
    }
    return NULL;
}

static struct json_object *object_del(Machine *m, struct json_object *args, GError **err)
{
    monitor_host(m)->host_del(m, "object",
                              json_object_get_string(json_object_object_get(args, "id")), err);
    return NULL;
}

static void put_bool(struct json_object *o, const char *name, bool value)
{
    json_object_object_add(o, name, json_object_new_boolean(value));
}

static void describe_memory(void *opaque, HostObject *obj)
{
    const RamSource *source = host_memory_source(obj);
    struct json_object *o;

    if (!source) {
        return;
    }
    o = json_object_new_object();
    json_object_object_add(o, "id", json_object_new_string(obj->id));
    json_object_object_add(o, "size", json_object_new_uint64(host_memory_size(obj)));
    put_bool(o, "merge", source->merge);
    put_bool(o, "dump", !source->no_dump);
    put_bool(o, "prealloc", source->prealloc);
    put_bool(o, "share", host_memory_shared(obj));
    json_object_object_add(o, "host-nodes", json_object_new_array());
    json_object_object_add(o, "policy", json_object_new_string("default"));
    json_object_array_add(opaque, o);
}

static struct json_object *query_memdev(Machine *m, struct json_object *args, GError **err)
{
    struct json_object *list = json_object_new_array();

    host_object_foreach(m, describe_memory, list);
    return list;
}

static void describe_thread(void *opaque, HostObject *obj)
{
    int64_t tid = host_iothread_tid(obj);
    struct json_object *o;

    if (tid == 0) {
        return;
    }
    o = json_object_new_object();
    json_object_object_add(o, "id", json_object_new_string(obj->id));
    json_object_object_add(o, "thread-id", json_object_new_int64(tid));
    /* no polling before waiting */
    json_object_object_add(o, "poll-max-ns", json_object_new_int(0));
    json_object_object_add(o, "poll-grow", json_object_new_int(0));
    json_object_object_add(o, "poll-shrink", json_object_new_int(0));
    json_object_object_add(o, "aio-max-batch", json_object_new_int(0));
    json_object_array_add(opaque, o);
}

static struct json_object *query_iothreads(Machine *m, struct json_object *args, GError **err)
{
    struct json_object *list = json_object_new_array();

    host_object_foreach(m, describe_thread, list);
    return list;
}

static const QmpCommand commands[] = {
    { "object-add", object_add },
    { "object-del", object_del },
    { "query-memdev", query_memdev },
    { "query-iothreads", query_iothreads },
};

/* --- human monitor --- */

static void hmp_object_add(Machine *m, const char *args, GString *out)
{
    g_autoptr(GError) err = NULL;
    struct json_object *o = plan_options_parse(args, "qom-type", &err);

    if (!o || !monitor_host(m)->host_add(m, "object", o, &err)) {
        g_string_append_printf(out, "Error: %s\n", err->message);
    }
    json_object_put(o);
}

static void hmp_object_del(Machine *m, const char *args, GString *out)
{
    g_autoptr(GError) err = NULL;

    if (!monitor_host(m)->host_del(m, "object", args, &err)) {
        g_string_append_printf(out, "Error: %s\n", err->message);
    }
}

static void show_memory(void *opaque, HostObject *obj)
{
    if (host_memory_source(obj)) {
        g_string_append_printf(opaque, "%s: %s, %" G_GUINT64_FORMAT " bytes, share %s\n", obj->id,
                               obj->kind->name, host_memory_size(obj),
                               host_memory_shared(obj) ? "on" : "off");
    }
}

static void hmp_memdev(Machine *m, const char *args, GString *out)
{
    host_object_foreach(m, show_memory, out);
}

static void show_thread(void *opaque, HostObject *obj)
{
    int64_t tid = host_iothread_tid(obj);

    if (tid) {
        g_string_append_printf(opaque, "%s:\n  thread_id=%" G_GINT64_FORMAT "\n", obj->id, tid);
    }
}

static void hmp_iothreads(Machine *m, const char *args, GString *out)
{
    host_object_foreach(m, show_thread, out);
}

static const HmpCommand hmp_commands[] = {
    { "object_add", "TYPE,id=ID[,...]", "create a host object", hmp_object_add },
    { "object_del", "ID", "remove a host object nobody uses", hmp_object_del },
    { "info memdev", "", "show the memory back ends", hmp_memdev },
    { "info iothreads", "", "show the I/O threads", hmp_iothreads },
};

const CommandTable object_table = { LIST(commands), LIST(hmp_commands) };
