/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qcow2: the header and its extensions. Everything that the header states is checked here, before
 * anything is allocated from it.
 */
#include <errno.h>
#include <string.h>

#include "qcow2_internal.h"

enum { V2_LENGTH = 72, V3_LENGTH_MIN = 104, REFCOUNT_ORDER_MAX = 6, COMPRESSION_ZSTD = 1 };
enum { FEATURE_ROW = 48, FEATURE_NAME = 46 };

enum {
    EXT_END = 0,
    EXT_BACKING_FORMAT = 0xe2792aca,
    EXT_FEATURE_NAMES = 0x6803f857,
    EXT_BITMAPS = 0x23852875,
};

typedef struct HeaderExtensions {
    const uint8_t *features; /* the table of feature names; NULL: none */
    uint32_t features_len;
} HeaderExtensions;

static uint32_t header_get32(const uint8_t *p, unsigned at)
{
    uint32_t v;

    memcpy(&v, p + at, sizeof(v));
    return GUINT32_FROM_BE(v);
}

static uint64_t header_get64(const uint8_t *p, unsigned at)
{
    uint64_t v;

    memcpy(&v, p + at, sizeof(v));
    return GUINT64_FROM_BE(v);
}

void qcow2_header_set64(Qcow2 *q, unsigned at, uint64_t value)
{
    uint64_t v = GUINT64_TO_BE(value);

    memcpy(q->head + at, &v, sizeof(v));
}

void qcow2_header_set32(Qcow2 *q, unsigned at, uint32_t value)
{
    uint32_t v = GUINT32_TO_BE(value);

    memcpy(q->head + at, &v, sizeof(v));
}

int qcow2_header_write(Qcow2 *q)
{
    return node_write_any(qcow2_file(q), 0, q->head, sizeof(q->head));
}

void qcow2_header_clear(Qcow2 *q)
{
    g_clear_pointer(&q->backing_name, g_free);
    g_clear_pointer(&q->backing_format, g_free);
    q->bitmap_dir_offset = q->bitmap_dir_size = 0;
}

bool qcow2_check_table(const Qcow2 *q, const char *what, uint64_t at, uint64_t n, uint64_t entry,
                       uint64_t max_bytes, GError **err)
{
    uint64_t end = qcow2_file(q)->size;

    if (n > max_bytes / entry) {
        return error_set(err, ERROR_GUEST,
                         "the %s is too large: %" G_GUINT64_FORMAT " entries of %" G_GUINT64_FORMAT
                         " bytes, at most %" G_GUINT64_FORMAT " bytes are supported",
                         what, n, entry, max_bytes);
    }
    if (at & (q->cluster - 1)) {
        return error_set(err, ERROR_GUEST,
                         "the offset of the %s, 0x%" G_GINT64_MODIFIER "x, is not a multiple of "
                         "the cluster size",
                         what, at);
    }
    if (n && (at == 0 || at > end || n * entry > end - at)) {
        return error_set(err, ERROR_GUEST,
                         "the %s at 0x%" G_GINT64_MODIFIER "x is not inside the file of "
                         "%" G_GUINT64_FORMAT " bytes",
                         what, at, end);
    }
    return true;
}

/* --- features --- */

static const char *const incompatible_names[] = { "dirty bit", "corrupt bit", "external data file",
                                                  "compression type", "extended L2 entries" };

/* The name of an incompatible feature, from the image's own table or the specification; g_free. */
static char *header_feature_name(const HeaderExtensions *x, unsigned bit)
{
    for (uint32_t i = 0; x->features && i + FEATURE_ROW <= x->features_len; i += FEATURE_ROW) {
        const uint8_t *row = x->features + i;

        if (row[0] == 0 && row[1] == bit) {
            g_autofree char *raw = g_strndup((const char *)row + 2, FEATURE_NAME);
            char *name = g_utf8_make_valid(raw, -1);

            return g_strdelimit(name, "\n\r\t\x1b", ' ');
        }
    }
    return bit < G_N_ELEMENTS(incompatible_names)
               ? g_strdup(incompatible_names[bit])
               : g_strdup_printf("Unknown incompatible feature: bit %u", bit);
}

static bool header_check_features(const Qcow2 *q, const HeaderExtensions *x, GError **err)
{
    uint64_t bad = q->incompatible & ~(QCOW2_DIRTY | QCOW2_CORRUPT | QCOW2_COMPRESSION);
    g_autoptr(GString) all = g_string_new(NULL);

    for (unsigned bit = 0; bit < 64; bit++) {
        if (bad >> bit & 1) {
            g_autofree char *name = header_feature_name(x, bit);

            g_string_append_printf(all, "%s%s", all->len ? ", " : "", name);
        }
    }
    return bad == 0 || error_set(err, ERROR_USER, "Unsupported qcow2 feature(s): %s", all->str);
}

static bool header_check_compression(const Qcow2 *q, GError **err)
{
    if (q->compression > COMPRESSION_ZSTD) {
        return error_set(err, ERROR_USER,
                         "compression type %u is not supported; use 0 (zlib) or 1 (zstd)",
                         q->compression);
    }
    if ((q->compression != 0) != ((q->incompatible & QCOW2_COMPRESSION) != 0)) {
        return error_set(err, ERROR_GUEST,
                         "compression type %u contradicts the incompatible feature bit 3",
                         q->compression);
    }
    return true;
}

/* --- extensions --- */

static void header_read_bitmaps(Qcow2 *q, const uint8_t *data, uint32_t len)
{
    if (len >= 24) {
        q->bitmap_dir_size = header_get64(data, 8);
        q->bitmap_dir_offset = header_get64(data, 16);
    }
}

/* head: `len` bytes of the first cluster. */
static bool header_read_extensions(Qcow2 *q, const uint8_t *head, uint32_t from, uint32_t len,
                                   HeaderExtensions *x, GError **err)
{
    uint64_t backing = header_get64(head, QCOW2_H_BACKING_OFFSET);
    uint64_t end = backing > from && backing < len ? backing : len;

    for (uint64_t at = from; at + 8 <= end;) {
        uint32_t type = header_get32(head, at), size = header_get32(head, at + 4);
        const uint8_t *data = head + at + 8;

        if (type == EXT_END) {
            return true;
        }
        if (size > end - at - 8) {
            return error_set(err, ERROR_GUEST,
                             "the header extension 0x%08x at 0x%" G_GINT64_MODIFIER
                             "x has %u bytes, which exceeds the header",
                             type, at, size);
        }
        if (type == EXT_BACKING_FORMAT && size < 64) {
            g_free(q->backing_format);
            q->backing_format = g_strndup((const char *)data, size);
        } else if (type == EXT_FEATURE_NAMES) {
            *x = (HeaderExtensions){ data, size };
        } else if (type == EXT_BITMAPS) {
            header_read_bitmaps(q, data, size);
        }
        at += 8 + ((uint64_t)size + 7) / 8 * 8;
    }
    return true;
}

static bool header_read_backing(Qcow2 *q, const uint8_t *head, uint32_t len, GError **err)
{
    uint64_t at = header_get64(head, QCOW2_H_BACKING_OFFSET);
    uint32_t size = header_get32(head, QCOW2_H_BACKING_SIZE);

    if (at == 0) {
        return true;
    }
    if (size > QCOW2_NAME_MAX || at > len || size > len - at) {
        return error_set(err, ERROR_GUEST,
                         "the name of the backing file (%u bytes at 0x%" G_GINT64_MODIFIER
                         "x) is not in the first cluster, or has more than %u bytes",
                         size, at, QCOW2_NAME_MAX);
    }
    if (size > 0) {
        q->backing_name = g_strndup((const char *)head + at, size);
    }
    return true;
}

/* --- the fields --- */

static bool header_read_version(Qcow2 *q, const uint8_t *head, GError **err)
{
    if (memcmp(head, "QFI\xfb", 4) != 0) {
        return error_set(err, ERROR_GUEST, "Image is not in qcow2 format");
    }
    q->version = header_get32(head, QCOW2_H_VERSION);
    if (q->version < 2 || q->version > 3) {
        return error_set(err, ERROR_USER, "Unsupported qcow2 version %u; use 2 or 3", q->version);
    }
    q->cluster_bits = header_get32(head, QCOW2_H_CLUSTER_BITS);
    if (q->cluster_bits < QCOW2_CLUSTER_BITS_MIN || q->cluster_bits > QCOW2_CLUSTER_BITS_MAX) {
        return error_set(err, ERROR_USER, "Unsupported cluster size: 2^%u; use 2^%u to 2^%u",
                         q->cluster_bits, QCOW2_CLUSTER_BITS_MIN, QCOW2_CLUSTER_BITS_MAX);
    }
    q->cluster = 1ull << q->cluster_bits;
    q->l2_bits = q->cluster_bits - 3;
    q->slice = (uint32_t)MIN(q->cluster, QCOW2_SLICE_MAX);
    return true;
}

/* Read the fields of version 3. *length: the bytes of the header. */
static bool header_read_v3(Qcow2 *q, const uint8_t *head, uint32_t *length, GError **err)
{
    *length = V2_LENGTH;
    q->incompatible = q->compatible = q->autoclear = 0;
    q->refcount_order = 4;
    q->compression = 0;
    if (q->version == 2) {
        return true;
    }
    q->incompatible = header_get64(head, QCOW2_H_INCOMPATIBLE);
    q->compatible = header_get64(head, QCOW2_H_COMPATIBLE);
    q->autoclear = header_get64(head, QCOW2_H_AUTOCLEAR);
    q->refcount_order = header_get32(head, QCOW2_H_REFCOUNT_ORDER);
    *length = header_get32(head, QCOW2_H_LENGTH);
    if (*length < V3_LENGTH_MIN || *length % 8 || *length > MIN(q->cluster, QCOW2_HEAD_MAX)) {
        return error_set(err, ERROR_GUEST,
                         "a header of %u bytes is invalid; it has at least %u bytes, a multiple "
                         "of 8, in the first cluster",
                         *length, V3_LENGTH_MIN);
    }
    if (q->refcount_order > REFCOUNT_ORDER_MAX) {
        return error_set(err, ERROR_GUEST, "refcounts of 2^%u bits are not supported; at most 2^%u",
                         q->refcount_order, REFCOUNT_ORDER_MAX);
    }
    if (*length > QCOW2_H_COMPRESSION) {
        q->compression = head[QCOW2_H_COMPRESSION];
    }
    return true;
}

static bool header_read_size(Qcow2 *q, const uint8_t *head, GError **err)
{
    uint64_t per_table = q->cluster << q->l2_bits, needed;

    q->size = header_get64(head, QCOW2_H_SIZE);
    q->l1_size = header_get32(head, QCOW2_H_L1_SIZE);
    q->l1_offset = header_get64(head, QCOW2_H_L1_OFFSET);
    if (q->size > INT64_MAX - BLOCK_SECTOR) {
        return error_set(err, ERROR_GUEST,
                         "a disk of %" G_GUINT64_FORMAT " bytes is not supported; the limit is "
                         "2^63",
                         q->size);
    }
    needed = q->size / per_table + (q->size % per_table != 0);
    if (needed > QCOW2_L1_MAX / 8) {
        return error_set(err, ERROR_GUEST,
                         "Image is too big: a disk of %" G_GUINT64_FORMAT
                         " bytes with clusters of %" G_GUINT64_FORMAT " bytes",
                         q->size, q->cluster);
    }
    if (q->l1_size < needed) {
        return error_set(err, ERROR_GUEST,
                         "L1 table is too small: %u entries, a disk of %" G_GUINT64_FORMAT
                         " bytes requires %" G_GUINT64_FORMAT,
                         q->l1_size, q->size, needed);
    }
    return qcow2_check_table(q, "L1 table", q->l1_offset, q->l1_size, 8, QCOW2_L1_MAX, err);
}

static bool header_read_tables(Qcow2 *q, const uint8_t *head, GError **err)
{
    uint32_t crypt = header_get32(head, QCOW2_H_CRYPT);

    if (crypt) {
        return error_set(err, ERROR_USER,
                         "the image is encrypted (%s), which is not supported: decrypt it with "
                         "qemu-img convert",
                         crypt == 1   ? "AES"
                         : crypt == 2 ? "LUKS"
                                      : "unknown method");
    }
    q->table_offset = header_get64(head, QCOW2_H_TABLE_OFFSET);
    q->table_clusters = header_get32(head, QCOW2_H_TABLE_CLUSTERS);
    q->n_snapshots = header_get32(head, QCOW2_H_SNAPSHOTS);
    q->snapshot_offset = header_get64(head, QCOW2_H_SNAPSHOT_OFFSET);
    if (q->table_clusters == 0) {
        return error_set(err, ERROR_GUEST, "Image does not contain a reference count table");
    }
    if (q->n_snapshots > QCOW2_SNAPSHOTS_MAX) {
        return error_set(err, ERROR_GUEST, "%u snapshots are not supported; at most %u",
                         q->n_snapshots, QCOW2_SNAPSHOTS_MAX);
    }
    return qcow2_check_table(q, "reference count table", q->table_offset, q->table_clusters,
                             q->cluster, QCOW2_TABLE_MAX, err);
}

bool qcow2_header_read(Qcow2 *q, GError **err)
{
    BlockNode *file = qcow2_file(q);
    g_autofree uint8_t *head = g_malloc(QCOW2_HEAD_MAX);
    HeaderExtensions x = { 0 };
    uint32_t length, len;
    int r = node_read_any(file, 0, head, QCOW2_HEAD_MAX);

    if (r < 0) {
        return error_set_errno(err, -r, "cannot read the header");
    }
    qcow2_header_clear(q);
    memcpy(q->head, head, sizeof(q->head));
    if (!header_read_version(q, head, err) || !header_read_v3(q, head, &length, err)) {
        return false;
    }
    len = (uint32_t)MIN(q->cluster, QCOW2_HEAD_MAX);
    return header_read_extensions(q, head, length, len, &x, err) &&
           header_check_features(q, &x, err) && header_check_compression(q, err) &&
           header_read_backing(q, head, len, err) && header_read_size(q, head, err) &&
           header_read_tables(q, head, err);
}
