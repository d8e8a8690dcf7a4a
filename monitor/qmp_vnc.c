/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The VNC server: its addresses and clients, and its password.
 */
#include "internal.h"
#include "qmp-commands.h"

#include <string.h>

#include "ui/vnc.h"

static const char *vnc_auth(bool password)
{
    return password ? "vnc" : "none";
}

/* Lists of addresses under construction. */
typedef struct VncLists {
    const char *auth;
    struct json_object *servers, *clients;
} VncLists;

static void vnc_add_client(void *opaque, const VncPeer *p)
{
    VncLists *l = opaque;

    json_object_array_add(l->clients, qmp_make_vnc_basic_info(&(QmpVncBasicInfo){
                                          p->host, p->service, p->family, false }));
}

static void vnc_add_server(void *opaque, const VncPeer *p)
{
    VncLists *l = opaque;

    json_object_array_add(l->servers, qmp_make_vnc_server_info(&(QmpVncServerInfo){
                                          p->host, p->service, p->family, false, l->auth }));
}

/* The first address. */
static void vnc_add_address(void *opaque, const VncPeer *p)
{
    QmpVncInfo *info = opaque;

    if (info->host)
        return;
    info->host = p->host;
    info->service = p->service;
    info->family = p->family;
}

struct json_object *qmp_query_vnc(Machine *m, GError **err)
{
    QmpVncInfo info = { .enabled = false };
    VncLists l = { 0 };
    bool password;

    info.enabled = vnc_query(m, &password) != NULL;
    if (info.enabled) {
        info.auth = vnc_auth(password);
        l.clients = info.clients = json_object_new_array();
        vnc_foreach_client(m, vnc_add_client, &l);
        vnc_foreach_address(m, vnc_add_address, &info);
    }
    return qmp_make_vnc_info(&info);
}

struct json_object *qmp_query_vnc_servers(Machine *m, GError **err)
{
    struct json_object *list = json_object_new_array();
    bool password;
    const char *id = vnc_query(m, &password);
    VncLists l;

    if (!id)
        return list;
    l = (VncLists){ vnc_auth(password), json_object_new_array(), json_object_new_array() };
    vnc_foreach_address(m, vnc_add_server, &l);
    vnc_foreach_client(m, vnc_add_client, &l);
    json_object_array_add(list,
                          qmp_make_vnc_info2(&(QmpVncInfo2){ id, l.servers, l.clients, l.auth }));
    return list;
}

bool qmp_change_vnc_password(Machine *m, const QmpChangeVncPasswordArgs *args, GError **err)
{
    return vnc_set_password(m, args->password, err);
}

bool qmp_set_password(Machine *m, const QmpSetPasswordArgs *args, GError **err)
{
    return vnc_set_password(m, args->password, err);
}

/* Parse now, never, +SECONDS or SECONDS since 1970. */
static bool vnc_parse_time(const char *text, int64_t *seconds, GError **err)
{
    bool relative = *text == '+';
    guint64 n;

    *seconds = strcmp(text, "now") == 0 ? 0 : INT64_MAX;
    if (strcmp(text, "now") == 0 || strcmp(text, "never") == 0)
        return true;
    if (!g_ascii_string_to_unsigned(text + relative, 10, 0, INT64_MAX / 2, &n, NULL)) {
        qmp_set_error(err, QMP_GENERIC_ERROR,
                      "time '%s': use now, never, +SECONDS or seconds since 1970", text);
        return false;
    }
    *seconds = (int64_t)n + (relative ? g_get_real_time() / G_USEC_PER_SEC : 0);
    return true;
}

bool qmp_expire_password(Machine *m, const QmpExpirePasswordArgs *args, GError **err)
{
    int64_t seconds;

    return vnc_parse_time(args->time, &seconds, err) && vnc_expire_password(m, seconds, err);
}

/* --- human monitor --- */

static void hmp_vnc_server(void *opaque, const VncPeer *p)
{
    g_string_append_printf(opaque, "  Server: %s:%s (%s)\n", p->host, p->service, p->family);
}

static void hmp_vnc_client(void *opaque, const VncPeer *p)
{
    g_string_append_printf(opaque, "  Client: %s:%s (%s)\n", p->host, p->service, p->family);
}

static void hmp_info_vnc(Machine *m, const char *args, GString *out)
{
    bool password;
    const char *id = vnc_query(m, &password);

    if (!id) {
        g_string_append(out, "None\n");
        return;
    }
    g_string_append_printf(out, "%s:\n", id);
    vnc_foreach_address(m, hmp_vnc_server, out);
    vnc_foreach_client(m, hmp_vnc_client, out);
    g_string_append_printf(out, "  Auth: %s\n", vnc_auth(password));
}

static void hmp_vnc_result(GString *out, const GError *err)
{
    if (err)
        g_string_append_printf(out, "Error: %s\n", err->message);
}

static void hmp_set_password(Machine *m, const char *args, GString *out)
{
    g_auto(GStrv) words = g_strsplit(args, " ", 3);
    g_autoptr(GError) err = NULL;

    if (strcmp(words[0], "vnc") != 0)
        g_string_append_printf(out, "Error: set_password: protocol '%s': use vnc\n", words[0]);
    else if (words[2] && strcmp(words[2], "keep") != 0)
        g_string_append_printf(out, "Error: set_password: action '%s': use keep\n", words[2]);
    else
        vnc_set_password(m, words[1], &err);
    hmp_vnc_result(out, err);
}

static void hmp_expire_password(Machine *m, const char *args, GString *out)
{
    g_auto(GStrv) words = g_strsplit(args, " ", 2);
    g_autoptr(GError) err = NULL;
    int64_t seconds;

    if (strcmp(words[0], "vnc") != 0)
        g_string_append_printf(out, "Error: expire_password: protocol '%s': use vnc\n", words[0]);
    else if (vnc_parse_time(words[1], &seconds, &err))
        vnc_expire_password(m, seconds, &err);
    hmp_vnc_result(out, err);
}

static void hmp_change_vnc(Machine *m, const char *args, GString *out)
{
    g_auto(GStrv) words = g_strsplit(args, " ", 2);
    g_autoptr(GError) err = NULL;

    if (strcmp(words[0], "password") != 0)
        g_string_append_printf(out, "Error: change vnc %s: use change vnc password PASSWORD\n",
                               words[0]);
    else
        vnc_set_password(m, words[1], &err);
    hmp_vnc_result(out, err);
}

static const HmpCommand hmp_commands[] = {
    { "info vnc", "", NULL, hmp_info_vnc },
    { "set_password", "PROTOCOL PASSWORD [ACTION]", NULL, hmp_set_password },
    { "expire_password", "PROTOCOL TIME", NULL, hmp_expire_password },
    { "change vnc", "password PASSWORD", NULL, hmp_change_vnc },
};

const HmpTable vnc_table = { LIST(hmp_commands) };
