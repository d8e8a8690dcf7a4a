/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `info block` and `info blockstats`: the results of query-block, query-named-block-nodes and
 * query-blockstats in the text format of QEMU, which clients parse.
 */
#include "internal.h"

#include <inttypes.h>
#include <string.h>

#include "block/block.h"

static const char *hmp_block_text(struct json_object *o, const char *key)
{
    struct json_object *v;

    return json_object_object_get_ex(o, key, &v) ? json_object_get_string(v) : "";
}

static bool hmp_block_flag(struct json_object *o, const char *key)
{
    return json_object_get_boolean(json_object_object_get(o, key));
}

/* Return the size as "1 MiB" or "1.5 GiB"; g_free. */
static char *hmp_block_size_text(uint64_t bytes)
{
    static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
    double v = (double)bytes;
    size_t i = 0;

    for (; v >= 1024 && i + 1 < G_N_ELEMENTS(units); i++) {
        v /= 1024;
    }
    return g_strdup_printf("%.4g %s", v, units[i]);
}

static void hmp_block_show_node(GString *out, const char *name, struct json_object *node)
{
    g_string_append_printf(out, "%s: %s (%s%s)\n", name, hmp_block_text(node, "file"),
                           hmp_block_text(node, "drv"),
                           hmp_block_flag(node, "ro") ? ", read-only" : "");
}

static void hmp_block_show_cache(GString *out, struct json_object *node)
{
    struct json_object *cache = json_object_object_get(node, "cache");

    g_string_append_printf(out, "    Cache mode:       %s%s%s\n",
                           hmp_block_flag(cache, "writeback") ? "writeback" : "writethrough",
                           hmp_block_flag(cache, "direct") ? ", direct" : "",
                           hmp_block_flag(cache, "no-flush") ? ", ignore flushes" : "");
}

static void hmp_block_show_limits(GString *out, struct json_object *node)
{
    static const char *const keys[] = {
        "bps",     "bps_rd",  "bps_wr",   "bps_max",     "bps_rd_max",  "bps_wr_max", "iops",
        "iops_rd", "iops_wr", "iops_max", "iops_rd_max", "iops_wr_max", "iops_size",
    };

    if (*hmp_block_text(node, "group")) {
        g_string_append(out, "    I/O throttling:  ");
        for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
            const char *value = hmp_block_text(node, keys[i]);

            g_string_append_printf(out, " %s=%s", keys[i], *value ? value : "0");
        }
        g_string_append_printf(out, " group=%s\n", hmp_block_text(node, "group"));
    }
}

static void hmp_block_show_image(GString *out, struct json_object *node)
{
    struct json_object *image = json_object_object_get(node, "image");
    uint64_t size = json_object_get_uint64(json_object_object_get(image, "virtual-size"));
    g_autofree char *units = hmp_block_size_text(size);

    g_string_append_printf(out,
                           "\nImages:\nimage: %s\nfile format: %s\n"
                           "virtual size: %s (%" PRIu64 " bytes)\n",
                           hmp_block_text(image, "filename"), hmp_block_text(image, "format"),
                           units, size);
}

static void hmp_block_show_device(GString *out, struct json_object *o)
{
    struct json_object *node = json_object_object_get(o, "inserted");
    const char *drive = hmp_block_text(o, "device"), *name = hmp_block_text(node, "node-name"),
               *qdev = hmp_block_text(o, "qdev");
    g_autofree char *both = g_strdup_printf("%s (%s)", drive, name);

    if (node) {
        hmp_block_show_node(out, *drive ? both : name, node);
    } else {
        g_string_append_printf(out, "%s: [not inserted]\n", *drive ? drive : qdev);
    }
    if (*qdev) {
        g_string_append_printf(out, "    Attached to:      %s\n", qdev);
    }
    if (strcmp(hmp_block_text(o, "io-status"), "ok") != 0 && *hmp_block_text(o, "io-status")) {
        g_string_append_printf(out, "    I/O status:       %s\n", hmp_block_text(o, "io-status"));
    }
    if (hmp_block_flag(o, "removable")) {
        g_string_append_printf(out, "    Removable device: %slocked, tray %s\n",
                               hmp_block_flag(o, "locked") ? "" : "not ",
                               hmp_block_flag(o, "tray_open") ? "open" : "closed");
    }
    if (node) {
        hmp_block_show_cache(out, node);
        hmp_block_show_limits(out, node);
    }
}

typedef struct BlockArgs {
    bool nodes, verbose;
    const char *name; /* NULL: all */
} BlockArgs;

static bool hmp_block_chosen(const BlockArgs *a, struct json_object *o)
{
    struct json_object *node = a->nodes ? o : json_object_object_get(o, "inserted");

    return !a->name || strcmp(hmp_block_text(node, "node-name"), a->name) == 0 ||
           (!a->nodes && strcmp(hmp_block_text(o, "device"), a->name) == 0);
}

static void hmp_block_show(const BlockArgs *a, struct json_object *o, GString *out)
{
    struct json_object *node = a->nodes ? o : json_object_object_get(o, "inserted");

    if (a->nodes) {
        hmp_block_show_node(out, hmp_block_text(node, "node-name"), node);
        hmp_block_show_cache(out, node);
    } else {
        hmp_block_show_device(out, o);
    }
    if (a->verbose && node) {
        hmp_block_show_image(out, node);
    }
}

/* Arguments: [-n] [-v] [DEVICE]. -n: nodes instead of devices; -v: image details. */
void hmp_info_block(Machine *m, const char *args, GString *out)
{
    g_auto(GStrv) words = g_strsplit_set(args, " ", -1);
    BlockArgs a = { 0 };
    struct json_object *list;
    gsize before = out->len;

    for (char **w = words; *w; w++) {
        a.nodes |= strcmp(*w, "-n") == 0;
        a.verbose |= strcmp(*w, "-v") == 0;
        a.name = **w && **w != '-' ? *w : a.name;
    }
    list = block_query(m, a.nodes);
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        struct json_object *o = json_object_array_get_idx(list, i);

        if (hmp_block_chosen(&a, o)) {
            g_string_append(out, out->len > before ? "\n" : "");
            hmp_block_show(&a, o, out);
        }
    }
    json_object_put(list);
}

void hmp_info_blockstats(Machine *m, const char *args, GString *out)
{
    static const char *const keys[] = {
        "rd_bytes",
        "wr_bytes",
        "rd_operations",
        "wr_operations",
        "flush_operations",
        "unmap_operations",
        "rd_total_time_ns",
        "wr_total_time_ns",
        "flush_total_time_ns",
        "failed_rd_operations",
        "failed_wr_operations",
        "idle_time_ns",
    };
    struct json_object *list = block_query_stats(m, false);

    for (size_t i = 0; i < json_object_array_length(list); i++) {
        struct json_object *o = json_object_array_get_idx(list, i);
        struct json_object *stats = json_object_object_get(o, "stats");

        g_string_append_printf(out, "%s:",
                               *hmp_block_text(o, "device") ? hmp_block_text(o, "device")
                                                            : hmp_block_text(o, "node-name"));
        for (size_t k = 0; k < G_N_ELEMENTS(keys); k++) {
            g_string_append_printf(out, " %s=%" PRIu64, keys[k],
                                   json_object_get_uint64(json_object_object_get(stats, keys[k])));
        }
        g_string_append_c(out, '\n');
    }
    json_object_put(list);
}
