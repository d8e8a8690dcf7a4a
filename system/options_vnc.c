/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Options of the VNC server: -vnc, -display vnc= and the -audiodev that they name.
 */
#include <string.h>

#include "options_internal.h"
#include "ui/vnc.h"
#include "util/connector.h"

static const char *const share_policies[] = {
    [VNC_SHARE_ALLOW_EXCLUSIVE] = "allow-exclusive",
    [VNC_SHARE_FORCE_SHARED] = "force-shared",
    [VNC_SHARE_IGNORE] = "ignore",
    NULL,
};

#define VNC_KEY(key, type, member, ...)                                                            \
    {                                                                                              \
        .name = (key), .kind = PLAN_PROP_##type, .field = offsetof(Session, vnc.member),           \
        __VA_ARGS__                                                                                \
    }

const PlanProp vnc_keys[] = {
    VNC_KEY("address", STRING, address, .doc = "[HOST]:N, unix:PATH or none; no HOST: 127.0.0.1"),
    VNC_KEY("to", U32, to, .max = VNC_MAX_DISPLAY,
            .doc = "last number to try if the ports of N and the next ones are in use"),
    VNC_KEY("password", BOOL, password, .doc = "clients need a password; set_password sets it"),
    VNC_KEY("password-secret", STRING, secret, .doc = "id of a secret with the password"),
    VNC_KEY("share", ENUM, share, .choices = share_policies,
            .doc = "a client asks for a session of its own: disconnect the others, refuse it, or "
                   "ignore that"),
    VNC_KEY("connections", U32, connections, .min = 1, .max = VNC_MAX_CLIENTS,
            .def = VNC_MAX_CLIENTS, .doc = "number of clients"),
    VNC_KEY("lossy", BOOL, lossy, .doc = "JPEG for clients that ask for a quality"),
    VNC_KEY("ipv4", ONOFF, ipv4,
            .doc = "listen on the IPv4 addresses of HOST; auto: unless only ipv6 is on"),
    VNC_KEY("ipv6", ONOFF, ipv6,
            .doc = "listen on the IPv6 addresses of HOST; auto: unless only ipv4 is on"),
    VNC_KEY("audiodev", STRING, audiodev, .doc = "id of an -audiodev none: silence for clients"),
    VNC_KEY("id", STRING, id, .doc = "name of the server in query-vnc-servers"),
};
const size_t n_vnc_keys = G_N_ELEMENTS(vnc_keys);

void options_vnc_init(Session *s)
{
    s->vnc.connections = VNC_MAX_CLIENTS;
    s->audiodevs = g_ptr_array_new_with_free_func(g_free);
}

bool opt_vnc(Session *s, const char *arg, GError **err)
{
    if (s->vnc.given)
        return error_set(err, ERROR_USER, "-vnc %s: a machine has one VNC server", arg);
    if (!s->vnc.address)
        return error_set(err, ERROR_USER,
                         "-vnc %s: an address is required: [HOST]:N, unix:PATH or none", arg);
    s->vnc.given = true;
    return true;
}

bool opt_display(Session *s, const char *arg, GError **err)
{
    if (g_str_has_prefix(arg, "vnc="))
        return options_apply(s, "vnc", arg + strlen("vnc="), err);
    if (strcmp(arg, "none") == 0)
        return true;
    return error_set(err, ERROR_USER,
                     "-display %s: there are no windows on the host; use none, or vnc=ADDRESS, "
                     "which shows the display of -device bochs-display",
                     arg);
}

bool opt_vga(Session *s, const char *arg, GError **err)
{
    return strcmp(arg, "none") == 0 ||
           error_set(err, ERROR_USER,
                     "-vga %s: the machine has no VGA; use none and -device bochs-display, which "
                     "-display vnc=ADDRESS shows",
                     arg);
}

static bool audiodev_exists(const Session *s, const char *id)
{
    return g_ptr_array_find_with_equal_func(s->audiodevs, id, g_str_equal, NULL);
}

bool opt_audiodev(Session *s, const char *arg, GError **err)
{
    struct json_object *o = plan_options_parse(arg, "driver", err);
    g_autofree char *id = o ? option_take_key(o, "id") : NULL;
    g_autofree char *driver = o ? option_take_key(o, "driver") : NULL;

    if (!o)
        return false;
    json_object_put(o);
    if (!id || !driver)
        return error_set(err, ERROR_USER, "-audiodev %s: property '%s' is required: none,id=ID",
                         arg, id ? "driver" : "id");
    if (audiodev_exists(s, id))
        return error_set(err, ERROR_USER, "-audiodev %s: id '%s' is already used", arg, id);
    g_ptr_array_add(s->audiodevs, g_steal_pointer(&id));
    return true;
}

static FamilyOption vnc_family_option(uint32_t value)
{
    return value == PLAN_ON ? FAMILY_ON : value == PLAN_OFF ? FAMILY_OFF : FAMILY_AUTO;
}

/* Convert ipv4= and ipv6=, and check that the address is one of a network if they or to= is given.
 */
static bool vnc_read_family(const VncSettings *from, int *family, GError **err)
{
    const char *key = from->to ? "to" : from->ipv4 ? "ipv4" : from->ipv6 ? "ipv6" : NULL;

    if (key && g_str_has_prefix(from->address, "unix:"))
        return error_set(err, ERROR_USER, "vnc: %s= requires an address [HOST]:N, not '%s'", key,
                         from->address);
    *family = resolve_family(vnc_family_option(from->ipv4), vnc_family_option(from->ipv6));
    return *family >= 0 ||
           error_set(err, ERROR_USER, "vnc: ipv4=off and ipv6=off exclude each address of '%s'",
                     from->address);
}

bool session_vnc_start(Session *s, GError **err)
{
    const VncSettings *from = &s->vnc;
    VncOptions options = {
        .address = from->address,
        .id = from->id,
        .password_secret = from->secret,
        .password = from->password,
        .lossy = from->lossy,
        .share = (VncShare)from->share,
        .last = from->to,
        .connections = from->connections,
    };

    if (from->audiodev && !audiodev_exists(s, from->audiodev))
        return error_set(err, ERROR_USER,
                         "vnc: audiodev '%s' does not exist; -audiodev none,id=%s creates it",
                         from->audiodev, from->audiodev);
    if (!from->given || strcmp(from->address, "none") == 0)
        return true;
    return vnc_read_family(from, &options.family, err) && vnc_start(s->m, &options, err);
}
