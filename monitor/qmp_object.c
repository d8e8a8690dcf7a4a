/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands about host objects: memory back ends, I/O threads, entropy sources and secrets.
 */
#include "internal.h"
#include "qmp-commands.h"

#include "hw/core/host_object.h"

bool qmp_object_add(Machine *m, struct json_object *args, GError **err)
{
    return monitor_host(m)->host_add(m, "object", args, err);
}

bool qmp_object_del(Machine *m, const QmpObjectDelArgs *args, GError **err)
{
    return monitor_host(m)->host_del(m, "object", args->id, err);
}

static struct json_object *object_nodes_json(const RamSource *source)
{
    struct json_object *nodes = json_object_new_array();

    for (int i = 0; i < 64; i++) {
        if (source->nodes >> i & 1) {
            json_object_array_add(nodes, json_object_new_int(i));
        }
    }
    return nodes;
}

static void object_memdev_json(void *opaque, HostObject *obj)
{
    static const char *const policies[] = { "default", "preferred", "bind", "interleave" };
    const RamSource *source = host_memory_source(obj);

    if (source) {
        QmpMemdev info = { .id = obj->id,
                           .size = host_memory_size(obj),
                           .merge = source->merge,
                           .dump = !source->no_dump,
                           .prealloc = source->prealloc,
                           .share = host_memory_shared(obj),
                           .host_nodes = object_nodes_json(source),
                           .policy = policies[source->policy] };

        json_object_array_add(opaque, qmp_make_memdev(&info));
    }
}

struct json_object *qmp_query_memdev(Machine *m, GError **err)
{
    struct json_object *list = json_object_new_array();

    host_object_foreach(m, object_memdev_json, list);
    return list;
}

static void object_iothread_json(void *opaque, HostObject *obj)
{
    IothreadPolling p = host_iothread_polling(obj);
    QmpIOThreadInfo info = { .id = obj->id,
                             .thread_id = host_iothread_tid(obj),
                             .poll_max_ns = (int64_t)p.max_ns,
                             .poll_grow = (int64_t)p.grow,
                             .poll_shrink = (int64_t)p.shrink };

    if (info.thread_id) {
        json_object_array_add(opaque, qmp_make_iothread_info(&info));
    }
}

struct json_object *qmp_query_iothreads(Machine *m, GError **err)
{
    struct json_object *list = json_object_new_array();

    host_object_foreach(m, object_iothread_json, list);
    return list;
}

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

static void hmp_show_memdev(void *opaque, HostObject *obj)
{
    if (host_memory_source(obj)) {
        g_string_append_printf(opaque, "%s: %s, %" G_GUINT64_FORMAT " bytes, share %s\n", obj->id,
                               obj->kind->name, host_memory_size(obj),
                               host_memory_shared(obj) ? "on" : "off");
    }
}

static void hmp_info_memdev(Machine *m, const char *args, GString *out)
{
    host_object_foreach(m, hmp_show_memdev, out);
}

static void hmp_show_iothread(void *opaque, HostObject *obj)
{
    int64_t tid = host_iothread_tid(obj);
    IothreadPolling p = host_iothread_polling(obj);
    GString *out = opaque;

    if (!tid) {
        return;
    }
    g_string_append_printf(out,
                           "%s:\n  thread_id=%" G_GINT64_FORMAT "\n  poll-max-ns=%" G_GUINT64_FORMAT
                           "\n  poll-grow=%" G_GUINT64_FORMAT "\n  poll-shrink=%" G_GUINT64_FORMAT
                           "\n  users:",
                           obj->id, tid, p.max_ns, p.grow, p.shrink);
    for (guint i = 0; i < obj->users->len; i++) {
        g_string_append_printf(out, " %s", (const char *)obj->users->pdata[i]);
    }
    g_string_append(out, obj->users->len ? "\n" : " none\n");
}

static void hmp_info_iothreads(Machine *m, const char *args, GString *out)
{
    host_object_foreach(m, hmp_show_iothread, out);
}

static const HmpCommand hmp_commands[] = {
    { "object_add", "TYPE,id=ID[,...]", NULL, hmp_object_add },
    { "object_del", "ID", NULL, hmp_object_del },
    { "info memdev", "", NULL, hmp_info_memdev },
    { "info iothreads", "", NULL, hmp_info_iothreads },
};

const HmpTable object_table = { LIST(hmp_commands) };
