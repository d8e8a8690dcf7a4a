/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The container: QEMU's stream framing, written and read.
 *
 * Big-endian; strings are a length byte and bytes. A stream is the file header, the
 * configuration, sections and commands, the end byte, and (in files) a JSON description. Data of
 * a FULL section is always one record here: a length of 4 bytes, then that many. Sections of
 * other kinds (RAM) have no length: their reader finds the end.
 *
 * The reader takes bytes as they come and calls back for each whole element. It holds at most
 * one element, never allocates by a number that it read, and refuses with a sentence that says
 * where. After a refusal it must not be fed again.
 */
#ifndef MIGRATION_STREAM_H
#define MIGRATION_STREAM_H

#include <json-c/json.h>

#include "util/bytestream.h"

#define STREAM_MAGIC      0x5145564d /* "QEVM" */
#define STREAM_VERSION    3
#define STREAM_MAX_RECORD (64u << 20) /* bytes of one FULL record */
#define STREAM_MAX_NAME   127         /* readers take name lengths as signed bytes */

#define MIGRATION_ERROR g_quark_from_static_string("migration-error")

enum {
    STREAM_EOF = 0,
    STREAM_START = 1,
    STREAM_PART = 2,
    STREAM_END = 3,
    STREAM_FULL = 4,
    STREAM_VMDESC = 6,
    STREAM_CONFIGURATION = 7,
    STREAM_COMMAND = 8,
    STREAM_FOOTER = 0x7e,
};

/* Commands (source to target). 0x42xx are ours. */
enum {
    STREAM_CMD_OPEN_RETURN_PATH = 1,
    STREAM_CMD_CHECK = 0x4201,   /* judge the description and answer; u8: 1 if that is all */
    STREAM_CMD_PREPARE = 0x4202, /* all is sent: answer with the digest */
    STREAM_CMD_GO = 0x4203,      /* the guest is yours: run it and acknowledge */
    STREAM_CMD_SYNC = 0x4204,    /* answer once everything up to here has been loaded */
};

/* Answers on the return path: u16 type, u16 length, data. */
enum {
    ANSWER_ACCEPT = 0x4201,
    ANSWER_DEFICITS = 0x4202, /* JSON text; the last or only piece */
    ANSWER_MORE = 0x4203,     /* a piece of such a text: more follows */
    ANSWER_DIGEST = 0x4204,
    ANSWER_RUNS = 0x4205,
    ANSWER_ERROR = 0x4206, /* a sentence; the guest stays with the source */
    ANSWER_SYNC = 0x4207,  /* to STREAM_CMD_SYNC */
};

typedef struct StreamSection {
    uint8_t kind; /* STREAM_START ... STREAM_FULL */
    uint32_t id, instance, version;
    char name[256];
} StreamSection;

/* --- writing --- */
void stream_put_header(ByteWriter *w, const char *machine);
/* A FULL section: begin, write the record, end. */
size_t stream_begin_full(ByteWriter *w, const StreamSection *s);
void stream_end_full(ByteWriter *w, const StreamSection *s, size_t at);
/* START with the name, PART and END with the id alone; the data follows, then the footer. */
void stream_begin(ByteWriter *w, const StreamSection *s);
void stream_put_footer(ByteWriter *w, uint32_t id);
void stream_put_command(ByteWriter *w, uint16_t command, const void *data, uint16_t len);
void stream_put_answer(ByteWriter *w, uint16_t type, const void *data, uint16_t len);
/* The end byte and, unless desc is NULL, the description. Its text gets no NUL byte and its
 * length no byte 0x7b, since readers search for these from the end of the file. */
void stream_put_end(ByteWriter *w, struct json_object *desc);

/* --- reading --- */
typedef struct StreamHandler {
    bool (*configuration)(void *opaque, const char *machine, GError **err);
    bool (*full)(void *opaque, const StreamSection *s, const uint8_t *data, size_t len,
                 GError **err);
    /* Take whole items off r (r->at moves past them) and set *done after the last one of this
     * section. Called again when there are more bytes. */
    bool (*items)(void *opaque, const StreamSection *s, ByteReader *r, bool *done, GError **err);
    bool (*command)(void *opaque, uint16_t command, const uint8_t *data, size_t len, GError **err);
    bool (*end)(void *opaque, GError **err);
} StreamHandler;

typedef struct StreamReader StreamReader;
StreamReader *stream_reader_new(const StreamHandler *handler, void *opaque);
void stream_reader_free(StreamReader *r);
/* Where to put up to `room` bytes that come next; then say how many came. */
uint8_t *stream_reader_space(StreamReader *r, size_t room);
bool stream_reader_came(StreamReader *r, size_t len, GError **err);
bool stream_reader_feed(StreamReader *r, const void *data, size_t len, GError **err);
/* The channel has ended: false with a sentence unless the stream is complete. */
bool stream_reader_finish(StreamReader *r, GError **err);
uint64_t stream_reader_position(const StreamReader *r);

/* Printable ASCII, not empty: what names in a stream must be. */
bool stream_name_ok(const char *name);

#endif
