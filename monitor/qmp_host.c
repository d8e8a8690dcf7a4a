/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands about disks and network back ends.
 */
#include "internal.h"
#include "qmp-commands.h"

#include <string.h>

#include "block/block.h"
#include "net/net.h"

bool qmp_blockdev_add(Machine *m, struct json_object *args, GError **err)
{
    return monitor_host(m)->host_add(m, "blockdev", args, err);
}

bool qmp_blockdev_del(Machine *m, const QmpBlockdevDelArgs *args, GError **err)
{
    return monitor_host(m)->host_del(m, "blockdev", args->node_name, err);
}

bool qmp_netdev_add(Machine *m, struct json_object *args, GError **err)
{
    return monitor_host(m)->host_add(m, "netdev", args, err);
}

bool qmp_netdev_del(Machine *m, const QmpNetdevDelArgs *args, GError **err)
{
    return monitor_host(m)->host_del(m, "netdev", args->id, err);
}

struct json_object *qmp_query_block(Machine *m, GError **err)
{
    return block_query(m, false);
}

struct json_object *qmp_query_named_block_nodes(Machine *m, const QmpQueryNamedBlockNodesArgs *args,
                                                GError **err)
{
    return block_query(m, true);
}

struct json_object *qmp_query_blockstats(Machine *m, const QmpQueryBlockstatsArgs *args,
                                         GError **err)
{
    return block_query_stats(m, args->query_nodes);
}

struct json_object *qmp_query_block_jobs(Machine *m, GError **err)
{
    return json_object_new_array();
}

bool qmp_block_resize(Machine *m, const QmpBlockResizeArgs *args, GError **err)
{
    const char *device = args->device, *node = args->node_name;
    int64_t size = args->size;
    BlockNode *n = device ? block_find(m, device) : node ? block_find(m, node) : NULL;

    if (!n) {
        qmp_set_error(err, QMP_GENERIC_ERROR, "Cannot find device='%s' nor node-name='%s'",
                      device ? device : "", node ? node : "");
    } else if (size < 0) {
        qmp_set_error(
            err, QMP_GENERIC_ERROR,
            "Parameter 'size' does not accept %" G_GINT64_FORMAT ": use a number of bytes", size);
    } else {
        return block_resize(n, (uint64_t)size, err);
    }
    return false;
}

bool qmp_set_link(Machine *m, const QmpSetLinkArgs *args, GError **err)
{
    return netdev_set_link(m, args->name, args->up, err);
}

struct json_object *qmp_query_rx_filter(Machine *m, const QmpQueryRxFilterArgs *args, GError **err)
{
    return net_rx_filters(m, args->name, err);
}

bool qmp_announce_self(Machine *m, const QmpAnnounceSelfArgs *args, GError **err)
{
    struct json_object *list = args->interfaces;
    const char *id = args->id;
    NetAnnounceTimes times = { (uint64_t)MAX(args->initial, 0), (uint64_t)MAX(args->max, 0),
                               (uint64_t)MAX(args->rounds, 0), (uint64_t)MAX(args->step, 0) };
    g_autoptr(GPtrArray) names = g_ptr_array_new();

    for (size_t i = 0; list && i < json_object_array_length(list); i++) {
        g_ptr_array_add(names, (char *)json_object_get_string(json_object_array_get_idx(list, i)));
    }
    g_ptr_array_add(names, NULL);
    return net_announce(m, id ? id : "", &times, list ? (char **)names->pdata : NULL, err);
}

static void hmp_info_network(Machine *m, const char *args, GString *out)
{
    g_autofree char *text = net_info(m);

    g_string_append(out, text);
}

static void hmp_info_usernet(Machine *m, const char *args, GString *out)
{
    g_autofree char *text = net_user_connections(m);

    g_string_append(out, text);
}

/* Add or remove a port forwarding. Arguments: [NETDEV] RULE. */
static void hmp_forward(Machine *m, const char *args, bool add, GString *out)
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
    hmp_forward(m, args, true, out);
}

static void hmp_hostfwd_remove(Machine *m, const char *args, GString *out)
{
    hmp_forward(m, args, false, out);
}

static void hmp_announce_self(Machine *m, const char *args, GString *out)
{
    g_auto(GStrv) words = g_strsplit(args, " ", 2);
    g_auto(GStrv) devices = words[0] ? g_strsplit(words[0], ",", -1) : NULL;
    g_autoptr(GError) err = NULL;

    if (!net_announce(m, words[0] && words[1] ? words[1] : "", &net_announce_default,
                      devices && *devices ? devices : NULL, &err)) {
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

/* Arguments: [-n] IGNORED OPTIONS. The second was the PCI address of the device in old versions of
 * QEMU. */
static void hmp_drive_add(Machine *m, const char *args, GString *out)
{
    g_autoptr(GError) err = NULL;
    const char *options = strchr(args, ' ');

    if (options && g_str_has_prefix(args, "-n ")) {
        options = strchr(options + 1, ' ');
    }
    if (!options) {
        g_string_append(out, "Error: use drive_add 0 if=none,id=ID,file=FILE[,...]\n");
    } else if (!monitor_host(m)->drive_add(m, options + 1, &err)) {
        g_string_append_printf(out, "Error: %s\n", err->message);
    } else {
        g_string_append(out, "OK\n");
    }
}

static void hmp_drive_del(Machine *m, const char *args, GString *out)
{
    g_autoptr(GError) err = NULL;

    if (!monitor_host(m)->host_del(m, "drive", args, &err)) {
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
    { "info network", "", "show the network back ends", hmp_info_network },
    { "info usernet", "", "show the connections of user networks", hmp_info_usernet },
    { "hostfwd_add", "[ID] tcp|udp:[HOSTADDR]:HOSTPORT-[GUESTADDR]:GUESTPORT",
      "forward a host port to the guest", hmp_hostfwd_add },
    { "hostfwd_remove", "[ID] tcp|udp:[HOSTADDR]:HOSTPORT", "stop forwarding a host port",
      hmp_hostfwd_remove },
    { "drive_add", "[-n] 0 if=none,id=ID,file=FILE[,...]",
      "create a drive for device_add; the options are those of -drive", hmp_drive_add },
    { "drive_del", "ID", "delete a drive that no device uses", hmp_drive_del },
    { "netdev_add", "TYPE,id=ID[,...]", NULL, hmp_netdev_add },
    { "netdev_del", "ID", NULL, hmp_netdev_del },
    { "set_link", "NAME on|off", NULL, hmp_set_link },
    { "announce_self", "[DEVICES [ID]]", NULL, hmp_announce_self },
    { "info block", "[-n] [-v] [DEVICE]", "show the disks (-n: all block nodes; -v: their images)",
      hmp_info_block },
    { "info blockstats", "", "show statistics of the disks", hmp_info_blockstats },
};

const HmpTable host_table = { LIST(hmp_commands) };
