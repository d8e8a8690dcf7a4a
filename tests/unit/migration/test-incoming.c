/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The target: its answers to every order of the parts of a stream, well-formed or not, and its
 * reaction to a source that disconnects. After each rejection it accepts a valid stream.
 *
 * A stream is written as a string of letters (stream-letters.h).
 */
#include <sys/mman.h>

#include "stream-letters.h"
#include "util/error.h"
#include "tests/lib/ok.h"
/* --- two-way streams --- */

typedef struct Order {
    const char *letters, *answers, *why;
} Order;

static const Order orders[] = {
    { "h!", "E", "no element of type 0x2a" },
    { "hN", "E", "the first section is backplane/other 0 version 1" },
    { "hI", "E", "the first section is backplane/hwdesc 3 version 1" },
    { "hV", "E", "the first section is backplane/hwdesc 0 version 2" },
    { "hT", "E", "section backplane/hwdesc is not valid JSON" },
    { "Hd", "E", "the configuration and the description name different machines" },
    { "hs", "E", "the first section is clock 0" },
    { "hr", "E", "section ram is not possible at this position" },
    { "ho!", "E", "no element" },
    { "hO", "E", "the command to open the return path has data" },
    { "hoc", "E", "a check is not possible at this position" },
    { "hop", "E", "the stream ends before the state of a machine" },
    { "hg", "E", "the guest was handed over before it was loaded" },
    { "hdx", "E", "unknown command 7" },
    { "hdo2", "E", "a check is not possible at this position" },
    { "hdo0", "E", "a check is not possible at this position" },
    { "hdo3", "E", "a check is not possible at this position" },
    { "hdd", "E", "section backplane/hwdesc is not possible at this position" },
    { "hdr", "E", "section ram is not possible at this position" },
    { "hds", "E", "section clock is not possible at this position" },
    { "hdop", "E", "the stream ends before the state of a machine" },
    { "hde", "E", "a two-way stream has no end" },
    { "hLoc", "DE", "w0 type: required gadget, available none" },
    { "hdoCs", "AE", "section clock is not possible at this position" },
    { "hdocc", "AE", "a check is not possible at this position" },
    { "hdocd", "AE", "this machine has no section of this name" },
    { "hdocp", "AE", "section ram: the section did not end" },
    { "hdocsp", "AE", "section ram: the section did not end" },
    { "hdocRp", "AE", "section ram: the section did not end" },
    { "hdocrp", "AE", "the stream lacks these sections: clock 0, cpu 0" },
    { "hdocrss", "AE", "section clock 0 occurs twice" },
    { "hdocrsg", "AE", "the guest was handed over before it was loaded" },
    { "hdocrspp", "ASE", "the stream ends before the state of a machine" },
    { "hdocrsps", "ASE", "section clock is not possible at this position" },
    { "hdocrspr", "ASE", "section ram is not possible at this position" },
    { "hdocrspe", "ASE", "a two-way stream has no end" },
    { "hdocrsp!", "ASE", "no element" },
};

static void test_orders(void)
{
    Sound s = sound_new(RUN_RUNNING);

    for (unsigned i = 0; i < G_N_ELEMENTS(orders); i++) {
        Box *b = box_empty();
        g_autofree char *path = listen_here(b), *answers = NULL;
        int fd = connect_target(path);

        send_letters(fd, &s, orders[i].letters);
        wait_status(b, "completed", "failed");
        g_assert_cmpstr(migration_status(b->mig), ==, "failed");
        if (!strstr(b->mig->error, orders[i].why)) {
            g_error("%s: %s", orders[i].letters, b->mig->error);
        }
        answers = received_letters(fd);
        g_assert_cmpstr(answers, ==, orders[i].answers);
        close(fd);
        check_waits(b);
        g_assert_cmpuint(b->takes, ==, 0);
        check_takes(b, path, &s, RUN_RUNNING);
        box_free(b);
    }
    sound_clear(&s);
}

/* Data after GO has no effect: the guest runs here and nowhere else. */
static void test_after_go(void)
{
    static const char *const orders[] = { "hdocrspg!", "hdocrspgg", "hdocrspgc", "hdocrspgp",
                                          "hdocrspgd", "hdocrspge", "hdocrspgr" };
    Sound s = sound_new(RUN_RUNNING);

    for (unsigned i = 0; i < G_N_ELEMENTS(orders); i++) {
        Box *b = box_empty();
        g_autofree char *path = listen_here(b), *answers = NULL;
        int fd = connect_target(path);

        send_letters(fd, &s, orders[i]);
        wait_status(b, "completed", "failed");
        main_loop_turns(5);
        g_assert_cmpstr(migration_status(b->mig), ==, "completed");
        answers = received_letters(fd);
        g_assert_cmpstr(answers, ==, "ASR");
        g_assert_cmpint(b->m->state, ==, RUN_RUNNING);
        g_assert_cmpuint(b->discards, ==, 0);
        g_assert_null(b->mig->in);
        close(fd);
        box_free(b);
    }
    sound_clear(&s);
}

/* A source that only requests a check: no machine is built, and the next source may connect. */
static void test_check_only(void)
{
    Box *b = box_empty();
    Sound s = sound_new(RUN_PAUSED);
    g_autofree char *path = listen_here(b);

    for (unsigned i = 0; i < 4; i++) {
        g_autofree char *answers = NULL;
        int fd = connect_target(path);

        send_letters(fd, &s, i % 2 ? "hLoC" : "hdoC");
        wait_status(b, "active", "");
        wait_status(b, "setup", "failed");
        g_assert_cmpstr(b->mig->error, ==, NULL);
        answers = received_letters(fd);
        g_assert_cmpstr(answers, ==, i % 2 ? "D" : "A");
        check_waits(b);
        g_assert_cmpuint(b->discards, ==, 0);
        close(fd);
    }
    check_takes(b, path, &s, RUN_PAUSED);
    box_free(b);
    sound_clear(&s);
}

/* The guest's run state is restored, except where it is not possible here. */
static void test_states(void)
{
    static const struct {
        RunState was, becomes;
        bool paused; /* -S */
    } states[] = {
        { RUN_RUNNING, RUN_RUNNING, false },   { RUN_RUNNING, RUN_PAUSED, true },
        { RUN_PAUSED, RUN_PAUSED, false },     { RUN_POSTMIGRATE, RUN_PAUSED, false },
        { RUN_SHUTDOWN, RUN_SHUTDOWN, false }, { RUN_PRELAUNCH, RUN_PRELAUNCH, true },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(states); i++) {
        Sound s = sound_new(states[i].was);
        Box *b = box_empty();
        g_autofree char *path = listen_here(b);

        b->offer.paused = states[i].paused;
        check_takes(b, path, &s, states[i].becomes);
        box_free(b);
        sound_clear(&s);
    }
}

/* --- one-way streams --- */

static void load_copy(Box *b, const Sound *s, const char *letters)
{
    g_autoptr(GByteArray) out = put_stream(s, letters);
    int fd = memfd_create("stream", 0);
    g_autofree char *uri = g_strdup_printf("fd:%d", fd);
    g_autoptr(GError) err = NULL;

    g_assert_cmpint(write(fd, out->data, out->len), ==, (ssize_t)out->len);
    lseek(fd, 0, SEEK_SET);
    migration_incoming(b->mig, uri, b->mig->incoming_used, &err);
    g_assert_no_error(err);
    wait_status(b, "completed", "failed");
}

static void test_copies(void)
{
    static const Order orders[] = {
        { "", NULL, "the stream is cut off" },
        { "h", NULL, "the stream is cut off" },
        { "hdr", NULL, "the stream is cut off" },
        { "hdrs", NULL, "the stream is cut off" },
        { "he", NULL, "the stream ends before the state of a machine" },
        { "hre", NULL, "section ram is not possible at this position" },
        { "hde", NULL, "section ram: the section did not end" },
        { "hdre", NULL, "the stream lacks these sections" },
        { "hdo", NULL, "a one-way stream contains a command" },
        { "hdg", NULL, "a one-way stream contains a command" },
        { "Hd", NULL, "name different machines" },
        { "hL", NULL, "w0 type: required gadget, available none" },
        { "hdd", NULL, "this machine has no section of this name" },
        { "hdrse!!!!!", NULL, "the data after the end is not a description" },
    };
    Sound s = sound_new(RUN_PAUSED);
    Box *b = box_empty();

    for (unsigned i = 0; i < G_N_ELEMENTS(orders); i++) {
        load_copy(b, &s, orders[i].letters);
        g_assert_cmpstr(migration_status(b->mig), ==, "failed");
        if (!b->mig->error || !strstr(b->mig->error, orders[i].why)) {
            g_error("%s: %s", orders[i].letters, b->mig->error);
        }
        check_waits(b);
        g_assert_cmpint(!!b->mig->deficits, ==, !!strchr(orders[i].letters, 'L'));
    }
    /* the disks are activated last */
    b->refuse_take = true;
    load_copy(b, &s, "hdrse");
    g_assert_cmpstr(b->mig->error, ==, "the disk is locked");
    check_waits(b);
    b->refuse_take = false;
    load_copy(b, &s, "hdrse");
    g_assert_cmpstr(b->mig->error, ==, NULL);
    g_assert_cmpint(b->m->state, ==, RUN_PAUSED);
    g_assert_cmphex(box_widget(b, "w0")->value, ==, 0x1234);
    box_free(b);
    sound_clear(&s);
}

/* --- the hand-over record --- */

/* Replace a string in the description permanently. */
static void change(Sound *s, const char *from, const char *to)
{
    g_autoptr(GString) text = with_string_replaced(s, from, to);

    g_byte_array_set_size(s->description, 0);
    g_byte_array_append(s->description, (const guint8 *)text->str, (guint)text->len);
}

/* A description that names the record. */
static void name_record(Sound *s, const char *token)
{
    g_autofree char *part =
        g_strdup_printf("\"parts\":[{\"kind\":\"handover\",\"id\":\"%s\"}]", token);

    change(s, "\"parts\":[]", part);
}

/* GO is not sufficient if the record shows that the guest was not handed over. A copy, which its
 * source may outlive, does not change the record. */
static void test_record(void)
{
    g_autofree char *folder = g_dir_make_tmp("backplane-record-XXXXXX", NULL);
    char token[HANDOVER_TOKEN + 1], again[HANDOVER_TOKEN + 1];
    Sound s = sound_new(RUN_RUNNING);
    Box *b = box_empty();
    g_autofree char *path = listen_here(b), *answers = NULL;
    int fd = connect_target(path);

    ASSERT_OK(handover_offer(folder, token, &failure));
    b->mig->handover = g_strdup(folder);
    name_record(&s, token);
    send_letters(fd, &s, "hdocrspg");
    wait_status(b, "completed", "failed");
    g_assert_nonnull(strstr(b->mig->error, folder));
    g_assert_nonnull(strstr(b->mig->error, "the record cannot be changed"));
    answers = received_letters(fd);
    g_assert_cmpstr(answers, ==, "ASE");
    close(fd);
    check_waits(b);
    g_assert_cmpuint(b->takes, ==, 1);
    g_assert_cmpuint(b->releases, ==, 1);
    fd = connect_target(path);
    send_letters(fd, &s, "hdocrsp");
    wait_status(b, "active", "");
    main_loop_turns(5);
    ASSERT_OK(handover_give(folder, token, &failure));
    g_assert_cmpint(handover_claim(folder, token, false, NULL), ==, HANDOVER_MINE);
    send_letters(fd, &s, "g");
    wait_status(b, "completed", "failed");
    g_assert_cmpstr(b->mig->error, ==, "the source continued the guest");
    close(fd);
    check_waits(b);
    handover_forget(folder, token);
    box_free(b);
    ASSERT_OK(handover_offer(folder, again, &failure));
    change(&s, token, again);
    b = box_empty();
    b->mig->handover = g_strdup(folder);
    load_copy(b, &s, "hdrse");
    g_assert_cmpstr(b->mig->error, ==, NULL);
    g_assert_true(handover_is_offered(folder, again));
    box_free(b);
    handover_forget(folder, again);
    sound_clear(&s);
    rmdir(folder);
}

/* --- a machine that cannot be built --- */

static bool build_nothing(void *opaque, const PlanMachine *wanted, GError **err)
{
    g_set_error(err, BACKPLANE_ERROR, ERROR_HOST, "the host has no such thing");
    return false;
}

static void discard_nothing(void *opaque)
{
    ((Box *)opaque)->discards++;
}

static void test_not_built(void)
{
    Sound s = sound_new(RUN_RUNNING);
    Box *b = box_empty();
    g_autofree char *path = listen_here(b), *answers = NULL;
    MigrationHooks own = b->mig->hooks;
    int fd = connect_target(path);

    b->mig->hooks.build = build_nothing;
    b->mig->hooks.discard = discard_nothing;
    send_letters(fd, &s, "hdoc");
    wait_status(b, "completed", "failed");
    g_assert_cmpstr(b->mig->error, ==, "the host has no such thing");
    answers = received_letters(fd);
    g_assert_cmpstr(answers, ==, "E");
    close(fd);
    g_assert_cmpuint(b->discards, ==, 1);
    check_waits(b);
    b->mig->hooks = own;
    check_takes(b, path, &s, RUN_RUNNING);
    box_free(b);
    sound_clear(&s);
}

static void count_loaded(void *opaque)
{
    ((Box *)opaque)->discards += 100;
}

/* The target is notified when everything is loaded, before the guest runs. */
static void test_loaded_hook(void)
{
    Sound s = sound_new(RUN_RUNNING);
    Box *b = box_empty();
    g_autofree char *path = listen_here(b);

    b->mig->hooks.loaded = count_loaded;
    check_takes(b, path, &s, RUN_RUNNING);
    g_assert_cmpuint(b->discards, ==, 100);
    box_free(b);
    sound_clear(&s);
}

/* --- the source disconnects --- */

static void test_closed(void)
{
    static const char *const orders[] = { "", "h", "hd", "hdo", "hdocr", "hdocrs" };
    Sound s = sound_new(RUN_RUNNING);
    Box *b = box_empty();
    g_autofree char *path = listen_here(b);

    for (unsigned i = 0; i < G_N_ELEMENTS(orders); i++) {
        int fd = connect_target(path);

        send_letters(fd, &s, orders[i]);
        shutdown(fd, SHUT_WR);
        wait_status(b, "active", "");
        wait_status(b, "completed", "failed");
        g_assert_cmpstr(b->mig->error, ==, "the source closed the channel");
        check_waits(b);
        close(fd);
    }
    check_takes(b, path, &s, RUN_RUNNING);
    box_free(b);
    sound_clear(&s);
}

/* The source disconnects before the answer: the answer cannot be written, or the channel not be
 * read. */
static void test_disconnected(void)
{
    Sound s = sound_new(RUN_RUNNING);
    Box *b = box_empty();
    g_autofree char *path = listen_here(b);
    int fd = connect_target(path);

    for (unsigned i = 0; i < 2; i++) {
        send_letters(fd, &s, i ? "hLoc" : "hdoc");
        close(fd);
        wait_status(b, "active", "");
        wait_status(b, "completed", "failed");
        g_assert_nonnull(strstr(b->mig->error, "writing failed"));
        check_waits(b);
        fd = connect_target(path);
    }
    send_letters(fd, &s, "hdoc");
    wait_status(b, "active", "");
    main_loop_turns(5);
    g_assert_true(b->m->has_guest);
    close(fd); /* with an answer unread: a reset */
    wait_status(b, "completed", "failed");
    g_assert_nonnull(strstr(b->mig->error, "reading failed"));
    check_waits(b);
    check_takes(b, path, &s, RUN_RUNNING);
    box_free(b);
    sound_clear(&s);
}

/* The source never sends GO: the guest is discarded after GO_SECONDS, which is set here. */
static void test_no_go(void)
{
    Sound s = sound_new(RUN_RUNNING);
    Box *b = box_empty();
    g_autofree char *path = listen_here(b), *answers = NULL;
    int fd = connect_target(path);
    GSource *timer;

    send_letters(fd, &s, "hdocrsp");
    wait_status(b, "active", "");
    main_loop_turns(5);
    timer = g_main_context_find_source_by_funcs_user_data(NULL, &g_timeout_funcs, b->mig->in);
    g_assert_nonnull(timer);
    g_assert_cmpint(g_source_get_ready_time(timer) - g_get_monotonic_time(), >,
                    (GO_SECONDS - 10) * G_USEC_PER_SEC);
    g_source_set_ready_time(timer, 0);
    wait_status(b, "completed", "failed");
    g_assert_nonnull(strstr(b->mig->error, "did not hand over the guest within 30 seconds"));
    answers = received_letters(fd);
    g_assert_cmpstr(answers, ==, "ASE");
    check_waits(b);
    close(fd);
    check_takes(b, path, &s, RUN_RUNNING);
    box_free(b);
    sound_clear(&s);
}

/* The load is cancelled on the target, at each stage. */
static void test_cancel(void)
{
    static const Order orders[] = {
        { "h", "E", NULL }, { "hdo", "E", NULL }, { "hdoc", "AE", NULL }, { "hdocrsp", "ASE", NULL }
    };
    Sound s = sound_new(RUN_RUNNING);
    Box *b = box_empty();
    g_autofree char *path = listen_here(b);

    for (unsigned i = 0; i < G_N_ELEMENTS(orders); i++) {
        g_autofree char *answers = NULL;
        int fd = connect_target(path);

        send_letters(fd, &s, orders[i].letters);
        wait_status(b, "active", "");
        main_loop_turns(5);
        ASSERT_OK(migration_cancel(b->mig, &failure));
        g_assert_cmpstr(b->mig->error, ==, "the load was cancelled");
        check_waits(b);
        answers = received_letters(fd);
        g_assert_cmpstr(answers, ==, orders[i].answers);
        close(fd);
    }
    check_takes(b, path, &s, RUN_RUNNING);
    box_free(b);
    sound_clear(&s);
}

/* --- answers --- */

/* A description with n devices of unknown types. */
static void put_lacking(GByteArray *out, unsigned n)
{
    ByteWriter w = { out };
    g_autoptr(GString) text = g_string_new(
        "{\"profile\":\"" PROFILE "\",\"parts\":[],\"description\":{\"backplane-machine\":1,"
        "\"guest\":{\"machine\":\"box-1\",\"properties\":{},\"cpu\":\"fake\",\"cpus\":1,"
        "\"ram\":1048576,\"devices\":[");

    for (unsigned i = 0; i < n; i++) {
        g_string_append_printf(text, "%s{\"type\":\"lacking-%u\",\"id\":\"i%u\",\"properties\":{}}",
                               i ? "," : "", i, i);
    }
    g_string_append(text, "]}}}");
    stream_put_header(&w, "box-1");
    put_text(&w, HWDESC_SECTION, 0, HWDESC_VERSION, text->str, text->len);
    stream_put_command(&w, STREAM_CMD_CHECK, "", 1);
}

/* Create both ends of a channel, and give one of them to the target. */
static int pair(Box *b, int room)
{
    g_autofree char *uri = NULL;
    g_autoptr(GError) err = NULL;
    int s[2];

    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM, 0, s), ==, 0);
    uri = g_strdup_printf("fd:%d", s[0]);
    migration_incoming(b->mig, uri, b->mig->incoming_used, &err);
    g_assert_no_error(err);
    g_assert_cmpint(setsockopt(s[0], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room)), ==, 0);
    return s[1];
}

/* A long list is sent in parts. A source that reads none of it is disconnected. */
static void test_long_answer(void)
{
    g_autoptr(GByteArray) stream = g_byte_array_new();
    Box *b = box_empty();

    put_lacking(stream, 2000);
    for (unsigned i = 0; i < 2; i++) {
        int fd = pair(b, i ? 4096 : 1 << 20), room = 1 << 20;
        g_autofree char *answers = NULL;

        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
        g_assert_cmpint(send(fd, stream->data, stream->len, 0), ==, (ssize_t)stream->len);
        wait_status(b, "active", "");
        wait_status(b, "completed", "failed");
        g_assert_cmpuint(json_object_array_length(b->mig->deficits), ==, 2000);
        g_assert_nonnull(
            strstr(b->mig->error, i ? "the source does not read the answers" : "2000 in all"));
        check_waits(b);
        if (!i) {
            answers = received_letters(fd);
            g_assert_cmpstr(answers, ==, "MMDE");
        }
        close(fd);
    }
    box_free(b);
}

/* An error may be as long as the list of missing parts: the source receives its beginning. */
static void test_long_error(void)
{
    g_autoptr(GPtrArray) many = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GByteArray) out = g_byte_array_new();
    ByteWriter w = { out };
    Box *b = box_empty(), *a;
    Sound s = { NULL, NULL, NULL, RUN_RUNNING };
    uint8_t buf[8192];
    int fd;

    for (unsigned i = 0; i < 600; i++) {
        g_ptr_array_add(many, g_strdup_printf("widget,id=with-a-long-name-%u", i));
    }
    g_ptr_array_add(many, NULL);
    a = box_new((const char *const *)many->pdata);
    s.description = put_description(a);
    s.ram = put_ram(a);
    box_free(a);
    for (const char *letter = "hdocrp"; *letter; letter++) {
        put_letter(&w, &s, *letter);
    }
    fd = pair(b, 1 << 20);
    g_assert_cmpint(send(fd, out->data, out->len, 0), ==, (ssize_t)out->len);
    wait_status(b, "failed", "");
    g_assert_cmpuint(strlen(b->mig->error), >, 4000);
    g_assert_cmpint(recv(fd, buf, sizeof(buf), 0), ==, 4 + 4 + 4000);
    g_assert_cmpmem(buf + 8, 4000, b->mig->error, 4000);
    check_waits(b);
    close(fd);
    box_free(b);
    g_byte_array_unref(s.description);
    g_byte_array_unref(s.ram);
}

/* Read the byte on which the target was woken up, as another process with the descriptor could. */
static gboolean drain(gpointer fd)
{
    uint8_t buf[64];

    g_assert_cmpint(recv(GPOINTER_TO_INT(fd), buf, sizeof(buf), MSG_DONTWAIT), ==, 1);
    return G_SOURCE_REMOVE;
}

static void test_nothing_there(void)
{
    Sound s = sound_new(RUN_RUNNING);
    Box *b = box_empty();
    g_autofree char *uri = NULL;
    int pipe[2];

    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM, 0, pipe), ==, 0);
    uri = g_strdup_printf("fd:%d", pipe[0]);
    /* wait-ok: no time passes; this source is dispatched first */
    g_timeout_add(0, drain, GINT_TO_POINTER(pipe[0]));
    migration_incoming(b->mig, uri, false, NULL);
    g_assert_cmpint(send(pipe[1], "Q", 1, 0), ==, 1);
    main_loop_turns(3);
    g_assert_cmpstr(migration_status(b->mig), ==, "active");
    g_assert_cmpuint(b->mig->stats.bytes, ==, 0);
    send_letters(pipe[1], &s, "hdocrspg");
    wait_status(b, "completed", "failed");
    g_assert_cmpstr(b->mig->error, ==, NULL);
    close(pipe[1]);
    box_free(b);
    sound_clear(&s);
}

/* --- one at a time --- */

static void test_second_connection(void)
{
    Sound s = sound_new(RUN_RUNNING);
    Box *b = box_empty();
    g_autofree char *path = listen_here(b), *one = NULL, *two = NULL;
    int first = connect_target(path), second;

    send_letters(first, &s, "hdoc");
    wait_status(b, "active", "");
    second = connect_target(path);
    main_loop_turns(5);
    two = received_letters(second);
    g_assert_cmpstr(two, ==, "E");
    close(second);
    send_letters(first, &s, "rspg");
    wait_status(b, "completed", "failed");
    one = received_letters(first);
    g_assert_cmpstr(one, ==, "ASR");
    close(first);
    box_free(b);
    sound_clear(&s);
}

static GSource *time_limit(Box *b)
{
    return g_main_context_find_source_by_funcs_user_data(NULL, &g_timeout_funcs, b->mig->in);
}

/* A connection that sends nothing, or only a header, ends at its time limit. */
static void test_silent(void)
{
    static const Order orders[] = {
        { "", "E", "no migration stream began on the connection within 10 seconds" },
        { "h", "E", "did not describe its machine within 30 seconds" },
        { "hd", "E", "did not describe its machine within 30 seconds" },
    };
    Sound s = sound_new(RUN_RUNNING);
    Box *b = box_empty();
    g_autofree char *path = listen_here(b);

    for (unsigned i = 0; i < G_N_ELEMENTS(orders); i++) {
        g_autofree char *answers = NULL;
        int fd = connect_target(path);

        if (*orders[i].letters) {
            send_letters(fd, &s, orders[i].letters);
        }
        wait_status(b, "active", "");
        main_loop_turns(5);
        g_assert_nonnull(time_limit(b));
        g_source_set_ready_time(time_limit(b), 0);
        wait_status(b, "failed", "");
        g_assert_nonnull(strstr(b->mig->error, orders[i].why));
        answers = received_letters(fd);
        g_assert_cmpstr(answers, ==, orders[i].answers);
        close(fd);
        check_waits(b);
    }
    check_takes(b, path, &s, RUN_RUNNING);
    box_free(b);
    sound_clear(&s);
}

/* A second connection need not wait until a silent one ends. RAM has no time limit. */
static void test_take_over(void)
{
    Sound s = sound_new(RUN_RUNNING);
    Box *b = box_empty();
    g_autofree char *path = listen_here(b), *one = NULL, *two = NULL;
    int first = connect_target(path), second;

    wait_status(b, "active", "");
    g_assert_cmpint(send(first, "QEV", 3, MSG_NOSIGNAL), ==, 3);
    main_loop_turns(5);
    second = connect_target(path);
    send_letters(second, &s, "hdoc");
    main_loop_turns(20);
    one = received_letters(first);
    g_assert_cmpstr(one, ==, "E");
    g_assert_nonnull(b->mig->in);
    g_assert_null(time_limit(b));
    send_letters(second, &s, "rspg");
    wait_status(b, "completed", "failed");
    two = received_letters(second);
    g_assert_cmpstr(two, ==, "ASR");
    close(first);
    close(second);
    box_free(b);
    sound_clear(&s);
}

/* A machine that exists already (offer.fixed) may end before a guest arrives. */
static void test_ended(void)
{
    Box *b = box_empty();
    g_autofree char *path = listen_here(b), *answers = NULL;
    int fd;

    machine_set_state(b->m, RUN_SHUTDOWN);
    fd = connect_target(path);
    main_loop_turns(5);
    answers = received_letters(fd);
    g_assert_cmpstr(answers, ==, "E");
    g_assert_null(b->mig->in);
    close(fd);
    box_free(b);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/migration/incoming/orders", test_orders);
    g_test_add_func("/migration/incoming/after-go", test_after_go);
    g_test_add_func("/migration/incoming/check-only", test_check_only);
    g_test_add_func("/migration/incoming/states", test_states);
    g_test_add_func("/migration/incoming/copies", test_copies);
    g_test_add_func("/migration/incoming/record", test_record);
    g_test_add_func("/migration/incoming/not-built", test_not_built);
    g_test_add_func("/migration/incoming/loaded-hook", test_loaded_hook);
    g_test_add_func("/migration/incoming/closed", test_closed);
    g_test_add_func("/migration/incoming/disconnected", test_disconnected);
    g_test_add_func("/migration/incoming/no-go", test_no_go);
    g_test_add_func("/migration/incoming/cancel", test_cancel);
    g_test_add_func("/migration/incoming/long-answer", test_long_answer);
    g_test_add_func("/migration/incoming/long-error", test_long_error);
    g_test_add_func("/migration/incoming/nothing-there", test_nothing_there);
    g_test_add_func("/migration/incoming/second-connection", test_second_connection);
    g_test_add_func("/migration/incoming/silent", test_silent);
    g_test_add_func("/migration/incoming/take-over", test_take_over);
    g_test_add_func("/migration/incoming/ended", test_ended);
    return g_test_run();
}
