/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * blkdebug: a filter whose requests fail as rules state, for tests of error handling. All other
 * requests are passed to the child.
 *
 * A rule applies to a class of requests (event, iotype), or to those that access a sector, each
 * time or once. The rules are constant; only "once" changes, atomically.
 */
#include <errno.h>
#include <string.h>

#include "internal.h"

enum { BLKDEBUG_RULES_MAX = 64, BLKDEBUG_ERRNO_MAX = 133 };
enum { BLKDEBUG_ANY = (1 << (BLOCK_WRITE_ZEROES + 1)) - 1 };

typedef struct BlkdebugRule {
    unsigned ops; /* 1 << BlockOp */
    int error;    /* positive */
    bool any_sector, once;
    uint64_t sector;
    bool spent; /* atomic: a rule with `once` was applied */
} BlkdebugRule;

typedef struct Blkdebug {
    size_t n;
    BlkdebugRule rules[];
} Blkdebug;

/* The requests of each value of `event` and `iotype`. */
static const unsigned event_ops[] = { BLKDEBUG_ANY, 1 << BLOCK_READ, 1 << BLOCK_WRITE,
                                      1 << BLOCK_FLUSH };
static const char *const event_names[] = { "none", "read_aio", "write_aio", "flush_to_disk", NULL };
static const unsigned iotype_ops[] = { BLKDEBUG_ANY,       1 << BLOCK_READ,
                                       1 << BLOCK_WRITE,   1 << BLOCK_WRITE_ZEROES,
                                       1 << BLOCK_DISCARD, 1 << BLOCK_FLUSH };
static const char *const iotype_names[] = { "",        "read",  "write", "write-zeroes",
                                            "discard", "flush", NULL };

/* --- rules --- */

static bool blkdebug_read_errno(struct json_object *o, int *error, GError **err)
{
    uint64_t value;

    if (!opt_size(o, "errno", EIO, &value, err)) {
        return false;
    }
    if (value == 0 || value > BLKDEBUG_ERRNO_MAX) {
        return error_set(err, ERROR_USER, "inject-error: errno=%" G_GUINT64_FORMAT ": use 1 to %d",
                         value, BLKDEBUG_ERRNO_MAX);
    }
    *error = (int)value;
    return true;
}

static bool blkdebug_read_rule(struct json_object *o, BlkdebugRule *rule, GError **err)
{
    static const char *const keys[] = { "event", "iotype", "errno", "sector", "once", NULL };
    int event, iotype;

    if (!json_object_is_type(o, json_type_object)) {
        return error_set(err, ERROR_USER,
                         "inject-error must be a list of objects: "
                         "inject-error.0.event=none");
    }
    if (!opt_str(o, "event")) {
        return error_set(err, ERROR_USER, "Parameter 'inject-error.event' is missing");
    }
    if (!opt_known(o, keys, "inject-error", err) ||
        !opt_enum(o, "event", event_names, 0, &event, err) ||
        !opt_enum(o, "iotype", iotype_names, 0, &iotype, err) ||
        !blkdebug_read_errno(o, &rule->error, err) ||
        !opt_size(o, "sector", 0, &rule->sector, err) ||
        !opt_bool(o, "once", false, &rule->once, err)) {
        return false;
    }
    rule->any_sector = opt_str(o, "sector") == NULL;
    rule->ops = event_ops[event] & iotype_ops[iotype];
    return rule->ops != 0 ||
           error_set(err, ERROR_USER, "inject-error: no request has event=%s and iotype=%s",
                     event_names[event], iotype_names[iotype]);
}

static bool blkdebug_open(BlockNode *n, struct json_object *o, GError **err)
{
    struct json_object *list = NULL;
    size_t count = 0;
    Blkdebug *s;

    if (json_object_object_get_ex(o, "inject-error", &list)) {
        if (!json_object_is_type(list, json_type_array)) {
            return error_set(err, ERROR_USER,
                             "inject-error must be a list: inject-error.0.event=none");
        }
        count = json_object_array_length(list);
    }
    if (count > BLKDEBUG_RULES_MAX) {
        return error_set(err, ERROR_USER, "inject-error: %zu rules; at most %d", count,
                         BLKDEBUG_RULES_MAX);
    }
    s = g_malloc0(sizeof(*s) + count * sizeof(s->rules[0]));
    s->n = count;
    for (size_t i = 0; i < count; i++) {
        if (!blkdebug_read_rule(json_object_array_get_idx(list, i), &s->rules[i], err)) {
            g_free(s);
            return false;
        }
    }
    n->priv = s;
    n->size = n->child->node->size;
    return true;
}

static void blkdebug_close(BlockNode *n)
{
    g_free(n->priv);
}

/* --- requests --- */

/* The error of the first rule that applies to a request; 0: none. */
static int blkdebug_error(const BlockNode *n, const BlockRequest *req)
{
    Blkdebug *s = n->priv;

    for (size_t i = 0; i < s->n; i++) {
        BlkdebugRule *rule = &s->rules[i];
        uint64_t at = rule->sector * BLOCK_SECTOR;
        bool here = rule->any_sector || (at >= req->p.at && at - req->p.at < req->len);

        if ((rule->ops >> req->p.op & 1) && here &&
            !(rule->once && __atomic_exchange_n(&rule->spent, true, __ATOMIC_ACQ_REL))) {
            return -rule->error;
        }
    }
    return 0;
}

static void blkdebug_submit(BlockNode *n, BlockRequest *req)
{
    int error = blkdebug_error(n, req);

    if (error) {
        block_complete_any(req, error);
    } else {
        node_forward(n->child->node, req);
    }
}

static int blkdebug_perform(BlockNode *n, BlockRequest *req)
{
    int error = blkdebug_error(n, req);

    if (error) {
        return error;
    }
    req->p.node = n->child->node;
    return req->p.node->drv->perform(req->p.node, req);
}

static const char *const blkdebug_keys[] = { "image", "inject-error", NODE_KEYS, NULL };
const BlockDriver block_blkdebug = {
    .name = "blkdebug",
    .keys = blkdebug_keys,
    .child = "image",
    .open = blkdebug_open,
    .close = blkdebug_close,
    .submit = blkdebug_submit,
    .perform = blkdebug_perform,
    .resize = filter_resize,
    .child_resized = filter_child_resized,
    .child_perm = filter_child_perm,
    .activate = filter_activate,
};
