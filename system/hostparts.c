/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Host parts of a description: disks, network peers and objects, created before the devices that
 * name them. One row a kind; the order of the rows is the order of creation.
 */
#include "session.h"

#include <string.h>

#include "block/block.h"
#include "net/net.h"

typedef struct HostKind {
    const char *kind;
    bool (*create)(Machine *m, struct json_object *options, GError **err);
    void (*free_all)(Machine *m);
} HostKind;

static bool create_blockdev(Machine *m, struct json_object *options, GError **err)
{
    return block_node_new(m, options, m->state == RUN_INMIGRATE, err) != NULL;
}

static bool create_drive(Machine *m, struct json_object *options, GError **err)
{
    return block_drive_new(m, options, m->state == RUN_INMIGRATE, err) != NULL;
}

static bool create_netdev(Machine *m, struct json_object *options, GError **err)
{
    return netdev_new(m, options, err) != NULL;
}

static const HostKind kinds[] = {
    { "blockdev", create_blockdev, block_free_all },
    { "drive", create_drive, NULL },
    { "netdev", create_netdev, netdev_free_all },
    { NULL, NULL, NULL },
};

static bool create_kind(Session *s, const HostKind *k, GError **err)
{
    for (guint i = 0; i < s->plan->host->len; i++) {
        PlanHostPart *part = s->plan->host->pdata[i];

        if (strcmp(part->kind, k->kind) == 0 && !k->create(s->m, part->options, err)) {
            return false;
        }
    }
    return true;
}

static bool known(const char *kind)
{
    for (const HostKind *k = kinds; k->kind; k++) {
        if (strcmp(k->kind, kind) == 0) {
            return true;
        }
    }
    return false;
}

/* "iothread" of an object, "user" of a netdev. */
static const char *sort_of(const PlanHostPart *part)
{
    static const char *const keys[] = { "qom-type", "type", "driver" };
    struct json_object *v;

    for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
        if (json_object_object_get_ex(part->options, keys[i], &v)) {
            return json_object_get_string(v);
        }
    }
    return "?";
}

bool host_parts_create(Session *s, GError **err)
{
    for (guint i = 0; i < s->plan->host->len; i++) {
        const PlanHostPart *part = s->plan->host->pdata[i];

        if (!known(part->kind)) {
            g_set_error(err, SYSTEM_ERROR, "-%s %s,id=%s: this build has no back ends of that kind",
                        part->kind, sort_of(part), part->id);
            return false;
        }
    }
    for (const HostKind *k = kinds; k->kind; k++) {
        if (!create_kind(s, k, err)) {
            return false;
        }
    }
    return true;
}

void host_parts_free(Machine *m)
{
    for (const HostKind *k = kinds; k->kind; k++) {
        if (k->free_all) {
            k->free_all(m);
        }
    }
}
