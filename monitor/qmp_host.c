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

static const QmpArg announce_args[] = {
    { "initial", QMP_INT, false, "ms from the first announcement to the second" },
    { "max", QMP_INT, false, "ms between announcements at most" },
    { "rounds", QMP_INT, false, "announcements; 0: end the series of that id" },
    { "step", QMP_INT, false, "ms that are added to the time between them" },
    { "interfaces", QMP_ARRAY, true, "names of cards (default: all)" },
    { "id", QMP_STR, true, "of the series, to change or end it" },
};
static const QmpArg link_args[] = {
    { "name", QMP_STR, false, "id of the back end or of its device" },
    { "up", QMP_BOOL, false, "whether the cable is plugged" },
};
static const QmpArg blockdev_args[] = {
    { "driver", QMP_STR, false, "kind of node" },
    { "node-name", QMP_STR, false, "its name" },
};
static const QmpArg node_args[] = { { "node-name", QMP_STR, false, "name of the node" } };
static const QmpArg netdev_args[] = {
    { "type", QMP_STR, false, "kind of peer" },
    { "id", QMP_STR, false, "its id" },
};
static const QmpArg id_args[] = { { "id", QMP_STR, false, "its id" } };
static const QmpArg stats_args[] = {
    { "query-nodes", QMP_BOOL, true, "all nodes, not just those of disks" },
};
static const QmpArg named_args[] = { { "flat", QMP_BOOL, true, "accepted" } };
static const QmpArg resize_args[] = {
    { "device", QMP_STR, true, "id of the drive, or" },
    { "node-name", QMP_STR, true, "name of the node" },
    { "size", QMP_INT, false, "bytes" },
};

static const QmpCommand commands[] = {
    { "blockdev-add", "Create a disk back end", blockdev_add, LIST(blockdev_args), QMP_ANY_ARGS,
      "null" },
    { "blockdev-del", "Remove a disk back end nobody uses", blockdev_del, LIST(node_args),
      .returns = "null" },
    { "netdev_add", "Create a network back end", add_netdev, LIST(netdev_args), QMP_ANY_ARGS,
      "null" },
    { "netdev_del", "Remove a network back end", del_netdev, LIST(id_args), .returns = "null" },
    { "set_link", "Plug or pull a network cable", set_link, LIST(link_args), .returns = "null" },
    { "announce-self", "Let network cards tell where they are", announce_self, LIST(announce_args),
      .returns = "null" },
    { "query-block", "The disks", query_block, .returns = "array" },
    { "query-named-block-nodes", "The nodes of the disks", query_nodes, LIST(named_args),
      .returns = "array" },
    { "query-blockstats", "What the disks have done", query_stats, LIST(stats_args),
      .returns = "array" },
    { "block_resize", "Change the size of a disk", resize, LIST(resize_args), .returns = "null" },
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
