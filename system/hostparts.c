/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Host parts of a description: character back ends, objects, disks and network peers, created
 * before the devices that name them. Each class has one row; the order of the rows is the order of
 * creation.
 */
#include "internal.h"

#include <string.h>

#include "block/block.h"
#include "chardev/chardev.h"
#include "hw/core/host_object.h"
#include "hw/misc/fw_cfg.h"
#include "net/net.h"

typedef struct HostKind {
    const char *kind;
    bool (*create)(Machine *m, struct json_object *options, GError **err);
    bool (*del)(Machine *m, const char *id, GError **err); /* NULL: exists until the process ends */
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

static bool create_object(Machine *m, struct json_object *options, GError **err)
{
    g_autoptr(PlanDevice) settings = plan_object_settings(options);

    return host_object_new(m, settings, err) != NULL;
}

static bool create_chardev(Machine *m, struct json_object *options, GError **err)
{
    return chardev_new_json(m, options, err) != NULL;
}

static bool create_fw_cfg(Machine *m, struct json_object *options, GError **err)
{
    const char *values[] = { NULL, NULL, NULL };
    static const char *const keys[] = { "name", "file", "string" };

    json_object_object_foreach(options, key, value)
    {
        size_t i = 0;

        while (i < G_N_ELEMENTS(keys) && strcmp(keys[i], key) != 0) {
            i++;
        }
        if (i == G_N_ELEMENTS(keys)) {
            return error_set(err, ERROR_USER,
                             "-fw_cfg: key '%s' is unknown; the keys are name, file and string",
                             key);
        }
        values[i] = json_object_get_string(value);
    }
    return fw_cfg_file_new(m, values[0] ? values[0] : "", values[1], values[2], err);
}

/* All character back ends, including those of -serial, are freed by the session. */
static const HostKind kinds[] = {
    { "chardev", create_chardev, chardev_del, NULL },
    { "object", create_object, host_object_del, host_object_free_all },
    { "blockdev", create_blockdev, block_node_del, block_free_all },
    { "drive", create_drive, block_node_del, NULL },
    { "netdev", create_netdev, netdev_del, netdev_free_all },
    { "fw_cfg", create_fw_cfg, NULL, fw_cfg_files_free },
};

static const HostKind *host_kind_find(const char *kind)
{
    for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++) {
        if (strcmp(kinds[i].kind, kind) == 0) {
            return &kinds[i];
        }
    }
    return NULL;
}

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

/* Return the type of a host part: "iothread" for an object, "user" for a netdev. */
static const char *host_part_type(const PlanHostPart *part)
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

static bool host_kind_known(const PlanHostPart *part, GError **err)
{
    if (!host_kind_find(part->kind)) {
        return error_set(err, ERROR_USER, "-%s %s,id=%s: there are no back ends of this type",
                         part->kind, host_part_type(part), part->id);
    }
    return true;
}

/* Apply -machine dump-guest-core= and mem-merge= to a memory back end that does not state them. */
static void host_memory_defaults(const Session *s, PlanHostPart *part)
{
    const char *const values[][2] = { { "dump", s->dump_guest_core }, { "merge", s->mem_merge } };

    if (strcmp(part->kind, "object") != 0 ||
        !g_str_has_prefix(host_part_type(part), "memory-backend-")) {
        return;
    }
    for (size_t i = 0; i < G_N_ELEMENTS(values); i++) {
        if (values[i][1] && !json_object_object_get_ex(part->options, values[i][0], NULL)) {
            json_object_object_add(part->options, values[i][0],
                                   json_object_new_boolean(strcmp(values[i][1], "on") == 0));
        }
    }
}

bool host_chardevs_create(Session *s, GError **err)
{
    return create_kind(s, &kinds[0], err);
}

bool host_parts_create(Session *s, GError **err)
{
    for (guint i = 0; i < s->plan->host->len; i++) {
        if (!host_kind_known(s->plan->host->pdata[i], err)) {
            return false;
        }
        host_memory_defaults(s, s->plan->host->pdata[i]);
    }
    for (size_t i = 1; i < G_N_ELEMENTS(kinds); i++) {
        if (!create_kind(s, &kinds[i], err)) {
            return false;
        }
    }
    return true;
}

/* Free the parts in reverse order, because other parts can use objects. */
void host_parts_free(Machine *m)
{
    for (size_t i = G_N_ELEMENTS(kinds); i-- > 0;) {
        if (kinds[i].free_all) {
            kinds[i].free_all(m);
        }
    }
}

bool host_part_add(Session *s, const char *kind, struct json_object *options, GError **err)
{
    PlanHostPart *part = plan_host_part_parse(kind, json_object_to_json_string(options), err);

    if (!part || !host_kind_known(part, err) || !plan_machine_add_host(s->plan, part, err)) {
        plan_host_part_free(part);
        return false;
    }
    host_memory_defaults(s, part);
    if (!host_kind_find(kind)->create(s->m, part->options, err)) {
        plan_machine_remove_host(s->plan, part);
        return false;
    }
    return true;
}

bool host_part_del(Session *s, const char *kind, const char *id, GError **err)
{
    PlanHostPart *part = plan_find_host(s->plan, kind, id);
    const HostKind *k = host_kind_find(kind);

    if (!part || !k || !k->del) {
        return error_set(err, ERROR_USER, "there is no %s named '%s'", kind, id);
    }
    if (!k->del(s->m, id, err)) {
        return false;
    }
    plan_machine_remove_host(s->plan, part);
    return true;
}
