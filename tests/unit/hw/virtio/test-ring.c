/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Virtqueues and a small driver: both ring formats, direct and indirect chains, event indexes,
 * wrap-around, reset in flight, save and load, and everything that a hostile driver may write to
 * ring memory.
 */
#include <string.h>

#include "../core/fake-types.h"
#include "hw/virtio/internal.h"

enum {
    MEM = 1 << 20,
    QSIZE = 16,
    DESC = 0x1000,
    DRIVER = 0x2000,
    DEVICE = 0x3000,
    TABLES = 0x10000,
    DATA = 0x40000
};

typedef struct Fixture {
    VirtioDevice v;
    Device dev;
    Machine *m;
    uint8_t *mem;
    unsigned interrupts, maps;
    /* the driver's side */
    uint16_t avail, used; /* split: free-running; packed: slots */
    bool avail_wrap, used_wrap;
    uint16_t free[QSIZE]; /* split: free descriptors */
    unsigned n_free;
} Fixture;

/* --- a transport over a flat array --- */

static Fixture *fixture(VirtioDevice *v)
{
    return v->instance;
}

static MemResult t_read(VirtioDevice *v, uint64_t addr, void *buf, uint64_t len)
{
    if (addr > MEM || len > MEM - addr) {
        memset(buf, 0, len);
        return MEM_UNMAPPED;
    }
    memcpy(buf, fixture(v)->mem + addr, len);
    return MEM_OK;
}

static MemResult t_write(VirtioDevice *v, uint64_t addr, const void *buf, uint64_t len)
{
    if (addr > MEM || len > MEM - addr) {
        return MEM_UNMAPPED;
    }
    memcpy(fixture(v)->mem + addr, buf, len);
    return MEM_OK;
}

static void *t_map(VirtioDevice *v, uint64_t addr, uint64_t len, bool write, void **handle)
{
    if (addr > MEM || len > MEM - addr) {
        return NULL;
    }
    fixture(v)->maps++;
    *handle = NULL;
    return fixture(v)->mem + addr;
}

static void t_unmap(VirtioDevice *v, void *handle, uint64_t written)
{
    fixture(v)->maps--;
}

static void t_interrupt(VirtioDevice *v, uint16_t vector, bool config)
{
    fixture(v)->interrupts += !config;
}

static const VirtioTransport transport = { t_read, t_write, t_map, t_unmap, t_interrupt };

static uint64_t no_features(VirtioDevice *v)
{
    return 0;
}

static void ignore_notify(VirtioDevice *v, unsigned queue)
{
}

static const VirtioClass cls = { .name = "test",
                                 .features = no_features,
                                 .queue_notified = ignore_notify };
static const DeviceType dev_type = { .name = "test", .size = sizeof(Device) };

static VirtQueue *setup(Fixture *f, uint64_t features)
{
    VirtQueue *vq;

    *f = (Fixture){ .mem = g_malloc0(MEM), .avail_wrap = true, .used_wrap = true };
    f->m = machine_new();
    f->dev = (Device){ .type = &dev_type, .machine = f->m };
    f->m->qtest = true;
    virtio_init(&f->v, &cls, &transport, f, &f->dev, features | 1ull << VIRTIO_F_VERSION_1);
    virtio_add_queue(&f->v, QSIZE);
    virtio_set_guest_features(&f->v, features | 1ull << VIRTIO_F_VERSION_1);
    vq = virtio_queue(&f->v, 0);
    virtq_set_area(vq, &vq->desc, UINT64_MAX, DESC);
    virtq_set_area(vq, &vq->driver, UINT64_MAX, DRIVER);
    virtq_set_area(vq, &vq->device, UINT64_MAX, DEVICE);
    virtq_enable(vq);
    virtio_set_status(&f->v, VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER |
                                 VIRTIO_CONFIG_S_FEATURES_OK | VIRTIO_CONFIG_S_DRIVER_OK);
    for (f->n_free = 0; f->n_free < QSIZE; f->n_free++) {
        f->free[f->n_free] = QSIZE - 1 - f->n_free;
    }
    return vq;
}

static void teardown(Fixture *f)
{
    g_assert_cmpuint(f->maps, ==, 0);
    virtio_fini(&f->v);
    machine_free(f->m);
    g_free(f->mem);
}

/* --- the driver --- */

static void put(Fixture *f, uint64_t addr, const void *p, size_t len)
{
    memcpy(f->mem + addr, p, len);
}

static uint16_t get16(Fixture *f, uint64_t addr)
{
    uint16_t v;

    memcpy(&v, f->mem + addr, 2);
    return v;
}

static void put16(Fixture *f, uint64_t addr, uint16_t v)
{
    put(f, addr, &v, 2);
}

static void put_desc(Fixture *f, uint64_t at, uint64_t addr, uint32_t len, uint16_t a, uint16_t b)
{
    put(f, at, &(VringDesc){ addr, len, a, b }, 16);
}

/* Make a chain of n_in readable and n_out writable buffers of 100 bytes available. Returns the head
 * or id. */
static int split_offer(Fixture *f, unsigned n_in, unsigned n_out, bool indirect)
{
    unsigned n = n_in + n_out, need = indirect ? 1 : n;
    uint16_t slots[QSIZE] = { 0 }, head;

    if (f->n_free < need) {
        return -1;
    }
    for (unsigned i = 0; i < need; i++) {
        slots[i] = f->free[--f->n_free];
    }
    head = slots[0];
    for (unsigned i = 0; i < n; i++) {
        uint64_t table = TABLES + head * 0x400;
        uint64_t at = (indirect ? table : DESC) + 16 * (indirect ? i : (unsigned)slots[i]);
        uint16_t flags = i + 1 < n ? VRING_DESC_F_NEXT : 0;

        flags |= i >= n_in ? VRING_DESC_F_WRITE : 0;
        put_desc(f, at, DATA + head * 0x1000 + i * 100, 100, flags,
                 indirect ? (uint16_t)(i + 1) : slots[(i + 1) % need]);
    }
    if (indirect) {
        put_desc(f, DESC + head * 16, TABLES + head * 0x400, n * 16, VRING_DESC_F_INDIRECT, 0);
    }
    put16(f, DRIVER + 4 + 2 * (f->avail % QSIZE), head);
    put16(f, DRIVER + 2, ++f->avail);
    return head;
}

static int split_collect(Fixture *f, uint32_t *len)
{
    uint32_t entry[2];

    if (get16(f, DEVICE + 2) == f->used) {
        return -1;
    }
    memcpy(entry, f->mem + DEVICE + 4 + 8 * (f->used % QSIZE), 8);
    f->used++;
    *len = entry[1];
    return entry[0];
}

/* Release the descriptors of a chain whose buffers were direct (n of them) or indirect. */
static void split_release(Fixture *f, uint16_t head, unsigned n, bool indirect)
{
    for (unsigned i = 0; i < (indirect ? 1 : n); i++) {
        VringDesc d;

        memcpy(&d, f->mem + DESC + head * 16, 16);
        f->free[f->n_free++] = head;
        head = d.b;
    }
}

static void packed_step(uint16_t *slot, bool *wrap, unsigned n)
{
    *slot += n;
    if (*slot >= QSIZE) {
        *slot -= QSIZE;
        *wrap = !*wrap;
    }
}

static void packed_offer(Fixture *f, uint16_t id, unsigned n_in, unsigned n_out, bool indirect)
{
    unsigned n = n_in + n_out, slots = indirect ? 1 : n;
    uint16_t first = f->avail, first_flags = 0;

    for (unsigned i = 0; i < n; i++) {
        uint16_t flags = i >= n_in ? VRING_DESC_F_WRITE : 0;

        if (indirect) {
            put_desc(f, TABLES + id * 0x400 + i * 16, DATA + id * 0x1000 + i * 100, 100, 0, flags);
        } else {
            flags |= (i + 1 < n ? VRING_DESC_F_NEXT : 0) | (f->avail_wrap ? 1 << 7 : 1 << 15);
            put_desc(f, DESC + f->avail * 16, DATA + id * 0x1000 + i * 100, 100, id, i ? flags : 0);
            first_flags = i ? first_flags : flags;
            packed_step(&f->avail, &f->avail_wrap, 1);
        }
    }
    if (indirect) {
        first_flags = VRING_DESC_F_INDIRECT | (f->avail_wrap ? 1 << 7 : 1 << 15);
        put_desc(f, DESC + f->avail * 16, TABLES + id * 0x400, slots * n * 16, id, 0);
        packed_step(&f->avail, &f->avail_wrap, 1);
    }
    put16(f, DESC + first * 16 + 14, first_flags);
}

static int packed_collect(Fixture *f, unsigned slots, uint32_t *len)
{
    VringDesc d;

    memcpy(&d, f->mem + DESC + f->used * 16, 16);
    if (!!(d.b & 1 << 7) != f->used_wrap || !!(d.b & 1 << 15) != f->used_wrap) {
        return -1;
    }
    packed_step(&f->used, &f->used_wrap, slots);
    *len = d.len;
    return d.a;
}

static void check_buf(Fixture *f, const VirtqBuf *buf, unsigned id, unsigned n_in, unsigned n_out)
{
    g_assert_cmpuint(buf->id, ==, id);
    g_assert_cmpint(buf->n_in, ==, n_in);
    g_assert_cmpint(buf->n_out, ==, n_out);
    g_assert_cmpuint(buf->in_len, ==, n_in * 100);
    g_assert_cmpuint(buf->out_len, ==, n_out * 100);
    for (unsigned i = 0; i < n_in + n_out; i++) {
        const struct iovec *iov = i < n_in ? &buf->in[i] : &buf->out[i - n_in];

        g_assert_true(iov->iov_base == f->mem + DATA + id * 0x1000 + i * 100);
        g_assert_cmpuint(buf->addr[i], ==, DATA + id * 0x1000 + i * 100);
    }
}

/* --- round trips --- */

static void test_split(void)
{
    Fixture f;
    VirtQueue *vq = setup(&f, 1ull << VIRTIO_RING_F_INDIRECT_DESC);

    for (unsigned n = 0; n < 5000; n++) {
        unsigned n_in = g_test_rand_int_range(0, 4), n_out = g_test_rand_int_range(n_in ? 0 : 1, 4);
        bool indirect = g_test_rand_int() & 1;
        int head = split_offer(&f, n_in, n_out, indirect);
        VirtqBuf *buf = virtq_pop(vq);
        uint32_t len = 0;

        check_buf(&f, buf, head, n_in, n_out);
        g_assert_null(virtq_pop(vq));
        if (n % 3 == 0) {
            virtq_unpop(vq, buf);
            buf = virtq_pop(vq);
            check_buf(&f, buf, head, n_in, n_out);
        }
        if (n % 5 == 0) {
            uint16_t slot = buf->slot;

            virtq_discard(buf);
            buf = virtq_refetch(vq, slot);
            check_buf(&f, buf, head, n_in, n_out);
        }
        virtq_push(vq, buf, n);
        g_assert_cmpint(split_collect(&f, &len), ==, head);
        g_assert_cmpuint(len, ==, n);
        split_release(&f, head, n_in + n_out, indirect);
    }
    g_assert_false(f.v.broken);
    teardown(&f);
}

static void test_packed(void)
{
    Fixture f;
    VirtQueue *vq = setup(&f, 1ull << VIRTIO_RING_F_INDIRECT_DESC | 1ull << VIRTIO_F_RING_PACKED);

    for (unsigned n = 0; n < 5000; n++) {
        unsigned n_in = g_test_rand_int_range(0, 4), n_out = g_test_rand_int_range(n_in ? 0 : 1, 4);
        bool indirect = g_test_rand_int() & 1;
        uint16_t id = n % QSIZE;
        VirtqBuf *buf;
        uint32_t len = 0;

        packed_offer(&f, id, n_in, n_out, indirect);
        buf = virtq_pop(vq);
        check_buf(&f, buf, id, n_in, n_out);
        g_assert_null(virtq_pop(vq));
        if (n % 3 == 0) {
            virtq_unpop(vq, buf);
            buf = virtq_pop(vq);
            check_buf(&f, buf, id, n_in, n_out);
        }
        if (n % 5 == 0) {
            uint16_t slot = buf->slot;

            virtq_discard(buf);
            buf = virtq_refetch(vq, slot);
            check_buf(&f, buf, id, n_in, n_out);
        }
        virtq_push(vq, buf, n);
        g_assert_cmpint(packed_collect(&f, indirect ? 1 : n_in + n_out, &len), ==, id);
        g_assert_cmpuint(len, ==, n);
    }
    g_assert_false(f.v.broken);
    teardown(&f);
}

/* Complete chains in another order than they were made available. */
static void test_out_of_order(void)
{
    Fixture f;
    VirtQueue *vq = setup(&f, 0);
    VirtqBuf *bufs[4];
    int heads[4];
    uint32_t len = 0;

    for (int i = 0; i < 4; i++) {
        heads[i] = split_offer(&f, 1, 1, false);
    }
    for (int i = 0; i < 4; i++) {
        bufs[i] = virtq_pop(vq);
    }
    for (int i = 3; i >= 0; i--) {
        virtq_push(vq, bufs[i], i);
        g_assert_cmpint(split_collect(&f, &len), ==, heads[i]);
    }
    teardown(&f);
}

/* --- interrupts --- */

static void complete_one(Fixture *f, VirtQueue *vq)
{
    uint32_t len = 0;
    int head = split_offer(f, 0, 1, false);

    virtq_push(vq, virtq_pop(vq), 1);
    virtq_notify(vq);
    split_collect(f, &len);
    split_release(f, head, 1, false);
}

static void test_interrupts(void)
{
    Fixture f;
    VirtQueue *vq = setup(&f, 0);

    complete_one(&f, vq);
    g_assert_cmpuint(f.interrupts, ==, 1);
    put16(&f, DRIVER, 1);
    complete_one(&f, vq);
    virtq_notify(vq);
    g_assert_cmpuint(f.interrupts, ==, 1);
    teardown(&f);

    vq = setup(&f, 1ull << VIRTIO_RING_F_EVENT_IDX);
    put16(&f, DRIVER + 4 + 2 * QSIZE, 2); /* notify when index 2 is used */
    complete_one(&f, vq);                 /* the first always notifies */
    g_assert_cmpuint(f.interrupts, ==, 1);
    complete_one(&f, vq);
    g_assert_cmpuint(f.interrupts, ==, 1);
    complete_one(&f, vq);
    g_assert_cmpuint(f.interrupts, ==, 2);
    complete_one(&f, vq);
    g_assert_cmpuint(f.interrupts, ==, 2);
    g_assert_cmpuint(get16(&f, DEVICE + 4 + 8 * QSIZE), ==, 4); /* avail_event follows */
    teardown(&f);
}

static void test_packed_interrupts(void)
{
    Fixture f;
    VirtQueue *vq = setup(&f, 1ull << VIRTIO_F_RING_PACKED | 1ull << VIRTIO_RING_F_EVENT_IDX);
    uint32_t len = 0;
    unsigned expect = 0;

    for (unsigned n = 0; n < 100; n++) {
        uint16_t want = (n / 3 * 3 + 2) % QSIZE; /* every third slot, roughly */
        bool wrap = ((n / 3 * 3 + 2) / QSIZE) % 2 == 0;

        put16(&f, DRIVER, want | (wrap ? 0x8000 : 0));
        put16(&f, DRIVER + 2, 2);
        packed_offer(&f, 0, 0, 1, false);
        virtq_push(vq, virtq_pop(vq), 1);
        virtq_notify(vq);
        expect += n == 0 || n % 3 == 2;
        g_assert_cmpuint(f.interrupts, ==, expect);
        g_assert_cmpint(packed_collect(&f, 1, &len), ==, 0);
    }
    put16(&f, DRIVER + 2, 1);
    packed_offer(&f, 0, 0, 1, false);
    virtq_push(vq, virtq_pop(vq), 1);
    virtq_notify(vq);
    g_assert_cmpuint(f.interrupts, ==, expect);
    teardown(&f);
}

/* A driver that filled its ring is notified when all of it is used together. Without used buffers
 * it is not notified. */
static void test_whole_lap(gconstpointer features)
{
    Fixture f;
    VirtQueue *vq = setup(&f, GPOINTER_TO_SIZE(features));
    bool packed = GPOINTER_TO_SIZE(features) >> VIRTIO_F_RING_PACKED & 1;

    virtq_notify(vq);
    g_assert_cmpuint(f.interrupts, ==, 0);
    for (unsigned lap = 1; lap <= 3; lap++) {
        for (unsigned n = 0; n < QSIZE; n++) {
            if (packed) {
                packed_offer(&f, n, 0, 1, false);
            } else {
                g_assert_cmpint(split_offer(&f, 0, 1, false), >=, 0);
            }
        }
        if (packed) { /* notify when slot 7 is used, in this lap */
            put16(&f, DRIVER, 7 | (lap & 1 ? 0x8000 : 0));
            put16(&f, DRIVER + 2, 2);
        } else {
            put16(&f, DRIVER + 4 + 2 * QSIZE, (lap - 1) * QSIZE + 7);
        }
        for (unsigned n = 0; n < QSIZE; n++) {
            virtq_push(vq, virtq_pop(vq), 1);
        }
        virtq_notify(vq);
        g_assert_cmpuint(f.interrupts, ==, lap);
        virtq_notify(vq);
        g_assert_cmpuint(f.interrupts, ==, lap);
        for (unsigned n = 0; n < QSIZE; n++) {
            uint32_t len;
            int head = packed ? packed_collect(&f, 1, &len) : split_collect(&f, &len);

            g_assert_cmpint(head, >=, 0);
            if (!packed) {
                split_release(&f, head, 1, false);
            }
        }
    }
    teardown(&f);
}

/* --- reset with buffers out, and saved state --- */

static void test_reset_in_flight(void)
{
    Fixture f;
    VirtQueue *vq = setup(&f, 0);
    VirtqBuf *a, *b;

    split_offer(&f, 1, 1, false);
    split_offer(&f, 1, 1, false);
    a = virtq_pop(vq);
    b = virtq_pop(vq);
    virtio_reset(&f.v);
    memset(f.mem, 0, MEM);
    virtq_push(vq, a, 100);
    virtq_unpop(vq, b);
    g_assert_cmpuint(vq->in_use, ==, 0);
    g_assert_cmpuint(get16(&f, DEVICE + 2), ==, 0);
    g_assert_false(vq->enabled);
    teardown(&f);
}

static void test_saved_state(void)
{
    Fixture f, g;
    VirtQueue *vq = setup(&f, 0), *other = setup(&g, 0);
    g_autoptr(GByteArray) one = g_byte_array_new(), two = g_byte_array_new();
    g_autoptr(GError) err = NULL;
    ByteWriter w1 = { one }, w2 = { two };
    ByteReader r;

    complete_one(&f, vq);
    complete_one(&f, vq);
    virtio_record_ops.save(&f.v, &w1);
    g_assert_cmpuint(one->len, <, 80);
    virtio_reset(&g.v);
    reader_init(&r, one->data, one->len);
    g_assert_true(virtio_record_ops.load(&g.v, &r, "dev", &err));
    g_assert_cmpuint(other->next_avail, ==, 2);
    virtio_record_ops.save(&g.v, &w2);
    g_assert_cmpmem(one->data, one->len, two->data, two->len);
    /* every single-byte change loads or is rejected; no other effect */
    for (unsigned i = 0; i < one->len * 8; i++) {
        one->data[i / 8] ^= 1 << (i % 8);
        reader_init(&r, one->data, one->len);
        if (virtio_record_ops.load(&g.v, &r, "dev", NULL)) {
            while (virtq_ready(other) && other->in_use < 64) {
                VirtqBuf *buf = virtq_pop(other);

                if (!buf) {
                    break;
                }
                virtq_push(other, buf, 0);
            }
        }
        one->data[i / 8] ^= 1 << (i % 8);
    }
    teardown(&f);
    teardown(&g);
}

/* --- a hostile driver --- */

typedef struct Attack {
    const char *name;
    uint64_t addr;
    uint32_t len;
    uint16_t flags, next;
} Attack;

static void test_attacks(void)
{
    static const Attack attacks[] = {
        { "loop", DATA, 16, VRING_DESC_F_NEXT, 0 },
        { "wild next", DATA, 16, VRING_DESC_F_NEXT, QSIZE },
        { "outside RAM", MEM - 8, 16, 0, 0 },
        { "wraps the address space", UINT64_MAX - 4, 16, 0, 0 },
        { "empty", DATA, 0, 0, 0 },
        { "indirect not negotiated", DATA, 16, VRING_DESC_F_INDIRECT, 0 },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(attacks); i++) {
        Fixture f;
        VirtQueue *vq = setup(&f, 0);

        put_desc(&f, DESC, attacks[i].addr, attacks[i].len, attacks[i].flags, attacks[i].next);
        put16(&f, DRIVER + 2, 1);
        g_assert_null(virtq_pop(vq));
        g_assert_true(f.v.broken);
        g_assert_true(f.v.status & VIRTIO_CONFIG_S_NEEDS_RESET);
        g_assert_null(virtq_pop(vq));
        virtio_reset(&f.v);
        g_assert_false(f.v.broken);
        teardown(&f);
    }
}

static void test_index_jump(void)
{
    Fixture f;
    VirtQueue *vq = setup(&f, 0);

    put16(&f, DRIVER + 2, QSIZE + 1);
    g_assert_null(virtq_pop(vq));
    g_assert_true(f.v.broken);
    teardown(&f);
    vq = setup(&f, 0);
    put16(&f, DRIVER + 4, QSIZE); /* head beyond the table */
    put16(&f, DRIVER + 2, 1);
    g_assert_null(virtq_pop(vq));
    g_assert_true(f.v.broken);
    teardown(&f);
}

static void test_frozen_registers(void)
{
    Fixture f;
    VirtQueue *vq = setup(&f, 0);

    virtq_set_size(vq, 8);
    virtq_set_area(vq, &vq->desc, UINT64_MAX, 0x9000);
    g_assert_cmpuint(vq->size, ==, QSIZE);
    g_assert_cmphex(vq->desc, ==, DESC);
    virtio_set_guest_features(&f.v, 0);
    g_assert_true(virtio_has(&f.v, VIRTIO_F_VERSION_1));
    virtq_driver_reset(vq);
    virtq_set_size(vq, 3);
    g_assert_cmpuint(vq->size, ==, QSIZE);
    virtq_set_size(vq, QSIZE * 2);
    g_assert_cmpuint(vq->size, ==, QSIZE);
    virtq_set_size(vq, 8);
    g_assert_cmpuint(vq->size, ==, 8);
    virtq_set_area(vq, &vq->desc, UINT64_MAX, 0x9001);
    virtq_enable(vq);
    g_assert_false(vq->enabled);
    g_assert_true(f.v.broken);
    teardown(&f);
}

/* Random bytes for rings and tables: at most a broken device. */
static void test_noise(gconstpointer features)
{
    for (unsigned round = 0; round < 400; round++) {
        Fixture f;
        VirtQueue *vq = setup(&f, GPOINTER_TO_SIZE(features) | 1ull << VIRTIO_RING_F_INDIRECT_DESC |
                                      1ull << VIRTIO_RING_F_EVENT_IDX);

        for (unsigned i = 0; i < 64; i++) {
            uint64_t at = DESC + g_test_rand_int_range(0, 0x2800);

            f.mem[at] = g_test_rand_int();
            f.mem[TABLES + g_test_rand_int_range(0, 0x400)] = g_test_rand_int();
        }
        for (unsigned i = 0; i < QSIZE; i++) {
            put_desc(&f, DESC + i * 16, g_test_rand_int_range(0, MEM + 64),
                     g_test_rand_int_range(0, 400), g_test_rand_int(), g_test_rand_int());
        }
        put16(&f, DRIVER + 2, g_test_rand_int_range(0, QSIZE + 1));
        for (unsigned i = 0; i < QSIZE + 2; i++) {
            VirtqBuf *buf = virtq_pop(vq);

            if (!buf) {
                break;
            }
            virtq_push(vq, buf, buf->out_len);
            virtq_notify(vq);
        }
        teardown(&f);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/ring/split", test_split);
    g_test_add_func("/ring/packed", test_packed);
    g_test_add_func("/ring/out-of-order", test_out_of_order);
    g_test_add_func("/ring/interrupts", test_interrupts);
    g_test_add_func("/ring/packed-interrupts", test_packed_interrupts);
    g_test_add_data_func("/ring/whole-lap", GSIZE_TO_POINTER(1ull << VIRTIO_RING_F_EVENT_IDX),
                         test_whole_lap);
    g_test_add_data_func(
        "/ring/whole-lap-packed",
        GSIZE_TO_POINTER(1ull << VIRTIO_RING_F_EVENT_IDX | 1ull << VIRTIO_F_RING_PACKED),
        test_whole_lap);
    g_test_add_func("/ring/reset-in-flight", test_reset_in_flight);
    g_test_add_func("/ring/saved-state", test_saved_state);
    g_test_add_func("/ring/attacks", test_attacks);
    g_test_add_func("/ring/index-jump", test_index_jump);
    g_test_add_func("/ring/frozen-registers", test_frozen_registers);
    g_test_add_data_func("/ring/noise-split", GSIZE_TO_POINTER(0), test_noise);
    g_test_add_data_func("/ring/noise-packed", GSIZE_TO_POINTER(1ull << VIRTIO_F_RING_PACKED),
                         test_noise);
    return g_test_run();
}
