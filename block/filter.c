/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Functions of drivers that pass requests to a child of the same size (contract in internal.h).
 */
#include "internal.h"

bool filter_resize(BlockNode *n, uint64_t size, GError **err)
{
    BlockNode *child = n->child->node;

    if (!child->drv->resize(child, size, err)) {
        return false;
    }
    __atomic_store_n(&child->size, size, __ATOMIC_RELEASE);
    return true;
}

void filter_child_resized(BlockNode *n)
{
    n->size = n->child->node->size;
}

void filter_child_perm(const BlockNode *n, unsigned *perm, unsigned *shared)
{
    /* a filter needs the same permissions at its child */
}

bool filter_activate(BlockNode *n, GError **err)
{
    filter_child_resized(n);
    return true;
}
