/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qcow2: slices of L2 tables and refcount blocks in memory. A cache has a limit; the least recently
 * used slice is replaced first, and a changed one only after it was written in the order that
 * qcow2_internal.h describes.
 */
#include <errno.h>
#include <string.h>

#include "qcow2_internal.h"

void qcow2_cache_init(Qcow2Cache *c, uint64_t bytes, uint32_t slice)
{
    enum { SLICES_MIN = 16 };

    c->slices = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, g_free);
    g_queue_init(&c->lru);
    c->limit = MAX(bytes / slice, SLICES_MIN);
}

void qcow2_cache_clear(Qcow2Cache *c)
{
    if (c->slices) {
        g_queue_init(&c->lru);
        g_hash_table_remove_all(c->slices);
    }
}

void qcow2_cache_free(Qcow2Cache *c)
{
    if (c->slices) {
        g_hash_table_destroy(c->slices);
        c->slices = NULL;
    }
}

Qcow2Slice *qcow2_cache_peek(Qcow2Cache *c, uint64_t at)
{
    return g_hash_table_lookup(c->slices, &at);
}

static void cache_remove_slice(Qcow2Cache *c, Qcow2Slice *s)
{
    g_queue_unlink(&c->lru, &s->link);
    g_hash_table_remove(c->slices, &s->at);
}

static int cache_write_slice(Qcow2 *q, Qcow2Slice *s)
{
    int r = node_write_any(qcow2_file(q), s->at, s->data, q->slice);

    if (r == 0) {
        s->dirty = false;
    }
    return r;
}

int qcow2_cache_write(Qcow2 *q, Qcow2Cache *c)
{
    int r = 0;

    for (GList *l = c->lru.head; l && r == 0; l = l->next) {
        Qcow2Slice *s = l->data;

        r = s->dirty ? cache_write_slice(q, s) : 0;
    }
    return r;
}

/* Make room for one slice. */
static int cache_evict(Qcow2 *q, Qcow2Cache *c)
{
    Qcow2Slice *s = c->lru.tail->data;
    int r = 0;

    if (s->dirty) {
        r = c == &q->l2 ? qcow2_sync(q) : cache_write_slice(q, s);
    }
    if (r == 0 && c->lru.tail && c->lru.tail->data == s) { /* qcow2_sync() may drop it */
        g_mutex_lock(&q->map);
        cache_remove_slice(c, s);
        g_mutex_unlock(&q->map);
    }
    return r;
}

static int cache_load(Qcow2 *q, Qcow2Cache *c, uint64_t at, Qcow2Slice **slice)
{
    Qcow2Slice *s;
    int r = 0;

    while (g_hash_table_size(c->slices) >= c->limit && r == 0) {
        r = cache_evict(q, c);
    }
    if (r < 0) {
        return r;
    }
    s = g_try_malloc(sizeof(*s) + q->slice);
    if (!s) {
        return -ENOMEM;
    }
    *s = (Qcow2Slice){ .at = at, .link.data = s };
    r = node_read_any(qcow2_file(q), at, s->data, q->slice);
    if (r < 0) {
        g_free(s);
        return r;
    }
    g_mutex_lock(&q->map);
    g_queue_push_head_link(&c->lru, &s->link);
    g_hash_table_insert(c->slices, &s->at, s);
    g_mutex_unlock(&q->map);
    *slice = s;
    return 0;
}

int qcow2_cache_get(Qcow2 *q, Qcow2Cache *c, uint64_t at, Qcow2Slice **slice)
{
    Qcow2Slice *s = qcow2_cache_peek(c, at);

    if (!s) {
        return cache_load(q, c, at, slice);
    }
    if (c->lru.head != &s->link) {
        g_mutex_lock(&q->map);
        g_queue_unlink(&c->lru, &s->link);
        g_queue_push_head_link(&c->lru, &s->link);
        g_mutex_unlock(&q->map);
    }
    *slice = s;
    return 0;
}

void qcow2_cache_drop(Qcow2 *q, Qcow2Cache *c, uint64_t at)
{
    for (uint64_t i = 0; i < q->cluster; i += q->slice) {
        Qcow2Slice *s = qcow2_cache_peek(c, at + i);

        if (s) {
            g_mutex_lock(&q->map);
            cache_remove_slice(c, s);
            g_mutex_unlock(&q->map);
        }
    }
}

uint64_t qcow2_slice_get64(const Qcow2Slice *s, unsigned at)
{
    uint64_t v;

    memcpy(&v, s->data + at, sizeof(v));
    return GUINT64_FROM_BE(v);
}

void qcow2_slice_set64(Qcow2 *q, Qcow2Slice *s, unsigned at, uint64_t value)
{
    uint64_t v = GUINT64_TO_BE(value);

    g_mutex_lock(&q->map);
    memcpy(s->data + at, &v, sizeof(v));
    g_mutex_unlock(&q->map);
    s->dirty = true;
    qcow2_set_dirty(q);
}
