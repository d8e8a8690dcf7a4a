/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Network back ends: creation, connection to devices, and frames in both directions (contract in
 * net/net.h).
 */
#include <linux/virtio_net.h>
#include <string.h>

#include "internal.h"
#include "util/suggest.h"

static const NetKind *const kinds[] = { &net_user,  &net_socket, &net_stream,
                                        &net_dgram, &net_tap,    &net_hub };

NetSet *net_set(Machine *m)
{
    NetSet *set = m->netdevs;

    if (!set) {
        set = m->netdevs = g_new(NetSet, 1);
        *set = (NetSet){ g_ptr_array_new(), g_ptr_array_new(),
                         g_hash_table_new_full(g_str_hash, g_str_equal, NULL, net_announce_free) };
    }
    return set;
}

static GPtrArray *netdev_list(Machine *m)
{
    return net_set(m)->netdevs;
}

const char *net_opt(struct json_object *o, const char *key)
{
    struct json_object *v;

    return json_object_object_get_ex(o, key, &v) && v ? json_object_get_string(v) : NULL;
}

Netdev *netdev_find(Machine *m, const char *id)
{
    GPtrArray *list = netdev_list(m);

    for (unsigned i = 0; i < list->len; i++) {
        Netdev *n = g_ptr_array_index(list, i);

        if (g_str_equal(n->id, id)) {
            return n;
        }
    }
    return NULL;
}

static const char *netdev_kind_name(const void *table, size_t i)
{
    return kinds[i]->name;
}

static const NetKind *netdev_find_kind(const char *name, GError **err)
{
    g_autofree char *hint = NULL;

    for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++) {
        if (name && g_str_equal(kinds[i]->name, name)) {
            return kinds[i];
        }
    }
    hint = suggest_hint_of(name ? name : "", netdev_kind_name, NULL, G_N_ELEMENTS(kinds));
    error_set(err, ERROR_USER,
              "'%s' is not a netdev type%s; use user, socket, stream, dgram, tap or hubport",
              name ? name : "", hint);
    return NULL;
}

char *netdev_help(void)
{
    GString *out = g_string_new("Available netdev backend types:\n");

    for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++) {
        g_autofree char *keys = g_strjoinv(", ", (char **)kinds[i]->keys);

        g_string_append_printf(out, "%-10s %s\n", kinds[i]->name, keys);
    }
    return g_string_free(out, FALSE);
}

bool netdev_kind(size_t i, const char **name, const char *const **keys)
{
    if (i < G_N_ELEMENTS(kinds)) {
        *name = kinds[i]->name;
        *keys = kinds[i]->keys;
    }
    return i < G_N_ELEMENTS(kinds);
}

static bool netdev_check_keys(const NetKind *kind, struct json_object *o, GError **err)
{
    json_object_object_foreach(o, key, value)
    {
        (void)value;
        if (!g_str_equal(key, "type") && !g_str_equal(key, "id") &&
            !g_strv_contains(kind->keys, key)) {
            g_autofree char *accepted = g_strjoinv(", ", (char **)kind->keys);

            return error_set(err, ERROR_USER, "%s has no option '%s'; the options are %s",
                             kind->name, key, accepted);
        }
    }
    return true;
}

static void netdev_forget_waiting(Netdev *n)
{
    for (unsigned i = 0; i < NET_LANES; i++) {
        g_queue_clear_full(&n->lanes[i].waiting, g_free);
        n->lanes[i].bytes = 0;
    }
}

static void netdev_free(Netdev *n)
{
    if (n->flush) {
        g_source_remove(n->flush);
    }
    netdev_forget_waiting(n);
    g_free(n->id);
    g_free(n->device);
    g_free(n);
}

Netdev *netdev_new(Machine *m, struct json_object *options, GError **err)
{
    const char *id = net_opt(options, "id");
    const NetKind *kind = netdev_find_kind(net_opt(options, "type"), err);
    Netdev *n;

    if (!kind || !netdev_check_keys(kind, options, err)) {
        g_prefix_error(err, "netdev '%s': ", id ? id : "");
        return NULL;
    }
    if (!id || netdev_find(m, id)) {
        error_set(err, ERROR_USER,
                  id ? "a netdev named '%s' already exists"
                     : "property 'id' is required: id=NAME%s",
                  id ? id : "");
        return NULL;
    }
    n = g_new0(Netdev, 1);
    *n = (Netdev){ .machine = m, .id = g_strdup(id), .kind = kind, .link = true };
    if (!kind->open(n, options, err)) {
        g_prefix_error(err, "netdev '%s': ", id);
        netdev_free(n);
        return NULL;
    }
    g_ptr_array_add(netdev_list(m), n);
    return n;
}

static void netdev_destroy(Netdev *n)
{
    n->kind->close(n);
    g_ptr_array_remove(netdev_list(n->machine), n);
    netdev_free(n);
}

bool netdev_del(Machine *m, const char *id, GError **err)
{
    Netdev *n = netdev_find(m, id);

    if (!n) {
        return error_set(err, ERROR_USER, "netdev '%s' does not exist", id);
    }
    if (n->nic) {
        return error_set(err, ERROR_USER, "netdev '%s' is already used by %s", id, n->device);
    }
    netdev_destroy(n);
    return true;
}

void netdev_free_all(Machine *m)
{
    NetSet *set = m->netdevs;

    if (!set) {
        return;
    }
    while (set->netdevs->len > 0) {
        netdev_destroy(g_ptr_array_index(set->netdevs, set->netdevs->len - 1));
    }
    g_hash_table_destroy(set->announcing);
    g_ptr_array_free(set->netdevs, TRUE);
    g_ptr_array_free(set->nics, TRUE);
    g_free(set);
    m->netdevs = NULL;
}

/* --- devices --- */

NetNic *net_nic_find(Machine *m, const char *name)
{
    GPtrArray *nics = net_set(m)->nics;

    for (unsigned i = 0; i < nics->len; i++) {
        NetNic *nic = g_ptr_array_index(nics, i);

        if (g_str_equal(nic->name, name)) {
            return nic;
        }
    }
    return NULL;
}

/* The model and the number of devices of the model, or the next number that is not used. */
static char *nic_free_name(Machine *m, const char *model)
{
    GPtrArray *nics = net_set(m)->nics;
    char *name = NULL;
    unsigned number = 0;

    for (unsigned i = 0; i < nics->len; i++) {
        number += g_str_equal(((NetNic *)g_ptr_array_index(nics, i))->model, model);
    }
    for (; !name || net_nic_find(m, name); number++) {
        g_free(name);
        name = g_strdup_printf("%s.%u", model, number);
    }
    return name;
}

bool net_nic_add(Machine *m, NetNic *nic, const char *netdev, const char *id, GError **err)
{
    Netdev *peer = netdev ? netdev_find(m, netdev) : NULL;
    g_autofree char *name = id ? g_strdup(id) : nic_free_name(m, nic->model);

    if (netdev && !peer) {
        return error_set(err, ERROR_USER, "%s: netdev '%s' does not exist", name, netdev);
    }
    if (peer && !netdev_attach(peer, nic, name, err)) {
        return false;
    }
    nic->peer = peer;
    nic->name = g_steal_pointer(&name);
    g_ptr_array_add(net_set(m)->nics, nic);
    return true;
}

void net_nic_remove(Machine *m, NetNic *nic)
{
    NetSet *set = m->netdevs;

    if (!nic->name) {
        return;
    }
    if (nic->peer) {
        netdev_detach(nic->peer);
    }
    g_ptr_array_remove(set->nics, nic);
    g_clear_pointer(&nic->name, g_free);
    nic->peer = NULL;
    if (set->nics->len + set->netdevs->len + g_hash_table_size(set->announcing) == 0) {
        netdev_free_all(m); /* a machine without devices owns no memory of this file */
    }
}

bool net_nic_link(const NetNic *nic)
{
    return nic->peer ? nic->peer->link : !nic->unplugged;
}

void net_visit_unused(const Machine *m, void (*fn)(void *opaque, const char *id), void *opaque)
{
    const NetSet *set = m->netdevs;

    for (guint i = 0; set && i < set->netdevs->len; i++) {
        const Netdev *n = set->netdevs->pdata[i];

        if (!n->nic && n->kind != &net_hub) {
            fn(opaque, n->id);
        }
    }
}

bool netdev_attach(Netdev *n, const NetNic *nic, const char *device, GError **err)
{
    if (n->nic) {
        return error_set(err, ERROR_USER, "%s: netdev '%s' is already used by %s", device, n->id,
                         n->device);
    }
    n->nic = nic;
    n->device = g_strdup(device);
    return true;
}

void netdev_detach(Netdev *n)
{
    n->nic = NULL;
    g_clear_pointer(&n->device, g_free);
    netdev_forget_waiting(n);
}

/* --- to the device --- */

static int netdev_choose_lane(const Netdev *n, const uint8_t *frame, size_t len)
{
    struct iovec iov = { (void *)frame, len };

    return n->nic->lane ? n->nic->lane(n->nic->opaque, &iov, 1) : 0;
}

static bool lane_offer_frame(Netdev *n, unsigned lane, const uint8_t *frame, size_t len)
{
    struct iovec iov = { (void *)frame, len };

    return !n->sending && n->nic->receive(n->nic->opaque, lane, &iov, 1, NULL);
}

static gboolean netdev_flush_waiting(gpointer opaque)
{
    Netdev *n = opaque;

    n->flush = 0;
    net_nic_ready(n);
    return G_SOURCE_REMOVE;
}

static void lane_keep_frame(Netdev *n, NetLane *l, const uint8_t *frame, size_t len)
{
    NetFrame *f;

    if (l->waiting.length >= NET_QUEUE_FRAMES || l->bytes + len > NET_QUEUE_BYTES) {
        l->lost++;
        return;
    }
    f = g_malloc(sizeof(*f) + len);
    f->len = len;
    memcpy(f->data, frame, len);
    g_queue_push_tail(&l->waiting, f);
    l->bytes += len;
    if (n->sending && !n->flush) {
        n->flush = g_idle_add_full(G_PRIORITY_DEFAULT, netdev_flush_waiting, n, NULL);
    }
}

void net_input(Netdev *n, const uint8_t *frame, size_t len)
{
    int lane;

    if (!n->nic || !n->link || len > NET_MAX_FRAME) {
        return;
    }
    lane = netdev_choose_lane(n, frame, len);
    if (lane >= 0 &&
        (!g_queue_is_empty(&n->lanes[lane].waiting) || !lane_offer_frame(n, lane, frame, len))) {
        lane_keep_frame(n, &n->lanes[lane], frame, len);
    }
}

static void lane_flush(Netdev *n, unsigned lane)
{
    NetLane *l = &n->lanes[lane];
    NetFrame *f;

    while (n->nic && (f = g_queue_peek_head(&l->waiting)) &&
           lane_offer_frame(n, lane, f->data, f->len)) {
        l->bytes -= f->len;
        g_free(g_queue_pop_head(&l->waiting));
    }
}

/* Each call begins with another lane, because the device may accept a limited number of frames. */
void net_nic_ready(Netdev *n)
{
    unsigned first = n->next_lane++;

    for (unsigned i = 0; i < NET_LANES; i++) {
        lane_flush(n, (first + i) % NET_LANES);
    }
}

uint64_t net_lost(const Netdev *n)
{
    uint64_t lost = n->lost;

    for (unsigned lane = 0; lane < NET_LANES; lane++) {
        lost += n->lanes[lane].lost;
    }
    return lost;
}

/* --- from the device --- */

/* A user network may answer within NetKind.send. */
static bool netdev_send_frame(void *opaque, const uint8_t *frame, size_t len)
{
    Netdev *n = opaque;
    bool was = n->sending, sent;

    n->sending = true;
    sent = n->kind->send(n, frame, len);
    n->sending = was;
    return sent;
}

static bool net_meta_is_plain(const NetMeta *meta)
{
    return !meta || (!(meta->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) &&
                     meta->gso_type == VIRTIO_NET_HDR_GSO_NONE);
}

size_t net_send(Netdev *n, const struct iovec *iov, int n_iov, const NetMeta *meta)
{
    NetPart all = { .most = UINT_MAX };

    return net_send_part(n, iov, n_iov, meta, &all);
}

static uint8_t *iov_flat_copy(const struct iovec *iov, int n_iov, size_t len)
{
    uint8_t *copy = g_malloc(len);
    size_t at = 0;

    for (int i = 0; i < n_iov; i++) {
        memcpy(copy + at, iov[i].iov_base, iov[i].iov_len);
        at += iov[i].iov_len;
    }
    return copy;
}

size_t net_send_part(Netdev *n, const struct iovec *iov, int n_iov, const NetMeta *meta,
                     NetPart *part)
{
    g_autofree uint8_t *copy = NULL;
    size_t len = 0;

    for (int i = 0; i < n_iov; i++) {
        len += iov[i].iov_len;
    }
    part->frames = 0;
    part->more = false;
    if (!n->link || len == 0 || len > NET_MAX_FRAME) {
        return len;
    }
    if (n_iov > 1 || !net_meta_is_plain(meta)) {
        copy = iov_flat_copy(iov, n_iov, len);
    }
    if (net_meta_is_plain(meta)) {
        part->frames = 1;
        return netdev_send_frame(n, copy ? copy : iov[0].iov_base, len) ? len : 0;
    }
    /* Segments that the network does not accept are lost. The guest's TCP sends them again. */
    net_finish_part(copy, len, meta, part, netdev_send_frame, n);
    return len;
}

void net_writable(Netdev *n)
{
    if (n->nic && n->nic->sent) {
        n->nic->sent(n->nic->opaque);
    }
}

/* --- link and information --- */

static void nic_notify_link(const NetNic *nic, bool up)
{
    if (nic && nic->link) {
        nic->link(nic->opaque, up);
    }
}

bool netdev_set_link(Machine *m, const char *name, bool up, GError **err)
{
    NetNic *nic = net_nic_find(m, name);
    Netdev *n = nic ? nic->peer : netdev_find(m, name);

    if (!n && !nic) {
        return error_set(err, ERROR_USER, "netdev or network device '%s' does not exist", name);
    }
    if (n && n->link != up) {
        n->link = up;
        nic_notify_link(n->nic, up);
    } else if (!n && nic->unplugged == up) {
        nic->unplugged = !up;
        nic_notify_link(nic, up);
    }
    return true;
}

void netdev_foreach(Machine *m, void (*fn)(void *opaque, Netdev *n), void *opaque)
{
    GPtrArray *list = netdev_list(m);

    for (unsigned i = 0; i < list->len; i++) {
        fn(opaque, g_ptr_array_index(list, i));
    }
}
