/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands about host parts: disks and network peers that come and go.
 */
#include "internal.h"

#include <string.h>

#include "block/block.h"
#include "net/net.h"

static const char *arg_str(struct json_object *args, const char *key)
{
    return json_object_get_string(json_object_object_get(args, key));
}

static struct json_object *blockdev_add(Machine *m, struct json_object *args, GError **err)
{
    monitor_host(m)->host_add(m, "blockdev", args, err);
    return NULL;
}

static struct json_object *blockdev_del(Machine *m, struct json_object *args, GError **err)
{
    monitor_host(m)->host_del(m, "blockdev", arg_str(args, "node-name"), err);
    return NULL;
}

static struct json_object *add_netdev(Machine *m, struct json_object *args, GError **err)
{
    monitor_host(m)->host_add(m, "netdev", args, err);
    return NULL;
}

static struct json_object *del_netdev(Machine *m, struct json_object *args, GError **err)
{
    monitor_host(m)->host_del(m, "netdev", arg_str(args, "id"), err);
    return NULL;
}

static struct json_object *query_block(Machine *m, struct json_object *args, GError **err)
{
    return block_query(m, false);
}

static struct json_object *query_nodes(Machine *m, struct json_object *args, GError **err)
{
    return block_query(m, true);
}

static struct json_object *query_stats(Machine *m, struct json_object *args, GError **err)
{
    return block_query_stats(m,
                             json_object_get_boolean(json_object_object_get(args, "query-nodes")));
}

static struct json_object *resize(Machine *m, struct json_object *args, GError **err)
{
    const char *device = arg_str(args, "device"), *node = arg_str(args, "node-name");
    int64_t size = json_object_get_int64(json_object_object_get(args, "size"));
    BlockNode *n = device ? block_find(m, device) : node ? block_find(m, node) : NULL;

    if (!n) {
        qmp_set_error(err, QMP_GENERIC_ERROR, "Cannot find device='%s' nor node-name='%s'",
                      device ? device : "", node ? node : "");
    } else if (size < 0) {
        qmp_set_error(err, QMP_GENERIC_ERROR, "Parameter 'size' expects a positive number");
    } else {
        block_resize(n, (uint64_t)size, err);
    }
    return NULL;
}

static struct json_object *set_link(Machine *m, struct json_object *args, GError **err)
{
    netdev_set_link(m, arg_str(args, "name"),
                    json_object_get_boolean(json_object_object_get(args, "up")), err);
    return NULL;
}

static uint64_t number(struct json_object *args, const char *key)
{
    return (uint64_t)MAX(json_object_get_int64(json_object_object_get(args, key)), 0);
}

static struct json_object *announce_self(Machine *m, struct json_object *args, GError **err)
{
    struct json_object *list = json_object_object_get(args, "interfaces");
    const char *id = arg_str(args, "id");
    NetAnnounceTimes times = { number(args, "initial"), number(args, "max"), number(args, "rounds"),
                               number(args, "step") };
    g_autoptr(GPtrArray) names = g_ptr_array_new();

    for (size_t i = 0; list && i < json_object_array_length(list); i++) {
        const char *name = json_object_get_string(json_object_array_get_idx(list, i));

        g_ptr_array_add(names, (char *)(name ? name : ""));
    }
    g_ptr_array_add(names, NULL);
    net_announce(m, id ? id : "", &times, list ? (char **)names->pdata : NULL, err);
    return NULL;
}

static const QmpCommand commands[] = {
    { "blockdev-add", blockdev_add },
    { "blockdev-del", blockdev_del },
    { "netdev_add", add_netdev },
    { "netdev_del", del_netdev },
    { "set_link", set_link },
    { "announce-self", announce_self },
    { "query-block", query_block },
    { "query-named-block-nodes", query_nodes },
    { "query-blockstats", query_stats },
    { "block_resize", resize },
};

static void hmp_network(Machine *m, const char *args, GString *out)
{
    g_autofree char *text = net_info(m);

    g_string_append(out, text);
}

static void hmp_usernet(Machine *m, const char *args, GString *out)
{
    g_autofree char *text = net_user_connections(m);

    g_string_append(out, text);
}

/* [NETDEV] RULE */
static void forward(Machine *m, const char *args, bool add, GString *out)
{
    g_auto(GStrv) words = g_strsplit(args, " ", 2);
    const char *id = words[0] && words[1] ? words[0] : NULL;
    g_autoptr(GError) err = NULL;

    if (!net_forward(m, id, id ? words[1] : args, add, &err)) {
        g_string_append_printf(out, "Error: %s\n", err->message);
    }
}

static void hmp_hostfwd_add(Machine *m, const char *args, GString *out)
{
    forward(m, args, true, out);
}

static void hmp_hostfwd_remove(Machine *m, const char *args, GString *out)
{
    forward(m, args, false, out);
}

/* The times that QEMU's own command uses. */
static const NetAnnounceTimes usual_times = { .initial = 50, .max = 550, .rounds = 5, .step = 100 };

static void hmp_announce(Machine *m, const char *args, GString *out)
{
    g_auto(GStrv) words = g_strsplit(args, " ", 2);
    g_auto(GStrv) cards = words[0] ? g_strsplit(words[0], ",", -1) : NULL;
    g_autoptr(GError) err = NULL;

    if (!net_announce(m, words[0] && words[1] ? words[1] : "", &usual_times,
                      cards && *cards ? cards : NULL, &err)) {
        g_string_append_printf(out, "Error: %s\n", err->message);
    }
}

static void hmp_netdev_add(Machine *m, const char *args, GString *out)
{
    g_autoptr(GError) err = NULL;
    struct json_object *o = plan_options_parse(args, "type", &err);

    if (!o || !monitor_host(m)->host_add(m, "netdev", o, &err)) {
        g_string_append_printf(out, "Error: %s\n", err->message);
    }
    json_object_put(o);
}

static void hmp_netdev_del(Machine *m, const char *args, GString *out)
{
    g_autoptr(GError) err = NULL;

    if (!monitor_host(m)->host_del(m, "netdev", args, &err)) {
        g_string_append_printf(out, "Error: %s\n", err->message);
    }
}

static void hmp_set_link(Machine *m, const char *args, GString *out)
{
    g_auto(GStrv) words = g_strsplit(args, " ", 2);
    g_autoptr(GError) err = NULL;
    bool up = words[0] && words[1] && strcmp(words[1], "on") == 0;

    if (!words[0] || !words[1] || (!up && strcmp(words[1], "off") != 0)) {
        g_string_append(out, "Error: use set_link NAME on|off\n");
    } else if (!netdev_set_link(m, words[0], up, &err)) {
        g_string_append_printf(out, "Error: %s\n", err->message);
    }
}

static const HmpCommand hmp_commands[] = {
    { "info network", "", "show the network back ends", hmp_network },
    { "info usernet", "", "show the connections of user networks", hmp_usernet },
    { "hostfwd_add", "[ID] tcp|udp:[HOSTADDR]:HOSTPORT-[GUESTADDR]:GUESTPORT",
      "forward a host port to the guest", hmp_hostfwd_add },
    { "hostfwd_remove", "[ID] tcp|udp:[HOSTADDR]:HOSTPORT", "stop forwarding a host port",
      hmp_hostfwd_remove },
    { "netdev_add", "KIND,id=ID[,...]", "create a network back end", hmp_netdev_add },
    { "netdev_del", "ID", "remove a network back end", hmp_netdev_del },
    { "set_link", "NAME on|off", "plug or pull a network cable", hmp_set_link },
    { "announce_self", "[CARDS [ID]]", "let network cards tell where they are", hmp_announce },
    { "info block", "[-n] [-v] [DEVICE]", "show the disks (-n: all nodes; -v: their images)",
      hmp_info_block },
    { "info blockstats", "", "show what the disks have done", hmp_info_blockstats },
};

const CommandTable host_table = { commands, G_N_ELEMENTS(commands), hmp_commands,
                                  G_N_ELEMENTS(hmp_commands) };
