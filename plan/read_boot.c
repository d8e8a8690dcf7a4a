/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading the boot section and the serial ports of a description.
 */
#include "plan/internal.h"

enum { SHA256_DIGITS = 64, PATH_BYTES = 4096, APPEND_BYTES = 1 << 20, MAX_SERIALS = 8 };

static bool boot_read_string(struct json_object *v, size_t max, const char *place,
                             const char **text, GError **err)
{
    if (plan_json_string(v, max, text, err)) {
        return true;
    }
    g_prefix_error(err, "%s ", place);
    return false;
}

static bool read_role(struct json_object *v, const char *place, const char **role, GError **err)
{
    g_autofree char *quoted = NULL;

    if (!boot_read_string(v, PLAN_ID_MAX, place, role, err)) {
        return false;
    }
    if (plan_boot_role_ok(*role)) {
        return true;
    }
    quoted = plan_quote(*role);
    return plan_fail(err,
                     "%s is %s: known are firmware, kernel, initrd, dtb and loader0 to loader3",
                     place, quoted);
}

static bool read_sha256(char **into, struct json_object *v, const char *place, GError **err)
{
    const char *text;

    if (!boot_read_string(v, SHA256_DIGITS, place, &text, err)) {
        return false;
    }
    if (strlen(text) != SHA256_DIGITS || strspn(text, "0123456789abcdef") != SHA256_DIGITS) {
        return plan_fail(err, "%s must be %d lower-case hexadecimal digits", place, SHA256_DIGITS);
    }
    *into = g_strdup(text);
    return true;
}

static bool read_size(uint64_t *into, struct json_object *v, const char *place, GError **err)
{
    int64_t size = json_object_is_type(v, json_type_int) ? json_object_get_int64(v) : 0;

    *into = (uint64_t)size;
    return (size > 0 && size <= 1ll << 40) ||
           plan_fail(err, "%s must be a number from 1 to %lld", place, 1ll << 40);
}

static bool read_image(PlanMachine *m, struct json_object *o, const char *place, GError **err)
{
    struct json_object *role =
        json_object_is_type(o, json_type_object) ? json_object_object_get(o, "role") : NULL;
    const char *name = NULL;
    PlanBootImage *b;
    bool ok = true;

    if (!role) {
        return plan_fail(err, "%s must be an object with a role", place);
    }
    if (!read_role(role, place, &name, err)) {
        return false;
    }
    if (plan_find_boot(m, name)) {
        return plan_fail(err, "%s: the role %s occurs twice", place, name);
    }
    b = plan_add_boot(m, name);
    json_object_object_foreach(o, key, value)
    {
        g_autofree char *quoted = plan_quote(key);

        if (strcmp(key, "size") == 0) {
            ok = read_size(&b->size, value, place, err);
        } else if (strcmp(key, "sha256") == 0) {
            ok = read_sha256(&b->sha256, value, place, err);
        } else if (strcmp(key, "role") != 0) {
            ok = plan_fail(err, "%s has the unknown key %s: known are role, size and sha256", place,
                           quoted);
        }
        if (!ok) {
            break;
        }
    }
    return ok;
}

static bool read_images(PlanMachine *m, struct json_object *list, GError **err)
{
    if (!json_object_is_type(list, json_type_array)) {
        return plan_fail(err, "boot.images must be a list");
    }
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        g_autofree char *place = g_strdup_printf("boot.images[%zu]", i);

        if (!read_image(m, json_object_array_get_idx(list, i), place, err)) {
            return false;
        }
    }
    return true;
}

bool plan_read_boot(PlanMachine *m, struct json_object *o, GError **err)
{
    bool ok = json_object_is_type(o, json_type_object) || plan_fail(err, "boot must be an object");
    const char *text;

    m->has_boot = true;
    if (!ok) {
        return false;
    }
    json_object_object_foreach(o, key, value)
    {
        if (strcmp(key, "images") == 0) {
            ok = read_images(m, value, err);
        } else if (strcmp(key, "append") == 0) {
            ok = boot_read_string(value, APPEND_BYTES, "boot.append", &text, err);
            m->append = ok ? g_strdup(text) : NULL;
        } else {
            g_autofree char *quoted = plan_quote(key);

            ok = plan_fail(err, "boot has the unknown key %s: known are images, append", quoted);
        }
        if (!ok) {
            break;
        }
    }
    return ok;
}

static bool read_path(PlanMachine *m, const char *role, struct json_object *v, GError **err)
{
    g_autofree char *quoted = plan_quote(role), *place = NULL;
    PlanBootImage *b = plan_find_boot(m, role);
    const char *path;

    if (!plan_boot_role_ok(role)) {
        return plan_fail(err,
                         "host.boot has the unknown key %s: known are firmware, kernel, initrd and "
                         "dtb",
                         quoted);
    }
    place = g_strconcat("host.boot.", role, NULL);
    if (!boot_read_string(v, PATH_BYTES, place, &path, err)) {
        return false;
    }
    b = b ? b : plan_add_boot(m, role);
    if (b->path && strcmp(b->path, path) != 0) {
        return plan_fail(err, "%s differs from the file in an earlier description", place);
    }
    g_free(b->path);
    b->path = g_strdup(path);
    return true;
}

bool plan_read_boot_paths(PlanMachine *m, struct json_object *o, GError **err)
{
    if (!json_object_is_type(o, json_type_object)) {
        return plan_fail(err, "host.boot must be an object");
    }
    json_object_object_foreach(o, role, value)
    {
        if (!read_path(m, role, value, err)) {
            return false;
        }
    }
    return true;
}

static bool same_serials(const GPtrArray *a, const GPtrArray *b)
{
    bool same = a->len == b->len;

    for (guint i = 0; same && i < a->len; i++) {
        same = strcmp(a->pdata[i], b->pdata[i]) == 0;
    }
    return same;
}

bool plan_read_serials(PlanMachine *m, struct json_object *o, GError **err)
{
    g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func(g_free);

    if (!json_object_is_type(o, json_type_array) || json_object_array_length(o) > MAX_SERIALS) {
        return plan_fail(err, "host.serials must be a list of at most %d elements", MAX_SERIALS);
    }
    for (size_t i = 0; i < json_object_array_length(o); i++) {
        const char *text;

        if (!boot_read_string(json_object_array_get_idx(o, i), PATH_BYTES, "host.serials", &text,
                              err)) {
            return false;
        }
        g_ptr_array_add(list, g_strdup(text));
    }
    if (m->serials && !same_serials(m->serials, list)) {
        return plan_fail(err, "host.serials differs from the one in an earlier description");
    }
    g_clear_pointer(&m->serials, g_ptr_array_unref);
    m->serials = g_steal_pointer(&list);
    return true;
}
