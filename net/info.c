/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The text of `info network` and `info usernet`, in the format that clients parse.
 */
#include "internal.h"

static bool net_info_is_hub(const Netdev *n)
{
    return n->kind == &net_hub;
}

/* Frames were lost because the guest provided no buffers or the host accepted no more. */
static void net_info_show_lost(GString *out, const Netdev *n)
{
    if (net_lost(n)) {
        g_string_append_printf(out, ",lost=%" PRIu64, net_lost(n));
    }
}

static void net_info_show_netdev(GString *out, const char *lead, const Netdev *n)
{
    g_autofree char *text = n->kind->info(n);

    g_string_append_printf(out, "%s%s: index=0,type=%s,%s", lead, n->id, n->kind->name, text);
    net_info_show_lost(out, n);
    g_string_append_c(out, '\n');
}

static void net_info_show_nic(GString *out, const NetNic *nic)
{
    const uint8_t *m = nic->mac;

    g_string_append_printf(out,
                           "%s: index=0,type=nic,model=%s,macaddr=%02x:%02x:%02x:%02x:%02x:%02x\n",
                           nic->name, nic->model, m[0], m[1], m[2], m[3], m[4], m[5]);
}

/* A port, and the device that is connected to it, if any. */
static void net_info_show_port(GString *out, const Netdev *n, GPtrArray *nics)
{
    g_string_append_printf(out, " \\ %s", n->id);
    net_info_show_lost(out, n);
    for (unsigned i = 0; i < nics->len; i++) {
        const NetNic *nic = g_ptr_array_index(nics, i);

        if (nic->peer == n) {
            g_string_append(out, ": ");
            net_info_show_nic(out, nic);
            return;
        }
    }
    g_string_append_c(out, '\n');
}

/* Each hub is shown with its first port, and its ports in reverse order of creation. */
static void net_info_show_hubs(GString *out, const NetSet *set)
{
    for (unsigned i = 0; i < set->netdevs->len; i++) {
        const Netdev *n = g_ptr_array_index(set->netdevs, i);
        bool first = net_info_is_hub(n);

        for (unsigned j = 0; first && j < i; j++) {
            const Netdev *other = g_ptr_array_index(set->netdevs, j);

            first = !net_info_is_hub(other) || net_hub_id(other) != net_hub_id(n);
        }
        if (!first) {
            continue;
        }
        g_string_append_printf(out, "hub %d\n", net_hub_id(n));
        for (unsigned j = set->netdevs->len; j-- > i;) {
            const Netdev *port = g_ptr_array_index(set->netdevs, j);

            if (net_info_is_hub(port) && net_hub_id(port) == net_hub_id(n)) {
                net_info_show_port(out, port, set->nics);
            }
        }
    }
}

char *net_user_connections(Machine *m)
{
    const NetSet *set = net_set(m);
    GString *out = g_string_new(NULL);

    for (unsigned i = 0; i < set->netdevs->len; i++) {
        const Netdev *n = g_ptr_array_index(set->netdevs, i);

        if (n->kind->connections) {
            g_autofree char *text = n->kind->connections(n);

            g_string_append_printf(out, "Hub -1 (%s):\n%s", n->id, text);
        }
    }
    return g_string_free(out, FALSE);
}

bool net_forward(Machine *m, const char *id, const char *rule, bool add, GError **err)
{
    const NetSet *set = net_set(m);

    for (unsigned i = 0; i < set->netdevs->len; i++) {
        Netdev *n = g_ptr_array_index(set->netdevs, i);

        if (n->kind->forward && (!id || g_str_equal(n->id, id))) {
            return n->kind->forward(n, rule, add, err);
        }
    }
    return error_set(err, ERROR_USER,
                     id ? "user network '%s' does not exist" : "there is no user network%s",
                     id ? id : "");
}

char *net_info(Machine *m)
{
    const NetSet *set = net_set(m);
    GString *out = g_string_new(NULL);

    net_info_show_hubs(out, set);
    for (unsigned i = 0; i < set->netdevs->len; i++) {
        const Netdev *n = g_ptr_array_index(set->netdevs, i);

        if (!net_info_is_hub(n) && !n->nic) {
            net_info_show_netdev(out, "", n);
        }
    }
    for (unsigned i = 0; i < set->nics->len; i++) {
        const NetNic *nic = g_ptr_array_index(set->nics, i);

        if (!nic->peer || !net_info_is_hub(nic->peer)) {
            net_info_show_nic(out, nic);
        }
        if (nic->peer && !net_info_is_hub(nic->peer)) {
            net_info_show_netdev(out, " \\ ", nic->peer);
        }
    }
    return g_string_free(out, FALSE);
}

/* --- receive filters --- */

enum { NET_INFO_VLANS = 4096 };

static const char *net_info_mode(NetRxMode mode)
{
    static const char *const names[] = { "none", "normal", "all" };

    return names[mode];
}

static struct json_object *net_info_mac(const uint8_t *m)
{
    g_autofree char *text =
        g_strdup_printf("%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5]);

    return json_object_new_string(text);
}

static struct json_object *net_info_macs(const uint8_t *table, unsigned n)
{
    struct json_object *list = json_object_new_array();

    for (unsigned i = 0; i < n; i++) {
        json_object_array_add(list, net_info_mac(table + i * 6));
    }
    return list;
}

static struct json_object *net_info_vlans(const uint8_t *bits)
{
    struct json_object *list = json_object_new_array();

    for (unsigned i = 0; bits && i < NET_INFO_VLANS; i++) {
        if (bits[i / 8] >> (i % 8) & 1) {
            json_object_array_add(list, json_object_new_int((int)i));
        }
    }
    return list;
}

static struct json_object *net_info_rx_filter(const NetNic *nic)
{
    struct json_object *o = json_object_new_object();
    NetRxFilter f = { 0 };

    nic->rx_filter(nic->opaque, &f);
    json_object_object_add(o, "name", json_object_new_string(nic->name));
    json_object_object_add(o, "promiscuous", json_object_new_boolean(f.promiscuous));
    json_object_object_add(o, "multicast", json_object_new_string(net_info_mode(f.multicast)));
    json_object_object_add(o, "unicast", json_object_new_string(net_info_mode(f.unicast)));
    json_object_object_add(o, "vlan", json_object_new_string(net_info_mode(f.vlan)));
    json_object_object_add(o, "broadcast-allowed", json_object_new_boolean(f.broadcast));
    json_object_object_add(o, "multicast-overflow", json_object_new_boolean(f.multicast_overflow));
    json_object_object_add(o, "unicast-overflow", json_object_new_boolean(f.unicast_overflow));
    json_object_object_add(o, "main-mac", net_info_mac(nic->mac));
    json_object_object_add(o, "vlan-table", net_info_vlans(f.vlans));
    json_object_object_add(o, "unicast-table", net_info_macs(f.unicast_table, f.n_unicast));
    json_object_object_add(o, "multicast-table", net_info_macs(f.multicast_table, f.n_multicast));
    return o;
}

struct json_object *net_rx_filters(Machine *m, const char *name, GError **err)
{
    const NetNic *only = name ? net_nic_find(m, name) : NULL;
    struct json_object *list;
    GPtrArray *nics = net_set(m)->nics;

    if (name && (!only || !only->rx_filter)) {
        error_set(err, ERROR_USER, "network device '%s' %s", name,
                  only ? "has no receive filter" : "does not exist");
        return NULL;
    }
    list = json_object_new_array();
    for (unsigned i = 0; i < nics->len; i++) {
        const NetNic *nic = g_ptr_array_index(nics, i);

        if (nic->rx_filter && (!only || nic == only)) {
            json_object_array_add(list, net_info_rx_filter(nic));
        }
    }
    return list;
}
