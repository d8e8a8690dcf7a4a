/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The description at the beginning of a stream: write it, read it, and check whether this process
 * can provide what it requires. These functions do not access the devices of a machine.
 */
#include <string.h>

#include "migration/internal.h"
#include "plan/json.h"
#include "util/error.h"

#define MAX_DESCRIPTION (16u << 20)
#define MAX_DEPTH       32
#define MAX_VALUES      (2u << 20) /* JSON values: 30 for each function of a full segment */
#define MAX_DEVICES     70000      /* a full segment */
#define MAX_PARTS       (2 * MAX_DEVICES)
#define MAX_DEFICITS    10000
#define MAX_CPUS        4096
#define RECORD_KIND     "handover" /* type of a part whose id is the token of the hand-over record */

static void handshake_add_part(struct json_object *list, const MigrationOffer *offer,
                               const PlanProp *p, const char *id)
{
    uint64_t size = offer->part_size ? offer->part_size(offer->opaque, p->backend, id) : 0;
    struct json_object *o;

    if (size) {
        o = json_object_new_object();
        json_object_object_add(o, "kind", json_object_new_string(p->backend));
        json_object_object_add(o, "id", json_object_new_string(id));
        json_object_object_add(o, "size", json_object_new_int64((int64_t)size));
        json_object_array_add(list, o);
    }
}

static void handshake_add_record(struct json_object *list, const char *token)
{
    struct json_object *o = json_object_new_object();

    json_object_object_add(o, "kind", json_object_new_string(RECORD_KIND));
    json_object_object_add(o, "id", json_object_new_string(token));
    json_object_array_add(list, o);
}

/* Return an array with the properties, visible to the guest, of the host parts that its devices
 * refer to, and with the hand-over record. */
static struct json_object *handshake_parts(Migration *mig, const PlanMachine *plan)
{
    struct json_object *list = json_object_new_array();
    MigrationOffer offer = { 0 };

    mig->hooks.offer(mig->hooks.opaque, &offer);
    for (unsigned i = 0; i < plan->devices->len; i++) {
        const PlanDevice *d = g_ptr_array_index(plan->devices, i);

        for (unsigned j = 0; j < d->settings->len; j++) {
            const PlanSetting *s = g_ptr_array_index(d->settings, j);
            const PlanProp *p = plan_find_prop(d->t->props, d->t->n_props, s->name);

            if (p && p->kind == PLAN_PROP_BACKEND && s->text && *s->text) {
                handshake_add_part(list, &offer, p, s->text);
            }
        }
    }
    if (mig->record[0]) {
        handshake_add_record(list, mig->record);
    }
    return list;
}

char *handshake_text(Migration *mig)
{
    const PlanMachine *plan = mig->hooks.description(mig->hooks.opaque);
    struct json_object *o = json_object_new_object();
    char *text;

    json_object_object_add(o, "profile", json_object_new_string(PROFILE));
    json_object_object_add(o, "description", plan_to_json(plan, mig->hooks.catalog, true));
    json_object_object_add(o, "parts", handshake_parts(mig, plan));
    text = g_strdup(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN));
    json_object_put(o);
    return text;
}

/* --- reading --- */

static struct json_object *handshake_parse_json(const uint8_t *data, size_t len, GError **err)
{
    static const PlanJsonLimits limits = { MAX_DESCRIPTION, MAX_VALUES, MAX_DEPTH };
    struct json_object *o =
        plan_json_read((const char *)data, len, "section " HWDESC_SECTION, &limits, err);

    if (o && !json_object_is_type(o, json_type_object)) {
        json_object_put(o);
        error_set(err, ERROR_GUEST, "section " HWDESC_SECTION ": the record is not a JSON object");
        return NULL;
    }
    return o;
}

static bool handshake_check_keys(struct json_object *o, GError **err)
{
    struct json_object *profile = json_object_object_get(o, "profile");
    struct json_object *desc = json_object_object_get(o, "description");

    if (!json_object_is_type(profile, json_type_string) ||
        strcmp(json_object_get_string(profile), PROFILE)) {
        return error_set(err, ERROR_GUEST,
                         "section " HWDESC_SECTION
                         ": the profile of the stream is '%.60s', this version reads '" PROFILE "'",
                         profile ? json_object_get_string(profile) : "");
    }
    if (!json_object_is_type(desc, json_type_object) || json_object_object_length(o) != 3 ||
        !json_object_is_type(json_object_object_get(o, "parts"), json_type_array)) {
        return error_set(err, ERROR_GUEST,
                         "section " HWDESC_SECTION
                         ": the record must consist of a profile, a description and parts");
    }
    if (json_object_array_length(json_object_object_get(o, "parts")) > MAX_PARTS) {
        return error_set(err, ERROR_GUEST,
                         "section " HWDESC_SECTION ": the record has more than %d parts",
                         MAX_PARTS);
    }
    if (json_object_object_get_ex(desc, "host", NULL)) {
        return error_set(err, ERROR_GUEST,
                         "section " HWDESC_SECTION ": the record names parts of the host of the "
                         "source, which is not possible in a stream");
    }
    return true;
}

/* Check that the description states size and SHA-256 of each boot image. The target requires both
 * before it receives the image. */
static bool check_boot(const PlanMachine *plan, GError **err)
{
    for (guint i = 0; i < plan->boot->len; i++) {
        const PlanBootImage *b = plan->boot->pdata[i];

        if (!b->size || !b->sha256) {
            return error_set(err, ERROR_GUEST,
                             "section " HWDESC_SECTION ": the %s has no size or no SHA-256",
                             b->role);
        }
    }
    return true;
}

PlanMachine *handshake_parse(const uint8_t *data, size_t len, const PlanCatalog *catalog,
                             struct json_object **parts, GError **err)
{
    struct json_object *o = handshake_parse_json(data, len, err);
    g_autoptr(PlanMachine) plan = NULL;

    *parts = NULL;
    if (!o) {
        return NULL;
    }
    if (handshake_check_keys(o, err)) {
        plan = plan_from_json(json_object_object_get(o, "description"), err);
        *parts = json_object_get(json_object_object_get(o, "parts"));
    }
    json_object_put(o);
    if (!plan) {
        return NULL;
    }
    if (!plan_check_guest_only(plan, catalog, err)) {
        g_prefix_error(err, "section " HWDESC_SECTION ": ");
        return NULL;
    }
    return check_boot(plan, err) ? g_steal_pointer(&plan) : NULL;
}

/* --- checking --- */

static void deficit(struct json_object *list, const char *device, const char *property,
                    const char *wanted, const char *have)
{
    struct json_object *o;

    if (json_object_array_length(list) >= MAX_DEFICITS) {
        return; /* bound the size of the answer */
    }
    o = json_object_new_object();
    json_object_object_add(o, "device", json_object_new_string(device));
    json_object_object_add(o, "property", json_object_new_string(property));
    json_object_object_add(o, "wanted", json_object_new_string(wanted));
    json_object_object_add(o, "have", have ? json_object_new_string(have) : NULL);
    json_object_array_add(list, o);
}

static void deficit_number(struct json_object *list, const char *property, uint64_t wanted,
                           uint64_t have)
{
    g_autofree char *w = g_strdup_printf("%" G_GUINT64_FORMAT, wanted);
    g_autofree char *h = g_strdup_printf("at most %" G_GUINT64_FORMAT, have);

    deficit(list, "machine", property, w, h);
}

static void judge_size(struct json_object *list, const PlanMachine *wanted,
                       const MigrationOffer *offer)
{
    unsigned max_cpus = offer->max_cpus ? offer->max_cpus : MAX_CPUS;
    unsigned max_devices = offer->max_devices ? offer->max_devices : MAX_DEVICES;

    if (offer->max_ram && wanted->ram_size > offer->max_ram) {
        deficit_number(list, "memory", wanted->ram_size, offer->max_ram);
    }
    if (wanted->cpus > max_cpus) {
        deficit_number(list, "cpus", wanted->cpus, max_cpus);
    }
    if (wanted->devices->len > max_devices) {
        deficit_number(list, "devices", wanted->devices->len, max_devices);
    }
}

/* Return true if a host part of the command line can be the back end of that type. A block node may
 * be specified with -drive or -blockdev. A back end of any other type may be an -object. */
static bool kind_fits(const char *wanted, const char *have)
{
    if (g_str_equal(wanted, "block")) {
        return g_str_equal(have, "drive") || g_str_equal(have, "blockdev");
    }
    return g_str_equal(wanted, have) || g_str_equal(have, "object");
}

static const PlanHostPart *find_part(const PlanMachine *own, const char *kind, const char *id)
{
    for (unsigned i = 0; own && i < own->host->len; i++) {
        const PlanHostPart *part = g_ptr_array_index(own->host, i);

        if (part->id && g_str_equal(part->id, id) && kind_fits(kind, part->kind)) {
            return part;
        }
    }
    return NULL;
}

static void judge_parts(struct json_object *list, const PlanDevice *d, const PlanType *t,
                        const PlanMachine *own)
{
    for (unsigned i = 0; i < d->settings->len; i++) {
        const PlanSetting *s = g_ptr_array_index(d->settings, i);
        const PlanProp *p = plan_find_prop(t->props, t->n_props, s->name);
        g_autofree char *wanted = NULL;

        if (!p || p->kind != PLAN_PROP_BACKEND || !s->text || !*s->text) {
            continue;
        }
        if (!find_part(own, p->backend, s->text)) {
            wanted = g_strdup_printf("a %s with the id '%s'", p->backend, s->text);
            deficit(list, d->id ? d->id : d->type, p->name, wanted, NULL);
        }
    }
}

/* Return true if the command line describes the devices, which then use its own host parts. */
static bool handshake_is_fixed(const MigrationOffer *offer)
{
    return offer->fixed && offer->own;
}

static void judge_device(struct json_object *list, const PlanDevice *d, const MigrationOffer *offer,
                         const PlanCatalog *catalog)
{
    const PlanType *t = plan_find_type(catalog, d->type);
    const char *name = d->id ? d->id : d->type;

    if (!t) {
        deficit(list, name, "type", d->type, NULL);
        return;
    }
    for (unsigned i = 0; i < d->settings->len; i++) {
        const PlanSetting *s = g_ptr_array_index(d->settings, i);

        if (!plan_find_prop(t->props, t->n_props, s->name)) {
            deficit(list, name, s->name, s->text ? s->text : "", NULL);
        }
    }
    if (!handshake_is_fixed(offer)) {
        judge_parts(list, d, t, offer->own);
    }
}

static void judge_machine(struct json_object *list, const PlanMachine *wanted,
                          const MigrationOffer *offer, const PlanCatalog *catalog)
{
    const PlanMachineType *t = wanted->type ? plan_find_machine(catalog, wanted->type) : NULL;

    if (!t || (offer->machine && !g_str_equal(offer->machine, t->name))) {
        deficit(list, "machine", "type", wanted->type ? wanted->type : "",
                t ? offer->machine : NULL);
    }
    if (t && t->max_cpus && wanted->cpus > t->max_cpus) {
        deficit_number(list, "cpus", wanted->cpus, t->max_cpus);
    }
}

static const char *handshake_string(struct json_object *o, const char *key)
{
    struct json_object *v =
        json_object_is_type(o, json_type_object) ? json_object_object_get(o, key) : NULL;

    return json_object_is_type(v, json_type_string) ? json_object_get_string(v) : "";
}

/* Return the id that a host part of the source has here. NULL if no device here corresponds to the
 * one that uses it. `ids` is a table of plan_match_backends(); without one the ids are equal. */
static const char *handshake_own_id(GHashTable *ids, const char *kind, const char *id)
{
    g_autofree char *key = plan_backend_key(kind, id);

    return ids ? g_hash_table_lookup(ids, key) : id;
}

/* Add an incompatibility for each host part whose size, as the guest sees it, differs. */
static void judge_sizes(struct json_object *list, struct json_object *parts, GHashTable *ids,
                        const MigrationOffer *offer)
{
    size_t n = parts && offer->part_size ? json_object_array_length(parts) : 0;

    for (size_t i = 0; i < n; i++) {
        struct json_object *o = json_object_array_get_idx(parts, i);
        const char *kind = handshake_string(o, "kind");
        const char *id = handshake_own_id(ids, kind, handshake_string(o, "id"));
        uint64_t have = id ? offer->part_size(offer->opaque, kind, id) : 0;
        int64_t wanted = json_object_get_int64(json_object_object_get(o, "size"));

        if (have && wanted != (int64_t)have) {
            g_autofree char *w = g_strdup_printf("%" G_GINT64_FORMAT, wanted);
            g_autofree char *h = g_strdup_printf("%" G_GUINT64_FORMAT, have);

            deficit(list, id, "size", w, h);
        }
    }
}

const char *handshake_record(struct json_object *parts)
{
    size_t n = parts ? json_object_array_length(parts) : 0;

    for (size_t i = 0; i < n; i++) {
        struct json_object *o = json_object_array_get_idx(parts, i);

        if (g_str_equal(handshake_string(o, "kind"), RECORD_KIND)) {
            return handshake_string(o, "id");
        }
    }
    return NULL;
}

/* Check that the hand-over record is visible here: both ends must access the same folder. */
static void judge_record(struct json_object *list, struct json_object *parts,
                         const MigrationOffer *offer)
{
    const char *token = handshake_record(parts);

    if (!token) {
        return;
    }
    if (!offer->handover || !handover_token_ok(token)) {
        deficit(list, "machine", "handover-folder", "the folder that the source uses",
                offer->handover);
    } else if (!handover_is_offered(offer->handover, token)) {
        g_autofree char *have =
            g_strdup_printf("%s, where there is no record %s", offer->handover, token);

        deficit(list, "machine", "handover-folder", "the folder that the source uses", have);
    }
}

/* Return device and property, separated by a character that no id contains, for g_free(). */
static char *place_of(struct json_object *o)
{
    return g_strconcat(handshake_string(o, "device"), "\n", handshake_string(o, "property"), NULL);
}

/* Append the elements of `more` whose device and property are not in the list yet. Frees more. */
static void append_new(struct json_object *list, struct json_object *more)
{
    g_autoptr(GHashTable) known = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

    for (size_t i = 0; i < json_object_array_length(list); i++) {
        g_hash_table_add(known, place_of(json_object_array_get_idx(list, i)));
    }
    for (size_t i = 0; i < json_object_array_length(more); i++) {
        struct json_object *o = json_object_array_get_idx(more, i);
        g_autofree char *place = place_of(o);

        if (!g_hash_table_contains(known, place) && json_object_array_length(list) < MAX_DEFICITS) {
            json_object_array_add(list, json_object_get(o));
        }
    }
    json_object_put(more);
}

static char *image_text(uint64_t size, const char *sha256)
{
    return size ? g_strdup_printf("%" G_GUINT64_FORMAT " bytes with SHA-256 %s", size, sha256)
                : g_strdup("none");
}

/* Compare an image. If the command line specifies the image, the guest's must be identical. Any
 * other image is sent with the stream, up to BOOT_MAX_SIZE. */
static void judge_image(struct json_object *list, BootRole role, const PlanBootImage *wanted,
                        BootImages *own)
{
    const BootImage *image = own ? &own->image[role] : NULL;
    bool given = image && image->given, there = image && image->fd >= 0;
    g_autofree char *w = image_text(wanted ? wanted->size : 0, wanted ? wanted->sha256 : NULL);
    g_autofree char *h = NULL, *text = NULL;

    if (wanted ? boot_image_matches(own, role, wanted) : !there) {
        return;
    }
    if (given) {
        if (there && boot_images_hash(own, role, NULL)) {
            text = image_text(image->size, image->sha256);
            h = g_strdup_printf("%s (%s)", text, image->path);
        }
        deficit(list, "boot", boot_role_name(role), w, h);
    } else if (wanted && wanted->size > BOOT_MAX_SIZE) {
        deficit(list, "boot", boot_role_name(role), w,
                "no such file is given, and the image is too large for a stream");
    }
}

static void judge_boot(struct json_object *list, const PlanMachine *wanted,
                       const MigrationOffer *offer)
{
    for (BootRole role = 0; wanted->has_boot && role < BOOT_ROLES; role++) {
        judge_image(list, role, plan_find_boot(wanted, boot_role_name(role)), offer->boot);
    }
    if (wanted->has_boot && offer->append && g_strcmp0(wanted->append, offer->append) != 0) {
        deficit(list, "boot", "append", wanted->append ? wanted->append : "none", offer->append);
    }
    if (wanted->uuid && offer->uuid && g_ascii_strcasecmp(wanted->uuid, offer->uuid) != 0) {
        deficit(list, "machine", "uuid", wanted->uuid, offer->uuid);
    }
}

struct json_object *handshake_judge(PlanMachine *wanted, struct json_object *parts,
                                    const MigrationOffer *offer, const PlanCatalog *catalog)
{
    struct json_object *list = json_object_new_array();
    g_autoptr(GHashTable) ids = NULL;
    g_autoptr(GError) err = NULL;

    judge_size(list, wanted, offer);
    if (json_object_array_length(list)) {
        return list; /* do not process a description that exceeds the limits */
    }
    judge_machine(list, wanted, offer, catalog);
    for (unsigned i = 0; i < wanted->devices->len; i++) {
        judge_device(list, g_ptr_array_index(wanted->devices, i), offer, catalog);
    }
    judge_record(list, parts, offer);
    judge_boot(list, wanted, offer);
    if (plan_resolve(wanted, catalog, &err)) {
        if (handshake_is_fixed(offer)) {
            ids = plan_match_backends(wanted, offer->own, catalog);
            append_new(list, plan_diff(wanted, offer->own, catalog));
            append_new(list, plan_diff_names(wanted, offer->own, catalog));
        }
    } else if (!json_object_array_length(list)) { /* else it may follow from the list */
        deficit(list, "machine", "description", err->message, NULL);
    }
    judge_sizes(list, parts, ids, offer);
    return list;
}

static const char *handshake_text_of(struct json_object *o, const char *key, const char *none)
{
    struct json_object *v = json_object_object_get(o, key);

    return v ? json_object_get_string(v) : none;
}

char *handshake_sentence(struct json_object *deficits)
{
    GString *s = g_string_new("the target cannot provide what the guest has: ");
    size_t n = json_object_array_length(deficits);

    for (size_t i = 0; i < n && s->len < 2000; i++) {
        struct json_object *o = json_object_array_get_idx(deficits, i);

        g_string_append_printf(
            s, "%s%.100s %.100s: required %.200s, available %.200s", i ? "; " : "",
            handshake_text_of(o, "device", "machine"), handshake_text_of(o, "property", "?"),
            handshake_text_of(o, "wanted", "nothing"), handshake_text_of(o, "have", "none"));
    }
    if (s->len >= 2000) {
        g_string_append_printf(s, "; %zu in all", n);
    }
    return g_string_free(s, FALSE);
}
