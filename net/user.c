/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * -netdev user: a network inside this process, implemented by libslirp: DHCP, DNS, outgoing TCP and
 * UDP connections through sockets of the process, and incoming ones with hostfwd=.
 */
#include "config-host.h"

#include "internal.h"

static const char *const user_keys[] = {
    "hostfwd", "hostname", "restrict",         "net",      "host",       "dhcpstart", "dns", "ipv4",
    "ipv6",    "tftp",     "tftp-server-name", "bootfile", "domainname", "dnssearch", NULL
};

#ifdef CONFIG_SLIRP
#include <arpa/inet.h>
#include <errno.h>
#include <libslirp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "hw/core/clock.h"
#include "util/host.h"
#include "util/log.h"

enum { MAX_FDS = 4096, TURN_FDS = 64 }; /* descriptors in total, and in one turn */
enum { ACCEPT_PAUSE_MS = 200 };         /* after the host ran out of descriptors */

typedef struct NetUser {
    Netdev *netdev;
    Slirp *slirp;
    GSource *source;
    GArray *fds;  /* GPollFD in the main loop; GLib has pointers into the array */
    GArray *want; /* descriptors that libslirp requests for the next turn */
    unsigned n_registered;
    bool polling;      /* inside libslirp, which a nested turn of the main loop must not enter */
    unsigned first_fd; /* index in `fds` that the next turn begins with */
    gint64 due;        /* the next turn without an event, in microseconds of the monotonic clock */
    bool forwards;     /* listening sockets may exist */
    gint64 accept_after; /* end of a pause of listening sockets, as `due`; 0: no pause */
    char *hostname, *net, **domains;
    bool restricted;
} NetUser;

typedef struct UserSource {
    GSource base;
    NetUser *user;
} UserSource;

typedef struct UserTimer {
    Timer timer;
    SlirpTimerCb cb;
    void *opaque;
} UserTimer;

/* --- called by libslirp --- */

static ssize_t user_cb_send_packet(const void *buf, size_t len, void *opaque)
{
    net_input(((NetUser *)opaque)->netdev, buf, len);
    return len;
}

static void user_cb_guest_error(const char *msg, void *opaque)
{
}

static int64_t user_cb_clock(void *opaque)
{
    return clock_now_any(((NetUser *)opaque)->netdev->machine, CLOCK_KIND_REALTIME);
}

static void user_timer_fired(void *arg)
{
    UserTimer *t = arg;

    t->cb(t->opaque);
}

static void *user_cb_timer_new(SlirpTimerCb cb, void *cb_opaque, void *opaque)
{
    UserTimer *t = g_new0(UserTimer, 1);

    t->cb = cb;
    t->opaque = cb_opaque;
    timer_setup_plain(&t->timer, ((NetUser *)opaque)->netdev->machine, CLOCK_KIND_REALTIME,
                      user_timer_fired, t);
    return t;
}

static void user_cb_timer_free(void *timer, void *opaque)
{
    timer_cancel(&((UserTimer *)timer)->timer);
    g_free(timer);
}

static void user_cb_timer_mod(void *timer, int64_t expire_ms, void *opaque)
{
    timer_arm_at(&((UserTimer *)timer)->timer, expire_ms * 1000000);
}

static void user_cb_register_fd(int fd, void *opaque)
{
}

/* The next turn of the main loop must poll again. */
static void user_cb_notify(void *opaque)
{
    if (!g_main_context_is_owner(NULL)) {
        g_main_context_wakeup(NULL); /* called by another thread: the loop may be waiting */
    }
}

static const SlirpCb callbacks = {
    .send_packet = user_cb_send_packet,
    .guest_error = user_cb_guest_error,
    .clock_get_ns = user_cb_clock,
    .timer_new = user_cb_timer_new,
    .timer_free = user_cb_timer_free,
    .timer_mod = user_cb_timer_mod,
    .register_poll_fd = user_cb_register_fd,
    .unregister_poll_fd = user_cb_register_fd,
    .notify = user_cb_notify,
};

/* --- sockets of libslirp in the main loop --- */

static const struct {
    int slirp;
    GIOCondition glib;
} event_bits[] = { { SLIRP_POLL_IN, G_IO_IN },
                   { SLIRP_POLL_OUT, G_IO_OUT },
                   { SLIRP_POLL_PRI, G_IO_PRI },
                   { SLIRP_POLL_ERR, G_IO_ERR },
                   { SLIRP_POLL_HUP, G_IO_HUP } };

/* --- running out of descriptors ---
 *
 * libslirp accepts the connection of a forwarded port itself and ignores a failure, so that the
 * listening socket stays readable. While the host has no descriptor for a connection, listening
 * sockets are neither polled nor reported to libslirp. */

static bool user_is_listening(int fd)
{
    int listening = 0;
    socklen_t len = sizeof(listening);

    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) == 0 && listening;
}

/* Return whether this is a listening socket during a pause. */
static bool user_is_paused(const NetUser *u, int fd)
{
    return u->accept_after && user_is_listening(fd);
}

static bool user_has_connection(const NetUser *u)
{
    for (unsigned i = 0; i < u->n_registered; i++) {
        const GPollFD *p = &g_array_index(u->fds, GPollFD, i);

        if ((p->revents & G_IO_IN) && user_is_listening(p->fd)) {
            return true;
        }
    }
    return false;
}

static void user_check_descriptors(NetUser *u, gint64 now)
{
    enum { NEEDED = 2 };
    bool paused = u->accept_after != 0;

    if (!u->forwards || now < u->accept_after) {
        return;
    }
    if ((paused || user_has_connection(u)) && !host_can_open(NEEDED)) {
        u->accept_after = now + ACCEPT_PAUSE_MS * 1000;
        if (!paused) {
            log_line("netdev '%s': no file descriptor is left for the connections of forwarded "
                     "ports; they wait",
                     u->netdev->id);
        }
    } else {
        u->accept_after = 0;
    }
}

static int user_add_poll(int fd, int events, void *opaque)
{
    NetUser *u = opaque;
    GPollFD p = { .fd = fd };

    if (user_is_paused(u, fd)) {
        events = 0;
    }
    for (size_t i = 0; i < G_N_ELEMENTS(event_bits); i++) {
        p.events |= events & event_bits[i].slirp ? event_bits[i].glib : 0;
    }
    if (u->want->len == MAX_FDS) {
        return -1; /* not polled this turn */
    }
    g_array_append_val(u->want, p);
    return u->want->len - 1;
}

/* A guest may have thousands of ready connections. One turn serves TURN_FDS of them, and the next
 * turn begins with the others. */
static bool user_has_turn(const NetUser *u, int index)
{
    unsigned behind =
        (unsigned)index >= u->first_fd ? index - u->first_fd : index + u->fds->len - u->first_fd;

    return behind < TURN_FDS;
}

static int user_get_revents(int index, void *opaque)
{
    const NetUser *u = opaque;
    const GPollFD *p = &g_array_index(u->fds, GPollFD, index);
    int events = 0;

    if (!user_has_turn(u, index) || user_is_paused(u, p->fd)) {
        return 0;
    }
    for (size_t i = 0; i < G_N_ELEMENTS(event_bits); i++) {
        events |= p->revents & event_bits[i].glib ? event_bits[i].slirp : 0;
    }
    return events;
}

static void user_unregister(NetUser *u)
{
    for (unsigned i = 0; i < u->n_registered; i++) {
        g_source_remove_poll(u->source, &g_array_index(u->fds, GPollFD, i));
    }
    u->n_registered = 0;
    g_array_set_size(u->fds, 0);
}

/* If the descriptors are those of the last turn, update their events only, which GLib reads through
 * its pointers. Adding or removing a descriptor wakes the main loop, even from inside the loop, so
 * that doing so in each turn would make it spin. */
static bool user_ask_again(NetUser *u)
{
    if (u->want->len != u->n_registered) {
        return false;
    }
    for (unsigned i = 0; i < u->n_registered; i++) {
        if (g_array_index(u->want, GPollFD, i).fd != g_array_index(u->fds, GPollFD, i).fd) {
            return false;
        }
    }
    for (unsigned i = 0; i < u->n_registered; i++) {
        g_array_index(u->fds, GPollFD, i).events = g_array_index(u->want, GPollFD, i).events;
    }
    return true;
}

static gboolean user_prepare(GSource *source, gint *timeout)
{
    NetUser *u = ((UserSource *)source)->user;
    uint32_t wait = 1000;
    gint64 now;

    if (u->polling) {
        return FALSE;
    }
    g_array_set_size(u->want, 0);
    slirp_pollfds_fill(u->slirp, &wait, user_add_poll, u);
    if (!user_ask_again(u)) {
        user_unregister(u);
        g_array_append_vals(u->fds, u->want->data, u->want->len);
        for (; u->n_registered < u->fds->len; u->n_registered++) {
            g_source_add_poll(source, &g_array_index(u->fds, GPollFD, u->n_registered));
        }
    }
    now = g_source_get_time(source);
    u->due = now + (gint64)wait * 1000;
    if (u->accept_after) {
        u->due = MIN(u->due, MAX(u->accept_after, now));
    }
    *timeout = (gint)((u->due - now + 999) / 1000);
    return FALSE;
}

static gboolean user_check(GSource *source)
{
    const NetUser *u = ((UserSource *)source)->user;
    bool ready = !u->polling && g_source_get_time(source) >= u->due;

    for (unsigned i = 0; !u->polling && !ready && i < u->n_registered; i++) {
        ready = g_array_index(u->fds, GPollFD, i).revents != 0;
    }
    return ready;
}

static gboolean user_dispatch(GSource *source, GSourceFunc fn, gpointer data)
{
    NetUser *u = ((UserSource *)source)->user;

    user_check_descriptors(u, g_source_get_time(source));
    u->polling = true;
    slirp_pollfds_poll(u->slirp, 0, user_get_revents, u);
    u->polling = false;
    u->first_fd = u->fds->len > TURN_FDS ? (u->first_fd + TURN_FDS) % u->fds->len : 0;
    return G_SOURCE_CONTINUE;
}

static GSourceFuncs source_funcs = { user_prepare, user_check, user_dispatch, NULL, NULL, NULL };

/* --- options --- */

static bool user_parse_ipv4(const char *key, const char *text, struct in_addr *out, GError **err)
{
    if (text && *text && inet_pton(AF_INET, text, out) != 1) {
        return error_set(err, ERROR_USER, "%s=%s is not an IPv4 address", key, text);
    }
    return true;
}

/* Host port 0 selects a free port. */
static bool user_parse_port(const char *text, int min, int *port)
{
    char *end;
    unsigned long v = strtoul(text, &end, 10);

    *port = v;
    return *text && !*end && v >= (unsigned long)min && v <= 65535;
}

/* tcp|udp:[HOSTADDR]:HOSTPORT */
static bool user_parse_host_end(const char *text, bool *udp, struct in_addr *addr, int *port)
{
    g_auto(GStrv) parts = g_strsplit(text, ":", 3);

    if (g_strv_length(parts) != 3) {
        return false;
    }
    *udp = g_str_equal(parts[0], "udp");
    addr->s_addr = htonl(INADDR_ANY);
    return (*udp || !*parts[0] || g_str_equal(parts[0], "tcp")) &&
           (!*parts[1] || inet_pton(AF_INET, parts[1], addr) == 1) &&
           user_parse_port(parts[2], 0, port);
}

/* tcp|udp:[HOSTADDR]:HOSTPORT-[GUESTADDR]:GUESTPORT */
static bool user_add_hostfwd(NetUser *u, const char *rule, GError **err)
{
    g_auto(GStrv) ends = g_strsplit(rule, "-", 2);
    g_auto(GStrv) guest = ends[0] && ends[1] ? g_strsplit(ends[1], ":", 2) : NULL;
    struct in_addr haddr, gaddr = { 0 };
    int hport, gport;
    bool udp;

    if (!guest || g_strv_length(guest) != 2 ||
        !user_parse_host_end(ends[0], &udp, &haddr, &hport) ||
        !user_parse_port(guest[1], 1, &gport)) {
        return error_set(
            err, ERROR_USER,
            "hostfwd=%s: the form is tcp|udp:[HOSTADDR]:HOSTPORT-[GUESTADDR]:GUESTPORT, "
            "with IPv4 addresses and a guest port from 1; host port 0 chooses a free one",
            rule);
    }
    if (!user_parse_ipv4("hostfwd", guest[0], &gaddr, err)) {
        return false;
    }
    if (u->netdev->machine->dry_run) {
        return true;
    }
    if (slirp_add_hostfwd(u->slirp, udp, haddr, hport, gaddr, gport) < 0) {
        return error_set_errno(err, errno, "hostfwd=%s: cannot listen on port %d", rule, hport);
    }
    u->forwards = true;
    return true;
}

/* The text of a rule; QMP wraps each in an object. */
static const char *user_rule_text(struct json_object *rule)
{
    struct json_object *inner;

    if (json_object_object_get_ex(rule, "str", &inner)) {
        rule = inner;
    }
    return rule ? json_object_get_string(rule) : "";
}

static bool user_add_hostfwds(NetUser *u, struct json_object *o, GError **err)
{
    struct json_object *rules;

    if (!json_object_object_get_ex(o, "hostfwd", &rules)) {
        return true;
    }
    if (!json_object_is_type(rules, json_type_array)) {
        return user_add_hostfwd(u, user_rule_text(rules), err);
    }
    for (size_t i = 0; i < json_object_array_length(rules); i++) {
        if (!user_add_hostfwd(u, user_rule_text(json_object_array_get_idx(rules, i)), err)) {
            return false;
        }
    }
    return true;
}

static bool user_parse_switch(struct json_object *o, const char *key, bool *on, GError **err)
{
    const char *text = net_opt(o, key);
    bool no = text && g_strv_contains((const char *const[]){ "off", "no", "false", NULL }, text);

    if (!text || no) {
        *on = text ? false : *on;
        return true;
    }
    *on = g_strv_contains((const char *const[]){ "on", "yes", "true", NULL }, text);
    if (!*on) {
        error_set(err, ERROR_USER, "%s=%s: use on or off", key, text);
    }
    return *on;
}

/* One text or a list of them; QMP wraps each in an object. NULL-terminated, g_strfreev. */
static char **user_parse_domains(struct json_object *o)
{
    GPtrArray *list = g_ptr_array_new();
    struct json_object *v;

    if (json_object_object_get_ex(o, "dnssearch", &v)) {
        bool many = json_object_is_type(v, json_type_array);
        size_t n = many ? json_object_array_length(v) : 1;

        for (size_t i = 0; i < n; i++) {
            g_ptr_array_add(list,
                            g_strdup(user_rule_text(many ? json_object_array_get_idx(v, i) : v)));
        }
    }
    g_ptr_array_add(list, NULL);
    return (char **)g_ptr_array_free(list, FALSE);
}

/* ADDRESS[/BITS], by default 10.0.2.0/24. The network must contain the fixed addresses. */
static bool user_parse_net(const char *text, SlirpConfig *c, GError **err)
{
    g_auto(GStrv) parts = g_strsplit(text ? text : "10.0.2.0", "/", 2);
    char *end = NULL;
    unsigned long bits = parts[1] ? strtoul(parts[1], &end, 10) : 24;

    if (!parts[0] || inet_pton(AF_INET, parts[0], &c->vnetwork) != 1 || (end && *end) || bits < 8 ||
        bits > 27) {
        return error_set(err, ERROR_USER, "net=%s: the form is ADDRESS/BITS, with 8 to 27 bits",
                         text);
    }
    c->vnetmask.s_addr = htonl(~0u << (32 - bits));
    c->vnetwork.s_addr &= c->vnetmask.s_addr;
    return true;
}

/* The host and the leases are in the network, and differ. A name server elsewhere is reachable
 * unless restrict=on. */
static bool user_check_addresses(const SlirpConfig *c, GError **err)
{
    const struct {
        const char *key;
        struct in_addr at;
        bool inside;
    } rows[] = {
        { "host", c->vhost, true },
        { "dhcpstart", c->vdhcp_start, true },
        { "dns", c->vnameserver, c->restricted },
    };
    char text[INET_ADDRSTRLEN];

    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        const char *name = inet_ntop(AF_INET, &rows[i].at, text, sizeof(text));

        if (rows[i].inside && (rows[i].at.s_addr & c->vnetmask.s_addr) != c->vnetwork.s_addr) {
            g_autofree char *net = g_strdup(inet_ntoa(c->vnetwork));

            return error_set(err, ERROR_USER, "%s=%s does not belong to the network net=%s/%u",
                             rows[i].key, name, net,
                             (unsigned)__builtin_popcount(c->vnetmask.s_addr));
        }
        for (unsigned other = 0; other < i; other++) {
            if (rows[i].at.s_addr == rows[other].at.s_addr) {
                return error_set(err, ERROR_USER, "%s=%s is the address of %s=, too: use another",
                                 rows[i].key, name, rows[other].key);
            }
        }
    }
    return true;
}

static bool user_fill_config(NetUser *u, struct json_object *o, SlirpConfig *c, GError **err)
{
    uint32_t net;

    *c = (SlirpConfig){ .version = 1, .in_enabled = true, .vhostname = u->hostname };
    c->tftp_path = net_opt(o, "tftp");
    c->tftp_server_name = net_opt(o, "tftp-server-name");
    c->bootfile = net_opt(o, "bootfile");
    c->vdomainname = net_opt(o, "domainname");
    c->vdnssearch = (const char **)u->domains;
    if (!user_parse_switch(o, "restrict", &u->restricted, err) ||
        !user_parse_switch(o, "ipv4", &c->in_enabled, err) ||
        !user_parse_switch(o, "ipv6", &c->in6_enabled, err) ||
        !user_parse_net(net_opt(o, "net"), c, err)) {
        return false;
    }
    net = ntohl(c->vnetwork.s_addr);
    c->vhost.s_addr = htonl(net + 2);
    c->vdhcp_start.s_addr = htonl(net + 15);
    c->vnameserver.s_addr = htonl(net + 3);
    c->restricted = u->restricted;
    if (c->in6_enabled) {
        c->vprefix_len = 64;
        inet_pton(AF_INET6, "fec0::", &c->vprefix_addr6);
        inet_pton(AF_INET6, "fec0::2", &c->vhost6);
        inet_pton(AF_INET6, "fec0::3", &c->vnameserver6);
    }
    u->net = g_strdup(inet_ntoa(c->vnetwork));
    return user_parse_ipv4("host", net_opt(o, "host"), &c->vhost, err) &&
           user_parse_ipv4("dhcpstart", net_opt(o, "dhcpstart"), &c->vdhcp_start, err) &&
           user_parse_ipv4("dns", net_opt(o, "dns"), &c->vnameserver, err) &&
           user_check_addresses(c, err);
}

static void user_close(Netdev *n)
{
    NetUser *u = n->priv;

    if (u->source) {
        user_unregister(u);
        g_source_destroy(u->source);
        g_source_unref(u->source);
    }
    if (u->slirp) {
        slirp_cleanup(u->slirp);
    }
    g_array_free(u->fds, TRUE);
    g_array_free(u->want, TRUE);
    g_free(u->hostname);
    g_strfreev(u->domains);
    g_free(u->net);
    g_free(u);
}

static bool user_open(Netdev *n, struct json_object *o, GError **err)
{
    NetUser *u = g_new0(NetUser, 1);
    SlirpConfig config;

    n->priv = u;
    u->netdev = n;
    /* GLib keeps pointers into the array, which must therefore not move. */
    u->fds = g_array_sized_new(FALSE, TRUE, sizeof(GPollFD), MAX_FDS);
    u->want = g_array_new(FALSE, TRUE, sizeof(GPollFD));
    u->hostname = g_strdup(net_opt(o, "hostname"));
    u->domains = user_parse_domains(o);
    if (!user_fill_config(u, o, &config, err)) {
        user_close(n);
        return false;
    }
    u->slirp = slirp_new(&config, &callbacks, u);
    if (!u->slirp || !user_add_hostfwds(u, o, err)) {
        if (!u->slirp) {
            error_set(err, ERROR_USER, "libslirp rejects this configuration");
        }
        user_close(n);
        return false;
    }
    u->source = g_source_new(&source_funcs, sizeof(UserSource));
    ((UserSource *)u->source)->user = u;
    g_source_set_can_recurse(u->source, TRUE); /* see util/watch.h */
    g_source_attach(u->source, NULL);
    return true;
}

static bool user_send(Netdev *n, const uint8_t *frame, size_t len)
{
    NetUser *u = n->priv;

    slirp_input(u->slirp, frame, len);
    user_cb_notify(u);
    return true;
}

static char *user_info(const Netdev *n)
{
    const NetUser *u = n->priv;

    return g_strdup_printf("net=%s,restrict=%s", u->net, u->restricted ? "on" : "off");
}

static char *user_connections(const Netdev *n)
{
    const NetUser *u = n->priv;
    char *text = slirp_connection_info(u->slirp), *copy = g_strdup(text);

    free(text);
    return copy;
}

static bool user_forward(Netdev *n, const char *rule, bool add, GError **err)
{
    NetUser *u = n->priv;
    struct in_addr addr;
    bool udp;
    int port;

    if (add) {
        return user_add_hostfwd(u, rule, err);
    }
    if (!user_parse_host_end(rule, &udp, &addr, &port) ||
        slirp_remove_hostfwd(u->slirp, udp, addr, port) < 0) {
        return error_set(err, ERROR_USER,
                         "%s: no such forwarding; the form is tcp|udp:[HOSTADDR]:HOSTPORT", rule);
    }
    return true;
}

#else

static bool user_open(Netdev *n, struct json_object *o, GError **err)
{
    return error_set(err, ERROR_USER,
                     "this build has no user-mode networking: install the Debian package "
                     "libslirp-dev and build again");
}

static void user_close(Netdev *n)
{
}

static bool user_send(Netdev *n, const uint8_t *frame, size_t len)
{
    return true;
}

static char *user_info(const Netdev *n)
{
    return g_strdup("");
}

static char *user_connections(const Netdev *n)
{
    return g_strdup("");
}

static bool user_forward(Netdev *n, const char *rule, bool add, GError **err)
{
    return false;
}

#endif

const NetKind net_user = { "user",    user_keys, user_open,        user_close,
                           user_send, user_info, user_connections, user_forward };
