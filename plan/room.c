/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Room for BARs: the size that the functions of a bus require in each window, the size of the
 * window of the bus, and whether all BARs fit the memory windows of the root buses. The requirement
 * for I/O is computed but not checked, because a guest runs without I/O BARs and windows that do
 * not fit.
 *
 * BARs are placed in descending order of size, each naturally aligned. This is the tightest packing
 * of powers of two. A bridge adds the smallest window that contains the BARs below it.
 */
#include "plan/internal.h"

enum {
    MSIX_BAR_LEAST = 4096,
    MSIX_TABLE_LEAST = 2048,
    MSIX_ENTRY = 16,
    MSIX_MAX = 2048,
    USERS = 3
};

/* Granularity of the windows of a bridge: 4 KiB of ports, 1 MiB of memory (PCI-to-PCI Bridge
 * Architecture Specification 1.2, 3.2.5). */
static const uint64_t window_step[PLAN_RESOURCES] = {
    [PLAN_ROOM_IO] = 1 << 12, [PLAN_ROOM_MEM32] = 1 << 20, [PLAN_ROOM_MEM64] = 1 << 20
};

/* Sizes to be placed in descending order of alignment, summed for each power of two. */
typedef struct RoomPack {
    uint64_t sum[64];  /* sizes, each rounded up to its alignment */
    uint64_t tail[64]; /* the largest part that rounding added, which the last one does not need */
    unsigned top;      /* highest alignment + 1 */
} RoomPack;

const char *plan_resource_name(PlanResource r)
{
    static const char *const names[] = { "I/O", "32-bit memory", "64-bit memory" };

    return names[r];
}

/* Return a + b, saturated. All sums saturate, because the user can set any size. */
static uint64_t room_add(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

static uint64_t round_up(uint64_t n, uint64_t step)
{
    return room_add(n, step - 1) & ~(step - 1);
}

static PlanResource resource_of(const PlanBar *b)
{
    return b->io ? PLAN_ROOM_IO : b->is64 && b->prefetch ? PLAN_ROOM_MEM64 : PLAN_ROOM_MEM32;
}

static bool bar_present(const PlanDevice *d, const PlanBar *b)
{
    bool below_port = d->on && d->on->kind == PLAN_BUS_PCIE_PORT;

    return (!b->if_prop || plan_device_flag(d, b->if_prop, true)) &&
           (!b->unless_prop || !plan_device_flag(d, b->unless_prop, below_port));
}

static uint64_t room_number(const PlanDevice *d, const char *prop)
{
    const PlanValue *v = prop ? plan_device_get(d, prop) : NULL;

    return !v ? 0 : v->kind == PLAN_PROP_BOOL ? v->b : v->u;
}

static uint64_t vectors_of(const PlanDevice *d, const PlanBar *b)
{
    uint64_t n = b->vectors_prop ? room_number(d, b->vectors_prop) : b->vectors;
    const PlanCount *c = &b->auto_vectors;

    if (n == PLAN_AUTO_COUNT) {
        n = c->base + c->times[0] * room_number(d, c->prop[0]) +
            c->times[1] * room_number(d, c->prop[1]);
    }
    return MIN(n, MSIX_MAX);
}

/* Return the size of the BAR for @n MSI-X vectors: the table, followed by the QWORDs of pending
 * bits (PCI 6.8.2). The BAR exists even if the capability is off, because a migrated state can
 * enable the capability. */
static uint64_t msix_size(uint64_t n)
{
    uint64_t size = MSIX_BAR_LEAST;

    while (size < MAX(n * MSIX_ENTRY, MSIX_TABLE_LEAST) + (n + 63) / 64 * 8) {
        size <<= 1;
    }
    return size;
}

static uint64_t room_bar_size(const PlanDevice *d, const PlanBar *b)
{
    if (!bar_present(d, b)) {
        return 0;
    }
    if (b->size_prop && plan_device_get(d, b->size_prop)) {
        return room_number(d, b->size_prop);
    }
    return b->size ? b->size : msix_size(vectors_of(d, b));
}

uint64_t plan_bar_size(const PlanDevice *d, const PlanBar *b)
{
    PlanDevice *store = (PlanDevice *)d;

    if (d->t->n_bars > G_N_ELEMENTS(d->bar_size)) {
        return room_bar_size(d, b);
    }
    for (size_t i = 0; !d->sized && i < d->t->n_bars; i++) {
        store->bar_size[i] = room_bar_size(d, &d->t->bars[i]);
    }
    store->sized = true;
    return d->bar_size[b - d->t->bars];
}

void plan_room_resized(PlanDevice *d)
{
    d->sized = false;
    plan_room_changed(d->on);
}

static void room_add_piece(RoomPack *pack, uint64_t size, uint64_t align)
{
    unsigned k = 63 - (unsigned)__builtin_clzll(align);
    uint64_t rounded = round_up(size, align);

    if (size) {
        pack->sum[k] = room_add(pack->sum[k], rounded);
        pack->tail[k] = MAX(pack->tail[k], rounded - size);
        pack->top = MAX(pack->top, k + 1);
    }
}

/* Return the size and the alignment of all pieces. */
static PlanNeed room_pack_all(const RoomPack *pack)
{
    PlanNeed all = { 0, pack->top ? 1ull << (pack->top - 1) : 1 };

    for (unsigned k = pack->top; k > 0; k--) {
        if (pack->sum[k - 1]) {
            all.size = room_add(round_up(all.size, 1ull << (k - 1)), pack->sum[k - 1]);
            all.size -= all.size == UINT64_MAX ? 0 : pack->tail[k - 1];
        }
    }
    return all;
}

static PlanNeed need_of(const PlanBusNode *node, PlanResource r);

static void add_bar_piece(RoomPack *pack, uint64_t size)
{
    if (size) {
        room_add_piece(pack, size, 1ull << (63 - __builtin_clzll(size)));
    }
}

/* Return the window of a bridge; the size is 0 if the device is not a bridge. */
static PlanNeed room_window(const PlanDevice *d, PlanResource r)
{
    const PlanBusNode *below = d->brings;
    PlanNeed behind = { 0, 1 };

    if (below && below->rule->addr == PLAN_ADDR_PCI && below->root != below) {
        behind = need_of(below, r);
        behind.size = round_up(behind.size, window_step[r]);
        behind.align = MAX(behind.align, window_step[r]);
    }
    return behind;
}

static void add_window(RoomPack *pack, const PlanDevice *d, PlanResource r)
{
    PlanNeed window = room_window(d, r);

    room_add_piece(pack, window.size, window.align);
}

static void add_function(RoomPack *packs, const PlanDevice *d)
{
    for (size_t i = 0; i < d->t->n_bars; i++) {
        const PlanBar *b = &d->t->bars[i];

        add_bar_piece(&packs[resource_of(b)], plan_bar_size(d, b));
    }
    for (unsigned r = 0; r < PLAN_RESOURCES; r++) {
        add_window(&packs[r], d, r);
    }
}

/* Compute what the functions of a bus require. The result is stored in the node until
 * plan_room_changed(). */
static void room_measure(const PlanBusNode *node)
{
    PlanBusNode *store = (PlanBusNode *)node;
    RoomPack packs[PLAN_RESOURCES] = { 0 };

    for (unsigned slot = 0; slot < G_N_ELEMENTS(node->slot); slot++) {
        for (unsigned fn = 0; node->slot[slot] && fn < 8; fn++) {
            if (node->slot[slot][fn]) {
                add_function(packs, node->slot[slot][fn]);
            }
        }
    }
    for (unsigned r = 0; r < PLAN_RESOURCES; r++) {
        store->need[r] = room_pack_all(&packs[r]);
    }
    store->known = true;
}

static PlanNeed need_of(const PlanBusNode *node, PlanResource r)
{
    if (!node->known) {
        room_measure(node);
    }
    return node->need[r];
}

/* The size of a bus is known only if those of all buses below it are. */
void plan_room_changed(PlanBusNode *node)
{
    while (node && node->known) {
        node->known = false;
        node = node->owner ? node->owner->on : NULL;
    }
}

/* --- the windows of root buses --- */

static bool room_is_root(const PlanBusNode *node)
{
    return node->root == node;
}

/* Return the size of the window of a root bus; 0 if it is unknown. Root buses share the windows of
 * the host bridge in proportion to their bus numbers. */
static uint64_t root_window(const PlanIndex *x, const PlanBusNode *root, PlanResource r)
{
    uint64_t whole = x->machine->window[r], first, end;
    unsigned end_bus = 256;

    for (guint i = 0; i < x->bus_order->len; i++) {
        const PlanBusNode *other = x->bus_order->pdata[i];

        if (room_is_root(other) && other->number > root->number && other->number < end_bus) {
            end_bus = other->number;
        }
    }
    first = round_up(whole / 256 * root->number, window_step[r]);
    end = whole / 256 * end_bus & ~(window_step[r] - 1);
    return end > first ? end - first : 0;
}

PlanRoom plan_bus_room(const PlanIndex *x, const PlanBusNode *node, PlanResource r)
{
    PlanRoom room = { .need = need_of(node, r).size };

    if (node->root) {
        room.window =
            room_is_root(node) ? root_window(x, node, r) : round_up(room.need, window_step[r]);
    }
    return room;
}

typedef struct RoomPieces {
    RoomPack low;    /* pieces that must be below 4 GiB */
    RoomPack either; /* pieces that both windows accept: 64-bit BARs and prefetchable windows */
    GArray *list;    /* PlanNeed of `either`, or NULL */
} RoomPieces;

static void room_add_either(RoomPieces *p, PlanNeed need)
{
    room_add_piece(&p->either, need.size, need.align);
    if (p->list && need.size) {
        g_array_append_val(p->list, need);
    }
}

static void room_split_bar(RoomPieces *p, const PlanBar *b, uint64_t size)
{
    if (b->io || !size) {
        return;
    }
    if (b->is64) {
        room_add_either(p, (PlanNeed){ size, 1ull << (63 - __builtin_clzll(size)) });
    } else {
        add_bar_piece(&p->low, size);
    }
}

/* Collect the memory BARs and bridge windows of a root bus. */
static void split_memory(const PlanBusNode *root, RoomPieces *p)
{
    for (unsigned i = 0; i < 8 * G_N_ELEMENTS(root->slot); i++) {
        const PlanDevice *d = root->slot[i / 8] ? root->slot[i / 8][i % 8] : NULL;

        for (size_t k = 0; d && k < d->t->n_bars; k++) {
            room_split_bar(p, &d->t->bars[k], plan_bar_size(d, &d->t->bars[k]));
        }
        if (d) {
            add_window(&p->low, d, PLAN_ROOM_MEM32);
            room_add_either(p, room_window(d, PLAN_ROOM_MEM64));
        }
    }
}

static int room_largest_first(const void *a, const void *b)
{
    const PlanNeed *x = a, *y = b;

    return (x->align < y->align) - (x->align > y->align);
}

/* Place pieces above 4 GiB, largest first, while they fit. Add the others to @low. */
static void fill_high(GArray *list, uint64_t window, RoomPack *low)
{
    uint64_t at = 0;

    g_array_sort(list, room_largest_first);
    for (guint i = 0; i < list->len; i++) {
        PlanNeed *p = &g_array_index(list, PlanNeed, i);
        uint64_t end = room_add(round_up(at, p->align), p->size);

        if (end <= window) {
            at = end;
        } else {
            room_add_piece(low, p->size, p->align);
        }
    }
}

uint64_t plan_device_use(const PlanDevice *d, PlanResource r)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < d->t->n_bars; i++) {
        const PlanBar *b = &d->t->bars[i];
        bool high = b->is64 && (b->prefetch || room_is_root(d->on));
        PlanResource own = b->io ? PLAN_ROOM_IO : high ? PLAN_ROOM_MEM64 : PLAN_ROOM_MEM32;

        sum = room_add(sum, own == r ? plan_bar_size(d, b) : 0);
    }
    return sum;
}

uint64_t plan_device_vectors(const PlanDevice *d)
{
    uint64_t n = d->t->msi_vectors;

    for (size_t i = 0; i < d->t->n_bars; i++) {
        const PlanBar *b = &d->t->bars[i];

        if (!b->size && !b->size_prop) {
            n = MAX(n, vectors_of(d, b));
        }
    }
    return n;
}

/* Return the largest users of the window, at most USERS, as "device 'a' (pci-testdev) with 1G,
 * ..."; g_free(). */
static char *name_users(const PlanMachine *m, const PlanBusNode *root, PlanResource r)
{
    const PlanDevice *top[USERS] = { NULL };
    GString *out = g_string_new(NULL);

    for (guint i = 0; i < m->devices->len; i++) {
        const PlanDevice *d = m->devices->pdata[i];

        for (unsigned k = 0; d && k < USERS; k++) {
            if (!d->on || d->on->root != root || d->on->rule->addr != PLAN_ADDR_PCI ||
                !plan_device_use(d, r)) {
                break;
            }
            if (!top[k] || plan_device_use(top[k], r) < plan_device_use(d, r)) {
                const PlanDevice *smaller = top[k];

                top[k] = d;
                d = smaller;
            }
        }
    }
    for (unsigned k = 0; k < USERS && top[k]; k++) {
        g_autofree char *label = plan_device_label(top[k]);

        g_string_append_printf(out, "%s%s with ", k ? ", " : "", label);
        plan_append_size(out, plan_device_use(top[k], r));
    }
    return g_string_free(out, FALSE);
}

static bool refuse_room(const PlanMachine *m, const PlanBusNode *root, PlanResource r,
                        uint64_t need, uint64_t window, GError **err)
{
    g_autofree char *users = name_users(m, root, r);
    GString *text = g_string_new(NULL);

    g_string_append_printf(text, "the BARs on bus '%s' and below it require ", root->name);
    plan_append_size(text, round_up(need, 1 << 20)); /* a readable number */
    g_string_append_printf(text, " of the %s window, which has ", plan_resource_name(r));
    plan_append_size(text, window);
    plan_fail(err, "%s; the largest users are %s", text->str, users);
    g_string_free(text, TRUE);
    return false;
}

bool plan_check_root_room(const PlanMachine *m, const PlanBusNode *root, GError **err)
{
    uint64_t window32 = root_window(m->index, root, PLAN_ROOM_MEM32);
    uint64_t window64 = root_window(m->index, root, PLAN_ROOM_MEM64), need;
    RoomPieces pieces = { 0 };

    if (!m->index->machine->window[PLAN_ROOM_MEM32] &&
        !m->index->machine->window[PLAN_ROOM_MEM64]) {
        return true;
    }
    split_memory(root, &pieces);
    need = room_pack_all(&pieces.low).size;
    if (need > window32) {
        return refuse_room(m, root, PLAN_ROOM_MEM32, need, window32, err);
    }
    need = room_pack_all(&pieces.either).size;
    if (need > window64) {
        pieces = (RoomPieces){ .list = g_array_new(FALSE, FALSE, sizeof(PlanNeed)) };
        split_memory(root, &pieces);
        fill_high(pieces.list, window64, &pieces.low);
        g_array_unref(pieces.list);
        if (room_pack_all(&pieces.low).size > window32) {
            return refuse_room(m, root, PLAN_ROOM_MEM64, need, window64, err);
        }
    }
    return true;
}

bool plan_check_room(const PlanMachine *m, GError **err)
{
    const PlanIndex *x = m->index;

    for (guint i = 0; i < x->bus_order->len; i++) {
        const PlanBusNode *node = x->bus_order->pdata[i];

        if (room_is_root(node) && !plan_check_root_room(m, node, err)) {
            return false;
        }
    }
    return true;
}
