/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qcow2: the table of internal snapshots.
 */
#include <errno.h>
#include <string.h>

#include "qcow2_internal.h"

enum { SNAPSHOT_FIXED = 40, SNAPSHOT_EXTRA_MAX = 1024 };
#define SNAPSHOT_TABLE_MAX (64ull << 20)
#define SNAPSHOT_L1_TOTAL  (1ull << 30) /* bytes of all L1 tables */

static uint16_t snapshot_get16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t snapshot_get32(const uint8_t *p)
{
    return (uint32_t)snapshot_get16(p) << 16 | snapshot_get16(p + 2);
}

static uint64_t snapshot_get64(const uint8_t *p)
{
    return (uint64_t)snapshot_get32(p) << 32 | snapshot_get32(p + 4);
}

static void snapshot_free(gpointer data)
{
    Qcow2Snapshot *s = data;

    g_free(s->id);
    g_free(s->name);
    g_free(s);
}

void qcow2_snapshots_clear(Qcow2 *q)
{
    g_clear_pointer(&q->snapshots, g_ptr_array_unref);
    q->snapshots = g_ptr_array_new_with_free_func(snapshot_free);
}

/* Read an entry from `len` bytes; returns its length, 0 if it does not fit or is invalid. */
static uint64_t snapshot_parse(const Qcow2 *q, const uint8_t *p, uint64_t len, Qcow2Snapshot *s)
{
    uint64_t id = 0, name = 0, extra = 0;

    if (len >= SNAPSHOT_FIXED) {
        id = snapshot_get16(p + 12);
        name = snapshot_get16(p + 14);
        extra = snapshot_get32(p + 36);
    }
    if (len < SNAPSHOT_FIXED || extra > SNAPSHOT_EXTRA_MAX ||
        SNAPSHOT_FIXED + extra + id + name > len) {
        return 0;
    }
    *s = (Qcow2Snapshot){
        .l1_offset = snapshot_get64(p),
        .l1_size = snapshot_get32(p + 8),
        .date_sec = snapshot_get32(p + 16),
        .date_nsec = snapshot_get32(p + 20),
        .vm_clock_ns = snapshot_get64(p + 24),
        .vm_state_size = extra >= 8 ? snapshot_get64(p + 40) : snapshot_get32(p + 32),
        .disk_size = extra >= 16 ? snapshot_get64(p + 48) : q->size,
        .id = g_strndup((const char *)p + SNAPSHOT_FIXED + extra, id),
        .name = g_strndup((const char *)p + SNAPSHOT_FIXED + extra + id, name),
    };
    return (SNAPSHOT_FIXED + extra + id + name + 7) / 8 * 8;
}

static bool snapshots_parse(Qcow2 *q, const uint8_t *table, uint64_t len, GError **err)
{
    uint64_t at = 0, l1_bytes = 0;

    for (uint32_t i = 0; i < q->n_snapshots; i++) {
        Qcow2Snapshot *s = g_new0(Qcow2Snapshot, 1);
        uint64_t n = snapshot_parse(q, table + MIN(at, len), len - MIN(at, len), s);

        g_ptr_array_add(q->snapshots, s);
        if (n == 0) {
            return error_set(err, ERROR_GUEST, "snapshot %u in the snapshot table is invalid", i);
        }
        at += n;
        l1_bytes += (uint64_t)s->l1_size * 8;
        if (!qcow2_check_table(q, "L1 table of a snapshot", s->l1_offset, s->l1_size, 8,
                               QCOW2_L1_MAX, err)) {
            return false;
        }
        if (l1_bytes > SNAPSHOT_L1_TOTAL) {
            return error_set(err, ERROR_GUEST, "the L1 tables of the snapshots are too large");
        }
    }
    q->snapshot_bytes = at;
    return true;
}

bool qcow2_snapshots_read(Qcow2 *q, GError **err)
{
    uint64_t end = qcow2_file(q)->size, len;
    g_autofree uint8_t *table = NULL;
    int r;

    qcow2_snapshots_clear(q);
    q->snapshot_bytes = 0;
    if (q->n_snapshots == 0) {
        return true;
    }
    if (!qcow2_check_table(q, "snapshot table", q->snapshot_offset, q->n_snapshots, SNAPSHOT_FIXED,
                           SNAPSHOT_TABLE_MAX, err)) {
        return false;
    }
    len = MIN(end - q->snapshot_offset, SNAPSHOT_TABLE_MAX);
    len = MIN(len, (uint64_t)q->n_snapshots * (SNAPSHOT_FIXED + SNAPSHOT_EXTRA_MAX + 2 * 65536));
    table = g_try_malloc(len);
    r = table ? node_read_any(qcow2_file(q), q->snapshot_offset, table, len) : -ENOMEM;
    if (r < 0) {
        return error_set_errno(err, -r, "cannot read the snapshot table");
    }
    return snapshots_parse(q, table, len, err);
}
