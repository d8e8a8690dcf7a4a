/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The block graph: references between nodes, the permissions they carry, sizes and hand-over.
 *
 * A change of one reference is applied depth first: the reference is checked against the others of
 * its node, the driver derives what it needs at the child, and the node at the end locks its
 * image. When a step fails the reference gets its old permissions back.
 */
#include <string.h>

#include "internal.h"

/* --- permissions --- */

static void node_cumulate_perm(const BlockNode *n, unsigned *perm, unsigned *shared)
{
    *perm = 0;
    *shared = BLOCK_PERM_ALL;
    for (unsigned i = 0; i < n->parents->len; i++) {
        const BlockEdge *e = n->parents->pdata[i];

        *perm |= e->perm;
        *shared &= e->shared;
    }
    if (n->force_share) {
        *shared = BLOCK_PERM_ALL;
    }
}

char *edge_describe(const BlockEdge *e)
{
    if (e->parent) {
        return g_strdup_printf("node '%s' (as its '%s')", e->parent->name, e->name);
    }
    return g_strdup_printf("%s '%s'", e->user ? "device" : "drive", e->name);
}

char *node_describe_top(const BlockNode *n)
{
    const BlockEdge *e;

    for (unsigned i = 0; i < n->parents->len;) {
        e = n->parents->pdata[i];
        n = e->parent ? e->parent : n;
        i = e->parent ? 0 : i + 1;
    }
    return g_strdup_printf("%s '%s'", n->drive ? "drive" : "node", n->drive ? n->drive : n->name);
}

static bool edge_conflict(const BlockEdge *a, const BlockEdge *b, GError **err)
{
    unsigned wanted = a->perm & ~b->shared, denied = b->perm & ~a->shared;
    g_autofree char *one = NULL, *other = NULL;

    if (a->node->force_share || !(wanted | denied)) {
        return false;
    }
    one = edge_describe(wanted ? a : b);
    other = edge_describe(wanted ? b : a);
    error_set(err, ERROR_USER,
              "Permission conflict on node '%s': '%s' is used by %s and not shared by %s%s",
              a->node->name, perm_name(wanted ? wanted : denied), one, other,
              a->user && b->user ? "; share-rw=on on each of the devices allows it" : "");
    return true;
}

static bool edge_check(const BlockEdge *e, GError **err)
{
    const BlockNode *n = e->node;

    if (n->read_only && (e->perm & (BLOCK_PERM_WRITE | BLOCK_PERM_RESIZE))) {
        return error_set(err, ERROR_USER, "Block node '%s' is read-only", n->name);
    }
    for (unsigned i = 0; i < n->parents->len; i++) {
        if (n->parents->pdata[i] != e && edge_conflict(e, n->parents->pdata[i], err)) {
            return false;
        }
    }
    return true;
}

static bool edge_set(BlockEdge *e, unsigned perm, unsigned shared, GError **err)
{
    unsigned old_perm = e->perm, old_shared = e->shared;

    e->perm = perm;
    e->shared = shared;
    if (edge_check(e, err) && node_apply(e->node, err)) {
        return true;
    }
    e->perm = old_perm;
    e->shared = old_shared;
    node_apply(e->node, NULL);
    return false;
}

/* The reference to a backing file has the same permissions at all times. */
bool node_apply(BlockNode *n, GError **err)
{
    unsigned perm, shared;

    node_cumulate_perm(n, &perm, &shared);
    if (n->child) {
        n->drv->child_perm(n, &perm, &shared);
        return edge_set(n->child, perm, shared, err);
    }
    if (!n->active) {
        perm = 0;
        shared = BLOCK_PERM_ALL;
    }
    return !n->drv->lock || n->drv->lock(n, perm, shared, err);
}

/* --- references --- */

BlockEdge *edge_new(BlockNode *n, BlockNode *parent, const BlockUser *user, const char *name,
                    unsigned perm, unsigned shared, GError **err)
{
    BlockEdge *e = g_new0(BlockEdge, 1);

    *e = (BlockEdge){
        .node = n, .parent = parent, .user = user, .name = g_strdup(name), .shared = BLOCK_PERM_ALL
    };
    g_ptr_array_add(n->parents, e);
    if (edge_set(e, perm, shared, err)) {
        return e;
    }
    g_ptr_array_remove(n->parents, e);
    g_free(e->name);
    g_free(e);
    return NULL;
}

void edge_free(BlockEdge *e)
{
    if (e) {
        g_ptr_array_remove(e->node->parents, e);
        node_apply(e->node, NULL); /* cannot conflict: fewer permissions are used */
        node_unref(e->node);
        g_free(e->name);
        g_free(e);
    }
}

BlockEdge *node_user(const BlockNode *n)
{
    for (unsigned i = 0; i < n->parents->len; i++) {
        BlockEdge *e = n->parents->pdata[i];

        if (e->user) {
            return e;
        }
    }
    return NULL;
}

const char *edge_user_name(const BlockEdge *e)
{
    return e->user->path ? e->user->path(e->user->opaque) : e->name;
}

/* The requests to a node complete on one event loop. */
static bool node_check_loop(const BlockNode *n, const BlockUser *user, const char *device,
                            GError **err)
{
    const BlockEdge *other = node_user(n);

    return !other || other->user->context == user->context ||
           error_set(err, ERROR_USER,
                     "%s: block node '%s' is used by device '%s' with another iothread=; devices "
                     "that share a node require the same one",
                     device, n->name, other->name);
}

bool block_attach(BlockNode *n, const BlockUser *user, const char *device, GError **err)
{
    const BlockEdge *other = n->drive ? node_user(n) : NULL;
    BlockEdge *e;

    if (other) {
        return error_set(err, ERROR_USER,
                         "%s: Drive '%s' is already in use by another device: '%s'", device,
                         n->drive, other->name);
    }
    if (n->drv == &block_empty) {
        return error_set(err, ERROR_USER,
                         "%s: drive '%s' has no medium, and the device requires one: add file=... "
                         "to -drive",
                         device, n->drive);
    }
    if (!node_check_loop(n, user, device, err)) {
        return false;
    }
    e = edge_new(n, NULL, user, device, user->perm, user->shared, err);
    if (e && queue_join(n, user->context, err)) {
        return true;
    }
    edge_free(e);
    g_prefix_error(err, "%s: ", device);
    return false;
}

void block_detach(BlockNode *n, const BlockUser *user)
{
    block_drain(n);
    for (unsigned i = 0; i < n->parents->len; i++) {
        BlockEdge *e = n->parents->pdata[i];

        if (e->user == user) {
            n->io_error = 0;
            e->user = NULL; /* node_user() does not find it any more */
            queue_leave(n);
            edge_free(e);
            return;
        }
    }
}

/* --- sizes --- */

void node_size_changed(BlockNode *n)
{
    for (unsigned i = 0; i < n->parents->len; i++) {
        const BlockEdge *e = n->parents->pdata[i];

        if (e->parent) {
            uint64_t size = e->parent->size;

            e->parent->drv->child_resized(e->parent);
            if (e->parent->size != size) {
                node_size_changed(e->parent);
            }
        } else if (e->user && e->user->resized) {
            e->user->resized(e->user->opaque, n->size);
        }
    }
}

bool block_resize(BlockNode *n, uint64_t size, GError **err)
{
    BlockEdge *e;
    bool ok;

    if (size % BLOCK_SECTOR) {
        return error_set(err, ERROR_USER,
                         "block node '%s': %" G_GUINT64_FORMAT " is not a multiple of %u bytes",
                         n->name, size, BLOCK_SECTOR);
    }
    block_drain_all(n->set->machine);
    e = edge_new(n, NULL, NULL, "block_resize", BLOCK_PERM_RESIZE, BLOCK_PERM_ALL, err);
    if (!e) {
        return false;
    }
    ok = n->drv->resize(n, size, err);
    if (ok) {
        n->size = size;
        node_size_changed(n);
    }
    g_ptr_array_remove(n->parents, e);
    node_apply(n, NULL);
    g_free(e->name);
    g_free(e);
    return ok;
}

/* --- hand-over --- */

static bool node_activate(BlockNode *n, GError **err)
{
    uint64_t size = n->size;

    n->active = true;
    if ((n->child || node_apply(n, err)) && (!n->drv->activate || n->drv->activate(n, err))) {
        if (n->size != size) {
            node_size_changed(n);
        }
        return true;
    }
    n->active = false;
    if (!n->child) {
        node_apply(n, NULL);
    }
    return false;
}

static void node_deactivate(BlockNode *n)
{
    n->active = false;
    if (!n->child) {
        node_apply(n, NULL);
    }
}

bool block_activate_all(Machine *m, GError **err)
{
    BlockSet *set = block_set(m);
    g_autoptr(GPtrArray) done = g_ptr_array_new();

    for (unsigned i = 0; i < set->nodes->len; i++) {
        BlockNode *n = set->nodes->pdata[i];

        if (n->active) {
            continue;
        }
        if (!node_activate(n, err)) {
            g_prefix_error(err, "block node '%s': ", n->name);
            g_ptr_array_foreach(done, (GFunc)(void (*)(void))node_deactivate, NULL);
            return false;
        }
        g_ptr_array_add(done, n);
    }
    return true;
}

bool block_inactivate_all(Machine *m, GError **err)
{
    BlockSet *set = block_set(m);

    block_drain_all(m);
    if (!block_may_hand_over(m, err)) {
        return false;
    }
    for (unsigned i = 0; i < set->nodes->len; i++) {
        BlockNode *n = set->nodes->pdata[i];

        if (n->active && n->drv->inactivate && !n->drv->inactivate(n, err)) {
            g_prefix_error(err, "block node '%s': ", n->name);
            return false;
        }
    }
    for (unsigned i = 0; i < set->nodes->len; i++) {
        node_deactivate(set->nodes->pdata[i]);
    }
    return true;
}

bool block_may_hand_over(Machine *m, GError **err)
{
    BlockSet *set = block_set(m);

    for (unsigned i = 0; i < set->nodes->len; i++) {
        const BlockNode *n = set->nodes->pdata[i];

        if (overlay_is(n) && node_user(n)) {
            return error_set(
                err, ERROR_USER,
                "drive '%s' has snapshot=on: what the guest wrote is in a temporary file "
                "that the target does not have; migrate without snapshot=on",
                block_drive_id(n));
        }
    }
    return true;
}
