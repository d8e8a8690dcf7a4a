/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * -drive: the older way to describe a disk, translated into a chain of nodes: a protocol node, a
 * format node unless the drive names a protocol driver, and with snapshot=on an overlay.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "internal.h"
#include "plan/description.h"

/* Keys of the drive itself; all others are options of its format node. */
static const char *const drive_keys[] = { "if",     "id",       "file",         "format",
                                          "media",  "snapshot", "readonly",     "read-only",
                                          "cache",  "aio",      "copy-on-read", "werror",
                                          "rerror", NULL };
/* Options of the top node when there is an overlay: the base is only read. */
static const char *const top_keys[] = { "node-name", "discard", "detect-zeroes", NULL };

/* What a -drive asks for, before anything is opened. */
typedef struct DriveSpec {
    struct json_object *file; /* protocol node below a format node; NULL: `node` is a protocol */
    struct json_object *node; /* without its child */
    const char *id;
    bool probe, snapshot, read_only;
    BlockErrorPolicy on_write_error, on_read_error;
} DriveSpec;

static void spec_clear(DriveSpec *s)
{
    json_object_put(s->file);
    json_object_put(s->node);
    *s = (DriveSpec){ 0 };
}

/* --- file names --- */

static void put(struct json_object *o, const char *key, const char *value)
{
    json_object_object_add(o, key, json_object_new_string(value));
}

static struct json_object *named_driver(const char *driver, const char *filename)
{
    struct json_object *o = json_object_new_object();

    put(o, "driver", driver);
    if (filename) {
        put(o, "filename", filename);
    }
    return o;
}

static struct json_object *parse_json_name(const char *text, GError **err)
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

static struct json_object *path_options(const char *path)
{
    struct stat st;
    bool device = stat(path, &st) == 0 && S_ISBLK(st.st_mode);

    return named_driver(device ? "host_device" : "file", path);
}

struct json_object *block_filename_parse(const char *text, GError **err)
{
    size_t len = strcspn(text, ":/");
    g_autofree char *protocol = g_strndup(text, len);

    if (text[len] != ':') {
        return path_options(text);
    }
    if (g_str_equal(protocol, "file")) {
        return path_options(text + len + 1);
    }
    if (g_str_equal(protocol, "json") && text[len + 1] == '{') {
        return parse_json_name(text + len + 1, err);
    }
    if (g_str_equal(protocol, "host_device")) {
        return named_driver(protocol, text + len + 1);
    }
    if (g_str_equal(text + len, "://") &&
        (g_str_equal(protocol, "null-co") || g_str_equal(protocol, "null-aio"))) {
        return named_driver(protocol, NULL);
    }
    error_set(err, ERROR_USER,
              "Unknown protocol '%s'; accepted are file:PATH, host_device:PATH, null-co://, "
              "null-aio:// and json:{...} (a path with a colon: ./PATH)",
              protocol);
    return NULL;
}

/* --- options --- */

/* For help and tests: those of the drive, of its place (system/), and of a raw node. */
const char *const *block_drive_keys(void)
{
    static const char *const keys[] = {
        "file",   "if",     "id",           "format",    "driver",         "media",
        "index",  "bus",    "unit",         "snapshot",  "read-only",      "readonly",
        "cache",  "aio",    "copy-on-read", "discard",   "auto-read-only", "detect-zeroes",
        "werror", "rerror", "force-share",  "node-name", "offset",         "size",
        NULL,
    };

    return keys;
}

/* -drive cache=MODE as the three switches it stands for. */
static const struct CacheMode {
    const char *name;
    bool direct, no_flush, writeback;
} cache_modes[] = {
    { "writeback", false, false, true },     { "none", true, false, true },
    { "writethrough", false, false, false }, { "directsync", true, false, false },
    { "unsafe", false, true, true },
};

static bool add_cache(struct json_object *node, const char *mode, GError **err)
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
                     "cache=%s: accepted are writeback, none, writethrough, directsync and unsafe",
                     mode);
}

static bool read_cache(DriveSpec *s, struct json_object *o, GError **err)
{
    struct json_object *cache;

    if (!json_object_object_get_ex(o, "cache", &cache)) {
        return true;
    }
    if (json_object_is_type(cache, json_type_object)) { /* cache.direct=... */
        json_object_object_add(s->node, "cache", json_object_get(cache));
        return true;
    }
    return add_cache(s->node, json_object_get_string(cache), err);
}

static bool read_policies(DriveSpec *s, struct json_object *o, GError **err)
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

static bool read_access(DriveSpec *s, struct json_object *o, GError **err)
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
                         "copy-on-read=on needs a format with a backing file, which this version "
                         "does not have; accepted is off");
    }
    s->read_only |= media == 1;
    if (s->read_only || one || two) {
        json_object_object_add(s->node, "read-only", json_object_new_boolean(s->read_only));
    }
    return true;
}

static bool read_format(DriveSpec *s, struct json_object *o, GError **err)
{
    const char *format = opt_str(o, "format"), *driver = opt_str(s->node, "driver");

    if (format && driver) {
        return error_set(err, ERROR_USER, "Cannot specify both 'driver' and 'format'");
    }
    if (format) {
        put(s->node, "driver", format);
    }
    s->probe = !format && !driver;
    if (s->probe) {
        put(s->node, "driver", "raw");
    }
    return true;
}

/* json:{...} stands for options of the top node; those given beside it win. */
static bool merge_json_name(DriveSpec *s, const char *text, GError **err)
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

static bool read_file(DriveSpec *s, struct json_object *o, GError **err)
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
        return merge_json_name(s, text, err);
    }
    s->file = block_filename_parse(text ? text : "", err);
    return s->file != NULL;
}

/* The drive names a protocol driver: what `file` says belongs to that node. */
static void merge_protocol(DriveSpec *s)
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

static bool set_aio(struct json_object *o, struct json_object *protocol)
{
    const char *aio = opt_str(o, "aio"), *driver = opt_str(protocol, "driver");

    /* null-co has no host I/O that it could choose */
    if (aio && !opt_str(protocol, "aio") && !g_str_has_prefix(driver ? driver : "", "null-")) {
        put(protocol, "aio", aio);
    }
    return true;
}

static bool place_file(DriveSpec *s, struct json_object *o, GError **err)
{
    const char *driver = opt_str(s->node, "driver");
    const BlockDriver *drv = driver ? driver_find(driver) : NULL;

    if (drv && !drv->child) {
        merge_protocol(s);
        return set_aio(o, s->node);
    }
    if (!s->file && !s->probe && opt_str(s->node, "file")) {
        return true; /* json:{...} names a node */
    }
    if (!s->file) {
        return error_set(err, ERROR_USER, "it needs a file: file=...");
    }
    if (!opt_str(s->file, "driver")) {
        struct json_object *path = path_options(opt_str(s->file, "filename") ?: "");

        put(s->file, "driver", opt_str(path, "driver"));
        json_object_put(path);
    }
    return set_aio(o, s->file);
}

static bool is_throttling(const char *key)
{
    static const char *const names[] = { "throttling", "bps",     "iops",  "bps_rd", "bps_wr",
                                         "iops_rd",    "iops_wr", "group", NULL };
    g_auto(GStrv) parts = g_strsplit(key, ".", 2);

    return g_strv_contains(names, parts[0]);
}

/* Options of the format node stand among those of the drive. */
static bool take_node_options(DriveSpec *s, struct json_object *o, GError **err)
{
    json_object_object_foreach(o, key, value)
    {
        if (is_throttling(key)) {
            return error_set(err, ERROR_USER, "'%s': I/O limits are not available in this version",
                             key);
        }
        if (!g_strv_contains(drive_keys, key)) {
            json_object_object_add(s->node, key, json_object_get(value));
        }
    }
    return true;
}

static bool check_interface(struct json_object *o, GError **err)
{
    static const char *const accepted[] = { "none", "virtio", NULL };
    int i;

    return opt_enum(o, "if", accepted, 0, &i, err);
}

/* A drive without node-name is called after its id. */
static void set_name(DriveSpec *s)
{
    g_autofree char *name = g_strdup_printf("#block-%s", s->id);

    if (!opt_str(s->node, "node-name")) {
        put(s->node, "node-name", name);
    }
}

static bool spec_read(DriveSpec *s, struct json_object *o, GError **err)
{
    *s = (DriveSpec){ .node = json_object_new_object(), .id = opt_str(o, "id") };
    if (!s->id) {
        error_set(err, ERROR_USER, "it needs a name: id=...");
    } else if (check_interface(o, err) && take_node_options(s, o, err) && read_file(s, o, err) &&
               read_format(s, o, err) && read_access(s, o, err) && read_cache(s, o, err) &&
               read_policies(s, o, err) && place_file(s, o, err) && node_check(s->node, err) &&
               (!s->file || node_check(s->file, err))) {
        set_name(s);
        return true;
    }
    spec_clear(s);
    return false;
}

bool block_drive_check(struct json_object *options, GError **err)
{
    const char *id = opt_str(options, "id");
    DriveSpec s;

    if (!spec_read(&s, options, err)) {
        g_prefix_error(err, "drive '%s': ", id ? id : "");
        return false;
    }
    spec_clear(&s);
    return true;
}

/* --- nodes --- */

static bool probe(BlockNode *file, GError **err)
{
    const char *format;

    if (!probe_node(file, &format, err)) {
        return false;
    }
    if (format) {
        return error_set(
            err, ERROR_USER,
            "'%s' is an image in format '%s', which is not available in this version: "
            "convert it with qemu-img convert -O raw, or give format=raw if the disk is "
            "to show the image file itself",
            node_filename(file), format);
    }
    g_printerr("WARNING: Image format was not specified for '%s' and probing guessed raw.\n"
               "         Automatically detecting the format is dangerous for raw images, write "
               "operations on block 0 will be restricted.\n"
               "         Specify the 'raw' format explicitly to remove the restrictions.\n",
               node_filename(file));
    return true;
}

/* The node described by `options`, over `child` (if it is not NULL), which ends with it. */
static BlockNode *stack(Machine *m, const BlockDriver *drv, struct json_object *options,
                        const char *key, BlockNode *child, bool inactive, GError **err)
{
    BlockNode *n;

    if (child) {
        put(options, key, child->name);
    }
    n = node_new(m, drv, options, inactive, err);
    if (!n && child) {
        node_unref(child);
    }
    return n;
}

/* Take what belongs to the overlay out of the options of the node below. */
static struct json_object *overlay_options(DriveSpec *s)
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

/* The format node, or the protocol node alone. */
static BlockNode *make_format(Machine *m, DriveSpec *s, bool inactive, GError **err)
{
    struct json_object *options;
    BlockNode *file, *n;

    if (!s->file) {
        return node_new(m, NULL, s->node, inactive, err);
    }
    options = node_inline_options(s->node, s->file);
    file = node_new(m, NULL, options, inactive, err);
    json_object_put(options);
    if (file && s->probe && !probe(file, err)) {
        node_unref(file);
        file = NULL;
    }
    n = file ? stack(m, NULL, s->node, "file", file, inactive, err) : NULL;
    if (n && s->probe) {
        raw_set_probed(n);
    }
    return n;
}

static BlockNode *make_nodes(Machine *m, DriveSpec *s, bool inactive, GError **err)
{
    struct json_object *top;
    BlockNode *base, *n;

    if (!s->snapshot) {
        return make_format(m, s, inactive, err);
    }
    top = overlay_options(s);
    base = make_format(m, s, inactive, err);
    n = base ? stack(m, &block_overlay, top, "base", base, inactive, err) : NULL;
    json_object_put(top);
    return n;
}

/* The drive keeps its image readable for itself, also while no device uses it. */
static bool hold(BlockNode *n, const DriveSpec *s, GError **err)
{
    n->drive_ref = edge_new(n, NULL, NULL, s->id, BLOCK_PERM_CONSISTENT_READ, BLOCK_PERM_ALL, err);
    if (!n->drive_ref) {
        node_unref(n);
        return false;
    }
    n->drive = g_strdup(s->id);
    n->on_write_error = s->on_write_error;
    n->on_read_error = s->on_read_error;
    return true;
}

BlockNode *block_drive_new(Machine *m, struct json_object *options, bool inactive, GError **err)
{
    const char *id = opt_str(options, "id");
    DriveSpec s = { 0 };
    BlockNode *n = NULL;

    if (id && block_find(m, id)) {
        error_set(err, ERROR_USER, "a drive or node named '%s' exists already", id);
    } else if (spec_read(&s, options, err)) {
        n = make_nodes(m, &s, inactive, err);
    }
    if (n && !hold(n, &s, err)) {
        n = NULL;
    }
    if (!n) {
        g_prefix_error(err, "drive '%s': ", id ? id : "");
    }
    spec_clear(&s);
    return n;
}
