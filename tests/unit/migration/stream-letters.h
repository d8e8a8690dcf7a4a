/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Streams for a target, written as strings of letters: "hdocrspg" is what a valid source sends over
 * a two-way channel, "hdrse" is a file. put_letter() and its tables define the letters for errors.
 * Functions to send the streams and to read the target's answers.
 */
#ifndef TESTS_UNIT_MIGRATION_STREAM_LETTERS_H
#define TESTS_UNIT_MIGRATION_STREAM_LETTERS_H

#include <sys/socket.h>
#include <sys/un.h>

#include "fixture.h"

static const char *const devices[] = { "widget,id=w0,size=8", "widget,id=w1", NULL };

/* --- writing streams --- */

typedef struct Sound {
    GByteArray *description, *ram, *sections;
    RunState state; /* run state that the stream requests for the guest */
} Sound;

static GByteArray *put_ram(Box *b)
{
    GByteArray *out = g_byte_array_new();
    ByteWriter w = { out };
    RamSend *ram = ram_send_new(b->m, 2, NULL);

    ram_send_start(ram, &w);
    ram_send_begin_pass(ram);
    while (ram_send_some(ram, &w, 1 << 20)) {
    }
    ram_send_end(ram, &w);
    ram_send_free(ram);
    return out;
}

/* Return the text with which a valid source describes its machine. */
static GByteArray *put_description(Box *b)
{
    GByteArray *out = g_byte_array_new();
    g_autofree char *text = handshake_text(b->mig);

    g_byte_array_append(out, (const guint8 *)text, (guint)strlen(text));
    return out;
}

static Sound sound_new(RunState state)
{
    Box *b = box_new(devices);
    Sound s = { put_description(b), put_ram(b), g_byte_array_new(), state };
    ByteWriter w = { s.sections };
    GChecksum *digest = g_checksum_new(G_CHECKSUM_SHA256);
    uint32_t id = 3;

    box_widget(b, "w0")->value = 0x1234;
    savevm_save(b->m, state, &w, &id, digest, NULL);
    g_checksum_free(digest);
    box_free(b);
    return s;
}

static void sound_clear(Sound *s)
{
    g_byte_array_unref(s->description);
    g_byte_array_unref(s->ram);
    g_byte_array_unref(s->sections);
}

static void put_text(ByteWriter *w, const char *name, unsigned instance, unsigned version,
                     const void *text, size_t len)
{
    StreamSection s = { STREAM_FULL, 1, instance, version, "" };
    size_t at;

    g_strlcpy(s.name, name, sizeof(s.name));
    at = stream_begin_full(w, &s);
    put_bytes(w, text, len);
    stream_end_full(w, &s, at);
}

/* Return the description with one string replaced. */
static GString *with_string_replaced(const Sound *s, const char *from, const char *to)
{
    GString *text = g_string_new_len((const char *)s->description->data, s->description->len);

    g_assert_cmpuint(g_string_replace(text, from, to, 0), >, 0);
    return text;
}

/* --- letters --- */

static const struct {
    char letter;
    uint16_t command, len;
    uint8_t data[2];
} commands[] = {
    { 'o', STREAM_CMD_OPEN_RETURN_PATH, 0, { 0 } },
    { 'O', STREAM_CMD_OPEN_RETURN_PATH, 1, { 0 } }, /* with data */
    { 'c', STREAM_CMD_CHECK, 1, { 0 } },
    { 'C', STREAM_CMD_CHECK, 1, { 1 } }, /* without data */
    { '2', STREAM_CMD_CHECK, 1, { 2 } }, /* neither */
    { '0', STREAM_CMD_CHECK, 0, { 0 } }, /* no flag, two flags */
    { '3', STREAM_CMD_CHECK, 2, { 0 } },
    { 'p', STREAM_CMD_PREPARE, 0, { 0 } },
    { 'g', STREAM_CMD_GO, 0, { 0 } },
    { 'x', 7, 0, { 0 } },
};

static bool put_command(ByteWriter *w, char letter)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(commands); i++) {
        if (commands[i].letter == letter) {
            stream_put_command(w, commands[i].command, commands[i].data, commands[i].len);
            return true;
        }
    }
    return false;
}

/* The description: unmodified, or with another name, instance, version; empty; unsupported
 * parts. */
static bool put_head(ByteWriter *w, const Sound *s, char letter)
{
    g_autoptr(GString) lacking = with_string_replaced(s, "\"widget\"", "\"gadget\"");
    const GByteArray *d = s->description;
    const struct {
        char letter;
        const char *name;
        unsigned instance, version;
        const void *text;
        size_t len;
    } heads[] = {
        { 'd', HWDESC_SECTION, 0, HWDESC_VERSION, d->data, d->len },
        { 'N', "backplane/other", 0, HWDESC_VERSION, d->data, d->len },
        { 'I', HWDESC_SECTION, 3, HWDESC_VERSION, d->data, d->len },
        { 'V', HWDESC_SECTION, 0, HWDESC_VERSION + 1, d->data, d->len },
        { 'T', HWDESC_SECTION, 0, HWDESC_VERSION, "{", 1 },
        { 'L', HWDESC_SECTION, 0, HWDESC_VERSION, lacking->str, lacking->len },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(heads); i++) {
        if (heads[i].letter == letter) {
            put_text(w, heads[i].name, heads[i].instance, heads[i].version, heads[i].text,
                     heads[i].len);
            return true;
        }
    }
    return false;
}

static void put_letter(ByteWriter *w, const Sound *s, char letter)
{
    if (put_command(w, letter) || put_head(w, s, letter)) {
        return;
    }
    switch (letter) {
    case 'h':
        stream_put_header(w, "box-1");
        break;
    case 'H': /* header with another machine type */
        stream_put_header(w, "box-2");
        break;
    case 'r':
        put_bytes(w, s->ram->data, s->ram->len);
        break;
    case 'R': /* everything but its end */
        put_bytes(w, s->ram->data, s->ram->len - 5 - 8 - 5);
        break;
    case 's':
        put_bytes(w, s->sections->data, s->sections->len);
        break;
    case 'e':
        put_u8(w, STREAM_EOF);
        break;
    default:
        put_u8(w, 0x2a); /* no element */
    }
}

static GByteArray *put_stream(const Sound *s, const char *letters)
{
    GByteArray *out = g_byte_array_new();
    ByteWriter w = { out };

    for (; *letters; letters++) {
        put_letter(&w, s, *letters);
    }
    return out;
}

/* --- sending them --- */

static char *listen_here(Box *b)
{
    char *path = temp_path("incoming");
    g_autofree char *uri = g_strdup_printf("unix:%s", path);
    g_autoptr(GError) err = NULL;

    migration_incoming(b->mig, uri, false, &err);
    g_assert_no_error(err);
    return path;
}

static int connect_target(const char *path)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    g_strlcpy(a.sun_path, path, sizeof(a.sun_path));
    g_assert_cmpint(connect(fd, (struct sockaddr *)&a, sizeof(a)), ==, 0);
    return fd;
}

static void send_letters(int fd, const Sound *s, const char *letters)
{
    g_autoptr(GByteArray) out = put_stream(s, letters);

    g_assert_cmpint(send(fd, out->data, out->len, MSG_NOSIGNAL), ==, (ssize_t)out->len);
}

/* Return the answers received, as letters: accept, incompatibilities, more, digest, runs, error. */
static char *received_letters(int fd)
{
    static const char letters[] = "?ADMSRE";
    g_autofree uint8_t *buf = g_malloc(4 << 20);
    GString *out = g_string_new("");
    size_t have = 0;
    ssize_t n;
    ByteReader r;

    while ((n = recv(fd, buf + have, (4 << 20) - have, MSG_DONTWAIT)) > 0) {
        have += (size_t)n;
    }
    reader_init(&r, buf, have);
    while (reader_left(&r)) {
        uint16_t type = get_be16(&r);

        get_view(&r, get_be16(&r));
        g_assert_true(reader_ok(&r));
        g_string_append_c(out, letters[type > ANSWER_ERROR || type < 0x4200 ? 0 : type & 7]);
    }
    return g_string_free(out, FALSE);
}

static void check_waits(Box *b)
{
    g_assert_null(b->mig->in);
    g_assert_null(b->plan);
    g_assert_cmpint(b->m->state, ==, RUN_INMIGRATE);
    g_assert_false(b->m->has_guest);
}

/* Check that a valid stream is accepted after the streams received before. */
static void check_takes(Box *b, const char *path, const Sound *s, RunState state)
{
    int fd = connect_target(path);
    g_autofree char *answers = NULL;

    send_letters(fd, s, "hdocrspg");
    wait_status(b, "active", "");
    wait_status(b, "completed", "failed");
    g_assert_cmpstr(b->mig->error, ==, NULL);
    answers = received_letters(fd);
    g_assert_cmpstr(answers, ==, "ASR");
    g_assert_cmpint(b->m->state, ==, state);
    g_assert_cmphex(box_widget(b, "w0")->value, ==, 0x1234);
    g_assert_null(b->mig->server);
    g_assert_null(b->mig->in);
    close(fd);
}

#endif
