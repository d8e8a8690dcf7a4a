/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Framing of JSON messages (contract in framing_internal.h).
 */
#include "framing_internal.h"

#include <string.h>

#include "plan/json.h"

#define FRAME_KEEP (64u << 10) /* bytes of text that framer_trim() leaves allocated */

void framer_init(Framer *f)
{
    *f = (Framer){ .text = g_string_sized_new(512) };
}

void framer_clear(Framer *f)
{
    g_string_free(f->text, TRUE);
    f->text = NULL;
}

enum { WANT_VALUE, WANT_VALUE_OR_CLOSE, WANT_KEY, WANT_KEY_OR_CLOSE, WANT_COLON, WANT_COMMA };

static void framer_start_message(Framer *f)
{
    g_string_truncate(f->text, 0);
    f->depth = f->values = 0;
    f->want = WANT_VALUE;
    f->quote = 0;
    f->escaped = f->done = false;
    f->utf8_left = 0;
    f->word = 0;
}

void framer_trim(Framer *f)
{
    if (f->done && f->text->allocated_len > FRAME_KEEP) {
        g_string_free(f->text, TRUE);
        f->text = g_string_sized_new(512);
    }
}

void framer_reset(Framer *f)
{
    framer_start_message(f);
    f->recovering = false;
}

static bool framer_fail(Framer *f, const char *problem)
{
    f->problem = problem;
    return false;
}

/* --- inside strings --- */

/* Check the first byte of a UTF-8 sequence and set the range of the next byte (Unicode 15, table
 * 3-7). */
static bool framer_utf8_start(Framer *f, uint8_t c)
{
    f->utf8_min = 0x80;
    f->utf8_max = 0xbf;
    if (c < 0x80) {
        return true;
    }
    if (c >= 0xc2 && c <= 0xdf) {
        f->utf8_left = 1;
    } else if (c >= 0xe0 && c <= 0xef) {
        f->utf8_left = 2;
        f->utf8_min = c == 0xe0 ? 0xa0 : 0x80;
        f->utf8_max = c == 0xed ? 0x9f : 0xbf;
    } else if (c >= 0xf0 && c <= 0xf4) {
        f->utf8_left = 3;
        f->utf8_min = c == 0xf0 ? 0x90 : 0x80;
        f->utf8_max = c == 0xf4 ? 0x8f : 0xbf;
    } else {
        return framer_fail(f, "a string has a byte that is not UTF-8");
    }
    return true;
}

static bool framer_in_string(Framer *f, uint8_t c)
{
    if (f->utf8_left > 0) {
        if (c < f->utf8_min || c > f->utf8_max) {
            return framer_fail(f, "a string has a byte that is not UTF-8");
        }
        f->utf8_left--;
        f->utf8_min = 0x80;
        f->utf8_max = 0xbf;
        return true;
    }
    if (c < 0x20) {
        return framer_fail(f, "a string has a control character");
    }
    if (f->escaped) {
        f->escaped = false;
    } else if (c == '\\') {
        f->escaped = true;
    } else if (c == (uint8_t)f->quote) {
        f->quote = 0;
        f->want = f->want == WANT_COLON ? WANT_COLON : WANT_COMMA;
    }
    return framer_utf8_start(f, c);
}

/* --- numbers and literals --- */

static const char *framer_skip_digits(const char *p)
{
    while (g_ascii_isdigit(*p)) {
        p++;
    }
    return p;
}

/* Check the syntax of a number (RFC 8259 section 6), and that an integer fits 64 bits. */
static bool framer_check_number(Framer *f, const char *word)
{
    const char *p = word + (*word == '-'), *q = framer_skip_digits(p);
    bool integer = true;

    if (q == p || (*p == '0' && q != p + 1)) {
        return framer_fail(f, "a word is not a JSON value");
    }
    if (*q == '.') {
        integer = false;
        p = q + 1;
        q = framer_skip_digits(p);
    }
    if (q != p && (*q | 0x20) == 'e') {
        integer = false;
        p = q + 1 + (q[1] == '+' || q[1] == '-');
        q = framer_skip_digits(p);
    }
    if (q == p || *q) {
        return framer_fail(f, "a word is not a JSON value");
    }
    if (integer &&
        !(*word == '-' ? g_ascii_string_to_signed(word, 10, G_MININT64, 0, NULL, NULL)
                       : g_ascii_string_to_unsigned(word, 10, 0, G_MAXUINT64, NULL, NULL))) {
        return framer_fail(f, "a number does not fit 64 bits");
    }
    return true;
}

static bool framer_end_word(Framer *f)
{
    static const char *const literals[] = { "true", "false", "null", NULL };
    const char *word = f->text->str + f->word - 1;

    f->word = 0;
    f->want = WANT_COMMA;
    return g_strv_contains(literals, word) || framer_check_number(f, word);
}

/* --- outside strings --- */

static bool framer_unexpected(Framer *f)
{
    static const char *const problems[] = {
        [WANT_VALUE] = "a value is expected",
        [WANT_VALUE_OR_CLOSE] = "a value or ']' is expected",
        [WANT_KEY] = "a key is expected",
        [WANT_KEY_OR_CLOSE] = "a key or '}' is expected",
        [WANT_COLON] = "':' is expected",
        [WANT_COMMA] = "',' or the closing bracket is expected",
    };

    return framer_fail(f, problems[f->want]);
}

static bool framer_wants_value(const Framer *f)
{
    return f->want == WANT_VALUE || f->want == WANT_VALUE_OR_CLOSE;
}

static bool framer_count_value(Framer *f)
{
    return ++f->values <= FRAME_VALUES_MAX || framer_fail(f, "the text has too many values");
}

static bool framer_open_bracket(Framer *f, bool array)
{
    if (!framer_wants_value(f)) {
        return framer_unexpected(f);
    }
    if (f->depth == FRAME_DEPTH_MAX) {
        return framer_fail(f, "the text is nested too deeply");
    }
    if (!framer_count_value(f)) {
        return false;
    }
    f->arrays = (f->arrays & ~(1ull << f->depth)) | (uint64_t)array << f->depth;
    f->depth++;
    f->want = array ? WANT_VALUE_OR_CLOSE : WANT_KEY_OR_CLOSE;
    return true;
}

static bool framer_in_array(const Framer *f)
{
    return (f->arrays >> (f->depth - 1) & 1) != 0;
}

static bool framer_close_bracket(Framer *f, bool array)
{
    bool fits =
        f->want == WANT_COMMA || f->want == (array ? WANT_VALUE_OR_CLOSE : WANT_KEY_OR_CLOSE);

    if (!fits || f->depth == 0 || framer_in_array(f) != array) {
        return framer_unexpected(f);
    }
    f->depth--;
    f->want = WANT_COMMA;
    return true;
}

static bool framer_open_quote(Framer *f, char c)
{
    if (f->want == WANT_KEY || f->want == WANT_KEY_OR_CLOSE) {
        f->want = WANT_COLON;
    } else if (!framer_wants_value(f)) {
        return framer_unexpected(f);
    } else if (!framer_count_value(f)) {
        return false;
    } else {
        f->want = WANT_VALUE;
    }
    f->quote = c;
    return true;
}

static bool framer_punctuation(Framer *f, uint8_t c)
{
    if (c == ',' && f->want == WANT_COMMA && f->depth > 0) {
        f->want = framer_in_array(f) ? WANT_VALUE : WANT_KEY;
        return true;
    }
    if (c == ':' && f->want == WANT_COLON) {
        f->want = WANT_VALUE;
        return true;
    }
    return framer_unexpected(f);
}

static bool framer_word_byte(Framer *f, uint8_t c)
{
    if (!f->word) {
        if (!framer_wants_value(f)) {
            return framer_unexpected(f);
        }
        f->word = f->text->len + 1;
        return framer_count_value(f);
    }
    return f->text->len - f->word < PLAN_JSON_NUMBER_MAX || framer_fail(f, "a number is too long");
}

static bool framer_outside_word(Framer *f, uint8_t c)
{
    if (g_ascii_isalnum(c) || c == '-' || c == '+' || c == '.') {
        return framer_word_byte(f, c);
    }
    if (f->word && !framer_end_word(f)) {
        return false;
    }
    switch (c) {
    case '{':
    case '[':
        return framer_open_bracket(f, c == '[');
    case '}':
    case ']':
        return framer_close_bracket(f, c == ']');
    case '"':
    case '\'':
        return framer_open_quote(f, (char)c);
    case ' ':
    case '\t':
    case '\r':
    case '\n':
        return true;
    default:
        if (c < 0x20 || c >= 0x7f) {
            return framer_fail(f, "the text has a byte that JSON does not allow");
        }
        return framer_punctuation(f, c);
    }
}

/* --- one byte --- */

/* Reject the message at byte @c. Only the first rejection on a line returns FRAME_BAD. */
static FrameResult framer_reject(Framer *f, uint8_t c)
{
    bool again = f->recovering;

    framer_start_message(f);
    f->recovering = c != '\n';
    if (c == '{' &&
        framer_outside_word(f, c)) { /* a bracket that is not valid there starts the next message */
        g_string_append_c(f->text, '{');
    }
    return again ? FRAME_MORE : FRAME_BAD;
}

static bool framer_is_space(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static FrameResult framer_feed_byte(Framer *f, uint8_t c)
{
    if (f->text->len == 0 && (framer_is_space(c) || (f->recovering && c != '{'))) {
        f->recovering = f->recovering && c != '\n';
        return FRAME_MORE;
    }
    if (c == '\n') {
        f->recovering = false;
    }
    if (f->text->len >= FRAME_SIZE_MAX) {
        f->problem = "the text is too long";
        return framer_reject(f, c);
    }
    if (f->quote ? !framer_in_string(f, c) : !framer_outside_word(f, c)) {
        return framer_reject(f, c);
    }
    g_string_append_c(f->text, (char)c);
    return f->depth == 0 && f->want == WANT_COMMA && !f->quote ? FRAME_MESSAGE : FRAME_MORE;
}

FrameResult framer_feed(Framer *f, const char *bytes, size_t len, size_t *used)
{
    if (f->done) {
        framer_start_message(f);
    }
    for (size_t i = 0; i < len; i++) {
        FrameResult r = framer_feed_byte(f, (uint8_t)bytes[i]);

        if (r != FRAME_MORE) {
            f->done = r == FRAME_MESSAGE;
            f->recovering = f->recovering && r == FRAME_BAD;
            *used = i + 1;
            return r;
        }
    }
    *used = len;
    return FRAME_MORE;
}
