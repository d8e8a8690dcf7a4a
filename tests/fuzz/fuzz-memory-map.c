/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The address map: maps, moves, windows and accesses from the input, compared with a painted model
 * of the same map.
 */
#include "../unit/memory/model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t answer(void *opaque, uint64_t offset, unsigned size)
{
    return offset;
}

static void ignore(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
}

static void step(Model *m, const uint8_t *p)
{
    unsigned k = p[0] % (MODEL_LEAVES + MODEL_WINDOWS), w = k - MODEL_LEAVES;
    MemRegion *r = k < MODEL_LEAVES ? &m->leaf[k] : &m->window[w];
    unsigned boxes = k < MODEL_LEAVES ? MODEL_BOXES : m->shows[w];
    uint8_t buf[32];

    switch (p[0] >> 5) {
    case 0:
        mem_unmap(r);
        break;
    case 1:
        mem_read_buf(&m->box[0], p[1], buf, p[2] % sizeof(buf));
        mem_write_buf(&m->box[0], p[1], buf, p[2] % sizeof(buf));
        break;
    case 2:
        if (k >= MODEL_LEAVES) {
            mem_window_set(r, p[1], p[2]);
        }
        break;
    default:
        if (r->parent) {
            mem_move(r, p[1]);
        } else {
            mem_map(&m->box[p[2] % boxes], p[1], r, (p[3] & 3) - 1, p[3] >> 2 & 3);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const MemOps ops = { .read = answer, .write = ignore, .unaligned = true };
    Cell cells[MODEL_SPACE] = { 0 };
    uint8_t pages[1] = { 0 };
    Model m;

    model_init(&m, 3);
    m.ram.host = g_malloc0(MODEL_SPACE);
    m.ram.pages = pages;
    for (unsigned i = 1; i < MODEL_LEAVES; i += 2) {
        m.leaf[i].ops = &ops;
    }
    for (size_t i = 0; i + 4 <= size && i < 4096; i += 4) {
        step(&m, data + i);
    }
    mem_check(&m.box[0]);
    model_paint(&m.box[0], 0, cells, MODEL_SPACE);
    for (uint64_t x = 0; x < MODEL_SPACE; x++) {
        MemLookup l = mem_lookup(&m.box[0], x);

        g_assert(l.leaf == cells[x].leaf && l.first <= x && x <= l.last);
        g_assert(!l.leaf || l.offset == cells[x].offset);
    }
    model_fini(&m);
    g_free(m.ram.host);
    return 0;
}
