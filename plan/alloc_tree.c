/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sorted sets of disjoint ranges of numbers, as a B+ tree with sums: the basis
 * of the address allocator.
 */
#include "plan/alloc_internal.h"

enum { SPAN_ORDER = 32, SPAN_MERGE = 28 };

typedef struct PlanSpanNode PlanSpanNode;

typedef struct SpanKid {
    PlanSpanNode *node;
    uint64_t lo;      /* start of the first range below */
    uint64_t sum;     /* lengths of the ranges below */
    uint64_t longest; /* greatest of them */
} SpanKid;

struct PlanSpanNode {
    unsigned n;
    bool leaf;
    union {
        PlanSpan span[SPAN_ORDER];
        SpanKid kid[SPAN_ORDER];
    };
};

static PlanSpanNode *span_node_new(bool leaf)
{
    PlanSpanNode *node = g_new(PlanSpanNode, 1);

    node->n = 0;
    node->leaf = leaf;
    return node;
}

static void span_node_free(PlanSpanNode *node)
{
    for (unsigned i = 0; !node->leaf && i < node->n; i++) {
        span_node_free(node->kid[i].node);
    }
    g_free(node);
}

static uint64_t span_length(const PlanSpan *span)
{
    return span->hi - span->lo + 1;
}

static SpanKid span_summary(PlanSpanNode *node)
{
    SpanKid s = { .node = node };

    s.lo = node->leaf ? node->span[0].lo : node->kid[0].lo;
    for (unsigned i = 0; i < node->n; i++) {
        s.sum += node->leaf ? span_length(&node->span[i]) : node->kid[i].sum;
        s.longest = MAX(s.longest, node->leaf ? span_length(&node->span[i]) : node->kid[i].longest);
    }
    return s;
}

/* Update the entry of a child in which a range changed from length @before to
 * @after, of which one is 0 if the range was inserted or removed. */
static void span_kid_update(SpanKid *kid, uint64_t before, uint64_t after)
{
    const PlanSpanNode *node = kid->node;
    uint64_t old = kid->longest, longest = after;

    kid->lo = node->leaf ? node->span[0].lo : node->kid[0].lo;
    kid->sum += after - before;
    if (after >= old || before < old) {
        kid->longest = MAX(old, after);
        return;
    }
    for (unsigned i = 0; i < node->n && longest < old; i++) {
        longest = MAX(longest, node->leaf ? span_length(&node->span[i]) : node->kid[i].longest);
    }
    kid->longest = longest;
}

/* Return the index of the last entry that begins at or before @key, or 0. */
static unsigned span_index(const PlanSpanNode *node, uint64_t key)
{
    unsigned lo = 0, hi = node->n;

    while (hi - lo > 1) {
        unsigned mid = (lo + hi) / 2;
        uint64_t start = node->leaf ? node->span[mid].lo : node->kid[mid].lo;

        if (start <= key) {
            lo = mid;
        } else {
            hi = mid;
        }
    }
    return lo;
}

static size_t span_entry_size(const PlanSpanNode *node)
{
    return node->leaf ? sizeof(PlanSpan) : sizeof(SpanKid);
}

static char *span_entry(PlanSpanNode *node, unsigned i)
{
    return node->leaf ? (char *)&node->span[i] : (char *)&node->kid[i];
}

static void span_entry_remove(PlanSpanNode *node, unsigned i)
{
    node->n--;
    memmove(span_entry(node, i), span_entry(node, i + 1), (node->n - i) * span_entry_size(node));
}

/* Insert an entry at @i. Return the new right sibling if the node was full,
 * otherwise NULL. */
static PlanSpanNode *span_entry_insert(PlanSpanNode *node, unsigned i, const void *entry)
{
    PlanSpanNode *right = NULL;

    if (node->n == SPAN_ORDER) {
        right = span_node_new(node->leaf);
        /* An append fills nodes: addresses are mostly entered in ascending order.
         */
        node->n = i == SPAN_ORDER ? SPAN_ORDER - 2 : SPAN_ORDER / 2;
        right->n = SPAN_ORDER - node->n;
        memcpy(span_entry(right, 0), span_entry(node, node->n), right->n * span_entry_size(node));
        if (i > node->n) {
            i -= node->n;
            node = right;
        }
    }
    memmove(span_entry(node, i + 1), span_entry(node, i), (node->n - i) * span_entry_size(node));
    memcpy(span_entry(node, i), entry, span_entry_size(node));
    node->n++;
    return right;
}

static PlanSpanNode *span_node_insert(PlanSpanNode *node, const PlanSpan *span)
{
    unsigned i = span_index(node, span->lo);
    PlanSpanNode *split;
    SpanKid kid;

    if (node->leaf) {
        return span_entry_insert(node, i + (node->n && node->span[i].lo < span->lo), span);
    }
    split = span_node_insert(node->kid[i].node, span);
    if (!split) {
        span_kid_update(&node->kid[i], 0, span_length(span));
        return NULL;
    }
    node->kid[i] = span_summary(node->kid[i].node);
    kid = span_summary(split);
    return span_entry_insert(node, i + 1, &kid);
}

void plan_span_insert(PlanSpanTree *t, uint64_t lo, uint64_t hi, void *data)
{
    PlanSpan span = { lo, hi, data };
    PlanSpanNode *split, *root;

    if (!t->root) {
        t->root = span_node_new(true);
    }
    t->n++;
    split = span_node_insert(t->root, &span);
    if (split) {
        root = span_node_new(false);
        root->kid[0] = span_summary(t->root);
        root->kid[1] = span_summary(split);
        root->n = 2;
        t->root = root;
    }
}

/* Merge the children @i and @i + 1 if one node can hold both. */
static bool span_merge(PlanSpanNode *node, unsigned i)
{
    PlanSpanNode *left, *right;

    if (i + 1 >= node->n) {
        return false;
    }
    left = node->kid[i].node;
    right = node->kid[i + 1].node;
    if (left->n + right->n > SPAN_MERGE) {
        return false;
    }
    memcpy(span_entry(left, left->n), span_entry(right, 0), right->n * span_entry_size(left));
    left->n += right->n;
    g_free(right);
    span_entry_remove(node, i + 1);
    node->kid[i] = span_summary(left);
    return true;
}

/* Remove the range that begins at @lo. Return its length, or 0 if there is
 * none. */
static uint64_t span_node_remove(PlanSpanNode *node, uint64_t lo)
{
    unsigned i = span_index(node, lo);
    PlanSpanNode *child;
    uint64_t length;

    if (node->leaf) {
        if (!node->n || node->span[i].lo != lo) {
            return 0;
        }
        length = span_length(&node->span[i]);
        span_entry_remove(node, i);
        return length;
    }
    child = node->kid[i].node;
    length = span_node_remove(child, lo);
    if (!length) {
        return 0;
    }
    if (child->n == 0) {
        g_free(child);
        span_entry_remove(node, i);
        return length;
    }
    span_kid_update(&node->kid[i], length, 0);
    if (child->n < SPAN_ORDER / 4 && !span_merge(node, i) && i > 0) {
        span_merge(node, i - 1);
    }
    return length;
}

void plan_span_remove(PlanSpanTree *t, uint64_t lo)
{
    PlanSpanNode *root = t->root;

    if (!root || !span_node_remove(root, lo)) {
        return;
    }
    t->n--;
    while (!root->leaf && root->n == 1) {
        t->root = root->kid[0].node;
        g_free(root);
        root = t->root;
    }
    if (root->n == 0) {
        g_free(root);
        t->root = NULL;
    }
}

/* Return the length before. */
static uint64_t span_node_resize(PlanSpanNode *node, uint64_t lo, uint64_t new_lo, uint64_t new_hi)
{
    unsigned i = span_index(node, lo);
    uint64_t before;

    if (node->leaf) {
        before = span_length(&node->span[i]);
        node->span[i].lo = new_lo;
        node->span[i].hi = new_hi;
        return before;
    }
    before = span_node_resize(node->kid[i].node, lo, new_lo, new_hi);
    span_kid_update(&node->kid[i], before, new_hi - new_lo + 1);
    return before;
}

void plan_span_resize(PlanSpanTree *t, uint64_t lo, uint64_t new_lo, uint64_t new_hi)
{
    span_node_resize(t->root, lo, new_lo, new_hi);
}

void plan_span_clear(PlanSpanTree *t)
{
    if (t->root) {
        span_node_free(t->root);
    }
    *t = (PlanSpanTree){ NULL, 0 };
}

static bool span_node_next(const PlanSpanNode *node, uint64_t key, uint64_t length, PlanSpan *span)
{
    for (unsigned i = span_index(node, key); i < node->n; i++) {
        if (node->leaf) {
            const PlanSpan *s = &node->span[i];

            if (s->hi >= key && s->hi - s->lo + 1 >= length) {
                *span = *s;
                return true;
            }
        } else if (node->kid[i].longest >= length &&
                   span_node_next(node->kid[i].node, key, length, span)) {
            return true;
        }
    }
    return false;
}

bool plan_span_next(const PlanSpanTree *t, uint64_t key, uint64_t length, PlanSpan *span)
{
    return t->root && span_node_next(t->root, key, length, span);
}

bool plan_span_prev(const PlanSpanTree *t, uint64_t key, PlanSpan *span)
{
    const PlanSpanNode *node = t->root;

    while (node && !node->leaf) {
        node = node->kid[span_index(node, key)].node;
    }
    if (!node || node->span[span_index(node, key)].lo > key) {
        return false;
    }
    *span = node->span[span_index(node, key)];
    return true;
}

bool plan_span_find(const PlanSpanTree *t, uint64_t key, PlanSpan *span)
{
    return plan_span_prev(t, key, span) && span->hi >= key;
}

uint64_t plan_span_count_below(const PlanSpanTree *t, uint64_t key)
{
    const PlanSpanNode *node = t->root;
    uint64_t sum = 0;

    while (node && !node->leaf) {
        unsigned at = span_index(node, key);

        for (unsigned i = 0; i < at; i++) {
            sum += node->kid[i].sum;
        }
        node = node->kid[at].node;
    }
    for (unsigned i = 0; node && i < node->n && node->span[i].lo < key; i++) {
        sum += MIN(node->span[i].hi, key - 1) - node->span[i].lo + 1;
    }
    return sum;
}

void plan_span_add(PlanSpanTree *t, uint64_t lo, uint64_t hi, void *data)
{
    PlanSpan left, right;
    bool has_right = plan_span_prev(t, hi + 1, &right), has_left;

    left = right;
    if (has_right && right.lo == hi + 1) {
        has_left = lo > 0 && plan_span_prev(t, lo - 1, &left);
        has_right = right.data == data;
    } else {
        has_left = has_right;
        has_right = false;
    }
    has_left = has_left && left.hi + 1 == lo && left.data == data;
    if (has_left && has_right) {
        plan_span_remove(t, right.lo);
        plan_span_resize(t, left.lo, left.lo, right.hi);
    } else if (has_left) {
        plan_span_resize(t, left.lo, left.lo, hi);
    } else if (has_right) {
        plan_span_resize(t, right.lo, lo, right.hi);
    } else {
        plan_span_insert(t, lo, hi, data);
    }
}

void plan_span_cut(PlanSpanTree *t, uint64_t lo, uint64_t hi)
{
    PlanSpan s;

    while (plan_span_next(t, lo, 1, &s) && s.lo <= hi) {
        if (s.lo < lo) {
            plan_span_resize(t, s.lo, s.lo, lo - 1);
            if (s.hi > hi) {
                plan_span_insert(t, hi + 1, s.hi, s.data);
            }
        } else if (s.hi > hi) {
            plan_span_resize(t, s.lo, hi + 1, s.hi);
        } else {
            plan_span_remove(t, s.lo);
        }
        if (s.hi >= hi) {
            return;
        }
    }
}
