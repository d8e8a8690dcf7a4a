/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tap: a network interface of the host, which requires CAP_NET_ADMIN or an inherited descriptor;
 * and hubport: a hub that connects several devices.
 */
#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "internal.h"

/* --- tap --- */

typedef struct NetTap {
    Netdev *netdev;
    int fd;
    guint in;
    char ifname[IFNAMSIZ];
} NetTap;

static gboolean tap_readable(gint fd, GIOCondition condition, gpointer opaque)
{
    NetTap *t = opaque;
    g_autofree uint8_t *buf = g_malloc(NET_MAX_FRAME);
    ssize_t n = read(fd, buf, NET_MAX_FRAME);

    if (n > 0) {
        net_input(t->netdev, buf, n);
    }
    return G_SOURCE_CONTINUE;
}

static bool tap_make(NetTap *t, const char *ifname, GError **err)
{
    struct ifreq r = { .ifr_flags = IFF_TAP | IFF_NO_PI };

    if (ifname && strlen(ifname) >= IFNAMSIZ) {
        return error_set(err, ERROR_USER, "ifname=%s: names have at most %d characters", ifname,
                         IFNAMSIZ - 1);
    }
    if (t->netdev->machine->dry_run) {
        return true;
    }
    strcpy(r.ifr_name, ifname ? ifname : "tap%d");
    t->fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
    if (t->fd < 0 || ioctl(t->fd, TUNSETIFF, &r) < 0) {
        return error_set_errno(err, errno, "cannot create the interface '%s'", r.ifr_name);
    }
    g_strlcpy(t->ifname, r.ifr_name, sizeof(t->ifname));
    return true;
}

static void tap_close(Netdev *n)
{
    NetTap *t = n->priv;

    if (t->in) {
        g_source_remove(t->in);
    }
    if (t->fd >= 0) {
        close(t->fd);
    }
    g_free(t);
}

static bool tap_check_script(struct json_object *o, const char *key, GError **err)
{
    const char *v = net_opt(o, key);

    if (v && !g_str_equal(v, "no")) {
        return error_set(err, ERROR_USER,
                         "%s=%s: use 'no'; configure the interface before the start", key, v);
    }
    return true;
}

static bool tap_check_vhost(struct json_object *o, GError **err)
{
    const char *vhost = net_opt(o, "vhost"), *fd = net_opt(o, "vhostfd");
    bool off = !vhost || g_str_equal(vhost, "off") || g_str_equal(vhost, "false");

    if (off && !fd) {
        return true;
    }
    return error_set(err, ERROR_USER,
                     "vhost%s=%s: this version does not use vhost of the host; use vhost=off (in "
                     "libvirt <driver name='qemu'/>)",
                     off ? "fd" : "", off ? fd : vhost);
}

static bool tap_open(Netdev *n, struct json_object *o, GError **err)
{
    NetTap *t = g_new0(NetTap, 1);
    const char *fd = net_opt(o, "fd");
    char *end = NULL;

    n->priv = t;
    t->netdev = n;
    t->fd = fd ? (int)strtol(fd, &end, 10) : -1;
    if (fd && (*end || fcntl(t->fd, F_GETFD) < 0)) {
        error_set(err, ERROR_USER, "fd=%s is not the number of an open descriptor", fd);
        t->fd = -1;
        tap_close(n);
        return false;
    }
    if (!tap_check_script(o, "script", err) || !tap_check_script(o, "downscript", err) ||
        !tap_check_vhost(o, err) || (!fd && !tap_make(t, net_opt(o, "ifname"), err))) {
        tap_close(n);
        return false;
    }
    if (n->machine->dry_run) {
        t->fd = -1; /* an inherited descriptor stays open */
        return true;
    }
    fcntl(t->fd, F_SETFL, O_NONBLOCK);
    t->in = g_unix_fd_add(t->fd, G_IO_IN, tap_readable, t);
    return true;
}

/* Frames that the queue of the interface does not accept are lost. */
static bool tap_send(Netdev *n, const uint8_t *frame, size_t len)
{
    NetTap *t = n->priv;

    if (write(t->fd, frame, len) < 0) {
        n->lost++;
    }
    return true;
}

static char *tap_info(const Netdev *n)
{
    const NetTap *t = n->priv;

    return t->ifname[0] ? g_strdup_printf("ifname=%s,script=no,downscript=no", t->ifname)
                        : g_strdup_printf("fd=%d", t->fd);
}

static const char *const tap_keys[] = { "ifname", "fd",      "script", "downscript",
                                        "vhost",  "vhostfd", NULL };
const NetKind net_tap = { "tap", tap_keys, tap_open, tap_close, tap_send, tap_info };

/* --- hubport --- */

typedef struct NetHub {
    int hubid;
} NetHub;

static bool hub_open(Netdev *n, struct json_object *o, GError **err)
{
    const char *id = net_opt(o, "hubid");
    guint64 number;
    NetHub *h;

    if (!id || !g_ascii_string_to_unsigned(id, 10, 0, G_MAXINT, &number, NULL)) {
        return error_set(err, ERROR_USER, "property 'hubid' is required: hubid=NUMBER, 0 to %d",
                         G_MAXINT);
    }
    h = g_new0(NetHub, 1);
    h->hubid = (int)number;
    n->priv = h;
    return true;
}

static void hub_close(Netdev *n)
{
    g_free(n->priv);
}

typedef struct HubSend {
    Netdev *from;
    const uint8_t *frame;
    size_t len;
} HubSend;

static void hub_pass(void *opaque, Netdev *n)
{
    HubSend *s = opaque;

    if (n != s->from && n->kind == &net_hub &&
        ((NetHub *)n->priv)->hubid == ((NetHub *)s->from->priv)->hubid) {
        net_input(n, s->frame, s->len);
    }
}

static bool hub_send(Netdev *n, const uint8_t *frame, size_t len)
{
    HubSend s = { n, frame, len };

    netdev_foreach(n->machine, hub_pass, &s);
    return true;
}

int net_hub_id(const Netdev *n)
{
    return ((const NetHub *)n->priv)->hubid;
}

static char *hub_info(const Netdev *n)
{
    return g_strdup_printf("hub %d", ((const NetHub *)n->priv)->hubid);
}

static const char *const hub_keys[] = { "hubid", NULL };
const NetKind net_hub = { "hubport", hub_keys, hub_open, hub_close, hub_send, hub_info };
