/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * -drive: the older description of a disk, which is translated into a chain of nodes: a protocol
 * node, a format node unless the drive names a protocol driver, and an overlay with snapshot=on.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "internal.h"
#include "plan/description.h"
#include "util/suggest.h"

/* Keys of the drive. Other keys are options of its format node. */
static const char *const drive_keys[] = { "if",     "id",       "file",         "format",
                                          "media",  "snapshot", "readonly",     "read-only",
                                          "cache",  "aio",      "copy-on-read", "werror",
                                          "rerror", NULL };
/* Options of the top node if it is an overlay, whose base is read-only. */
static const char *const top_keys[] = { "node-name", "discard", "detect-zeroes", NULL };

/* The options of a -drive, before files are opened. */
typedef struct DriveSpec {
    struct json_object *file; /* protocol node below a format node; NULL: `node` is a protocol */
    struct json_object *node; /* without its child */
    const char *id;
    bool probe, snapshot, read_only;
    BlockErrorPolicy on_write_error, on_read_error;
    IoLimits limits;
    const char *group; /* of the limits; NULL: the id of the drive */
} DriveSpec;

static void drive_spec_clear(DriveSpec *s)
{
    json_object_put(s->file);
    json_object_put(s->node);
    *s = (DriveSpec){ 0 };
}

/* --- file names --- */

static void drive_put_option(struct json_object *o, const char *key, const char *value)
{
    json_object_object_add(o, key, json_object_new_string(value));
}

static struct json_object *drive_named_driver(const char *driver, const char *filename)
{
    struct json_object *o = json_object_new_object();

    drive_put_option(o, "driver", driver);
    if (filename) {
        drive_put_option(o, "filename", filename);
    }
    return o;
}

static struct json_object *drive_parse_json_name(const char *text, GError **err)
{
    struct json_object *flat = plan_options_parse(text, NULL, err), *nested = NULL;

    if (flat) {
        nested = plan_options_nest(flat, err);
        json_object_put(flat);
    }
    if (!nested) {
        g_prefix_error(err, "Could not parse the JSON options: ");
    }
    return nested;
}

struct json_object *block_filename_parse_path(const char *path)
{
    struct stat st;
    bool device = stat(path, &st) == 0 && S_ISBLK(st.st_mode);

    return drive_named_driver(device ? "host_device" : "file", path);
}

struct json_object *block_filename_parse(const char *text, GError **err)
{
    size_t len = strcspn(text, ":/");
    g_autofree char *protocol = g_strndup(text, len);

    if (text[len] != ':') {
        return block_filename_parse_path(text);
    }
    if (g_str_equal(protocol, "file")) {
        return block_filename_parse_path(text + len + 1);
    }
    if (g_str_equal(protocol, "json") && text[len + 1] == '{') {
        return drive_parse_json_name(text + len + 1, err);
    }
    if (g_str_equal(protocol, "host_device")) {
        return drive_named_driver(protocol, text + len + 1);
    }
    if (g_str_equal(text + len, "://") &&
        (g_str_equal(protocol, "null-co") || g_str_equal(protocol, "null-aio"))) {
        return drive_named_driver(protocol, NULL);
    }
    if (g_str_equal(protocol, "nbd") || g_str_equal(protocol, "nbd+tcp") ||
        g_str_equal(protocol, "nbd+unix")) {
        return nbd_filename_parse(text, err);
    }
    error_set(err, ERROR_USER,
              "Unknown protocol '%s'; use file:PATH, host_device:PATH, nbd://HOST:PORT/EXPORT, "
              "nbd+unix:///EXPORT?socket=PATH, null-co://, null-aio:// or json:{...} (a path with "
              "a colon: ./PATH)",
              protocol);
    return NULL;
}

/* --- options --- */

/* Keys of the drive, of its interface (system/), and of raw and qcow2 nodes. */
const char *const *block_drive_keys(void)
{
    static const char *const keys[] = {
        "file",
        "if",
        "id",
        "format",
        "driver",
        "media",
        "index",
        "bus",
        "unit",
        "snapshot",
        "read-only",
        "readonly",
        "cache",
        "aio",
        "copy-on-read",
        "discard",
        "auto-read-only",
        "detect-zeroes",
        "werror",
        "rerror",
        "force-share",
        "node-name",
        "offset",
        "size",
        "backing",
        "lazy-refcounts",
        "cache-size",
        "l2-cache-size",
        "refcount-cache-size",
        "throttling",
        "bps",
        "bps_rd",
        "bps_wr",
        "iops",
        "iops_rd",
        "iops_wr",
        "bps_max",
        "bps_rd_max",
        "bps_wr_max",
        "iops_max",
        "iops_rd_max",
        "iops_wr_max",
        "iops_size",
        "group",
        NULL,
    };

    return keys;
}

/* The three options that -drive cache=MODE sets. */
static const struct CacheMode {
    const char *name;
    bool direct, no_flush, writeback;
} cache_modes[] = {
    { "writeback", false, false, true },     { "none", true, false, true },
    { "writethrough", false, false, false }, { "directsync", true, false, false },
    { "unsafe", false, true, true },
};

static bool drive_set_cache_mode(struct json_object *node, const char *mode, GError **err)
{
    for (size_t i = 0; i < G_N_ELEMENTS(cache_modes); i++) {
        if (g_str_equal(cache_modes[i].name, mode)) {
            struct json_object *cache = json_object_new_object();

            json_object_object_add(cache, "direct", json_object_new_boolean(cache_modes[i].direct));
            json_object_object_add(cache, "no-flush",
                                   json_object_new_boolean(cache_modes[i].no_flush));
            json_object_object_add(cache, "writeback",
                                   json_object_new_boolean(cache_modes[i].writeback));
            json_object_object_add(node, "cache", cache);
            return true;
        }
    }
    return error_set(err, ERROR_USER,
                     "cache=%s: use writeback, none, writethrough, directsync or unsafe", mode);
}

static bool drive_read_cache(DriveSpec *s, struct json_object *o, GError **err)
{
    struct json_object *cache;

    if (!json_object_object_get_ex(o, "cache", &cache)) {
        return true;
    }
    if (json_object_is_type(cache, json_type_object)) { /* cache.direct=... */
        json_object_object_add(s->node, "cache", json_object_get(cache));
        return true;
    }
    return drive_set_cache_mode(s->node, json_object_get_string(cache), err);
}

static bool drive_read_policies(DriveSpec *s, struct json_object *o, GError **err)
{
    static const char *const writes[] = { "report", "ignore", "stop", "enospc", NULL };
    static const char *const reads[] = { "report", "ignore", "stop", NULL };
    int w, r;

    if (!opt_enum(o, "werror", writes, BLOCK_ON_ERROR_ENOSPC, &w, err) ||
        !opt_enum(o, "rerror", reads, BLOCK_ON_ERROR_REPORT, &r, err)) {
        return false;
    }
    s->on_write_error = (BlockErrorPolicy)w;
    s->on_read_error = (BlockErrorPolicy)r;
    return true;
}

static bool drive_read_access(DriveSpec *s, struct json_object *o, GError **err)
{
    static const char *const medias[] = { "disk", "cdrom", NULL };
    const char *one = opt_str(o, "readonly"), *two = opt_str(o, "read-only");
    bool copy_on_read;
    int media;

    if (one && two) {
        return error_set(err, ERROR_USER,
                         "'read-only' and its alias 'readonly' can't be used at the same time");
    }
    if (!opt_bool(o, one ? "readonly" : "read-only", false, &s->read_only, err) ||
        !opt_enum(o, "media", medias, 0, &media, err) ||
        !opt_bool(o, "snapshot", false, &s->snapshot, err) ||
        !opt_bool(o, "copy-on-read", false, &copy_on_read, err)) {
        return false;
    }
    if (copy_on_read) {
        return error_set(err, ERROR_USER,
                         "copy-on-read=on is not available in this version: use off");
    }
    s->read_only |= media == 1;
    if (s->read_only || one || two) {
        json_object_object_add(s->node, "read-only", json_object_new_boolean(s->read_only));
    }
    return true;
}

static bool drive_read_format(DriveSpec *s, struct json_object *o, GError **err)
{
    const char *format = opt_str(o, "format"), *driver = opt_str(s->node, "driver");

    if (format && driver) {
        return error_set(err, ERROR_USER, "Cannot specify both 'driver' and 'format'");
    }
    if (format) {
        drive_put_option(s->node, "driver", format);
    }
    s->probe = !format && !driver;
    if (s->probe) {
        drive_put_option(s->node, "driver", "raw");
    }
    return true;
}

/* json:{...} contains options of the top node. Options of the drive take precedence. */
static bool drive_merge_json_name(DriveSpec *s, const char *text, GError **err)
{
    struct json_object *o = block_filename_parse(text, err);

    if (!o) {
        return false;
    }
    json_object_object_foreach(o, key, value)
    {
        if (g_str_equal(key, "file") && json_object_is_type(value, json_type_object)) {
            s->file = json_object_get(value);
        } else if (!json_object_object_get_ex(s->node, key, NULL)) {
            json_object_object_add(s->node, key, json_object_get(value));
        }
    }
    json_object_put(o);
    return true;
}

static bool drive_read_file(DriveSpec *s, struct json_object *o, GError **err)
{
    struct json_object *file;
    const char *text;

    if (!json_object_object_get_ex(o, "file", &file)) {
        return true;
    }
    if (json_object_is_type(file, json_type_object)) {
        s->file = json_object_get(file);
        return true;
    }
    text = json_object_get_string(file);
    if (text && g_str_has_prefix(text, "json:")) {
        return drive_merge_json_name(s, text, err);
    }
    s->file = block_filename_parse(text ? text : "", err);
    return s->file != NULL;
}

/* The drive names a protocol driver: the options in `file` are options of that node. */
static void drive_merge_protocol(DriveSpec *s)
{
    if (s->file) {
        json_object_object_foreach(s->file, key, value)
        {
            if (!json_object_object_get_ex(s->node, key, NULL)) {
                json_object_object_add(s->node, key, json_object_get(value));
            }
        }
        json_object_put(s->file);
        s->file = NULL;
    }
}

static bool drive_set_aio(struct json_object *o, struct json_object *protocol)
{
    const char *aio = opt_str(o, "aio"), *driver = opt_str(protocol, "driver");

    /* null-co does no host I/O */
    if (aio && !opt_str(protocol, "aio") && !g_str_has_prefix(driver ? driver : "", "null-")) {
        drive_put_option(protocol, "aio", aio);
    }
    return true;
}

static bool drive_place_file(DriveSpec *s, struct json_object *o, GError **err)
{
    const char *driver = opt_str(s->node, "driver");
    const BlockDriver *drv = driver ? driver_find(driver) : NULL;

    if (drv && !drv->child) {
        drive_merge_protocol(s);
        return drive_set_aio(o, s->node);
    }
    if (!s->file && !s->probe && opt_str(s->node, "file")) {
        return true; /* json:{...} contains the name of a node */
    }
    if (!s->file && s->probe) {
        return true; /* no medium */
    }
    if (!s->file) {
        return error_set(err, ERROR_USER, "property 'file' is required: file=...");
    }
    if (!opt_str(s->file, "driver")) {
        struct json_object *path = block_filename_parse_path(opt_str(s->file, "filename") ?: "");

        drive_put_option(s->file, "driver", opt_str(path, "driver"));
        json_object_put(path);
    }
    return drive_set_aio(o, s->file);
}

/* Options of the format node are given together with those of the drive. */
static bool drive_take_node_options(DriveSpec *s, struct json_object *o, GError **err)
{
    json_object_object_foreach(o, key, value)
    {
        if (!g_strv_contains(drive_keys, key) && !limits_is_option(key)) {
            json_object_object_add(s->node, key, json_object_get(value));
        }
    }
    return true;
}

static const char *drive_key_at(const void *table, size_t i)
{
    return ((GPtrArray *)table)->pdata[i];
}

/* Check that each option is one of the drive or of its format. The options of both are options of
 * -drive for the user. */
static bool drive_check_keys(const DriveSpec *s, struct json_object *o, GError **err)
{
    const char *driver = opt_str(s->node, "driver");
    const BlockDriver *drv = driver ? driver_find(driver) : NULL;
    g_autoptr(GPtrArray) keys = g_ptr_array_new();

    for (size_t i = 0; drive_keys[i]; i++) {
        g_ptr_array_add(keys, (gpointer)drive_keys[i]);
    }
    for (size_t i = 0; drv && drv->keys[i]; i++) {
        g_ptr_array_add(keys, (gpointer)drv->keys[i]);
    }
    for (size_t i = 0; s->probe && block_qcow2.keys[i]; i++) {
        g_ptr_array_add(keys, (gpointer)block_qcow2.keys[i]);
    }
    json_object_object_foreach(o, key, value)
    {
        (void)value;
        if (drv && !strchr(key, '.') && !limits_is_option(key) &&
            !g_ptr_array_find_with_equal_func(keys, key, g_str_equal, NULL)) {
            g_autofree char *hint = suggest_hint_of(key, drive_key_at, keys, keys->len);

            return error_set(err, ERROR_USER,
                             "option '%s' is unknown%s; -drive help lists the options, and "
                             "-device TYPE,help those of the device",
                             key, hint);
        }
    }
    return true;
}

static bool drive_check_interface(struct json_object *o, GError **err)
{
    static const char *const accepted[] = { "none", "virtio", "scsi", NULL };
    int i;

    return opt_enum(o, "if", accepted, 0, &i, err);
}

/* Without node-name, the name is derived from the id. */
static void drive_set_node_name(DriveSpec *s)
{
    g_autofree char *name = g_strdup_printf("#block-%s", s->id);

    if (!opt_str(s->node, "node-name")) {
        drive_put_option(s->node, "node-name", name);
    }
}

/* Without a format, the options may be those of each format that probing can find. */
static bool drive_check_node(const DriveSpec *s, GError **err)
{
    return (s->probe && opt_known(s->node, block_qcow2.keys, block_qcow2.name, NULL)) ||
           node_check(s->node, err);
}

static bool drive_spec_read(DriveSpec *s, struct json_object *o, GError **err)
{
    *s = (DriveSpec){ .node = json_object_new_object(), .id = opt_str(o, "id") };
    if (!s->id) {
        error_set(err, ERROR_USER, "property 'id' is required: id=NAME");
    } else if (drive_check_interface(o, err) && drive_take_node_options(s, o, err) &&
               drive_read_file(s, o, err) && drive_read_format(s, o, err) &&
               drive_check_keys(s, o, err) && drive_read_access(s, o, err) &&
               drive_read_cache(s, o, err) && drive_read_policies(s, o, err) &&
               limits_read(o, &s->limits, &s->group, err) && drive_place_file(s, o, err) &&
               drive_check_node(s, err) && (!s->file || node_check(s->file, err))) {
        drive_set_node_name(s);
        return true;
    }
    drive_spec_clear(s);
    return false;
}

bool block_drive_check(struct json_object *options, GError **err)
{
    const char *id = opt_str(options, "id");
    DriveSpec s;

    if (!drive_spec_read(&s, options, err)) {
        g_prefix_error(err, "drive '%s': ", id ? id : "");
        return false;
    }
    drive_spec_clear(&s);
    return true;
}

/* --- nodes --- */

/* Probe the format of an image. Sets the driver of the format node. */
static bool drive_probe_format(DriveSpec *s, BlockNode *file, GError **err)
{
    const char *format;

    if (file->set->machine->dry_run) {
        return true;
    }
    if (!probe_node(file, &format, err)) {
        return false;
    }
    if (format && driver_find(format)) {
        drive_put_option(s->node, "driver", format);
        return true;
    }
    if (format) {
        return error_set(
            err, ERROR_USER,
            "'%s' is an image in format '%s', which is not available in this version: "
            "convert it with qemu-img convert -O raw, or use format=raw if the disk is "
            "to show the image file itself",
            node_filename(file), format);
    }
    if (s->read_only) {
        return true; /* the guest cannot write the signature of another format */
    }
    g_printerr("WARNING: Image format was not specified for '%s' and probing guessed raw.\n"
               "         Automatically detecting the format is dangerous for raw images, write "
               "operations on block 0 will be restricted.\n"
               "         Specify the 'raw' format explicitly to remove the restrictions.\n",
               node_filename(file));
    return true;
}

/* Create the node of `options` over `child`, which may be NULL and is closed on failure. */
static BlockNode *drive_stack_node(Machine *m, const BlockDriver *drv, struct json_object *options,
                                   const char *key, BlockNode *child, bool inactive, GError **err)
{
    BlockNode *n;

    if (child) {
        drive_put_option(options, key, child->name);
        child->named = true; /* node_new() may fail after it attached the child and detached it */
    }
    n = node_new(m, drv, options, inactive, err);
    if (child) {
        child->named = false;
    }
    if (!n && child) {
        node_unref(child);
    }
    return n;
}

/* Move options of the overlay out of the options of the node below. */
static struct json_object *drive_overlay_options(DriveSpec *s)
{
    struct json_object *top = json_object_new_object(), *v;

    for (const char *const *key = top_keys; *key; key++) {
        if (json_object_object_get_ex(s->node, *key, &v)) {
            json_object_object_add(top, *key, json_object_get(v));
            json_object_object_del(s->node, *key);
        }
    }
    json_object_object_add(top, "read-only", json_object_new_boolean(s->read_only));
    json_object_object_add(s->node, "read-only", json_object_new_boolean(true));
    return top;
}

/* Create the format node, or only a protocol node. */
static BlockNode *drive_make_format(Machine *m, DriveSpec *s, bool inactive, GError **err)
{
    struct json_object *options;
    BlockNode *file, *n;

    if (!s->file) {
        return node_new(m, NULL, s->node, inactive, err);
    }
    options = node_inline_options(s->node, s->file);
    file = node_new(m, NULL, options, inactive, err);
    json_object_put(options);
    if (file && s->probe && !drive_probe_format(s, file, err)) {
        node_unref(file);
        file = NULL;
    }
    n = file ? drive_stack_node(m, NULL, s->node, "file", file, inactive, err) : NULL;
    if (n && s->probe && n->drv == &block_raw) {
        raw_set_probed(n);
    }
    return n;
}

static BlockNode *drive_make_nodes(Machine *m, DriveSpec *s, bool inactive, GError **err)
{
    struct json_object *top;
    BlockNode *base, *n;

    if (!s->file && s->probe) {
        return node_new(m, &block_empty, s->node, inactive, err);
    }
    if (!s->snapshot) {
        return drive_make_format(m, s, inactive, err);
    }
    top = drive_overlay_options(s);
    base = drive_make_format(m, s, inactive, err);
    n = base ? drive_stack_node(m, &block_overlay, top, "base", base, inactive, err) : NULL;
    json_object_put(top);
    return n;
}

/* A drive holds BLOCK_PERM_CONSISTENT_READ even while no device uses it. */
static bool drive_hold_image(BlockNode *n, const DriveSpec *s, GError **err)
{
    n->drive_ref = edge_new(n, NULL, NULL, s->id, BLOCK_PERM_CONSISTENT_READ, BLOCK_PERM_ALL, err);
    if (!n->drive_ref) {
        node_unref(n);
        return false;
    }
    n->drive = g_strdup(s->id);
    n->on_write_error = s->on_write_error;
    n->on_read_error = s->on_read_error;
    if (s->group || io_limits_any(&s->limits)) {
        limits_apply(n, &s->limits, s->group ? s->group : s->id);
    }
    return true;
}

BlockNode *drive_medium_new(Machine *m, const char *filename, const char *format, GError **err)
{
    g_autofree char *id = g_strdup_printf("medium%u", block_set(m)->n_auto++);
    struct json_object *o = json_object_new_object();
    DriveSpec s = { 0 };
    BlockNode *n = NULL;

    drive_put_option(o, "id", id);
    drive_put_option(o, "file", filename);
    drive_put_option(o, "read-only", "on");
    if (format) {
        drive_put_option(o, "format", format);
    }
    if (drive_spec_read(&s, o, err)) {
        n = drive_make_nodes(m, &s, m->state == RUN_INMIGRATE, err);
    }
    drive_spec_clear(&s);
    json_object_put(o);
    return n;
}

BlockNode *block_drive_new(Machine *m, struct json_object *options, bool inactive, GError **err)
{
    const char *id = opt_str(options, "id");
    DriveSpec s = { 0 };
    BlockNode *n = NULL;

    if (id && block_find(m, id)) {
        error_set(err, ERROR_USER, "a drive or node named '%s' already exists", id);
    } else if (drive_spec_read(&s, options, err)) {
        n = drive_make_nodes(m, &s, inactive, err);
    }
    if (n && !drive_hold_image(n, &s, err)) {
        n = NULL;
    }
    if (!n) {
        g_prefix_error(err, "drive '%s': ", id ? id : "");
    }
    drive_spec_clear(&s);
    return n;
}
