/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-net: a network card (virtio 1.2, 5.1).
 *
 * Queue 2n receives, 2n+1 sends for pair n, and the last one takes control commands. Frames of a
 * back end that does no offloads are finished in net/ (checksums, segments), so that what the
 * card offers follows from its properties alone and not from what is behind it.
 */
#include <string.h>

#include "virtio_net.h"

enum { CONFIG_SIZE = 24, MIN_MTU = 68, MAX_MTU = 65535, CTRL_SIZE = 64 };

static VirtioNet *net_of(VirtioDevice *v)
{
    return v->instance;
}

/* Without MQ there is one pair, and the control queue comes right behind it (5.1.2). */
static unsigned usable_pairs(const VirtioNet *n)
{
    return virtio_has(&n->vpci.virtio, F_MQ) ? n->pairs : 1;
}

/* --- the class --- */

static void net_notified(VirtioDevice *v, unsigned queue)
{
    VirtioNet *n = net_of(v);

    if (queue == 2 * usable_pairs(n) && virtio_has(v, F_CTRL_VQ)) {
        virtio_net_control(n, virtio_queue(v, queue));
    } else if (queue >= 2 * usable_pairs(n)) {
        return;
    } else if (queue % 2) {
        virtio_net_send_pair(n, queue / 2);
    } else if (n->peer) {
        net_nic_ready(n->peer);
    }
}

static uint64_t bits(bool on, uint64_t mask)
{
    return on ? mask : 0;
}

static uint64_t net_features(VirtioDevice *v)
{
    VirtioNet *n = net_of(v);

    return 1ull << F_MAC | 1ull << F_STATUS | bits(n->csum, 1ull << F_CSUM | 1ull << F_GUEST_CSUM) |
           bits(n->csum && n->tso, 1ull << F_HOST_TSO4 | 1ull << F_HOST_TSO6) |
           bits(n->mrg, 1ull << F_MRG_RXBUF) | bits(n->mtu != 0, 1ull << F_MTU) |
           bits(n->ctrl, 1ull << F_CTRL_VQ | 1ull << F_CTRL_RX | 1ull << F_CTRL_VLAN |
                             1ull << F_CTRL_RX_EXTRA | 1ull << F_CTRL_MAC_ADDR) |
           bits(n->ctrl && n->announce, 1ull << F_GUEST_ANNOUNCE) |
           bits(n->mq || n->pairs > 1, 1ull << F_MQ);
}

/* What needs what (5.1.3.1): a set that leaves the second out is refused. */
static bool net_set_features(VirtioDevice *v, uint64_t features)
{
    static const uint8_t needs[][2] = {
        { F_HOST_TSO4, F_CSUM },    { F_HOST_TSO6, F_CSUM },        { F_CTRL_RX, F_CTRL_VQ },
        { F_CTRL_VLAN, F_CTRL_VQ }, { F_CTRL_RX_EXTRA, F_CTRL_VQ }, { F_GUEST_ANNOUNCE, F_CTRL_VQ },
        { F_MQ, F_CTRL_VQ },        { F_CTRL_MAC_ADDR, F_CTRL_VQ },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(needs); i++) {
        if ((features >> needs[i][0] & 1) && !(features >> needs[i][1] & 1)) {
            return false;
        }
    }
    return true;
}

static void net_config_read(VirtioDevice *v, uint8_t *c)
{
    VirtioNet *n = net_of(v);

    memcpy(c, n->mac, 6);
    memcpy(c + 6, &n->status, 2);
    memcpy(c + 8, &n->pairs, 2);
    memcpy(c + 10, &n->mtu, 2);
}

/* Legacy drivers set the address through config space. */
static void net_config_written(VirtioDevice *v, const uint8_t *c, size_t at, size_t len)
{
    if (!virtio_has(v, F_VERSION_1) && at < 6) {
        memcpy(net_of(v)->mac, c, 6);
    }
}

static void net_reset(VirtioDevice *v)
{
    VirtioNet *n = net_of(v);

    memcpy(n->mac, n->mac_prop, 6);
    n->status = net_nic_link(&n->nic) ? STATUS_LINK_UP : 0;
    n->active_pairs = 1;
    n->filter = (NetFilter){ .promisc = true }; /* until a driver programs it (5.1.6.5.1) */
    n->tx_blocked = 0;
    memset(n->flows, 0, sizeof(n->flows));
}

static void net_link(void *opaque, bool up)
{
    VirtioNet *n = opaque;

    n->status = (n->status & ~STATUS_LINK_UP) | (up ? STATUS_LINK_UP : 0);
    virtio_config_changed(&n->vpci.virtio);
}

/* The network must learn where the guest is: the guest tells it if it negotiated that. */
static bool ask_guest(VirtioNet *n)
{
    if (!virtio_has(&n->vpci.virtio, F_GUEST_ANNOUNCE)) {
        return false;
    }
    n->status |= STATUS_ANNOUNCE;
    virtio_config_changed(&n->vpci.virtio);
    return true;
}

/* On demand the card does it as well: whoever asks cannot know what the guest does. */
static void net_announce_now(void *opaque)
{
    virtio_net_send_rarp(opaque);
    ask_guest(opaque);
}

static bool net_post_load(void *obj, GError **err)
{
    ((VirtioNet *)obj)->moved = true;
    return true;
}

static void run_changed(void *opaque, bool running, RunState state)
{
    VirtioNet *n = opaque;

    if (running && n->moved) {
        n->moved = false;
        if (!ask_guest(n)) {
            virtio_net_send_rarp(n);
        }
    }
    if (running && n->peer) {
        net_nic_ready(n->peer); /* frames for a device that is not set up leave the queue */
    }
}

/* --- life --- */

static bool check_props(VirtioNet *n, GError **err)
{
    const char *what = NULL;

    if ((n->rx_size & (n->rx_size - 1)) || (n->tx_size & (n->tx_size - 1))) {
        what = "rx_queue_size and tx_queue_size must be powers of two";
    } else if (n->mtu && n->mtu < MIN_MTU) {
        what = "host_mtu must be 0 or at least 68";
    } else if (n->mac_prop[0] & 1) {
        what = "mac must not be a multicast address";
    } else if (!n->ctrl && (n->mq || n->pairs > 1)) {
        what = "mq and queue-pairs above 1 need the control queue: ctrl_vq=on";
    }
    if (what) {
        g_set_error(err, G_FILE_ERROR, G_FILE_ERROR_INVAL, "%s: %s", device_name(net_device(n)),
                    what);
    }
    return what == NULL;
}

/* An address by place, so that a description always gives the same one: on the first root bus
 * 52:54:00:12:34:56 plus slot and function, elsewhere 52:54:00 and a hash of the way there. */
static void derive_mac(VirtioNet *n)
{
    static const uint8_t none[6];
    const char *path = net_device(n)->plan_id;
    uint32_t low = 0x123456, hash = 2166136261u;

    if (memcmp(n->mac_prop, none, 6) != 0) {
        return;
    }
    for (const char *p = path; *p; p++) {
        hash = (hash ^ (uint8_t)*p) * 16777619u; /* FNV-1a */
    }
    if (g_str_has_prefix(path, "0000:00:") && !strchr(path + 8, ':')) {
        low = (low & ~0xffu) | (uint8_t)(low + pci_devfn(&n->vpci.pci));
    } else {
        low = (hash ^ hash >> 24) & 0xffffff;
    }
    memcpy(n->mac_prop, (const uint8_t[6]){ 0x52, 0x54, 0x00, low >> 16, low >> 8, low }, 6);
}

static bool net_init(void *dev, GError **err)
{
    VirtioNet *n = dev;

    if (!check_props(n, err)) {
        return false;
    }
    derive_mac(n);
    n->nic = (NetNic){ .receive = virtio_net_receive,
                       .lane = virtio_net_lane,
                       .link = net_link,
                       .sent = virtio_net_sent,
                       .announce = net_announce_now,
                       .opaque = n,
                       .model = net_device(n)->type->name,
                       .mac = n->mac };
    if (!net_nic_add(net_device(n)->machine, &n->nic, n->netdev, net_device(n)->id, err)) {
        return false;
    }
    n->peer = n->nic.peer;
    for (unsigned pair = 0; pair < n->pairs; pair++) {
        virtio_add_queue(&n->vpci.virtio, n->rx_size);
        virtio_add_queue(&n->vpci.virtio, n->tx_size);
    }
    if (n->ctrl) {
        virtio_add_queue(&n->vpci.virtio, CTRL_SIZE);
    }
    machine_add_run_fn(n->vpci.pci.dev.machine, run_changed, n);
    return true;
}

static void net_exit(void *dev)
{
    VirtioNet *n = dev;

    machine_remove_run_fn(n->vpci.pci.dev.machine, run_changed, n);
    net_nic_remove(n->vpci.pci.dev.machine, &n->nic);
    n->peer = NULL;
}

static const PlanCount net_auto_vectors = { 1, { "queue-pairs", "ctrl_vq" }, { 2, 1 } };

static bool net_check(void *obj, GError **err)
{
    VirtioNet *n = obj;
    const NetFilter *f = &n->filter;
    unsigned last = 0;

    for (unsigned i = 0; i < FLOWS; i++) {
        last = MAX(last, n->flows[i]);
    }
    if (n->active_pairs > n->pairs || last > n->pairs || f->n_uni + f->n_multi > MAX_MACS) {
        g_set_error(err, g_quark_from_static_string("virtio"), 0,
                    "%u active pairs and flows of pair %u (there are %u), %u filter entries of %u",
                    n->active_pairs, last, n->pairs, f->n_uni + f->n_multi, MAX_MACS);
        return false;
    }
    return true;
}

static const VmField filter_fields[] = {
    VM_BOOL(NetFilter, promisc),
    VM_BOOL(NetFilter, allmulti),
    VM_BOOL(NetFilter, alluni),
    VM_BOOL(NetFilter, nomulti),
    VM_BOOL(NetFilter, nouni),
    VM_BOOL(NetFilter, nobcast),
    VM_BOOL(NetFilter, mac_overflow),
    VM_BOOL(NetFilter, multi_overflow),
    VM_U16(NetFilter, n_uni, .max = MAX_MACS),
    VM_U16(NetFilter, n_multi, .max = MAX_MACS),
    VM_BYTES(NetFilter, table),
    VM_BYTES(NetFilter, vlans),
};
static const VmState filter_state = { .name = "filter",
                                      .version = 1,
                                      .fields = LIST(filter_fields) };

static const VmField net_fields[] = {
    VM_VIRTIO_PCI(VirtioNet, vpci),
    VM_BYTES(VirtioNet, mac),
    VM_U16(VirtioNet, status, .mask = STATUS_LINK_UP | STATUS_ANNOUNCE),
    VM_U16(VirtioNet, active_pairs, .min = 1, .max = MAX_PAIRS),
    VM_STRUCT(VirtioNet, filter, &filter_state),
    VM_BYTES(VirtioNet, flows),
};
static const VmState net_state = { .name = "virtio-net",
                                   .version = 1,
                                   .fields = LIST(net_fields),
                                   .check = net_check,
                                   .post_load = net_post_load };

static const PlanProp net_props[] = {
    VIRTIO_PCI_PROPS,
    PROP_BACKEND(VirtioNet, netdev, "netdev", "netdev", "the network it is connected to"),
    { .name = "mac",
      .kind = PLAN_PROP_MAC,
      .flags = PLAN_PROP_DECIDED,
      .field = offsetof(VirtioNet, mac_prop),
      .doc = "hardware address (derived from the place if absent)" },
    PROP_U16(VirtioNet, pairs, "queue-pairs", 1, 1, MAX_PAIRS, "pairs of queues"),
    PROP_BOOL(VirtioNet, mq, "mq", false, "offer multi-queue for a single pair, too"),
    PROP_U16(VirtioNet, rx_size, "rx_queue_size", 256, 64, VIRTIO_MAX_QUEUE_SIZE,
             "descriptors of a receive queue"),
    PROP_U16(VirtioNet, tx_size, "tx_queue_size", 256, 64, VIRTIO_MAX_QUEUE_SIZE,
             "descriptors of a send queue"),
    PROP_U16(VirtioNet, mtu, "host_mtu", 0, 0, MAX_MTU, "MTU to offer; 0: none"),
    PROP_BOOL(VirtioNet, csum, "csum", true, "offer checksum offloads"),
    PROP_BOOL(VirtioNet, tso, "host_tso", true, "offer TCP segmentation"),
    PROP_BOOL(VirtioNet, mrg, "mrg_rxbuf", true, "offer mergeable receive buffers"),
    PROP_BOOL(VirtioNet, ctrl, "ctrl_vq", true, "offer the control queue"),
    PROP_BOOL(VirtioNet, announce, "guest_announce", true, "ask the guest to announce itself"),
};
static const VirtioClass net_class = {
    .name = "virtio-net",
    .device_id = 1,
    .config_size = CONFIG_SIZE,
    .features = net_features,
    .set_features = net_set_features,
    .config_read = net_config_read,
    .config_written = net_config_written,
    .queue_notified = net_notified,
    .queue_reset = virtio_net_queue_reset,
    .reset = net_reset,
};

VIRTIO_PCI_TYPES(net, "net", VirtioNet, "network card", 0x020000, net_props, net_state, net_class,
                 net_init, net_exit, &net_auto_vectors);
VIRTIO_DEVICE_TYPES(net);
