/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A machine that has loaded a part of a stream. It is built from the stream's description and
 * loaded by the same functions as an incoming migration (incoming.c), but the test controls what is
 * loaded next. Thousands of records can be tried on it in the time in which one machine is built.
 */
#ifndef TESTS_MIGRATION_HALFWAY_H
#define TESTS_MIGRATION_HALFWAY_H

#include "rig.h"

typedef struct Halfway {
    Session *s;
    StreamReader *reader;
    RamReceive *ram;
    Loadvm *load; /* NULL: the description has not been loaded yet */
} Halfway;

static bool halfway_configuration(void *opaque, const char *machine, GError **err)
{
    return true;
}

/* Do what incoming.c does with a stream that is accepted. */
static bool halfway_build(Halfway *h, const uint8_t *data, size_t len, GError **err)
{
    MigrationHooks *hooks = &h->s->migration->hooks;
    struct json_object *parts = NULL, *deficits;
    MigrationOffer offer = { 0 };
    PlanMachine *wanted = handshake_parse(data, len, hooks->catalog, &parts, err);

    g_assert_nonnull(wanted);
    hooks->offer(hooks->opaque, &offer);
    deficits = handshake_judge(wanted, parts, &offer, hooks->catalog);
    g_assert_cmpuint(json_object_array_length(deficits), ==, 0);
    g_assert_true(hooks->build(hooks->opaque, wanted, err));
    h->ram = ram_receive_new(h->s->m, err);
    h->load = loadvm_new(h->s->m);
    json_object_put(deficits);
    json_object_put(parts);
    plan_machine_free(wanted);
    return true;
}

static bool halfway_full(void *opaque, const StreamSection *s, const uint8_t *data, size_t len,
                         GError **err)
{
    Halfway *h = opaque;

    return h->load ? loadvm_section(h->load, s, data, len, err) : halfway_build(h, data, len, err);
}

static bool halfway_items(void *opaque, const StreamSection *s, ByteReader *r, bool *done,
                          GError **err)
{
    return ram_receive_items(((Halfway *)opaque)->ram, s, r, done, err);
}

static bool halfway_end(void *opaque, GError **err)
{
    Halfway *h = opaque;

    return ram_receive_finish(h->ram, err) && loadvm_finish(h->load, err);
}

static void halfway_feed(Halfway *h, const uint8_t *data, size_t len)
{
    g_autoptr(GError) err = NULL;

    if (!stream_reader_feed(h->reader, data, len, &err)) {
        g_error("halfway: %s", err->message);
    }
}

/* Load the first len bytes of a valid stream. */
static Halfway *halfway_open(const char *accel, const uint8_t *data, size_t len)
{
    static const StreamHandler handler = { .configuration = halfway_configuration,
                                           .full = halfway_full,
                                           .items = halfway_items,
                                           .end = halfway_end };
    Halfway *h = g_new0(Halfway, 1);

    h->s = rig_open(accel);
    h->reader = stream_reader_new(&handler, h);
    halfway_feed(h, data, len);
    return h;
}

/* Permit that each section is loaded again. */
static void halfway_again(Halfway *h)
{
    loadvm_free(h->load);
    h->load = loadvm_new(h->s->m);
}

static void halfway_close(Halfway *h)
{
    MigrationHooks *hooks = &h->s->migration->hooks;

    mem_check(&h->s->m->memory);
    stream_reader_free(h->reader);
    loadvm_free(h->load);
    ram_receive_free(h->ram);
    if (h->load) {
        hooks->discard(hooks->opaque);
    }
    session_free(h->s);
    g_free(h);
}

#endif
