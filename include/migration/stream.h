/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The container: QEMU's stream framing, written and read.
 *
 * Numbers are big-endian. A string is a length byte and that many bytes. A stream consists of the
 * file header, the configuration, sections and commands, the end byte, and (in files) a JSON
 * description. The data of a FULL section is always one record: a length of 4 bytes, then that many
 * bytes. Sections of other types (RAM) have no length: the reader of their items finds the end.
 *
 * The reader accepts bytes in pieces of any size and calls a function for each complete element. It
 * stores at most one element, never allocates memory of a size that it read, and rejects invalid
 * data with a message that contains the position. No more bytes may be passed to a reader that
 * rejected its data.
 *
 * A writer or a reader is used by one thread at a time.
 */
#ifndef MIGRATION_STREAM_H
#define MIGRATION_STREAM_H

#include <json-c/json.h>

#include "util/bytestream.h"

#define STREAM_MAGIC      0x5145564d /* "QEVM" */
#define STREAM_VERSION    3
#define STREAM_MAX_RECORD (64u << 20) /* bytes of one FULL record */
#define STREAM_MAX_NAME   127         /* some readers treat name lengths as signed bytes */

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

/* Commands (source to target). 0x42xx are not QEMU's. */
enum {
    STREAM_CMD_OPEN_RETURN_PATH = 1,
    STREAM_CMD_CHECK = 0x4201,   /* check the description and answer; u8: 1: nothing else follows */
    STREAM_CMD_PREPARE = 0x4202, /* all is sent: answer with the digest */
    STREAM_CMD_GO = 0x4203,      /* the guest belongs to the target: run it and acknowledge */
    STREAM_CMD_SYNC = 0x4204,    /* answer when everything before the command has been loaded */
};

/* Answers on the return path: u16 type, u16 length, data. */
enum {
    ANSWER_ACCEPT = 0x4201,
    ANSWER_DEFICITS = 0x4202, /* JSON text; the last or only piece */
    ANSWER_MORE = 0x4203,     /* a piece of such a text: more follows */
    ANSWER_DIGEST = 0x4204,
    ANSWER_RUNS = 0x4205,
    ANSWER_ERROR = 0x4206, /* an error message; the source keeps the guest */
    ANSWER_SYNC = 0x4207,  /* to STREAM_CMD_SYNC */
};

typedef struct StreamSection {
    uint8_t kind; /* STREAM_START ... STREAM_FULL */
    uint32_t id, instance, version;
    char name[256];
} StreamSection;

/* --- writing; all functions append to w --- */

/* Append the file header and the configuration with the name of the machine type. */
void stream_put_header(ByteWriter *w, const char *machine);
/* Begin a FULL section. The caller appends the record, then calls stream_end_full(). Returns the
 * offset of the record's length in the output, for stream_end_full(). */
size_t stream_begin_full(ByteWriter *w, const StreamSection *s);
/* Store the length of the record, and append the footer. @at is from stream_begin_full(). */
void stream_end_full(ByteWriter *w, const StreamSection *s, size_t at);
/* Append the header of a section: START and FULL with name, instance and version, PART and END with
 * the id only. The caller appends the data, then calls stream_put_footer(). */
void stream_begin(ByteWriter *w, const StreamSection *s);
/* Append the footer of the section with this id. */
void stream_put_footer(ByteWriter *w, uint32_t id);
/* Append a command with len bytes of data. */
void stream_put_command(ByteWriter *w, uint16_t command, const void *data, uint16_t len);
/* Append an answer with len bytes of data, for the return path. */
void stream_put_answer(ByteWriter *w, uint16_t type, const void *data, uint16_t len);
/* Append the end byte and, unless desc is NULL, the description. Its text has no NUL byte and its
 * length has no byte 0x7b, because readers search for these from the end of the file. */
void stream_put_end(ByteWriter *w, struct json_object *desc);

/* --- reading --- */

/* Functions that a reader calls for complete elements. Data is borrowed for the duration of the
 * call. A function that returns false sets *err and ends the reading. */
typedef struct StreamHandler {
    bool (*configuration)(void *opaque, const char *machine, GError **err);
    bool (*full)(void *opaque, const StreamSection *s, const uint8_t *data, size_t len,
                 GError **err);
    /* Consume all complete items in r (advance r->at behind them), and set *done after the last
     * item of this section. Called again when more bytes have arrived. */
    bool (*items)(void *opaque, const StreamSection *s, ByteReader *r, bool *done, GError **err);
    bool (*command)(void *opaque, uint16_t command, const uint8_t *data, size_t len, GError **err);
    /* The end byte. Only the description may follow. */
    bool (*end)(void *opaque, GError **err);
} StreamHandler;

typedef struct StreamReader StreamReader;
/* Create a reader, for stream_reader_free(). The handler is borrowed as long as the reader exists;
 * opaque is passed to its functions. */
StreamReader *stream_reader_new(const StreamHandler *handler, void *opaque);
void stream_reader_free(StreamReader *r);
/* Return where to store up to `room` bytes that follow in the stream. The reader owns the memory,
 * which is valid until the next call. After storing, call stream_reader_came(). */
uint8_t *stream_reader_space(StreamReader *r, size_t room);
/* Process the len bytes that were stored. Returns true if the data is valid so far; false with
 * *err set by the reader or by the handler. */
bool stream_reader_came(StreamReader *r, size_t len, GError **err);
/* Copy len bytes into the reader and process them, like stream_reader_came(). */
bool stream_reader_feed(StreamReader *r, const void *data, size_t len, GError **err);
/* The channel has ended: return true if the stream is complete; otherwise false with *err set. */
bool stream_reader_finish(StreamReader *r, GError **err);
/* Return the position in the stream, in bytes, up to which elements have been processed. */
uint64_t stream_reader_position(const StreamReader *r);

/* Return true if a name is not empty and consists of printable ASCII characters without spaces, as
 * names in a stream must. */
bool stream_name_ok(const char *name);

#endif
