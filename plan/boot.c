/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The boot section: the images that a machine boots, by role, size and SHA-256, and the command
 * line of the kernel. Paths of images belong to the host.
 */
#include "plan/internal.h"

static const char *const roles[] = { "firmware", "kernel",  "initrd",  "dtb",
                                     "loader0",  "loader1", "loader2", "loader3" };

void plan_boot_image_free(gpointer image)
{
    PlanBootImage *b = image;

    if (b) {
        g_free(b->role);
        g_free(b->sha256);
        g_free(b->path);
        g_free(b);
    }
}

bool plan_boot_role_ok(const char *role)
{
    for (size_t i = 0; i < G_N_ELEMENTS(roles); i++) {
        if (strcmp(role, roles[i]) == 0) {
            return true;
        }
    }
    return false;
}

PlanBootImage *plan_find_boot(const PlanMachine *m, const char *role)
{
    for (guint i = 0; i < m->boot->len; i++) {
        PlanBootImage *b = m->boot->pdata[i];

        if (strcmp(b->role, role) == 0) {
            return b;
        }
    }
    return NULL;
}

void plan_remove_boot(PlanMachine *m, const char *role)
{
    PlanBootImage *b = plan_find_boot(m, role);

    if (b) {
        g_ptr_array_remove(m->boot, b);
    }
}

static unsigned role_order(const char *role)
{
    unsigned i = 0;

    while (i < G_N_ELEMENTS(roles) && strcmp(roles[i], role) != 0) {
        i++;
    }
    return i;
}

/* Insert in the order of the table, so that equal sections have equal text. */
PlanBootImage *plan_add_boot(PlanMachine *m, const char *role)
{
    PlanBootImage *b = g_new0(PlanBootImage, 1);
    guint at = 0;

    while (at < m->boot->len &&
           role_order(((PlanBootImage *)m->boot->pdata[at])->role) < role_order(role)) {
        at++;
    }
    b->role = g_strdup(role);
    g_ptr_array_insert(m->boot, (gint)at, b);
    m->has_boot = true;
    return b;
}

void plan_boot_default(PlanMachine *m, const PlanCatalog *c)
{
    if (m->has_boot && !plan_find_boot(m, "firmware") && g_strcmp0(c->arch, "x86_64") != 0) {
        plan_add_boot(m, "firmware")->path = g_strdup("default");
    }
}

void plan_boot_copy(PlanMachine *to, const PlanMachine *from)
{
    for (guint i = 0; i < from->boot->len; i++) {
        const PlanBootImage *b = from->boot->pdata[i];
        PlanBootImage *copy = plan_add_boot(to, b->role);

        copy->size = b->size;
        copy->sha256 = g_strdup(b->sha256);
        copy->path = g_strdup(b->path);
    }
    to->append = g_strdup(from->append);
    to->has_boot = from->has_boot;
}

void plan_set_boot(PlanMachine *to, const PlanMachine *from)
{
    g_ptr_array_set_size(to->boot, 0);
    g_clear_pointer(&to->append, g_free);
    plan_boot_copy(to, from);
}

/* --- combining files --- */

static bool boot_images_differ(const char *role, const char *what, GError **err)
{
    return plan_fail(err, "the %s of the %s differs from the one in an earlier file", what, role);
}

static bool combine_image(PlanMachine *base, const PlanBootImage *other, GError **err)
{
    PlanBootImage *b = plan_find_boot(base, other->role);

    b = b ? b : plan_add_boot(base, other->role);
    if (b->size && other->size && b->size != other->size) {
        return boot_images_differ(b->role, "size", err);
    }
    if (b->sha256 && other->sha256 && strcmp(b->sha256, other->sha256) != 0) {
        return boot_images_differ(b->role, "SHA-256", err);
    }
    b->size = b->size ? b->size : other->size;
    b->sha256 = b->sha256 ? b->sha256 : g_strdup(other->sha256);
    return true;
}

bool plan_boot_combine(PlanMachine *base, PlanMachine *other, GError **err)
{
    for (guint i = 0; i < other->boot->len; i++) {
        if (!combine_image(base, other->boot->pdata[i], err)) {
            return false;
        }
    }
    if (base->append && other->append && strcmp(base->append, other->append) != 0) {
        return plan_fail(err,
                         "the command line of the kernel differs from the one in an earlier file");
    }
    base->append = base->append ? base->append : g_steal_pointer(&other->append);
    base->has_boot |= other->has_boot;
    return true;
}

/* --- output --- */

struct json_object *plan_boot_to_json(const PlanMachine *m)
{
    struct json_object *o = json_object_new_object(), *list = json_object_new_array();

    for (guint i = 0; i < m->boot->len; i++) {
        const PlanBootImage *b = m->boot->pdata[i];
        struct json_object *image = json_object_new_object();

        json_object_object_add(image, "role", json_object_new_string(b->role));
        if (b->size) {
            json_object_object_add(image, "size", json_object_new_uint64(b->size));
        }
        if (b->sha256) {
            json_object_object_add(image, "sha256", json_object_new_string(b->sha256));
        }
        json_object_array_add(list, image);
    }
    json_object_object_add(o, "images", list);
    if (m->append) {
        json_object_object_add(o, "append", json_object_new_string(m->append));
    }
    return o;
}

/* Return an object that maps roles to paths; NULL if no path is known. */
struct json_object *plan_boot_paths_to_json(const PlanMachine *m)
{
    struct json_object *o = NULL;

    for (guint i = 0; i < m->boot->len; i++) {
        const PlanBootImage *b = m->boot->pdata[i];

        if (b->path) {
            o = o ? o : json_object_new_object();
            json_object_object_add(o, b->role, json_object_new_string(b->path));
        }
    }
    return o;
}

/* --- differences --- */

static struct json_object *digest_json(const PlanBootImage *b)
{
    g_autofree char *text = NULL;

    if (!b) {
        return NULL;
    }
    text = g_strdup_printf("%" G_GUINT64_FORMAT " bytes, SHA-256 %s", b->size,
                           b->sha256 ? b->sha256 : "not computed");
    return json_object_new_string(text);
}

static bool same_image(const PlanBootImage *a, const PlanBootImage *b)
{
    if (!a || !b) {
        return a == b;
    }
    return (!a->size || !b->size || a->size == b->size) &&
           (!a->sha256 || !b->sha256 || strcmp(a->sha256, b->sha256) == 0);
}

void plan_diff_boot(struct json_object *out, const PlanMachine *wanted, const PlanMachine *have)
{
    if (!wanted->has_boot || !have->has_boot) {
        return; /* one of the descriptions has no boot section */
    }
    for (size_t i = 0; i < G_N_ELEMENTS(roles); i++) {
        const PlanBootImage *a = plan_find_boot(wanted, roles[i]);
        const PlanBootImage *b = plan_find_boot(have, roles[i]);

        if (!same_image(a, b)) {
            plan_report_difference(out, "boot", roles[i], digest_json(a), digest_json(b));
        }
    }
    if (g_strcmp0(wanted->append, have->append) != 0) {
        plan_report_difference(out, "boot", "append",
                               wanted->append ? json_object_new_string(wanted->append) : NULL,
                               have->append ? json_object_new_string(have->append) : NULL);
    }
}
